#!/usr/bin/python3
"""Abusive peers: each is cut off or held within bounds, while a good client beside it is served.

Usage: abuse_test.py PATH-OF-WEIR-BENCH-SERVER [unittest options]

Bounds: whatever one peer does, the server's memory grows by less than GROWTH_MIB, and calls of gRPC's own
client on another connection succeed, before, during and after.
"""

import contextlib
import re
import signal
import socket
import subprocess
import sys
import threading
import unittest
import zlib

import grpc

from raw_http2 import (ACK, CANCEL, CONTINUATION, DATA, END_HEADERS, END_STREAM, ENHANCE_YOUR_CALM,
                       HEADERS, LIMIT, PING, PREFACE, PRIORITY, PROTOCOL_ERROR, RST_STREAM,
                       SETTINGS, WINDOW_UPDATE, Peer, call_headers, frame, message)

SERVER = ""
UNARY, STREAM = "/echo.Echo/UnaryEcho", "/echo.Echo/StreamEcho"
MESSAGE = b"\x0a\x05hello"  # string message = 1;
GROWTH_MIB = 32
HANDSHAKE_SECONDS = 20  # what the server gives a peer until its SETTINGS
SLOW_PEERS = 50
FRAMES = 200000
RESOURCE_EXHAUSTED, INTERNAL = 8, 13


