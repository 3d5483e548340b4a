"""An HTTP/2 client that says whatever it is told to, right or wrong, and notes what comes back."""

import socket
import struct
import time

import hpack

LIMIT = 60  # seconds until an answer that must come counts as missing
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS = 0, 1, 2, 3, 4
PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = 6, 7, 8, 9
END_STREAM, ACK, END_HEADERS = 1, 1, 4

NO_ERROR, PROTOCOL_ERROR, INTERNAL_ERROR, FLOW_CONTROL_ERROR = 0, 1, 2, 3
REFUSED_STREAM, CANCEL, ENHANCE_YOUR_CALM = 7, 8, 11


def frame(kind, flags=0, stream=0, payload=b""):
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(
        ">I", stream) + payload


def message(payload, flag=0):
    """A gRPC message with its five-byte prefix."""
    return struct.pack(">BI", flag, len(payload)) + payload


def call_headers(path, **changes):
    """The header list of a gRPC request; `te=None` leaves one out, `_` stands for `-`."""
    fields = {":method": "POST", ":scheme": "http", ":path": path, ":authority": "test",
              "te": "trailers", "content-type": "application/grpc"}
    for name, value in changes.items():
        fields[name.replace("_", "-")] = value
    pseudo_first = sorted(fields.items(), key=lambda field: field[0][0] != ":")
    return [(name, value) for name, value in pseudo_first if value is not None]


class Answer:
    """What a stream got: header fields and bytes, and how it ended."""

    def __init__(self):
        self.headers = {}
        self.data = b""
        self.ended = False
        self.reset = None  # the code of a RST_STREAM

    @property
    def status(self):
        return int(self.headers["grpc-status"]) if "grpc-status" in self.headers else None

    @property
    def text(self):
        return self.headers.get("grpc-message", "")

    def __repr__(self):
        return f"<{self.headers} {len(self.data)} bytes, reset {self.reset}>"


class Peer:
    """One connection. It opens its windows wide, so that a server never waits for it."""

    def __init__(self, port, hello=PREFACE + frame(SETTINGS)):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=LIMIT)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.encoder = hpack.Encoder()
        self.decoder = hpack.Decoder()
        self.unread = b""
        self.answers = {}
        self.goaway = None  # (code, text)
        self.pongs = 0
        self.closed = False
        self.next_stream = 1
        self.sent = {}  # DATA bytes by stream, of data_in_windows(); 0: all
        self.granted = {0: 65535}  # window updates by stream
        self.initial_window = None  # as the server's SETTINGS say
        self.send(hello)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, data):
        """A server that has hung up already is no failure: its last words are read later."""
        try:
            self.socket.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            pass

    def open(self, headers, end=False):
        """Sends a request's header block. @return the stream"""
        stream = self.next_stream
        self.next_stream += 2
        block = self.encoder.encode(headers)
        flags = END_STREAM if end else 0
        first, rest = block[:16384], block[16384:]
        out = frame(HEADERS, flags | (0 if rest else END_HEADERS), stream, first)
        while rest:
            piece, rest = rest[:16384], rest[16384:]
            out += frame(CONTINUATION, 0 if rest else END_HEADERS, stream, piece)
        self.send(out)
        return stream

    def data(self, stream, payload, end=False):
        pieces = [payload[at:at + 16384] for at in range(0, len(payload), 16384)] or [b""]
        out = b"".join(frame(DATA, 0, stream, piece) for piece in pieces[:-1])
        self.send(out + frame(DATA, END_STREAM if end else 0, stream, pieces[-1]))

    def data_in_windows(self, stream, payload, piece=16384):
        """As data(), but waits for the server's windows; until it has an answer."""
        while self.initial_window is None and not self.closed:
            self.read_frame()
        for at in range(0, len(payload), piece):
            part = payload[at:at + piece]
            while not (self.answer(stream).ended or self.closed or self.room(stream) >= len(part)):
                self.read_frame()
            self.data(stream, part)
            for each in (0, stream):
                self.sent[each] = self.sent.get(each, 0) + len(part)

    def room(self, stream):
        """Bytes that the windows of the stream and the connection have left."""
        return min(self.granted.get(stream, 0) + self.initial_window - self.sent.get(stream, 0),
                   self.granted[0] - self.sent.get(0, 0))

    def call(self, path, body, **changes):
        """A whole request. @return what came back"""
        stream = self.open(call_headers(path, **changes))
        self.data(stream, body, end=True)
        return self.wait(stream)

    def answer(self, stream):
        return self.answers.setdefault(stream, Answer())

    def wait(self, stream):
        """Reads until the stream or the connection is over."""
        answer = self.answer(stream)
        while not answer.ended and not self.closed:
            self.read_frame()
        return answer

    def wait_closed(self):
        """Reads until the server hangs up. @return the GOAWAY it sent before, or None"""
        while not self.closed:
            self.read_frame()
        return self.goaway

    def read_exactly(self, length):
        deadline = time.monotonic() + LIMIT
        while len(self.unread) < length:
            assert time.monotonic() < deadline, "the answer never came"
            try:
                piece = self.socket.recv(65536)
            except ConnectionResetError:
                piece = b""
            if not piece:
                self.closed = True
                return None
            self.unread += piece
        taken, self.unread = self.unread[:length], self.unread[length:]
        return taken

    def read_frame(self):
        head = self.read_exactly(9)
        if head is None:
            return
        length, kind, flags = int.from_bytes(head[:3], "big"), head[3], head[4]
        stream = int.from_bytes(head[5:], "big")
        payload = self.read_exactly(length)
        if payload is not None:
            self.note(kind, flags, stream, payload)

    def note(self, kind, flags, stream, payload):
        if kind == GOAWAY:
            self.goaway = (int.from_bytes(payload[4:8], "big"), payload[8:].decode())
        elif kind == PING:
            self.pongs += flags & ACK
        elif kind == WINDOW_UPDATE:
            self.granted[stream] = self.granted.get(stream, 0) + int.from_bytes(payload, "big")
        elif kind == SETTINGS and not flags & ACK:
            entries = dict(struct.iter_unpack(">HI", payload))
            self.initial_window = entries.get(4, self.initial_window or 65535)
            self.send(frame(SETTINGS, ACK))
        elif kind == RST_STREAM:
            self.answer(stream).reset = int.from_bytes(payload, "big")
            self.answer(stream).ended = True
        elif kind in (HEADERS, DATA):
            answer = self.answer(stream)
            if kind == HEADERS:
                assert flags & END_HEADERS, "no answer of these tests is so long"
                answer.headers.update(self.decoder.decode(payload))
            else:
                answer.data += payload
            answer.ended = answer.ended or bool(flags & END_STREAM)
