"""What the stress tests share: weir-bench-server as a process of its own, and an HTTP/2 client that
shows each frame (python3-h2), so that a test can be as idle or as slow as it likes."""

import os
import re
import resource
import select
import socket
import subprocess

import h2.config
import h2.connection
import h2.events
import h2.settings

SECONDS = 60  # for any one wait: far more than it takes, also on a loaded machine
UNARY = "/echo.Echo/UnaryEcho"
STREAM = "/echo.Echo/StreamEcho"


def allow_descriptors(count):
    """For this process and the servers it starts."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < count:
        raise SystemExit(f"{count} file descriptors are needed, the hard limit is {hard} (ulimit -Hn)")
    resource.setrlimit(resource.RLIMIT_NOFILE, (count, hard))


class Server:
    def __init__(self, command):
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        ready, _, _ = select.select([self.process.stdout], [], [], SECONDS)
        line = self.process.stdout.readline() if ready else ""
        found = re.fullmatch(r"listening on \S+:(\d+)\n", line)
        if not found:
            self.process.kill()
            raise SystemExit(f'the server said {line!r} instead of "listening on ADDR:PORT"')
        self.port = int(found[1])

    def resident_bytes(self):
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as status:
            return int(re.search(r"VmRSS:\s+(\d+) kB", status.read())[1]) * 1024

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def stop(self):
        """It must end gracefully, with status 0."""
        self.process.terminate()
        status = self.process.wait(SECONDS)
        assert status == 0, f"the server's exit status is {status}"

    def __enter__(self):
        return self

    def __exit__(self, failure, *_):
        if failure:
            self.process.kill()
            self.process.wait()
        else:
            self.stop()


def message(text):
    """The gRPC frame of echo.EchoRequest and of echo.EchoResponse, for texts under 128 bytes."""
    body = bytes([0x0A, len(text)]) + text
    return b"\0" + len(body).to_bytes(4, "big") + body


def new_h2():
    """A client's end of HTTP/2 that has its first bytes to send."""
    end = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding="utf-8"))
    end.initiate_connection()
    return end


class Client:
    """One HTTP/2 connection."""

    def __init__(self, port, source="127.0.0.1", stream_window=None):
        """@param stream_window  what the server may send on each stream before it is told more"""
        self.socket = socket.socket()
        self.socket.settimeout(SECONDS)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.bind((source, 0))
        self.socket.connect(("127.0.0.1", port))
        self.h2 = new_h2()
        if stream_window is not None:
            self.h2.update_settings({h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: stream_window})
        self.flush()

    def flush(self):
        self.socket.sendall(self.h2.data_to_send())

    def read_events(self):
        """Waits for bytes. @return their events"""
        data = self.socket.recv(65536)
        assert data, "the server closed the connection"
        events = self.h2.receive_data(data)
        self.flush()
        return events

    def wait_for(self, kind):
        while not any(isinstance(event, kind) for event in self.read_events()):
            pass

    def open(self, path):
        """Begins a call. @return its stream"""
        stream = self.h2.get_next_available_stream_id()
        self.h2.send_headers(
            stream,
            [
                (":method", "POST"),
                (":scheme", "http"),
                (":path", path),
                (":authority", "stress.test"),
                ("content-type", "application/grpc"),
                ("te", "trailers"),
            ],
        )
        return stream

    def call(self, text):
        """A whole UnaryEcho. @raise AssertionError  unless it echoes with status OK"""
        stream = self.open(UNARY)
        self.h2.send_data(stream, message(text), end_stream=True)
        self.flush()
        data, status, ended = b"", None, False
        while not ended:
            for event in self.read_events():
                assert not isinstance(event, h2.events.StreamReset), f"reset: {event.error_code}"
                assert not isinstance(event, h2.events.ConnectionTerminated), "GOAWAY"
                if isinstance(event, h2.events.DataReceived):
                    data += event.data
                elif isinstance(event, h2.events.TrailersReceived):
                    status = dict(event.headers).get("grpc-status")
                elif isinstance(event, h2.events.StreamEnded):
                    ended = True
        assert (status, data) == ("0", message(text)), f"grpc-status {status}, {data!r}"

    def close(self):
        self.socket.close()
