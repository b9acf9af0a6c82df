"""syncspawn run --status-fd: what is written, and that nobody waits for its reader."""

import fcntl
import json
import os
import signal
import subprocess
import threading
import time

from case import ENVIRONMENT, SYNCSPAWN, Case, main


def run_with(fd, *words, **options):
    return subprocess.run(
        [SYNCSPAWN, "run", "--status-fd", str(fd), *words],
        env=ENVIRONMENT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        pass_fds=[fd],
        check=False,
        **options,
    )


class Status(Case):
    def pipe(self):
        reading, writing = os.pipe()
        return os.fdopen(reading, "rb"), os.fdopen(writing, "wb", buffering=0)

    def lines_of(self, *words):
        """What a run tells, and how it ended."""
        reading, writing = self.pipe()
        with reading, writing:
            result = run_with(writing.fileno(), *words)
            writing.close()
            return [json.loads(line) for line in reading.read().splitlines()], result

    def only(self, lines, event):
        found = [line for line in lines if line["event"] == event]
        self.assertEqual(len(found), 1, lines)
        return found[0]


class Lines(Status):
    def test_the_first_one_says_version_and_clock(self):
        before = time.clock_gettime(time.CLOCK_MONOTONIC)
        lines, _ = self.lines_of("true")
        after = time.clock_gettime(time.CLOCK_MONOTONIC)
        first = lines[0]
        self.assertIs(first, self.only(lines, "begin"))
        self.assertEqual((first["version"], first["event"], first["time"]), (1, "begin", 0))
        self.assertTrue(before - 0.001 <= first["monotonic"] <= after, first)
        self.assertGreater(first["pid"], 0)

    def test_a_program_from_its_beginning_to_its_end(self):
        lines, result = self.lines_of("sh", "-c", "echo $$; exit 3")
        self.assertEqual(result.returncode, 3)
        self.assertEqual(self.only(lines, "exec")["pid"], int(result.stdout))
        end = self.only(lines, "exit")
        self.assertEqual((end["code"], end["reason"]), (3, "itself"))
        self.assertGreater(end["usage"]["max-rss"], 0)
        self.assertGreaterEqual(end["usage"]["user"], 0)
        self.assertGreaterEqual(end["usage"]["system"], 0)
        events = [line["event"] for line in lines]
        self.assertLess(events.index("exec"), events.index("exit"))
        self.assertLessEqual(self.only(lines, "exec")["time"], end["time"])

    def test_every_step_has_a_side_and_a_state(self):
        lines, _ = self.lines_of("--parent-hook", "true", "--child-hook", "true", "true")
        steps = [line for line in lines if line["event"] == "step"]
        told = {(step["side"], step["name"], step["state"]) for step in steps}
        for side in ("parent", "child"):
            for state in ("start", "done"):
                self.assertIn((side, f"{side} hook 'true'", state), told)
                self.assertIn((side, "ready to exec", state), told)
        for side in ("parent", "child"):
            times = [step["time"] for step in steps if step["side"] == side]
            self.assertEqual(times, sorted(times))

    def test_steps_are_told_while_the_launch_goes_on(self):
        path = os.path.join(self.directory(), "status")
        told = f"grep -q 'child hook .true.*done' {path}"
        with open(path, "wb") as file:
            hooks = ["--child-hook", "true", "--parent-hook", "true", "--parent-hook", f"until {told}; do sleep 0.01; done"]
            self.assertEqual(run_with(file.fileno(), *hooks, "true").returncode, 0)
        with open(path, encoding="utf-8") as file:
            lines = [json.loads(line) for line in file]
        times = [line["time"] for line in lines if line.get("side", "parent") == "parent"]
        self.assertEqual(times, sorted(times))
        steps = [(line["side"], line["kind"], line["name"], line["state"]) for line in lines if line["event"] == "step"]
        self.assertEqual(steps.count(("child", "step", "child hook 'true'", "done")), 1)
        self.assertEqual(steps.count(("child", "execve", "execve 'true'", "start")), 1)
        self.only(lines, "exec")

    def test_readiness(self):
        lines, result = self.lines_of("--wait-ready", "--", "syncspawn", "barrier", "place-and-sync")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertGreaterEqual(self.only(lines, "ready")["time"], self.only(lines, "exec")["time"])

    def test_a_signal(self):
        lines, _ = self.lines_of("sh", "-c", "kill -TERM $$")
        end = self.only(lines, "exit")
        self.assertEqual((end["signal"], end["signal-name"]), (signal.SIGTERM, "SIGTERM"))
        self.assertNotIn("code", end)

    def test_a_failure(self):
        lines, result = self.lines_of("/no/such/program")
        self.assertEqual(result.returncode, 127)
        failed = self.only(lines, "failed")
        self.assertEqual((failed["side"], failed["stage"], failed["errno"]), ("child", "execve", "ENOENT"))
        self.assertEqual(failed["message"], result.stderr.decode().removeprefix("syncspawn: ").rstrip("\n"))
        self.assertNotIn("exit", [line["event"] for line in lines])

    def test_a_failed_hook(self):
        lines, _ = self.lines_of("--parent-hook", "exit 3", "true")
        failed = self.only(lines, "failed")
        self.assertEqual((failed["side"], failed["stage"], failed["step"]), ("parent", "step", "parent hook 'exit 3'"))
        self.assertEqual(failed["message"], "parent hook 'exit 3' exited with code 3")
        self.assertNotIn("errno", failed)

    def test_names_of_any_bytes_are_json(self):
        cases = {
            b"/no/\xff\xc0\xaf\xed\xa0\x80": "/no/" + "\ufffd" * 6,
            b'/no/"\\\n\t\x01\x7f': '/no/"\\\n\t\x01\x7f',
            "/no/\u00e4\u20ac\U0001f600".encode(): "/no/\u00e4\u20ac\U0001f600",
        }
        for name, shown in cases.items():
            with self.subTest(name):
                lines, _ = self.lines_of(name)
                self.assertEqual(self.only(lines, "failed")["step"], f"execve '{shown}'")


