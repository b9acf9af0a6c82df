"""syncspawn run --parent-hook and --child-hook: when, where and as whom they run, and what is left of them."""

import os
import signal
import subprocess
import time

from case import ENVIRONMENT, SYNCSPAWN, Case, main


def run(*words, **options):
    return subprocess.run(
        [SYNCSPAWN, "run", *words],
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        **options,
    )


# What a test lets sleep has a number of its own, by which to find what is left of it.
NAP = f"6543.{os.getpid()}"


def sleepers():
    found = []
    for entry in os.listdir("/proc"):
        try:
            with open(f"/proc/{entry}/cmdline", "rb") as file:
                words = file.read().split(b"\0")
        except OSError:
            continue
        if entry.isdigit() and words[:2] == [b"sleep", NAP.encode()]:
            found.append(entry)
    return found


class Hooks(Case):
    def setUp(self):
        self.scratch = self.directory()
        self.log = os.path.join(self.scratch, "log")

    def logged(self):
        with open(self.log, encoding="utf-8") as file:
            return file.read().split("\n")[:-1]

    def say(self, what):
        return f"echo {what} >> {self.log}"

    def refused(self, result, message):
        self.assertEqual((result.returncode, result.stderr), (125, f"syncspawn: {message}\n"))

    def until_logged(self, what, run):
        while not os.path.exists(self.log) or what not in self.logged():
            self.assertIsNone(run.poll())
            time.sleep(0.01)

    def needs_user_namespaces(self):
        if run("--map-root", "--", "true").returncode != 0:
            self.leave_out("no user namespaces here")


class InOrder(Hooks):
    def test_they_run_in_the_order_given_and_before_the_program(self):
        sides = ("parent", "parent", "child", "parent", "child", "child")
        words = []
        for number, side in enumerate(sides):
            words += [f"--{side}-hook", self.say(f"{side} {number}")]
        result = run(*words, "--", "sh", "-c", self.say("program"))
        self.assertEqual(result.returncode, 0, result.stderr)
        expected = [f"{side} {number}" for number, side in enumerate(sides)]
        self.assertEqual(self.logged(), [*expected, "program"])

    def test_a_parents_hook_sees_the_child_wait(self):
        result = run(
            "--parent-hook",
            "grep -E '^Pid' /proc/$SYNCSPAWN_CHILD_PID/status /proc/self/fdinfo/$SYNCSPAWN_CHILD_PIDFD -h;"
            "readlink /proc/$SYNCSPAWN_CHILD_PID/exe; echo $SYNCSPAWN_CHILD_PID",
            "--",
            "sh",
            "-c",
            "echo $$",
        )
        lines = result.stdout.split("\n")
        program = lines[4]
        self.assertEqual(lines[:2], [f"Pid:\t{program}"] * 2)
        self.assertEqual(lines[2], os.path.realpath(SYNCSPAWN))
        self.assertEqual(lines[3], program)

    def test_a_childs_hook_is_below_the_child(self):
        result = run("--child-hook", "echo $PPID $SYNCSPAWN_CHILD_PID", "--", "sh", "-c", "echo $$")
        hook, program, _ = result.stdout.split("\n")
        self.assertEqual(hook, f"{program} {program}")

    def test_the_program_does_not_get_their_variables(self):
        result = run("--parent-hook", "true", "--child-hook", "true", "--", "env")
        self.assertNotIn("SYNCSPAWN_CHILD", result.stdout)


class InTheirWorlds(Hooks):
    def test_each_is_in_the_namespaces_of_its_side(self):
        self.needs_user_namespaces()
        look = "readlink /proc/self/ns/user"
        result = run("--map-root", "--parent-hook", look, "--child-hook", look, "--", "sh", "-c", look)
        outside, inside, program, _ = result.stdout.split("\n")
        self.assertEqual(outside, os.readlink("/proc/self/ns/user"))
        self.assertEqual(inside, program)
        self.assertNotEqual(inside, outside)

    def test_a_childs_hook_may_set_up_what_the_program_finds(self):
        self.needs_user_namespaces()
        result = run("--map-root", "--child-hook", "grep -q 'CapEff:.*[^0]$' /proc/self/status && id -u", "--", "true")
        self.assertEqual((result.returncode, result.stdout), (0, "0\n"), result.stderr)

    def test_the_environment_is_that_of_the_side(self):
        hooks = ["--parent-hook", "echo ${PLACE-outside}", "--child-hook", "echo $PLACE"]
        result = run("--setenv", "PLACE", "inside", *hooks, "--", "true")
        self.assertEqual(result.stdout, "outside\ninside\n")

    def test_the_input_is_the_programs(self):
        result = run("--parent-hook", "cat", "--child-hook", "cat", "--", "cat", input="for the program\n")
        self.assertEqual(result.stdout, "for the program\n")

    def test_they_do_not_hold_a_pipe_of_the_caller(self):
        reading, writing = os.pipe()
        self.addCleanup(os.close, reading)
        self.addCleanup(os.close, writing)
        name = f"pipe:[{os.fstat(writing).st_ino}]"
        look = "ls -l /proc/self/fd"
        for side in ("parent", "child"):
            result = run(f"--{side}-hook", look, "--", "true", pass_fds=[writing])
            self.assertEqual(result.returncode, 0)
            self.assertNotIn(name, result.stdout)

    def test_they_block_no_signal_that_the_caller_does_not(self):
        look = "grep SigBlk /proc/self/status"
        result = run("--parent-hook", look, "--child-hook", look, "--", "grep", "SigBlk", "/proc/self/status")
        own = subprocess.run(["grep", "SigBlk", "/proc/self/status"], stdout=subprocess.PIPE, text=True, check=True)
        self.assertEqual(result.stdout, own.stdout * 3)


