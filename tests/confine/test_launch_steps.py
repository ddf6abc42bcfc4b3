"""Every step of a launch that fails is named, ends the child before it
execs, tells the client nothing, and leaves the launcher as it was."""

import errno
import os
import resource
import socket
import struct
import subprocess

import pytest

import launchers
from launchers import CAPABILITIES_ALL, NEW_PRIVILEGES, SELF, Launcher
from mux import IS_ROOT, program
from rooms import unsanitized

pytestmark = [unsanitized, pytest.mark.skipif(
    not IS_ROOT, reason="services of other users need root")]

E = errno
NET_RAW = 1 << 13
KEYCTL_JOIN_SESSION_KEYRING, KEYCTL_SETPERM, KEYCTL_DESCRIBE = 1, 5, 6
PR_SET_DUMPABLE, PR_SET_KEEPCAPS, PR_CAPBSET_DROP = 4, 8, 24
PR_GET_SECCOMP, PR_GET_SECUREBITS = 21, 27
PR_SET_SECUREBITS, PR_CAP_AMBIENT = 28, 47
PR_SET_NO_NEW_PRIVS, PR_GET_NO_NEW_PRIVS = 38, 39

# Core dumps would be limited before.
PROCESSES = {"rlimit": "1:70", "limits_core": False}
FILES = {"rlimit": "2:70", "limits_core": False}

ISOLATED = {"kind": "full", "isolate": "f"}
# What such a service is to keep it has already: only its init gives it up.
KEEPS_ALL = {**ISOLATED, "uid": 0, "gid": 0,
             "flags": f"{CAPABILITIES_ALL | NEW_PRIVILEGES:x}"}
PR_SET_NAME = 15

GROUPS = {"words": ["group=5", "group=6"]}
CAPS = {"kind": "full", "caps": f"{NET_RAW:x}"}
FULL = {"kind": "full"}
STDIO = {"kind": "full", "syscalls": "stdio"}
LOGIN = {"kind": "full", "flags": f"{NEW_PRIVILEGES:x}"}

KEEPALIVE = {"keepalive": 90}
CPU = {"rlimit": "3:60", "limits_core": False}

# The call that a step of the child's needs (@: which of them), and the step's
# name.
FAILING = [
    ("sendto", "launched", {}),
    ("setsid", "process-group", {}),
    ("rt_sigprocmask", "signals", {}),
    ("dup2", "descriptors", {}),
    ("dup2,0", "descriptors", {}),  # stderr from /dev/null
    ("dup3", "descriptors", {}),
    ("close_range", "descriptors", {}),
    ("fcntl,0", "descriptors", {}),
    ("fcntl,0@0", "descriptors", {}),  # it is asked whether to set more
    ("setsockopt", "descriptors", {}),
    ("umask", "umask", {"umask": "027"}),
    ("setpriority", "scheduling", {"nice": 5}),
    ("getpriority", "scheduling", {"nice": 5}),
    ("prlimit64", "rlimits", {}),
    ("unshare", "namespaces", ISOLATED),
    ("mount", "namespaces", ISOLATED),
    ("chroot", "root", {"chroot": "/usr"}),
    ("openat@0", "root", {"chroot": "/usr"}),
    ("fchdir", "root", {"chroot": "/usr"}),
    ("chdir", "chdir", {"chdir": "/usr"}),
    ("setgroups", "groups", GROUPS),
    ("setresgid", "gid", {}),
    (f"prctl,{PR_CAPBSET_DROP}", "bounding-set", FULL),
    (f"prctl,{PR_SET_SECUREBITS}", "securebits", FULL),
    (f"prctl,{PR_SET_KEEPCAPS}", "uid", CAPS),
    ("setresuid", "uid", {}),
    ("capset", "capabilities", {"uid": 0, "gid": 0}),
    (f"prctl,{PR_CAP_AMBIENT}", "capabilities", CAPS),
    ("getresuid", "verify", {}),
    ("getresgid", "verify", {}),
    ("getgroups", "verify", GROUPS),
    ("capget", "verify", {}),
    (f"prctl,{PR_SET_NO_NEW_PRIVS}", "no-new-privs", FULL),
    (f"prctl,{PR_GET_NO_NEW_PRIVS}", "no-new-privs", {}),
    ("landlock_restrict_self", "landlock", {}),
    ("seccomp", "filter", FULL),
    ("seccomp", "filter", STDIO),
    ("seccomp", "filter", LOGIN),
    (f"prctl,{PR_GET_SECCOMP}", "filter", FULL),
    ("pipe2", "init", ISOLATED),
    ("clone", "init", ISOLATED),
    (f"prctl,{PR_SET_NAME}", "init", ISOLATED),
    ("munmap", "init", ISOLATED),
    (f"prctl,{PR_CAP_AMBIENT}", "init", ISOLATED),
    ("seccomp", "init", ISOLATED),
    ("read", "init", ISOLATED),
    ("capset@1", "init", KEEPS_ALL),
    (f"prctl,{PR_SET_NO_NEW_PRIVS}", "init", KEEPS_ALL),
    ("newfstatat", "program", {}),
    ("faccessat2", "program", {}),
    ("openat", "program", {}),
    ("pread64", "program", {}),
    *((f"dup2@{nth}", "descriptors", {}) for nth in (1, 2)),
    *((f"setsockopt@{nth}", "descriptors", {}) for nth in range(5)),
    *((f"setsockopt@{nth}", "descriptors", KEEPALIVE)
      for nth in range(4, 8)),
    *((f"newfstatat@{nth}", "root", {"chroot": "/usr"}) for nth in (0, 1)),
    *((f"newfstatat@{nth}", "chdir", {"chdir": "/usr"}) for nth in (0, 1)),
    ("close", "root", {"chroot": "/usr"}),
    ("prlimit64@1", "rlimits", CPU),
    *((f"prlimit64@{nth}", "rlimits", FILES) for nth in range(3)),
    *((f"newfstatat@{nth}", "namespaces", ISOLATED) for nth in range(4)),
    *((f"newfstatat@{nth}", "mounts", ISOLATED) for nth in (4, 5)),
    *((f"mount@{nth}", "mounts", ISOLATED) for nth in range(1, 5)),
    ("seccomp@1", "filter", FULL),  # clone3's
]

