#!/usr/bin/python3
"""What weir-chatd's services do, and what they refuse: services_test.py BIN_FOLDER KIND [unittest options]

KIND is "local" (SQLite, and everything within the process) or "cluster" (MariaDB and Redis): the same
cases hold over both.
"""
import os
import re
import sys
import threading
import unittest

import grpc

from chatd import HERE, LIMIT, Chatd, Stream, User, messages, stubs, wait_until

sys.path.insert(0, os.path.join(HERE, "..", "support"))
from mariadb import MariaDB  # noqa: E402
from redis import Redis  # noqa: E402

Code = grpc.StatusCode
BIN = ""
KIND = ""
servers = []


def setUpModule():
    if KIND == "cluster":
        servers.extend((MariaDB(), Redis()))


def tearDownModule():
    for server in servers:
        server.close()


def seams(name):
    """A database of its own for each class; Redis is shared, as user ids are unique."""
    if not servers:
        return ()
    database, redis = servers
    return ("--store", database.url("chat_" + name.lower()), "--bus", redis.url)


class NodeTest(unittest.TestCase):
    """One node for all cases of a class; each case makes its own users."""
    OPTIONS = ("--send-rate", "100000", "--login-rate", "100000", "--admin", "root")

    @classmethod
    def setUpClass(cls):
        cls.node = Chatd(BIN, *cls.OPTIONS, *seams(cls.__name__))
        cls.open = []

    @classmethod
    def tearDownClass(cls):
        for user in cls.open:
            user.close()
        status, errors = cls.node.stop()
        cls.node.folder.cleanup()
        assert status == 0, f"exit status {status}: {errors}"

    def user(self, name):
        """Named for the case: cases share the node."""
        made = User(self.node, f"{name}.{self.id().split('_')[-1]}"[:32])
        self.open.append(made)
        return made

    def assert_fails(self, code, words, function, *args, **kwargs):
        with self.assertRaises(grpc.RpcError) as caught:
            function(*args, **kwargs)
        self.assertEqual(caught.exception.code(), code, caught.exception.details())
        self.assertRegex(caught.exception.details(), words)


class Accounts(NodeTest):
    def log_in(self, name, password):
        with grpc.insecure_channel(self.node.address) as channel:
            return stubs.AccountServiceStub(channel).LogIn(
                messages.LogInRequest(name=name, password=password), timeout=LIMIT)

    def register(self, name, password="password"):
        with grpc.insecure_channel(self.node.address) as channel:
            return stubs.AccountServiceStub(channel).Register(
                messages.RegisterRequest(name=name, password=password), timeout=LIMIT)

    def test_registered_users_log_in(self):
        ann = self.user("ann")
        reply = self.log_in(ann.name, "password-" + ann.name)
        self.assertEqual(reply.profile.name, ann.name)
        self.assert_fails(Code.UNAUTHENTICATED, "wrong name or password",
                          self.log_in, ann.name, "password")
        self.assert_fails(Code.UNAUTHENTICATED, "wrong name or password",
                          self.log_in, "nobody.at.all", "password")

    def test_a_name_is_taken_once(self):
        ann = self.user("ann")
        self.assert_fails(Code.ALREADY_EXISTS, "taken", self.register, ann.name)

    def test_of_those_who_race_for_a_name_one_gets_it(self):
        codes = []

        def race():
            try:
                self.register("wanted")
                codes.append("ok")
            except grpc.RpcError as error:
                codes.append(error.code())
        racers = [threading.Thread(target=race) for _ in range(8)]
        for racer in racers:
            racer.start()
        for racer in racers:
            racer.join()
        self.assertEqual(codes.count("ok"), 1)
        self.assertEqual(codes.count(Code.ALREADY_EXISTS), 7)

    def test_bad_names_and_passwords_are_refused(self):
        for name in ("", "Ann", "a b", "a/b", "x" * 33, "ä"):
            self.assert_fails(Code.INVALID_ARGUMENT, "name", self.register, name)
        self.assert_fails(Code.INVALID_ARGUMENT, "8 to 128", self.register, "good", "short")
        self.assert_fails(Code.INVALID_ARGUMENT, "8 to 128", self.register, "good", "x" * 129)

    def test_profiles(self):
        ann, bob = self.user("ann"), self.user("bob")
        ann.do(ann.accounts.SetProfile,
               messages.SetProfileRequest(display_name="Ann 安", about="about me"))
        seen = bob.do(bob.accounts.GetProfile, messages.GetProfileRequest(name=ann.name))
        self.assertEqual((seen.display_name, seen.about), ("Ann 安", "about me"))
        self.assertEqual(seen.presence, messages.PRESENCE_UNSPECIFIED, "strangers do not see it")
        own = ann.do(ann.accounts.GetProfile, messages.GetProfileRequest())
        self.assertEqual(own.name, ann.name)
        self.assert_fails(Code.NOT_FOUND, "nobody", bob.do, bob.accounts.GetProfile,
                          messages.GetProfileRequest(name="nobody"))
        self.assert_fails(Code.INVALID_ARGUMENT, "display_name", ann.do, ann.accounts.SetProfile,
                          messages.SetProfileRequest(display_name="x" * 65))

    def test_a_changed_password_ends_older_tokens(self):
        ann = self.user("ann")
        old = ann.token
        stream = ann.chat()
        reply = ann.do(ann.accounts.ChangePassword, messages.ChangePasswordRequest(
            old_password="password-" + ann.name, new_password="another-one"))
        self.assert_fails(Code.UNAUTHENTICATED, "log in again", ann.sync)
        self.assert_fails(Code.UNAUTHENTICATED, "log in again", ann.send, "x", room="none")
        self.assert_fails(Code.UNAUTHENTICATED, "log in again", next, ann.do(
            ann.notifications.Subscribe, messages.SubscribeRequest(topics=["t"])))
        stream.put(heads=messages.HeadsRequest())
        self.assertEqual(stream.wait_end()[0], Code.UNAUTHENTICATED)
        ann.token = (("authorization", "Bearer " + reply.token),)
        ann.sync()
        self.assertNotEqual(old, ann.token)
        self.log_in(ann.name, "another-one")

    def test_forged_tokens_are_refused(self):
        ann = self.user("ann")
        good = ann.token[0][1]
        for forged in ("", "Bearer ", "Bearer x", good[:-1], good + "A", good.lower(),
                       good[:20] + ("A" if good[20] != "A" else "B") + good[21:],
                       "Bearer " + "A" * 200, "Basic " + good[7:]):
            ann.token = (("authorization", forged),) if forged else ()
            self.assert_fails(Code.UNAUTHENTICATED, "token", ann.sync)
            stream = Stream(ann)
            self.assertEqual(stream.wait_end()[0], Code.UNAUTHENTICATED)


