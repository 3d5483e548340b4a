#!/usr/bin/python3
"""The examples of recipes on ZooKeeper: lock, election, unique ids, configuration, barrier, queue.

Usage: recipes_test.py FOLDER-OF-PROGRAMS
"""

import signal
import subprocess
import sys
import unittest
from pathlib import Path

from example import ENVIRONMENT, LIMIT, command, run

sys.path.insert(0, str(Path(__file__).parent.parent / "support"))
from zookeeper import ZooKeeper  # noqa: E402


class Recipes(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.zk = ZooKeeper()

    @classmethod
    def tearDownClass(cls):
        cls.zk.close()

    def start(self, name, *arguments):
        process = subprocess.Popen(command(name, self.zk.hosts, *arguments), text=True,
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=ENVIRONMENT)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        self.addCleanup(process.stdin.close)
        self.addCleanup(process.stdout.close)
        return process

    def test_commands_take_turns(self):
        """The first holds the lock until its input ends; the fencing number of the second is larger."""
        say = ("sh", "-c", "echo $FENCE; cat; echo end")
        first = self.start("23-lock", "/example/lock", *say)
        fence = int(first.stdout.readline())
        second = self.start("23-lock", "/example/lock", "sh", "-c", "echo $FENCE; exit 3")
        first.stdin.close()
        self.assertEqual(first.stdout.readline(), "end\n")
        self.assertGreater(int(second.stdout.readline()), fence)
        self.assertEqual((first.wait(LIMIT), second.wait(LIMIT)), (0, 3))

    def test_a_command_that_is_ended_gives_the_lock_back(self):
        first = self.start("23-lock", "/example/ended", "sh", "-c", "echo on; exec cat")
        self.assertEqual(first.stdout.readline(), "on\n")
        first.send_signal(signal.SIGTERM)
        self.assertEqual(first.wait(LIMIT), 128 + signal.SIGTERM)
        done = run("23-lock", self.zk.hosts, "/example/ended", "true")
        self.assertEqual(done.returncode, 0)

    def until_leads(self, process, name):
        while (said := process.stdout.readline()) != f"{name} leads\n":
            self.assertRegex(said, r"^I lead, term \d+\n$")

    def test_the_next_one_leads_when_the_leader_ends(self):
        names = ("ann", "bob", "cid")
        candidates = []
        for name in names:
            candidates.append(self.start("24-election", "/example/election", name))
            self.until_leads(candidates[-1], "ann")
        for i, process in enumerate(candidates[:-1]):
            process.terminate()
            self.assertEqual(process.wait(LIMIT), 0)
            for other in candidates[i + 1:]:
                self.until_leads(other, names[i + 1])

    def test_ids_are_unique(self):
        processes = [self.start("25-unique-ids", "/example/ids", "2500") for _ in range(4)]
        ids = []
        for process in processes:
            mine = [int(line) for line in process.stdout]
            self.assertEqual(process.wait(LIMIT), 0)
            self.assertEqual((len(mine), mine), (2500, sorted(mine)))
            ids += mine
        self.assertEqual(len(set(ids)), 4 * 2500)

    def test_ids_without_zookeeper_say_so(self):
        done = run("25-unique-ids", "127.0.0.1:1", "/example/ids", "1")
        self.assertEqual(done.returncode, 1)
        self.assertIn("127.0.0.1:1", done.stderr)

    def configure(self, *arguments):
        done = run("26-config", self.zk.hosts, "/example/config", *arguments)
        return done.returncode, done.stderr

    def test_a_program_follows_its_settings(self):
        self.assertEqual(self.configure("workers", "8"), (0, ""))
        program = self.start("26-config", "/example/config")
        self.assertEqual(program.stdout.readline(), "workers = 8\n")
        self.assertEqual(program.stdout.readline(), "greeting! 8 workers, 0.250 s\n")
        self.assertEqual(self.configure("greeting", "good day"), (0, ""))
        self.assertEqual(program.stdout.readline(), "greeting = good day\n")
        self.assertEqual(self.configure("workers", "65"),
                         (2, "/example/config/workers must be from 1 to 64\n"))
        self.assertEqual(self.configure("workers", "9", "0"), (0, ""))
        self.assertEqual(program.stdout.readline(), "workers = 9\n")
        self.assertEqual(self.configure("workers", "10", "0")[0], 1)

    def test_workers_begin_and_end_together(self):
        workers = [self.start("27-barrier", "/example/barrier", "3") for _ in range(3)]
        for worker in workers:
            self.assertEqual(worker.stdout.readline(), "begin\n")
        workers[0].kill()
        for worker in workers[1:]:
            worker.stdin.close()
        for worker in workers[1:]:
            self.assertEqual(worker.stdout.readline(), "end\n")
            self.assertEqual(worker.wait(LIMIT), 0)

    def test_a_job_comes_back_when_its_consumer_dies(self):
        done = run("28-queue", self.zk.hosts, "/example/queue", "put", "one", "two", "three")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        first = self.start("28-queue", "/example/queue", "take")
        self.assertEqual(first.stdout.readline(), "one\n")
        print(file=first.stdin, flush=True)
        self.assertEqual(first.stdout.readline(), "two\n")
        second = self.start("28-queue", "/example/queue", "take")
        self.assertEqual(second.stdout.readline(), "three\n")
        first.kill()
        print(file=second.stdin, flush=True)
        self.assertEqual(second.stdout.readline(), "two\n")
        second.stdin.close()
        self.assertEqual(second.wait(LIMIT), 0)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
