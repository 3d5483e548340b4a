"""weir-echo beside itself: its pollers and its models, as Markdown tables."""

import contextlib
import statistics

import peers
import servers
import tcp_load
from report import title
from rounds import POINTS, paired

POLLERS = {
    "epoll, level": ("--poller", "epoll", "--trigger", "level"),
    "epoll, edge": ("--poller", "epoll", "--trigger", "edge"),
    "poll": ("--poller", "poll"),
}
MODELS = ("single", "pool", "multi", "reuseport", "prefork")
MODEL_POINTS = (50, 1000)  # connections
MODEL_THREADS = 2
FAIRNESS_SECONDS = 0.5


def print_header(columns):
    print("| " + " | ".join(columns) + " |")
    print("| --- |" + " ---: |" * (len(columns) - 1))


def medians(results):
    """@return echoes per CPU second, per second, and the 99th percentile in microseconds"""
    return tuple(map(statistics.median, zip(*(
        (r.requests / r.cpu_s, r.per_second, r.p99_us) for r in results))))


def measure(build, running, connections, rounds):
    results = paired(running, lambda s: tcp_load.echo(build, s, connections, POINTS[connections]), rounds)
    return {name: medians(values) for name, values in results.items()}


def bench_pollers(build, rounds):
    title(f"pollers, one loop, echo of 64 bytes: medians of {rounds} rounds")
    with contextlib.ExitStack() as stack:
        running = [stack.enter_context(peers.weir(build, "--model", "single", *options, name=name))
                   for name, options in POLLERS.items()]
        print_header(["poller", "connections", "echoes per CPU second", "per second", "p99 in us",
                      "system calls per echo"])
        for connections in POINTS:
            found = measure(build, running, connections, rounds)
            for server in running:
                calls = tcp_load.system_calls_per_echo(build, server, connections)
                per_cpu_s, per_s, p99_us = found[server.name]
                print(f"| {server.name} | {connections} | {per_cpu_s:.0f} | {per_s:.0f} |"
                      f" {p99_us:.0f} | {calls:.2f} |", flush=True)
        print_fairness(build, running, rounds)


def print_fairness(build, running, rounds):
    title("a quiet connection, 64 bytes each millisecond, beside a busy one")
    results = paired(running, lambda s: tcp_load.fairness(build, s, FAIRNESS_SECONDS), rounds)
    print_header(["poller", "quiet: p50 in us", "p99 in us", "busy: MB/s"])
    for name, values in results.items():
        row = (statistics.median(v[key] for v in values) for key in ("p50_us", "p99_us", "busy_mb_per_s"))
        print(f"| {name} | " + " | ".join(f"{figure:.0f}" for figure in row) + " |", flush=True)


def bench_models(build, rounds):
    """The server may use all CPUs, the load's too: its cost per echo is the figure to compare."""
    title(f"models with {MODEL_THREADS} threads, echo of 64 bytes: medians of {rounds} rounds")
    with contextlib.ExitStack() as stack:
        running = [stack.enter_context(peers.weir(build, "--model", model, "--threads", str(MODEL_THREADS),
                                                  name=model, cpus=servers.CPUS))
                   for model in MODELS]
        print_header(["model", "connections", "echoes per second", "CPU us per echo", "p99 in us"])
        for connections in MODEL_POINTS:
            found = measure(build, running, connections, rounds)
            for model, (per_cpu_s, per_s, p99_us) in found.items():
                print(f"| {model} | {connections} | {per_s:.0f} | {1e6 / per_cpu_s:.2f} |"
                      f" {p99_us:.0f} |", flush=True)
