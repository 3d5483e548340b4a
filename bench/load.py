"""The load: h2load with a UnaryEcho request, every answer counted."""

import os
import re
import subprocess

from servers import LOAD_CPU

PATH = "/echo.Echo/UnaryEcho"
TEXT = b"twenty-three characters"
MESSAGE = bytes([0x0A, len(TEXT)]) + TEXT  # string message = 1;
FRAMED = b"\0" + len(MESSAGE).to_bytes(4, "big") + MESSAGE


def write_request(folder):
    path = os.path.join(folder, "request")
    with open(path, "wb") as file:
        file.write(FRAMED)
    return path


def run(server, request, connections, streams, count):
    """
    Makes `count` calls with `streams` at once on each connection.
    @return calls per second
    @raise RuntimeError  unless each was answered with 200 and with the bytes of an echo
    """
    command = ["taskset", "-c", str(LOAD_CPU), "h2load", "-t", "1"]
    command += ["-n", str(count), "-c", str(connections), "-m", str(streams), "-d", request]
    command += ["-H", "te: trailers", "-H", "content-type: application/grpc"]
    command += [f"{server.scheme}://127.0.0.1:{server.port}{PATH}"]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    answered = re.search(r"status codes: (\d+) 2xx", output)
    data = re.search(r"\((\d+)\) data", output)
    right = (str(count), str(count * len(FRAMED)))
    if not answered or not data or (answered[1], data[1]) != right:
        raise RuntimeError(f"{server.name} did not answer all {count} calls with an echo:\n{output}")
    return float(re.search(r"([\d.]+) req/s", output)[1])


def run_streams(build, server, connections, streams, depth, messages):
    """
    Sends `messages` on each of the streams, each of which has `depth` on their way.
    @return messages per second
    @raise RuntimeError  unless each was answered with the same
    """
    command = ["taskset", "-c", str(LOAD_CPU), os.path.join(build, "bench", "bench-stream-load")]
    command += ["--target", f"127.0.0.1:{server.port}", "--connections", str(connections)]
    command += ["--streams", str(streams), "--depth", str(depth), "--messages", str(messages)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{server.name} did not answer all messages: {done.stderr}")
    return float(done.stdout.split()[0])


CLIENTS = ("weir", "gRPC C++")


def run_client(build, name, server, connections, streams, calls):
    """
    One of CLIENTS makes `calls`, so many at once on each connection.
    @return calls per second, and the client's CPU time of a call in microseconds
    @raise RuntimeError  unless each was answered rightly
    """
    target, numbers = f"127.0.0.1:{server.port}", list(map(str, (connections, streams, calls)))
    command = [os.path.join(build, "bench", "bench-client-grpc"), target, *numbers]
    if name == "weir":
        command = [os.path.join(build, "bench", "bench-client-weir"), "--target", target]
        command += ["--connections", numbers[0], "--streams", numbers[1], "--calls", numbers[2]]
    command = ["taskset", "-c", str(LOAD_CPU), *command]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    found = re.match(r"(\d+) calls/s, ([\d.]+) us", done.stdout)
    if done.returncode != 0 or not found:
        raise RuntimeError(f"{name}'s client failed: {done.stderr}")
    return float(found[1]), float(found[2])


def check_by_grpc(server):
    """Asks once with gRPC's own Python client. @raise RuntimeError  unless both methods echo"""
    import grpc  # here, because importing it takes longer than --help should

    with grpc.insecure_channel(f"127.0.0.1:{server.port}") as channel:
        unary = channel.unary_unary(PATH)(MESSAGE, timeout=10)
        stream = list(channel.stream_stream("/echo.Echo/StreamEcho")(iter([MESSAGE] * 3), timeout=10))
    if unary != MESSAGE or stream != [MESSAGE] * 3:
        raise RuntimeError(f"{server.name} does not echo: {unary!r}, {stream!r}")