# What these say is what is looked at, and wrong: they cannot fail otherwise.
JUDGED = {"umask", "getgroups", f"prctl,{PR_GET_SECCOMP}",
          f"prctl,{PR_GET_NO_NEW_PRIVS}"}

# The same calls if they say yes and do nothing: the kernel is asked again.
LYING = [
    ("setsid", "process-group", {}),
    ("dup2", "descriptors", {}),
    ("dup3", "descriptors", {}),
    ("umask", "umask", {"umask": "027"}),
    ("setpriority", "scheduling", {"nice": 5}),
    ("prlimit64", "rlimits", {"rlimit": "3:60"}),
    ("prlimit64", "rlimits", PROCESSES),  # read by nobody: 0
    ("prlimit64", "rlimits", FILES),
    ("unshare", "namespaces", ISOLATED),
    ("mount", "mounts", ISOLATED),
    ("getppid", "init", ISOLATED),
    ("capset", "init", KEEPS_ALL),
    ("chroot", "root", {"chroot": "/usr"}),
    ("fchdir", "root", {"chroot": "/usr"}),
    ("chdir", "chdir", {"chdir": "/usr"}),
    ("setgroups", "verify", GROUPS),
    ("setresgid", "verify", {}),
    (f"prctl,{PR_CAPBSET_DROP}", "bounding-set", FULL),
    (f"prctl,{PR_SET_SECUREBITS}", "verify", FULL),
    (f"prctl,{PR_SET_KEEPCAPS}", "capabilities", CAPS),
    ("setresuid", "verify", {}),
    ("capset", "verify", {"uid": 0, "gid": 0}),
    (f"prctl,{PR_CAP_AMBIENT}", "capabilities", CAPS),
    ("setuid", "verify", {}),  # uid 0 can be had back
    (f"prctl,{PR_SET_NO_NEW_PRIVS}", "no-new-privs", FULL),
    ("seccomp", "filter", FULL),
    ("seccomp@1", "filter", FULL),
    ("seccomp", "filter", STDIO),
    ("seccomp", "filter", LOGIN),
]


