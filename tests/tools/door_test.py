"""Doors of `syncspawn run`: what a program without a network reaches, and nothing else.

usage: door_test.py SYNCSPAWN
"""

import os
import socket
import subprocess
import tempfile
import threading

from case import ENVIRONMENT, SYNCSPAWN, Case, main

MUCH = 1 << 20

# What the programs inside have in common.
PRELUDE = """
import os, socket, sys, threading
def connect(address):
    kind = socket.AF_UNIX if address.startswith("/") else socket.AF_INET6 if address.startswith("[") else socket.AF_INET
    guest = socket.socket(kind)
    host, _, port = address.rpartition(":")
    guest.connect(address if kind == socket.AF_UNIX else (host.strip("[]"), int(port)))
    return guest
def read_all(guest):
    pieces = []
    while piece := guest.recv(65536):
        pieces.append(piece)
    return b"".join(pieces)
"""


def read_all(guest):
    pieces = []
    while piece := guest.recv(65536):
        pieces.append(piece)
    return b"".join(pieces)


class Server:
    """On the host: each connection is served by a thread of its own, until the test is over."""

    def __init__(self, case, serve, kind=socket.AF_INET, address=("127.0.0.1", 0)):
        self.socket = socket.socket(kind)
        self.socket.bind(address)
        self.socket.listen(512)
        self.serve = serve
        name = self.socket.getsockname()
        self.address = name if kind == socket.AF_UNIX else f"{name[0]}:{name[1]}"
        if kind == socket.AF_INET6:
            self.address = f"[{name[0]}]:{name[1]}"
        self.thread = threading.Thread(target=self.accept, daemon=True)
        self.thread.start()
        case.addCleanup(self.close)

    def accept(self):
        while True:
            try:
                guest = self.socket.accept()[0]
            except OSError:
                return
            threading.Thread(target=self.serve_one, args=(guest,), daemon=True).start()

    def serve_one(self, guest):
        with guest:
            self.serve(guest)

    def close(self):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.thread.join()
        self.socket.close()


def echo(guest):
    while piece := guest.recv(65536):
        guest.sendall(piece)


def answer_at_the_end(guest):
    guest.sendall(read_all(guest))


