#!/usr/bin/python3
"""Promises about the source that no compiler keeps: rules_test.py LIBWEIR.SO [CC [CXX]]

Each rule yields its violations as "file:line: what is wrong"; any of them fails the test.
"""

import concurrent.futures
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HEADERS = ROOT / "include" / "weir"
LIBRARY = sys.argv[1] if len(sys.argv) > 1 else ROOT / "build/lib/libweir.so"
CC = sys.argv[2] if len(sys.argv) > 2 else "gcc"
CXX = sys.argv[3] if len(sys.argv) > 3 else "g++"

LAYERS = {
    "base": {"base"},
    "codec": {"base", "codec"},
    "net": {"base", "codec", "net"},
    "naming": {"base", "codec", "net", "naming"},
    "balance": {"base", "naming", "balance"},
    "zk": {"base", "codec", "net", "naming", "zk"},
    "rpc": {"base", "codec", "net", "naming", "balance", "zk", "rpc"},
    "builtin": {"base", "codec", "net", "naming", "balance", "zk", "rpc", "builtin"},
}
PROGRAMS = ("tools", "apps", "examples")
# The only file that may include what a library's header is called.
DOORS = {
    r"nghttp2/.*": "src/codec/h2_nghttp2.h",
    r"ares.*\.h": "src/net/lookup_ares.c",
    r"openssl/.*": ("src/net/tls_openssl.h", "apps/chat/server/crypto.h"),
    r"zlib\.h": "src/codec/compress_zlib.c",
    r"zstd.*\.h": "src/codec/compress_zstd.c",
    r"jansson\.h": "src/naming/json.h",
    r"zookeeper/.*": "src/zk/zk_client.h",
    r"sqlite3\.h": "apps/chat/store/db_sqlite.h",
    r"(mysql|mysqld_error|errmsg)\.h": "apps/chat/store/db_mariadb.h",
    r"hiredis/.*": "apps/chat/redis/redis_reply.h",
    r"cmocka\.h": "tests/support/test.h",
    r"editline/.*": "apps/chat/terminal/editor.c",
}
# Descriptors of generated messages are public, whatever their package is called.
GENERATED = re.compile(r"(google_protobuf_|google_rpc_|weir_wkt_)")
INCLUDE = re.compile(r'\s*#\s*include\s*([<"])([^">]+)[">]')


def sources(*folders, endings=(".c", ".h", ".cc")):
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*")):
            if path.suffix in endings and path.is_file():
                yield path


def lines(path):
    return enumerate(path.read_text(encoding="utf-8").splitlines(), 1)


def at(path, number, what):
    return f"{path.relative_to(ROOT)}:{number}: {what}"


def includes(path):
    """@return line number, '<' or '"', and name of each include"""
    for number, line in lines(path):
        found = INCLUDE.match(line)
        if found:
            yield number, found[1], found[2]


def public_headers():
    return sources("include", endings=(".h",))


def without_comments(text):
    """Comments become spaces, so that lines keep their numbers."""
    return re.sub(r"/\*.*?\*/|//[^\n]*", lambda c: re.sub(r"[^\n]", " ", c[0]), text, flags=re.S)


def compile_alone(job):
    header, command = job
    result = subprocess.run([*command, "-Wall", "-Wextra", "-Werror", "-fsyntax-only",
                             f"-I{ROOT / 'include'}", "-include", str(header), "-"],
                            input="", capture_output=True, text=True, check=False)
    said = result.stderr.strip().splitlines()
    return [at(header, 1, f"does not compile alone as {command[-1]}: {said[0] if said else ''}")
            ] if result.returncode else []


def every_public_header_compiles_alone():
    """As C17 and as C++17."""
    commands = [(CC, "-x", "c", "-std=c17"), (CXX, "-x", "c++", "-std=c++17")]
    jobs = [(header, command) for header in public_headers() for command in commands]
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for violations in pool.map(compile_alone, jobs):
            yield from violations


def a_queue_of_c_is_the_same_in_cxx():
    """mpsc.h has std::atomic in C++: the layout must be that of C's _Atomic."""
    with tempfile.TemporaryDirectory() as folder:
        sizes = []
        for compiler, ending in ((CC, "c"), (CXX, "cc")):
            source = Path(folder) / f"size.{ending}"
            source.write_text('#include <stdio.h>\n#include <stddef.h>\n'
                              '#include <weir/base/mpsc.h>\nint main(void) { printf("%zu %zu %zu",'
                              'sizeof(weir_mpsc), offsetof(weir_mpsc, head),'
                              'sizeof(weir_mpsc_node)); }\n', encoding="utf-8")
            program = Path(folder) / ending
            subprocess.run([compiler, f"-I{ROOT / 'include'}", str(source), "-o", str(program)],
                           check=True)
            sizes.append(subprocess.run([str(program)], capture_output=True, check=True).stdout)
        if sizes[0] != sizes[1]:
            yield at(HEADERS / "base/mpsc.h", 1, f"C says {sizes[0]}, C++ says {sizes[1]}")


def no_include_climbs_out_of_its_folder():
    for path in sources("include", "src", "tools", "apps", "examples", "tests", "bench"):
        for number, _, name in includes(path):
            if name.startswith("../"):
                yield at(path, number, f'#include "{name}": put the folder on the search path')


def a_library_has_one_door():
    for path in sources("include", "src", "tools", "apps", "examples", "tests"):
        for number, _, name in includes(path):
            for pattern, doors in DOORS.items():
                doors = doors if isinstance(doors, tuple) else (doors,)
                if re.fullmatch(pattern, name) and path not in [ROOT / door for door in doors]:
                    yield at(path, number,
                             f"<{name}> may be included by {' and '.join(doors)} only")


