#!/usr/bin/python3
"""Health and reflection of example 19, asked with gRPC's own client and Google's own messages.

Usage: services_test.py FOLDER-OF-PROGRAMS
"""

import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from example import LIMIT, Server

PROTOS = Path(__file__).parents[2] / "src/builtin/proto"
FILES = ("grpc/health/v1/health.proto", "grpc/reflection/v1/reflection.proto",
         "grpc/reflection/v1alpha/reflection.proto")


def load_messages():
    """@return a function from a message's full name to its class"""
    with tempfile.NamedTemporaryFile() as file:
        subprocess.run(["protoc", f"-I{PROTOS}", f"--descriptor_set_out={file.name}", *FILES],
                       check=True)
        found = descriptor_pb2.FileDescriptorSet.FromString(file.read())
    pool = descriptor_pool.DescriptorPool()
    for proto in found.file:
        pool.Add(proto)
    return lambda name: class_of(pool, name)


def class_of(pool, name):
    return message_factory.MessageFactory(pool).GetPrototype(pool.FindMessageTypeByName(name))


MESSAGE = load_messages()
Question = MESSAGE("grpc.health.v1.HealthCheckRequest")
Health = MESSAGE("grpc.health.v1.HealthCheckResponse")
UNKNOWN, SERVING, NOT_SERVING, SERVICE_UNKNOWN = range(4)


def check(channel, service):
    call = channel.unary_unary("/grpc.health.v1.Health/Check", Question.SerializeToString,
                               Health.FromString)
    return call(Question(service=service), timeout=LIMIT).status


def watch(channel, service):
    call = channel.unary_stream("/grpc.health.v1.Health/Watch", Question.SerializeToString,
                                Health.FromString)
    return call(Question(service=service), timeout=LIMIT)


def greet(channel, name):
    hello = b"\x0a" + bytes([len(name)]) + name.encode()
    channel.unary_unary("/greeter.Greeter/SayHello")(hello, timeout=LIMIT)


class HealthOfExample(unittest.TestCase):
    def test_check(self):
        with Server("19-services") as server, grpc.insecure_channel(server.address) as channel:
            self.assertEqual(check(channel, ""), SERVING)
            self.assertEqual(check(channel, "greeter.Greeter"), SERVING)
            greet(channel, "flu")
            self.assertEqual(check(channel, "greeter.Greeter"), NOT_SERVING)
            self.assertEqual(check(channel, ""), SERVING)
            with self.assertRaises(grpc.RpcError) as raised:
                check(channel, "greeter")
            self.assertEqual(raised.exception.code(), grpc.StatusCode.NOT_FOUND)

    def test_list(self):
        Empty, Answer = (MESSAGE(f"grpc.health.v1.HealthList{end}") for end in ("Request", "Response"))
        with Server("19-services") as server, grpc.insecure_channel(server.address) as channel:
            call = channel.unary_unary("/grpc.health.v1.Health/List", Empty.SerializeToString,
                                       Answer.FromString)
            statuses = {name: value.status
                        for name, value in call(Empty(), timeout=LIMIT).statuses.items()}
        self.assertEqual(statuses, {"": SERVING, "greeter.Greeter": SERVING})

    def test_watch(self):
        with Server("19-services") as server, grpc.insecure_channel(server.address) as channel:
            one, other = watch(channel, "greeter.Greeter"), watch(channel, "nobody")
            self.assertEqual((next(one).status, next(other).status), (SERVING, SERVICE_UNKNOWN))
            greet(channel, "flu")
            self.assertEqual(next(one).status, NOT_SERVING)
            greet(channel, "flu")  # no change
            greet(channel, "doctor")
            self.assertEqual(next(one).status, SERVING)
            one.cancel()
            other.cancel()

    def test_a_graceful_stop_is_announced_and_waits_for_no_watcher(self):
        server = Server("19-services")
        with grpc.insecure_channel(server.address) as channel:
            watchers = [watch(channel, service) for service in ("", "greeter.Greeter")]
            for watcher in watchers:
                self.assertEqual(next(watcher).status, SERVING)
            server.process.terminate()
            for watcher in watchers:
                self.assertEqual(next(watcher).status, NOT_SERVING)
                with self.assertRaises(grpc.RpcError) as raised:
                    next(watcher)
                self.assertEqual(raised.exception.code(), grpc.StatusCode.UNAVAILABLE)
        server.process.communicate(timeout=LIMIT)
        self.assertEqual(server.process.returncode, 0)


