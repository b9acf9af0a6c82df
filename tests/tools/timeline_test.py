"""syncspawn run --timeline: the picture of a launch as text, as SVG and as a trace, on stderr and in files."""

import json
import os
import stat
import subprocess
import xml.etree.ElementTree as ElementTree

from case import ENVIRONMENT, SYNCSPAWN, Case, main

SVG = "{http://www.w3.org/2000/svg}"
HOSTILE = b"/no/\xff<&>\"'\x01\n\x1b[31m"


def run(*words, **options):
    return subprocess.run(
        [SYNCSPAWN, "run", *words],
        env=ENVIRONMENT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        **options,
    )


class Pictures(Case):
    def setUp(self):
        self.scratch = self.directory()

    def drawn(self, name, *words, code=0):
        path = os.path.join(self.scratch, name)
        result = run(f"--timeline={path}", *words)
        self.assertEqual(result.returncode, code, result.stderr)
        self.assertEqual(os.listdir(self.scratch), [name])
        with open(path, "rb") as file:
            return file.read()


class Text(Pictures):
    def check_of_both_sides(self, text, *last):
        lines = text.decode().splitlines()
        self.assertEqual(lines[0].split(), ["ms", "parent", "|", "child"])
        times = [float(line.split()[0]) for line in lines[1:]]
        self.assertEqual(times, sorted(times))
        self.assertTrue(any("| exited with code 3" in line for line in lines), text)

    def test_on_stderr_to_the_end_of_the_program(self):
        result = run("--timeline", "--", "sh", "-c", "exit 3")
        self.assertEqual(result.returncode, 3)
        self.check_of_both_sides(result.stderr)

    def test_in_a_file(self):
        self.check_of_both_sides(self.drawn("timeline", "sh", "-c", "exit 3", code=3))

    def test_a_signal_is_an_end(self):
        path = os.path.join(self.scratch, "timeline")
        self.assertEqual(run(f"--timeline={path}", "--", "sh", "-c", "kill -KILL $$").returncode, -9)
        with open(path, encoding="utf-8") as file:
            self.assertIn("| killed by SIGKILL\n", file.read())


class Svg(Pictures):
    def texts_of(self, picture):
        root = ElementTree.fromstring(picture)
        self.assertEqual(root.tag, SVG + "svg")
        self.assertIsNotNone(root.find(SVG + "title"))
        width, height = float(root.get("width")), float(root.get("height"))
        for text in root.iter(SVG + "text"):
            self.assertTrue(0 <= float(text.get("x")) <= width and 0 <= float(text.get("y")) <= height)
        return [text.text for text in root.iter(SVG + "text")]

    def test_of_a_program(self):
        picture = self.drawn("a.svg", "--parent-hook", "true", "--", "sh", "-c", "exit 3", code=3)
        texts = self.texts_of(picture)
        for text in ("parent", "child", "parent hook 'true'", "ready to exec", "execve 'sh'", "exited with code 3"):
            self.assertIn(text, texts)

    def test_of_a_failed_launch(self):
        texts = self.texts_of(self.drawn("a.svg", "--child-hook", "exit 4", "--", "true", code=125))
        self.assertIn("failed", texts)
        self.assertIn("child hook 'exit 4' exited with code 4", texts)

    def test_with_names_of_any_bytes(self):
        texts = self.texts_of(self.drawn("a.svg", HOSTILE, code=127))
        self.assertIn("execve '/no/\ufffd<&>\"'\ufffd\ufffd\ufffd[31m'", texts)


class Trace(Pictures):
    def events_of(self, trace):
        events = json.loads(trace)["traceEvents"]
        for event in events:
            self.assertEqual(event["pid"], 1)
            self.assertIn(event["tid"], (1, 2))
            self.assertTrue(event["ph"] == "M" or event["ts"] >= 0)
            self.assertTrue(event["ph"] != "X" or event["dur"] >= 0)
        lanes = {event["tid"]: event["args"]["name"] for event in events if event["name"] == "thread_name"}
        self.assertEqual(lanes, {1: "parent", 2: "child"})
        return events

    def test_of_a_program(self):
        events = self.events_of(self.drawn("a.json", "--child-hook", "true", "--", "sh", "-c", "exit 3", code=3))
        spans = {event["name"]: event["tid"] for event in events if event["ph"] == "X"}
        self.assertEqual(spans["child hook 'true'"], 2)
        self.assertEqual(spans["program: exited with code 3"], 2)
        begun = [event["id"] for event in events if event["ph"] == "s"]
        ended = [event["id"] for event in events if event["ph"] == "f"]
        self.assertTrue(begun)
        self.assertEqual(begun, ended)

    def test_of_a_failed_launch(self):
        names = [event["name"] for event in self.events_of(self.drawn("a.json", HOSTILE, code=127))]
        self.assertTrue(any(name.startswith("failed: execve '/no/\ufffd<&>\"'\x01\n\x1b[31m'") for name in names), names)


class Files(Pictures):
    def test_an_old_one_is_replaced_through_a_link(self):
        path = os.path.join(self.scratch, "a.svg")
        link = os.path.join(self.scratch, "link.svg")
        with open(path, "w", encoding="utf-8") as old:
            old.write("old")
        os.symlink("a.svg", link)
        with open(path, encoding="utf-8") as old:
            self.assertEqual(run(f"--timeline={link}", "--", "true", umask=0o027).returncode, 0)
            self.assertEqual(old.read(), "old")  # whoever has it open still sees it whole
        self.assertTrue(os.path.islink(link))
        self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o640)
        ElementTree.parse(path)

    def test_a_fifo_is_written_to(self):
        path = os.path.join(self.scratch, "a.json")
        os.mkfifo(path)
        reader = os.open(path, os.O_RDWR | os.O_NONBLOCK)
        self.addCleanup(os.close, reader)
        self.assertEqual(run(f"--timeline={path}", "--", "true").returncode, 0)
        json.loads(os.read(reader, 65536))
        self.assertTrue(stat.S_ISFIFO(os.stat(path).st_mode))

    def test_what_cannot_be_written_is_refused_at_once(self):
        for path, why in (("/no/such/directory/a.svg", "no such file"), (self.scratch, "is a directory")):
            result = run(f"--timeline={path}", "--", "echo", "started")
            self.assertEqual((result.returncode, result.stdout), (125, b""))
            self.assertIn(why, result.stderr.decode().lower())

    def test_what_fails_at_the_end_does_not_change_it(self):
        result = run("--timeline=/dev/full", "--", "sh", "-c", "exit 3")
        self.assertEqual(result.returncode, 3)
        self.assertRegex(result.stderr.decode().lower(), "syncspawn: the timeline is not written: .*no space left")


if __name__ == "__main__":
    main()