def failed_step(failure, keys, in_launcher=()):
    """The step and errno, of three launches alike; nothing else came of it.

    The probe would have written to the client, were it ever executed.
    """
    keys = {"kind": "base", **keys}
    in_child = [] if failure is None else [failure]
    with Launcher(in_launcher=in_launcher, in_child=in_child, **keys) as launcher:
        assert launcher.failed is None
        before = launcher.fds()
        failed = set()
        for _ in range(3):
            with launcher.launch() as session:
                assert len(session.statuses) == 1
                failed.update(session.statuses)
                assert session.read() == b""
                if session.pid is None:  # it could not say who it is
                    session.pid = os.waitid(
                        os.P_ALL, 0, os.WEXITED | os.WNOWAIT).si_pid
                assert session.ended() == 1
        assert launcher.fds() == before
        assert launcher.ended() == (0, "")
    (step, error), = failed
    return step, error


@pytest.mark.parametrize("call, step, keys", FAILING,
                         ids=[f"{call}-{step}" for call, step, _ in FAILING])
def test_a_step_that_fails_is_named(call, step, keys):
    error = E.EPERM if call in JUDGED else E.EPROTO
    assert failed_step(f"{call}={E.EPROTO}", keys) == (step, error)


@pytest.mark.parametrize("call, step, keys", LYING,
                         ids=[call for call, _, _ in LYING])
def test_a_step_that_only_says_it_was_taken_is_found_out(call, step, keys):
    named, error = failed_step(f"{call}=0", keys)
    assert named == step and error != 0


def test_new_privileges_that_nobody_can_gain_are_found_out():
    """By no_new_privs that tcpmuxd was started with."""
    with Launcher(**LOGIN, under=["setpriv", "--no-new-privs"]) as launcher:
        with launcher.launch() as session:
            assert session.statuses == [("no-new-privs", E.EPERM)]
            assert session.ended() == 1


def test_as_many_groups_are_not_the_same_groups():
    """Those that tcpmuxd was started with, if there are as many."""
    keys = {**GROUPS, "preexec": lambda: os.setgroups([7, 8])}
    assert failed_step("setgroups=0", keys, ["setgroups=0"])[0] == "verify"


@pytest.mark.parametrize("call, keys", [
    ("setgroups", {"preexec": lambda: os.setgroups([7, 8])}),
    (f"prctl,{PR_SET_SECUREBITS}", {})])
def test_what_the_launcher_only_says_it_did_for_all_is_found_out(call, keys):
    """Each child looks at what it has inherited."""
    assert failed_step(None, keys, [f"{call}=0"])[0] == "verify"


def test_who_may_keep_capabilities_is_made_to_lose_them():
    """By the securebits that tcpmuxd was started with."""
    under = ["setpriv", "--securebits", "+no_setuid_fixup"]
    with Launcher(under=under) as launcher:
        with launcher.launch() as session:
            assert session.is_running
            assert session.ended() == 0
    assert failed_step("capset=0", {"under": under})[0] == "verify"


def test_no_kernel_option_is_skipped_for_the_rootless():
    """What is left of the steps without root fails as well."""
    for call, step in (("capset", "capabilities"), ("getresuid", "verify"),
                       (f"prctl,{PR_SET_NO_NEW_PRIVS}", "no-new-privs"),
                       ("landlock_restrict_self", "landlock"),
                       ("chdir", "chdir")):
        keys = {"kind": "self", "user": 1234, "flags": f"{SELF:x}",
                "chdir": "/usr"}
        assert failed_step(f"{call}={E.EPROTO}", keys)[0] == step


@pytest.mark.parametrize("keys, call", [
    (FULL, "unshare"), ({"kind": "full-offline", "network": "none"}, "listen"),
], ids=["default", "offline"])
def test_a_filter_that_is_none_is_told_by_how_a_call_fails(keys, call):
    """For another reason than the filter's, that is."""
    with launchers_for(keys, ["seccomp@0=0", f"{call}={E.EPROTO}"]) as launcher:
        with launcher.launch() as session:
            assert session.statuses == [("filter", E.EPERM)]
            assert session.ended() == 1


def launchers_for(keys, failures):
    return Launcher(in_child=failures, **{"kind": "base", **keys})


@pytest.mark.parametrize("was", [(60, 120), (30, 60)], ids=["hard", "soft"])
def test_a_limit_that_stays_where_it_was_is_found_out(was):
    """The other one is by chance what it should become."""
    keys = {**CPU, "preexec": lambda: resource.setrlimit(
        resource.RLIMIT_CPU, was)}
    assert failed_step("prlimit64@0=0", keys) == ("rlimits", E.EPERM)


