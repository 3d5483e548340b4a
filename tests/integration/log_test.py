#!/usr/bin/python3
"""The log as others see it: log_test.py LOG_LINES INCLUDE_FOLDER [CC]

What it writes as JSON is read by Python's parser; what is removed at compile time is looked for in
object files.
"""

import json
import random
import re
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

LOG_LINES = sys.argv[1]
INCLUDE = sys.argv[2]
CC = sys.argv[3] if len(sys.argv) > 3 else "gcc"

STATEMENTS = """
#include <weir/base/log.h>
void f(int n);
void f(int n)
{
    WEIR_LOG_DEBUG("the debug line %d", n);
    WEIR_LOG_EVERY(WEIR_LOG_LEVEL_DEBUG, 1000, "the limited line %d", n);
    WEIR_LOG_WARN("the warning %d", n);
}
"""


def nasty_messages():
    """Every byte but NUL, every pair with a quote or backslash, and random ones; a fixed seed."""
    rng = random.Random(1)
    for byte in range(1, 256):
        yield bytes([byte])
        yield b'a"' + bytes([byte]) + b"\\z"
    for _ in range(2000):
        yield bytes(rng.randrange(1, 256) for _ in range(rng.randrange(60)))
    yield "你好 \U0001f600 ä".encode()
    yield b"x" * 10000
    yield b"\x01" * 10000
    yield "你".encode() * 5000


class Json(unittest.TestCase):
    def test_every_line_is_an_object_with_the_message(self):
        messages = list(nasty_messages())
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "log"
            subprocess.run([LOG_LINES, file], input=b"".join(m + b"\0" for m in messages),
                           check=True, timeout=60)
            lines = file.read_bytes().split(b"\n")
        self.assertEqual(lines.pop(), b"")
        self.assertEqual(len(lines), len(messages))
        for line, message in zip(lines, messages):
            self.check(json.loads(line.decode("utf-8")), line, message)

    def check(self, entry, line, message):
        self.assertLess(len(line), 4096)
        self.assertRegex(entry["time"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$")
        self.assertEqual((entry["level"], entry["file"]), ("WARN", "log_lines.c"))
        self.assertIsInstance(entry["thread"], int)
        self.assertGreater(entry["line"], 0)
        self.assertNotIn("module", entry)
        text = entry["message"]
        try:
            wanted = message.decode("utf-8")
        except UnicodeDecodeError:
            self.assertIn("\N{REPLACEMENT CHARACTER}", text)
            self.assertEqual(re.sub("[^\0-\x7f]", "", text),
                             "".join(chr(c) for c in message if c < 0x80))
            return
        if len(message) < 600:
            self.assertEqual(text, wanted)
        else:
            self.assertTrue(text.endswith("...") and wanted.startswith(text[:-3]), text)


class Removal(unittest.TestCase):
    def compiled(self, *options):
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder) / "x.o"
            subprocess.run([CC, "-std=c17", f"-I{INCLUDE}", *options, "-x", "c", "-", "-c", "-o",
                            str(out)], input=STATEMENTS.encode(), check=True)
            return out.read_bytes()

    def test_statements_below_the_lowest_level_leave_nothing(self):
        for optimisation in ("-O0", "-O2"):
            whole = self.compiled(optimisation)
            less = self.compiled(optimisation, "-DWEIR_LOG_MIN_LEVEL=WEIR_LOG_LEVEL_INFO")
            for text in (b"the debug line", b"the limited line"):
                self.assertIn(text, whole)
                self.assertNotIn(text, less)
            self.assertIn(b"the warning", less)
            self.assertNotIn(b"weir__log_due", less)

    def test_their_arguments_are_checked_all_the_same(self):
        wrong = STATEMENTS.replace("line %d", "line %s").encode()
        done = subprocess.run([CC, f"-I{INCLUDE}", "-DWEIR_LOG_MIN_LEVEL=WEIR_LOG_LEVEL_OFF",
                               "-Wformat", "-Werror", "-fsyntax-only", "-x", "c", "-"],
                              input=wrong, capture_output=True, check=False)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn(b"%s", done.stderr)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
