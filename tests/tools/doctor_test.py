"""syncspawn doctor: on this machine, and on machines that refuse things. Usage: doctor_test.py SYNCSPAWN ENTER_ENVIRONMENT

What a machine refuses here is made by tests/support/environment.hpp; the true cause is therefore known.
"""

import json
import os
import pty
import shutil
import signal
import subprocess
import sys

import case

ENTER = os.path.abspath(sys.argv.pop(1))  # case has taken the program
PATH_OF_PROGRAM = case.SYNCSPAWN
LEFT_OUT = 45  # by the helper: this machine cannot be such a one
GUARANTEES = ["files", "network", "services", "processes", "privileges", "system calls", "limits"]

NAMESPACES = "mount pid fresh_proc network ipc uts cgroup time"
NAMES = {
    "user_namespace": "made capabilities overlay " + NAMESPACES,
    "alone": NAMESPACES,
    "ids": "own by_parent subordinate range",
    "landlock": "files move truncate tcp_ports control abstract_sockets signals log",
    "seccomp": "filters notification",
    "confinement": "system_calls apparmor proc",
    "cgroups": "version_2 made memory pids cpu io hugetlb kill",
    "kernel": "clone3 clone_into_cgroup pidfd memfd_exec close_range mount_setattr open_tree openat2",
}
ALL_NAMES = {f"{group}.{name}" for group, names in NAMES.items() for name in names.split()}

FILTER = "a seccomp filter of this process"
# Where the caller is put; what then is allowed (None) or refused for a cause; the guarantees that do not hold.
ENVIRONMENTS = {
    "docker_profile": (
        {
            "user_namespace.made": FILTER,
            "user_namespace.mount": FILTER,
            "kernel.clone3": FILTER,
            "kernel.open_tree": FILTER,
            "confinement.system_calls": "refuses clone3 (Function not implemented); unshare, clone of namespaces, setns, mount",
            "confinement.apparmor": None,
            "landlock.files": None,
        },
        ["files", "services", "processes"],
    ),
    "ordinary_user docker_filter": (
        {"user_namespace.made": FILTER, "ids.own": FILTER, "alone.mount": "", "kernel.clone3": FILTER},
        ["files", "services", "processes"],
    ),
    "stripped_user_namespaces": (
        {
            "user_namespace.made": None,
            "user_namespace.capabilities": "AppArmor takes away the capabilities of a user namespace",
            "user_namespace.network": "AppArmor takes away",
            "confinement.apparmor": "kernel.apparmor_restrict_unprivileged_userns is not 0",
        },
        ["files", "services", "processes"],
    ),
    "no_user_namespaces ordinary_user": (
        {
            "user_namespace.made": "user.max_user_namespaces is 0",
            "user_namespace.pid": "user.max_user_namespaces is 0",
            "confinement.system_calls": None,
            "confinement.apparmor": None,
        },
        ["files", "services", "processes"],
    ),
    "covered_proc ordinary_user": (
        {
            "user_namespace.made": None,
            "user_namespace.mount": None,
            "user_namespace.fresh_proc": "parts of the present /proc are covered",
            "confinement.proc": "/proc/sys",
        },
        ["processes"],
    ),
    "no_proc ordinary_user": (
        {
            "user_namespace.made": None,
            "ids.own": "/proc is not mounted here",
            "confinement.proc": "/proc is not mounted here",
            "cgroups.version_2": "/proc is not mounted here",
        },
        ["files", "services", "processes"],
    ),
    "in_chroot ordinary_user": (
        {"user_namespace.made": "in a chroot", "confinement.system_calls": None},
        ["files", "services", "processes"],
    ),
    "root_without_capabilities": (
        {"user_namespace.made": None, "ids.own": "root without CAP_SETFCAP", "confinement.system_calls": None},
        ["files", "services", "processes"],
    ),
    "ordinary_user in_landlock_domain": (
        {"user_namespace.made": None, "user_namespace.mount": "a Landlock domain", "user_namespace.network": None},
        ["files", "services", "processes"],
    ),
    "ordinary_user without_landlock": (
        {"landlock.files": "or a seccomp filter of this process says so", "user_namespace.mount": None},
        [],
    ),
    "ordinary_user landlock_not_enabled": (
        {"landlock.files": "Landlock is not enabled at boot", "landlock.signals": "not enabled at boot"},
        [],
    ),
    "ordinary_user old_landlock": (
        {
            "landlock.truncate": None,
            "landlock.tcp_ports": "version 3",
            "seccomp.notification": "listened to already",
        },
        [],
    ),
    "ordinary_user kills_for_landlock": (
        {"landlock.files": FILTER, "confinement.system_calls": "landlock_create_ruleset (it kills)"},
        [],
    ),
    "ordinary_user kills_for_namespaces": (
        {"user_namespace.made": FILTER, "confinement.system_calls": "unshare, mount (it kills)"},
        ["files", "services", "processes"],
    ),
    "read_only_cgroups": ({"cgroups.made": "read-only", "cgroups.kill": "read-only"}, []),
}


