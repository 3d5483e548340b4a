"""weir-chatd and users of it for tests, by Python's gRPC.

    with Chatd(bin, "--send-rate", "1000") as node:
        ann = User(node, "ann")
        ann.join("lobby")
        stream = ann.chat()
        ann.send("hello", room="lobby")
        stream.wait_message("hello")
"""
import os
import queue
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
import uuid

import grpc

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "..", "examples", "python"))
import chat_stubs  # noqa: E402

messages, stubs = chat_stubs.load()
LIMIT = 60  # seconds until something that must happen counts as missing


def wait_until(condition, what):
    deadline = time.monotonic() + LIMIT
    gate = threading.Event()
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError("never came: " + what)
        gate.wait(0.02)


class Lines:
    """A program whose lines can be waited for."""

    def __init__(self, *args, env=None, stdin=subprocess.DEVNULL):
        self.process = subprocess.Popen(args, stdin=stdin, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True,
                                        env={**os.environ, **(env or {})})
        self.lines, self.seen = queue.Queue(), []
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        for line in self.process.stdout:
            self.lines.put(line.rstrip("\n"))

    def wait_line(self, pattern):
        deadline = time.monotonic() + LIMIT
        while True:
            try:
                self.seen.append(self.lines.get(timeout=max(0.01, deadline - time.monotonic())))
            except queue.Empty:
                raise AssertionError(f"no line matches {pattern!r}; seen: {self.seen}") from None
            found = re.search(pattern, self.seen[-1])
            if found:
                return found

    def say(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def stop(self, how=signal.SIGTERM):
        """Returns (exit status, what it said on stderr)."""
        if self.process.poll() is None and how:
            self.process.send_signal(how)
        status = self.process.wait(timeout=LIMIT)
        self.reader.join()
        errors = self.process.stderr.read()
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            if pipe:
                pipe.close()
        return status, errors

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        if self.process.poll() is None:
            self.process.kill()
        if not self.process.stdout.closed:
            self.stop(None)


class Chatd(Lines):
    """A node, with a SQLite store of its own unless there is a --store."""

    def __init__(self, bin_folder, *options, port=0):
        self.folder = tempfile.TemporaryDirectory(prefix="weir-chat-")
        if "--store" not in options:
            options += ("--store", f"sqlite:{self.folder.name}/chat.db")
        super().__init__(os.path.join(bin_folder, "weir-chatd"), "--listen", f"127.0.0.1:{port}",
                         "--system-interval", "0", "--password-cost", "10", *options)
        self.address = self.wait_line(r"^listening on (\S+)$").group(1)

    def rss_kib(self):
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as status:
            return int(re.search(r"VmRSS:\s+(\d+)", status.read()).group(1))

    ENDS = (None, 0, -signal.SIGKILL, 128 + signal.SIGINT)

    def __exit__(self, *exc):
        ended = self.process.poll()
        errors = "" if self.process.stdout.closed else self.stop(signal.SIGKILL)[1]
        self.folder.cleanup()
        if ended not in self.ENDS:
            raise AssertionError(f"the node ended by itself with {ended}: {errors}")


class Stream:
    """A Chat stream, read as fast as it comes."""

    def __init__(self, user, **hello):
        self.outgoing, self.frames, self.ended = queue.Queue(), [], None
        self.changed = threading.Condition()
        self.call = user.live.Chat(iter(self.outgoing.get, None), metadata=user.token)
        self.put(hello=messages.Hello(device="test", **hello))
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        ended = None
        try:
            for frame in self.call:
                with self.changed:
                    self.frames.append(frame)
                    self.changed.notify_all()
        except grpc.RpcError as error:
            ended = error
        with self.changed:
            self.ended = (ended.code(), ended.details()) if ended else (grpc.StatusCode.OK, "")
            self.changed.notify_all()

    def put(self, **frame):
        self.outgoing.put(messages.ClientFrame(**frame))

    def wait(self, accept, what):
        """The first frame, of those that came and will come, that is accepted."""
        with self.changed:
            found = None

            def there():
                nonlocal found
                found = next((f for f in self.frames if accept(f)), None)
                return found is not None or self.ended is not None
            self.changed.wait_for(there, timeout=LIMIT)
            if found is None:
                raise AssertionError(f"{what} never came; ended: {self.ended}; frames:"
                                     f" {[f.WhichOneof('frame') for f in self.frames]}")
            return found

    def wait_kind(self, kind):
        return getattr(self.wait(lambda f: f.WhichOneof("frame") == kind, kind), kind)

    def wait_message(self, text):
        return self.wait(lambda f: f.message.text == text, f"message {text!r}").message

    def wait_heads(self, conversation):
        """From now on its messages are pushed; what came before is in these Heads."""
        return self.wait(lambda f: any(c.id == conversation for c in f.heads.conversations),
                         f"heads with {conversation}").heads

    def wait_end(self):
        with self.changed:
            self.changed.wait_for(lambda: self.ended is not None, timeout=LIMIT)
            return self.ended

    def count(self, kind):
        with self.changed:
            return sum(f.WhichOneof("frame") == kind for f in self.frames)

    def close(self):
        self.outgoing.put(None)
        return self.wait_end()


class User:
    """An account with its stubs, on a connection of its own."""

    def __init__(self, node, name, address=None):
        self.name = name
        self.channel = grpc.insecure_channel(address or node.address, options=[
            ("grpc.use_local_subchannel_pool", 1), ("grpc.enable_retries", 0)])
        self.token = chat_stubs.log_in(self.channel, messages, stubs, name, "password-" + name)
        self.accounts = stubs.AccountServiceStub(self.channel)
        self.people = stubs.PeopleServiceStub(self.channel)
        self.conversations = stubs.ConversationServiceStub(self.channel)
        self.messages = stubs.MessageServiceStub(self.channel)
        self.live = stubs.ChatServiceStub(self.channel)
        self.notifications = stubs.NotificationServiceStub(self.channel)
        self.admin = stubs.AdminServiceStub(self.channel)

    def do(self, method, request):
        """self.do(self.people.Block, messages.PersonRequest(...)): with the token and a limit."""
        return method(request, metadata=self.token, timeout=LIMIT)

    def join(self, room):
        return self.do(self.conversations.Join, messages.JoinRequest(room=room, create=True))

    def send(self, text, client_id=None, **to):
        return self.do(self.messages.Send, messages.SendMessageRequest(
            client_id=client_id or uuid.uuid4().hex, text=text, **to))

    def sync(self, **positions):
        return self.do(self.messages.Sync, messages.SyncRequest(**positions))

    def texts(self):
        return [m.text for m in self.sync().messages]

    def chat(self, **hello):
        """A stream that has had its Heads."""
        stream = Stream(self, **hello)
        stream.wait_kind("heads")
        return stream

    def counters(self):
        reply = self.do(self.admin.GetCounters, messages.CountersRequest())
        return {c.name: c.value for c in reply.counters}

    def close(self):
        self.channel.close()
