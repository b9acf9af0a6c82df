"""What the tests of `syncspawn run` as a child of others share. Usage of each: NAME_test.py SYNCSPAWN.

Every wait is for an event; the alarm at the end is for a test that hangs.
"""

import os
import signal
import sys
import tempfile
import unittest

LIMIT = 300
SYNCSPAWN = os.path.abspath(sys.argv.pop(1))
ENVIRONMENT = {
    **os.environ,
    "PATH": os.path.dirname(SYNCSPAWN) + ":" + os.environ["PATH"],
    "PS1": "$ ",
    "TERM": "dumb",
    "ENV": "",
}


class Case(unittest.TestCase):
    def directory(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        return directory.name

    def ends(self, run, code, input=None):
        """As subprocess numbers it: -n for a signal."""
        run.communicate(input)
        self.assertEqual(run.returncode, code)

    def leave_out(self, reason):
        print("SKIP-REASON: " + reason)
        self.skipTest(reason)


def hangs(*_):
    text = f"the watchdog ends this test after {LIMIT} seconds: hung, or a very slow machine\n"
    os.write(2, text.encode())
    os._exit(1)  # unittest takes an exception for the failure of one case, and goes on


def main():
    signal.signal(signal.SIGALRM, hangs)
    signal.alarm(LIMIT)
    unittest.main(verbosity=2)
