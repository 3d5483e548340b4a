#!/usr/bin/python3
"""The forwarder, the idle-kicking server, and HTTP.

Usage: connections_test.py FOLDER-OF-PROGRAMS
"""

import http.client
import os
import socket
import sys
import threading
import time
import unittest

from example import (LIMIT, Server, fill, is_ended, is_silent, read_all, read_exactly, read_line,
                     run)


class Forwarder(unittest.TestCase):
    def setUp(self):
        self.target = socket.create_server(("127.0.0.1", 0))
        self.target.settimeout(LIMIT)
        self.addCleanup(self.target.close)

    def serve(self):
        return Server("10-forwarder", f"127.0.0.1:{self.target.getsockname()[1]}")

    def connect(self, server, receive_bytes=None):
        """@return both ends of a tunnel"""
        near = server.connect(receive_bytes)
        far, _ = self.target.accept()
        far.settimeout(LIMIT)
        for sock in (near, far):
            self.addCleanup(sock.close)
        return near, far

    def test_bytes_go_both_ways(self):
        data = os.urandom(8 << 20)
        with self.serve() as server:
            near, far = self.connect(server)
            for sender, receiver in ((near, far), (far, near)):
                thread = threading.Thread(target=sender.sendall, args=(data,))
                thread.start()
                self.assertEqual(read_exactly(receiver, len(data)), data)
                thread.join()

    def test_half_close_arrives_and_the_other_direction_goes_on(self):
        with self.serve() as server:
            for first in (0, 1):
                ends = self.connect(server)
                ended, other = ends[first], ends[1 - first]
                ended.sendall(b"last words")
                ended.shutdown(socket.SHUT_WR)
                self.assertEqual(read_all(other), b"last words")
                other.sendall(b"answer")
                other.shutdown(socket.SHUT_WR)
                self.assertEqual(read_all(ended), b"answer")

    def test_what_a_client_says_before_the_target_is_there_is_kept(self):
        with self.serve() as server:
            with server.connect() as near:
                near.sendall(b"early")
                near.shutdown(socket.SHUT_WR)
                far, _ = self.target.accept()
                with far:
                    self.assertEqual(read_all(far), b"early")

    def test_a_target_that_refuses_closes_the_client(self):
        with self.serve() as server:
            self.target.close()
            with server.connect() as near:
                self.assertTrue(is_ended(near))

    def test_who_does_not_read_slows_the_other_down(self):
        for slow in (0, 1):
            with self.subTest(slow=slow), self.serve() as server:
                ends = self.connect(server)
                with server.memory_stays():
                    sent = fill(ends[1 - slow], bytes(1 << 20))
                reader = threading.Thread(target=read_exactly, args=(ends[slow], sent))
                reader.start()
                reader.join(LIMIT)
                self.assertFalse(reader.is_alive(), "the rest does not come")
                ends[1 - slow].sendall(b"more")
                self.assertEqual(read_exactly(ends[slow], 4), b"more")

    def test_an_end_that_is_reset_ends_the_other(self):
        with self.serve() as server:
            for first in (0, 1):
                ends = self.connect(server)
                linger = b"\1\0\0\0\0\0\0\0"
                ends[first].setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                ends[first].close()
                self.assertTrue(is_ended(ends[1 - first]))

    def test_it_stops_while_both_ends_have_bytes_to_come(self):
        with self.serve() as server:
            ends = self.connect(server)
            fill(ends[0], bytes(1 << 20))
        self.assertTrue(is_ended(ends[1]))

    def test_a_target_that_is_none_closes_the_client(self):
        self.assertEqual(run("10-forwarder", "127.0.0.1:0").returncode, 2)
        with Server("10-forwarder", "here") as server, server.connect() as sock:
            self.assertTrue(is_ended(sock))


class IdleKick(unittest.TestCase):
    def test_the_silent_one_is_told_goodbye_and_the_busy_one_stays(self):
        with Server("12-idle-kick", "1") as server:
            with server.connect() as silent, server.connect() as busy:
                begin = time.monotonic()
                while is_silent(silent, 0.2):
                    busy.sendall(b"x")
                    self.assertEqual(read_exactly(busy, 1), b"x")
                self.assertGreaterEqual(time.monotonic() - begin, 0.9)
                self.assertEqual(read_line(silent), b"goodbye: you have been silent\n")
                self.assertEqual(silent.recv(1), b"")
                busy.sendall(b"still here")
                self.assertEqual(read_exactly(busy, 10), b"still here")

    def test_one_who_leaves_first_is_forgotten(self):
        with Server("12-idle-kick", "1") as server:
            with server.connect() as watch:
                for _ in range(10):
                    server.connect().close()
                self.assertEqual(read_line(watch), b"goodbye: you have been silent\n")

    def test_one_who_never_reads_is_cut_off(self):
        with Server("12-idle-kick", "1") as server, server.connect(receive_bytes=4096) as sock:
            with server.memory_stays():
                with self.assertRaises(ConnectionError):
                    for _ in range(256):
                        sock.sendall(bytes(1 << 20))


class Http(unittest.TestCase):
    def test_every_get_is_greeted_on_one_connection(self):
        with Server("11-http-hello") as server:
            client = http.client.HTTPConnection(server.address, timeout=LIMIT)
            client.connect()
            sock = client.sock
            for path in ("/", "/elsewhere", "/"):
                client.request("GET", path)
                response = client.getresponse()
                self.assertEqual((response.status, response.read()), (200, b"Hello, World!\n"))
                self.assertIs(client.sock, sock)
            client.close()

    def ask(self, server, *pieces):
        with server.connect() as sock:
            for piece in pieces:
                sock.sendall(piece)
            return read_all(sock)

    def test_pipelined_requests_in_pieces_until_one_asks_for_the_end(self):
        get = b"GET / HTTP/1.1\r\nHost: x\r\n"
        with Server("11-http-hello") as server:
            answers = self.ask(server, get + b"\r\n" + get[:7], get[7:] + b"\r",
                               b"\n" + get + b"connection: close\r\n\r\n" + get + b"\r\n")
            self.assertEqual(answers.count(b"HTTP/1.1 200 OK\r\n"), 3)
            self.assertEqual(answers.count(b"Hello, World!\n"), 3)

    def test_each_of_these_gets_one_answer_and_the_end(self):
        for request, status in ((b"GET / HTTP/1.0\r\n\r\n", 200), (b"GET \r\n\r\n", 200),
                                (b"GET /\0 HTTP/1.1\r\n\r\n", 200),
                                (b"GET / HTTP/1.1\r\nContent-Length: 3\r\n\r\nGET", 200),
                                (b"POST / HTTP/1.1\r\n\r\n", 405), (b"\r\n\r\n", 405)):
            with self.subTest(request=request), Server("11-http-hello") as server:
                answer = self.ask(server, request)
                self.assertTrue(answer.startswith(b"HTTP/1.1 %d " % status), answer)
                self.assertEqual(answer.count(b"HTTP/1.1"), 1)

    def test_a_head_that_is_too_long_is_refused(self):
        with Server("11-http-hello") as server:
            answer = self.ask(server, b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 2000)
            self.assertTrue(answer.startswith(b"HTTP/1.1 431 "), answer)

    def test_who_asks_and_does_not_read_is_not_answered_without_end(self):
        with Server("11-http-hello") as server, server.connect(receive_bytes=4096) as sock:
            with server.memory_stays():
                fill(sock, b"GET / HTTP/1.1\r\n\r\n" * 10000)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
