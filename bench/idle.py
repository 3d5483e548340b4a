"""Memory that a server keeps for a connection that does nothing."""

import socket

CONNECTIONS = 2000

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
SETTINGS = 4
ACK = 1
EMPTY_SETTINGS = bytes([0, 0, 0, SETTINGS, 0, 0, 0, 0, 0])
SETTINGS_ACK = bytes([0, 0, 0, SETTINGS, ACK, 0, 0, 0, 0])


def open_connection(port):
    """A connection on which both sides have sent and acknowledged their settings."""
    conn = socket.create_connection(("127.0.0.1", port), timeout=30)
    conn.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    conn.sendall(PREFACE + EMPTY_SETTINGS)
    received = b""
    acknowledged = False
    while not acknowledged:
        part = conn.recv(4096)
        if not part:
            raise RuntimeError("the server closed a connection")
        received += part
        while len(received) >= 9 and len(received) >= 9 + int.from_bytes(received[:3], "big"):
            acknowledged |= received[3] == SETTINGS and received[4] & ACK != 0
            received = received[9 + int.from_bytes(received[:3], "big") :]
    conn.sendall(SETTINGS_ACK)
    return conn


def bytes_per_connection(server):
    """What the resident memory of a fresh server grows by."""
    open_connection(server.port).close()
    before = server.resident_bytes()
    held = [open_connection(server.port) for _ in range(CONNECTIONS)]
    grown = server.resident_bytes() - before
    for conn in held:
        conn.close()
    return grown / CONNECTIONS
