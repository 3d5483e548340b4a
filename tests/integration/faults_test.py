#!/usr/bin/python3
"""Clients with retries, keepalive and three backends, while the network to one of them misbehaves.

faults_test.py CLUSTER-NODE: behind fault proxies, and, where the machine allows namespaces, with
packets that nftables drops.
"""

import contextlib
import os
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

from cluster import LIMIT_S, Load, Server  # noqa: E402
from fault_proxy import FaultProxy  # noqa: E402  pylint: disable=wrong-import-position

CALLS = 800
LOSSLESS = ("delay 30", "stall", "half_open up", "half_open down", "refuse", "drop 20000")


def split(address):
    host, port = address.rsplit(":", 1)
    return host, int(port)


def behind_proxies(servers):
    with contextlib.ExitStack() as open_proxies:
        proxies = [open_proxies.enter_context(FaultProxy(split(s.address))) for s in servers]
        load = Load("static:///" + ",".join(p.address if isinstance(p.address, str)
                                            else "%s:%d" % p.address for p in proxies), 5)
        load.goes_on(CALLS, "at first")
        for mode in LOSSLESS:
            proxies[1].set(mode)
            load.goes_on(CALLS, f"with {mode} at one of three")
            proxies[1].set("pass")
            if mode == "half_open up":
                proxies[1].cut()
            load.goes_on(CALLS, f"after {mode}")
            print(f"{mode}: no call failed")
        for _ in range(10):
            proxies[1].cut()
            load.goes_on(100, "while connections are cut")
        print("cut, ten times: no call failed")
        corrupted(proxies[1], load)
        load.stop()


def corrupted(proxy, load):
    """What is damaged may be anything; it ends with the damage."""
    before = load.report()
    proxy.set("corrupt 500")
    until = time.monotonic() + LIMIT_S
    while load.report()["answered"] < before["answered"] + CALLS:
        assert time.monotonic() < until, "calls do not go on beside a corrupted connection"
        time.sleep(0.05)  # the rate of asking
    proxy.set("pass")
    proxy.cut()
    proxy.cut()
    settled = settle(load)
    after = load.report()
    while after["answered"] < settled["answered"] + CALLS:
        assert time.monotonic() < until
        after = load.report()
        time.sleep(0.05)
    assert after["failed"] == settled["failed"], after
    print(f"corrupt: {settled['failed'] - before['failed']} calls failed, none afterwards")


def settle(load):
    """Until failures of damaged calls have come in: none in 500 answers."""
    until = time.monotonic() + LIMIT_S
    while True:
        first = load.report()
        while (now := load.report())["answered"] < first["answered"] + 500:
            time.sleep(0.05)
        if now["failed"] == first["failed"]:
            return now
        assert time.monotonic() < until, "calls fail long after the damage"


# In a namespace of its own, in which this file runs once more.

def nft(*rules):
    subprocess.run(["nft", "-f", "-"], input="\n".join(rules), text=True, check=True)


def with_nftables():
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    servers = [Server("-", n) for n in range(3)]
    port = split(servers[1].address)[1]
    load = Load("static:///" + ",".join(s.address for s in servers), 5)
    load.goes_on(CALLS, "at first")
    nft("add table inet t", "add chain inet t in { type filter hook input priority 0; }",
        f"add rule inet t in tcp dport {port} drop", f"add rule inet t in tcp sport {port} drop")
    load.goes_on(CALLS, "while one server is cut off")
    nft("flush chain inet t in")
    load.goes_on(CALLS, "when it is back")
    print("partition: no call failed")
    nft("add rule inet t in tcp dport != 0 numgen random mod 100 < 3 drop")
    load.goes_on(CALLS, "with 3 % of all packets lost")
    nft("flush chain inet t in")
    load.no_failures("after the losses")
    print("3 % of packets lost: no call failed")
    load.stop()
    end(servers)


def end(servers):
    for server in servers:
        server.process.terminate()
        assert server.process.wait(timeout=LIMIT_S) == 0


def main():
    if os.environ.get("WEIR_TEST_NAMESPACE"):
        with_nftables()
        return
    servers = [Server("-", n) for n in range(3)]
    behind_proxies(servers)
    end(servers)
    alone = subprocess.run(["unshare", "-n", "nft", "list", "ruleset"], capture_output=True)
    if alone.returncode != 0:
        print("left out: this machine allows no network namespaces, or has no nftables")
        return
    subprocess.run(["unshare", "-n", sys.executable, "-B", *sys.argv], check=True,
                   env=os.environ | {"WEIR_TEST_NAMESPACE": "1"})


main()
