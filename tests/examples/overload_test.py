#!/usr/bin/python3
"""The server with overload protection, called with gRPC's own client more often than it can answer.

Usage: overload_test.py FOLDER-OF-PROGRAMS
"""

import json
import sys
import unittest

import grpc

from example import LIMIT, Server

REQUEST = b"\x0a\x03you"  # string name = 1;
SERVING = b"\x08\x01"
# Without pushback the client would wait longer than the test.
RETRIES = json.dumps({"methodConfig": [{
    "name": [{"service": "greeter.Greeter"}],
    "retryPolicy": {"maxAttempts": 5, "initialBackoff": "1000s", "maxBackoff": "1000s",
                    "backoffMultiplier": 1, "retryableStatusCodes": ["RESOURCE_EXHAUSTED"]}}]})


def ask(channel, count, customer="ann"):
    """@return how each of so many calls at once has ended"""
    call = channel.unary_unary("/greeter.Greeter/SayHello")
    calls = [call.future(REQUEST, metadata=[("customer", customer)], timeout=LIMIT)
             for _ in range(count)]
    for one in calls:
        one.exception()
    return calls


class Overload(unittest.TestCase):
    def test_what_is_too_much_is_refused_and_pushed_back(self):
        with Server("21-overload-server", "1") as server, grpc.insecure_channel(server.address) as channel:
            calls = ask(channel, 30)
            codes = [call.code() for call in calls]
            self.assertLess(codes.count(grpc.StatusCode.OK), 30)
            self.assertGreaterEqual(codes.count(grpc.StatusCode.OK), 1)
            for call in calls:
                if call.code() == grpc.StatusCode.OK:
                    self.assertEqual(call.result()[2:], b"Hello, you!")
                    continue
                self.assertEqual(call.code(), grpc.StatusCode.RESOURCE_EXHAUSTED)
                self.assertIn("Try again later, or another server", call.details())
                pushback = dict(call.trailing_metadata())["grpc-retry-pushback-ms"]
                self.assertTrue(400 <= int(pushback) <= 600, pushback)

    def test_a_client_that_retries_is_answered_in_the_end(self):
        with Server("21-overload-server", "1") as server, grpc.insecure_channel(
                server.address, options=[("grpc.service_config", RETRIES)]) as channel:
            for call in ask(channel, 7):
                self.assertEqual(call.code(), grpc.StatusCode.OK, call.details())

    def test_a_full_server_is_healthy(self):
        with Server("21-overload-server", "1") as server, grpc.insecure_channel(server.address) as channel:
            call = channel.unary_unary("/greeter.Greeter/SayHello").future(REQUEST, timeout=LIMIT)
            check = channel.unary_unary("/grpc.health.v1.Health/Check")
            for _ in range(20):
                self.assertEqual(check(b"", timeout=LIMIT), SERVING)
            self.assertEqual(call.result()[2:], b"Hello, you!")

    def test_it_finds_its_limit_itself(self):
        with Server("21-overload-server") as server, grpc.insecure_channel(server.address) as channel:
            for call in ask(channel, 4):
                self.assertEqual(call.code(), grpc.StatusCode.OK, call.details())


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
