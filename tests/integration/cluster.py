"""What the tests of clusters share: servers and load, by the program that the first argument names."""

import ctypes
import json
import signal
import subprocess
import sys
import time

NODE = sys.argv[1]
LIMIT_S = 60


def die_with_parent():
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


def start(*args, **more):
    return subprocess.Popen([NODE, *args], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                            text=True, preexec_fn=die_with_parent, **more)


class Server:
    def __init__(self, registry, number):
        self.args = ("serve", registry, str(number))
        self.number = number
        self.begin()

    def begin(self):
        self.process = start(*self.args)
        self.address = self.process.stdout.readline().split()[-1]

    def kill(self):
        self.process.kill()
        self.process.wait()


class Load:
    def __init__(self, target, clients):
        self.process = start("load", target, str(clients))

    def report(self):
        self.process.stdin.write("report\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def stop(self):
        self.process.stdin.write("stop\n")
        self.process.stdin.flush()
        last = json.loads(self.process.stdout.readline())
        assert self.process.wait(timeout=LIMIT_S) == 0
        return last

    def no_failures(self, when):
        now = self.report()
        assert now["failed"] == 0, f"{when}: {now['failed']} calls failed: {now['why']}"
        return now

    def goes_on(self, count, when):
        """So many more calls are answered, and none fails. Returns the last report."""
        first = self.report()["answered"]
        until = time.monotonic() + LIMIT_S
        while (now := self.no_failures(when))["answered"] < first + count:
            assert time.monotonic() < until, f"{when}: calls do not go on"
            time.sleep(0.05)  # the rate of asking, not what is waited for
        return now
