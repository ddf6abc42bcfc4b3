"""`isolate`: namespaces of a session's own, with what is mounted and who is
process 1 in them, from inside and from outside."""

import atexit
import contextlib
import ctypes
import functools
import os
import platform
import shutil
import signal
import subprocess
import tempfile

import pytest

import launchers
from launchers import (CAPABILITIES_ALL, NEW_PRIVILEGES, Launcher,
                       parse_probe)
from mux import IS_ROOT, eventually, program
from rooms import unsanitized

pytestmark = [unsanitized, pytest.mark.skipif(
    not IS_ROOT, reason="services of other users need root")]

PID, MOUNT, IPC, UTS = 1, 2, 4, 8
NAMES = {PID: "pid", MOUNT: "mnt", IPC: "ipc", UTS: "uts"}
UID = 64322
KILL = 1 << 5  # CAP_KILL
OTHERS = ("net", "user", "cgroup", "time")
# Of x86-64: calls, and where registers are in what ptrace(2) tells of them.
CLOSE, GETPID, CLONE, PRCTL, RESTART_SYSCALL = 3, 39, 56, 157, 219
RAX, RDI, ORIG_RAX, RIP = 10, 14, 15, 16
PTRACE_GETREGS, PTRACE_SETREGS, PTRACE_DETACH = 12, 13, 17
PTRACE_SEIZE, PTRACE_INTERRUPT = 0x4206, 0x4207
PR_SET_DUMPABLE, PR_SET_NAME, PR_GET_SECCOMP = 4, 15, 21


@functools.cache
def insider():
    """A copy where a session with a /tmp of its own finds it, wherever this
    tree is."""
    folder = tempfile.mkdtemp(prefix="tcpmuxd-insider-", dir="/run")
    atexit.register(shutil.rmtree, folder)
    os.chmod(folder, 0o755)
    return shutil.copy(program("tests/tools/insider"), folder)


@contextlib.contextmanager
def inside(*acts, isolate=PID | MOUNT, limits=(), **keys):
    words = [f"arg={act}" for act in ("insider", *acts)]
    keys = {"program": insider(), "uid": UID, "gid": UID,
            **keys}
    with Launcher("full", words=[*words, *limits], isolate=f"{isolate:x}",
                  **keys) as launcher:
        assert launcher.failed is None
        with launcher.launch() as session:
            assert session.statuses == [("reply", 0)]
            session.launcher = launcher
            yield session


def said(*acts, status=0, **how):
    with inside(*acts, **how) as session:
        answer = session.read()
        assert session.ended() == status
    assert answer.startswith(b"+\r\n")
    return parse_probe(answer[3:])


def namespaces(pid):
    return {name: os.stat(f"/proc/{pid}/ns/{name}").st_ino
            for name in (*NAMES.values(), *OTHERS)}


def service_of(pid):
    """The service, child of its session's init."""
    with open(f"/proc/{pid}/task/{pid}/children") as file:
        child, = file.read().split()
    return int(child)


def processes_of(uid):
    """Those that still run: who reaps a stray zombie takes its time."""
    found = []
    for name in os.listdir("/proc"):
        with contextlib.suppress(OSError):  # they come and go
            if (name.isdigit() and os.stat(f"/proc/{name}").st_uid == uid
                    and not launchers.own("State", name).startswith("Z")):
                found.append(int(name))
    return found


# --- which namespaces --------------------------------------------------------

@pytest.mark.parametrize("isolate", [MOUNT, IPC, UTS, IPC | UTS, PID | MOUNT,
                                     PID | MOUNT | IPC | UTS])
def test_the_namespaces_that_are_asked_for_and_no_others(isolate):
    with inside("wait", isolate=isolate) as session:
        session.read_until(b"wait -\n")
        own = namespaces(session.pid)
        ours = namespaces(session.launcher.pid)
        everybody = namespaces("self")
        assert {name for name in ours if ours[name] != everybody[name]} == {
            "mnt", "uts"}  # as it was started
        differing = {name for name in ours if own[name] != ours[name]}
        assert differing == {name for bit, name in NAMES.items()
                             if isolate & bit}
        if isolate & PID:
            assert namespaces(service_of(session.pid)) == own


