#!/usr/bin/python3
"""The fault proxy does what it says. A server that echoes stands behind it."""

import contextlib
import socket
import subprocess
import sys
import threading
import time
import unittest
from pathlib import Path

sys.dont_write_bytecode = True
from fault_proxy import FaultProxy

PROGRAM = Path(__file__).with_name("fault_proxy.py")
LIMIT_S = 60  # for what has to happen
QUIET_S = 0.2  # for what must not


class Echo:
    """Echoes; `received` has what came, `ends` one entry per connection that has ended."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = self.listener.getsockname()
        self.changed = threading.Condition()
        self.received, self.ends, self.sockets = b"", [], []
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                sock, _ = self.listener.accept()
                self.sockets.append(sock)
                threading.Thread(target=self.serve, args=(sock,), daemon=True).start()

    def serve(self, sock):
        end = "end"
        try:
            while data := sock.recv(65536):
                with self.changed:
                    self.received += data
                    self.changed.notify_all()
                sock.sendall(data)
        except OSError:
            end = "reset"
        sock.close()
        with self.changed:
            self.ends.append(end)
            self.changed.notify_all()

    def wait(self, condition):
        with self.changed:
            if not self.changed.wait_for(condition, LIMIT_S):
                raise AssertionError(f"received {len(self.received)} bytes, ends {self.ends}")

    def close(self):
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)  # accept() would keep it open
        self.listener.close()
        for sock in self.sockets:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)


def read(sock, count):
    data = b""
    while len(data) < count:
        more = sock.recv(count - len(data))
        if not more:
            raise AssertionError(f"ended after {len(data)} of {count} bytes")
        data += more
    return data


class FaultProxyTest(unittest.TestCase):
    def setUp(self):
        self.echo = Echo()
        self.proxy = FaultProxy(self.echo.address)
        self.addCleanup(self.echo.close)
        self.addCleanup(self.proxy.close)

    def connect(self):
        sock = socket.create_connection(self.proxy.address, timeout=LIMIT_S)
        self.addCleanup(sock.close)
        return sock

    def echoed(self, sock, data=b"hello"):
        sock.sendall(data)
        return read(sock, len(data))

    def assert_quiet(self, sock):
        sock.settimeout(QUIET_S)
        with self.assertRaises(TimeoutError):
            sock.recv(1)
        sock.settimeout(LIMIT_S)

    def assert_reset(self, sock):
        with self.assertRaises(ConnectionError):
            while sock.recv(65536):
                pass
            raise AssertionError("ended without a reset")

    def assert_next_is_reset(self):
        """While it connects, or after."""
        try:
            sock = self.connect()
        except ConnectionResetError:
            return
        self.assert_reset(sock)

    def test_pass_forwards_both_directions_and_ends(self):
        sock = self.connect()
        big = bytes(range(256)) * 20000
        sender = threading.Thread(target=sock.sendall, args=(big,))
        sender.start()
        self.assertEqual(read(sock, len(big)), big)
        sender.join()
        sock.shutdown(socket.SHUT_WR)
        self.assertEqual(sock.recv(1), b"")
        self.echo.wait(lambda: self.echo.ends == ["end"])
        self.assertEqual(self.proxy.count(), 0)

    def test_delay_is_at_least_that_long_each_way_and_keeps_the_order(self):
        sock = self.connect()
        self.proxy.set("delay 60")
        begin = time.monotonic()
        sock.sendall(b"a")
        sock.sendall(b"b")
        self.assertEqual(read(sock, 2), b"ab")
        self.assertGreaterEqual(time.monotonic() - begin, 0.12)

    def test_stall_holds_bytes_until_it_passes(self):
        sock = self.connect()
        self.assertEqual(self.echoed(sock), b"hello")
        self.proxy.set("stall")
        other = self.connect()
        for one in (sock, other):
            one.sendall(b"later")
            self.assert_quiet(one)
        self.assertEqual(self.echo.received, b"hello")
        self.proxy.set("pass")
        for one in (sock, other):
            self.assertEqual(read(one, 5), b"later")

    def test_cut_resets_both_ends_and_lets_new_ones_in(self):
        sock = self.connect()
        self.echoed(sock)
        self.proxy.cut()
        self.assert_reset(sock)
        self.echo.wait(lambda: self.echo.ends == ["reset"])
        self.assertEqual(self.echoed(self.connect()), b"hello")

    def test_half_open_up_swallows_what_clients_say_and_their_ends(self):
        sock = self.connect()
        self.echoed(sock)
        self.proxy.set("half_open up")
        sock.sendall(b"lost")
        self.assert_quiet(sock)
        self.echo.sockets[0].sendall(b"still")
        self.assertEqual(read(sock, 5), b"still")
        sock.close()
        time.sleep(QUIET_S)
        self.assertEqual((self.echo.received, self.echo.ends), (b"hello", []))
        self.echo.sockets[0].sendall(b"x" * 100000)  # to nobody
        time.sleep(QUIET_S)
        self.assertEqual(self.echo.ends, [])
        self.assertEqual(self.proxy.count(), 1)

    def test_half_open_down_swallows_what_the_server_says(self):
        sock = self.connect()
        self.echoed(sock)
        self.proxy.set("half_open down")
        sock.sendall(b"heard")
        self.echo.wait(lambda: self.echo.received == b"helloheard")
        self.assert_quiet(sock)
        self.echo.close()
        self.assert_quiet(sock)

    def test_corrupt_flips_one_bit_of_each_nth_byte(self):
        sock = self.connect()
        self.proxy.set("corrupt 4")
        data = bytes(10)
        sock.sendall(data[:3])
        sock.sendall(data[3:])
        self.echo.wait(lambda: len(self.echo.received) == 10)
        self.assertEqual([at for at, byte in enumerate(self.echo.received) if byte], [3, 7])
        self.assertEqual(read(sock, 10), data)  # flipped back on the way down

    def test_refuse_resets_new_ones_only(self):
        sock = self.connect()
        self.echoed(sock)
        self.proxy.set("refuse")
        self.assert_next_is_reset()
        self.assertEqual(self.echoed(sock), b"hello")

    def test_drop_resets_a_connection_after_so_many_bytes(self):
        self.proxy.set("drop 30")
        sock = self.connect()
        self.echoed(sock, b"0123456789")
        sock.sendall(b"0123456789")  # one send: a second one could meet the reset, and take it away
        self.assert_reset(sock)
        self.echo.wait(lambda: len(self.echo.ends) == 1)
        self.assertEqual(self.proxy.count(), 0)

    def test_a_server_that_is_gone_resets_clients(self):
        self.echo.close()
        self.assert_next_is_reset()
        self.assertEqual(self.proxy.count(), 0)

    def test_a_hundred_connections_at_once(self):
        socks = [self.connect() for _ in range(100)]
        for number, sock in enumerate(socks):
            sock.sendall(b"%05d" % number)
        for number, sock in enumerate(socks):
            self.assertEqual(read(sock, 5), b"%05d" % number)
        self.assertEqual(self.proxy.count(), 100)
        self.proxy.cut()
        for sock in socks:
            self.assert_reset(sock)

    def test_modes_that_do_not_exist_are_refused(self):
        for mode in ("", "explode", "delay", "delay -1", "delay x", "corrupt 0", "half_open",
                     "half_open left", "pass 1"):
            with self.assertRaises(ValueError):
                self.proxy.set(mode)
        self.assertEqual(self.echoed(self.connect()), b"hello")

    def test_as_a_program_it_takes_commands_line_by_line(self):
        with subprocess.Popen([sys.executable, "-B", PROGRAM, "--to",
                               f"127.0.0.1:{self.echo.address[1]}"], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, text=True) as program:
            def ask(command):
                program.stdin.write(command + "\n")
                program.stdin.flush()
                return program.stdout.readline().strip()

            words = program.stdout.readline().split()
            self.assertEqual(words[:2], ["listening", "on"])
            port = int(words[2].rpartition(":")[2])
            with socket.create_connection(("127.0.0.1", port), timeout=LIMIT_S) as sock:
                self.assertEqual(self.echoed(sock), b"hello")
                self.assertEqual(ask("count"), "connections 1")
                self.assertEqual(ask("stall"), "ok")
                self.assertIn("error: 'explode' is none of", ask("explode"))
                self.assertEqual(ask("cut"), "ok")
                self.assert_reset(sock)
                self.assertEqual(ask("count"), "connections 0")
            program.stdin.close()
            self.assertEqual(program.wait(LIMIT_S), 0)


if __name__ == "__main__":
    unittest.main()
