#!/usr/bin/python3
"""weir-echo from outside: bytes, framings, HTTP, limits, signals, mistakes in the command line.

Usage: echo_test.py PATH-OF-WEIR-ECHO PATH-OF-EXAMPLE
"""

import http.client
import os
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import unittest

ECHO = sys.argv[1] if len(sys.argv) > 1 else "weir-echo"
EXAMPLE = sys.argv[2] if len(sys.argv) > 2 else "example-01-echo"
LIMIT = 60


class Server:
    """A running server; its port is what its first line says."""

    def __init__(self, *options, command=None):
        command = command or [ECHO, "--listen", "127.0.0.1:0", *options]
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.line = self.process.stdout.readline().strip()
        assert self.line.startswith("listening on "), self.line or self.process.communicate()
        self.address = self.line.removeprefix("listening on ")

    def connect(self):
        host, port = self.address.rsplit(":", 1)
        return socket.create_connection((host, int(port)), timeout=LIMIT)

    def stop(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        _, said = self.process.communicate(timeout=LIMIT)
        return self.process.returncode, said

    def __enter__(self):
        return self

    def __exit__(self, *error):
        if self.process.poll() is None:
            status, said = self.stop()
            assert status == 0, (status, said)


def read_exactly(sock, length):
    data = b""
    while len(data) < length:
        piece = sock.recv(length - len(data))
        assert piece, f"ended after {data!r}"
        data += piece
    return data


def run(*options):
    return subprocess.run([ECHO, *options], capture_output=True, text=True, timeout=LIMIT)


class Bytes(unittest.TestCase):
    def test_raw_bytes_come_back(self):
        kinds = [["--model", name] for name in ("multi", "single", "pool", "reuseport", "prefork")]
        kinds += [["--handoff", name] for name in ("least", "address")]
        kinds += [["--poller", "poll"], ["--trigger", "level"], ["--poller", "poll", "--trigger", "level"]]
        for kind in kinds:
            with self.subTest(kind=kind), Server(*kind) as server:
                with server.connect() as sock:
                    for data in (b"hello", b"GE", b"\0\xff" * 1000):
                        sock.sendall(data)
                        self.assertEqual(read_exactly(sock, len(data)), data)

    def test_many_megabytes_come_back_to_a_peer_that_reads_late(self):
        data = os.urandom(8 << 20)
        with Server() as server, server.connect() as sock:
            sender = threading.Thread(target=sock.sendall, args=(data,))
            sender.start()
            self.assertEqual(read_exactly(sock, len(data)), data)
            sender.join()

    def test_a_half_closed_client_gets_everything(self):
        with Server() as server, server.connect() as sock:
            sock.sendall(b"last words")
            sock.shutdown(socket.SHUT_WR)
            self.assertEqual(read_exactly(sock, 10), b"last words")
            self.assertEqual(sock.recv(1), b"")

    def test_many_clients_at_once(self):
        with Server("--threads", "3") as server:
            socks = [server.connect() for _ in range(100)]
            for i, sock in enumerate(socks):
                sock.sendall(b"%04d" % i)
            for i, sock in enumerate(socks):
                self.assertEqual(read_exactly(sock, 4), b"%04d" % i)
                sock.close()

    def test_a_unix_socket(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "echo")
            with Server(command=[ECHO, f"--listen=unix:{path}"]) as server:
                self.assertEqual(server.address, f"unix:{path}")
                with socket.socket(socket.AF_UNIX) as sock:
                    sock.connect(path)
                    sock.sendall(b"hello")
                    self.assertEqual(read_exactly(sock, 5), b"hello")
            self.assertFalse(os.path.exists(path))


class Framing(unittest.TestCase):
    def exchange(self, codec, parts, answer, rest=b""):
        """Sends the parts one after another; `rest` must not be answered before the answer."""
        with Server("--codec", codec) as server, server.connect() as sock:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for part in parts:
                sock.sendall(part)
            self.assertEqual(read_exactly(sock, len(answer)), answer)
            sock.sendall(rest)
            sock.shutdown(socket.SHUT_WR)
            self.assertEqual(sock.recv(100), b"")

    def test_whole_messages_are_answered_and_half_ones_wait(self):
        self.exchange("line", [b"one\ntw", b"o\nthr"], b"one\ntwo\n", b"ee")
        self.exchange("fixed:4", [b"abcdef", b"ghi"], b"abcdefgh", b"jk")
        self.exchange("length", [b"\0\0\0\3abc\0\0", b"\0\0\0\0\0\1x"],
                      b"\0\0\0\3abc\0\0\0\0\0\0\0\1x", b"\0\0\0\2y")

    def test_json_objects_are_messages(self):
        self.exchange("json", [b'{"a":"}"', b'} {"b":{}}', b'\n{"c"'], b'{"a":"}"}{"b":{}}', b":1")

    def test_what_is_not_json_closes_the_connection(self):
        with Server("--codec", "json") as server, server.connect() as sock:
            sock.sendall(b"{} nonsense")
            self.assertEqual(read_exactly(sock, 2), b"{}")
            self.assertEqual(sock.recv(1), b"")

    def test_a_length_over_the_limit_closes_the_connection_with_a_logged_reason(self):
        server = Server("--codec", "length")
        with server.connect() as sock:
            sock.sendall(struct.pack("!I", (1 << 20) + 1))
            self.assertEqual(sock.recv(1), b"")
        status, said = server.stop()
        self.assertEqual(status, 0)
        self.assertIn("larger than the limit", said)

    def test_a_line_without_an_end_closes_the_connection(self):
        with Server("--codec", "line") as server, server.connect() as sock:
            try:
                sock.sendall(b"x" * (4 << 20))
                self.assertEqual(sock.recv(1), b"")
            except (ConnectionResetError, BrokenPipeError):
                pass


class Http(unittest.TestCase):
    def test_a_request_is_greeted_and_the_connection_kept(self):
        with Server() as server:
            client = http.client.HTTPConnection(server.address, timeout=LIMIT)
            for _ in range(3):
                client.request("GET", "/")
                response = client.getresponse()
                self.assertEqual(response.status, 200)
                self.assertEqual(response.read(), b"Hello, World!")
            client.close()

    def test_pipelined_requests_in_pieces(self):
        with Server() as server, server.connect() as sock:
            sock.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\nGET / HTTP/1.1\r\nHo")
            sock.sendall(b"st: x\r\n\r\nGET / HTTP/1.1\r\nConnection: close\r\n\r\n")
            answer = b""
            while piece := sock.recv(4096):
                answer += piece
            self.assertEqual(answer.count(b"HTTP/1.1 200 OK\r\n"), 3)
            self.assertEqual(answer.count(b"Hello, World!"), 3)

    def test_a_head_without_end_is_cut_off(self):
        with Server() as server, server.connect() as sock:
            with self.assertRaises((ConnectionResetError, BrokenPipeError, EOFError)):
                sock.sendall(b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 10000)
                if not sock.recv(1):
                    raise EOFError


class Limits(unittest.TestCase):
    def test_max_connections(self):
        with Server("--max-connections=1") as server:
            with server.connect() as first:
                first.sendall(b"x")
                self.assertEqual(read_exactly(first, 1), b"x")
                with server.connect() as second:
                    self.assertEqual(second.recv(1), b"")

    def test_idle_timeout(self):
        with Server("--idle-timeout", "100ms") as server, server.connect() as sock:
            self.assertIn(self.end_of(sock), (b"", None))

    @staticmethod
    def end_of(sock):
        try:
            return sock.recv(1)
        except ConnectionResetError:
            return None


class Ending(unittest.TestCase):
    def test_both_signals_stop_gracefully(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            server = Server()
            with server.connect() as sock:
                sock.sendall(b"x")
                self.assertEqual(read_exactly(sock, 1), b"x")
                self.assertEqual(server.stop(number)[0], 0)
                self.assertEqual(sock.recv(1), b"")

    def test_a_second_signal_does_not_wait_for_a_peer_that_does_not_read(self):
        server = Server()
        with server.connect() as sock:
            sock.settimeout(0.2)
            try:
                while True:
                    sock.send(b"x" * 65536)
            except TimeoutError:
                pass
            server.process.send_signal(signal.SIGINT)
            with self.assertRaises(OSError):  # until it does not listen any more
                while True:
                    server.connect().close()
            self.assertIsNone(server.process.poll())
            self.assertEqual(server.stop(signal.SIGINT)[0], 0)

    def test_the_example_echoes_and_ends(self):
        with Server(command=[EXAMPLE, "127.0.0.1:0"]) as server, server.connect() as sock:
            sock.sendall(b"hello")
            self.assertEqual(read_exactly(sock, 5), b"hello")


class CommandLine(unittest.TestCase):
    def test_help_and_version(self):
        self.assertIn("--max-connections", run("--help").stdout)
        self.assertEqual(run("--help").returncode, 0)
        self.assertRegex(run("--version").stdout, r"^weir-echo \d+\.\d+\.\d+\n$")

    def test_mistakes_are_one_line_and_status_2(self):
        for options in (["--nonsense"], ["--threads"], ["--threads", "0"], ["--threads=x"],
                        ["--threads", "99999999999999999999"], ["--listen", "here"], ["word"],
                        ["-x"], ["--codec=fixed:0"], ["--codec", "x"], ["--model", "x"],
                        ["--poller", "poll", "--trigger", "edge"], ["--idle-timeout", "-1"], ["--idle-timeout=1y"]):
            with self.subTest(options=options):
                self.check_refused(run(*options), 2)

    def test_what_this_build_cannot_do_is_said(self):
        for options in (["--poller", "uring"],):
            with self.subTest(options=options):
                result = run(*options)
                self.check_refused(result, 2)
                self.assertIn("not supported by this build", result.stderr)

    def test_a_taken_port_and_a_foreign_address_are_status_1(self):
        with Server() as server:
            result = run("--listen", server.address)
            self.check_refused(result, 1)
            self.assertIn(server.address, result.stderr)
            self.assertIn("in use", result.stderr)
        self.check_refused(run("--listen", "192.0.2.1:1"), 1)

    def check_refused(self, result, status):
        self.assertEqual(result.returncode, status)
        self.assertEqual(result.stdout, "")
        self.assertEqual(result.stderr.count("\n"), 1, result.stderr)
        self.assertTrue(result.stderr.startswith("weir-echo: "), result.stderr)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
