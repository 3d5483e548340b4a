#!/usr/bin/python3
"""Lines between clients: chat and relay. Usage: rooms_test.py FOLDER-OF-PROGRAMS"""

import sys
import unittest

from example import Server, is_ended, is_silent, read_exactly, read_line


def say(sock, line):
    sock.sendall(line.encode() + b"\n")


class Chat(unittest.TestCase):
    def enter(self, server, *names):
        """Members who have heard of each other."""
        members = []
        for name in names:
            sock = server.connect()
            self.addCleanup(sock.close)
            say(sock, f"/nick {name}")
            members.append(sock)
        self.meet(members, names)
        return members

    def meet(self, members, names):
        """Each says hello until all the others have heard it: entering takes its time."""
        for speaker, name in zip(members, names):
            others = [sock for sock in members if sock is not speaker]
            waiting = list(others)
            while waiting:
                say(speaker, "hello?")
                waiting = [sock for sock in waiting if is_silent(sock, 0.05)]
            say(speaker, "hello!")
            for sock in others:
                while (line := read_line(sock)) != f"{name}: hello!\n".encode():
                    self.assertEqual(line, f"{name}: hello?\n".encode())

    def test_lines_go_to_everybody_else_in_order(self):
        with Server("08-chat") as server:
            ann, bob, cat = self.enter(server, "ann", "bob", "cat")
            for number in range(100):
                say(ann, f"line {number}")
            for sock in (bob, cat):
                for number in range(100):
                    self.assertEqual(read_line(sock), b"ann: line %d\n" % number)
            self.assertTrue(is_silent(ann, 0.1))

    def test_two_speakers_are_heard_in_one_order(self):
        with Server("08-chat") as server:
            ann, bob, cat, dan = self.enter(server, "ann", "bob", "cat", "dan")
            for number in range(100):
                say(ann, f"{number}")
                say(bob, f"{number}")
            heard = [[read_line(sock) for _ in range(200)] for sock in (cat, dan)]
            self.assertEqual(heard[0], heard[1])

    def test_without_a_nick_the_address_is_shown(self):
        with Server("08-chat") as server:
            ann, bob = self.enter(server, "ann", "bob")
            with server.connect() as sock:
                say(sock, "hi")
                host, port = sock.getsockname()
                self.assertEqual(read_line(ann), f"{host}:{port}: hi\n".encode())
            say(ann, "still here")
            read_line(bob)
            self.assertEqual(read_line(bob), b"ann: still here\n")

    def test_a_line_without_end_ends_the_connection_of_its_speaker_only(self):
        with Server("08-chat") as server:
            ann, bob = self.enter(server, "ann", "bob")
            with server.connect() as sock:
                sock.sendall(b"x" * 514)
                self.assertTrue(is_ended(sock))
            say(ann, "still here")
            self.assertEqual(read_line(bob), b"ann: still here\n")

    def test_one_who_does_not_read_misses_lines_and_holds_up_nobody(self):
        with Server("08-chat") as server:
            ann, bob = self.enter(server, "ann", "bob")
            with server.connect(receive_bytes=4096) as deaf:
                say(deaf, "here")
                for sock in (ann, bob):
                    read_line(sock)
                lines = (b"x" * 500 + b"\n") * 200
                heard = (b"ann: " + b"x" * 500 + b"\n") * 200
                with server.memory_stays():
                    for _ in range(400):  # 40 MB in all
                        ann.sendall(lines)
                        self.assertEqual(read_exactly(bob, len(heard)), heard)


class Relay(unittest.TestCase):
    def join(self, server, room):
        sock = server.connect()
        self.addCleanup(sock.close)
        say(sock, f"join {room}")
        self.assertEqual(read_line(sock), b"* joined\n")
        return sock

    def test_lines_stay_in_their_room(self):
        with Server("13-relay") as server:
            red = [self.join(server, "red") for _ in range(3)]
            blue = [self.join(server, "blue") for _ in range(2)]
            say(red[0], "to the red ones")
            say(blue[0], "to the blue one")
            for sock in red[1:]:
                self.assertEqual(read_line(sock), b"to the red ones\n")
            self.assertEqual(read_line(blue[1]), b"to the blue one\n")
            for sock in (red[0], blue[0]):
                self.assertTrue(is_silent(sock, 0.1))

    def test_who_joins_another_room_leaves_the_first(self):
        with Server("13-relay") as server:
            ann, bob, cat = (self.join(server, "red") for _ in range(3))
            say(cat, "join blue")
            self.assertEqual(read_line(cat), b"* joined\n")
            say(ann, "red only")
            self.assertEqual(read_line(bob), b"red only\n")
            self.assertTrue(is_silent(cat, 0.1))

    def test_a_room_has_to_be_joined_first(self):
        with Server("13-relay") as server, server.connect() as sock:
            say(sock, "hello")
            self.assertEqual(read_line(sock), b"* join a room first\n")
            say(sock, "join ")
            self.assertEqual(read_line(sock), b"* join a room first\n")

    def test_a_line_that_is_too_long_ends_the_connection(self):
        with Server("13-relay") as server:
            ann, bob = (self.join(server, "red") for _ in range(2))
            ann.sendall(b"x" * 513 + b"\n")
            self.assertTrue(is_ended(ann))
            self.assertTrue(is_silent(bob, 0.1))

    def test_one_who_does_not_read_is_thrown_out(self):
        with Server("13-relay") as server:
            ann, bob = (self.join(server, "red") for _ in range(2))
            deaf = server.connect(receive_bytes=4096)
            self.addCleanup(deaf.close)
            say(deaf, "join red")
            self.assertEqual(read_line(deaf), b"* joined\n")
            with server.memory_stays():
                for _ in range(400):  # 40 MB in all
                    ann.sendall((b"x" * 499 + b"\n") * 200)
                    read_exactly(bob, 500 * 200)
            self.assertTrue(is_ended(deaf))


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
