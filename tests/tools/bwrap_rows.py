"""The command lines of bwrap_table_test.py: what bubblewrap, syncspawn-bwrap and `syncspawn run` make of the same
options.

In a word, @NAME@ is a path in the scratch directory of the run (@@ is that directory), and %NAME% is the number of a
descriptor that has DATA[NAME] to read. In the scratch directory are `file` (it says "old"), `tree/inner/leaf`,
`link` -> file, `dangling` -> nowhere, and `work`, `upper`.
"""

import struct
from dataclasses import dataclass, field
from typing import Optional

BOTH = ("root", "user")


@dataclass
class Row:
    options: str
    command: list
    run: bool = True  # it means the same to `syncspawn run`
    users: tuple = BOTH
    words: list = field(default_factory=list)  # further options, with blanks in them
    expected: Optional[str] = None  # for what bubblewrap 0.8 lacks: the output; None: a failure
    needs_newer: bool = False
    environment: dict = field(default_factory=dict)


def row(options, command, **more):
    words = command.split() if isinstance(command, str) else command
    return Row(options, words, **more)


def shell(options, script, **more):
    return Row(options, ["sh", "-c", script], **more)


def newer(options, script, expected, **more):
    return Row(options, ["sh", "-c", script], needs_newer=True, expected=expected, **more)


HOST = "--dev-bind / / "
READ = "--ro-bind / / "
TREE = (
    "--ro-bind /usr /usr --ro-bind-try /lib /lib --ro-bind-try /lib64 /lib64 --ro-bind-try /bin /bin "
)


def filter_program(*refused):
    """cBPF: these calls answer EPERM. By the number alone: the test is for one architecture."""
    program = struct.pack("HBBI", 0x20, 0, 0, 0)
    for number in refused:
        program += struct.pack("HBBI", 0x15, 0, 1, number)
        program += struct.pack("HBBI", 0x06, 0, 0, 0x00050001)
    return program + struct.pack("HBBI", 0x06, 0, 0, 0x7FFF0000)


NUMBERS = {"x86_64": {"uname": 63, "getcwd": 79}, "aarch64": {"uname": 160, "getcwd": 17}}


def data(machine):
    numbers = NUMBERS[machine]
    return {
        "text": b"hello\n",
        "nothing": b"",
        "odd": b"abc",
        "no_uname": filter_program(numbers["uname"]),
        "no_getcwd": filter_program(numbers["getcwd"]),
        "byte": b"x",
        "args": b"--ro-bind\0/\0/\0--setenv\0A\0one two\0",
        "unfinished": b"--setenv\0A\0",
        "bogus": b"--bogus\0",
    }


