#!/usr/bin/python3
"""weir-chatd and peers that break the rules: bad_input_test.py PATH-OF-WEIR-CHATD [unittest options]

The calls are of the services that need no token.

Each mistake ends in the gRPC status or HTTP/2 error that the specifications name, with a text, and
the server goes on: a call on a new connection works, and on the same one when only a stream failed.
"""

import random
import re
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import unittest

import grpc

from raw_http2 import (CANCEL, DATA, END_HEADERS, END_STREAM, ENHANCE_YOUR_CALM,
                       FLOW_CONTROL_ERROR, HEADERS, LIMIT, NO_ERROR, PING, PREFACE, PRIORITY,
                       PROTOCOL_ERROR, RST_STREAM, SETTINGS, WINDOW_UPDATE, Peer, call_headers,
                       frame, message)

CHATD = ""
SEND = "/grpc.health.v1.Health/Check"
STREAM = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"

OK, UNKNOWN, DEADLINE_EXCEEDED, RESOURCE_EXHAUSTED = 0, 2, 4, 8
UNIMPLEMENTED, INTERNAL = 12, 13


def text_field(number, text):
    return bytes([number << 3 | 2, len(text)]) + text


GOOD = text_field(1, b"")  # the health of the server as a whole


class Server:
    def __init__(self):
        self.folder = tempfile.TemporaryDirectory(prefix="weir-chat-")
        self.process = subprocess.Popen([CHATD, "--port", "0", "--store", f"sqlite:{self.folder.name}/chat.db"],
                                        stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        self.port = int(re.fullmatch(r"listening on \S+:(\d+)\n", line)[1])

    def resident_bytes(self):
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as status:
            return int(re.search(r"VmRSS:\s+(\d+) kB", status.read())[1]) * 1024

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(LIMIT)
        self.process.stdout.close()
        self.folder.cleanup()
        return status


class BadInput(unittest.TestCase):
    """One server for all cases: what one leaves behind would show in the next."""

    @classmethod
    def setUpClass(cls):
        cls.server = Server()

    @classmethod
    def tearDownClass(cls):
        status = cls.server.stop()
        assert status == 0, f"the server's exit status is {status}"

    def tearDown(self):
        """gRPC's own client is served."""
        with grpc.insecure_channel(f"127.0.0.1:{self.server.port}") as channel:
            self.assertTrue(channel.unary_unary(SEND)(GOOD, timeout=LIMIT))

    def peer(self, **options):
        return Peer(self.server.port, **options)

    def assert_works(self, peer):
        self.assertEqual(peer.call(SEND, message(GOOD)).status, OK)

    def assert_status(self, answer, status, text):
        self.assertEqual(answer.status, status, answer)
        self.assertRegex(answer.text, text)

    def assert_call_fails(self, body, status, text, path=SEND, **changes):
        """The call ends so, and the next one on the same connection works."""
        with self.peer() as peer:
            self.assert_status(peer.call(path, body, **changes), status, text)
            self.assert_works(peer)

    def assert_connection_fails(self, peer, code):
        goaway = peer.wait_closed()
        self.assertIsNotNone(goaway, "the connection was closed without a GOAWAY")
        self.assertEqual(goaway[0], code, goaway)


class Connections(BadInput):
    """Not HTTP/2 at all, or not for long."""

    def test_random_bytes(self):
        for seed in range(20):
            noise = random.Random(seed).randbytes(2000)
            with self.subTest(seed=seed), self.peer(hello=noise) as peer:
                self.assert_connection_fails(peer, PROTOCOL_ERROR)

    def test_random_bytes_after_the_preface(self):
        for seed in range(20):
            noise = random.Random(seed).randbytes(4000) + b"\xff" * (1 << 16)
            with self.subTest(seed=seed), self.peer() as peer:
                peer.send(noise)
                self.assertIsNotNone(peer.wait_closed())
                self.assertNotEqual(peer.goaway[0], NO_ERROR)

    def test_wrong_preface(self):
        for hello in (b"GET / HTTP/1.1\r\nHost: test\r\n\r\n", PREFACE.replace(b"2.0", b"1.0"),
                      PREFACE + frame(PING, payload=bytes(8))):
            with self.subTest(hello=hello), self.peer(hello=hello) as peer:
                self.assert_connection_fails(peer, PROTOCOL_ERROR)

    def test_connection_dropped_in_the_middle_of_a_call(self):
        for drop_hard in (False, True):
            with self.subTest(drop_hard=drop_hard):
                peer = self.peer()
                stream = peer.open(call_headers(STREAM))
                peer.data(stream, message(GOOD))
                while not peer.answer(stream).data:
                    peer.read_frame()
                peer.data(stream, message(GOOD)[:7])
                if drop_hard:
                    peer.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                           struct.pack("ii", 1, 0))
                peer.socket.close()


