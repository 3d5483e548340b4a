"""10,000 idle connections held at once; then a call works on 50 of them and on a new one.

usage: many_connections.py WEIR_BENCH_SERVER"""

import random
import socket
import sys
import time

from peer import SECONDS, Client, Server, allow_descriptors, new_h2

CONNECTIONS = 10_000
CALLS = 50
# Enough addresses that their ports do not run out, whatever other connections have left behind.
SOURCES = [f"127.0.0.{n}" for n in range(2, 12)]
SETTINGS_ACK = bytes([0, 0, 0, 4, 1, 0, 0, 0, 0])



def connect(port, source, greeting):
    conn = socket.socket()
    conn.settimeout(SECONDS)
    conn.bind((source, 0))
    conn.connect(("127.0.0.1", port))
    conn.sendall(greeting)
    return conn


def read_greeting(conn):
    """@return what the server sent up to its acknowledgement of our settings"""
    received = b""
    while SETTINGS_ACK not in received:
        part = conn.recv(4096)
        assert part, "the server closed a connection during the handshake"
        received += part
    return received


class HeldClient(Client):
    """A client made of a connection that was opened without one: its own first bytes have been
    sent, and the server's are given to it now."""

    def __init__(self, conn, received):
        self.socket = conn
        self.h2 = new_h2()
        self.h2.data_to_send()
        self.h2.receive_data(received)


def is_open(conn):
    conn.setblocking(False)
    try:
        return conn.recv(1, socket.MSG_PEEK) != b""
    except BlockingIOError:
        return True


def hold(server):
    start = time.monotonic()
    greeting = new_h2().data_to_send()
    before = server.resident_bytes()
    conns = [connect(server.port, SOURCES[n % len(SOURCES)], greeting) for n in range(CONNECTIONS)]
    received = [read_greeting(conn) for conn in conns]
    kept = (server.resident_bytes() - before) / CONNECTIONS / 1024
    print(f"{CONNECTIONS} connections after {time.monotonic() - start:.1f} s, {kept:.1f} KiB each")

    for n in random.sample(range(CONNECTIONS), CALLS):
        HeldClient(conns[n], received[n]).call(b"held connection %d" % n)
    new = Client(server.port)
    new.call(b"new connection")
    closed = sum(not is_open(conn) for conn in conns)
    assert closed == 0, f"the server closed {closed} connections"
    print(f"calls worked on {CALLS} of them and on a new one")
    for conn in conns:
        conn.close()


def main():
    allow_descriptors(CONNECTIONS + 500)
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    random.seed(seed)
    with Server(sys.argv[1:]) as server:
        hold(server)


main()
