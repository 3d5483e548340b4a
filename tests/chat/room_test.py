#!/usr/bin/python3
"""Python, Node and C in one room: room_test.py BIN_FOLDER [unittest options]"""
import os
import shutil
import subprocess
import sys
import unittest

from chatd import HERE, Chatd, Lines, User, messages

BIN = ""
PROTO = os.path.join(HERE, "..", "..", "apps", "chat", "proto")


class Room(unittest.TestCase):
    def test_three_languages_in_one_room(self):
        with Chatd(BIN) as node:
            ann = User(node, "python")
            ann.join("babel")
            stream = ann.chat()
            with Lines(shutil.which("node"), os.path.join(HERE, "node_user.js"), node.address,
                       "node", "babel", PROTO, stdin=subprocess.PIPE) as by_node, \
                 Lines(os.path.join(BIN, "weir-chat"), "--server", node.address, "--user", "c",
                       "--password", "password", "--register", "--room", "babel",
                       stdin=subprocess.PIPE) as by_c:
                by_node.wait_line("^in babel on ")
                by_c.wait_line("welcome to babel")
                stream.put(send=messages.SendMessageRequest(
                    room="babel", client_id="1", text="from Python: grüße"))
                by_node.wait_line("^1 <python> from Python: grüße$")
                by_c.wait_line("<python> from Python: grüße$")
                by_node.say("from Node: 你好")
                self.assertEqual(stream.wait_message("from Node: 你好").sender, "node")
                by_c.wait_line("<node> from Node: 你好$")
                by_c.say("from C: здравствуйте")
                by_node.wait_line("^3 <c> from C: здравствуйте$")
                self.assertEqual(stream.wait_message("from C: здравствуйте").seq, 3)
                for program in (by_node, by_c):
                    program.process.stdin.close()
                    self.assertEqual(program.stop(None)[0], 0)
            ann.close()


if __name__ == "__main__":
    BIN = os.path.abspath(sys.argv.pop(1))
    unittest.main()
