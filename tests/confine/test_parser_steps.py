"""Every step of the parser's room that fails ends it, by name, unconfined
never: nothing is greeted, nothing is served."""

import errno
import socket

import pytest

from rooms import NOBODY, Parser, names_table, unsanitized

pytestmark = unsanitized

E = errno

PR_SET_DUMPABLE, PR_SET_PDEATHSIG, PR_SET_SECUREBITS = 4, 1, 28
PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS = 24, 38
PR_GET_PDEATHSIG, PR_GET_DUMPABLE, PR_GET_SECUREBITS = 2, 3, 27
PR_GET_NO_NEW_PRIVS = 39
PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL = 47, 4
F_GET_SEALS = 1034
PROT_READ, MAP_PRIVATE, MAP_POPULATE = 0x1, 0x2, 0x8000

# The call that a step needs, and the step.
FAILING = [
    ("setsid", "process-group"),
    ("getsockopt", "descriptors"),
    (f"prctl,{PR_SET_DUMPABLE}", "dumpable"),
    ("fcntl,4", "descriptors"),
    (f"mmap,0,-,{PROT_READ},{MAP_PRIVATE | MAP_POPULATE}", "names"),
    ("socket", "descriptors"),
    ("setns", "namespaces"),
    ("statfs", "root"),
    ("getdents64", "root"),
    ("prlimit64", "rlimits"),
    ("setgroups", "groups"),
    ("setresgid", "gid"),
    (f"prctl,{PR_CAPBSET_DROP}", "bounding-set"),
    (f"prctl,{PR_SET_SECUREBITS}", "securebits"),
    ("setresuid", "uid"),
    ("capset", "capabilities"),
    (f"prctl,{PR_CAP_AMBIENT},{PR_CAP_AMBIENT_CLEAR_ALL}", "capabilities"),
    (f"prctl,{PR_SET_NO_NEW_PRIVS}", "no-new-privs"),
    ("landlock_restrict_self", "landlock"),
    ("getresuid", "verify"),
    ("getresgid", "verify"),
    ("getgroups", "verify"),
    ("capget", "bounding-set"),
    ("seccomp", "filter"),
    (f"fcntl,4,{F_GET_SEALS}", "names"),
    ("newfstatat", "names"),
    ("close", "names"),
    (f"prctl,{PR_GET_NO_NEW_PRIVS}", "verify"),
    (f"prctl,{PR_GET_DUMPABLE}", "verify"),
    (f"prctl,{PR_GET_PDEATHSIG}", "verify"),
    ("prlimit64,0,-,0", "verify"),  # getrlimit
]

# What is said instead by libraries, and by checks that look at all there is.
SAID = {"seccomp": E.ENOSYS, "capget": E.EPERM,
        f"prctl,{PR_CAPBSET_DROP}": E.EPERM,
        **{call: E.EPERM for call, step in FAILING
           if step == "verify" and not call.startswith("prlimit64")}}

# The same calls if they say yes and do nothing: the kernel is asked again.
LYING = [
    ("setns", "root"),
    ("statfs", "root"),
    ("getdents64", "root"),
    ("prlimit64", "verify"),
    ("setgroups", "verify"),
    ("setresgid", "verify"),
    (f"prctl,{PR_CAPBSET_DROP}", "bounding-set"),
    (f"prctl,{PR_SET_SECUREBITS}", "verify"),
    ("setresuid", "verify"),
    (f"prctl,{PR_SET_NO_NEW_PRIVS}", "landlock"),
    ("setuid", "verify"),
    ("setgid", "verify"),
    (f"prctl,{PR_SET_PDEATHSIG}", "verify"),
    (f"prctl,{PR_GET_NO_NEW_PRIVS}", "verify"),
    (f"prctl,{PR_GET_SECUREBITS}", "verify"),
    ("capset", "verify"),
    ("prlimit64,0,-,-,0", "verify"),  # setrlimit
]


def failed_step(**how):
    """The step; and that it was the end, without a greeting."""
    with Parser(**how) as parser:
        assert parser.greeting == b""
        assert parser.failed is not None, parser.ended()
        assert parser.ended() in (("exit", 1), ("exit", 126))
        return parser.failed


@pytest.mark.parametrize("call, step", FAILING,
                         ids=[call for call, _ in FAILING])
def test_a_step_that_fails_is_named(call, step):
    assert failed_step(failures=[f"{call}={E.EACCES}"]) == (
        step, SAID.get(call, E.EACCES))


@pytest.mark.parametrize("call, step", LYING, ids=[call for call, _ in LYING])
def test_a_step_that_only_says_it_was_taken_is_found_out(call, step):
    assert failed_step(failures=[f"{call}=0"])[0] == step


