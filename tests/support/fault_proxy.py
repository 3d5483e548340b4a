#!/usr/bin/python3
"""A TCP proxy that misbehaves on demand, for tests.

In Python:

    with FaultProxy(("127.0.0.1", 7000)) as proxy:
        connect_to(proxy.address)
        proxy.set("delay 50")

As a program: fault_proxy.py --to HOST:PORT [--listen 127.0.0.1:0]. It prints "listening on HOST:PORT",
then reads commands from standard input, a line each, and answers each with "ok", "connections N" or
"error: ...". It ends with its input.

Modes, for connections that are there and for new ones:
  pass              forwards everything; what was held back before goes first
  delay MS          forwards everything so many milliseconds later
  stall             accepts, and forwards nothing; nobody's bytes are read
  half_open up      swallows what clients send, their ends and resets included, so that the server
                    waits for ever; "down" is the other direction
  corrupt N         flips a bit of each N-th byte of a direction
  refuse            resets new connections at once; those that are there pass
  drop N            resets a connection when so many bytes have passed, both directions together
Actions, which leave the mode as it is:
  cut               resets all connections, at both ends
  count             says how many connections there are
"""

import argparse
import collections
import contextlib
import selectors
import socket
import struct
import sys
import threading
import time

CHUNK = 64 * 1024
HELD_MAX = 1024 * 1024  # bytes that a direction holds before it reads no more
MODES = {"pass": None, "delay": int, "stall": None, "half_open": ("up", "down"), "corrupt": int,
         "refuse": None, "drop": int}


def parse_mode(text):
    """@return (name, argument)"""
    words = text.split()
    if not words or words[0] not in MODES:
        raise ValueError(f"{text!r} is none of: {', '.join(MODES)}, cut, count")
    kind = MODES[words[0]]
    if len(words) != (1 if kind is None else 2):
        raise ValueError(f"{words[0]} takes {'no' if kind is None else 'one'} argument")
    if kind is None:
        return words[0], None
    if kind is not int:
        if words[1] not in kind:
            raise ValueError(f"{words[0]} takes {' or '.join(kind)}")
        return words[0], words[1]
    least = 1 if words[0] == "corrupt" else 0
    if not words[1].isascii() or not words[1].isdigit() or int(words[1]) < least:
        raise ValueError(f"{words[0]} takes a whole number from {least} on")
    return words[0], int(words[1])


def reset(sock):
    """Closes with a RST."""
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


class Direction:
    """Bytes from one end to the other."""

    def __init__(self, name, source, sink):
        self.name, self.source, self.sink = name, source, sink
        self.held = collections.deque()  # (when it is due, bytes)
        self.held_bytes = 0
        self.seen = 0  # bytes
        self.ended = False  # the source has
        self.told = False  # the sink knows

    def corrupted(self, data, every):
        flipped = bytearray(data)
        for at in range(every - 1 - self.seen % every, len(flipped), every):
            flipped[at] ^= 0x10
        return bytes(flipped)

    def take(self, data, mode, now):
        """What the source said. @param data  empty: it has ended"""
        name, argument = mode
        if name == "half_open" and argument == self.name:
            self.ended |= not data
            self.told |= not data  # it never will be
            return
        if name == "corrupt":
            self.held.append((now, self.corrupted(data, argument)))
        else:
            self.held.append((now + argument / 1000 if name == "delay" else now, data))
        self.seen += len(data)
        self.held_bytes += len(data)
        self.ended |= not data

    def due(self, now):
        return bool(self.held) and self.held[0][0] <= now

    def forward(self, now):
        """As much as the sink takes. @return bytes"""
        sent = 0
        while self.due(now):
            when, data = self.held.popleft()
            if not data:
                self.sink.shutdown(socket.SHUT_WR)
                self.told = True
                break
            try:
                count = self.sink.send(data)
            except BlockingIOError:
                count = 0
            sent += count
            if count < len(data):
                self.held.appendleft((when, data[count:]))
                break
        self.held_bytes -= sent
        return sent


class Connection:
    """A client's socket and one to the server."""

    def __init__(self, client, target):
        self.client = client
        self.server = socket.socket(target.family, socket.SOCK_STREAM)
        for sock in (self.client, self.server):
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.server.connect_ex(target.address)  # a failure shows when it is read
        self.directions = (Direction("up", self.client, self.server),
                           Direction("down", self.server, self.client))
        self.passed = 0
        self.lost = None  # the end that was reset while nobody was to know

    def interest(self, mode, now):
        """@return socket to events"""
        events = {self.client: 0, self.server: 0}
        if mode[0] == "stall":
            return events
        for direction in self.directions:
            if not direction.ended and direction.held_bytes < HELD_MAX:
                events[direction.source] |= selectors.EVENT_READ
            if direction.due(now):
                events[direction.sink] |= selectors.EVENT_WRITE
        if self.lost:
            events[self.lost] = 0
        return events

    def next_due(self):
        return min((direction.held[0][0] for direction in self.directions if direction.held),
                   default=None)

    def move(self, sock, events, mode, now):
        """@return whether the connection goes on"""
        for direction in self.directions:
            try:
                if direction.source is sock and events & selectors.EVENT_READ:
                    direction.take(sock.recv(CHUNK), mode, now)
                if direction.sink is sock and events & selectors.EVENT_WRITE:
                    self.passed += direction.forward(now)
            except BlockingIOError:
                pass
            except OSError:
                return self.lose(sock, mode)
        if mode[0] == "drop" and self.passed >= mode[1]:
            return False
        return not all(direction.told for direction in self.directions) or mode[0] == "half_open"

    def lose(self, sock, mode):
        if mode != ("half_open", "up" if sock is self.client else "down"):
            return False
        self.lost = sock
        for direction in self.directions:
            if direction.sink is sock:
                direction.held.clear()
                direction.held_bytes = 0
                direction.ended = True
            else:
                direction.ended = direction.told = True
        return True

    def reset(self):
        reset(self.client)
        reset(self.server)

    def close(self):
        self.client.close()
        self.server.close()