class ThatFail(Hooks):
    def test_a_failure_is_told_and_nothing_comes_after_it(self):
        for side, other in (("parent", "child"), ("child", "parent")):
            for script, end in (("exit 3", "exited with code 3"), ("kill -KILL $$", "was killed by SIGKILL")):
                with self.subTest(side=side, end=end):
                    rest = self.say("too late")
                    result = run(f"--{side}-hook", script, f"--{other}-hook", rest, "--", "sh", "-c", rest)
                    self.refused(result, f"{side} hook '{script}' {end}")
                    self.assertFalse(os.path.exists(self.log))

    def test_a_long_command_is_cut_between_characters(self):
        result = run("--parent-hook", "exit 3; " + "\u00e4" * 60, "--", "true")
        self.refused(result, "parent hook 'exit 3; " + "\u00e4" * 14 + "...' exited with code 3")

    def test_an_empty_command_is_refused(self):
        result = run("--parent-hook", self.say("started"), "--child-hook", "", "--", "true")
        self.assertEqual(result.returncode, 125)
        self.assertIn("--child-hook: must not be empty", result.stderr)
        self.assertFalse(os.path.exists(self.log))


class WithoutTraces(Hooks):
    """Processes in the background, and those of a launch that ends early."""

    def tearDown(self):
        for pid in sleepers():
            os.kill(int(pid), signal.SIGKILL)

    def test_a_hook_that_takes_too_long_is_ended(self):
        for side in ("parent", "child"):
            with self.subTest(side):
                result = run("--setup-timeout", "200ms", f"--{side}-hook", f"sleep {NAP} & sleep {NAP}", "--", "true")
                self.assertEqual(result.returncode, 124, result.stderr)
                self.assertIn(f"{side} hook", result.stderr)
                self.assertEqual(sleepers(), [])

    def test_a_signal_to_the_command_ends_it(self):
        for side in ("parent", "child"):
            with self.subTest(side):
                script = f"sleep {NAP} & {self.say(side)}; setsid sleep {NAP}"
                command = [SYNCSPAWN, "run", f"--{side}-hook", script, "--", "true"]
                with subprocess.Popen(command, env=ENVIRONMENT, stderr=subprocess.DEVNULL) as started:
                    self.until_logged(side, started)
                    started.terminate()
                    self.ends(started, -signal.SIGTERM)
                self.assertEqual(sleepers(), [])

    def test_the_death_of_the_command_ends_the_hooks_shell(self):
        for side in ("parent", "child"):
            with self.subTest(side):
                command = [SYNCSPAWN, "run", f"--{side}-hook", f"{self.say(side)}; exec sleep {NAP}", "--", "true"]
                with subprocess.Popen(command, env=ENVIRONMENT) as started:
                    self.until_logged(side, started)
                    started.kill()
                while sleepers():
                    time.sleep(0.01)

    def test_what_fails_leaves_nothing_in_the_background(self):
        for side in ("parent", "child"):
            with self.subTest(side):
                result = run(f"--{side}-hook", f"sleep {NAP} & exit 3", "--", "true")
                self.assertEqual(result.returncode, 125)
                self.assertEqual(sleepers(), [])

    def test_what_serves_the_program_ends_with_it(self):
        for side in ("parent", "child"):
            with self.subTest(side):
                script = f"sleep {NAP} & (sleep {NAP}; true) & setsid sleep {NAP} &"
                result = run(f"--{side}-hook", script, "--", "sh", "-c", "exit 5", stdin=subprocess.DEVNULL)
                self.assertEqual(result.returncode, 5, result.stderr)
                self.assertEqual(sleepers(), [])

    def test_what_the_program_leaves_is_its_own(self):
        result = run("--parent-hook", "true", "--", "sh", "-c", f"sleep {NAP} >/dev/null 2>&1 &")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(len(sleepers()), 1)


if __name__ == "__main__":
    main()
