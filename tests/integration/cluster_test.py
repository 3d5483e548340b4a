#!/usr/bin/python3
"""Servers and clients that find each other through ZooKeeper, while one after the other dies.

cluster_test.py CLUSTER-NODE: three servers, 20 clients with 80 calls at once and retries, three
members of ZooKeeper. No call may fail, whatever is killed.
"""

import queue
import subprocess
import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

from cluster import LIMIT_S, NODE, Load, Server, start  # noqa: E402
from zookeeper import ZooKeeper  # noqa: E402  pylint: disable=wrong-import-position

SERVICE = "greeter.Greeter"
CALLS = 100_000
AWAY_S = 30


class Watch:
    """What a resolver says of the service, line by line."""

    def __init__(self, target):
        self.process = start("list", target)
        self.lines = queue.Queue()
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        for line in self.process.stdout:
            self.lines.put(line.strip())

    def until(self, what, why):
        """The first line for which what() holds. Returns the seconds that it took."""
        began = time.monotonic()
        while True:
            line = self.lines.get(timeout=LIMIT_S)
            if not line.startswith("failed") and what(line.split()[1:]):
                return time.monotonic() - began
            assert time.monotonic() - began < LIMIT_S, why


def share_of(load, number, calls):
    before = load.report()
    after = load.goes_on(calls, f"while server {number} should have its share")
    gained = [b - a for a, b in zip(before["by"], after["by"])]
    return gained[number] / sum(gained)


def a_server_dies_and_comes_back(servers, load, watch):
    victim = servers[1]
    victim.kill()
    gone = victim.address
    load.goes_on(2000, "after a server was killed")
    took = watch.until(lambda found: gone not in found, "a killed server stays in the list")
    print(f"killed server: gone from the list after {took:.1f} s (session of 2 s)")
    victim.begin()
    began = time.monotonic()
    while share_of(load, 1, 300) < 0.2:
        assert time.monotonic() - began < LIMIT_S, "a server that came back gets no calls"
    print(f"it came back: a fifth of the calls at least after {time.monotonic() - began:.1f} s")
    watch.until(lambda found: victim.address in found, "it is not in the list again")


def the_leader_dies(zk, load):
    leader = zk.leader()
    zk.kill(leader)
    load.goes_on(5000, "after ZooKeeper's leader was killed")
    zk.restart(leader)
    print("ZooKeeper's leader was killed: no call failed")


def all_of_zookeeper_is_away(zk, servers, load, target):
    zk.kill_all()
    until = time.monotonic() + AWAY_S
    asked = subprocess.run([NODE, "ask", target], stdout=subprocess.PIPE, text=True, check=True,
                           timeout=LIMIT_S).stdout.strip()
    print(f"a client that starts meanwhile is told: {asked}")
    assert asked.startswith("UNAVAILABLE") and "cannot be resolved" in asked, asked
    while time.monotonic() < until:
        load.goes_on(500, "while all of ZooKeeper was away")
    zk.start_all()
    for moment in ("when ZooKeeper is back", "after a while"):
        # Somebody who knows no list from before.
        Watch(target).until(lambda found: sorted(found) == sorted(s.address for s in servers),
                            f"not all servers are registered {moment}")
        load.goes_on(2000, "after ZooKeeper came back")
    print(f"all of ZooKeeper was away for {AWAY_S} s: no call failed, all are registered again")


def main():
    with ZooKeeper(members=3) as zk:
        registry = f"zk://{zk.hosts}/weir/services"
        target = f"{registry}/{SERVICE}"
        servers = [Server(registry, n) for n in range(3)]
        watch = Watch(target)
        watch.until(lambda found: len(found) == 3, "not all servers are registered")
        load = Load(target, 20)
        load.goes_on(1000, "at first")
        a_server_dies_and_comes_back(servers, load, watch)
        the_leader_dies(zk, load)
        all_of_zookeeper_is_away(zk, servers, load, target)
        now = load.report()
        if now["answered"] < CALLS:
            load.goes_on(CALLS - now["answered"], "to the end")
        last = load.stop()
        assert last["failed"] == 0, last
        print(f"{last['answered']} calls, none failed; by server: {last['by'][:3]}")
        for server in servers:
            server.process.terminate()
            assert server.process.wait(timeout=LIMIT_S) == 0
        watch.until(lambda found: not found, "servers that have stopped are still registered")


main()
