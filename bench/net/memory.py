"""Connections that do nothing: what memory they take, and whether a new one is still served."""

import contextlib
import ctypes
import os
import socket
import statistics
import subprocess
import time

import peers
import servers
import tcp_load
from report import title

WARM_UP = 1000  # connections, so that what a server makes once is there
COUNT = 10_000
GOAL_BYTES = 512

HELD_BY_ONE = 18_000  # connections of a client process, within its descriptors
NEWCOMERS = 100
GOAL_NEWCOMER_MS = 10
CLONE_NEWNET = 0x40000000


def bytes_per_connection(build, server):
    with tcp_load.held(build, server, WARM_UP, "--http") as first:
        tcp_load.wait_until_held(server, first)
        before = server.resident_bytes()
        with tcp_load.held(build, server, COUNT, "--http") as more:
            tcp_load.wait_until_held(server, more)
            return (server.resident_bytes() - before) / COUNT


def bench_idle(build, folder):
    """@return a line for each goal that was missed"""
    title(f"memory for an idle connection after one HTTP request (resident, of {COUNT})")
    kept = {}
    for name, start in peers.starters(build, folder, http=True).items():
        with start() as server:
            kept[name] = bytes_per_connection(build, server)
        note = "  (not counted: what it sets aside at its start)" if name == peers.NGINX else ""
        print(f"{name:<14}{kept[name]:>8.0f} bytes{note}", flush=True)
    if kept[peers.WEIR] > GOAL_BYTES:
        return [f"an idle connection: {kept[peers.WEIR]:.0f} bytes, more than {GOAL_BYTES}"]
    return []


def enter_private_network():
    """This process and its children get a loopback of their own, ready for many connections."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "a network namespace needs more rights")
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    settings = {"core/somaxconn": "65535", "ipv4/tcp_max_syn_backlog": "65535",
                "ipv4/ip_local_port_range": "1024 65535"}
    for name, value in settings.items():
        with open(f"/proc/sys/net/{name}", "w", encoding="ascii") as file:
            file.write(value)


def newcomer_ms(server):
    """From connect() to the whole echo."""
    message = os.urandom(64)
    start = time.monotonic()
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as conn:
        conn.sendall(message)
        if conn.recv(len(message), socket.MSG_WAITALL) != message:
            raise RuntimeError(f"{server.name} answered with other bytes")
    return (time.monotonic() - start) * 1000


def hold_many(stack, build, server, count):
    """Clients with an address each; they connect at the same time."""
    clients = -(-count // HELD_BY_ONE)
    loads = []
    for number in range(clients):
        share = count // clients + (number < count % clients)
        source = f"127.0.0.{number + 2}"
        held = tcp_load.held(build, server, share, "--source", source)
        loads.append(stack.enter_context(held))
    for load in loads:
        tcp_load.wait_until_held(server, load)


def bench_many(build, count, model, threads):
    """@return a line for each goal that was missed"""
    title(f"{count} idle connections: weir-echo --model {model} --threads {threads}")
    enter_private_network()
    server = peers.weir(build, "--model", model, "--threads", str(threads), cpus=servers.CPUS)
    with contextlib.ExitStack() as stack:
        stack.enter_context(server)
        with tcp_load.held(build, server, WARM_UP) as first:
            tcp_load.wait_until_held(server, first)
            before = server.resident_bytes()
            start = time.monotonic()
            hold_many(stack, build, server, count)
            took_s = time.monotonic() - start
            kept = (server.resident_bytes() - before) / count
            waits_ms = sorted(newcomer_ms(server) for _ in range(NEWCOMERS))
    middle_ms = statistics.median(waits_ms)
    print(f"opened in {took_s:.1f} s; {kept:.0f} bytes for each in the server's processes")
    print(f"a new connection has its echo in {middle_ms:.2f} ms (slowest {waits_ms[-1]:.2f})")
    if middle_ms > GOAL_NEWCOMER_MS:
        return [f"a new connection: {middle_ms:.2f} ms, more than {GOAL_NEWCOMER_MS}"]
    return []