class WrongPasswords(NodeTest):
    OPTIONS = ("--login-rate", "50", "--send-rate", "100000")

    def test_a_thousand_wrong_log_ins(self):
        """They are refused without being checked, and who is logged in goes on undisturbed."""
        ann = self.user("ann")
        codes = {}
        with grpc.insecure_channel(self.node.address) as channel:
            accounts = stubs.AccountServiceStub(channel)
            calls = [accounts.LogIn.future(messages.LogInRequest(
                name=f"victim{i % 7}", password="wrong-password"), timeout=LIMIT)
                for i in range(1000)]
            ann.join("quiet")
            for i in range(20):
                ann.send(f"{i}", room="quiet")
            for call in calls:
                codes[call.code()] = codes.get(call.code(), 0) + 1
        self.assertEqual(set(codes), {Code.UNAUTHENTICATED, Code.RESOURCE_EXHAUSTED})
        self.assertGreater(codes[Code.RESOURCE_EXHAUSTED], 700)
        self.assertEqual(len(ann.texts()), 20)

    def test_one_name_has_few_attempts(self):
        with grpc.insecure_channel(self.node.address) as channel:
            accounts = stubs.AccountServiceStub(channel)
            texts = []
            for _ in range(30):
                with self.assertRaises(grpc.RpcError) as caught:
                    accounts.LogIn(messages.LogInRequest(name="one", password="wrong-password"))
                texts.append(caught.exception.details())
        # Not all after the first few: one more is allowed every now and then.
        refused = [text for text in texts if re.match(r"too many attempts: try again in \d+ s", text)]
        self.assertTrue(refused, texts)


