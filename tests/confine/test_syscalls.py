"""`syscalls`: what a service may not call, tried by one that may all else.

A service of root's with every capability tries each call with arguments that
the kernel itself refuses for another reason than that it is not permitted: so
an EPERM is the filter's.
"""

import ctypes
import errno
import os
import platform
import resource
import signal
import socket
import subprocess

import pytest

from launchers import (CAPABILITIES_ALL, NEW_PRIVILEGES, SELF, Launcher,
                       golden, assert_golden, own, parse_probe, peer_env)
from mux import IS_ROOT, program
from rooms import has_i386_gate, unsanitized

pytestmark = [unsanitized, pytest.mark.skipif(
    not IS_ROOT, reason="services of other users need root")]

x86 = pytest.mark.skipif(platform.machine() != "x86_64",
                         reason="of x86-64")
KILLED = f"signal {int(signal.SIGSYS)}"
EVERYTHING = {"kind": "full", "uid": 0, "gid": 0,
              "flags": f"{CAPABILITIES_ALL:x}"}
NOBODY = 61078  # whose one process is ours
HIGH = 1 << 32  # a bit that the kernel does not see in an int

_seccomp = ctypes.CDLL("libseccomp.so.2")


def number(name):
    """As the machine has it: names that libseccomp is too young for, too."""
    found = _seccomp.seccomp_syscall_resolve_name(name.encode())
    return {"open_tree_attr": 467}[name] if found < 0 else found


def caller(kind="base", **keys):
    return Launcher(kind, program=program("tests/tools/caller"),
                    words=["arg=caller"], **keys)


def tell(session, calls, how="call"):
    """What the service says to (name or number, argument...), in order."""
    lines = [" ".join([how, str(call[0] if isinstance(call[0], int)
                                else number(call[0])),
                       *(str(word) for word in call[1:])]) for call in calls]
    session.client.sendall("".join(line + "\n" for line in lines).encode())
    answers = []
    while len(answers) < len(lines):
        line = session.read_until(b"\n").decode()
        answers += line.splitlines()
    return answers


def answers(calls, how="call", **keys):
    with caller(**keys) as launcher, launcher.launch() as session:
        assert session.is_running, session.statuses
        assert session.client.recv(3) == b"+\r\n"
        return dict(zip(calls, tell(session, calls, how)))


BAD = 0xFFFFFFFF  # no descriptor, flag or operation
REFUSED = [
    ("ptrace", 0xFFFF, 0), ("process_vm_readv", 1, 0, 0, 0, 0, 1),
    ("process_vm_writev", 1, 0, 0, 0, 0, 1), ("process_madvise", BAD),
    ("process_mrelease", BAD), ("pidfd_getfd", BAD), ("kcmp", 0, 0, 99),
    ("migrate_pages", 1, 0, 1, 1), ("move_pages", 1, 0, 0, 0, 0, 99),
    ("bpf", 999), ("perf_event_open", "addr", 0, BAD, BAD, BAD),
    ("userfaultfd", BAD), ("io_uring_setup", 0, 0),
    ("io_uring_enter", BAD, 0, 0, BAD), ("io_uring_register", BAD, BAD),
    ("init_module", 0, 0, 0), ("finit_module", BAD, 0, BAD),
    ("delete_module", 0), ("kexec_load", 0, BAD, 0, BAD),
    ("kexec_file_load", BAD, BAD, 0, 0, BAD), ("add_key", 0, 0),
    ("request_key", 0, 0), ("keyctl", 999), ("unshare", 1),
    ("setns", BAD, 0), ("mount", 0, 0, 0), ("umount2", 0, BAD),
    ("pivot_root", 0, 0), ("open_tree", BAD, 0, BAD),
    ("open_tree_attr", BAD, 0, BAD), ("move_mount", BAD, 0, BAD, 0, BAD),
    ("mount_setattr", BAD, 0, BAD), ("fsopen", 0, BAD),
    ("fsconfig", BAD, BAD), ("fsmount", BAD, BAD), ("fspick", BAD, 0, BAD),
    ("reboot", 0, 0, 0), ("swapon", 0, 0), ("swapoff", 0),
    ("settimeofday", 1, 1), ("clock_settime", 999, 0),
    ("sethostname", 0, BAD), ("setdomainname", 0, BAD), ("syslog", 999),
    ("acct", 1), ("quotactl", BAD, 0, 0, 0), ("quotactl_fd", BAD),
    ("open_by_handle_at", BAD, 0, BAD), ("vhangup",),
]
REFUSED_X86 = [("iopl", 99), ("ioperm", 0xFFFFFF, 1, 1), ("modify_ldt", 99),
               ("uselib", 0)]
