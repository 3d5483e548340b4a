#!/usr/bin/python3
"""Runs a command beside a MariaDB of its own: with_mariadb.py COMMAND...

The command finds a database's URL in WEIR_MARIADB_URL, the same by a Unix socket in
WEIR_MARIADB_SOCKET_URL, and in WEIR_MARIADB_CONTROL the path of a Unix socket: it sends one of the
words "kill", "start", "stop" (SIGSTOP) and "cont" on a connection and reads "ok" when that is done.
"""

import os
import socket
import subprocess
import sys
import threading

from mariadb import MariaDB

WORDS = ("kill", "start", "stop", "cont")


def obey(server, listener):
    while True:
        with listener.accept()[0] as peer:
            word = peer.recv(100).decode().strip()
            try:
                if word not in WORDS:
                    raise ValueError(word)
                getattr(server, word)()
                peer.sendall(b"ok")
            except (ValueError, RuntimeError, OSError) as e:
                peer.sendall(f"{word}: {e}".encode())


def main():
    with MariaDB() as server, socket.socket(socket.AF_UNIX) as listener:
        control = str(server.folder / "control")
        listener.bind(control)
        listener.listen()
        threading.Thread(target=obey, args=(server, listener), daemon=True).start()
        return subprocess.run(sys.argv[1:], env=os.environ | {
            "WEIR_MARIADB_URL": server.url("chat"),
            "WEIR_MARIADB_SOCKET_URL": server.socket_url("chat"),
            "WEIR_MARIADB_CONTROL": control}, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
