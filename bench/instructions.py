"""Instructions in user space for a call, under callgrind: free of noise, blind to the kernel."""

import os
import re

import load

COUNTS = (2000, 6000)


def collected(start, folder, request, count):
    """Instructions of a whole run. @param start  starts the server behind a command's prefix"""
    out = os.path.join(folder, "callgrind")
    log = os.path.join(folder, "valgrind.log")
    prefix = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={out}", f"--log-file={log}"]
    with start(prefix) as server:
        load.run(server, request, 1, 100, count)
    with open(log, encoding="utf-8", errors="replace") as file:
        found = re.search(r"Collected : (\d+)", file.read())
    if not found:
        raise RuntimeError(f"callgrind counted nothing for {server.name}")
    return int(found[1])


def per_call(start, folder, request):
    """The difference of two run lengths, so that start-up does not count."""
    less, more = (collected(start, folder, request, count) for count in COUNTS)
    return (more - less) / (COUNTS[1] - COUNTS[0])
