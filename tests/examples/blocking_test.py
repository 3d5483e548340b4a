#!/usr/bin/python3
"""The blocking server: it waits for another greeter, as long as its caller does.

Usage: blocking_test.py FOLDER-OF-PROGRAMS
"""

import socket
import sys
import unittest

import grpc

from example import LIMIT, Server


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


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