if platform.machine() == "x86_64":
    REFUSED += REFUSED_X86

# What is refused for one argument, and the same with another.
TIOCSTI, TIOCLINUX, TCGETS = 0x5412, 0x541C, 0x5401
NEW = {"NEWNS": 0x20000, "NEWCGROUP": 0x2000000, "NEWUTS": 0x4000000,
       "NEWIPC": 0x8000000, "NEWUSER": 0x10000000, "NEWPID": 0x20000000,
       "NEWNET": 0x40000000}
CLONE_SIGHAND = 0x800  # without CLONE_VM it is no clone, but EINVAL
REFUSED_IF = [
    *(("clone", flag | CLONE_SIGHAND) for flag in NEW.values()),
    *(("clone", flag | CLONE_SIGHAND | HIGH) for flag in NEW.values()),
    ("ioctl", BAD, TIOCSTI), ("ioctl", BAD, TIOCLINUX),
    ("ioctl", BAD, TIOCSTI | HIGH), ("ioctl", BAD, TIOCLINUX | HIGH),
    ("prlimit64", 1, 999), ("prlimit64", -1, 999),
    ("sched_setaffinity", 99999999, 0), ("sched_setscheduler", -1, 0),
    ("sched_setparam", 99999999, 0), ("sched_setattr", 99999999, 0),
    ("setpriority", 0, 99999999), ("setpriority", 2, 99999999),
    ("setpriority", 1, 0, 0),
    ("ioprio_set", 1, 99999999), ("ioprio_set", 9, 0),
    ("socket", 16, 9999, 1), ("socket", 16, 9999, 9),
    *((call, family, 9999) for call in ("socket", "socketpair")
      for family in (*range(3, 10), *range(11, 16), *range(17, 50), 1000,
                     17 | HIGH, 38 | HIGH, -1)),
]
PASSED_IF = [
    ("clone", CLONE_SIGHAND), ("ioctl", BAD, TCGETS),
    ("prlimit64", 0, 999), ("sched_setaffinity", 0, 0),
    ("sched_setscheduler", 0, 99), ("sched_setparam", 0, 0),
    ("sched_setattr", 0, 0), ("setpriority", 0, 0, 0), ("ioprio_set", 1, 0),
    ("socket", 1, 9999), ("socket", 2, 9999), ("socket", 10, 9999),
    ("socket", 16, 9999, 0), ("socketpair", 1, 9999), ("capset", 0, 0),
    ("sched_getaffinity", 1, 0), ("chroot", 0), ("seccomp", 999),
    ("kill", 99999999, 0), ("personality", BAD),
]


def test_default_refuses_all_of_the_table():
    said = answers([*REFUSED, *REFUSED_IF], **EVERYTHING)
    assert {call: how for call, how in said.items() if how != "EPERM"} == {}


def test_the_kernel_alone_would_refuse_none_of_it():
    """Or the test above would show nothing. It may lack some."""
    said = answers([*REFUSED, *REFUSED_IF], syscalls="any", **EVERYTHING)
    assert {call: how for call, how in said.items() if how == "EPERM"} == {}


def test_default_takes_nothing_else():
    said = answers(PASSED_IF, **EVERYTHING)
    assert {call: how for call, how in said.items() if how == "EPERM"} == {}


def test_clone3_is_not_there_by_default():
    call = ("clone3", 0, 0)
    for key in 0, 1, 2**64 - 1:
        keyed = (*call, key)
        assert answers([keyed])[keyed] == "ENOSYS"
    assert answers([call])[call] == "ENOSYS"
    assert answers([call], **EVERYTHING)[call] == "ENOSYS"
    assert answers([call], syscalls="any", kind="full")[call] == "EINVAL"


@x86
@pytest.mark.parametrize("keys", [
    {}, EVERYTHING,
    {"kind": "full-offline", "network": "none", "syscalls": "any"}],
    ids=["inherited", "own", "offline"])
