"""The parser's room from outside: what /proc says of a waiting worker."""

import os
import re
import select
import signal

import pytest

from rooms import (BATCH_MAX, NOBODY, PARSER_ID, RECVMSG, Parser,
                   unsanitized)

pytestmark = unsanitized

SHARED = ("mnt", "net", "ipc", "uts", "cgroup")

KINDS = {
    "full": {},
    "user": {"uid": NOBODY, "user": NOBODY},
    "reduced": {},
    "reduced-user": {"kind": "reduced", "uid": NOBODY, "user": NOBODY},
}

STATUS = {
    "State": "S (sleeping)", "TracerPid": "0", "Groups": "", "Threads": "1",
    "SigPnd": "0" * 16, "ShdPnd": "0" * 16, "SigBlk": "0" * 16,
    "SigIgn": "0" * 16, "SigCgt": "0" * 16, "CapInh": "0" * 16,
    "CapPrm": "0" * 16, "CapEff": "0" * 16, "CapBnd": "0" * 16,
    "CapAmb": "0" * 16, "NoNewPrivs": "1", "Seccomp": "2",
    "Seccomp_filters": "1", "VmLck": "0 kB",
}

LIMITS = {
    "Max cpu time": "10", "Max file size": "0", "Max core file size": "0",
    "Max processes": "0", "Max open files": str(BATCH_MAX + 1),
    "Max locked memory": "0",
}


@pytest.fixture(params=KINDS)
def room(request):
    """(which, uid, a waiting parser)"""
    how = {"kind": request.param, **KINDS[request.param]}
    with Parser(**how) as parser:
        assert parser.failed is None and parser.greeting == b"\0"
        yield request.param, how.get("uid", PARSER_ID), parser


# Those with namespaces and a root of their own.
walled = pytest.mark.parametrize("room", ["full", "user"], indirect=True)


def asleep(parser):
    """Waits until it waits in recvmsg, which it enters by itself."""
    while not parser.proc("syscall").startswith(f"{RECVMSG} 0x3 "):
        assert parser.proc("stat")
        os.sched_yield()


def fields(text):
    pairs = (line.split(":", 1) for line in text.splitlines())
    return {key: value.strip() for key, value in pairs}


def test_status(room):
    which, uid, parser = room
    asleep(parser)
    status = fields(parser.proc("status"))
    golden = dict(STATUS, Uid="\t".join([str(uid)] * 4),
                  Gid="\t".join([str(uid)] * 4))
    if which == "reduced-user":
        # Only a capability it does not have could empty this one.
        del golden["CapBnd"]
    assert {key: status[key] for key in golden} == golden
    inside = status["NSpid"].split()[1:]
    assert inside == (["1"] if which in ("full", "user") else [])


def test_limits(room):
    _, _, parser = room
    limits = {}
    for line in parser.proc("limits").splitlines()[1:]:
        name, soft, hard = re.match(r"(.{26})(\S+)\s+(\S+)", line).groups()
        limits[name.strip()] = (soft, hard)
    assert {name: limits[name] for name in LIMITS} == {
        name: (value, value) for name, value in LIMITS.items()}


def test_the_channel_is_its_only_descriptor(room):
    _, _, parser = room
    fds = parser.fds()
    assert list(fds) == [3] and fds[3].startswith("socket:")
    # As the parent counts them (Linux 6.2 and later).
    count = os.stat(f"/proc/{parser.pid}/fd").st_size
    assert count in (0, 1)


def test_namespaces(room):
    which, _, parser = room
    outside = {kind: os.readlink(f"/proc/self/ns/{kind}")
               for kind in (*SHARED, "pid", "user")}
    own = {kind for kind in outside if parser.namespace(kind) != outside[kind]}
    assert own == {
        "full": {*SHARED, "pid"}, "user": {*SHARED, "pid", "user"},
    }.get(which, set())


def test_the_parents_few_capabilities_suffice():
    """Those that tcpmuxd keeps as root, but for those no room needs."""
    few = "-all,+setuid,+setgid,+setpcap,+sys_chroot,+sys_admin,+kill"
    with Parser(words=["setpriv", "--bounding-set", few]) as parser:
        assert parser.failed is None and parser.greeting == b"\0"


