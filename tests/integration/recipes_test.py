#!/usr/bin/python3
"""Locks, an election and ids of ZooKeeper, shared by 20 processes that are killed and stopped at random.

Usage: recipes_test.py WORKER
"""

import random
import signal
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "support"))
from zookeeper import ZooKeeper  # noqa: E402

PROCESSES = 20
LOCKS = 5
ACQUISITIONS = 10_000
DISTURBANCES = 40  # at least, and until there have been so many acquisitions
SEED = 5
SESSION = 1.0
LIMIT = 240


class Crowd:
    """Workers, and what they have written."""

    def __init__(self, program, hosts, folder):
        self.program, self.hosts, self.folder = program, hosts, Path(folder)
        self.processes = []
        self.stopped = []  # (when it goes on, process)

    def start(self, number, *more):
        with open(self.folder / "stderr", "ab") as errors:
            process = subprocess.Popen(
                [self.program, self.hosts, str(self.folder), str(number), str(LOCKS), *more],
                stderr=errors)
        process.number = number
        self.processes.append(process)
        return process

    def kill(self, process):
        process.kill()
        process.wait()
        self.processes.remove(process)

    def stop(self, process, seconds):
        process.send_signal(signal.SIGSTOP)
        self.stopped.append((time.monotonic() + seconds, process))

    def go_on(self, everybody=False):
        for entry in list(self.stopped):
            if everybody or entry[0] < time.monotonic():
                entry[1].send_signal(signal.SIGCONT)
                self.stopped.remove(entry)

    def idle(self):
        """Those that may be disturbed."""
        stopped = [process for _, process in self.stopped]
        return [process for process in self.processes if process not in stopped]

    def journal(self, name):
        """(number, pid, verdict) for each attempt"""
        path = self.folder / name
        lines = path.read_text(encoding="ascii").splitlines() if path.exists() else []
        return [(int(number), int(pid), verdict)
                for number, pid, verdict, *_ in map(str.split, lines)]

    def accepted(self):
        return sum(verdict == "ok" for i in range(LOCKS)
                   for _, _, verdict in self.journal(f"lock-{i}"))

    def ids(self):
        return [[int(line) for line in path.read_text(encoding="ascii").splitlines()]
                for path in self.folder.glob("ids-*")]

    def end(self):
        """@return exit statuses"""
        self.go_on(everybody=True)
        for process in self.processes:
            process.terminate()
        return [process.wait(LIMIT) for process in self.processes]

    def close(self):
        for process in self.processes:
            process.kill()
            process.wait()


class Recipes(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.zk = ZooKeeper()

    @classmethod
    def tearDownClass(cls):
        cls.zk.close()

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="weir-recipes-")
        self.addCleanup(folder.cleanup)
        self.crowd = Crowd(PROGRAM, self.zk.hosts, folder.name)
        self.addCleanup(self.crowd.close)

    def until(self, condition):
        end = time.monotonic() + LIMIT
        while not condition():
            self.assertLess(time.monotonic(), end, self.errors())
            time.sleep(0.05)

    def errors(self):
        return (self.crowd.folder / "stderr").read_text(errors="replace")[-2000:]

    def disturb(self, chance):
        """@return (kills, stops past the session's end)"""
        crowd, kills, stops = self.crowd, 0, 0
        end = time.monotonic() + LIMIT
        while crowd.accepted() < ACQUISITIONS or kills + stops < DISTURBANCES:
            self.assertLess(time.monotonic(), end, self.errors())
            for process in crowd.idle():
                self.assertIsNone(process.poll(), self.errors())
            victim = chance.choice(crowd.idle())
            if chance.random() < 0.5:
                crowd.kill(victim)
                crowd.start(victim.number)
                kills += 1
            else:
                crowd.stop(victim, SESSION * chance.choice((0.3, 1.5, 2.5)))
                stops += 1
            until = time.monotonic() + chance.uniform(0.2, 0.7)
            while time.monotonic() < until:
                crowd.go_on()
                time.sleep(0.05)
        return kills, stops

    def check_numbers(self, name, repeatable):
        """A number belongs to one holder; those that the resource has taken grow."""
        journal = self.crowd.journal(name)
        holders = {}
        for number, pid, _ in journal:
            if repeatable:
                self.assertEqual(holders.setdefault(number, pid), pid, f"{name}: {number}")
            else:
                self.assertNotIn(number, holders, f"{name}: {number} was given twice")
                holders[number] = pid
        taken = [number for number, _, verdict in journal if verdict == "ok"]
        self.assertEqual(taken, sorted(set(taken)))
        return len(taken), sum(verdict == "old" for _, _, verdict in journal)

    def check_ids(self):
        files = self.crowd.ids()
        everything = [number for ids in files for number in ids]
        self.assertEqual(len(everything), len(set(everything)), "an id was given twice")
        for ids in files:
            self.assertEqual(ids, sorted(ids))
        return len(everything)

    def test_they_hold_with_kills_and_stops(self):
        crowd = self.crowd
        for number in range(PROCESSES):
            crowd.start(number)
        begin = time.monotonic()
        kills, stops = self.disturb(random.Random(SEED))
        self.assertEqual(set(crowd.end()), {0}, self.errors())
        locks = [self.check_numbers(f"lock-{i}", repeatable=False) for i in range(LOCKS)]
        terms, old_terms = self.check_numbers("election", repeatable=True)
        ids = self.check_ids()
        self.assertGreaterEqual(sum(taken for taken, _ in locks), ACQUISITIONS)
        self.assertGreater(terms, 0)
        # Refused is who was stopped while it held, or was held up by a busy machine: nobody else
        # writes out of turn, or there would be thousands.
        late = sum(old for _, old in locks)
        self.assertLessEqual(max(late, old_terms), stops + LOCKS)
        print(f"{time.monotonic() - begin:.1f} s, {kills} kills, {stops} stops: "
              f"{[taken for taken, _ in locks]} acquisitions, {late} refused; "
              f"{terms} terms, {old_terms} refused; {ids} ids")

    def test_a_holder_that_was_stopped_is_refused(self):
        crowd = self.crowd
        late = crowd.start(0, "stop")
        self.until(lambda: Path(f"/proc/{late.pid}/stat").read_text().rsplit(")", 1)[1][1] == "T")
        self.assertEqual(crowd.journal("lock-0"), [])
        other = crowd.start(LOCKS)  # the same lock
        self.until(lambda: crowd.journal("lock-0"))
        late.send_signal(signal.SIGCONT)
        self.assertEqual(late.wait(LIMIT), 0, self.errors())
        other.terminate()
        self.assertEqual(other.wait(LIMIT), 0, self.errors())
        verdicts = {pid: verdict for _, pid, verdict in crowd.journal("lock-0")}
        self.assertEqual(verdicts, {late.pid: "old", other.pid: "ok"})
        self.check_numbers("lock-0", repeatable=False)


if __name__ == "__main__":
    PROGRAM = sys.argv[1]
    unittest.main(argv=sys.argv[:1] + sys.argv[2:])
