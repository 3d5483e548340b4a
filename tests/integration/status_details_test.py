#!/usr/bin/python3
"""google.rpc.Status details between weir and Python's gRPC: status_details_test.py PROGRAM PROTO_FOLDER"""

import re
import signal
import subprocess
import sys
import tempfile
import unittest
from concurrent import futures

import grpc
from google.protobuf import descriptor_pb2, message_factory

PROGRAM = PROTOS = ""
LIMIT = 60
SAY_HELLO = "/greeter.Greeter/SayHello"
DETAILS = "grpc-status-details-bin"


def load_messages():
    """@return name: class, of google/rpc's messages"""
    with tempfile.NamedTemporaryFile() as out:
        subprocess.run(["protoc", f"-I{PROTOS}", "--include_imports",
                        f"--descriptor_set_out={out.name}", "google/rpc/status.proto",
                        "google/rpc/error_details.proto"], check=True, timeout=LIMIT)
        files = descriptor_pb2.FileDescriptorSet.FromString(out.read())
    return message_factory.GetMessages(files.file)


class StatusDetails(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.messages = load_messages()

    def message(self, name, **fields):
        return self.messages[f"google.rpc.{name}"](**fields)

    def test_python_reads_what_weir_sends(self):
        with subprocess.Popen([PROGRAM, "serve"], stdout=subprocess.PIPE, text=True) as server:
            port = re.fullmatch(r"listening on \S+:(\d+)\n", server.stdout.readline())[1]
            with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
                with self.assertRaises(grpc.RpcError) as raised:
                    channel.unary_unary(SAY_HELLO)(b"", timeout=LIMIT)
            server.send_signal(signal.SIGTERM)
            self.assertEqual(server.wait(LIMIT), 0)
        self.assertEqual(raised.exception.code(), grpc.StatusCode.INVALID_ARGUMENT)
        sent = dict(raised.exception.trailing_metadata())[DETAILS]
        status = self.messages["google.rpc.Status"].FromString(sent)
        self.assertEqual((status.code, status.message), (3, "no name"))
        bad, retry = self.message("BadRequest"), self.message("RetryInfo")
        self.assertEqual(len(status.details), 2)
        self.assertTrue(status.details[0].Unpack(bad))
        self.assertTrue(status.details[1].Unpack(retry))
        self.assertEqual(bad.field_violations[0].field, "name")
        self.assertEqual(bad.field_violations[0].description, "must not be empty \u263a")
        self.assertEqual(retry.retry_delay.ToTimedelta().total_seconds(), 1.5)

    def call_of(self, details):
        """@return what weir's client prints, when a server of Python's sends these bytes"""
        def refuse(_request, context):
            context.set_trailing_metadata([(DETAILS, details)])
            context.abort(grpc.StatusCode.NOT_FOUND, "not here")
        handler = grpc.method_handlers_generic_handler(
            "greeter.Greeter", {"SayHello": grpc.unary_unary_rpc_method_handler(refuse)})
        server = grpc.server(futures.ThreadPoolExecutor(2), handlers=[handler])
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        try:
            return subprocess.run([PROGRAM, "call", f"127.0.0.1:{port}"], check=True, timeout=LIMIT,
                                  capture_output=True, text=True).stdout
        finally:
            server.stop(None).wait()

    def test_weir_reads_what_python_sends(self):
        status = self.message("Status", code=5, message="not here")
        info = self.message("ErrorInfo", reason="GONE", domain="a.b", metadata={"x": "1", "y": "2"})
        status.details.add().Pack(info)
        bad = self.message("BadRequest")
        bad.field_violations.add(field="f", description="d")
        status.details.add().Pack(bad)
        self.assertEqual(self.call_of(status.SerializeToString()),
                         "NOT_FOUND not here\nf: d\nGONE in a.b, x=1, y=2\nno help\n")

    def test_details_that_are_none_do_not_lose_the_status(self):
        self.assertEqual(self.call_of(b"\xff\xff\xff"), "NOT_FOUND not here\n")
        self.assertEqual(self.call_of(b""), "NOT_FOUND not here\nno help\n")


if __name__ == "__main__":
    PROGRAM, PROTOS = sys.argv.pop(1), sys.argv.pop(1)
    unittest.main()