class Requests(BadInput):
    """The header block is not that of a gRPC call."""

    def test_unknown_method(self):
        self.assert_call_fails(message(GOOD), UNIMPLEMENTED, "Nothing",
                               path="/grpc.health.v1.Health/Nothing")

    def test_unknown_service(self):
        for path in ("/no.Such/Method", "/", "/a", "//", "/" + "x" * 4000):
            with self.subTest(path=path[:20]):
                self.assert_call_fails(message(GOOD), UNIMPLEMENTED, ".", path=path)

    def test_missing_te(self):
        self.assert_call_fails(message(GOOD), INTERNAL, "te: trailers", te=None)

    def test_wrong_content_type(self):
        for content_type in ("text/html", "application/grpcx", "application/json", None):
            with self.subTest(content_type=content_type), self.peer() as peer:
                stream = peer.open(call_headers(SEND, content_type=content_type), end=True)
                answer = peer.wait(stream)
                self.assertEqual(answer.headers[":status"], "415")
                self.assertIn(b"application/grpc", answer.data)
                self.assert_works(peer)

    def test_wrong_http_method(self):
        for method in ("GET", "PUT", "BREW"):
            with self.subTest(method=method), self.peer() as peer:
                headers = [(name, method if name == ":method" else value)
                           for name, value in call_headers(SEND)]
                answer = peer.wait(peer.open(headers, end=True))
                self.assertEqual(answer.headers[":status"], "405")
                self.assertIn(b"POST", answer.data)
                self.assert_works(peer)

    def test_malformed_header_block_fails_the_stream_only(self):
        good = call_headers(SEND)
        for name, headers in {
                "upper case": good + [("Upper", "x")],
                "connection-specific": good + [("connection", "close")],
                "pseudo-header last": good[1:] + good[:1],
                "unknown pseudo-header": [(":nonsense", "1")] + good,
                "no path": [field for field in good if field[0] != ":path"],
                "path without a slash": call_headers("*"),
                "line feed": good + [("x-note", "a\nb")],
        }.items():
            with self.subTest(name), self.peer() as peer:
                self.assertEqual(peer.wait(peer.open(headers)).reset, PROTOCOL_ERROR)
                self.assert_works(peer)

    def test_malformed_timeout(self):
        for timeout in ("", "1", "S", "1x", "-1S", "123456789S", "1.5S", " 1S", "1SS"):
            with self.subTest(timeout=timeout):
                self.assert_call_fails(message(GOOD), INTERNAL, "grpc-timeout",
                                       grpc_timeout=timeout)

    def test_timeout_of_nothing_expires_at_once(self):
        with self.peer() as peer:
            answer = peer.wait(peer.open(call_headers(STREAM, grpc_timeout="0n")))
            self.assert_status(answer, DEADLINE_EXCEEDED, "deadline")
            self.assert_works(peer)

    def test_bad_base64(self):
        for value in ("!!!!", "a", "AAAA=A", "AA\u00ff"):
            with self.subTest(value=value):
                self.assert_call_fails(message(GOOD), INTERNAL, "base64", x_bin=value)

    def test_encoding_that_is_not_known(self):
        self.assert_call_fails(message(GOOD, flag=1), UNIMPLEMENTED, "grpc-encoding",
                               grpc_encoding="snappy")

    def test_header_list_too_large(self):
        headers = call_headers(SEND) + [(f"x-{i:04}", "v" * 94) for i in range(840)]
        with self.peer() as peer:
            answer = peer.wait(peer.open(headers))
            self.assert_status(answer, RESOURCE_EXHAUSTED, "header list")
            self.assert_works(peer)

    def test_header_list_too_large_by_references(self):
        """One entry of 3.9 KB in HPACK's table, and 10,000 references of one byte each to it."""
        before = self.server.resident_bytes()
        with self.peer() as peer:
            bomb = bytes([0x40, 6]) + b"x-bomb" + bytes([0x7F, 0xBD, 0x1D]) + b"b" * 3900
            block = peer.encoder.encode(call_headers(SEND)) + bomb + b"\xbe" * 10000
            peer.send(frame(HEADERS, END_HEADERS, 1, block))
            answer = peer.wait(1)
            self.assertTrue(answer.status == RESOURCE_EXHAUSTED or peer.goaway, answer)
        self.assertLess(self.server.resident_bytes() - before, 8 << 20)


