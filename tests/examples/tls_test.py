#!/usr/bin/python3
"""The greeters with TLS: who they are to each other, and a certificate that is renewed.

Usage: tls_test.py FOLDER-OF-PROGRAMS FOLDER-OF-CERTIFICATES
"""

import os
import shutil
import signal
import ssl
import sys
import tempfile
import time
import unittest
from pathlib import Path

from example import LIMIT, Server, run

CERTS = Path(sys.argv[2])


def files(name):
    return [str(CERTS / f"{name}.pem"), str(CERTS / f"{name}.key"), str(CERTS / "ca.pem")]


def certificate(server):
    """What a new connection gets; without a certificate of its own, which the server finds too late."""
    host, port = server.address.rsplit(":", 1)
    return ssl.get_server_certificate((host, int(port)), ca_certs=str(CERTS / "ca.pem"))


def port_of(server):
    return server.address.rpartition(":")[2]


class Tls(unittest.TestCase):
    def test_both_ends_know_each_other(self):
        with Server("16-tls-greeter-server", *files("server")) as server:
            done = run("16-tls-greeter-client", f"localhost:{port_of(server)}", *files("alice"), "you")
            self.assertEqual(done.stdout, "Hello, you! You are CN=alice,O=weir, by TLSv1.3.\n")
            done = run("16-tls-greeter-client", f"localhost:{port_of(server)}", *files("stranger"), "you")
            self.assertEqual(done.returncode, 1)
            self.assertIn("UNAVAILABLE", done.stderr)
            self.assertIn("it does not trust who issued our certificate", done.stderr)
            done = run("16-tls-greeter-client", f"[::1]:{port_of(server)}", *files("expired")[:2],
                       "/nowhere.pem", "you")
            self.assertEqual(done.stderr, "cannot read /nowhere.pem: No such file or directory\n")

    def test_a_signal_renews_the_certificate(self):
        with tempfile.TemporaryDirectory() as folder:
            own = [os.path.join(folder, "own.pem"), os.path.join(folder, "own.key")]

            def take(name):
                for source, target in zip(files(name), own):
                    shutil.copy(source, target)

            take("server")
            with Server("16-tls-greeter-server", *own, str(CERTS / "ca.pem")) as server:
                before = certificate(server)
                take("renewed")
                self.assertEqual(certificate(server), before)
                server.process.send_signal(signal.SIGHUP)
                deadline = time.monotonic() + LIMIT
                while certificate(server) == before:
                    self.assertLess(time.monotonic(), deadline)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
