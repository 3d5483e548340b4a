"""HAProxy for tests: Debian's, in TCP mode.

    with HAProxy([node.port for node in nodes]) as balancer:
        run(program, balancer.address)

A connection goes to the server that has the fewest; a server that refuses connections is found by
checks and left alone until it is back.
"""

import shutil
import socket

from real_server import PATH, RealServer

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


class HAProxy(RealServer):
    """`ports`: of the servers, on 127.0.0.1."""

    def __init__(self, ports):
        self.ports = ports
        super().__init__("HAProxy")

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    def prepare(self):
        servers = "\n".join(f"    server node{i + 1} 127.0.0.1:{port} check"
                            for i, port in enumerate(self.ports))
        (self.folder / "haproxy.cfg").write_text(
            CONFIG.format(port=self.port, servers=servers), encoding="ascii")

    def command(self):
        return [shutil.which("haproxy", path=PATH), "-db", "-f", str(self.folder / "haproxy.cfg")]

    def serves(self):
        """It says nothing by itself: whether it accepts."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=2):
                return True
        except OSError:
            return False
