#!/usr/bin/python3
"""Hundreds of users behind a balancer, while everything that serves them is killed:

    chaos_test.py BIN [--seed N] [--users N] [--messages N] [--rate N] [--break KIND] [--keep FILE]

Three nodes of weir-chatd on MariaDB and Redis, HAProxy in front of them. By a schedule that the
seed decides, nodes, Redis and MariaDB are killed (-9) and started again, or stopped for a while
(SIGSTOP), and users lose their clients and come back. In the end everything runs again, and
every member of every conversation must have seen exactly what is stored: each message that its
sender was told is stored, once, in one order that is the same for all and each sender's own.
--break alters what one user saw: then the test must fail. --keep leaves the transcript there.
"""

import argparse
import collections
import random
import sys
import tempfile
import time
from pathlib import Path

from chat_nodes import LIMIT, NODES, Cluster, Users, all_serve, is_quiet, verify, wait_until
from transcripts import DAMAGES

SEED = 20261121
DROP_MS = 100  # between two users who lose their client
FAULTS = (("node", "kill"), ("node", "kill"), ("node", "stop"), ("redis", "kill"),
          ("redis", "stop"), ("mariadb", "kill"), ("mariadb", "stop"))


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("bin", type=Path)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--users", type=int, default=300)
    parser.add_argument("--messages", type=int, default=50_000)
    parser.add_argument("--rate", type=int, default=700)
    parser.add_argument("--break", dest="damage", choices=DAMAGES)
    parser.add_argument("--keep", type=Path)
    return parser.parse_args()


class Schedule:
    """What is broken when, and until when."""

    def __init__(self, cluster, seed):
        self.cluster = cluster
        self.random = random.Random(seed)
        self.bag = []
        self.down = {}  # server: (when it comes back, how)
        self.next = time.monotonic() + 1
        self.counts = collections.Counter()
        self.last = time.monotonic()

    def step(self):
        now = time.monotonic()
        for server, (when, _) in list(self.down.items()):
            if now >= when:
                self.end(server)
        if now >= self.next:
            self.begin()
            self.next = time.monotonic() + self.random.uniform(0.7, 2.5)

    def target(self, kind):
        if kind != "node":
            return getattr(self.cluster, kind)
        return self.random.choice(self.cluster.nodes)

    def begin(self):
        if not self.bag:
            self.bag = self.random.sample(FAULTS, len(FAULTS))
        kind, how = self.bag.pop()
        server, away = self.target(kind), self.random.uniform(0.2, 3.5)
        starting = kind == "node" and not server.is_listening
        if server in self.down or starting or len(self.down) == NODES + 1:
            return
        if how == "stop":
            server.stop()
        elif kind == "mariadb":
            self.cluster.kill_mariadb()
        else:
            server.kill()
        self.down[server] = (time.monotonic() + away, how)
        self.counts[f"{kind} {how}"] += 1

    def end(self, server):
        if self.down.pop(server)[1] == "stop":
            server.cont()
        else:
            server.start()
        self.last = time.monotonic()

    def end_all(self):
        for server in list(self.down):
            self.end(server)


def run_chaos(users, schedule, messages):
    users.ask("talk")
    shown = time.monotonic()
    while (now := users.ask())["said"] < messages or sum(schedule.counts.values()) < len(FAULTS):
        schedule.step()
        all_serve(schedule.cluster.nodes)
        if time.monotonic() > shown + 10:
            shown = time.monotonic()
            print(f"  {now['said']} said, {now['acknowledged']} acknowledged, {now['live']} live, "
                  f"{sum(schedule.counts.values())} faults", flush=True)
        time.sleep(0.02)  # the schedule's own resolution
    schedule.end_all()
    users.ask("calm")


def summary(schedule, last, deliveries, quiet_s, seconds, commits):
    print("faults: " + ", ".join(f"{n} x {kind}" for kind, n in sorted(schedule.counts.items())))
    print(f"users: {last['drops']} lost their client, {last['reconnects']} reconnects, "
          f"{last['retransmissions']} retransmissions, {last['duplicates']} duplicates removed "
          f"({last['echoes']} echoes), {last['gaps_pulled']} gaps pulled, {last['logins']} log-ins")
    print(f"messages: {last['said']} said in {seconds:.0f} s, {last['acknowledged']} acknowledged, "
          f"{last['abandoned']} given up by their senders, {last['failed']} refused")
    print(f"{deliveries} deliveries checked; quiet {quiet_s:.1f} s after the last fault; "
          f"{commits} commits", flush=True)


def run(options, folder):
    transcript = options.keep or folder / "transcript"
    with Cluster(options.bin, folder) as cluster:
        users = Users(options.bin / "chat-users", cluster.balancer.address, transcript,
                      options.seed, options.users, options.messages, options.rate, DROP_MS)
        wait_until(lambda: users.ask()["ready"], "conversations with all their members")
        began = time.monotonic()
        schedule = Schedule(cluster, options.seed)
        run_chaos(users, schedule, options.messages)
        seconds = time.monotonic() - began
        try:
            last = wait_until(lambda: is_quiet(cluster, users, options.users), "quiet", LIMIT * 2)
        except AssertionError:
            print(users.ask(), cluster.count_stored())
            raise
        quiet_s = time.monotonic() - schedule.last
        deliveries = verify(cluster, users, options.damage)
        summary(schedule, last, deliveries, quiet_s, seconds, cluster.commits())
        assert last["holes"] == 0 and last["refused_frames"] == 0, last
        users.kill()


def main():
    options = arguments()
    print(f"seed {options.seed}: {options.users} users, {options.messages} messages", flush=True)
    with tempfile.TemporaryDirectory(prefix="weir-chaos-") as folder:
        run(options, Path(folder))


if __name__ == "__main__":
    sys.exit(main())