class Doors(Case):
    @classmethod
    def setUpClass(cls):
        cls.here = subprocess.run(
            [SYNCSPAWN, "run", "--door", "x=127.0.0.1:80", "true"],
            capture_output=True, text=True, check=False)

    def setUp(self):
        if self.here.returncode != 0:
            self.leave_out("this machine holds no policy with a door: " + self.here.stderr.partition("\n")[0])

    def run_inside(self, script, *words, doors=(), code=0):
        """The output and the messages of a python script whose arguments are the words."""
        options = [word for door in doors for word in ("--door", door)]
        run = subprocess.run(
            [SYNCSPAWN, "run", *options, "--chdir", "/", "--", "python3", "-c", PRELUDE + script, *words],
            env=ENVIRONMENT, capture_output=True, text=True, check=False)
        self.assertEqual(run.returncode, code, run.stderr)
        return run.stdout, run.stderr

    def test_what_goes_in_comes_out_by_half_closes(self):
        server = Server(self, answer_at_the_end)
        inside = "127.0.0.1:3128"
        output, errors = self.run_inside(f"""
guest = connect(sys.argv[1])
sent = os.urandom({MUCH})
guest.sendall(sent)
guest.shutdown(socket.SHUT_WR)
print(read_all(guest) == sent)
""", inside, doors=[f"proxy={inside},{server.address}"])
        self.assertEqual((output, errors), ("True\n", ""))

    def test_both_ways_at_once(self):
        server = Server(self, echo)
        output, errors = self.run_inside(f"""
guest = connect(sys.argv[1])
sent = os.urandom({8 * MUCH})
def send():
    guest.sendall(sent)
    guest.shutdown(socket.SHUT_WR)
threading.Thread(target=send).start()
print(read_all(guest) == sent)
""", server.address, doors=[f"proxy={server.address}"])
        self.assertEqual((output, errors), ("True\n", ""))

    def test_unix_sockets_and_ipv6(self):
        directory = self.directory()
        unix = Server(self, echo, socket.AF_UNIX, directory + "/outside")
        ipv6 = Server(self, echo, socket.AF_INET6, ("::1", 0))
        script = """
guest = connect(sys.argv[1])
guest.sendall(b"hello")
guest.shutdown(socket.SHUT_WR)
print(read_all(guest))
"""
        for inside, outside in (("/tmp/door", unix.address), ("[::1]:80", ipv6.address),
                                ("127.0.0.1:80", unix.address), ("/tmp/door", ipv6.address)):
            with self.subTest(inside=inside, outside=outside):
                output, errors = self.run_inside(script, inside, doors=[f"one={inside},{outside}"])
                self.assertEqual((output, errors), ("b'hello'\n", ""))

    def test_several_doors_lead_to_their_places(self):
        servers = [Server(self, lambda guest, name=name: guest.sendall(name)) for name in (b"one", b"two")]
        output, _ = self.run_inside("""
print(*(read_all(connect(address)).decode() for address in sys.argv[1:]))
""", "127.0.0.1:1", "127.0.0.1:2",
            doors=[f"d{port}=127.0.0.1:{port},{server.address}" for port, server in enumerate(servers, 1)])
        self.assertEqual(output, "one two\n")

    def test_nothing_else_is_in_reach(self):
        server = Server(self, echo)
        port = server.address.rpartition(":")[2]
        output, _ = self.run_inside("""
try:
    connect("127.0.0.1:" + sys.argv[1])
except OSError as error:
    print(error.strerror)
""", port, doors=[f"proxy=127.0.0.1:{1 if port != '1' else 2},{server.address}"])
        self.assertEqual(output, "Connection refused\n")

    def test_where_nobody_listens_outside_the_guest_is_shut_out(self):
        closed = socket.socket()  # bound, so that nobody else listens there
        self.addCleanup(closed.close)
        closed.bind(("127.0.0.1", 0))
        outside = f"127.0.0.1:{closed.getsockname()[1]}"
        output, errors = self.run_inside("""
for again in range(3):
    try:
        print(read_all(connect(sys.argv[1])))
    except ConnectionResetError:
        print(b"")
""", "127.0.0.1:80", doors=[f"proxy=127.0.0.1:80,{outside}"])
        self.assertEqual(output, "b''\n" * 3)
        self.assertEqual(errors, f"syncspawn: door 'proxy': connect to {outside}: connection refused\n")

    def test_a_reset_outside_is_one_inside(self):
        def reset(guest):
            guest.recv(1)
            guest.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")

        server = Server(self, reset)
        output, _ = self.run_inside("""
guest = connect(sys.argv[1])
guest.sendall(b"x")
try:
    print("an end:", read_all(guest))
except ConnectionResetError:
    print("a reset")
""", "127.0.0.1:80", doors=[f"proxy=127.0.0.1:80,{server.address}"])
        self.assertEqual(output, "a reset\n")

    def test_who_does_not_read_slows_the_sender_down(self):
        is_full = threading.Event()
        sizes = []

        def read_late(guest):
            guest.sendall(b"!")
            is_full.wait()
            sizes.append(len(read_all(guest)))
            guest.sendall(b"done")

        server = Server(self, read_late)
        full = Server(self, lambda guest: is_full.set())
        # The sender stops when nothing moves any more: the buffers of four sockets, and what the relay has read.
        output, errors = self.run_inside("""
import select
guest = connect(sys.argv[1])
guest.recv(1)
guest.setblocking(False)
sent = 0
while select.select([], [guest], [], 1)[1]:
    sent += guest.send(bytes(65536))
    assert sent < 1 << 28
connect(sys.argv[2])
guest.setblocking(True)
guest.shutdown(socket.SHUT_WR)
print(sent, read_all(guest))
""", "127.0.0.1:80", "127.0.0.1:81",
            doors=[f"proxy=127.0.0.1:80,{server.address}", f"full=127.0.0.1:81,{full.address}"])
        self.assertEqual((output, errors), (f"{sizes[0]} b'done'\n", ""))

    def test_more_connections_than_there_may_be_wait(self):
        server = Server(self, echo)
        output, errors = self.run_inside("""
guests = [connect(sys.argv[1]) for _ in range(300)]
for guest in guests:
    guest.sendall(b"x")
good = 0
for guest in guests:
    good += guest.recv(1) == b"x"
    guest.close()
print(good)
""", "127.0.0.1:80", doors=[f"proxy=127.0.0.1:80,{server.address}"])
        self.assertEqual((output, errors), ("300\n", ""))

    def test_what_was_sent_right_before_the_end_arrives(self):
        received = []
        is_there = threading.Event()

        def take(guest):
            received.append(read_all(guest))
            is_there.set()

        server = Server(self, take)
        self.run_inside(f"""
connect(sys.argv[1]).sendall(bytes({MUCH}))
os._exit(0)
""", "127.0.0.1:80", doors=[f"proxy=127.0.0.1:80,{server.address}"])
        is_there.wait()
        self.assertEqual(len(received[0]), MUCH)

    def test_a_door_of_a_policy_file(self):
        server = Server(self, echo)
        elsewhere = Server(self, lambda guest: guest.sendall(b"elsewhere"))
        script = PRELUDE + """
guest = connect(sys.argv[1])
guest.shutdown(socket.SHUT_WR)
print(read_all(guest))
"""
        with tempfile.NamedTemporaryFile("w", suffix=".toml") as policy:
            policy.write(f'[[doors]]\nname = "proxy"\naddress = "{server.address}"\n')
            policy.flush()
            for words, expected in (([], "b''\n"),
                                    (["--door", f"proxy={server.address},{elsewhere.address}"], "b'elsewhere'\n")):
                run = subprocess.run(
                    [SYNCSPAWN, "run", "--policy", policy.name, *words, "--chdir", "/", "--",
                     "python3", "-c", script, server.address],
                    env=ENVIRONMENT, capture_output=True, text=True, check=False)
                self.assertEqual((run.stdout, run.stderr), (expected, ""))


if __name__ == "__main__":
    main()
