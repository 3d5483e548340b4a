"""Runs gRPC's interoperability cases: one client program against one server program.

The server is started with --port 0 and says where it listens; the client is started once for each
case. Only processes that were started here are ended."""

import argparse
import re
import select
import shlex
import subprocess
import sys
import time

CASES = (
    "empty_unary",
    "large_unary",
    "client_streaming",
    "server_streaming",
    "ping_pong",
    "empty_stream",
    "custom_metadata",
    "status_code_and_message",
    "special_status_message",
    "unimplemented_method",
    "unimplemented_service",
    "cancel_after_begin",
    "cancel_after_first_response",
    "timeout_on_sleeping_server",
)
CASE_SECONDS = 30
HANGS = f"no end after {CASE_SECONDS} s"
START_SECONDS = 30
STOP_SECONDS = 15


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
    ]
    try:
        done = subprocess.run(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=CASE_SECONDS
        )
    except subprocess.TimeoutExpired:
        return HANGS
    return None if done.returncode == 0 else f"status {done.returncode}\n{done.stdout}"


def run_cases(client, port, cases, peers):
    failed = 0
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
            failed += 1
    return failed


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--server", required=True, type=shlex.split, help="command line")
    parser.add_argument("--client", required=True, type=shlex.split, help="command line")
    parser.add_argument("cases", nargs="*", default=CASES, help="default: all of them")
    parser.add_argument(
        "--peers", action="store_true", help="neither end is weir: a case that hangs is tried again"
    )
    options = parser.parse_args()

    server, port = start_server(options.server)
    graceful = False
    try:
        failed = run_cases(options.client, port, options.cases, options.peers)
    finally:
        graceful = stop_server(server)
    print(f"{len(options.cases) - failed} of {len(options.cases)} cases passed")
    return 0 if failed == 0 and graceful else 1


sys.exit(main())
