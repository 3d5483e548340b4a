#!/usr/bin/python3
"""Servers and clients find each other through an ensemble of ZooKeeper whose members, and they
themselves, are killed and paused: zookeeper_test.py ZK_NODE
"""

import queue
import signal
import subprocess
import sys
import threading
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
from real_server import die_with_parent, stand_still  # noqa: E402  pylint: disable=wrong-import-position
from zookeeper import ZooKeeper  # noqa: E402  pylint: disable=wrong-import-position

PROGRAM = sys.argv.pop(1)
SESSION = 2.0
LIMIT = 60.0


class Node:
    """The program, whose lines come with a limit in time."""

    def __init__(self, test, *arguments):
        self.process = subprocess.Popen([PROGRAM, *arguments], stdout=subprocess.PIPE, text=True,
                                        preexec_fn=die_with_parent)
        self.lines = queue.Queue()
        self.said = []
        threading.Thread(target=self._read, daemon=True).start()
        (test.addClassCleanup if isinstance(test, type) else test.addCleanup)(self.kill)

    def _read(self):
        for line in self.process.stdout:
            words = line.split()
            if words[0] == "found":
                words[1:] = sorted(words[1:])
            self.lines.put(" ".join(words))

    def wait(self, wanted, limit=LIMIT):
        """Until a line begins so. @return that line"""
        end = time.monotonic() + limit
        while True:
            try:
                line = self.lines.get(timeout=max(0.01, end - time.monotonic()))
            except queue.Empty:
                raise AssertionError(f"no line {wanted!r} in {limit} s; {self.said}") from None
            self.said.append(line)
            if line.startswith(wanted):
                return line

    def new_lines(self):
        lines = []
        while not self.lines.empty():
            lines.append(self.lines.get())
        self.said += lines
        return lines

    def signal(self, number):
        self.process.send_signal(number)

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


class Ensemble(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.zk = ZooKeeper(members=3)
        cls.addClassCleanup(cls.zk.close)
        cls.sleeper = Node(cls, "resolve", cls.zk.hosts, "weir/services/t.Sleeper")
        cls.sleeper.wait("failed WEIR_ENOENT")
        stand_still(cls.sleeper.process)
        cls.sleeps_since = time.monotonic()

    def server(self, service, address):
        node = Node(self, "register", self.zk.hosts, service, address)
        node.wait("active")
        return node

    def client(self, service):
        return Node(self, "resolve", self.zk.hosts, f"weir/services/{service}")

    def test_a_server_that_withdraws_is_gone_at_once(self):
        server = self.server("t.Withdraws", "a:1")
        client = self.client("t.Withdraws")
        client.wait("found a:1")
        server.signal(signal.SIGTERM)
        server.wait("withdrawn WEIR_OK")
        client.wait("found", limit=SESSION)
        self.assertEqual(client.said[-1], "found")
        self.assertEqual(server.process.wait(LIMIT), 0)

    def test_b_server_that_is_killed_is_gone_within_the_session_timeout(self):
        server = self.server("t.Killed", "a:1")
        self.server("t.Killed", "b:2")
        client = self.client("t.Killed")
        client.wait("found a:1 b:2")
        begin = time.monotonic()
        server.kill()
        client.wait("found b:2")
        took = time.monotonic() - begin
        print(f"killed server gone after {took:.1f} s of a session of {SESSION} s")
        self.assertLess(took, 2 * SESSION + 1)

    def test_c_paused_server_registers_again(self):
        server = self.server("t.Paused", "a:1")
        client = self.client("t.Paused")
        client.wait("found a:1")
        stand_still(server.process)
        client.wait("found")
        self.assertEqual(client.said[-1], "found")
        server.signal(signal.SIGCONT)
        server.wait("lost the session with ZooKeeper has ended")
        server.wait("active")
        client.wait("found a:1")

    def test_d_leader_that_is_killed_changes_nothing(self):
        server = self.server("t.Leader", "a:1")
        client = self.client("t.Leader")
        client.wait("found a:1")
        leader = self.zk.leader()
        self.zk.kill(leader)
        try:
            self.server("t.Leader", "b:2")
            client.wait("found a:1 b:2")
            self.assertEqual(client.said, ["found a:1", "found a:1 b:2"])
            self.assertEqual(server.new_lines(), [])
        finally:
            self.zk.restart(leader)

    def test_e_member_that_answers_nothing_is_left(self):
        client = self.client("t.Frozen")
        client.wait("failed WEIR_ENOENT")
        member = (self.zk.leader() + 1) % 3  # not the leader: the others keep their quorum
        self.zk.stop(member)
        try:
            self.server("t.Frozen", "a:1")
            client.wait("found a:1")
        finally:
            self.zk.cont(member)

    def test_f_client_whose_session_has_ended_catches_up(self):
        self.server("t.Sleeper", "a:1")
        # Its session's 10 s, which begin when it falls asleep, and what ZooKeeper rounds up.
        time.sleep(max(0.0, self.sleeps_since + 12 - time.monotonic()))
        self.sleeper.signal(signal.SIGCONT)
        self.sleeper.wait("found a:1")
        self.server("t.Sleeper", "b:2")
        self.sleeper.wait("found a:1 b:2")

    def test_g_all_members_away(self):
        server = self.server("t.Away", "a:1")
        client = self.client("t.Away")
        client.wait("found a:1")
        self.zk.kill_all()
        begin = time.monotonic()
        late = self.client("t.Away")
        said = late.wait("failed WEIR_EUNREACH ZooKeeper at 127.0.0.1:", limit=30)
        self.assertIn("cannot be reached: Connection refused", said)
        server.wait("lost ZooKeeper at ")
        time.sleep(max(0.0, begin + 10 - time.monotonic()))  # the outage itself
        self.assertEqual(client.new_lines(), [])
        self.zk.start_all()
        server.wait("active")
        late.wait("found a:1")
        other = self.server("t.Away", "b:2")
        self.assertEqual(client.wait("found a:1 b:2"), "found a:1 b:2")
        self.assertNotIn("found", client.said)  # never an empty list
        other.kill()


if __name__ == "__main__":
    unittest.main(verbosity=2)
