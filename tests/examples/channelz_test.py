#!/usr/bin/python3
"""channelz of example 19, asked with gRPC's own client and Google's own messages, as grpcdebug asks.

Usage: channelz_test.py FOLDER-OF-PROGRAMS
"""

import contextlib
import ipaddress
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from example import LIMIT, Server

PROTOS = Path(__file__).parents[2] / "src/builtin/proto"
CONNECTIONS = 250


def load_pool():
    with tempfile.NamedTemporaryFile() as file:
        subprocess.run(["protoc", f"-I{PROTOS}", "--include_imports",
                        f"--descriptor_set_out={file.name}", "grpc/channelz/v1/channelz.proto"],
                       check=True)
        found = descriptor_pb2.FileDescriptorSet.FromString(file.read())
    pool = descriptor_pool.DescriptorPool()
    for proto in found.file:
        pool.Add(proto)
    return pool


POOL = load_pool()


def message(name):
    found = POOL.FindMessageTypeByName(f"grpc.channelz.v1.{name}")
    return message_factory.MessageFactory(POOL).GetPrototype(found)


def ask(channel, method, **fields):
    request, reply = message(f"{method}Request"), message(f"{method}Response")
    call = channel.unary_unary(f"/grpc.channelz.v1.Channelz/{method}", request.SerializeToString,
                               reply.FromString)
    return call(request(**fields), timeout=LIMIT)


def code_of(channel, method, **fields):
    try:
        ask(channel, method, **fields)
    except grpc.RpcError as error:
        return error.code()
    return grpc.StatusCode.OK


def greet(channel, name=b"x"):
    channel.unary_unary("/greeter.Greeter/SayHello")(b"\x0a" + bytes([len(name)]) + name,
                                                     timeout=LIMIT)


def lonely_channel(address):
    """One that shares its connection with no other."""
    return grpc.insecure_channel(address, options=[("grpc.use_local_subchannel_pool", 1)])


class Channelz(unittest.TestCase):
    def setUp(self):
        self.server = self.enterContext(Server("19-services"))
        self.channel = self.enterContext(lonely_channel(self.server.address))

    def only_server(self):
        answer = ask(self.channel, "GetServers")
        self.assertTrue(answer.end)
        found, = answer.server
        return found

    def test_the_server_and_its_calls(self):
        before = time.time()
        for _ in range(5):
            greet(self.channel)
        with self.assertRaises(grpc.RpcError):
            self.channel.unary_unary("/grpc.channelz.v1.Channelz/GetServer")(b"\x08\x7f", timeout=LIMIT)
        found = self.only_server()
        self.assertEqual(found.ref.name, self.server.address)
        self.assertEqual(found.data.calls_started, 7)
        self.assertEqual((found.data.calls_succeeded, found.data.calls_failed), (5, 1))
        self.assertGreaterEqual(found.data.last_call_started_timestamp.ToSeconds(), int(before) - 1)
        self.assertLessEqual(found.data.last_call_started_timestamp.ToSeconds(), time.time() + 1)
        self.assertEqual([event.description for event in found.data.trace.events],
                         [f"listening on {self.server.address}"])
        again = ask(self.channel, "GetServer", server_id=found.ref.server_id).server
        self.assertEqual(again.ref, found.ref)

    def test_the_listener(self):
        ref, = self.only_server().listen_socket
        listener = ask(self.channel, "GetSocket", socket_id=ref.socket_id).socket
        host, port = self.server.address.rsplit(":", 1)
        self.assertEqual(str(ipaddress.ip_address(listener.local.tcpip_address.ip_address)), host)
        self.assertEqual(listener.local.tcpip_address.port, int(port))
        self.assertFalse(listener.HasField("remote"))

    def own_socket(self, **fields):
        server_id = self.only_server().ref.server_id
        ref, = ask(self.channel, "GetServerSockets", server_id=server_id).socket_ref
        return ask(self.channel, "GetSocket", socket_id=ref.socket_id, **fields).socket

    def test_a_connection(self):
        greet(self.channel, b"one")
        found = self.own_socket()
        data = found.data
        self.assertEqual(data.streams_started, 4)
        self.assertEqual((data.streams_succeeded, data.streams_failed), (3, 0))
        self.assertEqual((data.messages_received, data.messages_sent), (4, 3))
        self.assertFalse(data.HasField("last_local_stream_created_timestamp"))
        self.assertTrue(data.HasField("last_remote_stream_created_timestamp"))
        self.assertGreater(data.local_flow_control_window.value, 0)
        self.assertGreater(data.remote_flow_control_window.value, 0)
        self.assertEqual(found.ref.name.split(":")[0], "127.0.0.1")
        self.assertEqual(found.remote.tcpip_address.port, int(found.ref.name.split(":")[1]))

    def test_what_the_kernel_knows_of_it(self):
        option, = self.own_socket().data.option
        self.assertEqual(option.name, "TCP_INFO")
        info = message("SocketOptionTcpInfo")()
        self.assertEqual(option.additional.TypeName(), info.DESCRIPTOR.full_name)
        info.ParseFromString(option.additional.value)
        self.assertEqual(info.tcpi_state, 1)  # TCP_ESTABLISHED
        self.assertGreater(info.tcpi_snd_mss, 500)
        self.assertEqual(len(self.own_socket(summary=True).data.option), 0)

    def test_many_connections_come_in_pages(self):
        with contextlib.ExitStack() as stack:
            for _ in range(CONNECTIONS - 1):
                greet(stack.enter_context(lonely_channel(self.server.address)))
            server_id = self.only_server().ref.server_id
            ids, pages, end = [], 0, False
            while not end:
                answer = ask(self.channel, "GetServerSockets", server_id=server_id,
                             start_socket_id=ids[-1] + 1 if ids else 0)
                ids += [ref.socket_id for ref in answer.socket_ref]
                pages, end = pages + 1, answer.end
            self.assertEqual((len(ids), pages), (CONNECTIONS, 3))
            self.assertEqual(ids, sorted(set(ids)))
            self.assertTrue(all(0 < number < 1 << 63 for number in ids))
            answer = ask(self.channel, "GetServerSockets", server_id=server_id, max_results=7)
            self.assertEqual([ref.socket_id for ref in answer.socket_ref], ids[:7])
            for number in ids:
                ask(self.channel, "GetSocket", socket_id=number, summary=True)

    def test_a_process_without_channels(self):
        answer = ask(self.channel, "GetTopChannels")
        self.assertEqual((len(answer.channel), answer.end), (0, True))

    def test_what_is_not_there(self):
        for method, field in (("GetServer", "server_id"), ("GetChannel", "channel_id"),
                              ("GetSubchannel", "subchannel_id"), ("GetSocket", "socket_id"),
                              ("GetServerSockets", "server_id")):
            for number in (0, -1, 77, (1 << 63) - 1):
                self.assertEqual(code_of(self.channel, method, **{field: number}),
                                 grpc.StatusCode.NOT_FOUND)
        self.assertEqual(code_of(self.channel, "GetServers", max_results=-1),
                         grpc.StatusCode.INVALID_ARGUMENT)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
