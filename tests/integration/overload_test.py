#!/usr/bin/python3
"""What an overloaded server still does: overload_test.py OVERLOAD-LOAD

The server's capacity does not depend on the machine (see overload_load.c), and figures are compared
with others of the same run. Where a busy machine took time away, the measurement is made again.
"""

import re
import subprocess
import sys
import unittest

LIMIT = 60
SECONDS = 3
WORK_MS = 40  # of a call: few calls per second, which sanitizers can keep up with
TRIES = 4
KEPT = 0.9  # of the peak, at twice the capacity
LOST = 0.01  # of the calls of a client that asks for half of its share


def measure(protection, load, greedy=0):
    """@return for each client its figures by name, in calls per second"""
    said = subprocess.run([LOAD, protection, str(load), str(SECONDS), str(greedy),
                           str(WORK_MS)], check=True,
                          capture_output=True, text=True, timeout=LIMIT).stdout
    print(f"{protection}, {load} and {greedy} times the capacity:", said, sep="\n", flush=True)
    return {name: {what: float(number) for number, what in re.findall(r"([\d.]+) (\w+)/s", figures)}
            for name, figures in re.findall(r"(\w+): (.*sent.*)", said)}


def good(protection, load):
    return measure(protection, load)["modest"]["good"]


class Overload(unittest.TestCase):
    def try_often(self, once):
        """@param once  returns None when all is well, else what is wrong"""
        for _ in range(TRIES):
            wrong = once()
            if not wrong:
                return
        self.fail(wrong)

    def test_at_twice_its_capacity_a_server_keeps_its_goodput(self):
        peak = max(good("none", 0.9), good("fixed", 1))
        self.assertGreater(peak, 0)
        for protection in ("fixed", "adaptive"):
            def once(protection=protection):
                kept = good(protection, 2) / peak
                return f"{protection}: {kept:.2f} of the peak" if kept < KEPT else None
            self.try_often(once)

        def unprotected():
            kept = good("none", 2) / peak
            return f"unprotected: {kept:.2f} of the peak" if kept >= 0.5 else None
        self.try_often(unprotected)

    def test_a_greedy_client_takes_nothing_from_a_modest_one(self):
        for protection in ("fixed", "adaptive"):
            def once(protection=protection):
                modest = measure(protection, 0.25, 10)["modest"]
                lost = 1 - modest["good"] / modest["sent"]
                return f"{protection}: {lost:.2%} lost" if lost >= LOST else None
            self.try_often(once)


if __name__ == "__main__":
    LOAD = sys.argv.pop(1)
    unittest.main()
