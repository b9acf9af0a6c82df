"""syncspawn run as a job: of an interactive shell in a terminal, of a script, of Python's subprocess.

Usage: job_test.py SYNCSPAWN. Every wait is for an event; the alarm at the end is for a test that hangs.
"""

import ctypes
import os
import pty
import re
import resource
import signal
import subprocess
import sys
import tempfile
import unittest

LIMIT = 600
SYNCSPAWN = os.path.abspath(sys.argv.pop(1))
ENVIRONMENT = {
    **os.environ,
    "PATH": os.path.dirname(SYNCSPAWN) + ":" + os.environ["PATH"],
    "PS1": "$ ",
    "TERM": "dumb",
    "ENV": "",
}


class Terminal:
    """An interactive bash that leads the session of a pseudo-terminal."""

    def __init__(self):
        self.seen = ""
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            # What a test runner ignores, the shell's jobs are not to.
            for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGTSTP):
                signal.signal(number, signal.SIG_DFL)
            os.execvpe("bash", ["bash", "--norc", "--noprofile", "--noediting", "-i"], ENVIRONMENT)
        self.type("stty -echo; PS1=; PS2=; echo shell-$((40 + 2))")
        self.expect("shell-42")

    def type(self, line):
        os.write(self.fd, line.encode() + b"\n")

    def press(self, key):
        os.write(self.fd, bytes([ord(key) & 0x1F]))

    def expect(self, pattern):
        """Reads on until the pattern has come, and returns what came up to its end."""
        while not (found := re.search(pattern, self.seen)):
            self.seen += os.read(self.fd, 4096).decode(errors="replace")
        before, self.seen = self.seen[: found.end()], self.seen[found.end() :]
        return before

    def shell_answers(self):
        """That the shell has the terminal; returns what came before."""
        self.type("echo answer-$((20 + 3))")
        return self.expect("answer-23")

    def close(self):
        self.type("exit; exit")
        try:
            while os.read(self.fd, 4096):
                pass
        except OSError:  # EIO: nobody has the other end any more
            pass
        os.close(self.fd)
        os.waitpid(self.pid, 0)


