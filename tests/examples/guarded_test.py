#!/usr/bin/python3
"""The guarded server: who may call it, and how often; asked with gRPC's own client.

Usage: guarded_test.py FOLDER-OF-PROGRAMS
"""

import sys
import unittest

import grpc

from example import LIMIT, Server

REQUEST = b"\x0a\x03you"  # string name = 1;


def ask(channel, token=None):
    """@return status code, text or answer, and the trailing metadata"""
    metadata = [("authorization", f"Bearer {token}")] if token else []
    call = channel.unary_unary("/greeter.Greeter/SayHello")
    try:
        answer, done = call.with_call(REQUEST, metadata=metadata, timeout=LIMIT)
        return done.code(), answer[2:].decode(), dict(done.trailing_metadata())
    except grpc.RpcError as error:
        return error.code(), error.details(), dict(error.trailing_metadata())


class Guarded(unittest.TestCase):
    def test_who_may_call_it_and_how_often(self):
        with Server("20-guarded-server") as server, grpc.insecure_channel(server.address) as channel:
            self.assertEqual(ask(channel)[0], grpc.StatusCode.UNAUTHENTICATED)
            self.assertEqual(ask(channel, "token-of-eve")[0], grpc.StatusCode.UNAUTHENTICATED)
            self.assertEqual(ask(channel, "token-of-bob")[:2],
                             (grpc.StatusCode.PERMISSION_DENIED,
                              "bob may not call /greeter.Greeter/SayHello"))
            answered = 0
            while (answer := ask(channel, "token-of-ann"))[0] == grpc.StatusCode.OK:
                self.assertEqual(answer[1], "Hello, you! I am talking to ann.")
                self.assertTrue(0 < int(answer[2]["time-left-us"]) <= 2 * LIMIT * 1000000)
                answered += 1
            code, text, _ = answer
            self.assertTrue(3 <= answered < 20, answered)  # three at once, and one a second
            self.assertEqual(code, grpc.StatusCode.RESOURCE_EXHAUSTED)
            self.assertIn("too many calls", text)

    def test_every_call_leaves_a_line(self):
        server = Server("20-guarded-server")
        with grpc.insecure_channel(server.address) as channel:
            ask(channel, "token-of-ann")
            ask(channel)
        status, said = server.stop()
        self.assertEqual(status, 0)
        self.assertRegex(said, r" 127\.0\.0\.1:\d+ ann /greeter\.Greeter/SayHello OK \d+ us\n")
        self.assertRegex(said, r" - /greeter\.Greeter/SayHello UNAUTHENTICATED \d+ us: send a token")


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
