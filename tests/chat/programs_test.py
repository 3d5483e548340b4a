#!/usr/bin/python3
"""weir-chatd and weir-chat as programs: programs_test.py BIN_FOLDER [unittest options]"""
import os
import pty
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest

import grpc

from chatd import HERE, LIMIT, Chatd, Lines, User, messages, wait_until

sys.path.insert(0, os.path.join(HERE, "..", "support"))
from real_server import free_port  # noqa: E402

BIN = ""
FAST = ("--send-rate", "1000000", "--login-rate", "100000", "--admin", "root")


def weir_chat(node, user, *args, stdin=subprocess.DEVNULL):
    return Lines(os.path.join(BIN, "weir-chat"), "--server", node.address, "--user", user,
                 "--register", *args, stdin=stdin, env={"WEIR_CHAT_PASSWORD": "password-" + user,
                                                        "LC_ALL": "C.UTF-8"})


class Chat(unittest.TestCase):
    def setUp(self):
        self.node = Chatd(BIN, *FAST, port=free_port())  # kept while the node is dead
        self.addCleanup(self.node.__exit__)

    def chat(self, user, *args, **kwargs):
        program = weir_chat(self.node, user, *args, **kwargs)
        self.addCleanup(program.__exit__)
        return program

    def user(self, name):
        made = User(self.node, name)
        self.addCleanup(made.close)
        return made

    def test_two_talk(self):
        ann = self.chat("ann", "--room", "r", stdin=subprocess.PIPE)
        ann.wait_line(r"\* welcome to r$")
        bob = self.chat("bob", "--room", "r", stdin=subprocess.PIPE)
        bob.wait_line(r"\* welcome to r$")
        ann.say("hello from C")
        bob.wait_line(r"^\d\d:\d\d:\d\d <ann> hello from C$")
        bob.say("grüße 你好")
        ann.wait_line(r"<bob> grüße 你好$")
        for program in (ann, bob):
            program.process.stdin.close()
            self.assertEqual(program.stop(None), (0, ""))

    def test_direct_messages_come_to_who_was_away(self):
        ann = self.chat("ann", "--to", "bob", stdin=subprocess.PIPE)
        bob = self.user("bob")
        ann.say("are you there?")
        ann.wait_line("are you there")
        ann.process.stdin.close()
        self.assertEqual(ann.stop(None)[0], 0)
        self.assertEqual(bob.texts(), ["are you there?"])

    def test_the_node_dies_and_comes_back(self):
        """What is said meanwhile is stored when it is back, once."""
        store = f"sqlite:{self.node.folder.name}/chat.db"
        port = self.node.address.rsplit(":", 1)[1]
        ann = self.chat("ann", "--room", "r", stdin=subprocess.PIPE)
        ann.wait_line(r"\* welcome to r$")
        ann.say("before")
        ann.wait_line("<ann> before")
        self.node.stop(signal.SIGKILL)
        ann.say("while it is dead")
        with Chatd(BIN, *FAST, "--store", store, port=port) as again:
            ann.wait_line("<ann> while it is dead")
            reader = User(again, "ann")
            ann.process.stdin.close()
            self.assertEqual(ann.stop(None)[0], 0)
            history = reader.do(reader.messages.History, messages.HistoryRequest(
                conversation=reader.sync().conversations[0].id))
            self.assertEqual([m.text for m in history.messages], ["before", "while it is dead"])
            reader.close()

    def test_topics(self):
        listener = self.chat("c", "subscribe", "news")
        listener.wait_line(r"\[welcome\] welcome: c, you hear 1 topic$")
        sender = self.chat("third", "notify", "news", "grüße", "text")
        sender.wait_line(r"^sent, number 1")
        self.assertEqual(sender.stop(None), (0, ""))
        listener.wait_line(r"\[news info\] grüße: text \(third\)$")
        listener.stop()

    def test_wrong_password_and_nobody_listening(self):
        self.user("ann")
        done = subprocess.run([os.path.join(BIN, "weir-chat"), "--server", self.node.address,
                               "--user", "ann", "--password", "wrong-password"],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=LIMIT)
        self.assertEqual(done.returncode, 1)
        self.assertIn("wrong name or password", done.stderr)
        done = subprocess.run([os.path.join(BIN, "weir-chat"), "--server", "127.0.0.1:1", "--user",
                               "a", "--password", "password", "notify", "a", "b", "c"],
                              capture_output=True, text=True, timeout=LIMIT)
        self.assertEqual(done.returncode, 1)
        self.assertIn("cannot connect to 127.0.0.1:1", done.stderr)

    def test_tls(self):
        with tempfile.TemporaryDirectory(prefix="weir-certs-") as certs:
            subprocess.run([sys.executable, "-B", os.path.join(HERE, "..", "support",
                            "make_certs.py"), certs], check=True, capture_output=True)

            def install(name):
                for ending in ("pem", "key"):
                    shutil.copy(f"{certs}/{name}.{ending}", f"{certs}/used.{ending}")
            install("server")
            with Chatd(BIN, "--tls-cert", f"{certs}/used.pem",
                       "--tls-key", f"{certs}/used.key") as node:
                def friends(*options):
                    with Lines(os.path.join(BIN, "weir-chat"), "--server", node.address, "--user",
                               "ann", "--password", "password", "--register", *options,
                               "friends") as program:
                        return program.stop(None)
                self.assertEqual(friends("--ca", f"{certs}/ca.pem"), (0, ""))
                status, errors = friends("--ca", f"{certs}/other-ca.pem")
                self.assertEqual(status, 1)
                self.assertIn("certificate", errors)
                self.assertEqual(friends()[0], 1, "plaintext to a TLS port")
                install("expired")
                node.process.send_signal(signal.SIGHUP)

                def refused():
                    return friends("--ca", f"{certs}/ca.pem")[0] == 1
                wait_until(refused, "the new certificate, which has expired")
                self.assertEqual(node.stop()[0], 0)

    def test_admin_commands(self):
        root = self.chat("root", "counters")
        self.assertEqual(root.stop(None)[0], 0)
        self.assertTrue(any(re.match(r"messages_stored\s+0$", line) for line in self.rest(root)))
        self.assertEqual(self.chat("root", "drain").stop(None)[0], 0)
        self.assertEqual(self.node.stop(None)[0], 0)

    @staticmethod
    def rest(program):
        lines = list(program.seen)
        while not program.lines.empty():
            lines.append(program.lines.get())
        return lines

    def test_a_subscriber_that_does_not_read_costs_bounded_memory(self):
        """It misses nothing for all that: what it has not read is in the store."""
        stopped = self.chat("stopped", "subscribe", "flood")
        stopped.wait_line(r"\[welcome\]")
        stopped.process.send_signal(signal.SIGSTOP)
        reader, sender = self.user("reader"), self.user("sender")
        stream = reader.notifications.Subscribe(
            messages.SubscribeRequest(topics=["flood"]), metadata=reader.token, timeout=200)
        next(stream)
        total, got = 20_000, []
        reading = threading.Thread(
            target=lambda: [got.append(next(stream).seq) for _ in range(total)])
        reading.start()
        before = self.node.rss_kib()
        calls = []
        for i in range(total):
            calls.append(sender.notifications.SendNotification.future(
                messages.SendNotificationRequest(topic="flood", title=f"{i}", body="x" * 1000),
                metadata=sender.token, timeout=200))
            if len(calls) == 500:
                for call in calls:
                    call.result()
                calls = []
        reading.join()
        self.assertEqual(got, list(range(1, total + 1)))
        grown = self.node.rss_kib() - before
        # SQLite's caches (64 MiB for each of its connections) and queues; not 20 MB for the reader.
        if "WEIR_MEMORY_IS_HIDDEN" not in os.environ:
            self.assertLess(grown, 220 * 1024, f"grew by {grown} KiB")
        stopped.process.send_signal(signal.SIGCONT)
        stopped.wait_line(rf"\[flood info\] {total - 1}: x")
        titles = [line for line in stopped.seen if "[flood" in line]
        self.assertEqual(len(titles), total)
        stream.cancel()


