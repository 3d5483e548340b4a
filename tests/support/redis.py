"""Redis for tests: Debian's, as a plain process with a folder, a port and a socket of its own.

    with Redis(password="secret") as redis:
        run(program, redis.url)
        redis.kill()
        redis.start()

It ends with the test that started it, whatever becomes of the test.
"""

import ctypes
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

LIMIT = 20.0


def installed():
    return shutil.which("redis-server") is not None


def free_port():
    """Below the ports that the system gives away, so that nobody takes it before the server."""
    while True:
        port = random.SystemRandom().randrange(18000, 32000)
        with socket.socket() as s:
            try:
                s.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue


def die_with_parent():
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


class Redis:
    def __init__(self, password=""):
        self.folder = Path(tempfile.mkdtemp(prefix="weir-redis-"))
        self.port = free_port()
        self.password = password
        self.process = None
        try:
            self.start()
        except BaseException:
            self.close()
            raise

    @property
    def url(self):
        return f"redis://{f':{self.password}@' if self.password else ''}127.0.0.1:{self.port}"

    @property
    def unix_url(self):
        """Only without a password."""
        return f"redis+unix://{self.folder}/socket"

    def start(self):
        """At the same place as before; returns when it serves."""
        with open(self.folder / "log", "ab") as log:
            self.process = subprocess.Popen(
                ["redis-server", "--bind", "127.0.0.1", "--port", str(self.port),
                 "--unixsocket", "socket", "--save", "", "--appendonly", "no",
                 "--requirepass", self.password],
                cwd=self.folder, stdout=log, stderr=log, stdin=subprocess.DEVNULL,
                preexec_fn=die_with_parent)
        end = time.monotonic() + LIMIT
        while not self.serves():
            if self.process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"Redis does not start: {self.log()[-2000:]}")
            time.sleep(0.01)

    def serves(self):
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=2) as s:
                s.sendall(b"PING\r\n")
                return s.recv(100).startswith((b"+PONG", b"-NOAUTH"))
        except OSError:
            return False

    def kill(self):
        """kill -9"""
        if self.process:
            self.process.kill()
            self.process.wait()
        self.process = None

    def restart(self):
        self.kill()
        self.start()

    def stop(self):
        """SIGSTOP: it keeps its connections and does not answer."""
        self.process.send_signal(signal.SIGSTOP)

    def cont(self):
        self.process.send_signal(signal.SIGCONT)

    def log(self):
        return (self.folder / "log").read_text(errors="replace")

    def close(self):
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