class People(NodeTest):
    def relation(self, user, other):
        people = user.do(user.people.ListPeople, messages.ListPeopleRequest()).people
        return next((p for p in people if p.profile.name == other.name), None)

    def act(self, user, action, other):
        return user.do(getattr(user.people, action), messages.PersonRequest(name=other.name))

    def test_friends(self):
        ann, bob = self.user("ann"), self.user("bob")
        stream = bob.chat()
        self.assert_fails(Code.FAILED_PRECONDITION, "not asked", self.act, ann, "AcceptFriend", bob)
        self.assertEqual(self.act(ann, "RequestFriend", bob).relation, messages.RELATION_ASKED)
        self.assertEqual(self.relation(bob, ann).relation, messages.RELATION_ASKS)
        self.assertEqual(stream.wait_kind("person").profile.name, ann.name)
        self.assertEqual(self.act(bob, "AcceptFriend", ann).relation, messages.RELATION_FRIEND)
        self.assertEqual(self.relation(ann, bob).relation, messages.RELATION_FRIEND)
        self.assertEqual(self.act(ann, "RemoveFriend", bob).relation,
                         messages.RELATION_UNSPECIFIED)
        self.assertIsNone(self.relation(bob, ann))

    def test_two_who_ask_each_other_are_friends(self):
        ann, bob = self.user("ann"), self.user("bob")
        self.act(ann, "RequestFriend", bob)
        self.assertEqual(self.act(bob, "RequestFriend", ann).relation, messages.RELATION_FRIEND)

    def test_who_is_blocked_is_not_heard_and_does_not_see(self):
        ann, bob = self.user("ann"), self.user("bob")
        ann.send("before", user=bob.name)
        direct = bob.sync().conversations[0].id
        self.act(bob, "Block", ann)
        for to in ({"user": bob.name}, {"conversation": direct}):
            self.assert_fails(Code.PERMISSION_DENIED, "hear", ann.send, "after", **to)
        self.assert_fails(Code.PERMISSION_DENIED, "blocked", self.act, ann, "RequestFriend", bob)
        self.assert_fails(Code.PERMISSION_DENIED, "blocked", ann.do,
                          ann.conversations.CreateConversation, messages.CreateConversationRequest(
                              kind=messages.CONVERSATION_KIND_GROUP, members=[bob.name]))
        self.assertIsNone(self.relation(ann, bob))
        self.act(bob, "Unblock", ann)
        ann.send("again", user=bob.name)
        self.assertEqual(bob.texts(), ["before", "again"])

    def test_wrong_names(self):
        ann = self.user("ann")
        self.assert_fails(Code.NOT_FOUND, "nobody", ann.do, ann.people.RequestFriend,
                          messages.PersonRequest(name="nobody"))
        self.assert_fails(Code.INVALID_ARGUMENT, "own name", self.act, ann, "RequestFriend", ann)

    def test_friends_see_presence(self):
        ann, bob = self.user("ann"), self.user("bob")
        self.act(ann, "RequestFriend", bob)
        self.act(bob, "AcceptFriend", ann)
        watching = ann.chat()

        def seen():
            return self.relation(ann, bob).profile
        self.assertEqual(seen().presence, messages.PRESENCE_OFFLINE)
        stream = bob.chat(presence=messages.PRESENCE_AWAY)
        wait_until(lambda: seen().presence == messages.PRESENCE_AWAY, "away")
        self.assertEqual(watching.wait_kind("presence").user, bob.name)
        stream.put(presence=messages.PRESENCE_ONLINE)
        wait_until(lambda: seen().presence == messages.PRESENCE_ONLINE, "online")
        second = bob.chat()
        stream.close()
        second.close()
        wait_until(lambda: seen().presence == messages.PRESENCE_OFFLINE, "offline")
        self.assertGreater(seen().last_seen_us, 0)
        watching.wait(lambda f: f.presence.presence == messages.PRESENCE_OFFLINE, "told offline")


