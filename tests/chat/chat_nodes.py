"""What the tests of a chat cluster share: nodes of weir-chatd on MariaDB and Redis behind HAProxy,
many users (chat-users), and what must hold in the end."""

import collections
import json
import queue
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

# pylint: disable=wrong-import-position
from haproxy import HAProxy  # noqa: E402
from mariadb import MariaDB  # noqa: E402
from redis import Redis  # noqa: E402
from transcripts import Message, Transcripts, damage, faults  # noqa: E402
from real_server import die_with_parent, free_port, stand_still  # noqa: E402

NODES = 3
STORED = ("SELECT m.conversation, m.seq, m.id, u.name, m.client_id, m.text FROM messages m"
          " JOIN users u ON u.id = m.sender_id ORDER BY m.conversation, m.seq")
LIMIT = 60  # seconds until something that must happen counts as missing


def wait_until(condition, what, limit=LIMIT):
    until = time.monotonic() + limit
    while not (found := condition()):
        assert time.monotonic() < until, f"never came: {what}"
        time.sleep(0.02)  # the rate of asking, not what is waited for
    return found


class Node:
    """weir-chatd on a port of its own, which it keeps. It may be told to start while what it needs
    is away: whoever looks after it starts it again until it stays (look_after)."""

    def __init__(self, program, folder, number, args):
        self.port = free_port()
        self.name = f"node{number}"
        self.log = folder / f"{self.name}.log"
        self.command = [program, "--port", str(self.port), "--node", self.name, *args]
        self.process = None
        self.lines = None
        self.is_listening = False
        self.is_wanted = False

    def start(self):
        self.is_wanted = True
        self.is_listening = False
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(self.command, stdout=subprocess.PIPE, stderr=log,
                                            stdin=subprocess.DEVNULL, text=True,
                                            preexec_fn=die_with_parent)
        self.lines = queue.Queue()
        threading.Thread(target=self._read, args=(self.process, self.lines), daemon=True).start()

    @staticmethod
    def _read(process, lines):
        for line in process.stdout:
            lines.put(line)

    def look_after(self):
        """Whether it serves. @raise AssertionError: it has ended by itself while it served"""
        if not self.is_wanted:
            return False
        if not self.is_listening and not self.lines.empty():
            self.is_listening = bool(re.match(r"listening on ", self.lines.get()))
        status = self.process.poll()
        if status is None:
            return self.is_listening
        assert status == 1 and not self.is_listening, \
            f"a node ended with {status}: {self.tail()}"
        self.start()
        return False

    def kill(self):
        self.is_wanted = False
        if self.process:
            self.process.kill()
            self.process.wait()
        self.process = None

    def stop(self):
        stand_still(self.process)

    def cont(self):
        self.process.send_signal(signal.SIGCONT)

    def end(self):
        """SIGTERM; returns its exit status."""
        self.is_wanted = False
        self.process.terminate()
        status = self.process.wait(timeout=LIMIT)
        self.process = None
        return status

    def tail(self):
        return self.log.read_text(errors="replace")[-3000:]


def all_serve(nodes):
    return all([node.look_after() for node in nodes])


class Cluster:
    def __init__(self, programs, folder):
        self.mariadb = self.redis = self.balancer = None
        self.nodes = []
        self.commits_before = 0
        try:
            self._start(programs, folder)
        except BaseException:
            self.close()
            raise

    def _start(self, programs, folder):
        self.mariadb = MariaDB()
        self.redis = Redis()
        args = ["--store", self.mariadb.url("chat"), "--bus", self.redis.url, "--threads", "2",
                "--password-cost", "10", "--login-rate", "100000", "--send-rate", "100000",
                "--system-interval", "0"]
        self.nodes = [Node(programs / "weir-chatd", folder, i + 1, args) for i in range(NODES)]
        for node in self.nodes:
            node.start()
            wait_until(node.look_after, "a node that serves")
        self.balancer = HAProxy([node.port for node in self.nodes])

    def commits(self):
        """Of all lives of MariaDB so far."""
        rows = self.mariadb.query("SHOW GLOBAL STATUS LIKE 'Com_commit'")
        return self.commits_before + int(rows[0][1])

    def kill_mariadb(self):
        self.commits_before = self.commits()
        self.mariadb.kill()

    def stored(self):
        found = collections.defaultdict(list)
        for conversation, seq, key, sender, client_id, text in self.mariadb.query(STORED, "chat"):
            found[int(conversation)].append(Message(int(seq), int(key), sender, client_id, text))
        return found

    def count_stored(self):
        return int(self.mariadb.query("SELECT COUNT(*) FROM messages", "chat")[0][0])

    def close(self):
        for node in self.nodes:
            node.kill()
        for server in (self.balancer, self.redis, self.mariadb):
            if server:
                server.close()

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        for node in self.nodes if kind else ():
            print(f"--- {node.name}\n{node.tail()}")
        self.close()


class Users:
    def __init__(self, program, target, transcript, seed, users, messages, rate, drop_ms=0):
        self.transcript = transcript
        self.process = subprocess.Popen(
            [program, target, str(transcript), *(str(n) for n in
                                                 (seed, users, messages, rate, drop_ms))],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, preexec_fn=die_with_parent)

    def ask(self, word="report"):
        self.process.stdin.write(word + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        assert line, f"chat-users has ended with {self.process.wait(timeout=LIMIT)}"
        return json.loads(line)

    def kill(self):
        self.process.kill()
        self.process.wait()


def is_quiet(cluster, users, count):
    """Everybody is connected and has seen what is stored: then the last report, else false."""
    now = users.ask()
    return (all_serve(cluster.nodes) and now["live"] == count and now["unanswered"] == 0
            and now["behind"] == 0 and now["top"] == cluster.count_stored() and now)


def verify(cluster, users, kind=None):
    """That everybody has seen what is stored. @param kind  of damage that is done before
    @return how many deliveries there were"""
    users.ask("flush")
    with open(users.transcript, encoding="utf-8") as lines:
        found = Transcripts(lines)
    if kind:
        damage(found, kind)
    wrong = faults(found, cluster.stored())
    for sentence in wrong[:20]:
        print("WRONG:", sentence)
    assert not wrong, f"{len(wrong)} promises were broken"
    return found.count()
