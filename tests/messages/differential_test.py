#!/usr/bin/python3
"""weir's codec and Google's agree: on values, on bytes, and on what is malformed.

usage: differential_test.py ECHO SOURCE_ROOT
ECHO is the program from echo.c. Random messages come from a fixed seed, so that a failure stays.
"""
import importlib
import os
import random
import shutil
import struct
import subprocess
import sys
import tempfile
import unittest
import warnings

import google.protobuf.message
from google.protobuf import text_format

ECHO, ROOT = (os.path.abspath(path) for path in sys.argv[1:3])
SEED = 20240229
MESSAGES = 2000
MUTANTS = 6000
WEIR_OK, WEIR_EMALFORMED, WEIR_EUTF8, WEIR_EDEPTH = 0, 23, 24, 25


def load_everything(work):
    subprocess.run(["protoc", f"--python_out={work}", f"-I{ROOT}/tests/messages",
                    "everything.proto"], check=True)
    sys.path.insert(0, work)
    return importlib.import_module("everything_pb2").Everything


def random_int(rng, bits, signed):
    value = rng.getrandbits(rng.choice([1, 7, 8, 14, 21, 31, 32, 63, 64]))
    value &= (1 << bits) - 1
    return value - (1 << bits) if signed and value >> (bits - 1) else value


def random_text(rng):
    alphabet = "abc ABC\0é漢\U0001f600"
    return "".join(rng.choice(alphabet) for _ in range(rng.choice([0, 1, 7, 8, 9, 33, 130])))


def random_value(rng, field):
    kind = field.type
    if kind == field.TYPE_STRING:
        return random_text(rng)
    if kind == field.TYPE_BYTES:
        return rng.randbytes(rng.choice([0, 1, 127, 128, 300]))
    if kind == field.TYPE_BOOL:
        return rng.random() < 0.5
    if kind == field.TYPE_ENUM:
        return rng.choice([0, 1, 2, -1, 77, -2**31, 2**31 - 1])
    if kind == field.TYPE_DOUBLE:
        return rng.choice([0.0, -0.0, 1.5, -1e300, float("inf"), float("nan")])
    if kind == field.TYPE_FLOAT:
        return rng.choice([0.0, -0.0, 1.5, -2.0**100, float("-inf")])
    bits = 64 if kind in (field.TYPE_INT64, field.TYPE_UINT64, field.TYPE_FIXED64,
                          field.TYPE_SFIXED64, field.TYPE_SINT64) else 32
    signed = kind not in (field.TYPE_UINT32, field.TYPE_UINT64, field.TYPE_FIXED32,
                          field.TYPE_FIXED64)
    return random_int(rng, bits, signed)


def fill_map(rng, message, field, depth):
    key, value = (field.message_type.fields_by_name[name] for name in ("key", "value"))
    entries = getattr(message, field.name)
    for _ in range(rng.choice([1, 2, 5])):
        if value.type == value.TYPE_MESSAGE:
            fill(rng, entries[random_value(rng, key)], depth - 1)
        else:
            entries[random_value(rng, key)] = random_value(rng, value)


def fill_field(rng, message, field, depth):
    if field.message_type and field.message_type.GetOptions().map_entry:
        fill_map(rng, message, field, depth)
    elif field.label == field.LABEL_REPEATED:
        for _ in range(rng.choice([1, 2, 5, 20])):
            if field.type == field.TYPE_MESSAGE:
                fill(rng, getattr(message, field.name).add(), depth - 1)
            else:
                getattr(message, field.name).append(random_value(rng, field))
    elif field.type == field.TYPE_MESSAGE:
        getattr(message, field.name).SetInParent()
        fill(rng, getattr(message, field.name), depth - 1)
    else:
        setattr(message, field.name, random_value(rng, field))


def fill(rng, message, depth):
    for field in message.DESCRIPTOR.fields:
        if field.type == field.TYPE_MESSAGE and depth == 0:
            continue
        if rng.random() < 0.3:
            fill_field(rng, message, field, depth)


def mutate(rng, data):
    data = bytearray(data)
    for _ in range(rng.choice([1, 1, 2, 5])):
        at = rng.randrange(len(data) + 1)
        what = rng.randrange(4)
        if what == 0 and at < len(data):
            data[at] = rng.choice([0, 0x7f, 0x80, 0xff, data[at] ^ (1 << rng.randrange(8))])
        elif what == 1:
            del data[at:at + rng.choice([1, 3, 20])]
        elif what == 2:
            data[at:at] = rng.randbytes(rng.choice([1, 2, 11]))
        else:
            begin = rng.randrange(len(data) + 1)
            data[at:at] = data[begin:begin + 30]
    return bytes(data)


