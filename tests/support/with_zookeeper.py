#!/usr/bin/python3
"""Runs a command beside a ZooKeeper of its own: with_zookeeper.py COMMAND...

The command finds its address in WEIR_TEST_ZK.
"""

import os
import subprocess
import sys

from zookeeper import ZooKeeper


def main():
    with ZooKeeper() as zk:
        return subprocess.run(sys.argv[1:], env=os.environ | {"WEIR_TEST_ZK": zk.hosts},
                              check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
