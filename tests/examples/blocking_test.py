#!/usr/bin/python3
"""The blocking server, which waits for another greeter as long as its caller does, and the program with a loop of
its own.

Usage: blocking_test.py FOLDER-OF-PROGRAMS
"""

import socket
import subprocess
import sys
import unittest

import grpc

from example import LIMIT, Server, command


def ask(address, name, timeout=LIMIT):
    """@return status code, and the answer or the text"""
    hello = b"\x0a" + bytes([len(name)]) + name
    with grpc.insecure_channel(address) as channel:
        try:
            answer = channel.unary_unary("/greeter.Greeter/SayHello")(hello, timeout=timeout)
            return grpc.StatusCode.OK, answer[2:].decode()
        except grpc.RpcError as error:
            return error.code(), error.details()


class Blocking(unittest.TestCase):
    def test_it_waits_for_the_other(self):
        with Server("02-greeter-server") as other, \
                Server("17-blocking-server", other.address) as server:
            self.assertEqual(ask(server.address, b"ann"),
                             (grpc.StatusCode.OK, "The other said: Hello, ann!"))
            self.assertEqual(ask(server.address, b""),
                             (grpc.StatusCode.INVALID_ARGUMENT, "the other greeter: who are you?"))

    def test_it_waits_no_longer_than_its_caller(self):
        """The other listens and says nothing."""
        with socket.create_server(("127.0.0.1", 0)) as silent:
            other = f"127.0.0.1:{silent.getsockname()[1]}"
            with Server("17-blocking-server", other) as server:
                self.assertEqual(ask(server.address, b"ann", 0.2)[0],
                                 grpc.StatusCode.DEADLINE_EXCEEDED)

    def test_it_says_when_the_other_is_away(self):
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))  # and does not listen
            other = f"127.0.0.1:{unused.getsockname()[1]}"
            with Server("17-blocking-server", other) as server:
                code, text = ask(server.address, b"ann")
                self.assertEqual(code, grpc.StatusCode.UNAVAILABLE)
                self.assertIn("refused", text)


class CompletionQueue(unittest.TestCase):
    def greet(self, address, names):
        done = subprocess.run(command("18-completion-queue", address), input="".join(names),
                              capture_output=True, text=True, timeout=LIMIT)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return sorted(done.stdout.splitlines())

    def test_every_name_is_greeted(self):
        with Server("02-greeter-server") as server:
            self.assertEqual(self.greet(server.address, [f"{n}\n" for n in range(500)]),
                             sorted(f"Hello, {n}!" for n in range(500)))
            self.assertEqual(self.greet(server.address, []), [])
            self.assertEqual(self.greet(server.address, ["\n"]), ["INVALID_ARGUMENT: who are you?"])


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