def test_a_directory_of_the_same_number_is_not_the_same(place):
    """File systems of a kind number their roots alike."""
    root = f"{place.directory}/root"
    os.mkdir(root)
    under = ["unshare", "-m", "sh", "-ec", f"""
        mount -t tmpfs none {root} && mkdir {root}/other
        mount -t tmpfs none {root}/other
        test "$(stat -c %i {root})" = "$(stat -c %i {root}/other)"
        exec "$@" """, "sh"]
    keys = {"under": under, "chroot": root, "chdir": "/other"}
    assert failed_step("chdir=0", keys) == ("chdir", E.EPERM)


def test_a_socket_that_stays_nonblocking_is_a_step_that_failed():
    with launchers_for({}, [f"fcntl,0@1={E.EPROTO}"]) as launcher:
        with launcher.launch(
                prepare=lambda sock: sock.setblocking(False)) as session:
            assert session.statuses == [("descriptors", E.EPROTO)]
            assert session.ended() == 1


def test_what_an_init_says_has_to_be_that_it_is_ready():
    """One byte came, and not the one."""
    assert failed_step("read=-1", ISOLATED) == ("init", E.EPERM)


def test_who_cannot_tell_the_parent_goes_no_further():
    """It would take the client for refused, who is served."""
    with launchers_for({}, [f"write={E.EPROTO}"]) as launcher:
        with launcher.launch() as session:
            assert session.statuses == []
            assert session.read() == b""
            assert session.ended() == 1


def test_half_a_reply_is_none():
    with launchers_for({}, ["sendto@1=0"]) as launcher:
        with launcher.launch() as session:
            assert session.statuses == [("reply", 0), ("reply", E.EIO)]
            assert session.ended() == 1


def test_a_kernel_that_knows_no_peek_offset_launches_all_the_same():
    """Of this one option, and for this one reason."""
    with launchers_for({}, [f"setsockopt@0={E.EOPNOTSUPP}"]) as launcher:
        with launcher.launch() as session:
            assert session.is_running and session.ended() == 0
    assert failed_step(f"setsockopt@1={E.EOPNOTSUPP}", {})[0] == "descriptors"


@pytest.mark.parametrize("call", ["wait4@0", "read@0"])
def test_an_init_and_its_child_go_on_behind_a_signal(call):
    with launchers_for(ISOLATED, [f"{call}={E.EINTR}"]) as launcher:
        with launcher.launch() as session:
            assert session.is_running
            assert session.read().startswith(b"+\r\n")
            assert session.ended() == 0


def test_an_init_that_cannot_wait_ends_all():
    with launchers_for(ISOLATED, [f"wait4={E.ECHILD}"]) as launcher:
        with launcher.launch() as session:
            assert session.ended() == 1


def test_a_child_that_its_init_does_not_let_go_ends():
    """The pipe's end, which is also the end of the init: it has told why."""
    with launchers_for(ISOLATED, ["read=0"]) as launcher:
        with launcher.launch() as session:
            assert session.statuses == []
            assert session.read() == b""
            assert session.ended() == 1


def test_no_mount_is_touched_that_is_the_launcher_s_too():
    """A service with a namespace of another kind has none of its own."""
    keys = {"kind": "full", "isolate": "4"}  # ipc
    with launchers_for(keys, [f"mount={E.EPROTO}"]) as launcher:
        with launcher.launch() as session:
            assert session.is_running and session.ended() == 0


@pytest.mark.parametrize("kind, keys", [
    ("base", {}), ("base-offline", {"network": "none"})])
def test_what_is_done_for_all_no_child_does_again(kind, keys):
    """Each launch would pay for it. It would be a step that failed."""
    again = ("seccomp", "setgroups", "capset", "chdir", "fcntl,0@1",
             f"prctl,{PR_SET_NO_NEW_PRIVS}", f"prctl,{PR_CAPBSET_DROP}",
             f"prctl,{PR_SET_SECUREBITS}")
    with Launcher(kind, in_child=[f"{call}={E.EPROTO}" for call in again],
                  program="/bin/true", **keys) as launcher:
        with launcher.launch() as session:
            assert session.is_running and session.ended() == 0