class Reflection:
    """What both versions have in common."""
    version = None

    def setUp(self):
        package = f"grpc.reflection.{self.version}"
        self.request = MESSAGE(f"{package}.ServerReflectionRequest")
        self.response = MESSAGE(f"{package}.ServerReflectionResponse")
        self.path = f"/{package}.ServerReflection/ServerReflectionInfo"

    def ask(self, server, *questions):
        """All in one call. @return the answers"""
        requests = [self.request(host="here", **question) for question in questions]
        with grpc.insecure_channel(server.address) as channel:
            call = channel.stream_stream(self.path, self.request.SerializeToString,
                                         self.response.FromString)
            answers = list(call(iter(requests), timeout=LIMIT))
        for request, answer in zip(requests, answers):
            self.assertEqual(answer.original_request, request)
            self.assertEqual(answer.valid_host, "here")
        self.assertEqual(len(answers), len(requests))
        return answers

    def test_services(self):
        with Server("19-services") as server:
            answer, = self.ask(server, {"list_services": ""})
        self.assertEqual({service.name for service in answer.list_services_response.service},
                         {"greeter.Greeter", "grpc.channelz.v1.Channelz", "grpc.health.v1.Health",
                          "grpc.reflection.v1.ServerReflection",
                          "grpc.reflection.v1alpha.ServerReflection"})

    def files(self, answer):
        return [descriptor_pb2.FileDescriptorProto.FromString(file)
                for file in answer.file_descriptor_response.file_descriptor_proto]

    def test_every_symbol_leads_to_its_file(self):
        symbols = ("greeter.Greeter", "greeter.Greeter.SayHello", "greeter.HelloRequest",
                   "greeter.HelloRequest.name", "grpc.health.v1.HealthCheckResponse.ServingStatus",
                   "grpc.health.v1.HealthCheckResponse.SERVING",
                   "grpc.health.v1.HealthListResponse.StatusesEntry",
                   f"grpc.reflection.{self.version}.ServerReflectionRequest.message_request")
        with Server("19-services") as server:
            answers = self.ask(server, *({"file_containing_symbol": name} for name in symbols))
        names = [self.files(answer)[0].name for answer in answers]
        self.assertEqual(names, ["greeter.proto"] * 4 + ["grpc/health/v1/health.proto"] * 3 +
                         [f"grpc/reflection/{self.version}/reflection.proto"])

    def test_a_call_without_the_proto_files(self):
        """As grpcurl does it: the service's file, a pool of it, a message of the pool."""
        with Server("19-services") as server:
            answer, = self.ask(server, {"file_containing_symbol": "greeter.Greeter"})
            pool = descriptor_pool.DescriptorPool()
            for file in self.files(answer):
                pool.Add(file)
            method = pool.FindServiceByName("greeter.Greeter").FindMethodByName("SayHello")
            asked = class_of(pool, method.input_type.full_name)(name="stranger")
            with grpc.insecure_channel(server.address) as channel:
                call = channel.unary_unary("/greeter.Greeter/SayHello",
                                           type(asked).SerializeToString,
                                           class_of(pool, method.output_type.full_name).FromString)
                self.assertEqual(call(asked, timeout=LIMIT).message, "Hello, stranger!")

    def test_what_is_not_there(self):
        extension = {"containing_type": "greeter.HelloRequest", "extension_number": 7}
        questions = ({"file_by_filename": "no.proto"}, {"file_containing_symbol": "greeter"},
                     {"file_containing_extension": extension},
                     {"all_extension_numbers_of_type": "greeter.Nothing"}, {})
        with Server("19-services") as server:
            codes = [answer.error_response.error_code for answer in self.ask(server, *questions)]
        self.assertEqual(codes, [5, 5, 5, 5, 3])

    def test_a_message_without_extensions_has_none(self):
        with Server("19-services") as server:
            answer, = self.ask(server, {"all_extension_numbers_of_type": "greeter.HelloRequest"})
        found = answer.all_extension_numbers_response
        self.assertEqual((found.base_type_name, list(found.extension_number)),
                         ("greeter.HelloRequest", []))

    def test_thousands_of_questions_at_once(self):
        with Server("19-services") as server:
            answers = self.ask(server, *[{"file_by_filename": "grpc/health/v1/health.proto"}] * 3000)
        self.assertTrue(all(len(self.files(answer)) == 1 for answer in answers))


class ReflectionV1(Reflection, unittest.TestCase):
    version = "v1"


class ReflectionV1Alpha(Reflection, unittest.TestCase):
    version = "v1alpha"


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
