"""What a session leaves behind is ended with it: by its cgroup, of which
nothing can get out by forking; where there is none, by its process group."""

import errno
import os
import signal

import pytest

import groups
from faults import Failing
from load import status
from mux import (IS_ROOT, OK, REFUSAL, converse, eventually, program, service,
                 traced)
from mux import _start_time as start_time

pytestmark = pytest.mark.skipif(
    not IS_ROOT or groups.own() is None, reason="needs root and a cgroup v2")

FORKER = program("tests/tools/forker")
CAT = service("cat", "exec /bin/cat")


def forker(name="forker", *lines, words=""):
    return service(name, f"exec {FORKER} {words}".rstrip(), *lines)


class Left:
    """A session of a forker and what it has hidden, by pid and start."""

    def __init__(self, mux, name=b"forker", count=1):
        self.sock = mux.connect()
        self.sock.sendall(name + b"\r\n")
        got = b""
        while got.count(b"\n") < count + 1:
            more = self.sock.recv(4096)
            assert more, got
            got += more
        self.pids = [int(word) for word in got.removeprefix(OK).split()]
        self._starts = {pid: start_time(pid) for pid in self.pids}
        assert None not in self._starts.values()

    def alive(self):
        return [pid for pid in self.pids
                if start_time(pid) == self._starts[pid]]

    def kill(self):
        for pid in self.alive():
            os.kill(pid, signal.SIGKILL)

    def end(self):
        assert converse(self.sock) == b""
        self.sock.close()

    def wait_gone(self):
        eventually(lambda: not self.alive(), what="the end of all of it")


@pytest.fixture
def mux(mux_factory):
    mux = mux_factory(forker(words="3"), CAT)
    assert groups.of(mux) is not None, mux.log.tail()
    return mux


def nothing_is_counted(mux):
    eventually(lambda: status(mux)["running"] == 0, what="the last count")


def members_of_one(mux):
    """The pids of one session of a forker's that has hidden three."""
    # Those between may take a moment to go.
    eventually(lambda: [*map(len, groups.members(mux).values())] == [4],
               what="a forker and three")
    [pids] = groups.members(mux).values()
    return pids


# --- one session ------------------------------------------------------------

def test_nothing_of_a_session_outlives_it(mux):
    """Forked twice, in sessions of their own, deaf to every signal."""
    left = Left(mux, count=3)
    assert set(left.pids) < set(members_of_one(mux))
    left.end()
    left.wait_gone()
    nothing_is_counted(mux)
    assert groups.members(mux) == {}


def test_a_session_counts_until_all_of_it_has_ended(mux_factory):
    """So that `sessions` bounds what there is, not what has just begun: it
    takes a while to kill so many."""
    mux = mux_factory(forker(words="300"))
    left = Left(mux, count=300)
    left.end()
    nothing_is_counted(mux)
    assert left.alive() == []


def test_each_session_has_its_own(mux):
    first, second = Left(mux, count=3), Left(mux, count=3)
    assert len(groups.members(mux)) == 2
    first.end()
    first.wait_gone()
    assert len(second.alive()) == 3
    second.end()
    second.wait_gone()


def test_groups_are_used_again(mux):
    for _ in range(5):
        Left(mux, count=3).end()
        nothing_is_counted(mux)
        assert mux.request("cat", b"x") == (OK, b"x")
        nothing_is_counted(mux)
    assert len(groups.numbers(mux)) == 1


def test_kept_leftovers_have_none(mux_factory):
    """They are untouched, when the session ends and when tcpmuxd does."""
    mux = mux_factory(forker("stays", "leftovers keep"), CAT)
    left = Left(mux, b"stays")
    try:
        assert groups.members(mux) == {}
        left.end()
        mux.wait_log("exit", service="stays")
        mux.stop()
        assert len(left.alive()) == 1
    finally:
        left.kill()


def test_signals_reach_all_of_a_session(mux_factory):
    """The main process does not care for SIGTERM, and what it has hidden
    ends of it: before SIGKILL, which ends the main process as well."""
    mux = mux_factory(forker("mild", "lifetime 1s", words="3 mild"))
    left = Left(mux, b"mild", 3)
    left.wait_gone()
    assert not mux.logs("exit")
    left.end()
    assert mux.wait_log("exit")["reason"] == "lifetime"


# --- the end of tcpmuxd -----------------------------------------------------

def test_stopping_ends_all(mux):
    lefts = [Left(mux, count=3) for _ in range(3)]
    mux.stop()
    assert not any(left.alive() for left in lefts)
    assert groups.numbers(mux) == []


def test_what_ends_a_moment_later_leaves_no_group(mux, tmp_path):
    """Such as the child of a launch that has failed: its group is busy yet."""
    assert mux.request("cat", b"x") == (OK, b"x")
    mux.wait_log("exit")
    assert groups.numbers(mux) != []
    with traced(mux.pid, tmp_path / "trace", "-e", "signal=none", "-e",
                "inject=unlinkat:error=EBUSY:when=1"):
        mux.stop()
    assert groups.numbers(mux) == []