def a_layer_sees_only_those_below_it():
    for layer, allowed in LAYERS.items():
        for path in sources(f"include/weir/{layer}", f"src/{layer}"):
            for number, _, name in includes(path):
                found = re.match(r"weir/(\w+)/", name)
                if found and found[1] not in allowed:
                    yield at(path, number, f"{layer} may not use <{name}>")
                if name == "weir/weir.h":
                    yield at(path, number, f"{layer} may not use everything: <{name}>")


def programs_use_public_headers_only():
    private = {path.name for path in sources("src", endings=(".h",))}
    for path in sources(*PROGRAMS):
        own = {neighbour.name for neighbour in path.parent.glob("*.h")}
        for number, quote, name in includes(path):
            if quote == '"' and name in private - own:
                yield at(path, number, f'"{name}" is the inside of the library')
        for number, line in enumerate(
                without_comments(path.read_text(encoding="utf-8")).splitlines(), 1):
            found = re.search(r"\bweir__\w+", line)
            if found:
                yield at(path, number, f"{found[0]} is the inside of the library")


def exported():
    said = subprocess.run(["nm", "-D", "--defined-only", str(LIBRARY)], capture_output=True,
                          text=True, check=True).stdout
    return {line.split()[-1] for line in said.splitlines()}


def declared():
    """Functions and objects that public headers declare with WEIR_API: name to (header, line)."""
    names = {}
    for header in public_headers():
        text = without_comments(header.read_text(encoding="utf-8"))
        for found in re.finditer(r"^(?:extern )?WEIR_API\b(?!\s*__)([^;{]*)[;{]", text, re.M):
            declaration = re.sub(r"WEIR_\w+(\([^)]*\))?", "", found[1])
            name = re.search(r"(\w+)\s*(?:\(|\[|$)", declaration.strip())
            names[name[1]] = (header, text.count("\n", 0, found.start()) + 1)
    return names


def what_is_declared_is_exported_and_nothing_else():
    symbols = exported()
    names = declared()
    for name, (header, number) in names.items():
        if name not in symbols:
            yield at(header, number, f"{name} is declared with WEIR_API and not exported")
    for name in sorted(symbols - names.keys()):
        if name.startswith("weir") and not GENERATED.match(name):
            yield f"{LIBRARY}: {name} is exported and no public header declares it with WEIR_API"


def files_named_in_the_map_exist():
    path = ROOT / "ARCHITECTURE.md"
    for number, line in lines(path):
        for name in re.findall(r"`([\w./-]+/[\w.-]+\.(?:c|h|py|md|txt|cmake))`", line):
            if not any((ROOT / folder / name).exists()
                       for folder in ("", "src", "include", "include/weir", "apps/chat")):
                yield at(path, number, f"{name} does not exist")


def every_public_header_says_what_it_is_for():
    for header in public_headers():
        text = header.read_text(encoding="utf-8")
        if "@file" not in text and not header.name.endswith(".weir.h"):
            yield at(header, 1, "has no @file comment")


def documented_parameters_have_these_names():
    """A comment that speaks of @param x stands before a declaration that has an x."""
    pattern = re.compile(r"/\*\*((?:(?!\*/).)*)\*/\s*((?:static inline|WEIR_API)[^;{]*)[;{]", re.S)
    for header in public_headers():
        text = header.read_text(encoding="utf-8")
        for found in pattern.finditer(text):
            for name in re.findall(r"@param\s+(\w+)", found[1]):
                if not re.search(rf"\b{name}\b", found[2]):
                    number = text.count("\n", 0, found.start(2)) + 1
                    yield at(header, number, f"@param {name} is no parameter")


def rpc_says_which_thread_may_call():
    """Each function's own comment, or the @file comment for all that say nothing else."""
    pattern = re.compile(r"(?:/\*\*((?:(?!\*/).)*)\*/\s*)?^(WEIR_API\b[^;{]*\()", re.S | re.M)
    for header in sources("include/weir/rpc", "include/weir/builtin", endings=(".h",)):
        text = header.read_text(encoding="utf-8")
        if "@thread" in text[:text.index("*/")]:
            continue
        for found in pattern.finditer(text):
            if "@thread" not in (found[1] or ""):
                number = text.count("\n", 0, found.start(2)) + 1
                yield at(header, number, "neither the function nor the file has an @thread")


def nothing_is_left_unfinished():
    marks = "|".join(("TO" + "DO", "FIX" + "ME", "XX" + "X"))
    for path in sources("include", "src", "tools", "apps", "examples", "tests", "bench",
                        endings=(".c", ".h", ".cc", ".py", ".cmake", ".txt")):
        for number, line in lines(path):
            if re.search(rf"\b({marks})\b", line):
                yield at(path, number, "is not finished")


RULES = (
    every_public_header_compiles_alone,
    a_queue_of_c_is_the_same_in_cxx,
    no_include_climbs_out_of_its_folder,
    a_library_has_one_door,
    a_layer_sees_only_those_below_it,
    programs_use_public_headers_only,
    what_is_declared_is_exported_and_nothing_else,
    files_named_in_the_map_exist,
    every_public_header_says_what_it_is_for,
    documented_parameters_have_these_names,
    rpc_says_which_thread_may_call,
    nothing_is_left_unfinished,
)


def main():
    broken = 0
    for rule in RULES:
        violations = list(rule())
        broken += len(violations)
        print(f"{'FAILED' if violations else 'ok    '} {rule.__name__.replace('_', ' ')}")
        for violation in violations:
            print(f"  {violation}")
    sys.exit(1 if broken else 0)


if __name__ == "__main__":
    main()
