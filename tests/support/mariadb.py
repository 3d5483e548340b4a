"""MariaDB for tests: Debian's.

    with MariaDB() as server:
        run(program, server.url("chat"))
        server.kill()
        server.start()
"""

import getpass
import shutil
import subprocess
import urllib.parse

from real_server import PATH, RealServer

USER = "weir"
PASSWORD = "p@ss/w%rd"


class MariaDB(RealServer):
    """`options` go to mariadbd."""

    def __init__(self, options=()):
        self.options = options
        super().__init__("MariaDB")

    @property
    def socket(self):
        return self.folder / "socket"

    def prepare(self):
        subprocess.run(["mariadb-install-db", "--no-defaults", "--force", f"--user={getpass.getuser()}",
                        f"--datadir={self.folder}/data", "--auth-root-authentication-method=normal",
                        "--skip-test-db"],
                       stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL, check=True)
        (self.folder / "init.sql").write_text(
            f"CREATE USER IF NOT EXISTS {USER}@'%' IDENTIFIED BY '{PASSWORD}';\n"
            f"GRANT ALL ON *.* TO {USER}@'%';\n", encoding="ascii")

    def command(self):
        return [shutil.which("mariadbd", path=PATH), "--no-defaults",
                f"--user={getpass.getuser()}", f"--datadir={self.folder}/data",
                f"--socket={self.socket}", f"--port={self.port}", "--bind-address=127.0.0.1",
                # Its own: one that starts removes what others have there.
                f"--tmpdir={self.folder}", "--skip-name-resolve",
                f"--init-file={self.folder}/init.sql", "--innodb-buffer-pool-size=32M",
                "--innodb-log-file-size=32M", *self.options]

    def serves(self):
        return bool(self.says())

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
