"""HAProxy for tests: Debian's, in TCP mode, as a plain process with a folder and a port of its own.

    with HAProxy([node.port for node in nodes]) as balancer:
        run(program, balancer.address)

A connection goes to the server that has the fewest; a server that refuses connections is found by
checks and left alone until it is back. It ends with the test that started it.
"""

import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path

from zookeeper import die_with_parent, free_port

LIMIT = 20.0
PATH = "/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin"
CONFIG = """global
    maxconn 4000
defaults
    mode tcp
    option redispatch
    retries 3
    timeout connect 1s
    timeout client 1h
    timeout server 1h
    timeout check 500ms
frontend all
    bind 127.0.0.1:{port}
    default_backend nodes
backend nodes
    balance leastconn
    default-server inter 150ms fastinter 100ms downinter 100ms fall 2 rise 1
{servers}
"""


def installed():
    return shutil.which("haproxy", path=PATH) is not None


class HAProxy:
    """`ports`: of the servers, on 127.0.0.1."""

    def __init__(self, ports):
        self.folder = Path(tempfile.mkdtemp(prefix="weir-haproxy-"))
        self.port = free_port()
        self.process = None
        servers = "\n".join(f"    server node{i + 1} 127.0.0.1:{port} check"
                            for i, port in enumerate(ports))
        (self.folder / "haproxy.cfg").write_text(
            CONFIG.format(port=self.port, servers=servers), encoding="ascii")
        try:
            self.start()
        except BaseException:
            self.close()
            raise

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    def start(self):
        """At the same place as before; returns when it accepts."""
        with open(self.folder / "log", "ab") as log:
            self.process = subprocess.Popen(
                [shutil.which("haproxy", path=PATH), "-db", "-f",
                 str(self.folder / "haproxy.cfg")],
                stdout=log, stderr=log, stdin=subprocess.DEVNULL, preexec_fn=die_with_parent)
        end = time.monotonic() + LIMIT
        while not self._accepts():
            if self.process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"HAProxy does not start: {self.log()[-2000:]}")
            time.sleep(0.01)

    def _accepts(self):
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=2):
                return True
        except OSError:
            return False

    def kill(self):
        """kill -9"""
        if self.process:
            self.process.kill()
            self.process.wait()
        self.process = None

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
