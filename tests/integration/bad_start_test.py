#!/usr/bin/python3
"""Servers that cannot start say why and fail: bad_start_test.py BIN_FOLDER [unittest options]"""

import os
import pwd
import socket
import subprocess
import sys
import tempfile
import unittest

BIN = ""
LIMIT = 60
FAILED, USAGE = 1, 2

# Where weir-chatd may keep its store, whoever runs it; each run has its own.
FOLDER = tempfile.TemporaryDirectory(prefix="weir-bad-start-")
os.chmod(FOLDER.name, 0o777)

# Name, and how it is told where to listen.
SERVERS = {
    "weir-echo": lambda port: ["--listen", f"127.0.0.1:{port}"],
    "weir-interop-server": lambda port: [f"--port={port}"],
    "weir-bench-server": lambda port: ["--listen", f"127.0.0.1:{port}"],
    "weir-chatd": lambda port: ["--port", str(port), "--store",
                                f"sqlite:{FOLDER.name}/{os.urandom(4).hex()}.db"],
}


def as_nobody():
    """Gives up root's rights, if we have them: nobody may not listen below port 1024."""
    if os.geteuid() == 0:
        nobody = pwd.getpwnam("nobody")
        os.setgroups([])
        os.setgid(nobody.pw_gid)
        os.setuid(nobody.pw_uid)


class BadStart(unittest.TestCase):
    def assert_fails(self, name, options, status, text, **how):
        result = subprocess.run([os.path.join(BIN, name), *options], capture_output=True,
                                text=True, timeout=LIMIT, check=False, **how)
        self.assertEqual(result.returncode, status, result)
        self.assertEqual(result.stdout, "")
        self.assertRegex(result.stderr, rf"^{name}: [^\n]*{text}[^\n]*\n")
        return result.stderr

    def test_port_in_use(self):
        with socket.create_server(("127.0.0.1", 0)) as other:
            port = other.getsockname()[1]
            for name, listen in SERVERS.items():
                with self.subTest(name):
                    said = self.assert_fails(name, listen(port), FAILED, "in use")
                    self.assertEqual(said.count("\n"), 1, said)

    def test_no_permission(self):
        with open("/proc/sys/net/ipv4/ip_unprivileged_port_start", encoding="ascii") as file:
            self.assertGreater(int(file.read()), 80, "here everybody may listen on port 80")
        for name, listen in SERVERS.items():
            with self.subTest(name):
                # The programs may lie where nobody cannot look: open them before.
                with open(os.path.join(BIN, name), "rb") as program:
                    said = self.assert_fails_opened(program, name, listen(80))
                    self.assertEqual(said.count("\n"), 1, said)

    def assert_fails_opened(self, program, name, options):
        result = subprocess.run([name, *options], executable=f"/proc/self/fd/{program.fileno()}",
                                pass_fds=[program.fileno()], preexec_fn=as_nobody,
                                capture_output=True, text=True, timeout=LIMIT, check=False)
        self.assertEqual(result.returncode, FAILED, result)
        self.assertRegex(result.stderr, rf"^{name}: .*(?i:permission)")
        return result.stderr

    def test_option_that_does_not_exist(self):
        for name in SERVERS:
            with self.subTest(name):
                self.assert_fails(name, ["--nonsense"], USAGE, "nonsense")

    def test_argument_too_many(self):
        for name in SERVERS:
            with self.subTest(name):
                self.assert_fails(name, ["surplus"], USAGE, "surplus")

    def test_port_that_is_none(self):
        for name, listen in SERVERS.items():
            for port in ("65536", "-1", "http", "1x"):
                with self.subTest(name, port=port):
                    self.assert_fails(name, listen(port), USAGE, ".")

    def test_option_without_its_value(self):
        for name, listen in SERVERS.items():
            with self.subTest(name):
                self.assert_fails(name, [listen(0)[0].split("=")[0]], USAGE, ".")

    def test_numbers_out_of_range(self):
        for name in ("weir-echo", "weir-bench-server", "weir-chatd"):
            for threads in ("-1", "x", "", "99999999999999999999"):
                with self.subTest(name, threads=threads):
                    self.assert_fails(name, ["--threads", threads], USAGE, "threads")


if __name__ == "__main__":
    BIN = sys.argv.pop(1)
    unittest.main()