def unknown_field(rng, depth):
    """Field 100 to 103, of any wire type; a group holds more of them."""
    wire = rng.choice([0, 1, 2, 3, 5] if depth else [0, 1, 2, 5])
    number = rng.randrange(100, 104)
    tag, end = (bytes([number << 3 & 0x7f | kind | 0x80, number >> 4]) for kind in (wire, 4))
    if wire == 3:
        return tag + b"".join(unknown_field(rng, depth - 1) for _ in range(3)) + end
    return tag + {0: b"\xac\x02", 1: rng.randbytes(8), 2: b"\x03abc", 5: rng.randbytes(4)}[wire]


def echo(inputs, *arguments):
    frames = b"".join(struct.pack("<I", len(data)) + data for data in inputs)
    out = subprocess.run([ECHO, *arguments], input=frames, stdout=subprocess.PIPE, check=True).stdout
    answers, at = [], 0
    while at < len(out):
        err, size = struct.unpack_from("<BI", out, at)
        answers.append((err, out[at + 5:at + 5 + size]))
        at += 5 + size
    assert len(answers) == len(inputs)
    return answers


def canonical(message):
    return message.SerializeToString(deterministic=True)


def known(message):
    """The values as text, without unknown fields: weir drops those in entries of maps, as generated
    C++ does, and Python's dynamic messages keep them."""
    return text_format.MessageToString(message)


class Differential(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        work = tempfile.mkdtemp()
        cls.addClassCleanup(shutil.rmtree, work)
        cls.Everything = load_everything(work)
        rng = random.Random(SEED)
        cls.messages = [cls.Everything() for _ in range(MESSAGES)]
        for message in cls.messages:
            fill(rng, message, 3)
        cls.bytes = [canonical(message) for message in cls.messages]

    def parse(self, data):
        """None when it is malformed. Python's C++ backend only warns about the end of no group, and
        leaves the rest unread: that is malformed too."""
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            try:
                message = self.Everything.FromString(data)
            except (google.protobuf.message.DecodeError, UnicodeDecodeError):
                return None
        return None if warned else message

    def check_same_bytes(self, *arguments):
        for data, (err, again) in zip(self.bytes, echo(self.bytes, *arguments)):
            self.assertEqual(err, WEIR_OK)
            self.assertEqual(again.hex(), data.hex())

    def test_generated_code_gives_the_same_bytes(self):
        self.check_same_bytes()

    def test_tables_give_the_same_bytes(self):
        self.check_same_bytes("table")

    def test_values_survive_another_order_of_map_entries(self):
        """Not deterministic: entries of maps come in the order of a hash table."""
        inputs = [message.SerializeToString() for message in self.messages]
        for data, (err, again) in zip(self.bytes, echo(inputs)):
            self.assertEqual(err, WEIR_OK)
            self.assertEqual(again.hex(), data.hex())

    def test_unknown_fields_are_kept(self):
        rng = random.Random(SEED + 2)
        inputs = [data + b"".join(unknown_field(rng, 2) for _ in range(rng.randrange(1, 5)))
                  for data in self.bytes[:500]]
        for data, (err, again) in zip(inputs, echo(inputs)):
            self.assertEqual(err, WEIR_OK)
            self.assertEqual(again.hex(), canonical(self.parse(data)).hex())

    def test_malformed_bytes_are_judged_alike(self):
        rng = random.Random(SEED + 1)
        inputs = [mutate(rng, rng.choice(self.bytes)) for _ in range(MUTANTS)]
        refused = 0
        generated = echo(inputs)
        self.assertEqual(generated, echo(inputs, "table"))
        for data, (err, again) in zip(inputs, generated):
            message = self.parse(data)
            self.assertEqual(message is None, err != WEIR_OK, f"{err} {data.hex()}")
            refused += err != WEIR_OK
            if message is not None:
                self.assertEqual(known(self.parse(again)), known(message), data.hex())
        self.assertTrue(MUTANTS / 4 < refused < MUTANTS, refused)

    def test_depth_is_limited_alike(self):
        for levels in (99, 100, 101, 102, 5000):
            data = b""
            for _ in range(levels):
                size = len(data)
                length = b""
                while size >= 0x80:
                    length += bytes([size & 0x7f | 0x80])
                    size >>= 7
                data = b"\x42" + length + bytes([size]) + data
            (err, _), = echo([data])
            self.assertEqual(err, WEIR_OK if levels <= 100 else WEIR_EDEPTH)
            self.assertEqual(self.parse(data) is None, err != WEIR_OK, levels)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
