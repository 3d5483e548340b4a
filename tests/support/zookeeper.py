"""ZooKeeper for tests: Debian's, as plain processes with folders and ports of their own.

    with ZooKeeper(members=3) as zk:
        run(program, f"zk://{zk.hosts}/path")
        zk.kill(zk.leader())

A member ends with the test that started it, whatever becomes of the test.
"""

import shutil
import signal
import socket
import tempfile
import time
from pathlib import Path

from real_server import LIMIT, free_port, spawn, stand_still

JARS = ("zookeeper", "slf4j-log4j12", "log4j-1.2")
LOG4J = """log4j.rootLogger=WARN, OUT
log4j.appender.OUT=org.apache.log4j.ConsoleAppender
log4j.appender.OUT.layout=org.apache.log4j.PatternLayout
log4j.appender.OUT.layout.ConversionPattern=%d %p %c: %m%n
"""


class Member:
    def __init__(self, folder, config, port):
        self.folder = folder
        self.port = port
        self.process = None
        (folder / "data").mkdir(parents=True)
        (folder / "log4j.properties").write_text(LOG4J, encoding="ascii")
        (folder / "zoo.cfg").write_text(config, encoding="ascii")

    def start(self):
        classes = ":".join([str(self.folder), *(f"/usr/share/java/{jar}.jar" for jar in JARS)])
        self.process = spawn(
            ["java", "-Xmx128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", classes,
             "org.apache.zookeeper.server.quorum.QuorumPeerMain", str(self.folder / "zoo.cfg")],
            self.folder / "log")

    def ask(self, word):
        """One of the four-letter words; "" when it does not answer."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=2) as s:
                s.sendall(word.encode())
                parts = []
                while part := s.recv(65536):
                    parts.append(part)
                return b"".join(parts).decode()
        except OSError:
            return ""

    def mode(self):
        """"leader", "follower", "standalone", or "" """
        for line in self.ask("srvr").splitlines():
            if line.startswith("Mode: "):
                return line[6:]
        return ""

    def kill(self):
        if self.process:
            self.process.kill()
            self.process.wait()
        self.process = None


class ZooKeeper:
    """`tick_ms`: a session lasts 2 to 200 of them."""

    def __init__(self, members=1, tick_ms=200):
        self.folder = Path(tempfile.mkdtemp(prefix="weir-zk-"))
        self.members = []
        try:
            self._begin(members, tick_ms)
        except BaseException:
            self.close()
            raise

    def _begin(self, members, tick_ms):
        for _ in range(3):
            self.members = self._configure(members, tick_ms)
            for member in self.members:
                member.start()
            if self.wait_ready(must=False):
                return
            for member in self.members:
                member.kill()
        raise RuntimeError(f"ZooKeeper does not start: {self.log()[-2000:]}")

    def _configure(self, count, tick_ms):
        ports = [free_port() for _ in range(count * 3)]
        attempt = Path(tempfile.mkdtemp(dir=self.folder))
        ensemble = "".join(f"server.{i + 1}=127.0.0.1:{ports[count + i]}:{ports[2 * count + i]}\n"
                           for i in range(count)) if count > 1 else ""
        members = []
        for i in range(count):
            folder = attempt / str(i + 1)
            members.append(Member(folder, f"tickTime={tick_ms}\ninitLimit=50\nsyncLimit=20\n"
                                  f"dataDir={folder}/data\nclientPortAddress=127.0.0.1\n"
                                  f"clientPort={ports[i]}\nadmin.enableServer=false\n"
                                  "4lw.commands.whitelist=*\nmaxClientCnxns=0\n"
                                  f"maxSessionTimeout=60000\n{ensemble}", ports[i]))
            (folder / "data" / "myid").write_text(str(i + 1), encoding="ascii")
        return members

    @property
    def hosts(self):
        return ",".join(f"127.0.0.1:{member.port}" for member in self.members)

    def wait_ready(self, must=True):
        """Until every member that runs serves."""
        end = time.monotonic() + LIMIT
        while not all(m.mode() for m in self.members if m.process):
            broken = any(m.process and m.process.poll() is not None for m in self.members)
            if broken or time.monotonic() > end:
                if must:
                    raise RuntimeError(f"ZooKeeper does not serve: {self.log()[-2000:]}")
                return False
            time.sleep(0.05)
        return True

    def leader(self):
        """The index of the one that leads, or stands alone."""
        end = time.monotonic() + LIMIT
        while time.monotonic() < end:
            for i, member in enumerate(self.members):
                if member.process and member.mode() in ("leader", "standalone"):
                    return i
            time.sleep(0.05)
        raise RuntimeError("ZooKeeper has no leader")

    def kill(self, index):
        self.members[index].kill()

    def restart(self, index, wait=True):
        self.members[index].kill()
        self.members[index].start()
        if wait:
            self.wait_ready()

    def stop(self, index):
        stand_still(self.members[index].process)

    def cont(self, index):
        self.members[index].process.send_signal(signal.SIGCONT)

    def kill_all(self):
        for member in self.members:
            member.kill()

    def start_all(self):
        for member in self.members:
            if not member.process:
                member.start()
        self.wait_ready()

    def log(self):
        return "".join(path.read_text(errors="replace") for path in self.folder.rglob("log"))

    def close(self):
        self.kill_all()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
