"""After very many short connections weir-echo has the descriptors that it had before, and its memory
within 1 %.

usage: short_connections.py WEIR_ECHO SHORT_CLIENTS [COUNT]"""

import subprocess
import sys
import time

from peer import SECONDS, Server

WARM_UP = 50_000  # pools and tables have their size then
THREADS = 4


def connect_and_leave(binary, server, count):
    subprocess.run([binary, f"127.0.0.1:{server.port}", str(count), str(THREADS)], check=True)


def settle(server, descriptors):
    """The last connections' ends may be on their way."""
    deadline = time.monotonic() + SECONDS
    while server.descriptors() > descriptors:
        assert time.monotonic() < deadline, f"{server.descriptors()} descriptors, not {descriptors}"
        time.sleep(0.01)  # the server says nothing about it


def main():
    echo, binary = sys.argv[1:3]
    count = int(sys.argv[3]) if len(sys.argv) > 3 else 1_000_000
    for model in ("single", "multi"):
        command = [echo, "--listen", "127.0.0.1:0", "--threads", "2", "--model", model]
        with Server(command) as server:
            descriptors = server.descriptors()
            connect_and_leave(binary, server, WARM_UP)
            settle(server, descriptors)
            before = server.resident_bytes()
            connect_and_leave(binary, server, count // 2)
            settle(server, descriptors)
            after = server.resident_bytes()
            print(f"{model}: {count // 2} connections, {before} bytes before, {after} after", flush=True)
            assert after <= before * 1.01, "memory has grown by more than 1 %"


if __name__ == "__main__":
    main()