FILES = [
    row(READ, "cat @file@"),
    row(HOST, "cat @file@"),
    shell("--bind / /", "echo new > @file@ && cat @file@"),
    shell(READ, "echo new > @file@ || cat @file@"),
    shell(READ + "--bind @tree@ @tree@", "echo new > @tree/x@ && cat @tree/x@; echo no > @file@"),
    shell(READ + "--bind @@ @@ --ro-bind @tree@ @tree@", "echo 1 > @x@; echo no > @tree/x@; ls @@"),
    row(READ + "--bind @file@ @tree/inner/leaf@", "cat @tree/inner/leaf@"),
    row(READ + "--bind @tree@ /mnt", "ls -R /mnt"),
    row(READ + "--ro-bind @link@ /etc/hostname", "cat /etc/hostname"),
    row(READ + "--bind @nothing@ /mnt", "true"),
    row(READ + "--bind-try @nothing@ /mnt --ro-bind-try @nothing@ /mnt --dev-bind-try @nothing@ /mnt", "echo on"),
    row(READ + "--ro-bind @dangling@ /mnt", "true"),
    row(READ + "--ro-bind-try @dangling@ /mnt", "echo on"),
    row(TREE, "ls /"),
    row(TREE + "--bind @tree@ /a/b", "ls -R /a"),
    row(TREE + "--ro-bind @file@ /a/b/c", "cat /a/b/c"),
    row(TREE + "--dir /a/b", ["stat", "-c", "%a %F", "/a", "/a/b"]),
    row(TREE + "--perms 0700 --dir /a/b", ["stat", "-c", "%a", "/a", "/a/b"]),
    row(TREE + "--perms 0750 --dir /a/b/c", ["stat", "-c", "%a", "/a", "/a/b", "/a/b/c"]),
    row(TREE + "--dir /a --perms 0700 --dir /a", ["stat", "-c", "%a", "/a"]),
    row(TREE + "--tmpfs /t", ["stat", "-c", "%a", "/t", "/"]),
    row(TREE + "--perms 01777 --tmpfs /t", ["stat", "-c", "%a", "/t"]),
    shell(TREE + "--size 65536 --tmpfs /t", "head -c 60000 /usr/bin/env > /t/a && head -c 60000 /usr/bin/env > /t/b"),
    row(TREE + "--size 65536 --perms 0711 --tmpfs /t", ["stat", "-c", "%a", "/t"]),
    shell(TREE + "--tmpfs /t", "echo yes > /t/x && cat /t/x"),
    shell(READ + "--tmpfs @tree@", "ls -A @tree@; echo 1 > @tree/x@ && ls @tree@"),
    row(TREE + "--symlink a/b /l", "readlink /l"),
    row(TREE + "--symlink a/b /d/e/l", "readlink /d/e/l"),
    row(TREE + "--dir /l --symlink a /l", "true"),
    row(TREE + "--file %text% /a/f", ["sh", "-c", "cat /a/f; stat -c %a /a"]),
    row(TREE + "--perms 0640 --file %text% /f", ["stat", "-c", "%a %s", "/f"]),
    row(TREE + "--file %nothing% /f", ["stat", "-c", "%s", "/f"]),
    shell(TREE + "--bind-data %text% /f", "cat /f; stat -c %a /f; echo more >> /f && cat /f"),
    shell(TREE + "--ro-bind-data %text% /f", "cat /f; echo more >> /f"),
    row(TREE + "--perms 0444 --ro-bind-data %text% /f", ["stat", "-c", "%a", "/f"]),
    row(READ + "--ro-bind-data %text% @file@", "cat @file@"),
    row(TREE + "--dir /a --chmod 0711 /a", ["stat", "-c", "%a", "/a"]),
    row(TREE + "--chmod 0711 /a", "true"),
    row(TREE + "--chmod 0999 /a", "true"),
    shell(TREE + "--tmpfs /t --dir /t/d --remount-ro /t", "ls /t; echo 1 > /t/x"),
    shell(HOST + "--remount-ro /", "echo 1 > @x@"),
    shell(TREE + "--tmpfs /t --tmpfs /t/s --remount-ro /t", "echo 1 > /t/s/x && echo inner; echo 1 > /t/x"),
    row(TREE + "--proc /proc", "cat /proc/self/comm"),
    row(TREE + "--unshare-pid --proc /proc", ["sh", "-c", "echo /proc/[0-9]*"]),
    shell(TREE + "--dev /dev", "ls -A /dev", run=False),  # that has no core
    shell(TREE + "--dev /dev", "ls -A /dev | grep -v core"),
    shell(TREE + "--dev /dev", "head -c 4 /dev/zero | wc -c; echo x > /dev/null; test -c /dev/urandom && echo on"),
    shell(TREE + "--dev /dev --proc /proc", "echo through | cat /dev/stdin; ls -A /dev/pts /dev/shm"),
    shell(TREE + "--dev /dev", "echo 1 > /dev/shm/x && cat /dev/shm/x"),
    shell(TREE + "--dev /dev", "cp /usr/bin/true /dev/shm/x && /dev/shm/x && echo executed"),
    shell(TREE + "--dev /dev", "mknod /dev/x c 1 5; head -c 1 /dev/x | wc -c"),
    row(TREE + "--dev /dev --proc /proc", ["sh", "-c", "cut -d' ' -f5,6 /proc/self/mountinfo | grep -e '^/dev '"]),
    row(TREE + "--unshare-ipc --mqueue /m", ["stat", "-c", "%F", "/m"]),
    shell(READ, "cd / && ls -d oldroot newroot"),
    row(READ + "--dev-bind /dev/null @file@", ["sh", "-c", "echo x > @file@"]),
    row(READ + "--bind /dev/null @file@", ["sh", "-c", "echo x > @file@"]),
    row(TREE + "--dir a/b", "ls -d /a/b"),
    row(TREE + "--perms 0700 --bind / /x", "true"),
    row(TREE + "--size 1000 --dir /x", "true"),
    row(TREE + "--size 0 --tmpfs /x", "true"),
    row(TREE + "--size junk --tmpfs /x", "true"),
    row(TREE + "--perms 0700 --perms 0750 --dir /x", "true"),
    row(TREE + "--perms 9 --dir /x", "true"),
]