class Conversations(NodeTest):
    def group(self, owner, *members, **kwargs):
        return owner.do(owner.conversations.CreateConversation, messages.CreateConversationRequest(
            kind=messages.CONVERSATION_KIND_GROUP, members=[m.name for m in members], **kwargs))

    def member(self, user, action, conversation, other, **kwargs):
        return user.do(getattr(user.conversations, action), messages.MemberRequest(
            conversation=conversation.id, user=other.name, **kwargs))

    def test_a_group_is_its_members(self):
        ann, bob, cat = self.user("ann"), self.user("bob"), self.user("cat")
        group = self.group(ann, bob, title="trip")
        self.assertEqual(group.role, messages.ROLE_OWNER)
        ann.send("for two", conversation=group.id)
        self.assert_fails(Code.NOT_FOUND, "no such conversation of yours",
                          cat.send, "let me in", conversation=group.id)
        self.assert_fails(Code.NOT_FOUND, "no such conversation of yours",
                          cat.do, cat.messages.History,
                          messages.HistoryRequest(conversation=group.id))
        self.assert_fails(Code.NOT_FOUND, "no such conversation of yours", cat.do,
                          cat.conversations.ListMembers,
                          messages.ListMembersRequest(conversation=group.id))
        stream = cat.chat()
        self.member(ann, "AddMember", group, cat)
        self.assertEqual(stream.wait_kind("conversation").id, group.id)
        stream.wait_heads(group.id)
        ann.send("for three", conversation=group.id)
        stream.wait_message("for three")
        self.assertEqual(cat.texts(), ["for three"], "what was said before is not for her")
        history = cat.do(cat.messages.History,
                         messages.HistoryRequest(conversation=group.id, before_seq=100))
        self.assertEqual([m.text for m in history.messages], ["for three"])
        members = bob.do(bob.conversations.ListMembers,
                         messages.ListMembersRequest(conversation=group.id)).members
        self.assertEqual([(m.user, m.role) for m in members],
                         [(ann.name, messages.ROLE_OWNER), (bob.name, messages.ROLE_MEMBER),
                          (cat.name, messages.ROLE_MEMBER)])
        self.member(ann, "RemoveMember", group, cat)
        self.assertEqual(stream.wait_kind("left"), group.id)
        ann.send("for two again", conversation=group.id)
        self.assert_fails(Code.NOT_FOUND, "yours", cat.send, "still here", conversation=group.id)
        self.assertEqual(cat.texts(), [])

    def test_roles(self):
        ann, bob, cat = self.user("ann"), self.user("bob"), self.user("cat")
        group = self.group(ann, bob, cat)
        denied = Code.PERMISSION_DENIED
        self.assert_fails(denied, "owners and admins", self.member, bob, "RemoveMember", group, cat)
        self.assert_fails(denied, "owners and admins", self.member, bob, "SetRole", group, cat,
                          role=messages.ROLE_READER)
        self.member(ann, "SetRole", group, bob, role=messages.ROLE_ADMIN)
        self.assert_fails(denied, "owner", self.member, bob, "RemoveMember", group, ann)
        self.assert_fails(denied, "owner", self.member, bob, "SetRole", group, cat,
                          role=messages.ROLE_OWNER)
        self.member(bob, "SetRole", group, cat, role=messages.ROLE_READER)
        self.assert_fails(denied, "only read", cat.send, "psst", conversation=group.id)
        self.assert_fails(Code.INVALID_ARGUMENT, "role", self.member, ann, "SetRole", group, cat,
                          role=9)
        self.assert_fails(Code.FAILED_PRECONDITION, "owner", ann.do, ann.conversations.Leave,
                          messages.ConversationRequest(conversation=group.id))
        self.member(ann, "SetRole", group, bob, role=messages.ROLE_OWNER)
        ann.do(ann.conversations.Leave, messages.ConversationRequest(conversation=group.id))
        self.assertEqual(len(ann.sync().conversations), 0)

    def test_rooms(self):
        ann, bob = self.user("ann"), self.user("bob")
        self.assert_fails(Code.NOT_FOUND, "no room", bob.do, bob.conversations.Join,
                          messages.JoinRequest(room="hall"))
        self.assertEqual(ann.join("hall").role, messages.ROLE_OWNER)
        ann.send("first", room="hall")
        self.assert_fails(Code.NOT_FOUND, "yours", bob.send, "hi", room="hall")
        self.assertEqual(bob.join("hall").role, messages.ROLE_MEMBER)
        self.assertEqual(bob.join("hall").role, messages.ROLE_MEMBER, "again is fine")
        self.assertEqual(bob.texts(), [], "a room's past is not sent to who joins")
        past = bob.do(bob.messages.History, messages.HistoryRequest(
            conversation=bob.sync().conversations[0].id))
        self.assertEqual([m.text for m in past.messages], ["first"], "but it is open")
        self.assert_fails(Code.ALREADY_EXISTS, "room", bob.do,
                          bob.conversations.CreateConversation, messages.CreateConversationRequest(
                              kind=messages.CONVERSATION_KIND_ROOM, name="hall"))
        bob.do(bob.conversations.Leave,
               messages.ConversationRequest(conversation=bob.sync().conversations[0].id))
        self.assertEqual(len(bob.sync().conversations), 0)

    def test_wrong_requests(self):
        ann = self.user("ann")
        create = ann.conversations.CreateConversation
        for request, words in (
                (messages.CreateConversationRequest(), "kind"),
                (messages.CreateConversationRequest(kind=messages.CONVERSATION_KIND_DIRECT), "kind"),
                (messages.CreateConversationRequest(kind=messages.CONVERSATION_KIND_ROOM,
                                                    name="Bad Name"), "name"),
                (messages.CreateConversationRequest(kind=messages.CONVERSATION_KIND_GROUP,
                                                    title="x" * 129), "title")):
            self.assert_fails(Code.INVALID_ARGUMENT, words, ann.do, create, request)
        self.assert_fails(Code.NOT_FOUND, "exist", ann.do, create, messages.CreateConversationRequest(
            kind=messages.CONVERSATION_KIND_GROUP, members=["nobody"]))
        for id_ in (0, 1, 2**63, 2**64 - 1):
            self.assert_fails(Code.NOT_FOUND, "yours", ann.send, "x", conversation=id_)
            self.assert_fails(Code.NOT_FOUND, "yours", ann.do, ann.conversations.Leave,
                              messages.ConversationRequest(conversation=id_))


