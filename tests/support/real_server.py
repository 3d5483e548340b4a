"""What real servers under test have in common: a plain process with a folder and a port of its own, which
ends with the test that started it, whatever becomes of the test.

    class Redis(RealServer):
        def command(self): return ["redis-server", "--port", str(self.port)]
        def serves(self): return self.says(b"PING\\r\\n").startswith(b"+PONG")
"""

import ctypes
import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

LIMIT = 60.0
# Debian keeps some servers where an ordinary user's PATH does not look.
PATH = "/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin"


claims = []


def free_port():
    """Below the ports that the system gives away, so that nobody takes it before the server, and ours
    until this process ends: other tests, which claim theirs alike, do not take it while the server
    is away."""
    while True:
        port = random.SystemRandom().randrange(18000, 32000)
        claim = socket.socket(socket.AF_UNIX)
        with socket.socket() as s:
            try:
                claim.bind(f"\0weir-test-port-{port}")
                s.bind(("127.0.0.1", port))
            except OSError:
                claim.close()
                continue
        claims.append(claim)
        return port


def die_with_parent():
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


def spawn(command, log_path, **options):
    """A process whose output goes to the end of a log, and that ends with us."""
    with open(log_path, "ab") as log:
        return subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL,
                                preexec_fn=die_with_parent, **options)


def stand_still(process):
    """SIGSTOP to a child: it keeps its connections and does not answer. Returns when it stands."""
    process.send_signal(signal.SIGSTOP)
    os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)


class RealServer:
    """Subclasses say what the command is and when it serves; `prepare` comes before the first start."""

    def __init__(self, name):
        self.name = name
        self.folder = Path(tempfile.mkdtemp(prefix=f"weir-{name.lower()}-"))
        self.port = free_port()
        self.process = None
        try:
            self.prepare()
            self.start()
        except BaseException:
            self.close()
            raise

    def prepare(self):
        pass

    def start(self):
        """On the same folder and port as before. Returns when it serves."""
        self.process = spawn(self.command(), self.folder / "log", cwd=self.folder)
        end = time.monotonic() + LIMIT
        while not self.serves():
            if self.process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"{self.name} does not start: {self.log()[-2000:]}")
            time.sleep(0.01)

    def says(self, asked=b""):
        """What it answers first; empty when it does not."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=2) as s:
                if asked:
                    s.sendall(asked)
                return s.recv(100)
        except OSError:
            return b""

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
        stand_still(self.process)

    def cont(self):
        self.process.send_signal(signal.SIGCONT)

    def log(self):
        path = self.folder / "log"
        return path.read_text(errors="replace") if path.exists() else ""

    def close(self):
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