# The namespaces that are not the caller's: those are in OUTSIDE.
ANOTHER = """
for name in cgroup ipc mnt net pid user uts; do
    case " $OUTSIDE " in *" $(readlink /proc/self/ns/$name) "*) ;; *) echo $name ;; esac
done"""

NAMESPACES = [
    row(READ + "--unshare-user", "id -u"),
    row(READ + "--unshare-user", "cat /proc/self/uid_map", run=False),
    row(READ + "--unshare-user --uid 77 --gid 78", ["sh", "-c", "id -u; id -g"]),
    row(READ + "--unshare-user-try --uid 5", "id -u"),
    row(READ + "--uid 5", "id -u", users=("root",)),
    row(READ + "--uid 5", "id -u", users=("user",)),
    row(READ + "--uid -1 --unshare-user", "id -u"),
    row(READ + "--gid x --unshare-user", "id -u"),
    row(READ + "--unshare-pid", ["sh", "-c", "echo $$"]),
    row(READ + "--unshare-pid --as-pid-1", ["sh", "-c", "echo $$"]),
    row(READ + "--as-pid-1", "true"),
    shell(READ + "--unshare-pid --proc /proc", "sleep 1000 & kill -0 $! && echo left"),
    row(READ + "--unshare-uts --hostname box", "uname -n"),
    row(READ + "--hostname box", "uname -n"),
    shell(READ + "--unshare-net", "tail -n +3 /proc/net/dev | cut -d: -f1; cat /sys/class/net/lo/flags"),
    shell(READ + "--unshare-all", "tail -n +3 /proc/net/dev | wc -l"),
    shell(READ, ANOTHER),
    shell(READ + "--unshare-all", ANOTHER),
    shell(READ + "--unshare-all --share-net", ANOTHER),
    shell(READ + "--share-net --unshare-all", ANOTHER),
    shell(READ + "--unshare-ipc", ANOTHER),
    shell(READ + "--unshare-cgroup", ANOTHER),
    shell(READ + "--unshare-cgroup-try --unshare-uts", ANOTHER),
    shell(READ + "--unshare-user --tmpfs /mnt --ro-bind-try /proc/self/ns/user /mnt/user",
          "case $(readlink /proc/self/ns/user) in *$(stat -L -c %i /mnt/user)*) echo own ;; esac"),
    row(READ + "--unshare-user --disable-userns", ["unshare", "--user", "true"]),
    row(READ + "--unshare-user --disable-userns --assert-userns-disabled", "echo on"),
    row(READ + "--disable-userns", "true", users=("root",), run=False),
    row(READ + "--assert-userns-disabled", "true", run=False),
    row(READ + "--unshare-user --userns %text%", "true"),
]