def test_new_privileges_are_not_confined():
    """The steps that a login service must do without are not taken."""
    unused = [f"prctl,{PR_SET_NO_NEW_PRIVS}={E.EPERM}",
              f"landlock_restrict_self={E.EPERM}",
              f"prctl,{PR_SET_SECUREBITS}={E.EPERM}",
              f"prctl,{PR_CAPBSET_DROP}={E.EPERM}"]
    with Launcher("full", in_child=unused,
                  flags=f"{NEW_PRIVILEGES:x}") as launcher:
        with launcher.launch() as session:
            assert session.is_running
            assert session.ended() == 0


def test_clone():
    with Launcher(in_launcher=[f"clone={E.EAGAIN}"]) as launcher:
        before = launcher.fds()
        with launcher.launch() as session:
            assert session.statuses == [("clone", E.EAGAIN)]
            assert session.pid is None
            assert session.read() == b""
        assert launcher.fds() == before


def test_an_exec_that_fails_after_all():
    """The one step behind `+`: it is still told, and by its name."""
    with Launcher(in_child=[f"execve={E.ETXTBSY}"]) as launcher:
        with launcher.launch() as session:
            assert session.statuses == [("reply", 0), ("exec", E.ETXTBSY)]
            assert session.read() == b"+\r\n"
            assert session.ended() == 1


def test_a_client_that_is_gone_before_the_reply():
    def reset(sock):
        sock.shutdown(socket.SHUT_RDWR)

    with Launcher() as launcher:
        with launcher.launch(prepare=reset) as session:
            assert session.statuses == [("reply", 0), ("reply", E.EPIPE)]
            assert session.ended() == 1


# --- the program, before anybody hears of it ----------------------------------

def refused_program(path, **keys):
    """Why it is refused, before the `+`; None if it runs."""
    with Launcher(program=path, **keys) as launcher:
        before = launcher.fds()
        with launcher.launch() as session:
            if session.is_running:
                assert session.read().startswith(b"+\r\n")
                session.ended()
                return None
            assert session.read() == b""
            assert session.ended() == 1
        assert launcher.fds() == before
    (step, error), = session.statuses
    assert step == "program"
    return error


@pytest.fixture
def place():
    """Makes files of root's, in place.directory: place(name, content, mode)."""
    with launchers.public_directory() as directory:
        def make(name, content=b"", mode=0o755):
            path = directory / name
            path.write_bytes(content)
            path.chmod(mode)
            return str(path)

        make.directory = str(directory)
        yield make


LOADER = b"/lib64/ld-linux-x86-64.so.2\0"


def elf(machine=None, elf_class=2, kind=3, phentsize=56, phnum=1, phoff=64,
        interpreter=LOADER, size=None, offset=120):
    """A program's headers, with one PT_INTERP segment."""
    if machine is None:
        with open("/bin/true", "rb") as true:
            machine = struct.unpack_from("<H", true.read(20), 18)[0]
    head = struct.pack("<4sBBBx8xHHIQQQIHHHHHH", b"\x7fELF", elf_class, 1, 1,
                       kind, machine, 1, 0, phoff, 0, 0, 64, phentsize, phnum,
                       0, 0, 0)
    size = len(interpreter) if size is None else size
    return head + struct.pack("<IIQQQQQQ", 3, 4, offset, 0, 0, size, size,
                              1) + interpreter


def test_a_program_that_is_not_there(place):
    assert refused_program(place.directory + "/missing") == E.ENOENT
    assert refused_program(place("plain", b"", 0o644) + "/x") == E.ENOTDIR


def test_a_program_that_is_no_file(place):
    os.mkfifo(place.directory + "/fifo", 0o777)
    os.chmod(place.directory + "/fifo", 0o777)
    assert refused_program(place.directory) == E.EACCES
    assert refused_program(place.directory + "/fifo") == E.EACCES
    assert refused_program("/dev/null") == E.EACCES


def test_a_program_that_the_service_may_not_execute(place):
    with open("/bin/true", "rb") as file:
        true = file.read()
    path = place("mine", true, 0o700)
    assert refused_program(path) == E.EACCES
    assert refused_program(path, uid=0, gid=0) is None
    assert refused_program(place("none", true, 0o666)) == E.EACCES
    assert refused_program(place("others", true, 0o701)) is None


def test_the_right_to_execute_may_be_a_capability_s(place):
    """CAP_DAC_OVERRIDE, kept by a user: the check asks as execve would."""
    with open("/bin/true", "rb") as file:
        path = place("mine", file.read(), 0o700)
    assert refused_program(path, kind="full", caps="2") is None