def doctor(*arguments, within="", **options):
    """Ended by itself, in these environments."""
    enter = [ENTER, *within.split(), "--"] if within else []
    call = [*enter, PATH_OF_PROGRAM, "doctor", *arguments]
    return subprocess.run(call, env=case.ENVIRONMENT, capture_output=True, text=True, **options)


class Doctor(case.Case):
    def found(self, *arguments, within="", **options):
        """The JSON, whose verdict the exit status repeats."""
        run = doctor("--json", *arguments, within=within, **options)
        if run.returncode == LEFT_OUT and within:
            self.leave_out("this machine cannot be emulated as: " + within)
        self.assertEqual(run.stderr, "")
        self.assertIn(run.returncode, (0, 1), run)
        found = json.loads(run.stdout)
        self.assertEqual(run.returncode == 0, found["verdict"]["holds"])
        return found

    def needs_what_can_be_refused(self):
        found = self.found(within="ordinary_user")
        refused = [one for one in found["abilities"] if not one["allowed"]]
        needed = ("user_namespace.", "landlock.", "seccomp.", "confinement.")
        for one in refused:
            if one["name"].startswith(needed):
                self.leave_out(f"this machine refuses {one['name']} itself: {one['cause']}")
        return found

    def policy(self, text):
        path = os.path.join(self.directory(), "policy.toml")
        with open(path, "w") as file:
            file.write(text)
        os.chmod(os.path.dirname(path), 0o755)
        return path

    def test_everybody_gets_an_answer_to_each_question(self):
        for within in "", "ordinary_user":
            with self.subTest(within=within):
                found = self.found(within=within)
                self.assertEqual(found["version"], 1)
                abilities = found["abilities"]
                self.assertEqual(len(abilities), len(ALL_NAMES))
                self.assertEqual({one["name"] for one in abilities}, ALL_NAMES)
                for one in abilities:
                    self.assertTrue(one["allowed"] or one["cause"], one)
                    self.assertTrue(one["name"].startswith(one["group"] + "."), one)
                if found["verdict"]["holds"]:
                    held = found["verdict"]["guarantees"]
                    self.assertEqual([one["guarantee"] for one in held], GUARANTEES)
                    self.assertTrue(found["verdict"]["launched"])
                    self.assertEqual([], [one for one in held if one["reading"] == "refuted"])
                    self.assertEqual([], found["verdict"]["problems"])

    def test_the_text_says_the_verdict_first_and_each_cause(self):
        for within in "", "ordinary_user", "ordinary_user docker_filter":
            with self.subTest(within=within):
                found = self.found(within=within)
                run = doctor(within=within)
                verdict = "holds here." if found["verdict"]["holds"] else "does not hold here: "
                self.assertTrue(run.stdout.startswith("The default policy " + verdict), run.stdout)
                self.assertEqual(run.returncode, 0 if found["verdict"]["holds"] else 1)
                for one in found["abilities"]:
                    if not one["allowed"] and one["group"] != "cgroups":
                        self.assertIn(one["cause"], run.stdout)
                whole = doctor("--verbose", within=within).stdout
                self.assertGreater(whole.count("\n"), len(ALL_NAMES))

    def test_what_is_refused_is_told_with_its_true_cause(self):
        self.needs_what_can_be_refused()
        for within, (expected, lost) in ENVIRONMENTS.items():
            with self.subTest(within=within):
                if "no_proc" in within and "ASAN_OPTIONS" in os.environ:
                    continue  # a sanitizer reads /proc
                found = self.found(within=within)
                abilities = {one["name"]: one for one in found["abilities"]}
                for name, cause in expected.items():
                    one = abilities[name]
                    self.assertEqual(one["allowed"], cause is None, one)
                    if cause:
                        self.assertIn(cause, one["cause"])
                        self.assertTrue(one["remedy"], one)
                verdict = found["verdict"]
                self.assertEqual(lost, [one["guarantee"] for one in verdict["problems"]], verdict)
                if lost and verdict["accept_weaker"]:
                    self.assertEqual(lost, verdict["accept_weaker"])
                    weaker = [one["guarantee"] for one in verdict["guarantees"] if not one["whole"]]
                    self.assertEqual(lost, weaker)

    def test_a_launch_that_fails_is_explained_by_the_same_probes(self):
        self.needs_what_can_be_refused()
        for within, cause in {
            "ordinary_user docker_filter": FILTER + " refuses it; allow unshare",
            "no_user_namespaces ordinary_user": "user.max_user_namespaces is 0; raise",
            "in_chroot ordinary_user": "this process is in a chroot, where the kernel refuses it; use pivot_root",
            "root_without_capabilities": "root without CAP_SETFCAP may not map itself",
        }.items():
            with self.subTest(within=within):
                call = [ENTER, *within.split(), "--", PATH_OF_PROGRAM, "run", "--map-root", "true"]
                run = subprocess.run(call, env=case.ENVIRONMENT, capture_output=True, text=True)
                if run.returncode == LEFT_OUT:
                    self.leave_out("this machine cannot be emulated as: " + within)
                self.assertEqual(run.returncode, 125, run)
                self.assertEqual(run.stderr.count("\n"), 1)
                self.assertIn(cause, run.stderr)
        run = subprocess.run([PATH_OF_PROGRAM, "run", "/no/such"], capture_output=True, text=True)
        self.assertEqual(run.stderr, "syncspawn: execve '/no/such' in the child: no such file or directory\n")

    def test_a_policy_is_judged_as_the_default_one(self):
        default = self.found()["verdict"]
        named = self.found("--policy", self.policy('[files]\nhidden = ["/root"]\n'))["verdict"]
        self.assertEqual(named["holds"], default["holds"])
        self.assertTrue(named["policy"].endswith("policy.toml"))
        missing = self.found("--policy", self.policy('[files]\nwritable = ["/no/such"]\n'))["verdict"]
        self.assertIn("files.writable '/no/such'", [one["where"] for one in missing["problems"]])
        self.assertFalse(missing["launched"])
        everything = self.found("--policy", self.policy('network = "host"\n[files]\ntree = "host"\n'))["verdict"]
        self.assertNotIn("network", [one["guarantee"] for one in everything["guarantees"]])

    def test_subordinate_ids_are_those_of_the_files_and_take_the_program(self):
        given = os.path.join(self.directory(), "ids")
        with open(given, "w") as file:
            file.write("root:100000:65536\n")
        cover = f"mount --bind {given} /etc/subuid && mount --bind {given} /etc/subgid || exit {LEFT_OUT}\n"
        for change, cause in (
            ("", None if shutil.which("newuidmap") else "newuidmap is not installed"),
            ("export PATH=/no/such\n", "newuidmap is not installed"),
            (f"echo 'somebody:1:1' >{given}\n", "/etc/subuid has no ids for 'root'"),
        ):
            with self.subTest(cause=cause):
                script = cover + change + f"exec {PATH_OF_PROGRAM} doctor --json"
                call = ["unshare", "--mount", "sh", "-c", script]
                run = subprocess.run(call, env=case.ENVIRONMENT, capture_output=True, text=True)
                if os.geteuid() != 0 or run.returncode not in (0, 1):
                    self.leave_out("only root covers /etc/subuid, where it is there and mounts are allowed")
                abilities = {one["name"]: one for one in json.loads(run.stdout)["abilities"]}
                one = abilities["ids.subordinate"]
                if not abilities["ids.own"]["allowed"]:
                    self.leave_out("this machine forbids user namespaces")
                self.assertEqual((one["allowed"], one.get("cause")), (cause is None, cause), one)

    def test_a_limit_that_nothing_holds_is_told_with_the_cause(self):
        found = self.found("--policy", self.policy('[limits]\nmemory = "1G"\n'))
        memory = next(one for one in found["abilities"] if one["name"] == "cgroups.memory")
        problems = found["verdict"]["problems"]
        self.assertEqual(memory["allowed"], not problems, problems)
        for one in problems:
            self.assertEqual(one["guarantee"], "limits")
            self.assertIn(memory["cause"], one["cause"])
            self.assertIn(memory["remedy"], one["remedy"])

    def test_a_policy_that_hides_the_program_of_the_trial_is_planned_alone(self):
        verdict = self.found("--policy", self.policy('[files]\ntree = "named_only"\n'))["verdict"]
        self.assertFalse(verdict["launched"])
        self.assertEqual(verdict["holds"], bool(verdict["why_not_launched"]))

    def test_names_in_a_policy_stand_for_nothing_and_leave_nothing(self):
        empty = self.directory()
        policy = self.policy(
            '[[descriptors]]\nname = "input"\nnumber = 3\n'
            '[[trees]]\nname = "source"\npath = "/tmp/source"\n'
            '[[doors]]\nname = "proxy"\naddress = "127.0.0.1:3128"\n'
        )
        environment = {**case.ENVIRONMENT, "TMPDIR": empty}
        call = [PATH_OF_PROGRAM, "doctor", "--json", "--policy", policy]
        run = subprocess.run(call, env=environment, capture_output=True, text=True)
        verdict = json.loads(run.stdout)["verdict"]
        self.assertEqual(verdict["holds"], self.found()["verdict"]["holds"], verdict)
        self.assertEqual(os.listdir(empty), [])

    def test_a_policy_that_accepts_what_is_weaker_holds_by_that(self):
        self.needs_what_can_be_refused()
        policy = self.policy('accept_weaker = ["files", "services", "processes"]\n')
        verdict = self.found("--policy", policy, within="ordinary_user docker_filter")["verdict"]
        self.assertTrue(verdict["holds"])
        self.assertTrue(verdict["launched"])
        files = next(one for one in verdict["guarantees"] if one["guarantee"] == "files")
        self.assertEqual((files["mechanism"], files["whole"]), ("Landlock", False))
        self.assertTrue(files["gap"])

    def test_a_wrong_command_line_is_told_and_nothing_else(self):
        no_policy = self.policy("[files]\nwriteable = []\n")
        for arguments, complaint in (
            (["--jason"], "did you mean '--json'?"),
            (["agent.toml"], "--policy FILE"),
            (["--policy"], "--policy"),
            (["--policy="], "--policy"),
            (["--policy", "/no/such"], "/no/such"),
            (["--policy", no_policy], "policy.toml:2:1: files.writeable: there is no such key"),
        ):
            with self.subTest(arguments=arguments):
                run = doctor(*arguments)
                self.assertEqual((run.returncode, run.stdout), (125, ""), run)
                self.assertIn(complaint, run.stderr)
                self.assertEqual(run.stderr.count("\n"), 1)

    def test_output_that_cannot_be_written_is_a_failure(self):
        with open("/dev/full", "w") as full:
            run = subprocess.run([PATH_OF_PROGRAM, "doctor"], stdout=full, stderr=subprocess.PIPE, text=True)
        self.assertEqual(run.returncode, 125)
        self.assertIn("cannot write to standard output", run.stderr)

    def test_ends_that_are_ignored_do_not_matter(self):
        def ignore():
            signal.signal(signal.SIGCHLD, signal.SIG_IGN)

        self.assertEqual(self.found()["verdict"]["holds"], self.found(preexec_fn=ignore)["verdict"]["holds"])

    def on_terminal(self, **variables):
        """What it prints there."""
        ours, theirs = pty.openpty()
        environment = {**case.ENVIRONMENT, **variables}
        environment = {name: value for name, value in environment.items() if value is not None}
        run = subprocess.Popen([PATH_OF_PROGRAM, "doctor"], stdout=theirs, env=environment)
        os.close(theirs)
        text = b""
        try:
            while piece := os.read(ours, 65536):
                text += piece
        except OSError:  # all have closed it
            pass
        os.close(ours)
        self.assertIn(run.wait(), (0, 1))
        return text.decode()

    def test_colours_are_for_terminals_that_want_them(self):
        escape = "\033["
        self.assertIn(escape, self.on_terminal(TERM="xterm", NO_COLOR=None))
        self.assertIn(escape, self.on_terminal(TERM="xterm", NO_COLOR=""))
        self.assertNotIn(escape, self.on_terminal(TERM="xterm", NO_COLOR="1"))
        self.assertNotIn(escape, self.on_terminal(TERM="dumb", NO_COLOR=None))
        self.assertNotIn(escape, doctor().stdout)
        self.assertLessEqual(max(map(len, self.on_terminal(TERM="dumb").splitlines())), 110)


if __name__ == "__main__":
    case.main()
