"""Every step of a launch, failed in turn under a running tcpmuxd: the client
is refused, the log names step and errno, and nothing is left of it: no
process, descriptor, cgroup, place or count.

tests/tools/launcher-start is where the launcher should be, and fails it.
"""

import errno
import os
import pathlib
import shutil
import tempfile

import pytest

import apart
import groups
from launchers import landlock_abi
from load import status
from mux import IS_ROOT, OK, eventually, policy, program, service
from rooms import unsanitized

pytestmark = [unsanitized, pytest.mark.skipif(
    not IS_ROOT, reason="services of other users need root")]

UID = 64390  # nobody else's
PR_SET_KEEPCAPS, PR_SET_NAME, PR_GET_SECCOMP, PR_CAPBSET_DROP = 8, 15, 21, 24
PR_SET_SECUREBITS, PR_SET_NO_NEW_PRIVS, PR_CAP_AMBIENT = 28, 38, 47
ISOLATED = "isolate pid mount ipc uts"
CAPABLE = "capabilities net_raw"
KEPT = "leftovers keep"  # no cgroup
OFFLINE = "network none"
OPENED = "filesystem read /usr"
HAS_GROUPS = groups.own() is not None

# What fails, in the launcher (-l) or in its child; the step; the directives.
FAILING = [
    ("sendto", "launched", ""),
    *([("-l clone3", "clone", "")] if HAS_GROUPS else []),
    ("-l clone", "clone", KEPT),
    ("setsid", "process-group", ""),
    ("rt_sigprocmask", "signals", ""),
    ("dup2", "descriptors", ""),
    ("dup2,0", "descriptors", "stderr null"),
    ("dup3", "descriptors", ""),
    ("close_range", "descriptors", ""),
    ("setsockopt", "descriptors", ""),
    ("umask", "umask", "umask 027"),
    ("setpriority", "scheduling", "nice 5"),
    ("prlimit64", "rlimits", "limit stack 1M"),
    ("unshare", "namespaces", ISOLATED),
    ("mount", "namespaces", "isolate mount"),
    ("newfstatat", "namespaces", "isolate ipc"),
    ("fchdir", "root", "chroot {place}/real"),
    ("chroot", "root", "chroot {place}/real"),
    ("chdir", "chdir", "chdir /usr"),
    ("setgroups", "groups", "groups 5 6"),
    ("setresgid", "gid", ""),
    (f"prctl,{PR_CAPBSET_DROP}", "bounding-set", CAPABLE),
    (f"prctl,{PR_SET_SECUREBITS}", "securebits", ISOLATED),
    (f"prctl,{PR_SET_KEEPCAPS}", "uid", CAPABLE),
    ("setresuid", "uid", ""),
    ("capset", "capabilities", CAPABLE),
    (f"prctl,{PR_CAP_AMBIENT}", "capabilities", CAPABLE),
    ("getresuid", "verify", ""),
    ("capget", "verify", ISOLATED),
    (f"prctl,{PR_SET_NO_NEW_PRIVS}", "no-new-privs", CAPABLE),
    ("landlock_restrict_self", "landlock", ""),
    ("landlock_restrict_self", "landlock", OFFLINE),
    ("landlock_restrict_self", "landlock", OPENED),
    ("pipe2", "init", ISOLATED),
    ("clone", "init", ISOLATED),
    (f"prctl,{PR_SET_NAME}", "init", ISOLATED),
    ("munmap", "init", ISOLATED),
    ("read", "init", ISOLATED),
    ("seccomp", "filter", "new-privileges"),
    ("seccomp", "filter", "syscalls stdio"),
    ("seccomp", "filter", f"{OFFLINE}; {CAPABLE}"),
    ("faccessat2", "program", ""),
    ("openat", "program", ""),
    ("pread64", "program", ""),
]
if landlock_abi() < 4:
    FAILING = [row for row in FAILING if row[1] != "landlock" and
               OFFLINE not in row[2]]


