"""A minute of clients that open, send, half-close, reset and are killed at random, against every
server model and poller of weir-echo, with a fixed seed. Every byte that comes back is compared; at
the end the server has the descriptors that it began with and stops gracefully.

usage: random_models.py WEIR_ECHO RANDOM_CLIENTS [SEED [SECONDS]]"""

import os
import random
import signal
import socket
import subprocess
import sys
import time

from peer import SECONDS, Server

WAYS = [
    ["--model", "single"],
    ["--model", "pool"],
    ["--model", "multi"],
    ["--model", "multi", "--trigger", "level", "--handoff", "least"],
    ["--model", "multi", "--poller", "poll", "--handoff", "address"],
    ["--model", "reuseport", "--trigger", "level"],
    ["--model", "prefork"],
]


def workers(server):
    with open(f"/proc/{server.process.pid}/task/{server.process.pid}/children", encoding="ascii") as c:
        return [int(pid) for pid in c.read().split()]


def say(server, text=b"hello"):
    with socket.create_connection(("127.0.0.1", server.port), timeout=SECONDS) as sock:
        sock.sendall(text)
        back = b""
        while len(back) < len(text):
            back += sock.recv(len(text)) or b"?"
        assert back == text, back


def start_clients(binary, server, chance, seconds, kind):
    command = [binary, f"127.0.0.1:{server.port}", str(chance.randrange(1 << 30))]
    return subprocess.Popen(
        [*command, str(int(seconds * 1000)), kind], stdout=subprocess.PIPE, text=True
    )


def kill_some(server, binary, chance, until, prefork):
    """Clients that are killed in the middle of everything; of a prefork server, workers too."""
    kills = 0
    while time.monotonic() < until:
        victim = start_clients(binary, server, chance, 60, "lossy")
        try:
            victim.wait(chance.uniform(0.2, 0.8))
            raise SystemExit("clients ended before they were killed")
        except subprocess.TimeoutExpired:
            victim.kill()
        victim.wait()
        victim.stdout.close()
        kills += 1
        if prefork and workers(server):
            os.kill(chance.choice(workers(server)), signal.SIGKILL)
            kills += 1
    return kills


def wait_for_descriptors(server, before):
    deadline = time.monotonic() + SECONDS
    while server.descriptors() > before:
        assert time.monotonic() < deadline, f"{server.descriptors()} descriptors, {before} before"
        time.sleep(0.01)  # there is nothing to wait for: the server says nothing about it


def run(echo, binary, way, chance, seconds):
    prefork = "prefork" in way
    with Server([echo, "--listen", "127.0.0.1:0", "--threads", "2", *way]) as server:
        say(server)
        before = server.descriptors()
        until = time.monotonic() + seconds
        clients = start_clients(binary, server, chance, seconds, "lossy" if prefork else "strict")
        kills = kill_some(server, binary, chance, until, prefork)
        said, _ = clients.communicate(timeout=SECONDS)
        assert clients.returncode == 0, f"{way}: exit status {clients.returncode}"
        print(f"{' '.join(way):<55} {kills} kills; {said.strip()}", flush=True)
        wait_for_descriptors(server, before)
        say(server)


def main():
    echo, binary = sys.argv[1:3]
    seed = int(sys.argv[3]) if len(sys.argv) > 3 else 20261121
    seconds = float(sys.argv[4]) if len(sys.argv) > 4 else 60
    print(f"seed {seed}", flush=True)
    chance = random.Random(seed)
    for way in WAYS:
        run(echo, binary, way, chance, seconds / len(WAYS))


if __name__ == "__main__":
    main()
