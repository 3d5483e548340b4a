#!/usr/bin/python3
"""weir-echo's processes from outside: crashes, reloads and stops under load.

Usage: models_test.py PATH-OF-WEIR-ECHO
"""

import os
import re
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest

ECHO = sys.argv[1] if len(sys.argv) > 1 else "weir-echo"
LIMIT = 60
WORKERS = 3


def children(pid):
    """The living ones."""
    found = []
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            with open(f"/proc/{entry}/stat", encoding="ascii", errors="replace") as stat:
                state, parent = stat.read().rsplit(")", 1)[1].split()[:2]
        except OSError:
            continue
        if int(parent) == pid and state != "Z":
            found.append(int(entry))
    return set(found)


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as stat:
            return stat.read().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def wait_until(condition, what):
    deadline = time.monotonic() + LIMIT
    while not condition():
        assert time.monotonic() < deadline, f"did not happen: {what}"
        select.select([], [], [], 0.01)


class Prefork:
    def __init__(self, listen="127.0.0.1:0"):
        command = [ECHO, "--listen", listen, "--model", "prefork", "--threads", str(WORKERS)]
        self.log = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=self.log, text=True)
        line = self.process.stdout.readline().strip()
        assert line.startswith("listening on "), line
        self.address = line.removeprefix("listening on ")
        wait_until(lambda: len(self.workers()) == WORKERS, "all workers have started")

    def workers(self):
        return children(self.process.pid)

    def connect(self):
        if self.address.startswith("unix:"):
            sock = socket.socket(socket.AF_UNIX)
            sock.settimeout(LIMIT)
            sock.connect(self.address.removeprefix("unix:"))
            return sock
        host, port = self.address.rsplit(":", 1)
        return socket.create_connection((host, int(port)), timeout=LIMIT)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        left = self.workers()
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(LIMIT)
        self.process.stdout.close()
        self.log.seek(0)
        self.said = self.log.read()
        self.log.close()
        wait_until(lambda: not any(alive(pid) for pid in left), "every worker has ended")
        if not error[0]:
            assert status == 0, status


def echo(sock, text=b"hello"):
    sock.sendall(text)
    back = b""
    while len(back) < len(text):
        piece = sock.recv(len(text) - len(back))
        assert piece, "ended early"
        back += piece
    assert back == text


class Load(threading.Thread):
    """Connects, says something, leaves, again and again; a refused or broken connection counts."""

    def __init__(self, server):
        super().__init__()
        self.server, self.done, self.failures, self.stopping = server, 0, [], False
        self.start()

    def run(self):
        while not self.stopping:
            try:
                with self.server.connect() as sock:
                    echo(sock)
                self.done += 1
            except (OSError, AssertionError) as error:
                self.failures.append(repr(error))

    def stop(self):
        self.stopping = True
        self.join()


class PreforkTest(unittest.TestCase):
    def test_a_killed_worker_is_replaced_and_the_others_serve_on(self):
        with Prefork() as server:
            before = server.workers()
            victim = min(before)
            os.kill(victim, signal.SIGKILL)
            wait_until(lambda: len(server.workers() - {victim}) == WORKERS, "another one started")
            self.assertEqual(len(server.workers() & before), WORKERS - 1)
            for _ in range(20):
                with server.connect() as sock:
                    echo(sock)
        self.assertIn("ended by signal 9", server.said)

    def test_restarts_of_one_that_dies_at_once_wait_longer_and_longer(self):
        with Prefork() as server:
            for round_number in range(3):
                before = server.workers()
                # The same slot each time: the one that was started last.
                victim = max(before)
                os.kill(victim, signal.SIGKILL)
                wait_until(lambda: len(server.workers() - {victim}) == WORKERS, "restarted")
        delays = [int(ms) for ms in re.findall(r"another one starts in (\d+) ms", server.said)]
        self.assertEqual(delays, [100, 200, 400], server.said)

    def test_a_reload_under_load_refuses_nobody_and_lets_connections_end_by_themselves(self):
        with Prefork() as server:
            before = server.workers()
            with server.connect() as stays:
                echo(stays)
                loads = [Load(server) for _ in range(4)]
                wait_until(lambda: all(load.done > 10 for load in loads), "load runs")
                server.process.send_signal(signal.SIGHUP)
                wait_until(lambda: len(server.workers() - before) == WORKERS, "new workers")
                wait_until(lambda: len(server.workers() & before) == 1, "idle old ones have left")
                goal = [load.done + 50 for load in loads]
                wait_until(lambda: all(l.done > g for l, g in zip(loads, goal)), "load goes on")
                for load in loads:
                    load.stop()
                self.assertEqual(sum((load.failures for load in loads), []), [])
                echo(stays, b"still the old one")
            wait_until(lambda: not server.workers() & before, "the last old one has left")
            with server.connect() as sock:
                echo(sock)

    def test_a_stop_ends_connections_and_workers(self):
        with Prefork() as server:
            workers = server.workers()
            with server.connect() as sock:
                echo(sock)
                server.process.send_signal(signal.SIGTERM)
                self.assertEqual(sock.recv(1), b"")
            self.assertEqual(server.process.wait(LIMIT), 0)
            self.assertFalse(any(alive(pid) for pid in workers))
            with self.assertRaises(ConnectionRefusedError):
                server.connect()

    def test_a_quit_waits_for_connections_and_a_stop_cuts_that_short(self):
        with Prefork() as server:
            with server.connect() as sock:
                echo(sock)
                server.process.send_signal(signal.SIGQUIT)
                wait_until(lambda: len(server.workers()) == 1, "idle workers have left")
                echo(sock)
                server.process.send_signal(signal.SIGTERM)
                self.assertEqual(sock.recv(1), b"")
            self.assertEqual(server.process.wait(LIMIT), 0)

    def test_workers_do_not_outlive_a_killed_master(self):
        server = Prefork()
        workers = server.workers()
        server.process.kill()
        server.process.wait(LIMIT)
        wait_until(lambda: not any(alive(pid) for pid in workers), "workers have ended")
        server.process.stdout.close()
        server.log.close()

    def test_a_unix_socket_is_shared_and_its_path_removed_at_the_end(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "socket")
            with Prefork(f"unix:{path}") as server:
                for _ in range(10):
                    with server.connect() as sock:
                        echo(sock)
                os.kill(min(server.workers()), signal.SIGKILL)
                wait_until(lambda: len(server.workers()) == WORKERS, "restarted")
                with server.connect() as sock:
                    echo(sock)
            self.assertFalse(os.path.exists(path))


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