class Messages(NodeTest):
    def test_a_message_is_numbered_stored_and_pushed(self):
        ann, bob = self.user("ann"), self.user("bob")
        stream, own = bob.chat(), ann.chat()
        sent = [ann.send("m0", user=bob.name)]
        for listening in (stream, own):
            listening.wait_heads(sent[0].conversation)
        sent += [ann.send(f"m{i}", user=bob.name) for i in (1, 2)]
        self.assertEqual([s.seq for s in sent], [1, 2, 3])
        self.assertLess(sent[0].id, sent[1].id)
        self.assertEqual(len({s.conversation for s in sent}), 1)
        for i in range(3):
            got = stream.wait_message(f"m{i}") if i else None
            if got:
                self.assertEqual((got.id, got.seq, got.sender), (sent[i].id, i + 1, ann.name))
        own.wait_message("m2")
        self.assertEqual(bob.texts(), ["m0", "m1", "m2"])

    def test_a_repeated_client_id_is_the_same_message(self):
        ann, bob = self.user("ann"), self.user("bob")
        first = ann.send("once", client_id="c1", user=bob.name)
        again = ann.send("once", client_id="c1", user=bob.name)
        self.assertFalse(first.repeated)
        self.assertTrue(again.repeated)
        self.assertEqual((first.id, first.seq), (again.id, again.seq))
        other = bob.send("his own", client_id="c1", user=ann.name)
        self.assertFalse(other.repeated, "client ids are the sender's own")
        self.assertEqual(bob.texts(), ["once", "his own"])

    def test_of_those_who_race_with_a_client_id_one_is_stored(self):
        ann, bob = self.user("ann"), self.user("bob")
        ann.send("first", user=bob.name)
        calls = [ann.messages.Send.future(messages.SendMessageRequest(
            user=bob.name, client_id="same", text="once"), metadata=ann.token, timeout=LIMIT)
            for _ in range(50)]
        replies = [c.result() for c in calls]
        self.assertEqual(len({r.id for r in replies}), 1)
        self.assertEqual(sum(not r.repeated for r in replies), 1)
        self.assertEqual(bob.texts(), ["first", "once"])

    def test_many_at_once_are_in_one_order_for_all(self):
        users = [self.user(f"u{i}") for i in range(4)]
        for user in users:
            user.join("busy")
        streams = [user.chat() for user in users]
        for n in range(50):
            for i, stream in enumerate(streams):
                stream.put(send=messages.SendMessageRequest(
                    room="busy", client_id=f"{n}", text=f"{i}.{n}"))
        for stream in streams:
            wait_until(lambda s=stream: s.count("message") == 200, "all messages")
            self.assertEqual(stream.count("sent"), 50)
        pulled = [m for m in self.pull(users[0])]
        self.assertEqual([m.seq for m in pulled], list(range(1, 201)))
        for stream in streams:
            pushed = [f.message for f in stream.frames if f.WhichOneof("frame") == "message"]
            if KIND == "cluster":  # its threads may overtake each other: clients sort by seq
                pushed.sort(key=lambda m: m.seq)
            self.assertEqual([(m.seq, m.text) for m in pushed], [(m.seq, m.text) for m in pulled])
        for i in range(4):
            own = [m.text for m in pulled if m.text.startswith(f"{i}.")]
            self.assertEqual(own, [f"{i}.{n}" for n in range(50)], "a stream's order is kept")

    @staticmethod
    def pull(user):
        """All that Sync gives, page by page."""
        positions, more = {}, True
        while more:
            reply = user.sync(limit=7, positions=[
                messages.Position(conversation=c, seq=s) for c, s in positions.items()])
            more = reply.more
            for message in reply.messages:
                positions[message.conversation] = message.seq
                yield message

    def test_history_in_pages(self):
        ann, bob = self.user("ann"), self.user("bob")
        for i in range(10):
            sent = ann.send(f"{i}", user=bob.name)

        def page(**kwargs):
            reply = bob.do(bob.messages.History, messages.HistoryRequest(
                conversation=sent.conversation, **kwargs))
            return "".join(m.text for m in reply.messages), reply.more
        self.assertEqual(page(), ("0123456789", False))
        self.assertEqual(page(limit=4), ("0123", True))
        self.assertEqual(page(after_seq=4, limit=4), ("4567", True))
        self.assertEqual(page(after_seq=8), ("89", False))
        self.assertEqual(page(before_seq=2**64 - 1, limit=3), ("789", True))
        self.assertEqual(page(before_seq=4, limit=3), ("012", False))
        self.assertEqual(page(after_seq=2**64 - 1), ("", False))

    def test_marks_move_forward_only(self):
        ann, bob = self.user("ann"), self.user("bob")
        for i in range(5):
            id_ = ann.send(f"{i}", user=bob.name).conversation
        watching, stream = ann.chat(), bob.chat()

        def acknowledge(**mark):
            bob.do(bob.messages.Acknowledge, messages.AcknowledgeRequest(
                marks=[messages.Mark(conversation=id_, **mark)]))

        def marks():
            c = bob.sync().conversations[0]
            return c.delivered_seq, c.read_seq
        acknowledge(delivered_seq=3, read_seq=2)
        self.assertEqual(marks(), (3, 2))
        self.assertEqual(bob.texts(), ["3", "4"], "a device that is new begins there")
        acknowledge(delivered_seq=1, read_seq=1)
        self.assertEqual(marks(), (3, 2))
        acknowledge(delivered_seq=2**64 - 1)
        self.assertEqual(marks(), (5, 2))
        stream.put(acknowledge=messages.Mark(conversation=id_, read_seq=4))
        wait_until(lambda: marks() == (5, 4), "a mark by the stream")
        told = watching.wait_kind("mark")
        self.assertEqual((told.user, told.read_seq), (bob.name, 4))

    def test_wrong_messages(self):
        ann, bob = self.user("ann"), self.user("bob")
        invalid = Code.INVALID_ARGUMENT
        self.assert_fails(invalid, "text", ann.send, "", user=bob.name)
        self.assert_fails(invalid, "text", ann.send, "x" * 4097, user=bob.name)
        self.assert_fails(invalid, "client_id", ann.send, "x", client_id="x" * 65, user=bob.name)
        self.assert_fails(invalid, "to whom", ann.send, "x")
        self.assert_fails(invalid, "name", ann.send, "x", user="Not A Name")
        self.assert_fails(Code.NOT_FOUND, "nobody", ann.send, "x", user="nobody")
        self.assert_fails(invalid, "own name", ann.send, "x", user=ann.name)
        ann.send("字" * 1365, user=bob.name)
        self.assertEqual(len(bob.texts()), 1)

    def test_text_that_is_not_utf8(self):
        ann, bob = self.user("ann"), self.user("bob")
        good = messages.SendMessageRequest(user=bob.name, client_id="x", text="@@@@")
        for bad in (b"\xff\xff\xff\xff", b"\xc0\x80ab", b"\xed\xa0\x80a", b"abc\xe2"):
            raw = good.SerializeToString().replace(b"@@@@", bad)
            call = ann.channel.unary_unary("/weir.chat.v1.MessageService/Send")
            self.assert_fails(Code.INTERNAL, "(?i)utf-8", call, raw, metadata=ann.token)
        self.assertEqual(bob.texts(), [])

    def test_the_same_over_the_stream(self):
        ann, bob = self.user("ann"), self.user("bob")
        stream = ann.chat()
        for client_id, text, code in (("a", "", 3), ("b", "x" * 4097, 3)):
            stream.put(send=messages.SendMessageRequest(user=bob.name, client_id=client_id,
                                                        text=text))
            failed = stream.wait(lambda f, c=client_id: f.send_failed.client_id == c, "failure")
            self.assertEqual(failed.send_failed.code, code)
        stream.put(send=messages.SendMessageRequest(user=bob.name, client_id="c", text="good"))
        self.assertEqual(stream.wait_kind("sent").client_id, "c")
        self.assertEqual(bob.texts(), ["good"])

    def test_who_has_said_everything_still_hears_the_answers(self):
        ann, bob = self.user("ann"), self.user("bob")
        frames = ann.live.Chat(iter(
            [messages.ClientFrame(hello=messages.Hello())] +
            [messages.ClientFrame(send=messages.SendMessageRequest(
                user=bob.name, client_id=f"{i}", text=f"{i}")) for i in range(100)]),
            metadata=ann.token, timeout=LIMIT)
        answered = [f.sent.client_id for f in frames if f.WhichOneof("frame") == "sent"]
        self.assertEqual(answered, [f"{i}" for i in range(100)])

    def test_a_stream_begins_with_a_hello(self):
        ann = self.user("ann")
        stream = Stream(ann)
        stream.wait_kind("heads")
        stream.put(hello=messages.Hello())
        self.assertEqual(stream.wait_end(), (Code.FAILED_PRECONDITION, "a second hello"))

    def test_listening_without_sending(self):
        ann, bob = self.user("ann"), self.user("bob")
        frames = bob.live.Listen(messages.ListenRequest(), metadata=bob.token, timeout=LIMIT)
        self.assertEqual(next(frames).WhichOneof("frame"), "heads")
        ann.send("hello", user=bob.name)
        self.assertEqual(next(frames).WhichOneof("frame"), "conversation")
        frames.cancel()