def test_the_next_start_ends_what_a_killed_one_left(mux_factory):
    """And nothing of one that is still there."""
    killed = mux_factory(forker(), CAT)
    other = mux_factory(forker(), CAT)
    left, others = Left(killed), Left(other)
    killed.process.kill()
    killed.process.wait()
    assert len(left.alive()) == 1
    after = mux_factory(CAT)
    left.wait_gone()
    assert not os.path.exists(groups.of(killed))
    assert after.logs("cgroup")[0]["left"] == "0"
    assert len(others.alive()) == 1
    others.end()
    others.wait_gone()
    killed._discard()


def test_what_does_not_go_is_left_to_the_start_after_that(mux_factory):
    """Half a second is waited for it: a group below it can keep it there."""
    with groups.made("left") as home:
        left = f"{home}/tcpmuxd.1"
        os.makedirs(f"{left}/1/below")
        mux = mux_factory(CAT, preexec=lambda: groups.write(home, "0"))
        assert mux.logs("cgroup")[0]["left"] == "1"
        assert os.path.exists(left)
        os.rmdir(f"{left}/1/below")
        after = mux_factory(CAT, preexec=lambda: groups.write(home, "0"))
        assert after.logs("cgroup")[0]["left"] == "0"
        assert not os.path.exists(left)
        mux.stop()
        after.stop()


# --- where things fail ------------------------------------------------------

def test_without_a_cgroup_there_is_the_process_group(mux_factory):
    mux = mux_factory(forker(), CAT, preexec=groups.read_only)
    line, = mux.logs("cgroup")
    assert (line["sessions"], line["step"], line["error"]) == (
        "no", "make", "EROFS")
    assert any("process group" in line["text"] for line in mux.logs("weaker"))
    left = Left(mux)
    try:
        left.end()
        mux.wait_log("exit", service="forker")
        nothing_is_counted(mux)
        assert len(left.alive()) == 1
    finally:
        left.kill()


def test_a_child_that_leads_no_group_yet_is_told_of_the_end(
        mux_factory, tmp_path):
    mux = mux_factory(CAT, preexec=groups.read_only)
    launcher, = mux.launchers()
    trace = tmp_path / "trace"
    with traced(launcher, trace, "-f", "-e", "trace=setsid", "-e",
                "inject=setsid:delay_enter=1000000"):
        sock = mux.connect()
        sock.sendall(b"cat\r\n")
        eventually(lambda: len(mux.children()) == 3, what="the child")
        mux.send_signal(signal.SIGTERM)
        eventually(lambda: "+++ killed by" in trace.read_text(), 20)
    assert "+++ killed by SIGTERM +++" in trace.read_text()



def enter(path):
    with open(f"{path}/cgroup.procs", "w") as file:
        file.write("0")


@pytest.mark.parametrize("error", [errno.ENOSYS, errno.EPERM])
def test_without_clone3_it_goes_there_itself(mux_factory, error):
    mux = mux_factory(forker(words="3"), CAT,
                      preexec=Failing("clone3", error=error))
    left = Left(mux, count=3)
    members_of_one(mux)
    left.end()
    left.wait_gone()


def test_in_a_cgroup_that_was_killed_before(mux_factory):
    """Kernels kill what is cloned out of it into another, so it goes there."""
    path = f"{groups.own()}/tcpmuxd-test-{os.getpid()}"
    os.mkdir(path)
    try:
        with open(f"{path}/cgroup.kill", "w") as file:
            file.write("1")
        mux = mux_factory(forker(words="3"), CAT,
                          preexec=lambda: enter(path))
        assert mux.request("cat", b"x") == (OK, b"x")
        left = Left(mux, count=3)
        left.end()
        left.wait_gone()
        mux.stop()
        assert not [entry for entry in os.scandir(path) if entry.is_dir()]
    finally:
        os.rmdir(path)


def test_what_cannot_have_one_is_not_launched(mux_factory):
    mux = mux_factory(forker(), CAT)
    with open(groups.of(mux) + "/cgroup.max.descendants", "w") as file:
        file.write("1")
    left = Left(mux)
    mux.refused("cat")
    line = mux.wait_log("refuse", service="cat")
    assert (line["step"], line["error"]) == ("cgroup", "EAGAIN")
    left.end()
    nothing_is_counted(mux)
    assert mux.request("cat", b"x") == (OK, b"x")


def test_launches_that_fail_leave_none(mux_factory, tmp_path):
    gone = tmp_path / "gone"
    os.chmod(tmp_path, 0o755)
    gone.touch(mode=0o755)
    mux = mux_factory(service("broken", f"exec {gone}"), CAT)
    for _ in range(20):
        with mux.connect() as sock:
            assert converse(sock, b"broken\r\n") == REFUSAL
    assert mux.request("cat", b"x") == (OK, b"x")
    nothing_is_counted(mux)
    eventually(lambda: groups.members(mux) == {}, what="empty groups")
    assert len(groups.numbers(mux)) < 5