def test_two_sessions_share_none():
    everything = PID | MOUNT | IPC | UTS
    with inside("wait", isolate=everything) as one:
        with one.launcher.launch() as other:
            for session in (one, other):
                session.read_until(b"wait -\n")
            first, second = namespaces(one.pid), namespaces(other.pid)
            for name in NAMES.values():
                assert first[name] != second[name]


def test_the_host_s_name_is_still_there():
    with Launcher("full", program="/bin/uname", isolate=f"{UTS:x}",
                  words=["arg=uname", "arg=-n"]) as launcher:
        with launcher.launch() as session:
            assert session.read() == f"+\r\n{os.uname().nodename}\n".encode()


def test_a_common_base_has_none_to_give():
    with Launcher("base", isolate=f"{UTS:x}") as launcher:
        with launcher.launch() as session:
            assert session.statuses == [("plan", 1)]


# --- what is mounted ---------------------------------------------------------

def test_tmp_is_private_empty_bounded_and_gone():
    with open("/tmp/tcpmuxd-test-seen", "w"):
        pass
    try:
        answer = said("list=/tmp", "list=/var/tmp", "list=/dev/shm",
                      "file=/tmp/mine", "unmount=/tmp", isolate=MOUNT)
    finally:
        os.unlink("/tmp/tcpmuxd-test-seen")
    assert answer["list"] == ["-"] * 3
    assert answer["file"] == [f"{1 << 20} -"]
    assert answer["unmount"] == ["EPERM"]
    assert not os.path.exists("/tmp/mine")
    with inside("wait", isolate=MOUNT) as session:
        session.read_until(b"wait -\n")
        with open(f"/proc/{session.pid}/mountinfo") as file:
            mounts = {line.split()[4]: line for line in file
                      if " - tmpfs tmpfs " in line}
        for path in ("/tmp", "/var/tmp", "/dev/shm"):
            assert os.stat(f"/proc/{session.pid}/root{path}").st_mode == (
                0o41777)
            assert {"nosuid", "nodev"} <= {*mounts[path].split()[5].split(
                ",")}
            assert "size=16384k" in mounts[path]


def test_no_mount_shows_outside():
    """Where it could: see apart.leave."""
    with inside("wait", isolate=PID | MOUNT) as session:
        session.read_until(b"wait -\n")
        inner = session.launcher.proc("mountinfo")
        assert " shared:" in inner
        assert " / /tmp " not in inner and inner.count(" - proc ") == 1
        with open(f"/proc/{session.pid}/mountinfo") as file:
            own = file.read()
        assert " shared:" not in own and " / /tmp " in own


def test_without_mounts_of_its_own_it_changes_none():
    """Nor how those of the launcher are shared: it is in there with it."""
    with inside("wait", isolate=IPC | UTS) as session:
        session.read_until(b"wait -\n")
        assert " shared:" in session.launcher.proc("mountinfo")


def test_proc_has_the_session_s_processes_only():
    answer = said("list=/proc", "link=/proc/self", "open=/proc/meminfo",
                  "open=/proc/1/environ")
    numbers = {name for name in answer["list"] if name.isdigit()}
    assert numbers == {"1", "2"}
    assert {*answer["list"]} == {"1", "2", "self", "thread-self", "-"}
    assert answer["link"] == ["/proc/self 2"]
    assert answer["open"] == ["ENOENT", "EACCES"]


def test_proc_runs_nothing_and_opens_no_device():
    with inside("wait") as session:
        session.read_until(b"wait -\n")
        with open(f"/proc/{session.pid}/mountinfo") as file:
            mount, = (line.split() for line in file
                      if line.split()[4] == "/proc" and
                      "subset=pid" in line)
        assert {"nosuid", "nodev", "noexec"} <= {*mount[5].split(",")}


