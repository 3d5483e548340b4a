#!/usr/bin/python3
"""Nodes behind a balancer are restarted one after the other while everybody talks:

    rolling_test.py BIN [--seed N] [--users N] [--rate N] [--rounds N]

Each node is told to stop (SIGTERM), ends by itself, and comes back at the same port. No message may
be lost, refused or seen twice, and nobody waits long.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

from chat_nodes import LIMIT, Cluster, Users, is_quiet, verify, wait_until

SEED = 20261121
LONGEST_PAUSE_MS = 10_000  # of a user who is in conversations of fifty


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("bin", type=Path)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--users", type=int, default=60)
    parser.add_argument("--rate", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=2)
    return parser.parse_args()


def said_more(users, count):
    """Waits until everybody together has said so many more; all of them answered by then or not."""
    goal = users.ask()["said"] + count
    wait_until(lambda: users.ask()["said"] >= goal, "more messages")


def restart_each(cluster, users, rate):
    for node in cluster.nodes:
        said_more(users, rate)
        began = time.monotonic()
        status = node.end()
        assert status == 0, f"a node ended with {status}: {node.tail()}"
        drained_s = time.monotonic() - began
        node.start()
        wait_until(node.look_after, "a node that serves again")
        now = users.ask()
        print(f"  {node.name}: ended after {drained_s:.1f} s; {now['acknowledged']} acknowledged, "
              f"{now['retransmissions']} retransmissions, {now['reconnects']} reconnects", flush=True)


def run(options, folder):
    # More than can be said by the end: the users talk until they are told to stop.
    with Cluster(options.bin, folder) as cluster:
        users = Users(options.bin / "chat-users", cluster.balancer.address, folder / "transcript",
                      options.seed, options.users, 1_000_000, options.rate)
        wait_until(lambda: users.ask()["ready"], "conversations with all their members")
        users.ask("talk")
        for _ in range(options.rounds):
            restart_each(cluster, users, options.rate)
        said_more(users, options.rate)
        users.ask("silence")
        last = wait_until(lambda: is_quiet(cluster, users, options.users), "quiet", LIMIT)
        deliveries = verify(cluster, users)
        print(f"{options.rounds * len(cluster.nodes)} restarts: {last['said']} messages, "
              f"{last['acknowledged']} acknowledged, {last['failed']} refused, {deliveries} "
              f"deliveries checked; {last['reconnects']} reconnects, {last['retransmissions']} "
              f"retransmissions; longest pause of a user {last['pause_ms']} ms")
        assert last["failed"] == 0 and last["acknowledged"] == last["said"], last
        assert last["holes"] == 0 and last["refused_frames"] == 0, last
        assert last["pause_ms"] < LONGEST_PAUSE_MS, last
        users.kill()


def main():
    options = arguments()
    print(f"seed {options.seed}: {options.users} users, {options.rate} messages a second",
          flush=True)
    with tempfile.TemporaryDirectory(prefix="weir-rolling-") as folder:
        run(options, Path(folder))


if __name__ == "__main__":
    sys.exit(main())
