#!/usr/bin/python3
"""The checks of the chaos test can fail: each kind of damage to a recorded transcript is found.

    transcripts_test.py

recorded_transcript.txt is what a small run of chaos_test.py has left (--keep), which was right.
"""

import collections
import unittest
from pathlib import Path

from transcripts import DAMAGES, Transcripts, damage, faults

RECORDED = Path(__file__).with_name("recorded_transcript.txt")
# What is said of each kind of damage, among other things.
SAYS = {
    "drop": "did not see seq",
    "hole": "missed seq",
    "double": "2 times",
    "swap": "saw seq",
    "alter": "altered text",
    "again": "more than once",
    "reorder": "'s message",
}


def recorded():
    with open(RECORDED, encoding="utf-8") as lines:
        return Transcripts(lines)


def stored_of(found):
    """What the database would have: as the first member saw it."""
    return collections.defaultdict(list, {
        conversation: list(found.seen[members[0], conversation])
        for conversation, members in found.members.items()})


class TranscriptsTest(unittest.TestCase):
    def test_nothing_is_wrong_with_what_was_recorded(self):
        found = recorded()
        self.assertGreater(found.count(), 500)
        self.assertEqual(faults(found, stored_of(found)), [])

    def test_each_kind_of_damage_is_found(self):
        self.assertEqual(set(SAYS), set(DAMAGES))
        for kind, says in SAYS.items():
            with self.subTest(kind):
                found = recorded()
                damage(found, kind)
                wrong = faults(found)
                self.assertTrue(any(says in sentence for sentence in wrong), wrong)

    def test_a_store_that_differs_is_found(self):
        found = recorded()
        stored = stored_of(found)
        conversation = next(c for c, messages in stored.items() if messages)
        stored[conversation].pop()
        self.assertTrue(any("exactly what is stored" in w for w in faults(found, stored)))

    def test_a_message_without_an_answer_is_found(self):
        found = recorded()
        entries = next(e for e in found.acknowledged.values() if e)
        entries.pop()
        self.assertTrue(any("neither acknowledged" in w for w in faults(found)))

    def test_a_refused_message_is_found(self):
        found = recorded()
        found.failures.append("u001 7 13 internal")
        self.assertTrue(any("was refused" in w for w in faults(found)))

    def test_messages_of_strangers_are_found(self):
        found = recorded()
        conversation, members = next(iter(found.members.items()))
        stranger = next(u for m in found.members.values() for u in m if u not in members)
        found.seen[stranger, conversation] = list(found.seen[members[0], conversation])
        self.assertTrue(any("in which it is not" in w for w in faults(found)))


if __name__ == "__main__":
    unittest.main()
