#!/usr/bin/python3
"""Clients that find their servers in Redis, by a resolver of their own, and one that lives with their deaths.

Usage: finding_test.py FOLDER-OF-PROGRAMS
"""

import socket
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

from example import LIMIT, Server, command, run


class Redis:
    def __init__(self, folder):
        self.socket = str(Path(folder) / "redis.sock")
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            port = unused.getsockname()[1]
        self.address = f"127.0.0.1:{port}"
        self.process = subprocess.Popen(
            ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "",
             "--appendonly", "no", "--dir", folder], stdout=subprocess.DEVNULL)
        until = time.monotonic() + LIMIT
        while True:
            try:
                self.connection = socket.create_connection(("127.0.0.1", port))
                break
            except OSError:
                assert self.process.poll() is None and time.monotonic() < until
                time.sleep(0.01)  # the rate of asking

    def do(self, line):
        self.connection.sendall(line.encode() + b"\r\n")
        return self.connection.recv(1000)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.connection.close()
        self.process.terminate()
        self.process.wait()


class Finding(unittest.TestCase):
    def test_a_resolver_of_ones_own_asks_redis(self):
        with tempfile.TemporaryDirectory() as folder, Redis(folder) as redis, \
                Server("02-greeter-server") as one:
            target = f"redis://{redis.address}/greeters"
            empty = run("redis", target, "ann")
            self.assertIn("has no endpoints now", empty.stderr)
            redis.do(f"SADD greeters {one.address}")
            self.assertEqual(run("redis", target, "ann").stdout, "Hello, ann!\n")
            redis.do("DEL greeters")
            redis.do("SET greeters no-set")
            self.assertIn("cannot be resolved: -WRONGTYPE",
                          run("redis", target, "ann").stderr)

    def test_redis_that_is_away_is_named(self):
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            port = unused.getsockname()[1]
        said = run("redis", f"redis://127.0.0.1:{port}/greeters", "ann").stderr
        self.assertIn("cannot be resolved", said)
        self.assertIn(f"127.0.0.1:{port}", said)

    def test_a_resilient_client_loses_no_call_when_a_server_goes_away(self):
        with Server("02-greeter-server") as one:
            with Server("02-greeter-server") as other:
                client = subprocess.Popen(
                    command("29-resilient-client", f"static:///{one.address},{other.address}",
                            "20000"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            # It has stopped: the client goes on with the one.
            said, failures = client.communicate(timeout=LIMIT)
            self.assertEqual((said, failures), ("20000 calls, 0 failed\n", ""))


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
