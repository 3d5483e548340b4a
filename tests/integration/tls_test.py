#!/usr/bin/python3
"""A server with TLS, as OpenSSL's own client and curl see it: tls_test.py SERVER FOLDER-OF-CERTIFICATES"""

import os
import re
import select
import socket
import ssl
import subprocess
import sys
import tempfile
import time
import unittest

from raw_http2 import ACK, PING, PREFACE, SETTINGS, frame, message

SERVER, CERTS = sys.argv[1:3]
LIMIT = 60
REQUEST = message(b"\x0a\x05hello")


def cert(name):
    return os.path.join(CERTS, name)


class Tls(unittest.TestCase):
    def setUp(self):
        self.server = subprocess.Popen(
            [SERVER, "--tls_cert_file", cert("server.pem"), "--tls_key_file", cert("server.key")],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.port = int(self.server.stdout.readline().rpartition(":")[2])

    def tearDown(self):
        self.server.terminate()
        _, self.said = self.server.communicate(timeout=LIMIT)
        self.assertEqual(self.server.returncode, 0, self.said)

    def s_client(self, *options):
        command = ["openssl", "s_client", "-connect", f"localhost:{self.port}", "-CAfile", cert("ca.pem"),
                   "-verify_hostname", "localhost", "-alpn", "h2", *options]
        return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT)

    def ask(self, *options, stdin=b""):
        """@return what s_client says of the handshake"""
        return self.s_client(*options).communicate(stdin, timeout=LIMIT)[0].decode(errors="replace")

    def test_versions_protocol_and_ciphers(self):
        for version in ("-tls1_2", "-tls1_3"):
            said = self.ask(version)
            self.assertIn("Verification: OK", said)
            self.assertIn("ALPN protocol: h2", said)
        self.assertIn("Cipher is (NONE)", self.ask("-tls1_1", "-cipher", "ALL:@SECLEVEL=0"))
        self.assertIn("Cipher is (NONE)", self.ask("-tls1_2", "-cipher", "AES128-GCM-SHA256"))
        self.assertIn("no application protocol", self.ask("-alpn", "http/1.1"))

    def test_resumption(self):
        for version in ("-tls1_2", "-tls1_3"):
            with tempfile.TemporaryDirectory() as folder:
                session = os.path.join(folder, "session")
                client = self.s_client(version, "-sess_out", session)
                client.stdin.write(PREFACE + frame(SETTINGS))
                client.stdin.flush()
                self.read_until(client, frame(SETTINGS, ACK))  # tickets come before it
                client.communicate(timeout=LIMIT)
                self.assertIn("Reused, ", self.ask(version, "-sess_in", session))

    def test_renegotiation_is_refused(self):
        client = self.s_client("-tls1_2")
        client.stdin.write(b"R\n")
        client.stdin.flush()
        self.read_until(client, b"no renegotiation")
        client.kill()
        client.communicate()

    def read_until(self, client, wanted):
        said, deadline = b"", time.monotonic() + LIMIT
        while wanted not in said:
            ready, _, _ = select.select([client.stdout], [], [], max(0, deadline - time.monotonic()))
            part = os.read(client.stdout.fileno(), 65536) if ready else b""
            self.assertTrue(part, f"{wanted} is not in {said}")
            said += part

    def test_keys_are_renewed_on_demand(self):
        client = self.s_client("-tls1_3")
        client.stdin.write(PREFACE + frame(SETTINGS))
        client.stdin.flush()
        self.read_until(client, frame(SETTINGS, ACK))
        for payload in (b"renewed1", b"renewed2"):
            client.stdin.write(b"K\n")
            client.stdin.flush()
            self.read_until(client, b"KEYUPDATE")
            client.stdin.write(frame(PING, payload=payload))
            client.stdin.flush()
            self.read_until(client, frame(PING, ACK, payload=payload))
        client.kill()
        client.communicate()

    def test_curl_calls(self):
        with tempfile.NamedTemporaryFile() as request:
            request.write(REQUEST)
            request.flush()
            done = subprocess.run(
                ["curl", "-sS", "--http2", "--cacert", cert("ca.pem"), "-D", "/dev/stderr", "-H",
                 "content-type: application/grpc", "-H", "te: trailers", "--data-binary",
                 f"@{request.name}", f"https://localhost:{self.port}/echo.Echo/UnaryEcho"],
                capture_output=True, timeout=LIMIT, check=True)
        self.assertEqual(done.stdout, REQUEST)
        self.assertIn(b"grpc-status: 0", done.stderr)

    def test_other_languages_are_named_in_the_log(self):
        with socket.create_connection(("127.0.0.1", self.port)) as sock:
            sock.settimeout(LIMIT)
            sock.sendall(PREFACE)
            self.assertEqual(sock.recv(100)[:2], b"\x15\x03")  # an alert
            self.assertEqual(sock.recv(100), b"")
        self.server.terminate()
        said = self.server.stderr.read()
        self.assertIn('the peer does not speak TLS: it began with "PRI * HTTP/2.0"', said)


class Plaintext(unittest.TestCase):
    def test_a_client_of_tls_is_named_in_the_log(self):
        with subprocess.Popen([SERVER], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              text=True) as server:
            port = int(server.stdout.readline().rpartition(":")[2])
            with socket.create_connection(("127.0.0.1", port)) as sock:
                with self.assertRaises((ssl.SSLError, ConnectionError)):
                    ssl.create_default_context().wrap_socket(sock, server_hostname="localhost")
            server.terminate()
            self.assertIn("the peer speaks TLS, this port is plaintext", server.communicate(
                timeout=LIMIT)[1])


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
