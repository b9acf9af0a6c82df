"""syncspawn run in a terminal: --pty, and what it says there of a start that takes long."""

import fcntl
import os
import re
import signal
import struct
import subprocess
import termios
import time

from case import ENVIRONMENT, SYNCSPAWN, Case, main
from job_test import Terminal


def becomes_its_terminal(terminal):
    def child():
        os.setsid()
        fcntl.ioctl(terminal, termios.TIOCSCTTY, 0)
        for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGTSTP, signal.SIGHUP):
            signal.signal(number, signal.SIG_DFL)

    return child


def is_raw(terminal):
    return not termios.tcgetattr(terminal)[3] & termios.ICANON


def is_gone(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def eventually(condition):
    while not condition():
        time.sleep(0.01)


class Screen:
    """A terminal of ours that `syncspawn run` leads the session of."""

    def __init__(self, case, *arguments, size=(24, 80)):
        self.seen = ""
        self.fd, self.terminal = os.openpty()
        self.resize(*size)
        self.settings = termios.tcgetattr(self.terminal)
        self.run = subprocess.Popen(
            [SYNCSPAWN, "run", *arguments],
            env=ENVIRONMENT,
            stdin=self.terminal,
            stdout=self.terminal,
            stderr=self.terminal,
            preexec_fn=becomes_its_terminal(self.terminal),
        )
        case.addCleanup(self.close)

    def resize(self, rows, columns):
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def type(self, text):
        os.write(self.fd, text.encode())

    def see(self, pattern):
        while not (found := re.search(pattern, self.seen)):
            self.seen += os.read(self.fd, 4096).decode(errors="replace")
        before, self.seen = self.seen[: found.end()], self.seen[found.end() :]
        return before

    def ends(self):
        """As subprocess numbers it; the terminal is as it was."""
        code = self.run.wait()
        return code, termios.tcgetattr(self.terminal) == self.settings

    def close(self):
        if self.run.poll() is None:
            self.run.kill()
            self.run.wait()
        for fd in (self.fd, self.terminal):
            if fd >= 0:
                os.close(fd)


class OfATerminal(Case):
    def setUp(self):
        try:
            for fd in os.openpty():
                os.close(fd)
        except OSError as error:
            self.leave_out(f"there is no pseudo-terminal: {error}")

    def screen(self, *arguments, **options):
        return Screen(self, *arguments, **options)

    def program(self, text):
        path = os.path.join(self.directory(), "program")
        with open(path, "w") as file:
            file.write(text)
        return path


class APty(OfATerminal):
    def test_the_program_has_a_terminal_of_its_own(self):
        screen = self.screen("--pty", "--", "sh", "-c", "tty </dev/tty; tty; test -t 1 && test -t 2; echo code-$?; exit 7")
        found = screen.see("code-0")
        self.assertNotIn(os.ttyname(screen.terminal) + "\r", found)
        self.assertEqual(screen.ends(), (7, True))

    def test_ours_is_raw_meanwhile(self):
        screen = self.screen("--pty", "--", "sh", "-c", "echo runs; read line; echo read-$line")
        screen.see("runs")
        eventually(lambda: is_raw(screen.terminal))
        screen.type("typed\r")
        screen.see("read-typed")
        self.assertEqual(screen.ends(), (0, True))

    def test_the_interrupt_key_is_for_the_terminal_of_the_program(self):
        screen = self.screen("--pty", "--", "sh", "-c", 'trap "echo interrupted; exit 5" INT; echo runs; while :; do sleep 0.02; done')
        screen.see("runs")
        eventually(lambda: is_raw(screen.terminal))
        screen.type("\x03")
        screen.see("interrupted")
        self.assertEqual(screen.ends(), (5, True))

    def test_a_signal_restores_the_terminal(self):
        for number in (signal.SIGTERM, signal.SIGUSR1, signal.SIGINT):
            with self.subTest(number):
                screen = self.screen("--pty", "--", "sh", "-c", "echo runs; exec sleep 6543")
                screen.see("runs")
                eventually(lambda: is_raw(screen.terminal))
                screen.run.send_signal(number)
                self.assertEqual(screen.ends(), (-number, True))

    def test_so_does_a_launch_that_fails(self):
        screen = self.screen("--pty", "--", "/nonexistent")
        screen.see("no such file or directory")
        self.assertEqual(screen.ends(), (127, True))

    def test_and_a_program_that_is_late(self):
        screen = self.screen("--pty", "--timeout", "0.2", "--", "sleep", "6543")
        self.assertEqual(screen.ends(), (124, True))
        screen = self.screen("--pty", "--wait-ready=0.2", "--", "sleep", "6543")
        self.assertEqual(screen.ends(), (124, True))

    def test_the_program_has_the_size_of_ours(self):
        text = """
import os, signal
def tell(*_):
    print("size", *os.get_terminal_size(0), flush=True)
signal.signal(signal.SIGWINCH, tell)
tell()
while True:
    signal.pause()
"""
        screen = self.screen("--pty", "--", "python3", self.program(text), size=(33, 99))
        screen.see("size 99 33")
        eventually(lambda: is_raw(screen.terminal))
        screen.resize(44, 111)
        screen.see("size 111 44")
        screen.run.send_signal(signal.SIGTERM)
        self.assertEqual(screen.ends(), (-signal.SIGTERM, True))

    def test_a_terminal_that_is_closed_ends_all(self):
        for trap in ("", "trap '' HUP;"):
            with self.subTest(trap):
                screen = self.screen("--pty", "-k", "0.2", "--", "sh", "-c", trap + "sleep 6543 & echo pids $$ $!.; wait")
                pids = [int(word) for word in re.search(r"pids (\d+) (\d+)\.", screen.see(r"pids \d+ \d+\.")).groups()]
                os.close(screen.fd)
                os.close(screen.terminal)
                screen.fd = screen.terminal = -1
                self.assertEqual(screen.run.wait(), -signal.SIGKILL if trap else -signal.SIGHUP)
                for pid in pids:
                    eventually(lambda pid=pid: is_gone(pid))

    def test_nobody_who_reads_ends_it_too(self):
        run = subprocess.Popen(
            [SYNCSPAWN, "run", "--pty", "--", "yes"], env=ENVIRONMENT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE
        )
        run.stdout.readline()
        run.stdout.close()
        self.assertEqual(run.wait(), -signal.SIGHUP)

    def test_nor_does_it_become_ready_for_nobody(self):
        run = subprocess.Popen(
            [SYNCSPAWN, "run", "--pty", "--wait-ready", "--", "yes"],
            env=ENVIRONMENT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        run.stdout.readline()
        run.stdout.close()
        self.assertIn(b"cancelled", run.stderr.read())
        run.stderr.close()
        self.assertEqual(run.wait(), 125)

    def test_without_a_terminal_of_ours_there_is_one_for_the_program(self):
        run = subprocess.Popen(
            [SYNCSPAWN, "run", "--pty", "--", "sh", "-c", 'test -t 0 && test -t 1 && stty size && read line && echo "[$line]"; exit 6'],
            env=ENVIRONMENT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        output, _ = run.communicate("typed\n")
        self.assertEqual((run.returncode, sorted(output.split())), (6, ["24", "80", "[typed]", "typed"]))

    def test_what_was_written_last_is_shown(self):
        run = subprocess.run(
            [SYNCSPAWN, "run", "--pty", "--", "sh", "-c", "seq 1 2000; exit 3"],
            env=ENVIRONMENT,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
        self.assertEqual((run.returncode, run.stdout.split()), (3, [str(number) for number in range(1, 2001)]))

    def test_a_ready_program_has_had_its_terminal_from_the_start(self):
        screen = self.screen("--pty", "--wait-ready", "--", "sh", "-c", "read line; syncspawn barrier place-and-sync; echo ready-$line")
        eventually(lambda: is_raw(screen.terminal))
        screen.type("now\r")
        screen.see("ready-now")
        self.assertEqual(screen.ends(), (0, True))


# No shell: one that has just started a command by vfork(2) does not stop before that does.
LASTING = """
import signal
signal.signal(signal.SIGCONT, lambda *_: print("goes-42", flush=True))
print("job", flush=True)
while True:
    signal.pause()
"""


class AJobWithAPty(OfATerminal):
    """In an interactive shell."""

    def setUp(self):
        super().setUp()
        self.terminal = Terminal()
        self.addCleanup(self.terminal.close)

    def test_a_shell_in_it_has_jobs_of_its_own(self):
        terminal = self.terminal
        terminal.type("syncspawn run --pty -- bash --norc --noprofile --noediting -i")
        terminal.type("PS1=; stty -echo; echo inner-$((1 + 1))")
        terminal.expect("inner-2")
        terminal.type("python3 " + self.program(LASTING))
        terminal.expect("job\r\n")
        terminal.press("Z")
        terminal.expect("Stopped")
        terminal.type("fg")
        terminal.expect("goes-42\r\n")
        terminal.press("C")
        terminal.expect("\r\n")
        terminal.type("echo code-$?")
        terminal.expect("code-130")
        terminal.type("exit 7")
        eventually(lambda: not is_raw(terminal.fd))  # what is typed before is for the inner one
        terminal.type("echo outer-$?")
        terminal.expect("outer-7")

    def test_a_program_that_is_stopped_stops_it_and_our_terminal_is_the_shells(self):
        terminal = self.terminal
        settings = termios.tcgetattr(terminal.fd)
        terminal.type("syncspawn run --pty -- sh -c 'echo before; kill -STOP $$; echo behind-$((6 * 7)); read line; exit 5'")
        terminal.expect("before\r\n")
        terminal.expect("Stopped")
        self.assertNotIn("behind-42", terminal.shell_answers())
        self.assertEqual(termios.tcgetattr(terminal.fd)[3], settings[3])
        terminal.type("fg; echo code-$?")
        terminal.expect("behind-42")
        eventually(lambda: is_raw(terminal.fd))
        os.write(terminal.fd, b"line\r")
        terminal.expect("code-5")
        self.assertTrue(terminal.shell_answers())

    def test_it_can_be_stopped_itself(self):
        terminal = self.terminal
        terminal.type("syncspawn run --pty -- sh -c 'echo pid-$PPID.; read line; echo read-$line'")
        launcher = int(re.search(r"pid-(\d+)\.", terminal.expect(r"pid-\d+\.")).group(1))
        eventually(lambda: is_raw(terminal.fd))
        os.kill(launcher, signal.SIGTSTP)
        terminal.expect("Stopped")
        terminal.shell_answers()
        terminal.type("fg")
        terminal.expect("read line")
        eventually(lambda: is_raw(terminal.fd))
        os.write(terminal.fd, b"again\r")
        terminal.expect("read-again")
        eventually(lambda: not is_raw(terminal.fd))
        terminal.shell_answers()


class ALateStart(OfATerminal):
    until_told = "until test -e {}; do sleep 0.02; done; syncspawn barrier place-and-sync; echo is ready"

    def test_what_is_waited_for_is_said_and_erased(self):
        gate = os.path.join(self.directory(), "gate")
        screen = self.screen("--wait-ready", "--", "sh", "-c", self.until_told.format(gate))
        screen.see(r"\rsyncspawn: waiting for the program to be ready \(0\.\d s\)")
        screen.see(r"\rsyncspawn: waiting for the program to be ready \([1-9]\.\d s\)")
        open(gate, "w").close()
        screen.run.wait()
        os.close(screen.terminal)
        screen.terminal = -1
        rest = ""
        try:
            while data := os.read(screen.fd, 4096):
                rest += data.decode()
        except OSError:  # EIO: all was read
            pass
        self.assertIn("\r" + " " * len("syncspawn: waiting for the program to be ready (0.0 s)") + "\r", screen.seen + rest)

    def test_but_not_quietly_or_elsewhere(self):
        for option, stderr in (("--quiet", None), ("--no-quiet", subprocess.PIPE)):
            with self.subTest(option):
                master, terminal = os.openpty()
                run = subprocess.Popen(
                    [SYNCSPAWN, "run", option, "--wait-ready", "--", "sh", "-c", "sleep 0.8; syncspawn barrier place-and-sync; echo end"],
                    env=ENVIRONMENT,
                    stdin=terminal,
                    stdout=terminal,
                    stderr=stderr or terminal,
                    preexec_fn=becomes_its_terminal(terminal),
                )
                error = run.communicate()[1] or b""
                seen = os.read(master, 4096)
                os.close(terminal)
                os.close(master)
                self.assertEqual((run.returncode, error, seen), (0, b"", b"end\r\n"))


if __name__ == "__main__":
    main()