@pytest.mark.parametrize("content, error", [
    (b"", E.ENOEXEC), (b"echo hello\n", E.ENOEXEC), (b"#", E.ENOEXEC),
    (b"\x7fELF", E.ENOEXEC), (b"\0" * 100, E.ENOEXEC),
    (elf(elf_class=1), E.ENOEXEC), (elf(machine=40), E.ENOEXEC),
    (elf(kind=1), E.ENOEXEC), (elf(phnum=0), E.ENOEXEC),
    (elf(phnum=0xffff), E.ENOEXEC), (elf(phentsize=32), E.ENOEXEC),
    (elf(phnum=60), E.ENOEXEC), (elf(phoff=2 ** 63), E.ENOEXEC),
    (elf(phnum=2), E.ENOEXEC),  # of which a part is there
    (elf(phoff=0)[:60], E.ENOEXEC),  # so is the only one: in this
    (elf(phoff=2 ** 63 - 1), E.ENOEXEC), (elf(phoff=1 << 40), E.ENOEXEC),
    (elf(interpreter=b"/nonexistent\0"), E.ELIBACC),
    (elf(interpreter=b"/etc/passwd\0"), E.ELIBACC),
    (elf(interpreter=b"/etc\0"), E.ELIBACC),
    (elf(interpreter=b"/bin/cat"), E.ENOEXEC),  # no NUL
    (elf(size=0), E.ENOEXEC), (elf(size=1), E.ENOEXEC),
    (elf(size=1 << 63), E.ENOEXEC), (elf(size=4096), E.ENOEXEC),
    (elf(offset=1 << 63), E.ENOEXEC), (elf(offset=5000), E.ENOEXEC),
    (b"#!", E.ENOEXEC), (b"#!\n", E.ENOEXEC), (b"#! \t \n", E.ENOEXEC),
    (b"#!/nonexistent\n", E.ENOENT), (b"#! /nonexistent -x\n", E.ENOENT),
    (b"#!/etc/passwd\n", E.EACCES), (b"#!/etc\n", E.EACCES),
    (b"#!/" + b"x" * 300 + b"\n", E.ENOEXEC),
    (b"#!/bin/true", None), (b"#!/bin/sh\nexit 0\n", None),
    (b"#!/bin/sh\t-e\nexit 0\n", None),
    (b"#! \t/bin/sh -e\nexit 0\n", None), (b"#!/bin/sh\0\n", None),
])
def test_a_file_that_execve_would_not_run(place, content, error):
    """And those it would, it does run: the check is not stricter."""
    path = place("program", content)
    assert refused_program(path) == error
    try:
        # What goes wrong behind the point of no return ends by a signal.
        runs = subprocess.run([path], stdin=subprocess.DEVNULL,
                              capture_output=True).returncode >= 0
    except OSError:
        runs = False
    assert runs == (error is None)


def test_a_large_program_is_looked_at_where_its_headers_are(place):
    with open("/bin/true", "rb") as file:
        true = file.read()
    phoff, = struct.unpack_from("<Q", true, 32)
    phnum, = struct.unpack_from("<H", true, 56)
    moved = bytearray(true + b"\0" * (-len(true) % 8))
    struct.pack_into("<Q", moved, 32, len(moved))
    headers = true[phoff:phoff + 56 * phnum]
    assert refused_program(place("moved", bytes(moved) + headers)) is None
    assert refused_program(
        place("cut", bytes(moved) + headers[:-1])) == E.ENOEXEC
    assert refused_program(place("moved", bytes(moved) + headers),
                           in_child=[f"pread64@1={E.EIO}"]) == E.EIO


def test_more_headers_than_programs_have_are_not_read(place):
    assert refused_program(
        place("many", elf(phnum=65) + bytes(65 * 56))) == E.ENOEXEC


def test_what_the_first_read_brought_is_not_read_again():
    """Each launch would pay for it."""
    assert refused_program(program("tcpmuxd-launcher"),
                           in_child=[f"pread64@1={E.EIO}"]) is None


def test_the_first_loader_that_is_named_is_the_one(place):
    """As the kernel has it: what a second one says is nothing to it."""
    def named(first, second):
        head = elf(interpreter=first, phnum=2, offset=64 + 2 * 56)
        other = elf(interpreter=second, offset=64 + 2 * 56 + len(first))
        return head[:64 + 56] + other[64:64 + 56] + first + second

    assert refused_program(place("good", named(LOADER, b"/none\0"))) is None
    assert refused_program(
        place("bad", named(b"/none\0", LOADER))) == E.ELIBACC