class Terminal(unittest.TestCase):
    """weir-chat at a terminal of 80 columns."""

    def setUp(self):
        self.node = Chatd(BIN, *FAST)
        self.addCleanup(self.node.__exit__)
        self.seen = ""

    def open(self, user, *args, locale="C.UTF-8"):
        pid, self.fd = pty.fork()
        if pid == 0:
            os.environ.update(TERM="vt100", COLUMNS="80", LINES="24", LC_ALL=locale,
                              WEIR_CHAT_PASSWORD="password-" + user)
            program = os.path.join(BIN, "weir-chat")
            os.execv(program, [program, "--server", self.node.address, "--user", user,
                               "--register", *args])
        self.addCleanup(os.close, self.fd)
        self.addCleanup(self.end, pid)

    @staticmethod
    def end(pid):
        try:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        except (ProcessLookupError, ChildProcessError):
            pass

    def type(self, text):
        os.write(self.fd, text.encode())

    def expect(self, pattern):
        deadline = time.monotonic() + LIMIT
        while not re.search(pattern, self.seen):
            ready = select.select([self.fd], [], [], max(0, deadline - time.monotonic()))[0]
            self.assertTrue(ready, f"{pattern!r} never came; seen: {self.seen!r}")
            try:
                self.seen += os.read(self.fd, 65536).decode(errors="replace")
            except OSError:
                self.fail(f"it ended before {pattern!r} came; seen: {self.seen!r}")
        self.seen = self.seen[re.search(pattern, self.seen).end():]

    def test_typing_completion_and_leaving(self):
        bob = User(self.node, "bob-the-builder")
        self.addCleanup(bob.close)
        bob.join("lobby")
        self.open("ann")
        self.expect("welcome to lobby")
        bob.send("hi ann", room="lobby")
        self.expect("<bob-the-builder> hi ann")
        self.type("hello bob-t\t")
        self.expect("he-builder ")
        self.type("\r")
        wait_until(lambda: any("hello bob-the-builder" in m.text for m in self.texts(bob)),
                   "what was typed")
        self.type("/quit\r")
        deadline = time.monotonic() + LIMIT
        while time.monotonic() < deadline:
            try:
                if not os.read(self.fd, 65536):
                    break
            except OSError:
                break
        else:
            self.fail("it did not end")

    @staticmethod
    def texts(user):
        return user.do(user.messages.History, messages.HistoryRequest(
            conversation=user.sync().conversations[0].id)).messages

    def test_chinese(self):
        self.open("li", "--lang", "zh")
        self.expect("lobby")
        self.type("/help\r")
        self.expect("[\u4e00-\u9fff]{2}")

    def test_long_lines_are_wrapped_at_80_columns(self):
        bob = User(self.node, "bob")
        self.addCleanup(bob.close)
        bob.join("lobby")
        self.open("ann")
        self.expect("welcome to lobby")
        bob.send("字词 " * 60 + "word " * 40 + "END", room="lobby")
        self.expect("<bob>")
        shown = "<bob>" + self.seen
        while "END" not in shown:
            shown += os.read(self.fd, 65536).decode(errors="replace")
        for line in shown[:shown.index("END")].split("\n"):
            width = sum(2 if "\u4e00" <= c <= "\u9fff" else 1
                        for c in re.sub(r"\x1b\[[0-9;]*[A-Za-z]|\r", "", line))
            self.assertLessEqual(width, 80, line)