class Case(unittest.TestCase):
    def terminal(self):
        terminal = Terminal()
        self.addCleanup(terminal.close)
        return terminal

    def directory(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        return directory.name


class InATerminal(Case):
    def setUp(self):
        try:
            for fd in os.openpty():
                os.close(fd)
        except OSError as error:
            print(f"SKIP-REASON: there is no pseudo-terminal: {error}")
            self.skipTest("no pseudo-terminal")

    def test_interrupt_ends_a_loop(self):
        terminal = self.terminal()
        terminal.type("for i in 1 2 3; do syncspawn run -- sh -c 'echo round-$0; exec sleep 6543' $i; done")
        terminal.expect("round-1")
        terminal.press("C")
        self.assertNotIn("round-2", terminal.shell_answers())

    def test_interrupt_before_the_program_is_ready_ends_a_loop(self):
        terminal = self.terminal()
        terminal.type(
            "for i in 1 2 3; do syncspawn run --wait-ready -- sh -c 'echo round-$0; exec sleep 6543' $i; done"
        )
        terminal.expect("round-1")
        terminal.press("C")
        self.assertNotIn("round-2", terminal.shell_answers())

    def test_interrupt_ends_a_script(self):
        script = os.path.join(self.directory(), "script")
        with open(script, "w") as file:
            file.write("syncspawn run -- sh -c 'echo runs; exec sleep 6543'\necho went-on\n")
        terminal = self.terminal()
        terminal.type("bash " + script)
        terminal.expect("runs")
        terminal.press("C")
        self.assertNotIn("went-on", terminal.shell_answers())

    def test_a_program_that_handles_the_interrupt_lets_the_loop_go_on(self):
        terminal = self.terminal()
        terminal.type(
            "for i in 1 2; do syncspawn run -- python3 -c 'import signal\n"
            "signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])\n"
            'print("round", flush=True)\nsignal.sigwait([signal.SIGINT])\'; done; echo through'
        )
        for _ in range(2):
            terminal.expect("round")
            terminal.press("C")
        terminal.expect("through")

    def test_a_program_that_stops_itself_is_a_stopped_job(self):
        terminal = self.terminal()
        terminal.type("syncspawn run -- sh -c 'echo before; kill -STOP $$; echo behind-$((6 * 7)); exit 5'")
        terminal.expect("before")
        terminal.expect("Stopped")
        self.assertNotIn("behind-42", terminal.shell_answers())
        terminal.type("fg; echo code-$?")
        terminal.expect("behind-42")
        terminal.expect("code-5")

    def test_a_stopped_job_goes_on_in_the_background(self):
        terminal = self.terminal()
        terminal.type("syncspawn run -- sh -c 'echo before; kill -TSTP $$; echo behind-$((6 * 7))'")
        terminal.expect("before")
        terminal.expect("Stopped")
        terminal.type("bg")
        terminal.expect("behind-42")
        terminal.type("wait; echo code-$?")
        terminal.expect("code-0")

    def test_the_terminals_stop_key(self):
        terminal = self.terminal()
        program = os.path.join(self.directory(), "program.py")
        with open(program, "w") as file:
            file.write(
                "import os, signal, sys\n"
                # The launcher holds SIGTSTP back: it is through with the launch, and stops once this has stopped.
                "held = 0\n"
                "while not held & 1 << signal.SIGTSTP - 1:\n"
                "    with open(f'/proc/{os.getppid()}/status') as status:\n"
                "        held = next(int(line.split()[1], 16) for line in status if line.startswith('SigBlk'))\n"
                "print('before', flush=True)\n"
                "print('read', sys.stdin.readline(), flush=True)\n"
            )
        terminal.type("syncspawn run -- python3 " + program)
        terminal.expect("before")
        terminal.press("Z")
        terminal.expect("Stopped")
        terminal.shell_answers()
        terminal.type("fg")
        terminal.expect("program.py")  # what it is that goes on
        terminal.type("typed")
        terminal.expect("read typed")
        terminal.shell_answers()

    def test_an_interactive_shell_that_suspends_itself(self):
        terminal = self.terminal()
        terminal.type("syncspawn run -- bash --norc --noprofile --noediting -i")
        terminal.type("PS1=; echo inner-$((1 + 1)); suspend")
        terminal.expect("inner-2")
        terminal.expect("Stopped")
        terminal.shell_answers()
        terminal.type("fg")
        terminal.expect("noediting")
        terminal.type("echo inner-$((1 + 2)); exit 7")
        terminal.expect("inner-3")
        terminal.type("echo code-$?")
        terminal.expect("code-7")

    def test_a_program_that_has_taken_the_terminal_gets_it_back(self):
        terminal = self.terminal()
        program = os.path.join(self.directory(), "program.py")
        with open(program, "w") as file:
            file.write(
                "import os, signal\n"
                "signal.signal(signal.SIGTTOU, signal.SIG_IGN)\n"
                "os.setpgid(0, 0)\n"
                "os.tcsetpgrp(0, os.getpgrp())\n"
                "print('has taken it', flush=True)\n"
                "os.kill(0, signal.SIGSTOP)\n"
                "while os.tcgetpgrp(0) != os.getpgrp():\n"  # the shell gives it to the job first
                "    pass\n"
                "print('read', input(), flush=True)\n"
            )
        terminal.type("syncspawn run -- python3 " + program)
        terminal.expect("has taken it")
        terminal.expect("Stopped")
        terminal.shell_answers()
        terminal.type("fg")
        terminal.expect("program.py")
        terminal.type("a line")
        terminal.expect("read a line")
        terminal.shell_answers()


def start(program, before=(), **options):
    """Of `syncspawn run`, once the program has written a line and the launch is over: a signal would cancel it."""
    run = subprocess.Popen(
        [*before, SYNCSPAWN, "run", "--timeline", "--", *program],
        env=ENVIRONMENT,
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        **options,
    )
    run.first_line = run.stdout.readline()
    while "sees the program run" not in (line := run.stderr.readline()):
        if not line:
            raise AssertionError(f"the launch failed: {run.communicate()}")
    return run


class OfSubprocess(Case):
    ends = ["sh", "-c", "echo runs; exec sleep 6543"]

    def test_a_signal_that_ends_it_is_its_end(self):
        for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGUSR1, signal.SIGALRM):
            with self.subTest(number):
                run = start(self.ends, preexec_fn=lambda number=number: signal.signal(number, signal.SIG_DFL))
                run.send_signal(number)
                run.communicate()
                self.assertEqual(run.returncode, -number)

    def test_so_is_one_that_the_program_died_of_by_itself(self):
        for name in ("KILL", "SEGV", "TERM", "PIPE", "RTMIN"):
            with self.subTest(name):
                run = start(["bash", "-c", f"echo runs; kill -{name} $$"])
                run.communicate()
                number = signal.SIGRTMIN if name == "RTMIN" else signal.Signals["SIG" + name]
                self.assertEqual(run.returncode, -number)

    def test_it_leaves_no_core_of_its_own(self):
        directory = self.directory()
        hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
        run = start(
            [
                "python3",
                "-c",
                "import os, resource, signal\n"
                "resource.setrlimit(resource.RLIMIT_CORE, (0, 0))\n"
                'print("runs", flush=True)\n'
                "os.kill(os.getpid(), signal.SIGQUIT)",
            ],
            cwd=directory,
            preexec_fn=lambda: (
                resource.setrlimit(resource.RLIMIT_CORE, (hard, hard)),
                signal.signal(signal.SIGQUIT, signal.SIG_DFL),
            ),
        )
        status = os.waitid(os.P_PID, run.pid, os.WEXITED | os.WNOWAIT)
        self.assertEqual((status.si_code, status.si_status), (os.CLD_KILLED, signal.SIGQUIT))
        run.communicate()
        self.assertEqual(os.listdir(directory), [])

    def test_a_program_that_handles_the_signal_decides(self):
        run = start(["bash", "-c", 'trap "exit 5" TERM; echo runs; while :; do sleep 0.01; done'])
        run.terminate()
        run.communicate()
        self.assertEqual(run.returncode, 5)

    def test_every_signal_that_can_be_held_back_is_passed_on(self):
        kept = {signal.SIGKILL, signal.SIGSTOP, signal.SIGCHLD, signal.SIGCONT}
        faults = {signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGTRAP, signal.SIGSYS}
        numbers = sorted(set(signal.valid_signals()) - kept - faults)
        run = start(
            [
                "python3",
                "-c",
                "import signal, sys\n"
                "numbers = {int(word) for word in sys.argv[1:]}\n"
                "signal.pthread_sigmask(signal.SIG_BLOCK, numbers)\n"
                'print("runs", flush=True)\n'
                "while numbers:\n"
                "    number = signal.sigwait(numbers)\n"
                "    print(int(number), flush=True)\n"
                "    numbers.remove(number)",
                *(str(int(number)) for number in numbers),
            ],
            preexec_fn=lambda: [signal.signal(number, signal.SIG_DFL) for number in numbers],
        )
        for number in numbers:
            run.send_signal(number)
            self.assertEqual(run.stdout.readline(), f"{int(number)}\n")
        run.communicate()
        self.assertEqual(run.returncode, 0)

    def test_the_value_of_a_queued_signal_is_passed_on(self):
        run = start(
            [
                "python3",
                "-c",
                "import ctypes, signal\n"
                "number = signal.SIGRTMIN + 3\n"
                "signal.pthread_sigmask(signal.SIG_BLOCK, [number])\n"
                'print("runs", flush=True)\n'
                "info = (ctypes.c_int * 32)()\n"
                "chosen = (ctypes.c_ulong * 16)(1 << (number - 1))\n"
                "assert ctypes.CDLL(None).sigwaitinfo(chosen, info) == number\n"
                "print(info[2], info[6])",  # si_code, and si_value behind si_pid and si_uid
            ]
        )
        queued = ctypes.CDLL(None).sigqueue(run.pid, signal.SIGRTMIN + 3, ctypes.c_void_p(1234))
        self.assertEqual(queued, 0)
        self.assertEqual(run.stdout.readline(), "-1 1234\n")  # SI_QUEUE
        run.communicate()
        self.assertEqual(run.returncode, 0)

    def test_a_signal_that_the_program_sends_to_its_group_comes_once(self):
        run = start(
            [
                "python3",
                "-c",
                "import os, signal, time\n"
                "caught = []\n"
                "signal.signal(signal.SIGUSR1, lambda *_: caught.append(1))\n"
                "signal.signal(signal.SIGUSR2, lambda *_: caught.append(2))\n"
                'print("runs", flush=True)\n'
                "os.kill(0, signal.SIGUSR1)\n"
                # In the order of their numbers: by then the first would have come back, too.
                "os.system('kill -USR2 ' + str(os.getppid()))\n"
                "while 2 not in caught:\n"
                "    time.sleep(0.01)\n"
                "print(caught)",
            ],
            start_new_session=True,
        )
        self.assertEqual(run.stdout.readline(), "[1, 2]\n")
        run.communicate()
        self.assertEqual(run.returncode, 0)