def test_mounts_are_inside_the_root_directory():
    """Where it has such directories; and where not, none is needed."""
    with launchers.public_directory() as directory:
        paths = "/usr /lib /lib64 /bin /etc"
        jail = directory / "jail"
        for path in paths.split():
            (jail / path[1:]).mkdir(parents=True)
        (jail / "proc").mkdir()
        (jail / "tmp").mkdir()
        (jail / "insider").write_bytes(
            open(program("tests/tools/insider"), "rb").read())
        os.chmod(jail / "insider", 0o755)
        os.chmod(jail, 0o755)
        libraries = subprocess.run(
            ["ldd", program("tests/tools/insider")], text=True, check=True,
            capture_output=True).stdout.split()
        for path in [word for word in libraries if word[0] == "/"]:
            to = jail / path[1:]
            to.parent.mkdir(parents=True, exist_ok=True)
            to.write_bytes(open(path, "rb").read())
            os.chmod(to, 0o755)
        answer = said("list=/proc", "file=/tmp/x", "list=/var", chroot=jail,
                      program="/insider")
        assert {name for name in answer["list"] if name.isdigit()} == {
            "1", "2"}
        assert answer["file"] == [f"{1 << 20} -"]
        assert "ENOENT" in answer["list"]  # /var
        assert os.listdir(jail / "tmp") == []
        (jail / "proc").rmdir()
        answer = said("list=/proc", "who", chroot=jail, program="/insider")
        assert answer["list"] == ["ENOENT"]
        assert answer["who"] == ["pid 2 ppid 1 pgid 1 sid 1"]


# --- process 1 ---------------------------------------------------------------

def test_the_service_is_a_child_of_an_init_that_has_nothing():
    with inside("who", "wait") as session:
        answer = parse_probe(session.read_until(b"wait -\n")[3:])
        assert answer["who"] == ["pid 2 ppid 1 pgid 1 sid 1"]
        init, launcher = session.pid, session.launcher
        own = {key: launchers.own(key, init) for key in (
            "Name", "NSpid", "Uid", "Gid", "Groups", "CapPrm", "CapEff",
            "CapBnd", "CapAmb", "NoNewPrivs", "Seccomp", "SigIgn", "SigCgt")}
        none = "0" * 16
        assert own == {
            "Name": "tcpmuxd-init", "NSpid": f"{init}\t1",
            "Uid": "\t".join([str(UID)] * 4), "Gid": "\t".join([str(UID)] * 4),
            "Groups": "", "CapPrm": none, "CapEff": none, "CapBnd": none,
            "CapAmb": none, "NoNewPrivs": "1", "Seccomp": "2",
            "SigIgn": none, "SigCgt": none}
        # The last one is the pipe that let the service go on.
        eventually(lambda: os.listdir(f"/proc/{init}/fd") == [])
        with open(f"/proc/{init}/maps") as maps:
            assert "memfd:" not in maps.read()
        assert os.stat(f"/proc/{init}/environ").st_uid == 0  # not dumpable
        assert os.getpgid(init) == os.getpgid(service_of(init)) == init
        assert os.getsid(init) == os.getsid(service_of(init)) == init


def test_the_init_of_a_service_that_keeps_all_keeps_nothing():
    flags = CAPABILITIES_ALL | NEW_PRIVILEGES
    with inside("wait", flags=f"{flags:x}", uid=0, gid=0) as session:
        session.read_until(b"wait -\n")
        assert launchers.own("CapEff", session.pid) == "0" * 16
        assert launchers.own("CapEff", service_of(session.pid)) != "0" * 16
        assert launchers.own("NoNewPrivs", session.pid) == "1"
        assert launchers.own("NoNewPrivs", service_of(session.pid)) == "0"
        eventually(lambda: os.listdir(f"/proc/{session.pid}/fd") == [])


def test_the_init_of_a_user_s_service_keeps_nothing_of_its_capabilities():
    with inside("wait", caps=f"{KILL:x}") as session:
        session.read_until(b"wait -\n")
        for which in "CapInh", "CapPrm", "CapEff", "CapAmb":
            assert launchers.own(which, session.pid) == "0" * 16
            assert launchers.own(which, service_of(session.pid)) == (
                f"{KILL:016x}")


def call_kernel(pid, number, first):
    """By the instruction behind which it waits; returns once it runs on."""
    libc = ctypes.CDLL(None, use_errno=True)
    registers = (ctypes.c_ulong * 27)()

    def ptrace(request, argument=0):
        assert libc.ptrace(request, pid, ctypes.c_void_p(0), ctypes.c_void_p(
            argument)) == 0, os.strerror(ctypes.get_errno())

    ptrace(PTRACE_SEIZE)
    ptrace(PTRACE_INTERRUPT)
    assert os.WIFSTOPPED(os.waitpid(pid, 0)[1])
    ptrace(PTRACE_GETREGS, ctypes.addressof(registers))
    registers[RIP] -= 2
    registers[RAX], registers[RDI] = number, first
    registers[ORIG_RAX] = 2 ** 64 - 1  # nothing is to be restarted
    ptrace(PTRACE_SETREGS, ctypes.addressof(registers))
    ptrace(PTRACE_DETACH)


