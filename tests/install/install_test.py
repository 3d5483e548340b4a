#!/usr/bin/python3
"""The installed library, used by a program that knows nothing else: with pkg-config and with CMake.

install_test.py BUILD_FOLDER [CMAKE [CC [CFLAGS]]]
"""

import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent
EXAMPLES = HERE.parents[1] / "examples"
BUILD = Path(sys.argv[1])
CMAKE, CC, CFLAGS = (sys.argv[2:5] + ["cmake", "cc", ""][len(sys.argv[2:5]):])
LIMIT = 120


def run(*command, **options):
    """@return what it prints; its mistakes are the test's"""
    result = subprocess.run([str(part) for part in command], capture_output=True, text=True,
                            timeout=LIMIT, check=False, **options)
    assert result.returncode == 0, f"{shlex.join(map(str, command))}:\n{result.stdout}{result.stderr}"
    return result.stdout


class Install(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = Path(tempfile.mkdtemp(prefix="weir-install-"))
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        first = cls.folder / "first"
        run(CMAKE, "--install", BUILD, "--prefix", first)
        # Moved, as packagers do: nothing in it may remember where it was installed or built.
        cls.prefix = first.rename(cls.folder / "moved")
        cls.plugin = cls.prefix / "bin" / "protoc-gen-weir"
        cls.libdir = next(cls.prefix.rglob("libweir.so")).parent
        cls.environment = {**os.environ, "LD_LIBRARY_PATH": str(cls.libdir)}

    def program_folder(self, name):
        """The examples of the guide, out of the source tree."""
        folder = self.folder / name
        folder.mkdir()
        shutil.copy(EXAMPLES / "greeter.proto", folder)
        shutil.copy(EXAMPLES / "02_greeter_server.c", folder / "server.c")
        shutil.copy(EXAMPLES / "03_greeter_client.c", folder / "client.c")
        return folder

    def assert_greets(self, server_program, client_program):
        server = subprocess.Popen([server_program, "127.0.0.1:0"], stdout=subprocess.PIPE,
                                  text=True, env=self.environment)
        self.addCleanup(server.stdout.close)
        self.addCleanup(server.kill)
        address = server.stdout.readline().removeprefix("listening on ").strip()
        said = run(client_program, address, "stranger", env=self.environment)
        self.assertEqual(said, "Hello, stranger!\n")
        server.send_signal(signal.SIGTERM)
        self.assertEqual(server.wait(LIMIT), 0)

    def pkg_config(self, *options):
        environment = {**os.environ, "PKG_CONFIG_PATH": str(self.libdir / "pkgconfig")}
        return shlex.split(run("pkg-config", *options, "weir", env=environment))

    def assert_pkg_config_builds(self, name, *options):
        folder = self.program_folder(name)
        run("protoc", f"--plugin=protoc-gen-weir={self.plugin}", f"--weir_out={folder}",
            f"-I{folder}", "greeter.proto")
        for program in ("server", "client"):
            run(CC, "-std=c17", "-Wall", "-Wextra", "-Werror", *shlex.split(CFLAGS),
                f"{program}.c", "greeter.weir.c", "-o", program,
                *self.pkg_config("--cflags"), *self.pkg_config("--libs", *options), cwd=folder)
        self.assert_greets(folder / "server", folder / "client")
        return folder

    def test_pkg_config_shared(self):
        folder = self.assert_pkg_config_builds("shared")
        self.assertIn("libweir.so.0", run("readelf", "-d", folder / "server"))

    def test_pkg_config_static(self):
        libraries = self.pkg_config("--libs", "--static")
        self.assertIn("-lnghttp2", libraries)
        self.assertIn("-lcares", libraries)
        hidden = [path.rename(path.with_name("hidden-" + path.name))
                  for path in self.libdir.glob("libweir.so*")]
        try:
            folder = self.assert_pkg_config_builds("static", "--static")
        finally:
            for path in hidden:
                path.rename(path.with_name(path.name.removeprefix("hidden-")))
        self.assertNotIn("libweir", run("readelf", "-d", folder / "server"))

    def test_cmake(self):
        folder = self.program_folder("cmake")
        shutil.copy(HERE / "stranger" / "CMakeLists.txt", folder)
        build = folder / "build"
        run(CMAKE, "-S", folder, "-B", build, f"-DCMAKE_PREFIX_PATH={self.prefix}",
            f"-DCMAKE_C_COMPILER={CC}", f"-DCMAKE_C_FLAGS={CFLAGS}")
        run(CMAKE, "--build", build)
        self.assert_greets(build / "server", build / "client")
        self.assert_greets(build / "server", build / "client_shared")

    def test_every_program_runs_from_its_new_place(self):
        programs = sorted((self.prefix / "bin").iterdir())
        self.assertIn("weir-chatd", [program.name for program in programs])
        for program in programs:
            with self.subTest(program.name):
                self.assertIn("0.", run(program, "--version", env=self.environment))


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
