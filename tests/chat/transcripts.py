"""What users said and saw (see users/transcript.c), and what must hold of it.

Each check yields sentences about what is wrong. A message is (seq, id, sender, client_id, text).
"""

import collections
from typing import NamedTuple


class Message(NamedTuple):
    seq: int
    id: int
    sender: str
    client_id: str
    text: str


class Transcripts:
    def __init__(self, lines):
        self.members = {}                                 # conversation: users
        self.seen = collections.defaultdict(list)         # (user, conversation): Messages
        self.acknowledged = collections.defaultdict(list)  # conversation: (user, number, seq, id)
        self.said = collections.Counter()                 # by user
        self.abandoned = set()                            # (user, number)
        self.failures = []
        self.read = {"C": self._conversation, "S": self._said, "A": self._acknowledged,
                     "F": self._failed, "X": self._abandoned, "M": self._saw}
        for line in lines:
            kind, rest = line.rstrip("\n").split(" ", 1)
            self.read[kind](rest)

    def _conversation(self, rest):
        conversation, _, members = rest.split(" ")
        self.members[int(conversation)] = members.split(",")

    def _said(self, rest):
        self.said[rest.split(" ")[0]] += 1

    def _acknowledged(self, rest):
        user, number, conversation, seq, key = rest.split(" ")
        self.acknowledged[int(conversation)].append((user, int(number), int(seq), int(key)))

    def _failed(self, rest):
        self.failures.append(rest)

    def _abandoned(self, rest):
        user, number = rest.split(" ")
        self.abandoned.add((user, int(number)))

    def _saw(self, rest):
        user, conversation, seq, key, sender, client_id, text = rest.split(" ", 6)
        self.seen[user, int(conversation)].append(
            Message(int(seq), int(key), sender, client_id, text))

    def count(self):
        return sum(len(seen) for seen in self.seen.values())


def each_sees_a_message_once_and_in_order(found):
    for (user, conversation), seen in found.seen.items():
        keys = collections.Counter(message.id for message in seen)
        for key, times in keys.items():
            if times > 1:
                yield f"{user} saw message {key} of {conversation} {times} times"
        for before, after in zip(seen, seen[1:]):
            if after.seq <= before.seq:
                yield f"{user} saw seq {after.seq} of {conversation} after {before.seq}"
            elif after.seq > before.seq + 1:
                yield f"{user} missed seq {before.seq + 1} to {after.seq - 1} of {conversation}"


def each_member_sees_what_was_acknowledged(found):
    for conversation, acknowledged in found.acknowledged.items():
        for user in found.members[conversation]:
            seen = {message.seq: message for message in found.seen[user, conversation]}
            for sender, number, seq, key in acknowledged:
                got = seen.get(seq)
                if got is None:
                    yield f"{user} did not see seq {seq} of {conversation}, which {sender} was told is stored"
                elif (got.id, got.sender, got.client_id) != (key, sender, str(number)):
                    yield (f"{user} saw {got} of {conversation}, and {sender} was told that it is "
                           f"its message {number} with id {key}")


def a_message_is_what_its_sender_said(found):
    for (user, conversation), seen in found.seen.items():
        for message in seen:
            if message.text != f"{message.sender} says {message.client_id}":
                yield f"{user} saw an altered text in {conversation}: {message}"
            elif int(message.client_id) >= found.said[message.sender]:
                yield f"{user} saw in {conversation} what nobody has said: {message}"


def all_members_see_the_same(found):
    for conversation, members in found.members.items():
        first = found.seen[members[0], conversation]
        for user in members[1:]:
            if found.seen[user, conversation] != first:
                yield f"{user} and {members[0]} saw different messages in {conversation}"
    for user, conversation in found.seen:
        if user not in found.members.get(conversation, ()):
            yield f"{user} saw messages of {conversation}, in which it is not"


