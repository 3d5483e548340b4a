#!/usr/bin/python3
"""A rolling restart under load loses no call: restart_test.py SERVER LOAD

Servers take turns on one port: the next one starts, then the last one is told to stop. Clients of
weir (LOAD) and of gRPC's Python library call all the time, without waiting for ready.
"""

import re
import signal
import subprocess
import sys
import threading
import time
import unittest

import grpc

LIMIT = 60
RESTARTS = 8
CALLS_BETWEEN = 200  # so many calls of each kind of client between two restarts
PATH = "/echo.Echo/UnaryEcho"
MESSAGE = b"\x0a\x05again"


class Server:
    def __init__(self, port=0):
        self.process = subprocess.Popen(
            [SERVER, "--threads", "2", "--reuse-port", "1", "--listen", f"127.0.0.1:{port}"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        self.port = int(re.fullmatch(r"listening on 127.0.0.1:(\d+)\n", line)[1])

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        _, errors = self.process.communicate(timeout=LIMIT)
        assert self.process.returncode == 0, errors


class PythonClients:
    """Threads, each with a connection of its own."""

    def __init__(self, port, count):
        self.calls = [0] * count
        self.failures = []
        self.stopping = False
        self.threads = [threading.Thread(target=self.run, args=(port, index))
                        for index in range(count)]
        for thread in self.threads:
            thread.start()

    def run(self, port, index):
        options = [("grpc.use_local_subchannel_pool", 1)]
        with grpc.insecure_channel(f"127.0.0.1:{port}", options=options) as channel:
            call = channel.unary_unary(PATH)
            while not self.stopping:
                try:
                    if call(MESSAGE, timeout=LIMIT) != MESSAGE:
                        self.failures.append("a wrong answer")
                except grpc.RpcError as error:
                    self.failures.append(f"{error.code()}: {error.details()}")
                self.calls[index] += 1

    def wait_for_calls(self, more):
        wanted = [calls + more for calls in self.calls]
        deadline = time.monotonic() + LIMIT
        while any(calls < goal for calls, goal in zip(self.calls, wanted)):
            assert time.monotonic() < deadline, "the clients have stopped calling"
            time.sleep(0.01)

    def stop(self):
        self.stopping = True
        for thread in self.threads:
            thread.join(LIMIT)


class RestartTest(unittest.TestCase):
    def test_no_call_is_lost(self):
        server = Server()
        load = subprocess.Popen([LOAD, f"127.0.0.1:{server.port}", "4"], stdin=subprocess.PIPE,
                                stdout=subprocess.PIPE, text=True)
        self.assertEqual(load.stdout.readline(), "calling\n")
        clients = PythonClients(server.port, 4)
        for _ in range(RESTARTS):
            clients.wait_for_calls(CALLS_BETWEEN)
            successor = Server(server.port)
            server.stop()
            server = successor
        clients.wait_for_calls(CALLS_BETWEEN)
        clients.stop()
        said, _ = load.communicate("", timeout=LIMIT)
        server.stop()
        self.assertEqual(clients.failures, [])
        self.assertEqual(load.returncode, 0, said)
        print(f"{RESTARTS} restarts; weir: {said.strip()}; gRPC Python: {sum(clients.calls)} calls, "
              "0 failed")


if __name__ == "__main__":
    SERVER, LOAD = sys.argv[1:3]
    unittest.main(argv=sys.argv[:1])
