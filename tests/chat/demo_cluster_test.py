#!/usr/bin/python3
"""scripts/demo-cluster as one who tries it: demo_cluster_test.py BUILD_FOLDER"""

import os
import pty
import re
import select
import shutil
import signal
import subprocess
import sys
import time
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "scripts/demo-cluster"
LIMIT = 120  # seconds for everything to start, on a busy machine
LAST_LINE = "Ctrl-C stops everything."


def alive(pid):
    """Whether there is such a process, and it is not one that has ended already."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rsplit(")", 1)[1][1] != "Z"
    except OSError:
        return False


def started_by_it():
    """Everything that has a folder of the demo's as its own."""
    found = []
    for link in Path("/proc").glob("[0-9]*/cwd"):
        try:
            if Path(os.readlink(link)).is_relative_to(ROOT / "var/cluster"):
                found.append(int(link.parent.name))
        except OSError:
            continue
    return [pid for pid in found if alive(pid)]


class DemoTest(unittest.TestCase):
    def tearDown(self):
        self.assertEqual(started_by_it(), [])
        shutil.rmtree(ROOT / "var/cluster", ignore_errors=True)

    def start(self, *args):
        demo = subprocess.Popen([SCRIPT, BUILD, "--port", "0", *args], stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.addCleanup(demo.stdout.close)
        self.addCleanup(demo.wait)
        self.addCleanup(demo.terminate)
        return demo

    def read_until(self, demo, pattern):
        """Lines until one matches."""
        said = []
        for line in demo.stdout:
            said.append(line)
            if re.search(pattern, line):
                return "".join(said)
        self.fail(f"{pattern!r} never came: {''.join(said)}")

    def test_runs_for_some_seconds_and_leaves_nothing(self):
        demo = self.start("--for", "1s")
        said, _ = demo.communicate(timeout=LIMIT)
        self.assertEqual(demo.returncode, 0, said)
        for pattern in (r"three nodes behind 127\.0\.0\.1:\d+", "bob sees: .*<ann> hello bob",
                        "ann sees: .*<bob> hello ann", r"the registry says of weir\.chat\.v1",
                        r'(?m)(^  \{"address":"127\.0\.0\.1:\d+".*\n){3}', LAST_LINE):
            self.assertRegex(said, pattern)

    def test_a_killed_node_comes_back_and_a_signal_ends_it(self):
        demo = self.start()
        said = self.read_until(demo, LAST_LINE)
        victim = int(re.search(r"kill -9 (\d+) +# node2", said)[1])
        os.kill(victim, signal.SIGKILL)
        self.assertRegex(self.read_until(demo, "node2 is back"), "node2 has ended")
        demo.send_signal(signal.SIGINT)
        self.assertEqual(demo.wait(timeout=LIMIT), 0)

    def test_ctrl_c_in_a_terminal_is_an_ordinary_end_for_who_called(self):
        pid, terminal = pty.fork()
        if pid == 0:
            # As make calls it: in its own process group.
            os.execl("/bin/sh", "sh", "-c", f"'{SCRIPT}' '{BUILD}' --port 0; echo status $?")
        said, until = b"", time.monotonic() + LIMIT
        interrupted = False
        while b"status " not in said.rsplit(b"\n", 2)[-2:][0]:
            self.assertLess(time.monotonic(), until, said)
            if select.select([terminal], [], [], 1)[0]:
                try:
                    said += os.read(terminal, 65536)
                except OSError:
                    break
            if not interrupted and LAST_LINE.encode() in said:
                os.write(terminal, b"\x03")
                interrupted = True
        os.waitpid(pid, 0)
        os.close(terminal)
        self.assertIn(b"status 0", said)


if __name__ == "__main__":
    BUILD = sys.argv[1]
    unittest.main(argv=sys.argv[:1], verbosity=2)