class Server:
    def __init__(self):
        self.process = subprocess.Popen([SERVER, "--threads", "1"], stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        self.port = int(re.fullmatch(r"listening on \S+:(\d+)\n", line)[1])

    def of_proc(self, name):
        with open(f"/proc/{self.process.pid}/{name}", encoding="utf-8") as file:
            return file.read()

    def resident_mib(self):
        return int(re.search(r"VmRSS:\s+(\d+) kB", self.of_proc("status"))[1]) / 1024

    def bound_mib(self):
        """A sanitizer multiplies what it watches."""
        return GROWTH_MIB * (4 if re.search("lib[at]san", self.of_proc("maps")) else 1)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(LIMIT)
        self.process.stdout.close()
        return status


class GoodClient(threading.Thread):
    """Calls on and on, one after the other, on a connection of its own."""

    def __init__(self, port):
        super().__init__()
        self.port = port
        self.over = threading.Event()
        self.changed = threading.Condition()
        self.done = 0
        self.problem = None

    def run(self):
        try:
            with grpc.insecure_channel(f"127.0.0.1:{self.port}") as channel:
                call = channel.unary_unary(UNARY)
                while not self.over.is_set():
                    assert call(MESSAGE, timeout=LIMIT) == MESSAGE
                    self.note(None)
        except (grpc.RpcError, AssertionError) as problem:
            self.note(problem)

    def note(self, problem):
        with self.changed:
            self.problem = problem
            self.done += problem is None
            self.changed.notify()

    def wait_for(self, done):
        with self.changed:
            return self.changed.wait_for(lambda: self.problem or self.done >= done, LIMIT)


class Abuse(unittest.TestCase):
    """One server for all: what one leaves behind would show in the next."""

    @classmethod
    def setUpClass(cls):
        cls.server = Server()
        cls.slow = [socket.create_connection(("127.0.0.1", cls.server.port), LIMIT)
                    for _ in range(SLOW_PEERS)]
        for slow in cls.slow:
            slow.send(PREFACE[:1])

    @classmethod
    def tearDownClass(cls):
        for slow in cls.slow:
            slow.close()
        status = cls.server.stop()
        assert status == 0, f"the server's exit status is {status}"

    @contextlib.contextmanager
    def beside_a_good_client(self):
        """Whose calls succeed all the while, and go on afterwards; memory is looked at then."""
        client = GoodClient(self.server.port)
        client.start()
        try:
            self.assertTrue(client.wait_for(1))
            before = self.server.resident_mib()
            yield
            self.assertTrue(client.wait_for(client.done + 2), "the good client is starved")
            self.assertLess(self.server.resident_mib() - before, self.server.bound_mib())
        finally:
            client.over.set()
            client.join(LIMIT)
        self.assertIsNone(client.problem)

    def expect_cut_off(self, attack, code=ENHANCE_YOUR_CALM):
        """`attack` gives bytes, again and again; the server says why it hangs up."""
        with self.beside_a_good_client(), Peer(self.server.port) as peer:
            # Its SETTINGS are acknowledged first: an ACK among CONTINUATION frames is another attack.
            while peer.initial_window is None and not peer.closed:
                peer.read_frame()
            reader = threading.Thread(target=peer.wait_closed)
            reader.start()
            for piece in attack(peer):
                if peer.closed:
                    break
                peer.send(piece)
            reader.join(LIMIT)
            self.assertTrue(peer.closed, "it was not cut off")
            if peer.goaway:  # a reset may have overtaken it
                self.assertEqual(peer.goaway[0], code, peer.goaway)

    def assert_served(self):
        with Peer(self.server.port) as other:
            self.assertEqual(other.call(UNARY, message(MESSAGE)).status, 0)

    def repeat(self, piece, times=FRAMES, at_once=1000):
        return lambda peer: (piece * at_once for _ in range(times // at_once))

    def test_pings(self):
        self.expect_cut_off(self.repeat(frame(PING, payload=bytes(8))))

    def test_settings(self):
        self.expect_cut_off(self.repeat(frame(SETTINGS, payload=b"\0\4\0\1\0\0")))

    def test_settings_acks(self):
        self.expect_cut_off(self.repeat(frame(SETTINGS, ACK)), PROTOCOL_ERROR)

    def test_priorities(self):
        self.expect_cut_off(self.repeat(frame(PRIORITY, 0, 1, bytes(5))))

    def test_window_updates(self):
        self.expect_cut_off(self.repeat(frame(WINDOW_UPDATE, 0, 0, b"\0\0\0\1")))

    def test_rapid_reset(self):
        def attack(peer):
            block = peer.encoder.encode(call_headers(UNARY))
            plain = peer.encoder.encode(call_headers(UNARY))  # all indexed by now
            stream = 1
            for _ in range(FRAMES // 100):
                out = b""
                for _ in range(100):
                    out += frame(HEADERS, END_HEADERS, stream, block)
                    out += frame(RST_STREAM, 0, stream, CANCEL.to_bytes(4, "big"))
                    block, stream = plain, stream + 2
                yield out
        self.expect_cut_off(attack)

    def test_empty_data(self):
        def attack(peer):
            stream = peer.open(call_headers(STREAM))
            yield from self.repeat(frame(DATA, 0, stream))(peer)
        self.expect_cut_off(attack)

    def test_continuations_without_end(self):
        def attack(peer):
            yield frame(HEADERS, 0, 1, peer.encoder.encode(call_headers(UNARY)))
            yield from self.repeat(frame(CONTINUATION, 0, 1, b"\x00\x01a\x01b"))(peer)
        self.expect_cut_off(attack)

    def test_empty_continuations(self):
        def attack(peer):
            yield frame(HEADERS, 0, 1, peer.encoder.encode(call_headers(UNARY)))
            yield from self.repeat(frame(CONTINUATION, 0, 1))(peer)
        self.expect_cut_off(attack)

    def test_header_bombs(self):
        """A field of 4 KiB in the table, named again and again for one byte each."""
        def attack(peer):
            large = [("x-large", "v" * 4000)]
            yield frame(HEADERS, END_HEADERS | END_STREAM, 1,
                        peer.encoder.encode(call_headers(UNARY) + large))
            block = peer.encoder.encode(call_headers(UNARY)) + bytes([0x80 | 62]) * 16000
            for stream in range(3, 10000, 2):
                yield frame(HEADERS, END_HEADERS | END_STREAM, stream, block)
        self.expect_cut_off(attack)

    def test_streams_beyond_the_limit(self):
        def attack(peer):
            while peer.next_stream < 20000:
                peer.open(call_headers(STREAM))
                yield b""
        self.expect_cut_off(attack, PROTOCOL_ERROR)

    def test_answers_that_nobody_takes(self):
        """A window of nothing, and as much to echo on a hundred streams as the server takes."""
        with self.beside_a_good_client():
            no_window = frame(SETTINGS, payload=b"\0\4\0\0\0\0")
            with Peer(self.server.port, PREFACE + no_window) as peer:
                streams = [peer.open(call_headers(STREAM)) for _ in range(100)]
                part = message(b"\x0a\x80\x40" + b"m" * 8192)
                for _ in range(900 * 1024 // len(part) // len(streams) + 1):
                    for stream in streams:
                        peer.data(stream, part)
                self.assert_served()

    def test_streams_that_say_nothing(self):
        with self.beside_a_good_client(), contextlib.ExitStack() as stack:
            peers = [stack.enter_context(Peer(self.server.port)) for _ in range(20)]
            for peer in peers:
                for _ in range(100):
                    peer.open(call_headers(STREAM))
            self.assert_served()

    def test_a_message_that_is_announced_and_never_sent(self):
        """Four MiB each, which is allowed; the server makes room for what has come."""
        with self.beside_a_good_client(), contextlib.ExitStack() as stack:
            peers = [stack.enter_context(Peer(self.server.port)) for _ in range(20)]
            for peer in peers:
                for _ in range(50):
                    peer.data(peer.open(call_headers(UNARY)), b"\0\0\x3f\xff\xff" + b"x" * 10)
            self.assert_served()

    def expect_bomb_refused(self, encoding, bomb, times):
        with self.beside_a_good_client(), Peer(self.server.port) as peer:
            for _ in range(times):
                stream = peer.open(call_headers(UNARY, grpc_encoding=encoding))
                peer.data_in_windows(stream, message(bomb, flag=1))
                answer = peer.wait(stream)
                self.assertEqual(answer.status, RESOURCE_EXHAUSTED, (answer, peer.goaway))
                self.assertIn("larger than the limit of 4194304 bytes when decompressed", answer.text)

    def test_gzip_bombs(self):
        """A GiB of zeros each, in one MiB."""
        deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
        mebibyte = deflate.compress(bytes(1 << 20)) + deflate.flush(zlib.Z_FULL_FLUSH)
        head = b"\x1f\x8b\x08\0\0\0\0\0\0\xff"
        bomb = head + 1024 * mebibyte + b"\x03\0" + bytes(4) + (1 << 30).to_bytes(4, "little")
        self.assertLess(len(bomb), 1 << 21)
        self.expect_bomb_refused("gzip", bomb, 10)

    def test_zstd_bombs(self):
        """A GiB each, in 32 KiB: blocks of one byte, 128 KiB times over."""
        def block(last):
            return (128 * 1024 << 3 | 1 << 1 | last).to_bytes(3, "little") + b"x"
        def head(window_log):
            return b"\x28\xb5\x2f\xfd\0" + bytes([window_log - 10 << 3])
        self.expect_bomb_refused("zstd", head(23) + 8191 * block(0) + block(1), 10)
        with Peer(self.server.port) as peer:
            huge = head(41) + block(1)  # says that it needs two TiB to be decompressed
            answer = peer.call(UNARY, message(huge, flag=1), grpc_encoding="zstd")
            self.assertEqual(answer.status, INTERNAL, answer)

    def test_many_tiny_compressed_messages(self):
        with self.beside_a_good_client(), Peer(self.server.port) as peer:
            stream = peer.open(call_headers(STREAM, grpc_encoding="deflate"))
            tiny = message(zlib.compress(MESSAGE), flag=1)
            for _ in range(100):
                peer.data(stream, tiny * 40)
            peer.data(stream, b"", end=True)
            answer = peer.wait(stream)
            self.assertEqual(answer.status, 0, answer)
            self.assertEqual(answer.data, message(MESSAGE) * 4000)

    def test_zz_slow_prefaces_end(self):
        """Connected first of all, and silent but for one byte."""
        for slow in self.slow:
            slow.settimeout(HANDSHAKE_SECONDS + LIMIT)
            try:
                while slow.recv(4096): # the server's own SETTINGS
                    pass
            except ConnectionResetError:
                pass


if __name__ == "__main__":
    SERVER = sys.argv.pop(1)
    unittest.main()