@pytest.mark.parametrize("kind, call, step", [
    ("reduced", "setgroups", "groups"),
    ("reduced", "setresuid", "uid"),
    ("reduced", "landlock_restrict_self", "landlock"),
    ("reduced", "seccomp", "filter"),
])
def test_the_reduced_room_is_no_laxer(kind, call, step):
    assert failed_step(kind=kind, failures=[f"{call}={E.EACCES}"])[0] == step


def test_nobody_parses_as_root():
    assert failed_step(uid=0) == ("arguments", E.EINVAL)


@pytest.mark.parametrize("index, kind", enumerate(
    ["mnt", "net", "ipc", "uts", "cgroup"]))
def test_a_namespace_that_is_none_is_refused(index, kind):
    step, error = failed_step(namespaces={index: "/dev/null"})
    assert (step, error) == ("namespaces", E.EINVAL)


def test_a_root_that_is_not_empty_is_refused():
    """A mount namespace it may join, but the wrong one: our own."""
    step, error = failed_step(namespaces={0: "/proc/self/ns/mnt"})
    assert (step, error) == ("root", E.EROFS)


def test_a_limit_that_cannot_be_set_is_refused():
    """Fewer descriptors than a batch needs, and no right to more."""
    step, error = failed_step(words=[
        "prlimit", "--nofile=24:24", "setpriv", "--bounding-set",
        "-sys_resource"])
    assert (step, error) == ("rlimits", E.EPERM)


def test_a_group_that_it_cannot_have_back_is_not_its_own_either():
    """Nobody's like root's: only a look at the ids tells."""
    step, error = failed_step(words=["setpriv", "--regid=5", "--clear-groups"],
                              failures=["setresgid=0"])
    assert (step, error) == ("verify", E.EPERM)


def test_a_capability_that_does_not_make_root_is_found_as_well():
    """Of somebody who cannot have root's ids anyway: only a look tells."""
    keep = "+sys_admin"  # which lays on the filter, and no more
    step, error = failed_step(
        kind="reduced", uid=NOBODY, words=[
            "setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}",
            "--clear-groups", "--inh-caps", keep, "--ambient-caps", keep],
        failures=["capset=0"])
    assert (step, error) == ("verify", E.EPERM)


def test_a_kernel_without_ipv6_has_a_parser_all_the_same():
    with Parser(failures=[f"socket,10={E.EAFNOSUPPORT}"]) as parser:
        assert parser.failed is None and parser.greeting != b""


@pytest.mark.parametrize("was", ["10:20", "5:10"], ids=["hard", "soft"])
def test_a_limit_that_stays_where_it_was_is_found_out(was):
    """The other one is by chance what it should become."""
    step, error = failed_step(words=["prlimit", f"--cpu={was}"],
                              failures=["prlimit64,0,0,-,0=0"])
    assert (step, error) == ("verify", E.EPERM)


def test_groups_that_cannot_be_dropped_are_refused():
    step, error = failed_step(
        words=["setpriv", "--bounding-set", "-setgid"])
    assert (step, error) == ("groups", E.EPERM)


@pytest.mark.parametrize("how", [
    {"seals": 0},
    {"seals": 0xF & ~0x8},  # it could still be written to
    {"seals": 0xF & ~0x2},  # it could shrink under the reader
    {"block": b""},
    {"block": names_table([b"git"])[:-1]},
    {"block": names_table([b"git"]) + b"x"},
    {"block": names_table([b"git"]).replace(b"git", b"GIT")},
    {"block": b"\0" * 64},
], ids=["unsealed", "writable", "shrinkable", "empty", "short", "long",
        "unfolded", "zero"])
def test_a_names_table_that_is_not_one_is_refused(how):
    error = E.EBADMSG if "block" in how else E.EPERM
    assert failed_step(**how) == ("names", error)


def test_a_channel_that_keeps_no_messages_apart_is_refused():
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    with ours, theirs:
        assert failed_step(channel=theirs) == ("descriptors", E.EPROTOTYPE)


def test_a_room_that_cannot_be_made_starts_no_parser():
    """room_prepare in the parent: no namespaces, no start."""
    with Parser(words=["setpriv", "--bounding-set", "-sys_admin"]) as parser:
        assert parser.pid is None and parser.greeting == b""
        word, error = parser.ended()
        assert word == "starter" and "room_prepare" in error


def test_no_user_namespace_no_parser():
    """Whoever is not root and may not make one is told so, at once."""
    with Parser("user", uid=NOBODY, user=NOBODY,
                words=["prlimit", "--nproc=0:0"]) as parser:
        assert parser.pid is None and parser.greeting == b""
        assert parser.ended()[0] == "starter"


def test_a_user_room_for_someone_else_is_refused():
    with Parser("user", uid=NOBODY) as parser:
        word, error = parser.ended()
        assert word == "starter" and "Invalid argument" in error
