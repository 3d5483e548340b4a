"""Clients that write and never read: the server stops reading from them, its memory stays within
its bound, others are served meanwhile, and nothing is left when they have gone.

usage: slow_reader.py WEIR_BENCH_SERVER"""

import sys
import time

import h2.events

from peer import SECONDS, STREAM, Client, Server, allow_descriptors, message

CONNECTIONS = 4
STREAMS = 8
TEXT = b"an answer that nobody will ever read"
MESSAGES = 100_000  # that each connection wants to send

# What the server may hold: each call's receive window and its unsent answers (the high-water mark),
# and three times as much again for what surrounds each of these small messages.
STREAM_WINDOW = 256 << 10
HIGH_WATER = 64 << 10
BOUND = 4 * CONNECTIONS * STREAMS * (STREAM_WINDOW + HIGH_WATER)


def wait_for_windows(client):
    """Until the server has said what it has to say about what it was sent. An answer to a PING may
    overtake what else is ready to be sent, but not the answer to an earlier one."""
    for _ in range(2):
        client.h2.ping(b"blocked?")
        client.flush()
        client.wait_for(h2.events.PingAckReceived)


def write_until_blocked(client, streams):
    """Sends a message to each stream in turn for as long as the server opens its windows.
    @return how many messages were sent"""
    framed = message(TEXT)
    sent = 0
    while sent < MESSAGES:
        open_streams = [s for s in streams if client.h2.local_flow_control_window(s) >= len(framed)]
        if not open_streams:
            wait_for_windows(client)
            if all(client.h2.local_flow_control_window(s) < len(framed) for s in streams):
                return sent
            continue
        for stream in open_streams:
            if client.h2.local_flow_control_window(stream) >= len(framed):
                client.h2.send_data(stream, framed)
                sent += 1
        client.flush()
    return sent


def wait_until_gone(server, before):
    deadline = time.monotonic() + SECONDS
    while server.descriptors() > before:
        assert time.monotonic() < deadline, "the server keeps connections that were closed"
        time.sleep(0.02)


def main():
    allow_descriptors(1024)
    with Server(sys.argv[1:]) as server:
        healthy = Client(server.port)
        healthy.call(b"before")
        before, files = server.resident_bytes(), server.descriptors()
        slow = [Client(server.port, stream_window=0) for _ in range(CONNECTIONS)]
        for client in slow:
            client.wait_for(h2.events.SettingsAcknowledged)
            sent = write_until_blocked(client, [client.open(STREAM) for _ in range(STREAMS)])
            assert sent < MESSAGES, f"the server took {sent} messages and could answer none"
            healthy.call(b"meanwhile")
        grown = server.resident_bytes() - before
        print(f"each connection was stopped, the last one after {sent} messages")
        print(f"memory grew by {grown / 1024:.0f} KiB, the bound is {BOUND / 1024:.0f} KiB")
        assert grown <= BOUND
        for client in slow:
            client.close()
        wait_until_gone(server, files)
        healthy.call(b"after")
        healthy.close()


main()
