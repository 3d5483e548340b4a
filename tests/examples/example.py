"""What the tests of the examples share: a running example, and sockets that wait with a limit."""

import contextlib
import os
import re
import select
import signal
import socket
import subprocess
import sys
from pathlib import Path

BIN = Path(sys.argv[1]) if len(sys.argv) > 1 else Path("build/bin")
LIMIT = 60
GROWTH_KIB = 16 << 10
ENDLESS = 256 << 20
# AddressSanitizer keeps 256 MiB of freed memory unless told otherwise.
ENVIRONMENT = {**os.environ, "ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") +
               ":quarantine_size_mb=1:thread_local_quarantine_size_kb=64"}


def command(name, *arguments):
    return [str(BIN / f"example-{name}"), *arguments]


def run(name, *arguments):
    return subprocess.run(command(name, *arguments), capture_output=True, text=True, timeout=LIMIT)


class Server:
    """An example that serves on a port of its own choice; with-blocks end it and check its end."""

    def __init__(self, name, *arguments):
        self.process = subprocess.Popen(command(name, "127.0.0.1:0", *arguments),
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                        env=ENVIRONMENT)
        line = self.process.stdout.readline().strip()
        if not line.startswith("listening on "):
            raise AssertionError(line or self.stop())
        self.address = line.removeprefix("listening on ")

    def connect(self, receive_bytes=None):
        """A small `receive_bytes` makes a peer that reads slowly felt early."""
        sock = socket.socket()
        if receive_bytes:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.settimeout(LIMIT)
        host, port = self.address.rsplit(":", 1)
        sock.connect((host, int(port)))
        return sock

    def of_proc(self, name):
        return Path(f"/proc/{self.process.pid}/{name}").read_text(encoding="utf-8")

    def resident_kib(self):
        return int(re.search(r"^VmRSS:\s*(\d+) kB$", self.of_proc("status"), re.M)[1])

    @contextlib.contextmanager
    def memory_stays(self):
        """Whatever a peer does in this block makes the server grow by a few buffers only."""
        before = self.resident_kib()
        yield
        limit = GROWTH_KIB * (4 if re.search("lib[at]san", self.of_proc("maps")) else 1)
        grown = self.resident_kib() - before
        assert grown < limit, f"grew by {grown} KiB, more than {limit}"

    def stop(self):
        """@return the exit status, and what was said on stderr"""
        self.process.send_signal(signal.SIGTERM)
        try:
            _, said = self.process.communicate(timeout=LIMIT)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise
        return self.process.returncode, said

    def __enter__(self):
        return self

    def __exit__(self, *error):
        status, said = self.stop()
        assert status == 0, (status, said)


def read_exactly(sock, length):
    data = bytearray()
    while len(data) < length:
        piece = sock.recv(min(length - len(data), 1 << 20))
        assert piece, f"ended after {len(data)} bytes: {bytes(data[-100:])!r}"
        data += piece
    return bytes(data)


def read_line(sock):
    line = b""
    while not line.endswith(b"\n"):
        line += read_exactly(sock, 1)
    return line


def read_all(sock):
    data = bytearray()
    while piece := sock.recv(1 << 20):
        data += piece
    return bytes(data)


def is_ended(sock):
    """Waits for the connection's end; bytes before it do not count."""
    try:
        while sock.recv(1 << 20):
            pass
    except ConnectionError:
        pass
    return True


def is_silent(sock, seconds):
    """Nothing can be read for so long."""
    return not select.select([sock], [], [], seconds)[0]


def fill(sock, data):
    """Sends `data` again and again until nothing has been taken for a second. @return bytes"""
    sent = 0
    sock.settimeout(1)
    try:
        while sent < ENDLESS:
            sent += sock.send(data)
    except TimeoutError:
        sock.settimeout(LIMIT)
        return sent
    raise AssertionError(f"{sent} bytes were taken from one who does not read")