class Bodies(BadInput):
    """The messages are not what they should be."""

    def test_oversize_length_prefix(self):
        before = self.server.resident_bytes()
        for length in (0xFFFFFFFF, 0x80000000, (4 << 20) + 1):
            with self.subTest(length=length), self.peer() as peer:
                stream = peer.open(call_headers(SEND))
                peer.data(stream, b"\0" + struct.pack(">I", length) + b"x" * 100)
                self.assert_status(peer.wait(stream), RESOURCE_EXHAUSTED, str(length))
                self.assert_works(peer)
        self.assertLess(self.server.resident_bytes() - before, 8 << 20)

    def test_truncated_message(self):
        whole = message(GOOD)
        for length in (1, 4, 5, 6, len(whole) - 1):
            with self.subTest(length=length):
                self.assert_call_fails(whole[:length], INTERNAL, "cut off")

    def test_bytes_after_the_message(self):
        self.assert_call_fails(message(GOOD) + b"\0\0", INTERNAL, "cut off")

    def test_no_message(self):
        self.assert_call_fails(b"", UNIMPLEMENTED, "cardinality")

    def test_two_messages_on_a_unary_call(self):
        self.assert_call_fails(message(GOOD) * 2, UNIMPLEMENTED, "cardinality")

    def test_flag_bytes(self):
        self.assert_call_fails(message(GOOD, flag=1), INTERNAL, "compressed")
        for flag in (2, 128, 255):
            with self.subTest(flag=flag):
                self.assert_call_fails(message(GOOD, flag=flag), INTERNAL, f"flag byte {flag}")

    def test_malformed_protobuf(self):
        for payload in (b"\xff" * 20, b"\x0a", b"\x0a\x05ab", b"\x00\x01", b"\x0e", b"\x0c",
                        b"\x0a\xff\xff\xff\xff\x0f", b"\x18\x80"):
            with self.subTest(payload=payload):
                self.assert_call_fails(message(payload), INTERNAL, ".")
                self.assert_call_fails(message(payload), INTERNAL, ".", path=STREAM)

    def test_deeply_nested_protobuf(self):
        """Groups, which a reader has to follow also when it does not know them."""
        nested = b"\x7b" * 20000 + b"\x7c" * 20000
        self.assert_call_fails(message(GOOD + nested), INTERNAL, ".")
        self.assert_call_fails(message(GOOD + nested[:20000]), INTERNAL, ".")

    def test_string_that_is_not_utf8(self):
        for text in (b"\xff", b"\xc0\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"ab\xe2\x82"):
            with self.subTest(text=text):
                self.assert_call_fails(message(text_field(1, text)), INTERNAL, "(?i)utf-8")

    def test_more_bytes_than_the_window(self):
        with self.peer() as peer:
            stream = peer.open(call_headers(STREAM))
            for _ in range(4096):
                peer.data(stream, bytes(16384))
            self.assertTrue(peer.wait(stream).ended or peer.goaway)


class Floods(BadInput):
    """Frames that cost work and bring nothing. All but one kind are within HTTP/2's grammar, so the
    peer is only told to be calm."""

    def assert_flood_ends(self, peer, frames):
        for _ in range(50):
            peer.send(frames * 1000)
        self.assert_connection_fails(peer, ENHANCE_YOUR_CALM)

    def assert_frames_end(self, frames):
        with self.peer() as peer:
            self.assert_flood_ends(peer, frames)

    def test_ping(self):
        self.assert_frames_end(frame(PING, payload=bytes(8)))

    def test_settings(self):
        self.assert_frames_end(frame(SETTINGS))

    def test_priority(self):
        self.assert_frames_end(frame(PRIORITY, stream=1, payload=b"\0\0\0\3\x10"))

    def test_window_update(self):
        self.assert_frames_end(frame(WINDOW_UPDATE, payload=struct.pack(">I", 1)))

    def test_unknown_frames(self):
        self.assert_frames_end(frame(0xBB, payload=b"x"))

    def test_empty_data(self):
        with self.peer() as peer:
            stream = peer.open(call_headers(STREAM))
            self.assert_flood_ends(peer, frame(DATA, stream=stream))

    def test_rapid_reset(self):
        with self.peer() as peer:
            peer.call(SEND, message(GOOD))  # the header fields are in HPACK's table now
            block = peer.encoder.encode(call_headers(SEND))
            for first in range(3, 40000, 2000):
                peer.send(b"".join(
                    frame(HEADERS, END_HEADERS, stream, block) +
                    frame(RST_STREAM, 0, stream, struct.pack(">I", CANCEL))
                    for stream in range(first, first + 2000, 2)))
            self.assert_connection_fails(peer, ENHANCE_YOUR_CALM)

    def test_streams_that_the_server_has_to_reset(self):
        """Only few at once: their number is what is wrong, not that they are many together."""
        with self.peer() as peer:
            overflow = struct.pack(">I", 0x7FFFFFFF)
            for _ in range(20000):
                stream = peer.open(call_headers(SEND))
                peer.send(frame(WINDOW_UPDATE, 0, stream, overflow))
                answer = peer.wait(stream)
                if peer.goaway:
                    break
                self.assertEqual(answer.reset, FLOW_CONTROL_ERROR)
            self.assert_connection_fails(peer, ENHANCE_YOUR_CALM)

    def test_continuation(self):
        with self.peer() as peer:
            peer.send(frame(HEADERS, 0, 1, peer.encoder.encode(call_headers(SEND))))
            self.assert_flood_ends(peer, frame(9, 0, 1))

    def test_pings_are_answered_in_reason(self):
        """Peers measure the bandwidth with a PING for what they have received."""
        with self.peer() as peer:
            for count in range(1, 101):
                self.assert_works(peer)
                peer.send(frame(PING, payload=bytes(8)))
                while peer.pongs < count and not peer.closed:
                    peer.read_frame()
            self.assert_works(peer)

    def test_pings_without_a_reason(self):
        """The first may come at any time, two more are overlooked, the fourth is too much."""
        with self.peer() as peer:
            for _ in range(3):
                peer.send(frame(PING, payload=bytes(8)))
            while peer.pongs < 3 and not peer.closed:
                peer.read_frame()
            self.assert_works(peer)
        with self.peer() as peer:
            for _ in range(4):
                peer.send(frame(PING, payload=bytes(8)))
            self.assertEqual(peer.wait_closed(), (ENHANCE_YOUR_CALM, "too_many_pings"))

    def test_a_flood_is_named(self):
        with self.peer() as peer:
            peer.send(frame(SETTINGS) * 50000)
            self.assertEqual(peer.wait_closed()[0], ENHANCE_YOUR_CALM)
            self.assertIn("flood: too many", peer.goaway[1])


class Windows(BadInput):
    def test_window_update_of_nothing(self):
        with self.peer() as peer:
            peer.send(frame(WINDOW_UPDATE, payload=bytes(4)))
            self.assert_connection_fails(peer, PROTOCOL_ERROR)

    def test_window_beyond_the_largest(self):
        with self.peer() as peer:
            peer.send(frame(WINDOW_UPDATE, payload=struct.pack(">I", 0x7FFFFFFF)))
            self.assert_connection_fails(peer, FLOW_CONTROL_ERROR)


if __name__ == "__main__":
    CHATD = sys.argv.pop(1)
    unittest.main()
