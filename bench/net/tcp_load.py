"""The load: bench-net-load for echoes, wrk for greetings, both on a CPU of their own."""

import collections
import contextlib
import re
import signal
import subprocess
import time

import peers
from servers import LOAD_CPU

# `cpu_s` is the server's.
Result = collections.namedtuple("Result", "requests cpu_s per_second p99_us")

ANSWER_SECONDS = 120
SYSTEM_CALL_COUNTS = (20_000, 60_000)


def _command(build, server, *options):
    command = ["taskset", "-c", str(LOAD_CPU), peers.program(build, "bench-net-load")]
    return [*command, "--connect", f"127.0.0.1:{server.port}", *map(str, options)]


def _numbers(text):
    return {name: float(value) for name, value in re.findall(r"^(\w+) ([\d.]+)$", text, re.M)}


def _fail_unless_zero(server, load):
    if load.wait(ANSWER_SECONDS) != 0:
        raise RuntimeError(f"{server.name} ({server.state()}): the load has failed")


def _milliseconds(seconds):
    return f"{round(seconds * 1000)}ms"


def echo(build, server, connections, seconds):
    """64-byte messages, one under way on each connection; opening these is not in the figures."""
    command = _command(build, server, "--connections", connections, "--seconds", _milliseconds(seconds))
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as load:
        load.stdout.readline()  # all are connected
        before = server.cpu_ns()
        found = _numbers(load.stdout.read())
        cpu_s = (server.cpu_ns() - before) / 1e9
        _fail_unless_zero(server, load)
    return Result(found["requests"], cpu_s, found["requests_per_s"], found["p99_us"])


def _run_wrk(server, connections, seconds):
    """It counts in whole seconds, but ends early, and in order, when it is interrupted."""
    command = ["taskset", "-c", str(LOAD_CPU), "wrk", "-t1", f"-c{connections}", f"-d{ANSWER_SECONDS}s"]
    command += [f"http://127.0.0.1:{server.port}/", "--latency"]
    before = server.cpu_ns()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as load:
        while server.cpu_ns() == before and load.poll() is None:  # it takes its time on a busy host
            time.sleep(0.001)
        time.sleep(seconds)
        load.send_signal(signal.SIGINT)
        return load.stdout.read()


def http(_build, server, connections, seconds):
    """Opening the connections is in the figures: wrk does not tell when it is done with that."""
    before = server.cpu_ns()
    output = _run_wrk(server, connections, seconds)
    cpu_s = (server.cpu_ns() - before) / 1e9
    requests = re.search(r"([1-9]\d*) requests in", output)
    if not requests or re.search(r"Socket errors|Non-2xx", output):
        raise RuntimeError(f"{server.name} did not answer every request:\n{output}")
    rate = float(re.search(r"Requests/sec:\s+([\d.]+)", output)[1])
    amount, unit = re.search(r"99%\s+([\d.]+)(us|ms|s)", output).groups()
    p99_us = float(amount) * {"us": 1, "ms": 1e3, "s": 1e6}[unit]
    return Result(int(requests[1]), cpu_s, rate, p99_us)


def _system_calls_for(build, server, connections, count):
    counter = ["perf", "stat", "-x,", "-e", "raw_syscalls:sys_enter"]
    counter += ["-p", ",".join(map(str, server.pids())), "--"]
    command = _command(build, server, "--connections", connections, "--requests", count)
    done = subprocess.run(counter + command, check=True, capture_output=True, text=True)
    found = re.search(r"^(\d+),", done.stderr, re.M)
    if not found:
        raise RuntimeError(f"perf does not count system calls: {done.stderr}")
    return int(found[1])


def system_calls_per_echo(build, server, connections):
    """The difference of two run lengths, so that opening connections does not count."""
    less, more = (_system_calls_for(build, server, connections, count) for count in SYSTEM_CALL_COUNTS)
    return (more - less) / (SYSTEM_CALL_COUNTS[1] - SYSTEM_CALL_COUNTS[0])


def fairness(build, server, seconds):
    """@return p50_us and p99_us of a quiet connection beside a busy one, and busy_mb_per_s"""
    command = _command(build, server, "--busy", "--seconds", _milliseconds(seconds))
    return _numbers(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


@contextlib.contextmanager
def held(build, server, count, *options):
    """`count` more connections, each answered once, that do nothing as long as the block runs."""
    command = _command(build, server, "--hold", "--connections", count, *options)
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as load:
        yield load
        load.stdin.close()
        _fail_unless_zero(server, load)


def wait_until_held(server, load):
    if not load.stdout.readline().startswith("holding "):
        raise RuntimeError(f"{server.name} did not answer on every connection")
