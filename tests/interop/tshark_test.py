#!/usr/bin/python3
"""Calls on loopback, captured, are decoded by Wireshark's own dissectors of HTTP/2, gRPC and protobuf
without an error.

Usage: tshark_test.py SERVER CLIENT PROTOS [--tls CERTIFICATE KEY CA]
SERVER and CLIENT are weir's interoperability programs, PROTOS the folder with TestService's files. With
--tls the client writes its keys for Wireshark (SSLKEYLOGFILE).
Exit status 77 when this user may not capture.
"""

import os
import re
import subprocess
import sys
import tempfile
import time

LIMIT = 60
SKIPPED = 77
# Each case with what Wireshark has to say of it.
CASES = {
    "empty_unary": ["GRPC Message: /grpc.testing.TestService/EmptyCall, Request",
                    "GRPC Message: /grpc.testing.TestService/EmptyCall, Response"],
    "large_unary": ["Message: grpc.testing.SimpleRequest", "response_size: 314159",
                    "body: (271828 bytes)", "Message: grpc.testing.SimpleResponse",
                    "body: (314159 bytes)"],
    "client_streaming": ["Message: grpc.testing.StreamingInputCallRequest",
                         "aggregated_payload_size: 74922"],
    "server_streaming": ["Message: grpc.testing.StreamingOutputCallResponse", "size: 31415",
                         "body: (31415 bytes)"],
    "ping_pong": ["GRPC Message: /grpc.testing.TestService/FullDuplexCall, Request"],
    "custom_metadata": [],
    "status_code_and_message": ["code: 2", "message: test status message"],
}
# Header fields, in any of the calls.
HEADERS = [("grpc-status", "0"), ("grpc-status", "2"), ("grpc-message", "test status message"),
           ("x-grpc-test-echo-initial", "test_initial_metadata_value"),
           ("x-grpc-test-echo-trailing-bin", "q6ur")]
CALLS = 9  # that these cases make


def start(command, expected, stream):
    """@return a process that has said so, and the line"""
    process = subprocess.Popen(command, text=True, **{stream: subprocess.PIPE})
    for line in getattr(process, stream):
        if re.search(expected, line):
            return process, line
        if re.search("permission|not permitted|no interfaces", line, re.I):
            print(line.strip())
            sys.exit(SKIPPED)
    sys.exit(f"{command[0]} did not start")


def stop(process):
    process.terminate()
    process.wait(LIMIT)


class Capture:
    def __init__(self, path, port, protos, keys):
        self.path = path
        self.process, _ = start(["dumpcap", "-q", "-i", "lo", "-s", "0", "-B", "64", "-f",
                                 f"tcp port {port}", "-w", path], "^File: ", "stderr")
        protocol = "tls" if keys else "http2"
        self.options = ["-d", f"tcp.port=={port},{protocol}"]
        self.options += ["-o", f'uat:protobuf_search_paths:"{protos}","TRUE"']
        self.options += ["-o", "protobuf.preload_protos:TRUE", "-o", "protobuf.pbf_as_hf:TRUE"]
        self.options += ["-o", f"tls.keylog_file:{keys}"] if keys else []

    def read(self, *arguments):
        command = ["tshark", "-r", self.path, *self.options, *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT, check=False)
        # A file that is still being written may end within a packet.
        return done.stdout

    def headers(self):
        """Every header field, as (name, value)."""
        fields = []
        for line in self.read("-Y", "http2.header", "-T", "fields", "-E", "aggregator=|", "-e",
                              "http2.header.name", "-e", "http2.header.value").splitlines():
            names, _, values = line.partition("\t")
            fields += zip(names.split("|"), values.split("|"))
        return fields

    def wait_for_calls(self, count):
        """Until the end of so many calls is in the file."""
        deadline = time.monotonic() + LIMIT
        while sum(name == "grpc-status" for name, _ in self.headers()) < count:
            if time.monotonic() > deadline:
                sys.exit(f"only {len(self.headers())} header fields were captured")
        stop(self.process)


def check(capture):
    """@return what is wrong"""
    problems = []
    said = capture.read("-Y", "grpc", "-O", "grpc,protobuf")
    for case, lines in CASES.items():
        problems += [f"{case}: not decoded: {line}" for line in lines if line not in said]
    headers = capture.headers()
    problems += [f"no header field {field}" for field in HEADERS if field not in headers]
    # A reset answers the close_notify that comes to an end which has closed already.
    wrong = ("_ws.malformed || (_ws.expert.severity >= 0x600000 && !tcp.analysis.flags"
             " && !tcp.flags.reset)")
    problems += [f"Wireshark finds fault: {line}" for line in
                 capture.read("-Y", wrong, "-O", "http2,grpc,protobuf,tls").splitlines()]
    return problems


def main():
    server_path, client_path, protos = sys.argv[1:4]
    tls = sys.argv[5:8] if len(sys.argv) > 4 else None
    server_options, client_options, environment = [], [], dict(os.environ)
    with tempfile.TemporaryDirectory() as folder:
        keys = None
        if tls:
            keys = environment["SSLKEYLOGFILE"] = os.path.join(folder, "keys")
            server_options = ["--use_tls", "--tls_cert_file", tls[0], "--tls_key_file", tls[1]]
            client_options = ["--use_tls", "--ca_file", tls[2], "--server_host", "localhost"]
        server, line = start([server_path, "--port", "0", *server_options], "^listening on ", "stdout")
        port = int(line.rpartition(":")[2])
        try:
            capture = Capture(os.path.join(folder, "calls.pcapng"), port, protos, keys)
            try:
                for case in CASES:
                    subprocess.run([client_path, f"--server_port={port}", f"--test_case={case}",
                                    *client_options], env=environment, timeout=LIMIT, check=True)
                capture.wait_for_calls(CALLS)
                problems = check(capture)
            finally:
                stop(capture.process)
        finally:
            stop(server)
    print("\n".join(problems) or f"{len(CASES)} cases are decoded")
    return 1 if problems else 0


sys.exit(main())
