#!/usr/bin/python3
"""The application whose modules run in one process, or each in processes of its own.

Usage: social_test.py FOLDER-OF-PROGRAMS
"""

import contextlib
import sys
import tempfile
import unittest

import grpc

from example import LIMIT, Server


def text(number, value):
    value = value.encode()
    return bytes([number << 3 | 2, len(value)]) + value


def fields(message):
    """@return the fields of a message whose lengths and numbers are below 128"""
    found = []
    while message:
        number, kind = message[0] >> 3, message[0] & 7
        if kind == 2:
            size = message[1]
            found.append((number, message[2:2 + size]))
            message = message[2 + size:]
        else:
            found.append((number, message[1]))
            message = message[2:]
    return found


class Client:
    def __init__(self, address):
        self.channel = grpc.insecure_channel(address)

    def call(self, method, request):
        return self.channel.unary_unary(f"/social.Gateway/{method}")(
            request, timeout=LIMIT, wait_for_ready=True)

    def fails(self, method, request):
        try:
            self.call(method, request)
        except grpc.RpcError as error:
            return error.code(), error.details()
        raise AssertionError("it did not fail")

    def home(self, who):
        posts = [dict(fields(post)) for _, post in fields(self.call("Home", text(1, who)))]
        return [(post[1].decode(), post[2].decode(), post[3]) for post in posts]


PEOPLE = [f"person-{i}" for i in range(20)]


class Social(unittest.TestCase):
    def use(self, client):
        for who in PEOPLE:
            client.call("SignUp", text(1, who))
        for i, who in enumerate(PEOPLE):
            client.call("Follow", text(1, who) + text(2, PEOPLE[i - 1]))
            client.call("Follow", text(1, who) + text(2, PEOPLE[i - 2]))
            client.call("Say", text(1, who) + text(2, "first"))
            client.call("Say", text(1, who) + text(2, "second"))
        for i, who in enumerate(PEOPLE):
            self.assertEqual(client.home(who),
                             [(PEOPLE[i - 1], "first", 1), (PEOPLE[i - 1], "second", 2),
                              (PEOPLE[i - 2], "first", 1), (PEOPLE[i - 2], "second", 2)])
        self.assertEqual(client.fails("SignUp", text(1, PEOPLE[0])),
                         (grpc.StatusCode.ALREADY_EXISTS, "users: person-0 is there already"))
        self.assertEqual(client.fails("Say", text(1, "nobody") + text(2, "?")),
                         (grpc.StatusCode.NOT_FOUND, "users: there is no nobody"))

    def test_as_one_process(self):
        with tempfile.TemporaryDirectory() as folder, \
                Server("social", f"file://{folder}", "users,relations,messages,gateway") as whole:
            self.use(Client(whole.address))

    def test_as_services_of_which_each_has_several_processes(self):
        with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as running:
            def start(module):
                return running.enter_context(Server("social", f"file://{folder}", module))
            for module in ("users", "users", "relations", "messages", "messages", "messages"):
                start(module)
            gateways = [start("gateway"), start("gateway")]
            self.use(Client(gateways[0].address))
            self.assertEqual(len(Client(gateways[1].address).home(PEOPLE[0])), 4)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