@walled
def test_root_is_empty_and_read_only(room):
    which, uid, parser = room
    assert os.listdir(f"/proc/{parser.pid}/root/") == []
    assert os.listdir(f"/proc/{parser.pid}/cwd/") == []
    with pytest.raises(OSError, match="Read-only"):
        os.mkdir(f"/proc/{parser.pid}/root/x")
    (mount,) = parser.proc("mountinfo").splitlines()
    owner = f",uid={uid},gid={uid}" if which == "user" else ""
    words = mount.split()
    assert words[3:6] == ["/", "/", "ro,nosuid,nodev,noexec,relatime"]
    assert words[-3:-1] == ["tmpfs", "tmpfs"]
    assert re.sub(r",inode64|,inode32|,noswap", "", words[-1]) == (
        f"ro,size=4k,nr_inodes=1,mode=555{owner}")


@walled
def test_network_has_nothing_in_it(room):
    _, _, parser = room
    devices = parser.proc("net/dev").splitlines()[2:]
    assert [line.split(":")[0].strip() for line in devices] == ["lo"]
    assert len(parser.proc("net/route").splitlines()) <= 1
    assert parser.proc("net/fib_trie").strip() == ""  # not even up


def test_user_namespace_has_one_user_who_is_not_root():
    with Parser("user", uid=NOBODY, user=NOBODY) as parser:
        for kind in ("uid_map", "gid_map"):
            assert parser.proc(kind).split() == [str(NOBODY), str(NOBODY), "1"]
        assert parser.proc("setgroups").strip() == "deny"


def test_nothing_is_given_to_it_but_words(room):
    which, uid, parser = room
    kind = which.split("-")[0]
    assert parser.proc("environ") == ""
    assert parser.proc("cmdline").split("\0")[:-1] == [
        "tcpmuxd-parser", kind, str(uid), str(uid)]


def test_it_is_not_dumpable(room):
    """Its /proc files are root's, whatever uid it has."""
    _, _, parser = room
    assert os.stat(f"/proc/{parser.pid}/environ").st_uid == 0


def test_it_leads_a_session_without_a_terminal(room):
    _, _, parser = room
    stat = parser.proc("stat").rsplit(")", 1)[1].split()
    session, terminal = stat[3], stat[4]
    assert int(session) == parser.pid and terminal == "0"


def test_workers_share_one_set_but_not_their_pids():
    """Two starters make two sets; a pid namespace is each worker's own."""
    with Parser() as one, Parser() as other:
        assert one.namespace("pid") != other.namespace("pid")
        assert one.namespace("user") == other.namespace("user")


def test_it_dies_with_its_parent(room):
    """Even while the channel's other end stays open, as ours does."""
    _, _, parser = room
    fd = os.pidfd_open(parser.pid)
    parser.kill_starter()
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    assert poll.poll(10000), "the parser outlives its parent"
    os.close(fd)


def test_it_ends_with_its_channel(room):
    _, _, parser = room
    assert parser.ended() == ("exit", 0)


@pytest.mark.parametrize("number", ["SIGTERM", "SIGINT", "SIGHUP", "SIGUSR1"])
def test_first_of_its_pid_namespace_it_heeds_only_sigkill(number):
    with Parser() as parser:
        os.kill(parser.pid, getattr(signal, number))
        asleep(parser)
        os.kill(parser.pid, signal.SIGKILL)
        assert parser.ended() == ("signal", signal.SIGKILL)


def test_stopped_and_continued_it_goes_on():
    """What waits in recvmsg is taken up again, with the same call."""
    with Parser() as parser:
        asleep(parser)
        os.kill(parser.pid, signal.SIGSTOP)
        while "T (stopped)" not in parser.proc("status"):
            os.sched_yield()
        os.kill(parser.pid, signal.SIGCONT)
        asleep(parser)
        assert parser.ended() == ("exit", 0)
