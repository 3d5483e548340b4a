#!/usr/bin/python3
"""What protoc-gen-weir makes is what golden/expected holds, compiles, and what it refuses it explains.

usage: golden_test.py PLUGIN SOURCE_ROOT [--update]
--update writes golden/expected anew; read the difference before it is committed.
"""
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

PLUGIN, ROOT = (os.path.abspath(path) for path in sys.argv[1:3])
UPDATE = "--update" in sys.argv
HERE = os.path.join(ROOT, "tests/messages")
GOLDEN = os.path.join(HERE, "golden")
EXPECTED = os.path.join(GOLDEN, "expected")
# clang where it is installed.
C_COMPILERS = ["gcc"] + ["clang"] * bool(shutil.which("clang"))
CPP_COMPILERS = ["g++"] + ["clang++"] * bool(shutil.which("clang++"))
WARNINGS = ["-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Werror"]

# Folder of expected files, parameters, .proto files.
CASES = [
    ("plain", "", ["names.proto", "sub/other.proto", "services.proto", "everything.proto"]),
    ("parameters", "prefix=short,export=SHORT_API,comments=no", ["sub/other.proto"]),
]

REFUSED = {
    "proto2.proto": "weir's messages are proto3",
    "members.proto": 'two members of struct twice would be called "has_name"',
    "symbols.proto": 'two things would be called "twice_foo_bar',
    "methods.proto": 'two things would be called "shop_serve',
}


def generate(out, parameters, folder, files):
    os.makedirs(out, exist_ok=True)
    return subprocess.run(
        ["protoc", f"--plugin=protoc-gen-weir={PLUGIN}", f"--weir_out={parameters}:{out}",
         f"-I{folder}", f"-I{HERE}", *files], capture_output=True, text=True)


def files_below(folder):
    return sorted(os.path.relpath(os.path.join(where, name), folder)
                  for where, _, names in os.walk(folder) for name in names)


class Golden(unittest.TestCase):
    def setUp(self):
        self.work = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.work)

    def same_files(self, made, expected):
        self.assertEqual(files_below(made), files_below(expected))
        for name in files_below(made):
            with open(os.path.join(made, name)) as a, open(os.path.join(expected, name)) as b:
                self.assertEqual(a.read().splitlines(), b.read().splitlines(), name)

    def test_output_is_as_expected(self):
        for name, parameters, files in CASES:
            made, expected = os.path.join(self.work, name), os.path.join(EXPECTED, name)
            done = generate(made, parameters, GOLDEN, files)
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            if UPDATE:
                shutil.rmtree(expected, ignore_errors=True)
                shutil.copytree(made, expected)
            self.same_files(made, expected)

    def test_shipped_code_is_what_the_plugin_makes_today(self):
        subprocess.run([os.path.join(ROOT, "tools/protoc-gen-weir/regenerate"), PLUGIN, self.work],
                       check=True)
        for folder in ("include/weir/codec/google", "src/codec/wkt"):
            self.same_files(os.path.join(self.work, folder), os.path.join(ROOT, folder))

    def test_what_cannot_be_said_in_c_is_refused_with_a_reason(self):
        for name, reason in REFUSED.items():
            done = generate(self.work, "", os.path.join(GOLDEN, "refused"), [name])
            self.assertEqual(done.returncode, 1, name)
            self.assertIn(reason, done.stderr)
        self.assertEqual(files_below(self.work), [])

    def test_an_unknown_parameter_is_refused(self):
        done = generate(self.work, "colour=red", GOLDEN, ["services.proto"])
        self.assertEqual(done.returncode, 1)
        self.assertIn('unknown parameter "colour=red"', done.stderr)

    def test_sources_compile_without_a_warning(self):
        plain = os.path.join(EXPECTED, "plain")
        for name in files_below(plain):
            if name.endswith(".c"):
                for compiler in C_COMPILERS:
                    self.compile(compiler, "c17", os.path.join(plain, name), plain)

    def test_each_header_compiles_alone_as_c_and_cpp(self):
        plain = os.path.join(EXPECTED, "plain")
        for name in files_below(plain):
            if not name.endswith(".h"):
                continue
            for suffix, standard, compilers in ((".c", "c17", C_COMPILERS),
                                                (".cc", "c++17", CPP_COMPILERS)):
                alone = os.path.join(self.work, "alone" + suffix)
                with open(alone, "w") as source:
                    source.write(f'#include "{name}"\n#include "{name}"\n')
                for compiler in compilers:
                    self.compile(compiler, standard, alone, plain)

    def compile(self, compiler, standard, source, folder):
        done = subprocess.run(
            [compiler, f"-std={standard}", *WARNINGS, f"-I{ROOT}/include", f"-I{folder}",
             "-fsyntax-only", source], capture_output=True, text=True)
        self.assertEqual((done.returncode, done.stderr), (0, ""), f"{compiler} {source}")


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
