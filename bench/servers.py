"""The servers under measurement: started on a CPU of their own, watched through /proc, stopped."""

import os
import re
import select
import shutil
import socket
import subprocess
import time

START_SECONDS = 30
STOP_SECONDS = 15

# One CPU for the server, another for the load, so that neither takes time from the other.
CPUS = sorted(os.sched_getaffinity(0))
SERVER_CPU, LOAD_CPU = CPUS[0], CPUS[-1]


class Server:
    """A process, perhaps with children, that serves on `port` of 127.0.0.1."""

    def __init__(self, name, command, port=None, cpus=(SERVER_CPU,), scheme="http"):
        """@param port  where it will listen; None: it says so in a first line of output"""
        self.name = name
        self.scheme = scheme
        self.process = subprocess.Popen(
            ["taskset", "-c", ",".join(map(str, cpus))] + command,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        try:
            self.port = port or self._read_port()
            self._wait_until_it_accepts()
        except RuntimeError:
            self.stop()
            raise

    def _read_port(self):
        ready, _, _ = select.select([self.process.stdout], [], [], START_SECONDS)
        line = self.process.stdout.readline() if ready else ""
        found = re.fullmatch(r"listening on \S+:(\d+)\n", line)
        if not found:
            raise RuntimeError(f'{self.name} said {line!r} instead of "listening on ADDR:PORT"')
        return int(found[1])

    def _wait_until_it_accepts(self):
        deadline = time.monotonic() + START_SECONDS
        while self.process.poll() is None and time.monotonic() < deadline:
            try:
                socket.create_connection(("127.0.0.1", self.port)).close()
                return
            except ConnectionRefusedError:
                time.sleep(0.02)
        raise RuntimeError(f"{self.name} does not listen on port {self.port}")

    def pids(self):
        """The process and its children."""
        yield self.process.pid
        for task in os.listdir(f"/proc/{self.process.pid}/task"):
            path = f"/proc/{self.process.pid}/task/{task}/children"
            with open(path, encoding="ascii") as children:
                yield from map(int, children.read().split())

    def cpu_ns(self):
        """Time on a CPU of all its threads, also of those that have ended."""
        clocks = ((~pid << 3) | 2 for pid in self.pids())  # clock_getcpuclockid(3)
        return sum(map(time.clock_gettime_ns, clocks))

    def resident_bytes(self):
        def resident(pid):
            with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as memory:
                return int(re.search(r"Rss:\s+(\d+) kB", memory.read())[1]) * 1024

        return sum(map(resident, self.pids()))

    def state(self):
        status = self.process.poll()
        return "running" if status is None else f"ended with status {status}"

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


def weir(build, prefix=()):
    """@param prefix  a program that runs the server, such as valgrind"""
    program = os.path.join(build, "bin", "weir-bench-server")
    return Server("weir", [*prefix, program, "--threads", "1"])


def weir_tls(build, folder):
    """With a P-256 certificate that signs itself."""
    key, certificate = os.path.join(folder, "key.pem"), os.path.join(folder, "certificate.pem")
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    command += ["-nodes", "-days", "2", "-subj", "/CN=localhost", "-keyout", key, "-out", certificate]
    subprocess.run(command, check=True, capture_output=True)
    program = os.path.join(build, "bin", "weir-bench-server")
    command = [program, "--threads", "1", "--tls_cert_file", certificate, "--tls_key_file", key]
    return Server("weir TLS", command, scheme="https")


def grpc_cpp(build, prefix=()):
    program = os.path.join(build, "bench", "bench-grpc-cpp-server")
    if not os.path.exists(program):
        raise RuntimeError(f"{program} was not built: libgrpc++-dev or protobuf-compiler-grpc is missing")
    return Server("gRPC C++", [*prefix, program, "--listen", "127.0.0.1:0"])


def bare(build):
    """nghttp2 and nothing else."""
    return Server("nghttp2", [os.path.join(build, "bench", "bench-memory-bare")])


def nghttpd(folder, body, prefix=()):
    """Serves `body` as a file of `folder`: HTTP/2 without gRPC, on the same HTTP/2 library as weir."""
    os.makedirs(os.path.join(folder, "echo.Echo"), exist_ok=True)
    with open(os.path.join(folder, "echo.Echo", "UnaryEcho"), "wb") as file:
        file.write(body)
    if not shutil.which("nghttpd"):
        raise RuntimeError("nghttpd is missing: install nghttp2-server")
    port = free_port()
    command = ["nghttpd", "--no-tls", "-a", "127.0.0.1", "-d", folder, str(port)]
    return Server("nghttpd", [*prefix, *command], port)
