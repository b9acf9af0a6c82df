"""syncspawn run as a job of an interactive shell in a terminal."""

import os
import pty
import re
import signal

from case import ENVIRONMENT, Case, main


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


class InATerminal(Case):
    def setUp(self):
        try:
            for fd in os.openpty():
                os.close(fd)
        except OSError as error:
            self.leave_out(f"there is no pseudo-terminal: {error}")

    def hold(self, name, steps):
        terminal = Terminal()
        self.addCleanup(terminal.close)
        program = os.path.join(self.directory(), "program")
        with open(program, "w") as file:
            file.write(PROGRAMS.get(name, ""))
        for step in re.split(r"\n| \| ", steps.strip()):
            verb, _, text = step.strip().partition(" ")
            text = text.strip().replace("PROGRAM", program)
            if verb == "type":
                terminal.type(text)
            elif verb == "press":
                terminal.press(text)
            elif verb == "see":
                terminal.expect(text)
            elif verb == "prompt":
                terminal.shell_answers()
            elif verb == "prompt-without":
                self.assertNotIn(text, terminal.shell_answers())
            else:
                self.fail("there is no such step: " + step)


# What a person does, and what comes of it. `type` a line, `press` a key with Ctrl; `see` waits for a pattern, `prompt` for
# the shell to have the terminal again, and `prompt-without` looks at what came until then, too.
DIALOGUES = {
    "interrupt ends a loop": """
        type for i in 1 2 3; do syncspawn run -- sh -c 'echo round-$0; exec sleep 6543' $i; done
        see round-1 | press C | prompt-without round-2
    """,
    "interrupt before the program is ready ends a loop": """
        type for i in 1 2 3; do syncspawn run --wait-ready -- sh -c 'echo round-$0; exec sleep 6543' $i; done
        see round-1 | press C | prompt-without round-2
    """,
    "interrupt ends a script": """
        type bash PROGRAM
        see runs | press C | prompt-without went-on
    """,
    "a program that handles the interrupt lets the loop go on": """
        type for i in 1 2; do syncspawn run -- python3 PROGRAM; done; echo through
        see round | press C | see round | press C | see through
    """,
    "a program that stops itself is a stopped job": """
        type syncspawn run -- sh -c 'echo before; kill -STOP $$; echo behind-$((6 * 7)); exit 5'
        see before | see Stopped | prompt-without behind-42
        type fg; echo code-$?
        see behind-42 | see code-5
    """,
    "a stopped job goes on in the background": """
        type syncspawn run -- sh -c 'echo before; kill -TSTP $$; echo behind-$((6 * 7))'
        see before | see Stopped
        type bg
        see behind-42
        type wait; echo code-$?
        see code-0
    """,
    "the stop key stops a job that reads the terminal": """
        type syncspawn run -- python3 PROGRAM
        see before | press Z | see Stopped | prompt
        type fg
        see python3
        type typed
        see read typed | prompt
    """,
    "an interactive shell that suspends itself": """
        type syncspawn run -- bash --norc --noprofile --noediting -i
        type PS1=; echo inner-$((1 + 1)); suspend
        see inner-2 | see Stopped | prompt
        type fg
        see noediting
        type echo inner-$((1 + 2)); exit 7
        see inner-3
        type echo code-$?
        see code-7
    """,
    "a program that has taken the terminal gets it back": """
        type syncspawn run -- python3 PROGRAM
        see has taken it | see Stopped | prompt
        type fg
        see python3
        type a line
        see read a line | prompt
    """,
}

# The file PROGRAM of a dialogue.
PROGRAMS = {
    "interrupt ends a script": """
syncspawn run -- sh -c 'echo runs; exec sleep 6543'
echo went-on
""",
    "a program that handles the interrupt lets the loop go on": """
import signal
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
print("round", flush=True)
signal.sigwait([signal.SIGINT])
""",
    # Once the launcher holds SIGTSTP back it is through with the launch, and stops when this has stopped.
    "the stop key stops a job that reads the terminal": """
import os, signal, sys
held = 0
while not held & 1 << signal.SIGTSTP - 1:
    with open(f"/proc/{os.getppid()}/status") as status:
        held = next(int(line.split()[1], 16) for line in status if line.startswith("SigBlk"))
print("before", flush=True)
print("read", sys.stdin.readline(), flush=True)
""",
    # When it goes on, the shell has given the terminal to the job, which must give it to this group.
    "a program that has taken the terminal gets it back": """
import os, signal
signal.signal(signal.SIGTTOU, signal.SIG_IGN)
os.setpgid(0, 0)
os.tcsetpgrp(0, os.getpgrp())
print("has taken it", flush=True)
os.kill(0, signal.SIGSTOP)
while os.tcgetpgrp(0) != os.getpgrp():
    pass
print("read", input(), flush=True)
""",
}

for title, dialogue in DIALOGUES.items():
    setattr(
        InATerminal,
        "test_" + title.replace(" ", "_"),
        lambda self, title=title, dialogue=dialogue: self.hold(title, dialogue),
    )


if __name__ == "__main__":
    main()