@pytest.mark.skipif(platform.machine() != "x86_64", reason="its registers")
@pytest.mark.parametrize("number, first", [
    (CLOSE, PR_GET_SECCOMP), (PRCTL, PR_SET_NAME), (PRCTL, PR_SET_DUMPABLE),
    (GETPID, 0), (CLONE, 0), (RESTART_SYSCALL, 0)])
def test_an_init_that_calls_more_than_it_needs_is_killed(number, first):
    with inside("wait") as session:
        session.read_until(b"wait -\n")
        eventually(lambda: os.listdir(f"/proc/{session.pid}/fd") == [])
        call_kernel(session.pid, number, first)
        assert session.ended() == -signal.SIGSYS


def test_an_init_that_is_stopped_goes_on_to_wait():
    with inside("wait") as session:
        session.read_until(b"wait -\n")
        os.kill(session.pid, signal.SIGSTOP)
        assert os.WIFSTOPPED(os.waitpid(session.pid, os.WUNTRACED)[1])
        os.kill(session.pid, signal.SIGCONT)
        os.killpg(session.pid, signal.SIGTERM)
        assert session.ended() == 128 + signal.SIGTERM


def test_no_signal_from_inside_ends_the_init():
    answer = said("kill", "who")
    assert answer["kill"][-1] == "-"
    assert answer["who"] == ["pid 2 ppid 1 pgid 1 sid 1"]


def test_orphans_are_the_init_s_and_reaped():
    assert said("orphan")["orphan"] == ["1 gone"]


def test_whoever_stays_ends_with_the_service():
    """It has left group and session, ignores SIGTERM, keeps the client."""
    with inside("stay", "who") as session:
        session.client.settimeout(20)
        assert session.read_until(b"sid 1\n")
        assert session.ended() == 0
        assert session.client.recv(1) == b""


def test_without_a_namespace_it_would_stay():
    """So the test above sees what it should."""
    uid = UID + 1  # whose zombies are counted for no other test
    with inside("stay", "who", isolate=UTS, uid=uid) as session:
        session.read_until(b"who ")
        assert session.ended() == 0
        staying = processes_of(uid)
        for pid in staying:
            os.kill(pid, signal.SIGKILL)
        assert len(staying) == 1


@pytest.mark.parametrize("act, status", [
    ("exit=0", 0), ("exit=7", 7), ("exit=255", 255),
    ("die=9", 137), ("die=15", 143), ("die=11", 139)])
def test_the_session_ends_as_the_service_does(act, status):
    assert said(act, status=status) == {}


def test_a_limit_of_cpu_time_ends_the_session():
    assert said("spin", limits=["rlimit=3:1"], status=128 + 9) == {}


def test_the_end_of_the_stream_is_the_service_s():
    """It shuts down at once, however busy its init is: nobody else has it."""
    with inside("exit=0") as session:
        assert session.read() == b"+\r\n"
        session.ended()


def test_the_group_s_sigterm_reaches_the_service():
    with inside("wait") as session:
        session.read_until(b"wait -\n")
        os.killpg(session.pid, signal.SIGTERM)
        assert session.ended() == 128 + signal.SIGTERM


def test_killing_the_init_ends_all():
    with inside("stay", "wait") as session:
        session.read_until(b"wait -\n")
        os.kill(session.pid, signal.SIGKILL)
        assert session.ended() == -signal.SIGKILL
        assert session.client.recv(1) == b""


def test_the_launcher_is_left_as_it_was():
    with inside("exit=0") as session:
        launcher = session.launcher
        session.ended()
        before = launcher.fds()
        for _ in range(3):
            with launcher.launch() as again:
                assert again.is_running
                assert again.ended() == 0
        assert launcher.fds() == before
        with open(f"/proc/{launcher.pid}/task/{launcher.pid}/children") as own:
            assert own.read() == ""


def test_more_processes_than_allowed_count_the_init():
    """One for the init, one for the service, and one more."""
    assert said("forks", limits=["rlimit=1:3"])["forks"] == ["1 EAGAIN"]


def test_a_launch_needs_more_files_than_the_service_may_have():
    """They are as few for its last steps only: what an init tells by is made,
    and closed, before."""
    assert said("files", limits=["rlimit=2:5"])["files"] == ["5 EMFILE"]
