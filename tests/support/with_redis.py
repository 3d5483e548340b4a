#!/usr/bin/python3
"""Runs a command beside a Redis of its own: with_redis.py COMMAND...

The command finds its URL in WEIR_TEST_REDIS.
"""

import os
import subprocess
import sys

from redis import Redis


def main():
    with Redis() as redis:
        return subprocess.run(sys.argv[1:], env=os.environ | {"WEIR_TEST_REDIS": redis.url},
                              check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
