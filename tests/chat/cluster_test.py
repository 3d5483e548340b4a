#!/usr/bin/python3
"""Two nodes over a real MariaDB and a real Redis: cluster_test.py BIN_FOLDER [unittest options]

Two of the cases force a race at its exact point: a user who looked online and had just left, and one who
looked offline and had just come.
"""
import os
import sys
import time
import unittest

import grpc

from chatd import HERE, LIMIT, Chatd, User, messages, wait_until

sys.path.insert(0, os.path.join(HERE, "..", "support"))
from fault_proxy import FaultProxy  # noqa: E402
from mariadb import MariaDB  # noqa: E402
from redis import Redis  # noqa: E402

Code = grpc.StatusCode
BIN = ""
FAST = ("--send-rate", "100000", "--login-rate", "100000", "--admin", "root", "--drain", "1")


class ClusterTest(unittest.TestCase):
    """Nodes a and b; b reaches Redis through a proxy that misbehaves on demand."""

    @classmethod
    def setUpClass(cls):
        cls.database, cls.redis = MariaDB(), Redis()
        cls.to_redis = FaultProxy(("127.0.0.1", cls.redis.port))
        store = ("--store", cls.database.url("chat"))
        cls.a = Chatd(BIN, *FAST, *store, "--bus", cls.redis.url, "--node", "a")
        proxied = "redis://%s:%d" % cls.to_redis.address
        cls.b = Chatd(BIN, *FAST, *store, "--bus", proxied, "--node", "b")
        cls.root_a, cls.root_b = User(cls.a, "root"), User(cls.b, "root")

    @classmethod
    def tearDownClass(cls):
        cls.root_a.close()
        cls.root_b.close()
        ends = [node.stop() for node in (cls.a, cls.b)]
        cls.to_redis.close()
        cls.redis.close()
        cls.database.close()
        for status, errors in ends:
            assert status == 0, f"exit status {status}: {errors}"

    def setUp(self):
        self.users = []

    def tearDown(self):
        for user in self.users:
            user.close()

    def user(self, node, name, address=None):
        made = User(node, f"{name}.{self.id().split('_')[-1]}"[:32], address)
        self.users.append(made)
        return made

    def wait_bus(self):
        """Until a message from a reaches b and the other way round."""
        pair = [self.user(self.a, "probe1"), self.user(self.b, "probe2")]
        for user in pair:
            user.join(f"probe.{time.monotonic_ns()}" if user is pair[0] else self.room)
            self.room = user.sync().conversations[-1].name
        streams = [user.chat() for user in pair]
        for sender, reader in ((0, 1), (1, 0)):
            def arrives():
                text = str(time.monotonic_ns())
                pair[sender].send(text, room=self.room)
                deadline = time.monotonic() + 0.3
                while time.monotonic() < deadline:
                    with streams[reader].changed:
                        if any(f.message.text == text for f in streams[reader].frames):
                            return True
                        streams[reader].changed.wait(0.05)
                return False
            wait_until(arrives, "a message over the bus")
        for stream in streams:
            stream.close()

    def test_users_of_two_nodes_hear_each_other(self):
        ann, bob = self.user(self.a, "ann"), self.user(self.b, "bob")
        at_a, at_b = ann.chat(), bob.chat()
        ann.send("hello", user=bob.name)
        self.assertEqual(at_b.wait_kind("conversation").name, ann.name)
        heads = at_b.wait(lambda f: len(f.heads.conversations) == 1, "heads with the new one").heads
        self.assertEqual(heads.node, "b")
        at_a.wait_heads(heads.conversations[0].id)
        bob.send("hello back", user=ann.name)
        at_a.wait_message("hello back")
        ann.send("again", user=bob.name)
        self.assertEqual(at_b.wait_message("again").seq, 3)
        ann.do(ann.people.RequestFriend, messages.PersonRequest(name=bob.name))
        self.assertEqual(at_b.wait_kind("person").relation, messages.RELATION_ASKS)
        bob.do(bob.people.AcceptFriend, messages.PersonRequest(name=ann.name))
        seen = ann.do(ann.accounts.GetProfile, messages.GetProfileRequest(name=bob.name))
        self.assertEqual(seen.presence, messages.PRESENCE_ONLINE, "of a user on the other node")
        at_b.put(acknowledge=messages.Mark(
            conversation=heads.conversations[0].id, delivered_seq=3))
        self.assertEqual(at_a.wait_kind("mark").delivered_seq, 3)
        at_b.close()
        at_a.wait(lambda f: f.presence.presence == messages.PRESENCE_OFFLINE, "told offline")

    def test_subscribers_of_two_nodes_hear_a_topic(self):
        ann, bob = self.user(self.a, "ann"), self.user(self.b, "bob")
        stream = bob.do(bob.notifications.Subscribe, messages.SubscribeRequest(topics=["t"]))
        next(stream)
        sent = [ann.do(ann.notifications.SendNotification, messages.SendNotificationRequest(
            topic="t", title=f"{i}")).seq for i in range(20)]
        self.assertEqual([next(stream).seq for _ in range(20)], sent)
        stream.cancel()

    def test_one_client_id_on_two_nodes_is_one_message(self):
        ann_a, bob = self.user(self.a, "ann"), self.user(self.b, "bob")
        ann_b = self.user(self.b, "ann")
        ann_a.send("first", user=bob.name)
        for round_ in range(10):
            calls = [user.messages.Send.future(messages.SendMessageRequest(
                user=bob.name, client_id=f"same{round_}", text=f"once {round_}"),
                metadata=user.token, timeout=LIMIT) for user in (ann_a, ann_b) * 5]
            replies = [call.result() for call in calls]
            self.assertEqual(len({(r.id, r.seq) for r in replies}), 1)
            self.assertEqual(sum(not r.repeated for r in replies), 1)
        got = bob.sync().messages
        self.assertEqual([m.text for m in got], ["first"] + [f"once {i}" for i in range(10)])
        self.assertEqual([m.seq for m in got], list(range(1, 12)))

    def test_of_two_first_messages_to_each_other_comes_one_conversation(self):
        for round_ in range(40):
            ann, bob = self.user(self.a, f"ann{round_}"), self.user(self.b, f"bob{round_}")
            calls = [user.messages.Send.future(messages.SendMessageRequest(
                user=other.name, client_id="1", text="hi"), metadata=user.token, timeout=LIMIT)
                for user, other in ((ann, bob), (bob, ann))]
            replies = [call.result() for call in calls]
            self.assertEqual(len({r.conversation for r in replies}), 1)
            self.assertEqual(sorted(r.seq for r in replies), [1, 2])

    def test_looked_online_had_just_left(self):
        """The node pushes into a stream whose client is gone already: the push is lost, the message
        is not, and comes once."""
        ann = self.user(self.a, "ann")
        host, port = self.b.address.rsplit(":", 1)
        with FaultProxy((host, int(port))) as way:
            bob = self.user(self.b, "bob", "%s:%d" % way.address)
            for user in (ann, bob):
                user.join("online-left")
            stream = bob.chat()
            ann.send("before", room="online-left")
            stream.wait_message("before")
            way.set("stall")  # from here on bob hears nothing; for the node he is there
            pushed = self.root_b.counters()["frames_pushed"]
            ann.send("lost on its way", room="online-left")
            wait_until(lambda: self.root_b.counters()["frames_pushed"] == pushed + 1, "the push")
            way.cut()
            stream.wait_end()
            self.assertEqual(stream.count("message"), 1, "the push never came")
            way.set("pass")
        back = self.user(self.b, "bob")
        again = back.chat()
        head = again.wait_kind("heads").conversations[0]
        self.assertEqual(head.last_seq, 2)
        got = back.sync(positions=[messages.Position(conversation=head.id, seq=1)]).messages
        self.assertEqual([m.text for m in got], ["lost on its way"])

    def test_looked_offline_had_just_come(self):
        """A message is published while the reader's node is not yet heard by the bus: nobody pushes it,
        and the Heads that come afterwards have it."""
        ann, bob = self.user(self.a, "ann"), self.user(self.b, "bob")
        for user in (ann, bob):
            user.join("offline-come")
        before = self.root_b.counters()
        self.to_redis.set("stall")
        try:
            frames = bob.live.Listen(messages.ListenRequest(), metadata=bob.token, timeout=LIMIT)
            wait_until(lambda: self.root_b.counters()["sessions_now"] ==
                       before["sessions_now"] + 1, "bob's stream")
            sent = ann.send("published into the void", room="offline-come")
            during = self.root_b.counters()
            self.assertEqual(during["heads_sent"], before["heads_sent"],
                             "no Heads before the bus is heard")
        finally:
            self.to_redis.set("pass")
        first = next(frames)
        self.assertEqual(first.WhichOneof("frame"), "heads", "nothing was pushed before")
        self.assertEqual(first.heads.conversations[0].last_seq, sent.seq)
        self.assertEqual([m.text for m in bob.sync().messages], ["published into the void"])
        frames.cancel()

    def test_a_bus_that_is_away_delays_and_loses_nothing(self):
        ann, bob = self.user(self.a, "ann"), self.user(self.b, "bob")
        near = self.user(self.a, "near")
        for user in (ann, bob, near):
            user.join("redis-away")
        at_b, at_a = bob.chat(), near.chat()
        subscription = bob.do(bob.notifications.Subscribe,
                              messages.SubscribeRequest(topics=["away"]))
        next(subscription)
        self.redis.kill()
        sent = ann.send("while it is away", room="redis-away")
        ann.do(ann.notifications.SendNotification,
               messages.SendNotificationRequest(topic="away", title="noted"))
        at_a.wait_message("while it is away")  # the same node needs no bus
        self.redis.start()
        at_b.wait(lambda f: any(c.last_seq == sent.seq for c in f.heads.conversations),
                  "heads when the bus is back")
        self.assertEqual(next(subscription).title, "noted")
        subscription.cancel()
        self.wait_bus()

    def test_a_database_that_is_killed(self):
        ann = self.user(self.a, "ann")
        ann.join("db-killed")
        ann.send("before", room="db-killed")
        self.database.kill()
        with self.assertRaises(grpc.RpcError) as caught:
            ann.send("during", room="db-killed", client_id="during")
        self.assertEqual(caught.exception.code(), Code.UNAVAILABLE)
        self.assertIn("try again", caught.exception.details())
        self.database.start()
        self.send_until_stored(ann, "during", "db-killed")
        self.assertEqual(ann.texts(), ["before", "during"])

    def test_a_database_that_hangs(self):
        """Waiting is bounded: everybody is answered, and what has no place is refused."""
        ann = self.user(self.a, "ann")
        ann.join("db-hangs")
        ann.send("before", room="db-hangs")
        self.database.stop()
        try:
            began = time.monotonic()
            calls = [ann.messages.Send.future(messages.SendMessageRequest(
                room="db-hangs", client_id=f"{i}", text=f"{i}"), metadata=ann.token, timeout=60)
                for i in range(100)]
            codes = {call.code() for call in calls}
            self.assertLessEqual(codes, {Code.UNAVAILABLE, Code.RESOURCE_EXHAUSTED})
            self.assertLess(time.monotonic() - began, 40)
        finally:
            self.database.cont()
        for i in range(100):
            self.send_until_stored(ann, f"{i}", "db-hangs")
        got = ann.sync(limit=500).messages
        self.assertEqual(len(got), 101, "each once, whatever became of the first attempts")
        self.assertEqual({m.text for m in got}, {"before"} | {f"{i}" for i in range(100)})

    def send_until_stored(self, user, text, room):
        def stored():
            try:
                return user.send(text, room=room, client_id=text)
            except grpc.RpcError as error:
                self.assertIn(error.code(), (Code.UNAVAILABLE, Code.RESOURCE_EXHAUSTED))
                return None
        wait_until(stored, "a database that is back")


class NoBus(unittest.TestCase):
    def test_a_node_serves_while_its_bus_has_never_been_there(self):
        with Chatd(BIN, *FAST, "--bus", "redis://127.0.0.1:1") as node:
            ann = User(node, "ann")
            ann.join("alone")
            stream = ann.chat()
            ann.send("hello", room="alone")
            stream.wait_message("hello")
            ann.close()
            self.assertEqual(node.stop()[0], 0)


if __name__ == "__main__":
    BIN = os.path.abspath(sys.argv.pop(1))
    unittest.main()
