"""syncspawn run as a child of Python's subprocess: what it ends as, and what reaches its program."""

import ctypes
import os
import resource
import signal
import subprocess

from case import ENVIRONMENT, SYNCSPAWN, Case, main


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


def is_complaint(line):
    """And none of the timeline."""
    return line.startswith("syncspawn: ")


def complaint(run):
    return next(filter(is_complaint, iter(run.stderr.readline, "")))


def python(program, *arguments):
    return ["python3", "-c", program, *(str(int(argument)) for argument in arguments)]


class OfSubprocess(Case):
    until_killed = ["sh", "-c", "echo runs; exec sleep 6543"]

    def test_a_signal_that_ends_it_is_its_end(self):
        for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGUSR1, signal.SIGALRM):
            with self.subTest(number):
                run = start(self.until_killed, preexec_fn=lambda number=number: signal.signal(number, signal.SIG_DFL))
                run.send_signal(number)
                self.ends(run, -number)

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
        program = """
import os, resource, signal
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
print("runs", flush=True)
os.kill(os.getpid(), signal.SIGQUIT)
"""
        run = start(
            python(program),
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
        self.ends(run, 5)

    def test_every_signal_that_can_be_held_back_is_passed_on(self):
        kept = {signal.SIGKILL, signal.SIGSTOP, signal.SIGCHLD, signal.SIGCONT}
        faults = {signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGTRAP, signal.SIGSYS}
        numbers = sorted(set(signal.valid_signals()) - kept - faults)
        program = """
import signal, sys
numbers = {int(word) for word in sys.argv[1:]}
signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
print("runs", flush=True)
while numbers:
    number = signal.sigwait(numbers)
    print(int(number), flush=True)
    numbers.remove(number)
"""
        run = start(
            python(program, *numbers),
            preexec_fn=lambda: [signal.signal(number, signal.SIG_DFL) for number in numbers],
        )
        for number in numbers:
            run.send_signal(number)
            self.assertEqual(run.stdout.readline(), f"{int(number)}\n")
        self.ends(run, 0)

    def test_the_value_of_a_queued_signal_is_passed_on(self):
        program = """
import ctypes, signal
number = signal.SIGRTMIN + 3
signal.pthread_sigmask(signal.SIG_BLOCK, [number])
print("runs", flush=True)
info = (ctypes.c_int * 32)()
chosen = (ctypes.c_ulong * 16)(1 << (number - 1))
assert ctypes.CDLL(None).sigwaitinfo(chosen, info) == number
print(info[2], info[6])  # si_code, and si_value behind si_pid and si_uid
"""
        run = start(python(program))
        queued = ctypes.CDLL(None).sigqueue(run.pid, signal.SIGRTMIN + 3, ctypes.c_void_p(1234))
        self.assertEqual(queued, 0)
        self.assertEqual(run.stdout.readline(), "-1 1234\n")  # SI_QUEUE
        self.ends(run, 0)

    def test_a_signal_that_the_program_sends_to_its_group_comes_once(self):
        # Signals come in the order of their numbers: when USR2 has come, a USR1 passed on would have come before.
        program = """
import os, signal, time
caught = []
signal.signal(signal.SIGUSR1, lambda *_: caught.append(1))
signal.signal(signal.SIGUSR2, lambda *_: caught.append(2))
print("runs", flush=True)
os.kill(0, signal.SIGUSR1)
os.system("kill -USR2 " + str(os.getppid()))
while 2 not in caught:
    time.sleep(0.01)
print(caught)
"""
        run = start(python(program), start_new_session=True)
        self.assertEqual(run.stdout.readline(), "[1, 2]\n")
        self.ends(run, 0)


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
            self.leave_out("only root can give CAP_SETUID away")
        if subprocess.run([*self.user, SYNCSPAWN, "--version"], stdout=subprocess.DEVNULL, check=False).returncode:
            self.leave_out("another user cannot execute what was built")

    def start(self, rest):
        program = "import os, subprocess, sys\nos.setuid(0)\n" + rest
        return start(python(program), before=self.user, cwd="/")

    def test_a_refused_signal_is_told(self):
        run = self.start('print("runs", flush=True)\nsys.stdin.readline()\nsys.exit(6)')
        run.terminate()
        self.assertRegex(
            complaint(run),
            r"syncspawn: SIGTERM is not passed on to the program, process \d+: not permitted"
            r" \(it runs as another user now\)\n",
        )
        self.ends(run, 6, input="go\n")

    def test_what_cannot_be_killed_is_told_and_not_waited_for(self):
        run = self.start(
            "server = subprocess.Popen(['sleep', '6543'], stdin=-3, stdout=-3, stderr=-3, start_new_session=True)\n"
            "print(server.pid, flush=True)\nsys.stdin.readline()\nos._exit(6)"
        )
        server = int(run.first_line)
        self.addCleanup(os.kill, server, signal.SIGKILL)
        run.terminate()
        complaint(run)
        _, error = run.communicate("go\n")
        self.assertEqual(
            list(filter(is_complaint, error.splitlines())), [f"syncspawn: process {server} of the launch may go on: it may not be killed, for it runs as another user"]
        )
        self.assertEqual(run.returncode, 6)


if __name__ == "__main__":
    main()
