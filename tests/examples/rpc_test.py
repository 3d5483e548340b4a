#!/usr/bin/python3
"""The tiny RPC: its client, its server, and bad peers of both.

Usage: rpc_test.py FOLDER-OF-PROGRAMS
"""

import socket
import struct
import sys
import threading
import unittest

from example import LIMIT, Server, fill, is_ended, read_exactly, run

ECHO, UPPER, REVERSE = range(3)


def frame(number, byte, text):
    return struct.pack("!IIB", 5 + len(text), number, byte) + text


def read_frame(sock):
    length, number, byte = struct.unpack("!IIB", read_exactly(sock, 9))
    return number, byte, read_exactly(sock, length - 5)


class TinyServer(unittest.TestCase):
    def test_a_thousand_pipelined_calls_are_answered_by_id(self):
        with Server("14-tiny-rpc-server") as server, server.connect() as sock:
            calls = b"".join(frame(7 * n, UPPER, b"call %d" % n) for n in range(1000))
            threading.Thread(target=sock.sendall, args=(calls,)).start()
            for n in range(1000):
                self.assertEqual(read_frame(sock), (7 * n, 0, b"CALL %d" % n))

    def test_each_method_and_one_that_is_none(self):
        with Server("14-tiny-rpc-server") as server, server.connect() as sock:
            for method, status, answer in ((ECHO, 0, b"aBc"), (UPPER, 0, b"ABC"),
                                           (REVERSE, 0, b"cBa"), (3, 1, b"aBc"), (255, 1, b"aBc")):
                sock.sendall(frame(9, method, b"aBc"))
                self.assertEqual(read_frame(sock), (9, status, answer))
            sock.sendall(frame(10, REVERSE, b""))
            self.assertEqual(read_frame(sock), (10, 0, b""))

    def test_frames_that_are_too_short_or_too_long_end_the_connection(self):
        with Server("14-tiny-rpc-server") as server:
            for length in (0, 4, 4097, 0xffffffff):
                with self.subTest(length=length), server.connect() as sock:
                    sock.sendall(struct.pack("!I", length) + bytes(4))
                    self.assertTrue(is_ended(sock))

    def test_who_calls_and_does_not_read_is_slowed_down(self):
        with Server("14-tiny-rpc-server") as server, server.connect(receive_bytes=4096) as sock:
            with server.memory_stays():
                fill(sock, frame(1, ECHO, bytes(4000)) * 200)


class TinyClient(unittest.TestCase):
    def test_a_thousand_calls(self):
        words = [f"word{n}" for n in range(1000)]
        with Server("14-tiny-rpc-server") as server:
            result = run("15-tiny-rpc-client", server.address, str(REVERSE), *words)
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        self.assertEqual(result.stdout.splitlines(),
                         [f"{n}: {word[::-1]}" for n, word in enumerate(words)])

    def test_a_method_that_does_not_exist_is_said(self):
        with Server("14-tiny-rpc-server") as server:
            result = run("15-tiny-rpc-client", server.address, "9", "word")
        self.assertEqual((result.returncode, result.stdout), (1, "0: no such method: word\n"))

    def run_against(self, serve, *words):
        """@return what the client says when `serve(socket)` is its server"""
        def serve_one():
            sock, _ = listener.accept()
            with sock:
                sock.settimeout(LIMIT)
                serve(sock)
        with socket.create_server(("127.0.0.1", 0)) as listener:
            listener.settimeout(LIMIT)
            thread = threading.Thread(target=serve_one)
            thread.start()
            result = run("15-tiny-rpc-client", f"127.0.0.1:{listener.getsockname()[1]}", "0",
                         *words)
            thread.join()
        return result

    def test_answers_in_another_order_find_their_calls_and_strangers_do_not(self):
        def serve(sock):
            calls = [read_frame(sock) for _ in range(3)]
            sock.sendall(frame(77, 0, b"who?") + frame(0xffffffff, 0, b""))
            for number, _, text in reversed(calls):
                sock.sendall(frame(number, 0, text) * 2)
            is_ended(sock)
        result = self.run_against(serve, "a", "b", "c")
        self.assertEqual((result.returncode, result.stdout), (0, "2: c\n1: b\n0: a\n"))

    def test_a_call_without_an_answer_times_out_alone(self):
        def serve(sock):
            read_frame(sock)
            number, _, text = read_frame(sock)
            sock.sendall(frame(number, 0, text))
            self.assertTrue(is_ended(sock))
        result = self.run_against(serve, "lost", "found")
        self.assertEqual((result.returncode, result.stdout), (1, "1: found\n0: timed out\n"))

    def test_a_server_that_hangs_up_or_talks_nonsense_is_said(self):
        for serve in (lambda sock: read_frame(sock),
                      lambda sock: (sock.sendall(struct.pack("!II", 4, 1)), is_ended(sock)),
                      lambda sock: (sock.sendall(b"\xff" * 9), is_ended(sock))):
            result = self.run_against(serve, "word")
            self.assertEqual(result.returncode, 1)
            self.assertIn("connection lost", result.stderr)

    def test_no_server_and_no_words_are_said(self):
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))  # and does not listen
            result = run("15-tiny-rpc-client", f"127.0.0.1:{unused.getsockname()[1]}", "0", "word")
        self.assertEqual(result.returncode, 1)
        self.assertIn("refused", result.stderr)
        self.assertEqual(run("15-tiny-rpc-client", "127.0.0.1:1", "0").returncode, 2)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
