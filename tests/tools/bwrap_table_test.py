"""The same command lines under bubblewrap, syncspawn-bwrap and `syncspawn run`: the same output, and the same success.

Usage: bwrap_table_test.py SYNCSPAWN SYNCSPAWN_BWRAP. As root all of it runs as an ordinary user, too.
"""

import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
from concurrent.futures import ThreadPoolExecutor

OURS = os.path.abspath(sys.argv.pop(2))

from case import SYNCSPAWN, Case, main
import bwrap_rows

THEIRS = "/usr/bin/bwrap"
ORDINARY = 1234
DATA = bwrap_rows.data(platform.machine()) if platform.machine() in bwrap_rows.NUMBERS else None


def make_scratch(directory, owner):
    os.mkdir(directory)
    for name in ("tree", "tree/inner", "work", "upper"):
        os.mkdir(os.path.join(directory, name))
    for name, text in (("file", "old\n"), ("tree/inner/leaf", "leaf\n")):
        with open(os.path.join(directory, name), "w") as file:
            file.write(text)
    os.symlink("file", os.path.join(directory, "link"))
    os.symlink("nowhere", os.path.join(directory, "dangling"))
    if owner is not None:
        for at, directories, files in os.walk(directory):
            for name in [".", *directories, *files]:
                os.lchown(os.path.join(at, name), owner, owner)


class Opened:
    """The descriptors that a row names."""

    def __init__(self, scratch):
        self.scratch = scratch
        self.fds = []

    def number(self, name):
        if name == "tree":
            fd = os.open(os.path.join(self.scratch, "tree"), os.O_RDONLY | os.O_DIRECTORY)
        else:
            fd, writer = os.pipe()
            os.write(writer, DATA[name])
            os.close(writer)
        self.fds.append(fd)
        return str(fd)

    def close(self):
        for fd in self.fds:
            os.close(fd)


def environment(row):
    result = {"PATH": "/usr/bin:/bin:/usr/sbin:/sbin", "HOME": "/", "LANG": "C"}
    result["OUTSIDE"] = " ".join(os.readlink("/proc/self/ns/" + name) for name in os.listdir("/proc/self/ns"))
    return {**result, **row.environment}


def carry_out(row, program, scratch, owner):
    """(output, code) of the row under one program."""
    make_scratch(scratch, owner)
    opened = Opened(scratch)

    def fill(word):
        word = re.sub(r"%(\w+)%", lambda found: opened.number(found[1]), word)
        return re.sub(r"@([\w/]*)@", lambda found: os.path.join(scratch, found[1]).rstrip("/"), word)

    words = program + [fill(word) for word in row.options.split() + row.words + row.command]
    credentials = {} if owner is None else {"user": owner, "group": owner, "extra_groups": []}
    try:
        run = subprocess.run(words, cwd=scratch, env=environment(row), stdin=subprocess.DEVNULL,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, pass_fds=opened.fds,
                             timeout=120, **credentials)
    finally:
        opened.close()
    return run.stdout.decode().replace(scratch, "SCRATCH"), run.returncode, run.stderr.decode()


def difference(row, found, expected, what):
    """What `what` does otherwise; nothing if it does the same."""
    same_code = found[1] == expected[1] if what == "syncspawn-bwrap" else (found[1] == 0) == (expected[1] == 0)
    if found[0] == expected[0] and same_code:
        return ""
    return (f"{what}: {row.options.strip()} {' '.join(row.words + row.command)}\n"
            f"    gives {found[0]!r}, {found[1]}: {found[2]}\n    instead of {expected[0]!r}, {expected[1]}: {expected[2]}")


class Table:
    def __init__(self, directory, owner):
        self.directory = directory
        self.owner = owner
        self.programs = {"syncspawn-bwrap": [self.copy(OURS)], "syncspawn run": [self.copy(SYNCSPAWN), "run"]}

    def copy(self, program):
        """Where an ordinary user may execute it."""
        return shutil.copy(program, self.directory) if self.owner is not None else program

    def differences(self, numbered):
        number, row = numbered
        count = iter(range(10))

        def carry_out_by(program):
            return carry_out(row, program, os.path.join(self.directory, f"{number}.{next(count)}"), self.owner)

        if row.needs_newer:
            expected = (row.expected, 0, "") if row.expected is not None else None
        else:
            expected = carry_out_by([THEIRS])
        texts = []
        for what, program in self.programs.items():
            if what == "syncspawn run" and not row.run:
                continue
            found = carry_out_by(program)
            if expected is None:
                texts.append("" if found[1] != 0 else f"{what}: {row.options}: succeeds")
            else:
                texts.append(difference(row, found, expected, what))
        return [text for text in texts if text]

    def run(self, rows):
        with ThreadPoolExecutor(max_workers=4) as threads:
            return sum(threads.map(self.differences, enumerate(rows)), [])


class BwrapTable(Case):
    def setUp(self):
        if not os.access(THEIRS, os.X_OK):
            self.leave_out("bubblewrap is not installed")
        if DATA is None:
            self.leave_out("the filters of the table are for x86-64 and aarch64")

    def compare(self, user, owner):
        directory = self.directory()
        os.chmod(directory, 0o755)
        trial = {} if owner is None else {"user": owner, "group": owner, "extra_groups": []}
        if subprocess.run([THEIRS, "--ro-bind", "/", "/", "true"], stderr=subprocess.DEVNULL, **trial).returncode != 0:
            self.leave_out("bubblewrap can make no sandbox here")
        rows = [row for row in bwrap_rows.ROWS if user in row.users]
        self.assertGreaterEqual(len(rows), 80)
        found = Table(directory, owner).run(rows)
        self.assertEqual(found, [], "\n".join(found))

    def test_as_the_caller(self):
        self.compare("root" if os.geteuid() == 0 else "user", None)

    def test_as_an_ordinary_user(self):
        if os.geteuid() != 0:
            self.skipTest("the other test is it")
        self.compare("user", ORDINARY)


if __name__ == "__main__":
    main()
