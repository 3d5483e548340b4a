"""MariaDB for tests: Debian's, as a plain process with a folder and a port of its own.

    with MariaDB() as server:
        run(program, server.url("chat"))
        server.kill()
        server.start()

It ends with the test that started it, whatever becomes of the test.
"""

import getpass
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.parse
from pathlib import Path

from zookeeper import die_with_parent, free_port

LIMIT = 40.0
USER = "weir"
PASSWORD = "p@ss/w%rd"
PATH = "/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin"


class MariaDB:
    """`options` go to mariadbd."""

    def __init__(self, options=()):
        self.folder = Path(tempfile.mkdtemp(prefix="weir-mariadb-"))
        self.data = self.folder / "data"
        self.socket = self.folder / "socket"
        self.options = options
        self.port = free_port()
        self.process = None
        try:
            self._install()
            self.start()
        except BaseException:
            self.close()
            raise

    def _install(self):
        subprocess.run(["mariadb-install-db", "--no-defaults", f"--user={getpass.getuser()}",
                        f"--datadir={self.data}", "--auth-root-authentication-method=normal",
                        "--skip-test-db"],
                       stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL, check=True)
        (self.folder / "init.sql").write_text(
            f"CREATE USER IF NOT EXISTS {USER}@'%' IDENTIFIED BY '{PASSWORD}';\n"
            f"GRANT ALL ON *.* TO {USER}@'%';\n", encoding="ascii")

    def start(self):
        """On the same folder and port as before. Returns when it serves."""
        with open(self.folder / "log", "ab") as log:
            self.process = subprocess.Popen(
                [shutil.which("mariadbd", path=PATH), "--no-defaults",
                 f"--user={getpass.getuser()}", f"--datadir={self.data}",
                 f"--socket={self.socket}", f"--port={self.port}", "--bind-address=127.0.0.1",
                 # Its own: one that starts removes what others have there.
                 f"--tmpdir={self.folder}", "--skip-name-resolve", f"--init-file={self.folder}/init.sql",
                 "--innodb-buffer-pool-size=32M", "--innodb-log-file-size=32M", *self.options],
                stdout=log, stderr=log, stdin=subprocess.DEVNULL, preexec_fn=die_with_parent)
        end = time.monotonic() + LIMIT
        while not self._greets():
            if self.process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"MariaDB does not start: {self.log()[-2000:]}")
            time.sleep(0.02)

    def _greets(self):
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=2) as s:
                return bool(s.recv(1))
        except OSError:
            return False

    def url(self, database):
        """A database is made when a program opens it."""
        password = urllib.parse.quote(PASSWORD, safe="")
        return f"mariadb://{USER}:{password}@127.0.0.1:{self.port}/{database}"

    def socket_url(self, database):
        password = urllib.parse.quote(PASSWORD, safe="")
        return f"mariadb://{USER}:{password}@/{database}?socket={self.socket}"

    def query(self, sql, database="mysql"):
        """The rows, as lists of text."""
        said = subprocess.run(
            ["mariadb", "--no-defaults", "--batch", "--skip-column-names", "--quick",
             f"--socket={self.socket}", f"--user={USER}", database, "-e", sql],
            env={"MYSQL_PWD": PASSWORD, "PATH": PATH}, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, check=True).stdout
        return [line.split("\t") for line in said.splitlines()]

    def kill(self):
        if self.process:
            self.process.kill()
            self.process.wait()
        self.process = None

    def stop(self):
        """SIGSTOP: it keeps its connections and does not answer."""
        self.process.send_signal(signal.SIGSTOP)

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
