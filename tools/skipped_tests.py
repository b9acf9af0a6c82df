"""Lists what a test run did not test: usage: skipped_tests.py JUNIT_FILE

Prints the SKIP-REASON lines of all tests, and every skipped test that gives none.
The exit status is 1 if there is a skipped test without a reason.
"""

import sys
import xml.etree.ElementTree

PREFIX = "SKIP-REASON:"


def main(path):
    unexplained = False
    for case in xml.etree.ElementTree.parse(path).getroot().iter("testcase"):
        output = case.findtext("system-out") or ""
        reasons = [line.split(PREFIX, 1)[1].strip() for line in output.splitlines() if PREFIX in line]
        for reason in dict.fromkeys(reasons):
            print(f"{case.get('name')}: {reason}")
        if case.get("status") in ("notrun", "disabled") and not reasons:
            print(f"{case.get('name')}: skipped without a reason")
            unexplained = True
    return 1 if unexplained else 0


sys.exit(main(sys.argv[1]))