class AsAnotherUser(Case):
    """A program that has become root, out of the reach of a launcher that is an ordinary user."""

    def setUp(self):
        # Behind this the launcher may not signal processes of root, but what it launches may become root.
        self.user = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
        for sets in ("--inh-caps", "--ambient-caps", "--bounding-set"):
            self.user.append(sets + "=-all,+setuid")
        probe = subprocess.run(
            [*self.user, "python3", "-c", "import os; os.setuid(0)"], stderr=subprocess.DEVNULL, check=False
        )
        if os.geteuid() != 0 or probe.returncode != 0:
            print("SKIP-REASON: only root can give CAP_SETUID away")
            self.skipTest("only root can give CAP_SETUID away")
        if subprocess.run([*self.user, SYNCSPAWN, "--version"], stdout=subprocess.DEVNULL, check=False).returncode:
            print("SKIP-REASON: another user cannot execute what was built")
            self.skipTest("another user cannot execute what was built")

    def start(self, rest):
        program = "import os, subprocess, sys\nos.setuid(0)\n" + rest
        return start(["python3", "-c", program], before=self.user, cwd="/")

    def test_a_refused_signal_is_told(self):
        run = self.start('print("runs", flush=True)\nsys.stdin.readline()\nsys.exit(6)')
        run.terminate()
        self.assertRegex(
            run.stderr.readline(),
            r"syncspawn: SIGTERM is not passed on to the program, process \d+: not permitted"
            r" \(it runs as another user now\)\n",
        )
        run.communicate("go\n")
        self.assertEqual(run.returncode, 6)

    def test_what_cannot_be_killed_is_told_and_not_waited_for(self):
        run = self.start(
            "server = subprocess.Popen(['sleep', '6543'], stdin=-3, stdout=-3, stderr=-3, start_new_session=True)\n"
            "print(server.pid, flush=True)\nsys.stdin.readline()\nos._exit(6)"
        )
        server = int(run.first_line)
        self.addCleanup(os.kill, server, signal.SIGKILL)
        run.terminate()
        run.stderr.readline()
        _, error = run.communicate("go\n")
        self.assertEqual(
            error, f"syncspawn: process {server} of the launch may go on: it may not be killed, for it runs as another user\n"
        )
        self.assertEqual(run.returncode, 6)


def hangs(*_):
    text = f"the watchdog ends this test after {LIMIT} seconds: hung, or a very slow machine\n"
    os.write(2, text.encode())
    os._exit(1)  # unittest takes an exception for the failure of one case, and goes on


if __name__ == "__main__":
    signal.signal(signal.SIGALRM, hangs)
    signal.alarm(LIMIT)
    unittest.main(verbosity=2)