def test_foreign_abis_kill(keys):
    """getpid by either gate; the numbers are 20 and 39."""
    assert answers([(20,)], "i386", **keys)[(20,)] == (
        KILLED if has_i386_gate() else f"signal {int(signal.SIGSEGV)}")
    assert answers([(39,)], "x32", **keys)[(39,)] == KILLED
    assert answers([(39,)], **keys)[(39,)] == "done"


@pytest.mark.parametrize("kind, keys, filters", [
    ("base", {}, 2), ("full", {}, 2),
    ("full", {"flags": f"{NEW_PRIVILEGES:x}"}, 2),
    ("full", {"syscalls": "any"}, 0),
    ("self", {"user": NOBODY, "flags": f"{SELF:x}"}, 2),
    ("self", {"user": NOBODY, "flags": f"{SELF:x}", "syscalls": "any"}, 0),
])
def test_as_many_filters_as_the_policy_says(kind, keys, filters):
    """From outside, and from inside."""
    with Launcher(kind, words=["arg=probe", "arg=wait"], **keys) as launcher:
        with launcher.launch() as session:
            said = parse_probe(session.read_until(b"end -\n"))
            seen = int(own("Seccomp_filters", session.pid))
            assert seen == int(own("Seccomp_filters")) + filters
            assert said["Seccomp_filters"] == [str(seen)]
            assert own("Seccomp", session.pid) == said["Seccomp"][0]
            no_new_privs = "0" if "flags" in keys and kind == "full" else "1"
            assert own("NoNewPrivs", session.pid) == no_new_privs


@pytest.mark.parametrize("kind", ["base", "full"])
def test_a_session_cannot_change_another_s_limits(kind):
    """prlimit, setpriority and affinity ask for the uid alone: the filter is
    all that keeps sessions of one uid apart here.
    """
    victim = subprocess.Popen(
        ["setpriv", "--reuid", str(NOBODY), "--regid", str(NOBODY),
         "--clear-groups", "sleep", "60"], stdin=subprocess.DEVNULL)
    calls = [("prlimit64", victim.pid, int(resource.RLIMIT_CPU), "addr", 0),
             ("setpriority", 0, victim.pid, 5),
             ("sched_setaffinity", victim.pid, 8, "addr")]
    own_calls = [("prlimit64", 0, int(resource.RLIMIT_CORE), "addr", 0),
                 ("setpriority", 0, 0, 19)]
    try:
        keys = {"uid": NOBODY, "gid": NOBODY, "kind": kind}
        said = answers([*calls, *own_calls], **keys)
        assert [said[call] for call in calls] == ["EPERM"] * 3
        assert [said[call] for call in own_calls] == ["done"] * 2
        assert victim.poll() is None
        assert os.getpriority(os.PRIO_PROCESS, victim.pid) == os.nice(0)
    finally:
        victim.kill()
        victim.wait()


# --- stdio --------------------------------------------------------------------

STDIO = {"kind": "full", "syscalls": "stdio"}


def output(words, given=b"", **keys):
    words = [f"arg={word}" for word in words]
    with Launcher("full", words=words, program=keys.pop("path"),
                  stderr="socket", syscalls="stdio", **keys) as launcher:
        with launcher.launch() as session:
            assert session.is_running, session.statuses
            session.client.sendall(given)
            session.client.shutdown(socket.SHUT_WR)
            answer = session.read()
            status = session.ended()
    assert answer.startswith(b"+\r\n")
    return answer[3:], status


@pytest.mark.parametrize("path, words, given, said", [
    ("/bin/cat", ["cat"], b"hello\n" * 1000, b"hello\n" * 1000),
    ("/bin/cat", ["cat", "/etc/hostname"], b"",
     open("/etc/hostname", "rb").read()),
    ("/usr/bin/perl", ["perl", "-e", "print uc while <>; $0 = 'x'; sleep 0"],
     b"abc\n", b"ABC\n"),
    ("/usr/bin/python3", ["python3", "-c",
                          "import sys; print(sys.stdin.read()[::-1])"],
     b"abc", b"cba\n"),
    ("/bin/bash", ["bash", "-c", "read x; echo $((x * 2))"], b"21\n",
     b"42\n"),
    ("/usr/bin/tr", ["tr", "a", "b"], b"aha", b"bhb"),
    ("/usr/bin/sort", ["sort"], b"b\na\n", b"a\nb\n"),
    ("/bin/date", ["date", "-u", "-d", "@0", "+%Y"], b"", b"1970\n"),
], ids=lambda value: value.split("/")[-1] if isinstance(value, str) else "")
def test_what_stdio_is_for_works(path, words, given, said):
    if not os.path.exists(path):
        pytest.skip(f"not installed: {path}")
    assert output(words, given, path=path) == (said, 0)