class Failing:
    """A mux whose launchers are failed by what the file says."""

    def __init__(self, place, mux_factory):
        self.failures = place / "failures"
        for name in ("tcpmuxd", "tcpmuxd-parser"):
            shutil.copy(program(name), place)
        (place / "real").mkdir()
        shutil.copy(program("tcpmuxd-launcher"), place / "real")
        shutil.copy(program("tests/tools/launcher-start"),
                    place / "tcpmuxd-launcher")
        self.failures.write_text("")
        self.names = {directives: f"s{number}" for number, directives in
                      enumerate(sorted({row[2] for row in FAILING}))}
        self.text = policy(*(self._service(place, directives)
                             for directives in self.names),
                           admission=("allow any", "sessions 1"))
        build = os.environ.get("TCPMUXD_BUILD", "build")
        os.environ["TCPMUXD_BUILD"] = str(place)
        try:
            self.mux = mux_factory(text=self.text, preexec=apart.leave)
        finally:
            os.environ["TCPMUXD_BUILD"] = build

    def _service(self, place, directives):
        """A static program, for a root that has nothing else."""
        path = "/tcpmuxd-launcher"
        if "chroot" not in directives:
            path = f"{place}/real{path}"
        lines = [line.strip().format(place=place)
                 for line in directives.split(";") if line.strip()]
        return service(self.names[directives], f"exec {path}", "sessions 1",
                       f"group {UID}", *lines, user=UID)

    def fail(self, *failures):
        self.failures.write_text("".join(f"{how}\n" for how in failures))
        self.mux.reload(self.text)
        eventually(lambda: len(self.mux.launchers()) == self.kinds and
                   len(self.mux.children()) == self.kinds + 1, 10,
                   "the end of the former launchers and the former parser")
        status(self.mux)  # a turn later nothing of them is open

    @property
    def kinds(self):
        """How many launchers there are: each kind that is needed has one."""
        return 2 + 2 * any(OFFLINE in directives for directives in self.names)

    def left(self):
        """Of sessions. Empty cgroups are kept for others, and counted when
        the mux ends.
        """
        return groups.members(self.mux), processes_of(UID)

    def held(self):
        """(processes, descriptors) of tcpmuxd and its own."""
        pids = [self.mux.pid, *self.mux.children()]
        return pids, sum(self.mux.fd_count(pid) for pid in pids)


def processes_of(uid):
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            if os.stat(f"/proc/{pid}").st_uid == uid:
                found.append(pid)
        except FileNotFoundError:
            continue
    return found


@pytest.fixture(scope="module")
def failing(shared_mux_factory):
    with tempfile.TemporaryDirectory(prefix="tcpmuxd-test-",
                                     dir="/var/lib") as place:
        os.chmod(place, 0o755)
        failing = Failing(pathlib.Path(place), shared_mux_factory)
        yield failing
        failing.mux.stop()


@pytest.mark.parametrize("how, step, directives", FAILING, ids=[
    f"{how}-{step}-{directives}" for how, step, directives in FAILING])
def test_a_step_that_fails_is_a_refusal_and_leaves_nothing(failing, how, step,
                                                           directives):
    """Twice, and there is place for one: it is given back. A launcher may keep
    a ruleset for the next launch, one.
    """
    mux, name = failing.mux, failing.names[directives]
    how = how if how.startswith("-l ") else f"-c {how}"
    failing.fail(f"{how}={errno.EPROTO}")
    pids, count = failing.held()
    counts = {count, count + (directives == OPENED)}
    since = mux.mark()

    def is_as_it_was():
        return (failing.left() == ({}, []) and failing.held()[0] == pids and
                failing.held()[1] in counts)

    for times in (1, 2):
        mux.refused(name, b"data behind the name")
        line = mux.wait_log("refuse", since=since, count=times, service=name,
                            reason="launch")
        assert line["step"] == step, line[""]
        assert line["error"] in ("EPROTO", "EPERM"), line[""]
        eventually(is_as_it_was, 10, f"the end of it: {pids}, {counts}")
    assert mux.logs("launch", since=since) == []


def test_without_a_failure_each_is_launched(failing):
    """So it is what was failed that failed, above."""
    failing.fail()
    for name in failing.names.values():
        since = failing.mux.mark()
        assert failing.mux.request(name)[0] == OK, failing.mux.log.tail(3)
        failing.mux.wait_log("exit", since=since, service=name)