class Readers(Status):
    def test_one_that_is_gone_is_not_missed(self):
        reading, writing = self.pipe()
        with writing:
            reading.close()
            result = run_with(writing.fileno(), "sh", "-c", "exit 3")
        self.assertEqual((result.returncode, result.stderr), (3, b""))

    def test_one_that_does_not_read_is_not_waited_for(self):
        reading, writing = self.pipe()
        with reading, writing:
            os.set_blocking(writing.fileno(), False)
            while writing.write(b"\0" * 4096):
                pass
            os.set_blocking(writing.fileno(), True)
            self.assertEqual(run_with(writing.fileno(), "sh", "-c", "exit 3").returncode, 3)

    def test_one_that_is_slow_gets_everything(self):
        reading, writing = self.pipe()
        with reading, writing:
            fcntl.fcntl(writing.fileno(), fcntl.F_SETPIPE_SZ, 4096)
            hooks = ["--child-hook", "true"] * 40
            read = []
            reader = threading.Thread(target=lambda: read.extend(reading))
            # The program ends when it has been told that the pipe is read.
            command = [SYNCSPAWN, "run", "--status-fd", str(writing.fileno()), *hooks, "--", "sh", "-c", "echo runs; cat"]
            with subprocess.Popen(
                command, env=ENVIRONMENT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, pass_fds=[writing.fileno()]
            ) as run:
                self.assertEqual(run.stdout.readline(), b"runs\n")
                writing.close()
                reader.start()
                self.ends(run, 0, b"")
            reader.join()
        lines = [json.loads(line) for line in read]
        self.assertEqual(self.only(lines, "exit")["code"], 0)
        self.assertNotIn("lost", [line["event"] for line in lines])
        self.assertEqual(sum(line.get("name") == "child hook 'true'" for line in lines), 80)

    def test_the_flags_of_the_descriptor_stay(self):
        reading, writing = self.pipe()
        with reading, writing:
            run_with(writing.fileno(), "true")
            self.assertTrue(os.get_blocking(writing.fileno()))

    def test_the_program_does_not_hold_it(self):
        reading, writing = self.pipe()
        with reading, writing:
            fd = writing.fileno()
            result = run_with(fd, "sh", "-c", f"test ! -e /proc/$$/fd/{fd}")
        self.assertEqual(result.returncode, 0)

    def test_a_file_has_them_in_order(self):
        path = os.path.join(self.directory(), "status")
        with open(path, "wb") as file:
            run_with(file.fileno(), "true")
        with open(path, encoding="utf-8") as file:
            events = [json.loads(line)["event"] for line in file]
        self.assertEqual((events[0], events.count("exit")), ("begin", 1))

    def test_standard_error_will_do(self):
        result = subprocess.run(
            [SYNCSPAWN, "run", "--status-fd", "2", "true"], env=ENVIRONMENT, stderr=subprocess.PIPE, check=True
        )
        for line in result.stderr.splitlines():
            json.loads(line)


class WrongDescriptors(Status):
    def setUp(self):
        self.source = os.open(os.devnull, os.O_RDONLY)
        self.addCleanup(os.close, self.source)

    def refused(self, word, message):
        result = subprocess.run(
            [SYNCSPAWN, "run", "--status-fd", word, "--", "echo", "started"],
            env=ENVIRONMENT,
            stdin=self.source,
            capture_output=True,
            text=True,
            check=False,
        )
        self.assertEqual((result.returncode, result.stdout), (125, ""))
        self.assertIn(f"--status-fd: {message}", result.stderr)

    def test_they_are_refused(self):
        self.refused("987", "descriptor 987 is not open")
        self.refused("x", "'x' is not")
        self.refused("0", "descriptor 0 is not open for writing")


if __name__ == "__main__":
    main()