def test_scripts_of_scripts(place):
    """As deep as the kernel goes, and not a level deeper."""
    path = "/bin/true"
    for depth in range(1, 8):
        path = place(f"script{depth}", f"#!{path}\n".encode())
        try:
            runs = subprocess.run([path]).returncode == 0
        except OSError:
            runs = False
        error = refused_program(path)
        assert (error is None) == runs, (depth, error)


def test_a_program_that_may_be_executed_but_not_read(place):
    with open("/bin/true", "rb") as file:
        assert refused_program(place("unread", file.read(), 0o711)) is None


def test_a_static_program_and_one_by_a_link(place):
    os.symlink("/bin/true", place.directory + "/link")
    assert refused_program(place.directory + "/link") is None
    assert refused_program(program("tcpmuxd-launcher")) is None


def test_a_replaced_program_runs_from_the_next_connection(place):
    path = place("program", b"#!/bin/echo one\n")
    with Launcher(program=path) as launcher:
        with launcher.launch() as session:
            assert session.read() == f"+\r\none {path}\n".encode()
        os.rename(place("new", b"#!/bin/echo two\n"), path)
        with launcher.launch() as session:
            assert session.read() == f"+\r\ntwo {path}\n".encode()


def test_a_directory_that_cannot_be_entered(place):
    with Launcher(chdir=place.directory + "/missing") as launcher:
        with launcher.launch() as session:
            assert session.statuses == [("chdir", E.ENOENT)]


def test_a_directory_that_only_the_user_may_enter(place):
    os.mkdir(place.directory + "/home", 0o700)
    os.chown(place.directory + "/home", 65534, 65534)
    with Launcher(program="/bin/pwd", words=["arg=pwd"],
                  chdir=place.directory + "/home") as launcher:
        with launcher.launch() as session:
            assert session.read() == (
                f"+\r\n{place.directory}/home\n".encode())


# --- the base: it stands, or there is no launcher ------------------------------

START = [
    ("getsockopt", "descriptors"), ("rt_sigaction", "signals"),
    ("rt_sigprocmask", "signals"), ("newfstatat", "image"), ("mmap", "image"),
    ("chdir", "chdir"), ("umask", "umask"), ("setgroups", "groups"),
    (f"prctl,{PR_SET_SECUREBITS}", "securebits"),
    (f"keyctl,{KEYCTL_JOIN_SESSION_KEYRING}", "keyring"),
    (f"keyctl,{KEYCTL_SETPERM}", "keyring"),
    (f"prctl,{PR_CAPBSET_DROP}", "bounding-set"),
    (f"prctl,{PR_CAP_AMBIENT}", "capabilities"), ("capget", "capabilities"),
    ("capset", "capabilities"), (f"prctl,{PR_SET_DUMPABLE}", "dumpable"),
    ("close_range", "descriptors"), ("seccomp", "filter"),
    (f"prctl,{PR_SET_NO_NEW_PRIVS}", "filter"),
    (f"prctl,{PR_GET_SECUREBITS}", "arguments"), ("openat@0", "descriptors"),
    ("fcntl,3", "descriptors"), ("fcntl,4@0", "descriptors"),
    ("fcntl,4@1", "image"), ("dup3@0", "descriptors"),
    ("dup3@1", "descriptors"), ("close_range,6", "namespaces"),
    ("setsid", "process-group"), (f"keyctl,{KEYCTL_DESCRIBE}", "keyring"),
    ("landlock_create_ruleset@2", "landlock"), ("openat@1", "landlock"),
    ("dup3@2", "landlock"), ("fcntl,5@1", "landlock"), ("getrandom@1", "filter"),
    *((f"seccomp@{nth}", "filter") for nth in (0, 1)),
]


@pytest.mark.parametrize("call, step", START, ids=[call for call, _ in START])
def test_a_base_s_step_that_fails_is_named(call, step):
    failure = f"{call}={E.EPROTO}"
    with Launcher(in_launcher=[failure]) as launcher:
        error = E.EPERM if call in JUDGED else E.EPROTO
        assert launcher.failed == (step, error)
        assert launcher.ended()[0] == 1


