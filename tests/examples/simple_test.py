#!/usr/bin/python3
"""The examples that only send or only receive, and what holds for all of them.

Usage: simple_test.py FOLDER-OF-PROGRAMS
"""

import datetime
import os
import re
import socket
import struct
import sys
import tempfile
import time
import unittest
from pathlib import Path

from example import LIMIT, Server, is_ended, read_all, read_exactly, run

FOLDER = Path(__file__).resolve().parents[2] / "examples"
LINES = 100


class Discard(unittest.TestCase):
    def test_throughput_is_told_while_somebody_is_connected(self):
        server = Server("04-discard")
        with server.connect() as sock:
            sock.sendall(bytes(32 << 20))
            said = server.process.stderr.readline()
        status, _ = server.stop()
        self.assertEqual(status, 0)
        found = re.search(r" ([0-9.]+) MiB/s from 1 connections", said)
        self.assertIsNotNone(found, said)
        self.assertGreater(float(found[1]), 0)
        self.assertLessEqual(float(found[1]), 32 / 3)

    def test_nothing_comes_back_and_memory_stays(self):
        with Server("04-discard") as server, server.connect() as sock:
            with server.memory_stays():
                sock.sendall(bytes(64 << 20))
            sock.shutdown(socket.SHUT_WR)
            self.assertEqual(sock.recv(1), b"")


class Chargen(unittest.TestCase):
    def test_lines_begin_one_character_later_each(self):
        with Server("05-chargen") as server, server.connect() as sock:
            data = read_exactly(sock, 74 * 2000)
            for number in range(2000):
                line = bytes(32 + (number + column) % 95 for column in range(72)) + b"\r\n"
                self.assertEqual(data[number * 74:number * 74 + 74], line)

    def test_a_peer_that_does_not_read_costs_no_memory(self):
        with Server("05-chargen") as server:
            with server.connect() as fast, server.connect(receive_bytes=4096):
                with server.memory_stays():
                    read_exactly(fast, 64 << 20)


class Clocks(unittest.TestCase):
    def test_daytime_is_one_line_and_the_end(self):
        with Server("06-daytime") as server, server.connect() as sock:
            line = read_all(sock).decode()
            self.assertTrue(line.endswith("\r\n"), line)
            told = datetime.datetime.fromisoformat(line.strip().replace("Z", "+00:00"))
            self.assertLess(abs(told.timestamp() - time.time()), LIMIT)

    def test_time_is_four_bytes_and_the_end(self):
        with Server("07-time") as server, server.connect() as sock:
            data = read_all(sock)
            self.assertEqual(len(data), 4)
            told = struct.unpack("!I", data)[0] - 2208988800
            self.assertLess(abs(told - time.time()), LIMIT)

    def test_who_talks_to_a_clock_still_gets_the_time(self):
        for name in ("06-daytime", "07-time"):
            with self.subTest(name=name), Server(name) as server, server.connect() as sock:
                sock.sendall(b"what time is it?")
                self.assertIn(len(read_all(sock)), (4, 29))


class Download(unittest.TestCase):
    def serve(self, data):
        file = tempfile.NamedTemporaryFile()
        self.addCleanup(file.close)
        file.write(data)
        file.flush()
        return Server("09-file-download", file.name), file

    def test_everybody_gets_the_whole_file(self):
        data = os.urandom(1 << 20) * 4 + b"end"
        server, _ = self.serve(data)
        with server:
            for sock in [server.connect() for _ in range(3)]:
                with sock:
                    self.assertEqual(read_all(sock), data)

    def test_an_empty_file_is_just_an_end(self):
        server, _ = self.serve(b"")
        with server, server.connect() as sock:
            self.assertEqual(read_all(sock), b"")

    def test_slow_readers_of_a_large_file_cost_no_memory_of_their_own(self):
        server, file = self.serve(b"")
        server.stop()
        file.truncate(256 << 20)
        with Server("09-file-download", file.name) as server:
            slow = [server.connect(receive_bytes=4096) for _ in range(20)]
            for sock in slow:
                read_exactly(sock, 100)
            self.assertLess(server.resident_kib(), 64 << 10)
            for sock in slow:
                sock.close()

    def test_a_file_that_is_cut_short_ends_the_connection_and_not_the_server(self):
        server, file = self.serve(bytes(64 << 20))
        with server:
            with server.connect(receive_bytes=4096) as sock:
                read_exactly(sock, 100)
                file.truncate(1000)
                self.assertTrue(is_ended(sock))
            file.truncate(0)
            with server.connect() as sock:
                self.assertTrue(is_ended(sock))

    def test_a_missing_file_is_said(self):
        result = run("09-file-download", "127.0.0.1:0", "/does/not/exist")
        self.assertEqual(result.returncode, 1)
        self.assertIn("/does/not/exist: No such file", result.stderr)


class All(unittest.TestCase):
    def test_each_is_short(self):
        for path in sorted(FOLDER.glob("*.c")):
            lines = path.read_text(encoding="utf-8").count("\n")
            with self.subTest(path=path.name):
                self.assertLess(lines, LINES)

    def test_each_is_tested(self):
        tests = "".join(path.read_text(encoding="utf-8")
                        for folder in ("examples", "integration")
                        for path in (FOLDER.parent / "tests" / folder).glob("*_test.py")
                        ) + (FOLDER.parent / "tests/integration/CMakeLists.txt").read_text()
        for path in sorted(FOLDER.glob("*.c")):
            name = path.stem.replace("_", "-")
            self.assertTrue(name in tests, f"no test starts {name}")

    def test_a_taken_port_is_said(self):
        with Server("06-daytime") as server:
            result = run("07-time", server.address)
            self.assertEqual(result.returncode, 1)
            self.assertIn("in use", result.stderr)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
