#!/usr/bin/python3
"""The README's server and client: greeter_test.py SERVER CLIENT"""
import signal
import subprocess
import sys
import unittest

LIMIT = 60


class GreeterTest(unittest.TestCase):
    def setUp(self):
        self.server = subprocess.Popen([SERVER, "127.0.0.1:0"], stdout=subprocess.PIPE,
                                       stderr=subprocess.PIPE, text=True)
        line = self.server.stdout.readline()
        self.assertTrue(line.startswith("listening on 127.0.0.1:"), line)
        self.addr = line.split()[-1]

    def tearDown(self):
        self.server.send_signal(signal.SIGTERM)
        self.server.communicate(timeout=LIMIT)
        self.assertEqual(self.server.returncode, 0)

    def ask(self, addr, name):
        return subprocess.run([CLIENT, addr, name], capture_output=True, text=True, timeout=LIMIT)

    def test_hello(self):
        done = self.ask(self.addr, "ann")
        self.assertEqual((done.returncode, done.stdout), (0, "Hello, ann!\n"))

    def test_an_error_is_told(self):
        done = self.ask(self.addr, "")
        self.assertEqual((done.returncode, done.stderr), (1, "INVALID_ARGUMENT: who are you?\n"))

    def test_an_address_in_use_is_told(self):
        done = subprocess.run([SERVER, self.addr], capture_output=True, text=True, timeout=LIMIT)
        self.assertEqual(done.returncode, 1)
        self.assertIn("already in use", done.stderr)


if __name__ == "__main__":
    SERVER, CLIENT = sys.argv[1:3]
    unittest.main(argv=sys.argv[:1])