PROGRAM = [
    row(READ + "--chdir /usr", "pwd"),
    row(READ + "--chdir /usr", "printenv PWD"),
    row(READ + "--chdir /nowhere", "true"),
    row(READ + "--chdir / --chdir /usr", "pwd"),
    row(TREE, "printenv PWD", environment={"HOME": "/usr"}),
    row(TREE, "pwd", environment={"HOME": "/nowhere"}),
    row(READ, "pwd"),
    row(READ + "--setenv A 1 --setenv A 2", "printenv A"),
    row(READ + "--setenv A 1 --unsetenv A", "printenv A"),
    row(READ + "--unsetenv HOME", "printenv HOME"),
    row(READ + "--setenv A 1 --clearenv --setenv B 2 --chdir /", ["/usr/bin/env"]),
    row(READ + "--setenv =A 1", "true"),
    row(READ, "printenv A", words=["--setenv", "A", "one two"]),
    row(READ + "--setenv PATH /nowhere", "true"),
    row(READ, ["nowhere-to-be-found"]),
    row(READ, ["/etc"]),
    row(READ, ["sh", "-c", "exit 7"]),
    row(READ, ["sh", "-c", "kill -KILL $$"]),
    row(READ + "--unshare-pid", ["sh", "-c", "kill -TERM $$"]),
    row(READ, ["sh", "-c", "echo $0 $1", "a", "b c"]),
    row(READ + "--new-session", ["sh", "-c", "test $(ps -o sid= -p $$) -eq $$ && echo leads"]),
    row(READ + "--die-with-parent", "echo on"),
    row(READ, ["grep", "NoNewPrivs", "/proc/self/status"]),
    row(READ, ["sh", "-c", "grep -e CapEff -e CapPrm /proc/self/status"], run=False),
    row(READ + "--cap-drop ALL", ["sh", "-c", "grep -e CapEff -e CapPrm -e CapAmb /proc/self/status"]),
    row(READ + "--cap-drop ALL --cap-add CAP_KILL", ["sh", "-c", "grep -e CapEff -e CapAmb /proc/self/status"]),
    row(READ + "--unshare-user --cap-add cap_net_admin --cap-drop cap_net_admin", ["grep", "CapAmb", "/proc/self/status"],
        run=False),
    row(READ + "--cap-drop CAP_CHOWN", ["grep", "CapEff", "/proc/self/status"], run=False),
    row(READ + "--cap-add CAP_NONE", "true"),
    row(READ + "--seccomp %no_uname%", "uname -n"),
    row(READ + "--add-seccomp-fd %no_uname% --add-seccomp-fd %no_getcwd%", ["sh", "-c", "uname -n; env -C / pwd -P"]),
    row(READ + "--seccomp %odd%", "true"),
    row(READ + "--seccomp %nothing%", "true"),
    row(READ + "--seccomp %no_uname% --add-seccomp-fd %no_getcwd%", "true"),
    row(READ + "--block-fd %byte%", "echo on"),
    row(READ + "--lock-file @file@", "echo on"),
    row(READ + "--lock-file @nothing@", "true"),
    row(READ + "--sync-fd %byte%", "echo on"),
    row("--args %args%", "printenv A", run=False),
    row("--args %args% --setenv A x", "printenv A", run=False),
    row(READ + "--args %unfinished% x", "true", run=False),
    row("--args %bogus%", "true", run=False),
    row(READ + "--bogus", "true"),
    row(READ + "--bogus=3", "true"),
    row("--bind /", ""),
    row(READ, ""),
    row(READ + "--", "echo on"),
    row(READ, ["sh", "-c", "ls /proc/self/fd | wc -l"]),
    row(READ + "--exec-label x", "true"),
]

NEWER = [
    newer(READ + "--tmpfs /mnt --overlay-src @tree@ --tmp-overlay /mnt/o", "echo 1 > /mnt/o/x; ls /mnt/o", "inner\nx\n"),
    newer(READ + "--tmpfs /mnt --overlay-src @tree@ --overlay-src @work@ --ro-overlay /mnt/o",
          "ls /mnt/o; echo 1 > /mnt/o/x || echo refused", "inner\nrefused\n"),
    newer(READ + "--tmpfs /mnt --overlay-src @tree@ --overlay @upper@ @work@ /mnt/o", "echo 1 > /mnt/o/x; ls /mnt/o",
          "inner\nx\n"),
    newer(READ + "--ro-overlay /mnt", "true", None),
    newer(READ + "--tmp-overlay /mnt", "true", None),
    newer(READ + "--overlay-src @tree@ --dir /mnt", "true", None),
    newer(READ + "--overlay-src @tree@", "true", None),
    newer(READ + "--argv0 other", "cat /proc/$$/cmdline | tr '\\0' ' ' | cut -d' ' -f1", "other\n"),
    newer(TREE + "--symlink a /l --symlink a /l", "readlink /l", "a\n"),
    newer(TREE + "--symlink a /l --symlink b /l", "true", None),
    newer(READ + "--bind-fd %tree% /mnt", "ls /mnt", "inner\n"),
    newer(READ + "--ro-bind-fd %tree% /mnt", "echo 1 > /mnt/x || ls /mnt", "inner\n"),
    newer("--level-prefix " + READ + "--bogus", "true", None, run=False),
    newer("--not-a-security-boundary " + READ, "echo on", "on\n", run=False),
]

ROWS = FILES + NAMESPACES + PROGRAM + NEWER