class Rates(NodeTest):
    OPTIONS = ("--send-rate", "5", "--login-rate", "1000", "--admin", "root")

    def test_a_user_who_sends_too_fast_is_told(self):
        ann, bob = self.user("ann"), self.user("bob")
        codes = []
        for i in range(60):
            try:
                ann.send(f"{i}", user=bob.name)
                codes.append(Code.OK)
            except grpc.RpcError as error:
                codes.append(error.code())
                self.assertIn("too fast", error.details())
        self.assertIn(Code.RESOURCE_EXHAUSTED, codes)
        self.assertEqual(len(bob.texts()), codes.count(Code.OK))
        bob.send("others are not slowed down", user=ann.name)

    def test_other_calls_have_a_limit_too(self):
        ann, bob = self.user("ann"), self.user("bob")
        with self.assertRaises(grpc.RpcError) as caught:
            for _ in range(200):
                ann.sync()
        self.assertEqual(caught.exception.code(), Code.RESOURCE_EXHAUSTED)
        self.assertIn("too many calls", caught.exception.details())
        bob.sync()

    def test_a_flood_of_questions_costs_little(self):
        ann, root = self.user("ann"), User(self.node, "root")
        stream = ann.chat()
        before = root.counters()
        for _ in range(2000):
            stream.put(heads=messages.HeadsRequest())
        stream.put(presence=messages.PRESENCE_AWAY)
        stream.wait(lambda f: stream.count("heads") >= 2, "an answer")
        self.assertEqual(stream.close()[0], Code.OK)
        self.assertLess(root.counters()["heads_sent"] - before["heads_sent"], 1000)
        root.close()


