"""Servers side by side: each round has all of them, so that a slow moment hits its neighbours too."""

import contextlib
import statistics

import peers
import tcp_load
from report import spread, title

# Connections, and seconds of a round: opening them must not weigh much. Many short rounds are better
# than a few long ones: a disturbance spoils one or two, which the median leaves out.
POINTS = {1: 0.3, 50: 0.3, 1000: 0.6}
GOAL = 0.97  # times what each other server does for a CPU second
WARM_UP_SECONDS = 0.1


def rotated(items, by):
    by %= len(items)
    return items[by:] + items[:by]


def paired(running, measure, rounds):
    """@return for each server's name the figures of its rounds, in their order"""
    figures = {server.name: [] for server in running}
    for number in range(rounds):
        for server in rotated(running, number):
            figures[server.name].append(measure(server))
    return figures


def print_point(connections, figures):
    """@return a line for each goal that was missed"""
    missed = []
    label = f"{connections} conn"
    for name, values in figures.items():
        ratios = [ours / theirs for ours, theirs in zip(figures[peers.WEIR], values)]
        against = "" if name == peers.WEIR else spread(ratios, 3)
        print(f"{label:<11}{name:<14}{spread(values, 0):>28}{against:>24}", flush=True)
        label = ""
        if statistics.median(ratios) < GOAL:
            missed.append(f"{connections} conn: {statistics.median(ratios):.3f} times {name}")
    return missed


def bench(build, starters, load, rounds):
    """@return a line for each goal that was missed"""
    def per_cpu_second(server):
        result = load(build, server, connections, seconds)
        return result.requests / result.cpu_s

    missed = []
    print(f"{'':<11}{'':<14}{'requests per CPU second':>28}{'weir / other':>24}")
    with contextlib.ExitStack() as stack:
        running = [stack.enter_context(start()) for start in starters.values()]
        for connections, seconds in POINTS.items():
            for server in running:
                load(build, server, connections, WARM_UP_SECONDS)
            lines = print_point(connections, paired(running, per_cpu_second, rounds))
            missed += [f"{load.__name__}, {line}" for line in lines]
    return missed


def bench_echo(build, folder, rounds):
    title(f"echo of 64 bytes: medians of {rounds} rounds (lowest-highest)")
    return bench(build, peers.starters(build, folder, http=False), tcp_load.echo, rounds)


def bench_http(build, folder, rounds):
    title(f"HTTP greeting: medians of {rounds} rounds (lowest-highest)")
    return bench(build, peers.starters(build, folder, http=True), tcp_load.http, rounds)
