#!/usr/bin/python3
"""weir-chat-robot against a real weir-chatd: robot_test.py BIN_FOLDER [unittest options]"""
import json
import os
import subprocess
import sys
import tempfile
import unittest

BIN = ""
LIMIT = 60  # seconds


class RobotTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.server = subprocess.Popen(
            [os.path.join(BIN, "weir-chatd"), "--port", "0", "--system-interval", "0", "--drain", "0",
             "--store", f"sqlite:{self.folder.name}/chat.db", "--password-cost", "10",
             "--login-rate", "1000000", "--send-rate", "1000000"], stdout=subprocess.PIPE, text=True)
        self.address = self.server.stdout.readline().split()[-1]

    def tearDown(self):
        self.server.terminate()
        self.assertEqual(self.server.wait(LIMIT), 0)
        self.server.stdout.close()
        self.folder.cleanup()

    def robot(self, *options):
        run = subprocess.run([os.path.join(BIN, "weir-chat-robot"), "--server", self.address, "--json",
                              "--settle", "0", *options], capture_output=True, text=True, timeout=LIMIT)
        self.assertEqual(run.returncode, 0, run.stderr)
        return json.loads(run.stdout)

    def check(self, result, members):
        for name in ("lost", "repeated", "disordered", "skipped_seqs", "failed", "unsent", "unanswered"):
            self.assertEqual(result[name], 0, name)
        self.assertGreater(result["stored"], 0)
        self.assertEqual(result["delivered"], members * result["stored"])

    def test_rooms_lose_repeat_and_disorder_nothing(self):
        for _ in range(2):  # the second time the users and rooms are there
            result = self.robot("--users", "50", "--seconds", "3", "--rate", "100")
            self.check(result, 10)
            self.assertGreater(result["delivery_ms"]["max"], 0)

    def test_conversations_of_two_at_any_rate(self):
        self.check(self.robot("--users", "32", "--seconds", "1", "--direct", "3", "--rate", "0"), 2)

    def test_one_room_of_all(self):
        result = self.robot("--fan-out", "60", "--seconds", "1")
        self.assertGreater(result["messages"], 0)
        self.assertGreaterEqual(result["last_member_ms"]["max"], result["median_member_ms"]["p50"])

    def test_a_bad_option_and_a_missing_server_are_told_apart(self):
        robot = os.path.join(BIN, "weir-chat-robot")
        bad = subprocess.run([robot, "--users", "1"], capture_output=True, text=True, timeout=LIMIT)
        self.assertEqual(bad.returncode, 2)
        self.assertIn("users", bad.stderr)
        shown = subprocess.run([robot, "--help"], capture_output=True, text=True, timeout=LIMIT)
        self.assertEqual(shown.returncode, 0)
        self.assertIn("--fan-out", shown.stdout)


if __name__ == "__main__":
    BIN = sys.argv.pop(1)
    unittest.main()
