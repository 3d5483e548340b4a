"""Runs gRPC's interoperability cases: one client program against one server program.

The server is started with --port 0 and says where it listens; the client is started once for each
case. Only processes that were started here are ended."""

import argparse
import json
import pathlib
import re
import select
import shlex
import subprocess
import sys
import time

from cases import CASES, LEFT_OUT, reason

CASE_SECONDS = 60
HANGS = f"no end after {CASE_SECONDS} s"
START_SECONDS = 60
STOP_SECONDS = 60
# A busy machine is no failure; the standard's bound is one second.
SOAK = ["--soak_iterations=20", "--soak_per_iteration_max_acceptable_latency_ms=20000"]


def start_server(command):
    """@return the process and the port that it listens on"""
    server = subprocess.Popen(command + ["--port", "0"], stdout=subprocess.PIPE, text=True)
    ready, _, _ = select.select([server.stdout], [], [], START_SECONDS)
    line = server.stdout.readline() if ready else ""
    found = re.fullmatch(r"listening on \S+:(\d+)\n", line)
    if not found:
        server.kill()
        server.wait()
        sys.exit(f"run.py: the server said {line!r} instead of \"listening on ADDR:PORT\"")
    return server, int(found[1])


def stop_server(server):
    """@return whether it stopped gracefully, with status 0"""
    server.terminate()
    try:
        status = server.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()
        status = f"killed after {STOP_SECONDS} s"
    if status != 0:
        print(f"FAIL  the server's exit status: {status}")
    return status == 0


def run_case(client, port, case):
    """@return None, or what went wrong"""
    command = client + [
        "--server_host=127.0.0.1",
        f"--server_port={port}",
        f"--test_case={case}",
    ] + (SOAK if case.endswith("_soak") else [])
    try:
        done = subprocess.run(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=CASE_SECONDS
        )
    except subprocess.TimeoutExpired:
        return HANGS
    return None if done.returncode == 0 else f"status {done.returncode}\n{done.stdout}"


def run_cases(client, port, cases, peers):
    """@return case: "ok" or what went wrong"""
    results = {}
    for case in cases:
        start = time.monotonic()
        problem = run_case(client, port, case)
        if peers and problem == HANGS:
            print(f"again {case}: {problem}, without weir at either end", flush=True)
            problem = run_case(client, port, case)
        ms = (time.monotonic() - start) * 1000
        print(f"{'FAIL' if problem else 'ok':4}  {case}  ({ms:.0f} ms)", flush=True)
        if problem:
            print(problem)
        results[case] = problem or "ok"
    return results


def left_in(names, cases):
    """Those that both ends can do; the others are named. `names`: of client and server"""
    if not names:
        return cases
    for case in cases:
        why = reason(LEFT_OUT, *names, case)
        if why:
            print(f"left out  {case}  ({why})")
    return [case for case in cases if not reason(LEFT_OUT, *names, case)]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--server", required=True, type=shlex.split, help="command line")
    parser.add_argument("--client", required=True, type=shlex.split, help="command line")
    parser.add_argument("cases", nargs="*", default=CASES, help="default: all of them")
    parser.add_argument(
        "--peers", action="store_true", help="neither end is weir: a case that hangs is tried again"
    )
    parser.add_argument(
        "--pair", type=lambda text: text.split("-"), default=[], help="names: CLIENT-SERVER"
    )
    parser.add_argument("--results", type=pathlib.Path, help="JSON file to be written")
    options = parser.parse_args()

    if options.results:
        options.results.unlink(missing_ok=True)  # an old one is no result of this run
    server, port = start_server(options.server)
    graceful = False
    try:
        cases = left_in(options.pair, options.cases)
        results = run_cases(options.client, port, cases, options.peers)
    finally:
        graceful = stop_server(server)
    if options.results:
        options.results.parent.mkdir(parents=True, exist_ok=True)
        options.results.write_text(json.dumps(results, indent=1), encoding="utf-8")
    passed = sum(result == "ok" for result in results.values())
    print(f"{passed} of {len(results)} cases passed, {len(options.cases) - len(cases)} left out")
    return 0 if passed == len(results) and graceful else 1


sys.exit(main())