class Notifications(NodeTest):
    def subscribe(self, user, *topics, **kwargs):
        return user.do(user.notifications.Subscribe,
                       messages.SubscribeRequest(topics=topics, **kwargs))

    def notify(self, user, topic, title, **kwargs):
        return user.do(user.notifications.SendNotification, messages.SendNotificationRequest(
            topic=topic, title=title, body="body", **kwargs))

    def test_subscribers_hear_what_is_sent(self):
        ann, bob = self.user("ann"), self.user("bob")
        stream = self.subscribe(bob, "news", "other")
        welcome = next(stream)
        self.assertEqual(welcome.type, messages.NOTIFICATION_TYPE_WELCOME)
        self.assertEqual(welcome.body, f"{bob.name}, you hear 2 topics")
        sent = self.notify(ann, "news", "grüße", type=messages.NOTIFICATION_TYPE_ALERT)
        got = next(stream)
        self.assertEqual((got.id, got.seq, got.topic, got.title, got.body, got.sender, got.type),
                         (sent.id, sent.seq, "news", "grüße", "body", ann.name,
                          messages.NOTIFICATION_TYPE_ALERT))
        stream.cancel()

    def test_stored_ones_come_first_when_asked_for(self):
        ann = self.user("ann")
        for i in range(250):
            self.notify(ann, "log", f"n{i}")

        def titles(count, **kwargs):
            stream = self.subscribe(ann, "log", **kwargs)
            next(stream)
            got = [next(stream).title for _ in range(count)]
            stream.cancel()
            return got
        self.assertEqual(titles(2, recent=2), ["n248", "n249"])
        position = [messages.TopicPosition(topic="log", after_seq=10)]
        self.assertEqual(titles(240, positions=position), [f"n{i}" for i in range(10, 250)])

    def test_nobody_misses_one_or_gets_one_twice(self):
        """Subscribers that come while notifications are sent get each from their position on."""
        ann, reader = self.user("ann"), self.user("reader")
        for i in range(5):
            self.notify(ann, "race", f"{i}")
        total, streams = 200, []

        def send():
            for i in range(5, total):
                self.notify(ann, "race", f"{i}")
        sender = threading.Thread(target=send)
        sender.start()
        for _ in range(10):
            streams.append(self.subscribe(
                reader, "race", positions=[messages.TopicPosition(topic="race")]))
        sender.join()
        for stream in streams:
            next(stream)
            self.assertEqual([next(stream).seq for _ in range(total)],
                             list(range(1, total + 1)))
            stream.cancel()

    def test_the_same_client_id_is_one_notification(self):
        ann = self.user("ann")
        first = self.notify(ann, "ids", "x", client_id="1")
        self.assertEqual(self.notify(ann, "ids", "x", client_id="1"), first)
        self.assertEqual(self.notify(ann, "ids", "x").seq, 2)

    def test_wrong_requests(self):
        ann = self.user("ann")
        invalid = Code.INVALID_ARGUMENT
        for topics, words in (([], "topics"), (["a"] * 65, "topics"), (["a" * 65], "topic"),
                              (["A B"], "topic")):
            self.assert_fails(invalid, words, next, self.subscribe(ann, *topics))
        self.assert_fails(invalid, "title", self.notify, ann, "t", "x" * 257)
        self.assert_fails(invalid, "type", self.notify, ann, "t", "x",
                          type=messages.NOTIFICATION_TYPE_SYSTEM)