@pytest.mark.parametrize("call, step", [
    (f"prctl,{PR_CAPBSET_DROP}", "bounding-set"), ("capset", "capabilities"),
    (f"keyctl,{KEYCTL_SETPERM}", "keyring"), ("seccomp", "filter"),
    (f"prctl,{PR_SET_NO_NEW_PRIVS}", "filter"), ("umask", "umask"),
], ids=["bounding-set", "capset", "keyring", "seccomp", "no-new-privs",
        "umask"])
def test_a_base_s_step_that_only_says_it_was_taken(call, step):
    with Launcher(in_launcher=[f"{call}=0"]) as launcher:
        assert launcher.failed == (step, E.EPERM)


@pytest.mark.parametrize("error", [E.ENOSYS, E.EPERM])
def test_a_kernel_without_keys_launches_without(error):
    with Launcher(in_launcher=[f"keyctl={error}"]) as launcher:
        assert launcher.failed is None


@pytest.mark.parametrize("join, describe", [
    (E.ENOSYS, None), (E.EPERM, None), (E.ENOSYS, E.EPERM),
    (E.EPERM, E.ENOSYS), (E.EPROTO, E.EPROTO)])
def test_a_keyring_that_is_there_is_not_kept(join, describe):
    """One that cannot be left, of a kernel that has them."""
    failures = [f"keyctl,{KEYCTL_JOIN_SESSION_KEYRING}={join}"]
    if describe is not None:
        failures.append(f"keyctl,{KEYCTL_DESCRIBE}={describe}")
    with Launcher(in_launcher=failures) as launcher:
        assert launcher.failed == ("keyring", join)


@pytest.mark.parametrize("kind", ["none", ""])
def test_a_launcher_of_no_kind_is_none(kind):
    with Launcher(kind) as launcher:
        assert launcher.failed == ("arguments", E.EINVAL)
        assert launcher.ended()[0] == 1


def test_who_leads_a_session_is_no_other_s():
    with Launcher(preexec=os.setsid, in_launcher=["setsid=1"]) as launcher:
        assert launcher.failed is None


@pytest.mark.parametrize("closed", [(0,), (2,), (0, 1), (0, 2), (0, 1, 2)])
def test_standard_descriptors_that_are_not_there_are_made(closed):
    def close():
        for descriptor in closed:
            os.close(descriptor)

    with Launcher(preexec=close) as launcher:
        assert launcher.failed is None
        fds = launcher.fds()
        assert fds[0] == fds[1] == "/dev/null" and 2 in fds


def test_standard_error_that_cannot_be_made_is_an_end():
    def close():
        os.close(0)
        os.close(2)

    with Launcher(preexec=close, in_launcher=[f"dup2={E.EPROTO}"]) as launcher:
        assert launcher.failed == ("descriptors", E.EPROTO)


OLD_LANDLOCK = "landlock_create_ruleset,0=-5"  # it has no scopes


def test_a_kernel_whose_landlock_has_no_scopes_has_a_domain_all_the_same():
    with Launcher(in_launcher=[OLD_LANDLOCK]) as launcher:
        assert launcher.failed is None
        assert 4 in launcher.fds()
        with launcher.launch() as session:
            assert session.is_running and session.ended() == 0


@pytest.mark.parametrize("call", ["landlock_create_ruleset@0",
                                  "landlock_add_rule", "openat@1"])
def test_a_domain_without_scopes_is_made_or_is_an_end(call):
    with Launcher(in_launcher=[OLD_LANDLOCK, f"{call}={E.EPROTO}"]) as launcher:
        assert launcher.failed == ("landlock", E.EPROTO)


def test_without_memory_for_rulesets_there_is_no_launcher():
    """Where a launch's child notes which one it had to make itself."""
    with Launcher(words=["read=/usr"],
                  in_launcher=[f"mmap@1={E.ENOMEM}"]) as launcher:
        assert launcher.failed == ("landlock", E.ENOMEM)
        assert launcher.ended()[0] == 1


def test_a_kernel_without_landlock_launches_without():
    """The parent's start-up report says what is weaker then."""
    with Launcher(in_launcher=[
            f"landlock_create_ruleset={E.EOPNOTSUPP}"]) as launcher:
        assert launcher.failed is None
        assert set(launcher.fds()) == {0, 1, 2, 3}
        for _ in range(2):
            with launcher.launch() as session:
                said = launchers.parse_probe(session.read())
                launchers.assert_descriptors(said)
        assert set(launcher.fds()) == {0, 1, 2, 3}
