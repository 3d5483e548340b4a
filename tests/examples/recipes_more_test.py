#!/usr/bin/python3
"""The examples of a configuration, a barrier and a queue on ZooKeeper.

Usage: recipes_more_test.py FOLDER-OF-PROGRAMS
"""

import subprocess
import sys
import unittest
from pathlib import Path

from example import ENVIRONMENT, LIMIT, command, run

sys.path.insert(0, str(Path(__file__).parent.parent / "support"))
from zookeeper import ZooKeeper  # noqa: E402


class RecipesMore(unittest.TestCase):
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