def a_sender_is_heard_in_the_order_of_saying(found):
    """Those who came back without a message may hear of it later: it is left out."""
    for (user, conversation), seen in found.seen.items():
        last = {}
        for message in seen:
            number = int(message.client_id)
            if (message.sender, number) in found.abandoned:
                continue
            if number <= last.get(message.sender, -1):
                yield (f"{user} saw {message.sender}'s message {number} in {conversation} after "
                       f"{last[message.sender]}")
            last[message.sender] = number


def a_message_is_stored_once(found):
    places = collections.defaultdict(set)
    for (_, conversation), seen in found.seen.items():
        for message in seen:
            places[message.sender, message.client_id].add((conversation, message.seq))
    for (sender, client_id), where in places.items():
        if len(where) > 1:
            yield f"{sender}'s message {client_id} is there more than once: {sorted(where)}"


def every_message_is_answered(found):
    for failure in found.failures:
        yield f"a message was refused: {failure}"
    answered = collections.defaultdict(set)
    for acknowledged in found.acknowledged.values():
        for user, number, _, _ in acknowledged:
            answered[user].add(number)
    for user, count in found.said.items():
        for number in set(range(count)) - answered[user]:
            if (user, number) not in found.abandoned:
                yield f"{user}'s message {number} was neither acknowledged nor given up"


CHECKS = (each_sees_a_message_once_and_in_order, each_member_sees_what_was_acknowledged,
          a_message_is_what_its_sender_said, all_members_see_the_same,
          a_sender_is_heard_in_the_order_of_saying, a_message_is_stored_once,
          every_message_is_answered)


def same_as_stored(found, stored):
    """`stored`: {conversation: [Message, in the order of seq]}"""
    for conversation, members in found.members.items():
        for user in members:
            if found.seen[user, conversation] != stored.get(conversation, []):
                yield f"{user} did not see exactly what is stored of {conversation}"
    for conversation in stored.keys() - found.members.keys():
        yield f"conversation {conversation} is stored, and nobody has made it"


def faults(found, stored=None):
    """All that is wrong."""
    wrong = [sentence for check in CHECKS for sentence in check(found)]
    return wrong + (list(same_as_stored(found, stored)) if stored is not None else [])


def damage(found, kind):
    """Alters what one user saw, so that a check must find it."""
    acknowledged = {(conversation, entry[2]) for conversation, entries in found.acknowledged.items()
                    for entry in entries}
    conversation, seen = next(
        (conversation, seen) for (_, conversation), seen in found.seen.items()
        if len(seen) > 4 and (conversation, seen[-1].seq) in acknowledged)
    if kind == "drop":
        del seen[-1]
    elif kind == "hole":
        del seen[1]
    elif kind == "double":
        seen.append(seen[-2])
    elif kind == "swap":
        seen[1], seen[2] = seen[2], seen[1]
    elif kind == "alter":
        seen[1] = seen[1]._replace(text=seen[1].text + "!")
    elif kind == "again":
        # Stored a second time, with a seq of its own, and everybody saw it.
        again = seen[-1]._replace(seq=seen[-1].seq + 1, id=seen[-1].id + 1)
        for user in found.members[conversation]:
            found.seen[user, conversation].append(again)
    elif kind == "reorder":
        reorder(found)
    else:
        raise ValueError(kind)


def reorder(found):
    """Two messages of one sender change places, for everybody."""
    for conversation, members in found.members.items():
        seen = found.seen[members[0], conversation]
        for i, first in enumerate(seen):
            for j in range(i + 1, len(seen)):
                if seen[j].sender == first.sender:
                    for user in members:
                        copy = found.seen[user, conversation]
                        copy[i] = seen[j]._replace(seq=first.seq, id=first.id)
                        copy[j] = first._replace(seq=seen[j].seq, id=seen[j].id)
                    return
    raise ValueError("nobody has said two things in one conversation")


DAMAGES = ("drop", "hole", "double", "swap", "alter", "again", "reorder")