class CommandLine(unittest.TestCase):
    def run_chatd(self, *args):
        with tempfile.TemporaryDirectory(prefix="weir-chat-") as folder:
            return subprocess.run([os.path.join(BIN, "weir-chatd"), *args], capture_output=True,
                                  text=True, timeout=LIMIT, cwd=folder)

    def test_bad_options_are_one_line_and_status_2(self):
        for args in (["--bogus"], ["--port", "x"], ["--port", "70000"], ["stray"],
                     ["--threads", "-1"], ["--registry", "x"], ["backup"], ["--password-cost", "9"]):
            done = self.run_chatd(*args)
            self.assertEqual(done.returncode, 2, args)
            self.assertRegex(done.stderr, r"\Aweir-chatd: [^\n]+\n\Z")

    def test_what_cannot_start_is_one_line_and_status_1(self):
        with socket.socket() as holder:
            holder.bind(("127.0.0.1", 0))
            holder.listen()
            taken = "127.0.0.1:%d" % holder.getsockname()[1]
            for args, words in ((["--listen", taken], "already in use"),
                                (["--listen", "nowhere"], "nowhere"),
                                (["--store", "floppy:x"], "store|sqlite"),
                                (["--store", "sqlite:/no/such/folder/x.db"], "/no/such/folder"),
                                (["--store", "mariadb://u:p@127.0.0.1:1/x"], "MariaDB|connect"),
                                (["--bus", "pigeon:x"], "bus|redis")):
                done = self.run_chatd("--port", "0", *args)
                self.assertEqual(done.returncode, 1, (args, done.stderr))
                self.assertRegex(done.stderr, r"\Aweir-chatd: [^\n]+\n\Z")
                self.assertRegex(done.stderr, words)

    def test_system_notifications_come_by_themselves(self):
        with Chatd(BIN, "--system-interval", "1") as node:
            with weir_chat(node, "c", "subscribe", "anything") as listener:
                listener.wait_line(r"\[system\] system: 1 connections, \d+ calls? running$")

    def test_for_ends_by_itself(self):
        done = self.run_chatd("--port", "0", "--for", "1s")
        self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_a_second_signal_stops_at_once(self):
        with Chatd(BIN, "--drain", "60") as node:
            ann = User(node, "ann")
            stream = ann.chat()
            node.process.send_signal(signal.SIGINT)
            stream.wait_kind("drain")
            node.process.send_signal(signal.SIGINT)
            self.assertEqual(node.process.wait(timeout=LIMIT), 128 + signal.SIGINT)
            self.assertEqual(stream.wait_end()[0], grpc.StatusCode.UNAVAILABLE)
            ann.close()

    def test_nodes_are_announced_and_withdrawn(self):
        with tempfile.TemporaryDirectory(prefix="weir-registry-") as registry:
            def announced():
                return [name for _, _, names in os.walk(registry) for name in names]
            with Chatd(BIN, "--registry", f"file:{registry}") as node:
                wait_until(lambda: len(announced()) >= 7, "seven services")
                with Lines(os.path.join(BIN, "weir-chat"), "--server",
                           f"file://{registry}/weir.chat.v1.AccountService", "--user", "ann",
                           "--register", "--password", "password", "friends") as friends:
                    self.assertEqual(friends.stop(None)[0], 0)
                self.assertEqual(node.stop()[0], 0)
            self.assertEqual(announced(), [])


if __name__ == "__main__":
    BIN = os.path.abspath(sys.argv.pop(1))
    unittest.main()
