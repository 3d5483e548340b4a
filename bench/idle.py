"""Memory that a server keeps for connections and calls that do nothing."""

import socket

import hpack

CONNECTIONS = 2000
STREAM_CONNECTIONS, STREAMS = 50, 100

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
SETTINGS = 4
HEADERS = 1
ACK = 1
END_HEADERS = 4
EMPTY_SETTINGS = bytes([0, 0, 0, SETTINGS, 0, 0, 0, 0, 0])
PING = bytes([0, 0, 8, 6, 0, 0, 0, 0, 0]) + b"anything"
PONG = bytes([0, 0, 8, 6, ACK, 0, 0, 0, 0]) + b"anything"
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


def wait_for_ping(conn):
    """What was sent before it has been read."""
    received = b""
    while PONG not in received:
        part = conn.recv(4096)
        if not part:
            raise RuntimeError("the server closed a connection")
        received += part


def bytes_per_connection(server):
    """What the resident memory of a fresh server grows by."""
    open_connection(server.port).close()
    before = server.resident_bytes()
    held = [open_connection(server.port) for _ in range(CONNECTIONS)]
    grown = server.resident_bytes() - before
    for conn in held:
        conn.close()
    return grown / CONNECTIONS


def requests():
    """Calls that have begun and go on, in one piece of bytes."""
    encoder = hpack.Encoder()
    fields = [(":method", "POST"), (":scheme", "http"), (":path", "/echo.Echo/StreamEcho"),
              (":authority", "localhost"), ("te", "trailers"), ("content-type", "application/grpc")]
    frames = b""
    for stream in range(1, 2 * STREAMS, 2):
        block = encoder.encode(fields)
        frames += len(block).to_bytes(3, "big") + bytes([HEADERS, END_HEADERS])
        frames += stream.to_bytes(4, "big") + block
    return frames


def bytes_per_stream(server):
    """The same for an open call, of STREAMS on each connection."""
    held = [open_connection(server.port) for _ in range(STREAM_CONNECTIONS)]
    before = server.resident_bytes()
    for conn in held:
        conn.sendall(requests() + PING)
    for conn in held:
        wait_for_ping(conn)
    grown = server.resident_bytes() - before
    for conn in held:
        conn.close()
    return grown / (STREAM_CONNECTIONS * STREAMS)
