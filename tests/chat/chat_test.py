#!/usr/bin/python3
"""weir-chatd with weir's own client and with Python's gRPC: chat_test.py BIN_FOLDER [unittest options]"""
import atexit
import os
import queue
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import unittest

import grpc

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "..", "examples", "python"))
import chat_stubs  # noqa: E402

messages, stubs = chat_stubs.load()
BIN = ""
LIMIT = 30  # seconds until something that must happen counts as missing


class Process:
    """A program whose lines can be waited for."""

    def __init__(self, *args, stdin=None):
        self.proc = subprocess.Popen([os.path.join(BIN, args[0]), *args[1:]], stdin=stdin,
                                     stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        atexit.register(self._end)  # also a stopped one, when a check has failed
        self.lines = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _end(self):
        if self.proc.poll() is None:
            self.proc.kill()
            self.proc.wait()

    def _read(self):
        for line in self.proc.stdout:
            self.lines.put(line.rstrip("\n"))

    def wait_line(self, pattern):
        deadline = time.monotonic() + LIMIT
        seen = []
        while True:
            try:
                line = self.lines.get(timeout=max(0.01, deadline - time.monotonic()))
            except queue.Empty:
                raise AssertionError(f"no line matches {pattern!r}; seen: {seen}") from None
            seen.append(line)
            found = re.search(pattern, line)
            if found:
                return found

    def say(self, line):
        self.proc.stdin.write(line + "\n")
        self.proc.stdin.flush()

    def stop(self, how=signal.SIGTERM):
        if self.proc.poll() is None:
            self.proc.send_signal(how)
        status = self.proc.wait(timeout=LIMIT)
        for pipe in (self.proc.stdin, self.proc.stdout, self.proc.stderr):
            if pipe:
                pipe.close()
        return status


def wait_until(condition, what):
    deadline = time.monotonic() + LIMIT
    gate = threading.Event()
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError("never came: " + what)
        gate.wait(0.02)


class ChatTest(unittest.TestCase):
    def setUp(self):
        self.server = Process("weir-chatd", "--port", "0", "--system-interval", "0")
        self.addr = self.server.wait_line(r"^listening on (\S+)$").group(1)
        self.channel = grpc.insecure_channel(self.addr)
        self.notify = stubs.NotificationServiceStub(self.channel)
        self.chat = stubs.ChatServiceStub(self.channel)

    def tearDown(self):
        self.channel.close()
        self.assertEqual(self.server.stop(), 0)

    def send(self, topic, title="t", body="b"):
        return self.notify.SendNotification(
            messages.SendRequest(user="sender", topic=topic, title=title, body=body),
            timeout=LIMIT)

    def wait_delivered(self, topic, count):
        """Until a notification reaches exactly so many subscribers."""
        wait_until(lambda: self.send(topic, "probe").delivered == count,
                   f"{count} subscribers of {topic}")

    def test_python_and_c_subscribers_hear_a_third(self):
        stream = self.notify.Subscribe(
            messages.SubscribeRequest(user="py", topics=["news", "other"]), timeout=LIMIT)
        welcome = next(stream)
        self.assertEqual(welcome.type, messages.NOTIFICATION_TYPE_WELCOME)
        self.assertEqual(welcome.body, "py, you hear 2 topics")
        cli = Process("weir-chat", "--server", self.addr, "--user", "c", "subscribe", "news")
        cli.wait_line(r"\[welcome\]")
        third = subprocess.run(
            [os.path.join(BIN, "weir-chat"), "--server", self.addr, "--user", "third",
             "notify", "news", "grüße", "text"], capture_output=True, text=True, timeout=LIMIT)
        self.assertEqual(third.returncode, 0, third.stderr)
        self.assertRegex(third.stdout, r"^sent [0-9a-f]{16} to 2 subscribers$")
        got = next(stream)
        self.assertEqual((got.topic, got.title, got.body, got.sender),
                         ("news", "grüße", "text", "third"))
        self.assertGreater(got.id, welcome.id)
        cli.wait_line(r"\[news info\] grüße: text \(third\)$")
        stream.cancel()
        cli.stop()

    def test_stored_notifications_come_first_when_asked_for(self):
        for i in range(5):
            self.send("log", f"n{i}")
        stream = self.notify.Subscribe(
            messages.SubscribeRequest(user="late", topics=["log"], recent=2), timeout=LIMIT)
        self.assertEqual([next(stream).title for _ in range(3)], ["welcome", "n3", "n4"])
        stream.cancel()

    def test_a_room_hears_everybody_but_the_sender(self):
        ann = Process("weir-chat", "--server", self.addr, "--user", "ann", "--room", "r",
                      stdin=subprocess.PIPE)
        ann.wait_line("welcome to r; 0 others")
        said = queue.Queue()
        stream = self.chat.Chat(iter(said.get, None), timeout=LIMIT)
        said.put(messages.ChatMessage(user="bob", room="r"))
        self.assertEqual(next(stream).type, messages.CHAT_MESSAGE_TYPE_WELCOME)
        ann.wait_line(r"\* bob has joined")
        ann.say("hello from C")
        self.assertEqual(next(stream).text, "hello from C")
        said.put(messages.ChatMessage(text="hello from Python"))
        ann.wait_line("<bob> hello from Python")
        said.put(None)
        self.assertEqual(list(stream), [])
        ann.wait_line(r"\* bob has left")
        ann.proc.stdin.close()
        ann.proc.stdin = None
        self.assertEqual(ann.proc.wait(timeout=LIMIT), 0)
        ann.stop()

    def test_a_talker_hears_at_once_that_the_server_is_gone(self):
        server = Process("weir-chatd", "--port", "0")
        addr = server.wait_line(r"^listening on (\S+)$").group(1)
        cli = Process("weir-chat", "--server", addr, "--user", "u", stdin=subprocess.PIPE)
        cli.wait_line("welcome to lobby")
        server.stop(signal.SIGKILL)
        self.assertEqual(cli.proc.wait(timeout=LIMIT), 1)
        self.assertIn("UNAVAILABLE", cli.proc.stderr.read())
        cli.stop()

    def test_a_killed_subscriber_disappears(self):
        cli = Process("weir-chat", "--server", self.addr, "--user", "victim", "subscribe", "k")
        cli.wait_line(r"\[welcome\]")
        self.wait_delivered("k", 1)
        cli.stop(signal.SIGKILL)
        self.wait_delivered("k", 0)

    def test_a_cancelled_subscriber_disappears(self):
        stream = self.notify.Subscribe(
            messages.SubscribeRequest(user="c", topics=["k"]), timeout=LIMIT)
        next(stream)
        self.wait_delivered("k", 1)
        stream.cancel()
        self.wait_delivered("k", 0)

    def test_wrong_requests_are_told_what_is_wrong(self):
        cases = [
            (lambda: next(self.notify.Subscribe(messages.SubscribeRequest(topics=["a"]))), "user"),
            (lambda: next(self.notify.Subscribe(messages.SubscribeRequest(user="u"))), "topics"),
            (lambda: next(self.notify.Subscribe(
                messages.SubscribeRequest(user="u", topics=["a" * 129]))), "topic"),
            (lambda: self.send("t", title="x" * 257), "title"),
            (lambda: next(self.chat.Chat(iter([messages.ChatMessage(text="hi")]))), "room"),
        ]
        for call, word in cases:
            with self.assertRaises(grpc.RpcError) as caught:
                call()
            self.assertEqual(caught.exception.code(), grpc.StatusCode.INVALID_ARGUMENT)
            self.assertIn(word, caught.exception.details())
        self.assertEqual(self.send("t").delivered, 0)

    def rss_kib(self):
        with open(f"/proc/{self.server.proc.pid}/status", encoding="ascii") as status:
            return int(re.search(r"VmRSS:\s+(\d+)", status.read()).group(1))

    def test_a_subscriber_that_does_not_read_costs_bounded_memory(self):
        """100,000 notifications of 1 KiB go to a topic with one reader and one who stopped."""
        cli = Process("weir-chat", "--server", self.addr, "--user", "stopped", "subscribe", "flood")
        cli.wait_line(r"\[welcome\]")
        cli.proc.send_signal(signal.SIGSTOP)
        reader = stubs.NotificationServiceStub(grpc.insecure_channel(
            self.addr, options=[("grpc.use_local_subchannel_pool", 1)]))
        stream = reader.Subscribe(messages.SubscribeRequest(user="reader", topics=["flood"]))
        next(stream)
        got = {"notes": 0, "missed": 0, "last": ""}

        def read():
            for note in stream:
                got["notes"] += note.topic == "flood"
                got["missed"] += note.missed
                got["last"] = note.title
        reading = threading.Thread(target=self.ignoring_end, args=(read,))
        reading.start()
        total = 100_000
        body = "x" * 1000
        before = self.rss_kib()
        flood = subprocess.run(
            [os.path.join(BIN, "chat_flood"), self.addr, "flood", str(total), body],
            capture_output=True, text=True, timeout=200)
        self.assertEqual(flood.returncode, 0, flood.stderr)
        dropped = int(re.search(r"(\d+) dropped", flood.stdout).group(1))
        self.assertGreater(dropped, 0, "the one who stopped must have missed some")
        grown = self.rss_kib() - before
        # The store keeps 10,000 messages of 1 KiB; queues and windows are under 4 MiB.
        if "WEIR_MEMORY_IS_HIDDEN" not in os.environ:
            self.assertLess(grown, 10_000 * 1.25 + 8 * 1024, f"grew by {grown} KiB")
        self.send("flood", "the end")
        wait_until(lambda: got["last"] == "the end" or got["notes"] + got["missed"] >= total,
                   "the reader at the end")
        self.assertGreater(got["notes"], 0)
        cli.proc.send_signal(signal.SIGCONT)
        cli.wait_line(r"\(\d+ missed\)$")
        cli.stop()
        stream.cancel()
        reading.join()

    @staticmethod
    def ignoring_end(read):
        try:
            read()
        except grpc.RpcError:
            pass

    def test_a_stopping_server_ends_its_streams(self):
        server = Process("weir-chatd", "--port", "0")
        addr = server.wait_line(r"^listening on (\S+)$").group(1)
        cli = Process("weir-chat", "--server", addr, "subscribe", "x")
        cli.wait_line(r"\[welcome\]")
        server.proc.send_signal(signal.SIGTERM)
        self.assertEqual(server.proc.wait(timeout=LIMIT), 0)
        self.assertEqual(cli.proc.wait(timeout=LIMIT), 1)
        self.assertIn("UNAVAILABLE: the server is shutting down", cli.proc.stderr.read())
        cli.stop()
        server.stop()

    def test_a_second_signal_stops_at_once(self):
        server = Process("weir-chatd", "--port", "0")
        addr = server.wait_line(r"^listening on (\S+)$").group(1)
        cli = Process("weir-chat", "--server", addr, "subscribe", "x")
        cli.wait_line(r"\[welcome\]")
        server.proc.send_signal(signal.SIGINT)
        wait_until(lambda: self.refuses(addr), "the end of listening")
        server.proc.send_signal(signal.SIGINT)
        self.assertEqual(server.proc.wait(timeout=LIMIT), 128 + signal.SIGINT)
        self.assertEqual(cli.proc.wait(timeout=LIMIT), 1)
        cli.stop()
        server.stop()

    @staticmethod
    def refuses(addr):
        host, port = addr.rsplit(":", 1)
        try:
            socket.create_connection((host, int(port)), timeout=LIMIT).close()
        except ConnectionRefusedError:
            return True
        return False


class CommandLineTest(unittest.TestCase):
    def run_chatd(self, *args):
        return subprocess.run([os.path.join(BIN, "weir-chatd"), *args], capture_output=True,
                              text=True, timeout=LIMIT)

    def test_bad_options_are_one_line_and_status_2(self):
        for args in (["--bogus"], ["--port", "x"], ["--port", "70000"], ["stray"],
                     ["--threads", "-1"], ["--store", "sqlite:x"]):
            done = self.run_chatd(*args)
            self.assertEqual(done.returncode, 2, args)
            self.assertRegex(done.stderr, r"\Aweir-chatd: [^\n]+\n\Z")

    def test_a_port_in_use_is_one_line_and_status_1(self):
        with socket.socket() as holder:
            holder.bind(("127.0.0.1", 0))
            holder.listen()
            done = self.run_chatd("--listen", "127.0.0.1:%d" % holder.getsockname()[1])
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, r"\Aweir-chatd: [^\n]*already in use[^\n]*\n\Z")

    def test_a_bad_address_is_one_line_and_status_1(self):
        done = self.run_chatd("--listen", "nowhere")
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, r"\Aweir-chatd: [^\n]+\n\Z")

    def test_system_notifications_come_by_themselves(self):
        server = Process("weir-chatd", "--port", "0", "--system-interval", "1")
        addr = server.wait_line(r"^listening on (\S+)$").group(1)
        cli = Process("weir-chat", "--server", addr, "subscribe", "anything")
        cli.wait_line(r"\[system\] system: 1 connections, 1 calls running$")
        cli.stop()
        self.assertEqual(server.stop(), 0)

    def test_for_ends_by_itself(self):
        done = self.run_chatd("--port", "0", "--for", "1s")
        self.assertEqual(done.returncode, 0)

    def test_nobody_listening_is_told(self):
        done = subprocess.run([os.path.join(BIN, "weir-chat"), "--server", "127.0.0.1:1",
                               "notify", "a", "b", "c"], capture_output=True, text=True,
                              timeout=LIMIT)
        self.assertEqual(done.returncode, 1)
        self.assertIn("UNAVAILABLE: cannot connect to 127.0.0.1:1", done.stderr)


if __name__ == "__main__":
    BIN = sys.argv.pop(1)
    unittest.main()
