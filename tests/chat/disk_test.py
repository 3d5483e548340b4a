#!/usr/bin/python3
"""A node whose SQLite store runs out of disk: disk_test.py BIN_FOLDER [unittest options]"""
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

import grpc

from chatd import Chatd, Lines, User, messages

Code = grpc.StatusCode
BIN = ""


class SmallDisk(Chatd):
    """A node in a mount namespace of its own, with a file system of 3 MiB that is there at `folder`
    for the node alone; `.release()` gives it more room."""

    def __init__(self, bin_folder):
        self.folder = tempfile.TemporaryDirectory(prefix="weir-chat-")
        command = ('mount -t tmpfs -o size=3m tmpfs "$0" && exec "$@"')
        Lines.__init__(
            self, "unshare", "--map-root-user", "--mount", "sh", "-c", command, self.folder.name,
            os.path.join(bin_folder, "weir-chatd"), "--listen", "127.0.0.1:0",
            "--system-interval", "0", "--password-cost", "10", "--send-rate", "100000",
            "--store", f"sqlite:{self.folder.name}/chat.db")
        self.address = self.wait_line(r"^listening on (\S+)$").group(1)

    def release(self):
        subprocess.run(["nsenter", f"--target={self.process.pid}", "--user", "--mount",
                        "--preserve-credentials", "mount", "-o", "remount,size=64m",
                        self.folder.name], check=True)


class FullDisk(unittest.TestCase):
    def test_a_full_disk_refuses_clearly_and_keeps_what_was_acknowledged(self):
        with SmallDisk(BIN) as node:
            ann = User(node, "ann")
            ann.join("r")
            acknowledged, refused = [], []
            text = "x" * 4000
            for i in range(3000):
                try:
                    acknowledged.append((ann.send(text, room="r", client_id=f"{i}").seq, f"{i}"))
                except grpc.RpcError as error:
                    refused.append(i)
                    self.assertEqual(error.code(), Code.RESOURCE_EXHAUSTED, error.details())
                    self.assertIn("full", error.details())
                    if len(refused) == 20:
                        break
            self.assertEqual(len(refused), 20, "the disk was never full")
            self.assertEqual(self.stored(ann), acknowledged, "nothing is half-written")
            node.release()
            again = ann.send(text, room="r", client_id=f"{refused[0]}")
            self.assertFalse(again.repeated, "what was refused was not stored")
            acknowledged.append((again.seq, f"{refused[0]}"))
            self.assertEqual(self.stored(ann), acknowledged)
            self.assertEqual([seq for seq, _ in acknowledged],
                             list(range(1, len(acknowledged) + 1)), "refusals leave no gap")
            ann.close()

    @staticmethod
    def stored(user):
        got, after = [], 0
        conversation = user.sync(limit=1).conversations[0].id
        while True:
            page = user.do(user.messages.History, messages.HistoryRequest(
                conversation=conversation, after_seq=after, limit=200))
            got += [(m.seq, m.client_id) for m in page.messages]
            if not page.more:
                return got
            after = got[-1][0]


if __name__ == "__main__":
    BIN = os.path.abspath(sys.argv.pop(1))
    if shutil.which("unshare") is None:
        sys.exit("unshare is missing: install util-linux")
    unittest.main()