class Admins(NodeTest):
    def test_counters_are_for_admins(self):
        ann, root = self.user("ann"), User(self.node, "root")
        self.assert_fails(Code.PERMISSION_DENIED, "--admin", ann.counters)
        before = root.counters()
        ann.join("counted")
        ann.send("one", room="counted")
        stream = ann.chat()
        after = root.counters()
        self.assertEqual(after["messages_stored"], before["messages_stored"] + 1)
        self.assertEqual(after["sessions_now"], 1)
        stream.close()
        self.assert_fails(Code.PERMISSION_DENIED, "--admin", ann.do, ann.admin.DrainNode,
                          messages.DrainRequest())
        root.close()


class Stops(unittest.TestCase):
    def test_a_drained_node_tells_its_clients(self):
        with Chatd(BIN, "--admin", "root", "--drain", "5") as node:
            root, ann = User(node, "root"), User(node, "ann")
            stream = ann.chat()
            root.do(root.admin.DrainNode, messages.DrainRequest())
            self.assertGreater(stream.wait_kind("drain").reconnect_after_ms, 0)
            self.assertEqual(stream.close()[0], Code.OK, "what runs may finish")
            for user in (root, ann):
                user.close()
            self.assertEqual(node.stop(None)[0], 0)

    def test_what_was_stored_is_there_after_a_crash(self):
        with Chatd(BIN) as node:
            store = f"sqlite:{node.folder.name}/chat.db"
            ann = User(node, "ann")
            ann.join("r")
            sent = [ann.send(f"{i}", room="r") for i in range(20)]
            node.process.kill()
            node.stop(None)
            ann.close()
            with Chatd(BIN, "--store", store) as again:
                ann = User(again, "ann")
                got = ann.sync().messages
                self.assertEqual([(m.id, m.seq) for m in got], [(s.id, s.seq) for s in sent])
                self.assertEqual(ann.send("on", room="r").seq, 21)
                ann.close()

    def test_backup_and_restore(self):
        with Chatd(BIN) as node:
            store = f"sqlite:{node.folder.name}/chat.db"
            ann = User(node, "ann")
            ann.join("r")
            ann.send("kept", room="r")
            self.run_command(store, "backup", f"{node.folder.name}/copy.db")
            ann.send("later", room="r")
            ann.close()
            self.assertEqual(node.stop()[0], 0)
            self.run_command(store, "restore", f"{node.folder.name}/copy.db")
            with Chatd(BIN, "--store", store) as again:
                ann = User(again, "ann")
                self.assertEqual(ann.texts(), ["kept"])
                ann.close()

    def run_command(self, store, *args):
        import subprocess
        done = subprocess.run([os.path.join(BIN, "weir-chatd"), *args, "--store", store],
                              capture_output=True, text=True, timeout=LIMIT)
        self.assertEqual((done.returncode, done.stderr), (0, ""))


if __name__ == "__main__":
    BIN = os.path.abspath(sys.argv.pop(1))
    KIND = sys.argv.pop(1)
    unittest.main()
