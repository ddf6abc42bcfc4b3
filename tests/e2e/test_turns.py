"""What a turn of the loop takes of many at a time, so that nobody else has to
wait for them all; and when it waits for a moment to have more of them.

A crowd gathers while tcpmuxd is stopped, or while its clock stands still.
"""

import contextlib
import os
import re
import resource
import signal

import pytest

from load import status
from mux import (IS_ROOT, LOCAL4, OK, converse, eventually, policy, program,
                 service, turns)
from passing import Server, place  # noqa: F401
from rooms import unsanitized

pytestmark = pytest.mark.skipif(not IS_ROOT, reason="one namespace each")

CAT = service("cat", "exec /bin/cat")
DOOR = "127.0.0.5"
MANY = ("sessions 200", "per-source 200")
CROWD = ("allow any", "per-source 200", "pending-per-source 200")


@contextlib.contextmanager
def stopped(mux):
    os.kill(mux.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(mux.pid, signal.SIGCONT)


@contextlib.contextmanager
def asking(mux, count, text):
    with contextlib.ExitStack() as stack:
        socks = [stack.enter_context(mux.connect()) for _ in range(count)]
        for sock in socks:
            sock.sendall(text)
        yield socks


# --- how many at a time -----------------------------------------------------

def test_some_are_accepted_before_they_are_let_in(mux_factory, tmp_path):
    """So that of those who are shut out no more are open at a time."""
    mux = mux_factory(CAT, admission=("allow any", "pending-per-source 1"))
    with turns(mux, tmp_path / "trace", "accept4", "close") as found:
        with stopped(mux), asking(mux, 50, b"x"):
            pass
        mux.wait_log("shut-out", count=49)
    assert max(run.count("\n") for turn in found for run in re.findall(
        r"(?:^accept4\(.* = \d+\n)+", turn, re.M)) == 16


@unsanitized
def test_a_listener_that_leaves_lets_in_a_share_of_who_came(late_mux, netns):
    """They come in the moment that it has no descriptors, which lasts."""
    namespace = netns()
    namespace.sysctl("net.core.somaxconn", 5000)
    how = {"admission": "deny any", "top": ("log {\n\tlimit 1/s burst 1\n}",)}
    mux, set_clock = late_mux(CAT, listen=[LOCAL4, f"{DOOR} backlog 5000"],
                              netns=namespace, **how)
    set_clock("=")
    limits = resource.prlimit(mux.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(mux.pid, resource.RLIMIT_NOFILE, (3, limits[1]))
    for number in range(4110):
        with mux.connect(DOOR) as sock:
            sock.sendall(b"x")
        if number == 0:
            mux.wait_log("accept-failed", error="EMFILE")
            resource.prlimit(mux.pid, resource.RLIMIT_NOFILE, limits)
    mux.reload(policy(CAT, port=mux.port, listen=[LOCAL4], **how))
    assert status(mux)["accepted"] == 0
    set_clock("=3")
    assert status(mux)["accepted"] == 4096


def test_a_turn_reaps_a_share_of_who_has_ended(mux_factory, tmp_path):
    """A service can make children of ours as fast as it can fork."""
    mux = mux_factory(service(
        "intruder", "syscalls any",
        f"exec {program('tests/tools/intruder')} litter"))
    with mux.connect() as sock, \
            turns(mux, tmp_path / "trace", "waitid") as found:
        sock.sendall(b"intruder\r\n")
        assert sock.recv(len(OK)) == OK
        with stopped(mux):
            sock.sendall(b"x")
            assert sock.recv(9) == b"made\n"
        mux.refused("nobody-here")
    assert max(turn.count("waitid(") for turn in found) == 512


@unsanitized
def test_a_turn_ends_a_share_of_who_is_over_its_time(late_mux, tmp_path):
    mux, set_clock = late_mux(
        service("cat", "exec /bin/cat", "lifetime 1h", *MANY),
        admission=CROWD)
    with asking(mux, 70, b"cat\r\n") as socks:
        for sock in socks:
            assert sock.recv(len(OK)) == OK
        eventually(lambda: status(mux)["launched"] == 70)
        with turns(mux, tmp_path / "trace", "kill") as found:
            set_clock(3601)
            mux.wait_log("exit", count=70)
    assert max(len(re.findall(r"^kill\(\d+, SIGTERM", turn, re.M))
               for turn in found) == 64


@unsanitized
def test_of_who_is_refused_some_are_looked_for_in_one_call(
        late_mux, tmp_path):
    mux, set_clock = late_mux(CAT, admission=CROWD)
    set_clock("=")
    with asking(mux, 40, b"none\r\n") as socks:
        for sock in socks:
            converse(sock)
    with turns(mux, tmp_path / "trace", "poll", "ppoll") as found:
        set_clock("=1")
        assert status(mux)["lingering"] == 0
    assert re.findall(r"^p?poll\(.*\], (\d+),", "".join(found), re.M) == [
        "32", "8"]


def test_who_would_be_too_many_for_a_launcher_waits(mux_factory):
    """And does not end with it."""
    mux = mux_factory(service("true", "exec /bin/true", *MANY),
                      admission=CROWD)
    launcher, = mux.launchers()
    os.kill(launcher, signal.SIGSTOP)
    with asking(mux, 130, b"true\r\n") as socks:
        eventually(lambda: status(mux)["launching"] == 130)
        os.kill(launcher, signal.SIGKILL)
        assert [converse(sock) for sock in socks].count(OK) == 2


# --- another policy, bit by bit ---------------------------------------------

def reload_turns(mux, trace, text, *calls):
    with turns(mux, trace, "memfd_create", *calls) as found:
        since = mux.ask_to_reload(text)
        eventually(lambda: mux.logs("reloaded", since) or
                   mux.logs("reload-failed", since))
    return found


def test_a_turn_checks_a_share_of_a_large_policy(mux_factory, tmp_path):
    mux = mux_factory(CAT)
    rules = [f"deny 127.{number >> 8}.{number & 255}.1"
             for number in range(9000)]
    found = reload_turns(mux, tmp_path / "trace", policy(
        CAT, port=mux.port, admission=(*rules, "allow any")), "recvmsg")
    assert mux.logs("reloaded")
    come, = [number for number, turn in enumerate(found)
             if re.search(r"^recvmsg.*SCM_RIGHTS", turn, re.M)]
    checked, = [number for number, turn in enumerate(found)
                if 'memfd_create("tcpmuxd-names"' in turn]
    assert checked - come == 2, (checked, come)


def test_a_turn_tells_a_share_of_what_is_wrong(mux_factory, tmp_path):
    mux = mux_factory(CAT)
    found = reload_turns(mux, tmp_path / "trace", policy(
        CAT, port=mux.port, top=[f"nonsense {number}" for number in
                                 range(300)]), "pread64")
    told = [int(size) for turn in found for size in re.findall(
        r"^pread64\(.* = (\d+)$", turn, re.M)]
    assert len(mux.logs("reload-problem")) == 300
    assert max(told) == 8192
    assert max(turn.count("pread64(") for turn in found) == 1


# --- a moment to have more of them ------------------------------------------

@unsanitized
@pytest.mark.parametrize("came, passed, naps", [
    (20, 2, 1), (20, 3, 0), (16, 0, 0)])
def test_it_waits_for_a_moment_where_there_is_a_crowd(
        late_mux, tmp_path, place, came, passed, naps):  # noqa: F811
    """But not where few are undecided, nor where servers wait for them."""
    mux, set_clock = late_mux(
        service("pass", f"pass {place / 'server'}", user=False),
        admission=CROWD)
    set_clock("=")
    set_clock("=1")  # here a window begins
    with Server(place / "server") as server, \
            asking(mux, passed, b"pass\r\n"), \
            asking(mux, came - passed, b"x"):
        for _ in range(passed):
            server.take()
        eventually(lambda: (status(mux)["pending"], status(mux)["running"])
                   == (came - passed, passed))
        with turns(mux, tmp_path / "trace", "nanosleep",
                   "clock_nanosleep") as found:
            set_clock("=1.01")
            mux.refused("nobody")
    taken = re.findall(r"nanosleep\(.*tv_nsec=(\d+)\}", "".join(found))
    assert {*taken} == ({"200000"} if naps else set())