def test_busybox_is_static_and_works():
    if not os.path.exists("/bin/busybox"):
        pytest.skip("not installed: busybox")
    assert output(["busybox", "cat"], b"x" * 99999,
                  path="/bin/busybox") == (b"x" * 99999, 0)


O_WRONLY, O_RDWR, O_CREAT, O_TRUNC, O_PATH = 1, 2, 0x40, 0x200, 0x200000
AT_FDCWD = -100


def test_stdio_is_for_talking():
    """Each call that it has for that, where the kernel refuses it for another
    reason."""
    talking = [
        ("read", BAD), ("readv", BAD), ("pread64", BAD), ("preadv", BAD),
        ("preadv2", BAD), ("write", BAD), ("writev", BAD),
        ("sendfile", BAD, BAD), ("copy_file_range", BAD, 0, BAD),
        ("recvfrom", BAD), ("sendto", BAD), ("shutdown", BAD),
        ("getsockname", BAD), ("getpeername", BAD), ("getsockopt", BAD),
        ("close", BAD), ("close_range", 1, 0), ("dup", BAD),
        ("dup3", BAD, BAD), ("pipe2", 0, BAD), ("lseek", BAD),
        ("fadvise64", BAD), ("ppoll", 0, 0, 1), ("pselect6", BAD),
        ("epoll_create1", BAD), ("epoll_ctl", BAD), ("epoll_pwait", BAD),
    ]
    said = answers(talking, "here", **STDIO)
    assert {call: how for call, how in said.items()
            if how in ("EPERM", "done")} == {}


def test_stdio_refuses_the_rest():
    refused = [
        ("clone", 17), ("fork",), ("vfork",), ("clone3", 0, 0),
        ("openat", AT_FDCWD, "addr", O_WRONLY),
        ("openat", AT_FDCWD, "addr", O_RDWR),
        ("openat", AT_FDCWD, "addr", O_RDWR | HIGH),
        ("openat", AT_FDCWD, "addr", O_CREAT),
        ("openat", AT_FDCWD, "addr", O_TRUNC), ("open", "addr", O_WRONLY),
        ("creat", "addr", 0), ("openat2", AT_FDCWD, 0, 0, 0),
        ("unlinkat", AT_FDCWD, "addr", 0), ("mkdirat", AT_FDCWD, "addr", 0),
        ("socket", 1, 1, 0), ("socket", 2, 1, 0), ("connect", 0, 0, 0),
        ("listen", 0, 1), ("setsockopt", 0, 0, 0, 0, 0), ("kill", 0, 0),
        ("sendto", 1, "addr", 1, 0, "addr", 16), ("sendmsg", 1, 0, 0),
        ("recvmsg", 0, 0, 0), ("execveat", BAD, "addr", 0, 0, 0),
        ("fcntl", 0, 8, 1), ("ioctl", 0, TIOCSTI, "addr"),
        ("prctl", 999), ("prlimit64", 0, 4, "addr", 0),
        ("prlimit64", 1, 4, 0, "addr"), ("ptrace", 0), ("unshare", 0),
        ("io_uring_setup", 1, 0), ("setresuid", 1, 1, 1), ("memfd_create",
                                                           "addr", 0),
        ("seccomp", 999), ("bpf", 0), ("chmod", "addr", 0), (9999,),
    ]
    passed = [("openat", AT_FDCWD, "addr", 0),
              ("openat", AT_FDCWD, "addr", O_PATH),
              ("prlimit64", 0, 4, 0, "addr"), ("ioctl", 0, TCGETS, "addr"),
              ("fcntl", 0, 3), ("getpid",), ("sendto", BAD, "addr", 1)]
    if platform.machine() != "x86_64":
        refused = [call for call in refused if call[0] not in (
            "fork", "vfork", "open", "creat", "chmod")]
    said = answers([*refused, *passed], "here", **STDIO)
    assert {call: said[call] for call in refused
            if said[call] != "EPERM"} == {}
    assert {call: said[call] for call in passed
            if said[call] == "EPERM"} == {}