class Target:
    """Where a proxy connects to."""

    def __init__(self, address):
        self.address = tuple(address)
        self.family = socket.AF_INET6 if ":" in self.address[0] else socket.AF_INET


class FaultProxy:
    """One listener, one target, one thread. Its methods may be called from any thread."""

    def __init__(self, target, listen=("127.0.0.1", 0)):
        self.target = Target(target)
        self.mode = ("pass", None)
        self.connections = set()
        self.selector = selectors.DefaultSelector()
        self.commands = collections.deque()
        self.wake_in, self.wake_out = socket.socketpair()
        self.listener = socket.create_server(
            listen, family=socket.AF_INET6 if ":" in listen[0] else socket.AF_INET, backlog=1024)
        self.listener.setblocking(False)
        self.address = self.listener.getsockname()[:2]
        self.selector.register(self.listener, selectors.EVENT_READ)
        self.selector.register(self.wake_in, selectors.EVENT_READ)
        self.running = True
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    # What callers do.

    def set(self, text):
        """Sets a mode; it holds when this returns."""
        mode = parse_mode(text)

        def change():
            self.mode = mode
        self.in_thread(change)

    def cut(self):
        """Resets all connections."""
        self.in_thread(self.reset_all)

    def count(self):
        """How many connections there are."""
        return self.in_thread(lambda: len(self.connections))

    def close(self):
        """Resets all and stops listening."""
        if not self.running:
            return

        def stop():
            self.running = False
        self.in_thread(stop)
        self.thread.join()
        self.wake_in.close()
        self.wake_out.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def in_thread(self, what):
        """@return what it returns, once the proxy's thread has done it"""
        done, result = threading.Event(), []

        def run():
            result.append(what())
            done.set()
        self.commands.append(run)
        self.wake_out.send(b"!")
        if not done.wait(30):
            raise TimeoutError("the proxy's thread does not answer")
        return result[0]

    # What its thread does.

    def run(self):
        try:
            while self.running:
                self.turn()
        finally:
            self.reset_all()
            self.selector.close()
            self.listener.close()

    def turn(self):
        now = time.monotonic()
        for connection in self.connections:
            for sock, events in connection.interest(self.mode, now).items():
                self.want(sock, events, connection)
        for key, events in self.selector.select(self.patience(now)):
            if key.fileobj is self.listener:
                self.accept()
            elif key.fileobj is self.wake_in:
                self.wake_in.recv(CHUNK)
            elif key.data in self.connections:
                self.move(key.data, key.fileobj, events)
        while self.commands:
            self.commands.popleft()()

    def patience(self, now):
        """How long to wait for the next bytes that are due, in seconds."""
        dues = [due for due in (c.next_due() for c in self.connections) if due and due > now]
        return max(min(dues) - now, 0) if dues and self.mode[0] != "stall" else None

    def want(self, sock, events, connection):
        known = sock in self.selector.get_map()
        if not events and known:
            self.selector.unregister(sock)
        elif events and known:
            self.selector.modify(sock, events, connection)
        elif events:
            self.selector.register(sock, events, connection)

    def accept(self):
        with contextlib.suppress(BlockingIOError):
            while True:
                client, _ = self.listener.accept()
                if self.mode[0] == "refuse":
                    reset(client)
                else:
                    self.connections.add(Connection(client, self.target))

    def move(self, connection, sock, events):
        if not connection.move(sock, events, self.mode, time.monotonic()):
            polite = all(direction.told for direction in connection.directions)
            self.forget(connection)
            (connection.close if polite else connection.reset)()

    def forget(self, connection):
        self.connections.discard(connection)
        for sock in (connection.client, connection.server):
            self.want(sock, 0, connection)

    def reset_all(self):
        for connection in list(self.connections):
            self.forget(connection)
            connection.reset()


def address_of(text):
    host, colon, port = text.rpartition(":")
    if not colon or not host or not port.isdigit() or int(port) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not HOST:PORT")
    return host.strip("[]"), int(port)


def answer(proxy, line):
    command = line.strip()
    if command == "cut":
        proxy.cut()
    elif command == "count":
        return f"connections {proxy.count()}"
    else:
        try:
            proxy.set(command)
        except ValueError as error:
            return f"error: {error}"
    return "ok"


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--to", type=address_of, required=True, metavar="HOST:PORT")
    parser.add_argument("--listen", type=address_of, default=("127.0.0.1", 0), metavar="HOST:PORT")
    args = parser.parse_args()
    try:
        proxy = FaultProxy(args.to, args.listen)
    except OSError as error:
        sys.exit(f"cannot listen on {args.listen[0]}:{args.listen[1]}: {error.strerror}")
    with proxy:
        print(f"listening on {proxy.address[0]}:{proxy.address[1]}", flush=True)
        for line in sys.stdin:
            print(answer(proxy, line), flush=True)


if __name__ == "__main__":
    main()
