"""Counts are exact through every way in which a connection or a session ends.

Each ending is driven on purpose, several times, in one daemon with narrow
limits. Then the status line shows zero of everything, and as many are let in
as at the start. (Every daemon of every test says zero when it stops, too: see
Mux.assert_nothing_counted.)
"""

import contextlib
import os
import pathlib
import signal
import socket
import tempfile

import pytest

from load import status
from mux import COUNTS, LOCAL4, OK, REFUSAL, converse, eventually, service
from passing import Server

TIMES = 3  # as many as a source, and the door, may have
OPEN = ("pending", "launching", "running", "lingering", *COUNTS)
SOURCE, OTHER = "127.0.0.2", "127.9.0.1"
CAT = "exec /bin/cat"
NAMES = [f"{number}-{'x' * 120}" for number in range(2000)]
LINGER_PER_SOURCE, LINGER_BYTES = 256, 4 << 20


@pytest.fixture(scope="module")
def place():
    with tempfile.TemporaryDirectory(prefix="tcpmuxd-test-") as directory:
        os.chmod(directory, 0o755)
        yield pathlib.Path(directory)


@pytest.fixture(scope="module")
def mux(shared_mux_factory, place):
    gone = place / "gone"
    gone.touch(mode=0o755)
    mux = shared_mux_factory(
        service("cat", CAT, f"sessions {TIMES}", f"per-source {TIMES}"),
        service("true", "exec /bin/true"),
        service("mute", "exec /bin/sleep 600", "per-source 8"),
        service("narrow", CAT, "sessions 8", "per-source 1"),
        service("one", CAT, "sessions 1"),
        service("rare", CAT, "rate 1/h burst 1"),
        service("rarely", CAT, "source-rate 1/h burst 1"),
        service("near", CAT, allow="192.0.2.1"),
        service("off", CAT, head="disabled"),
        service("trap", "trap", user=False),
        service("broken", f"exec {gone}"),
        *[service(name, f"pass {place}/{name}", "per-source 8", user=False)
          for name in ("passed", "absent")],
        *[service(name, CAT) for name in NAMES], parser=("timeout 2s",),
        exempt=(), admission=(
            "allow any", f"pending {TIMES}", f"pending-per-source {TIMES}",
            f"per-source {TIMES}", "rate 1000000/s burst 1000000",
            "penalty-threshold 23h", "penalty-max 1d"))
    gone.unlink()
    mux.place = place
    return mux


# --- what the endings are made of --------------------------------------------

def opened(mux, text=b"", source=SOURCE):
    sock = mux.connect(source=source)
    sock.sendall(text)
    return sock


def reset(sock):
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0" * 2)
    sock.close()


def running(mux, name=b"cat", count=TIMES, source=SOURCE):
    socks = [opened(mux, name + b"\r\n", source) for _ in range(count)]
    for sock in socks:
        assert sock.recv(3, socket.MSG_WAITALL) == OK
    return socks


def pids_of(mux, name, since):
    mux.wait_log("launch", service=name, since=since, count=TIMES)
    return [int(line["pid"])
            for line in mux.logs("launch", service=name, since=since)]


@contextlib.contextmanager
def stopped(pid):
    """It is there, and does nothing for as long as this block."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)


def until(mux, state, count=TIMES):
    eventually(lambda: status(mux)[state] == count, what=f"{count} {state}")


# --- the endings -------------------------------------------------------------

ENDINGS = {}


def ending(function):
    ENDINGS[function.__name__] = function
    return function


@ending
def a_refusal(mux):
    for text in b"nobody", b"\0", b"near", b"off", b"trap", b"broken":
        for _ in range(TIMES):
            assert converse(opened(mux), text + b"\r\n") == REFUSAL


@ending
def a_refusal_by_a_limit_of_the_service(mux):
    for name, reason in (b"narrow", "per-source"), (b"one", "sessions"):
        mark = mux.mark()
        [held] = running(mux, name, 1)
        for _ in range(TIMES):
            assert converse(opened(mux), name + b"\r\n") == REFUSAL
        mux.wait_log("refuse", since=mark, reason=reason, count=TIMES)
        assert converse(held) == b""
    for name, reason in (b"rare", "rate"), (b"rarely", "source-rate"):
        mark = mux.mark()
        for _ in range(TIMES + 1):
            converse(opened(mux), name + b"\r\n")
        mux.wait_log("refuse", since=mark, reason=reason, count=TIMES)


@ending
def a_shut_door(mux):
    socks = [opened(mux, b"ca") for _ in range(TIMES)]
    until(mux, "pending")
    mark = mux.mark()
    for _ in range(TIMES):
        mux.connect(source=SOURCE).close()
    mux.wait_log("shut-out", since=mark, reason="pending-per-source",
                 count=TIMES)
    for sock in socks:
        sock.close()


@ending
def a_probe(mux):
    for _ in range(TIMES):
        opened(mux).close()
        reset(opened(mux))


@ending
def a_help(mux):
    for _ in range(TIMES):
        assert len(converse(opened(mux), b"HELP\r\n")) > 1000 * len(NAMES[0])


@ending
def a_client_that_leaves_in_its_line(mux):
    for leave in socket.socket.close, reset:
        socks = [opened(mux, b"ca") for _ in range(TIMES)]
        until(mux, "pending")
        for sock in socks:
            leave(sock)
        until(mux, "pending", 0)


@ending
def a_reset_before_the_verdict(mux):
    [parser] = mux.parsers()
    with stopped(parser):
        socks = [opened(mux, b"cat\r\n") for _ in range(TIMES)]
        until(mux, "pending")
        for sock in socks:
            reset(sock)


@ending
def a_reset_behind_the_refusal(mux):
    for _ in range(TIMES):
        sock = opened(mux, b"nobody\r\n")
        assert sock.recv(100) == REFUSAL
        reset(sock)


@ending
def an_eviction(mux):
    mark = mux.mark()
    socks = [opened(mux, b"ca") for _ in range(TIMES)]
    until(mux, "pending")
    for i in range(TIMES):
        socks.append(opened(mux, b"ca", f"127.9.{i}.1"))
        mux.wait_log("evict", since=mark, count=i + 1)
    for sock in socks:
        sock.close()


@ending
def a_dead_parser(mux):
    """What it held is asked about again."""
    mark = mux.mark()
    [parser] = mux.parsers()
    with stopped(parser):
        socks = [opened(mux, b"cat\r\nx") for _ in range(TIMES)]
        until(mux, "pending")
        os.kill(parser, signal.SIGKILL)
    for sock in socks:
        assert converse(sock) == OK + b"x"
    mux.wait_log("worker-died", since=mark)


@ending
def a_dead_launcher(mux):
    """Of what it was told to launch it had launched nothing."""
    mark = mux.mark()
    [launcher] = mux.launchers()
    with stopped(launcher):
        socks = [opened(mux, b"cat\r\n") for _ in range(TIMES)]
        until(mux, "launching")
        os.kill(launcher, signal.SIGKILL)
    for sock in socks:
        assert converse(sock) == REFUSAL
    mux.wait_log("launcher-died", since=mark)


@ending
def a_reset_during_the_launch(mux):
    [launcher] = mux.launchers()
    with stopped(launcher):
        socks = [opened(mux, b"cat\r\n") for _ in range(TIMES)]
        until(mux, "launching")
        for sock in socks:
            reset(sock)


@ending
def a_service_that_ends(mux):
    for _ in range(TIMES):
        assert converse(opened(mux), b"true\r\n") == OK


@ending
def a_client_that_ends(mux):
    for leave in socket.socket.close, reset:
        for sock in running(mux):
            leave(sock)
        until(mux, "running", 0)


@ending
def a_service_that_is_killed(mux):
    for number in signal.SIGKILL, signal.SIGTERM:
        mark = mux.mark()
        socks = running(mux, b"mute")
        for pid in pids_of(mux, "mute", mark):
            os.kill(pid, number)
        for sock in socks:
            assert converse(sock) == b""
        mux.wait_log("exit", since=mark, signal=int(number), count=TIMES)


@ending
def a_server_that_ends_what_it_was_passed(mux):
    """Whether its client is still there or not."""
    with Server(mux.place / "passed") as server:
        for leave in socket.socket.close, reset, None:
            socks = [opened(mux, b"passed\r\n") for _ in range(TIMES)]
            taken = [server.take() for _ in socks]
            until(mux, "launching", 0)
            if leave is not None:
                for sock in socks:
                    leave(sock)
            until(mux, "running")
            for session in taken:
                session.end()
            until(mux, "running", 0)


@ending
def a_server_that_does_not_take(mux):
    """It never reads, closes unread, or is killed with all unread."""
    with Server(mux.place / "passed") as server:
        socks = [opened(mux, b"passed\r\n") for _ in range(TIMES)]
        until(mux, "launching")
        mark = mux.mark()
        server.accept().close()
        mux.wait_log("launch-failed", since=mark, step="unread")
        until(mux, "launching", TIMES - 1)
        for sock in socks:
            reset(sock)
    mux.wait_log("launch-failed", since=mark, step="unread", count=TIMES)


@ending
def a_server_that_is_away(mux):
    for _ in range(2 * TIMES):
        assert converse(opened(mux, b"absent\r\n")) == REFUSAL
    mux.wait_log("pass-suspended", service="absent")


@ending
def a_client_that_never_stops_sending(mux):
    noise = b"\n" * (LINGER_BYTES + (1 << 20))
    for _ in range(TIMES):
        with opened(mux, b"nobody\r\n") as sock, \
                contextlib.suppress(ConnectionError):
            for _ in range(20):
                sock.sendall(noise)
            pytest.fail("it takes whatever comes")


@ending
def more_refused_than_may_linger(mux):
    socks = []
    for _ in range(LINGER_PER_SOURCE + 9):
        socks.append(opened(mux, b"nobody\r\n"))
        assert socks[-1].recv(100) == REFUSAL
    until(mux, "lingering", LINGER_PER_SOURCE)
    for sock in socks:
        # A reset could overtake the answer.
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0
        sock.close()


@ending
def a_deadline(mux):
    """Of a silent one, of half a line, of who does not read its names, and
    of one who was refused and stays: they all wait at the same time."""
    mark = mux.mark()
    with mux._inside():
        unread = socket.socket()
    unread.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    unread.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 536)
    unread.connect((LOCAL4, mux.port))
    unread.sendall(b"HELP\r\n")
    socks = [unread, opened(mux, b"nobody\r\n"), opened(mux),
             opened(mux, b"ca")]
    mux.wait_log("help", since=mark, reason="timeout")
    mux.wait_log("refuse", since=mark, reason="timeout", count=2)
    until(mux, "lingering", 0)
    for sock in socks:
        sock.close()


# --- and what has to be left of them -----------------------------------------

def assert_zero(mux):
    try:
        eventually(lambda: not any(status(mux)[key] for key in OPEN))
    except AssertionError:
        counted = status(mux)
        pytest.fail(f"left: { {key: counted[key] for key in OPEN} }")


def assert_limits_are_whole(mux):
    """Of each limit, as many as it says, and not one more."""
    mark = mux.mark()
    socks = [opened(mux, b"ca") for _ in range(TIMES)]
    until(mux, "pending")
    opened(mux).close()
    mux.wait_log("shut-out", since=mark, reason="pending-per-source")
    assert not mux.logs("evict", since=mark)
    for sock in socks:
        sock.sendall(b"t\r\n")
        assert sock.recv(3, socket.MSG_WAITALL) == OK
    opened(mux).close()
    mux.wait_log("shut-out", since=mark, reason="per-source")
    assert converse(opened(mux, source=OTHER), b"cat\r\n") == REFUSAL
    mux.wait_log("refuse", since=mark, reason="sessions")
    for sock in socks:
        assert converse(sock, b"bye") == b"bye"


@pytest.mark.parametrize("end", ENDINGS)
def test_an_end_gives_back_all_that_was_counted(mux, end):
    ENDINGS[end](mux)
    assert_zero(mux)
    assert_limits_are_whole(mux)
    assert_zero(mux)


@pytest.mark.parametrize("number", [signal.SIGQUIT, signal.SIGTERM])
def test_the_end_of_the_daemon(mux_factory, number):
    """With one in each state: drained or stopped, nothing is left of it."""
    mux = mux_factory(service("cat", CAT), exempt=())
    [session] = running(mux, count=1)
    refused = opened(mux, b"nobody\r\n", OTHER)
    assert refused.recv(100) == REFUSAL
    half = opened(mux, b"ca", OTHER)
    until(mux, "pending", 1)
    counted = status(mux)
    assert [counted[key] for key in COUNTS] == [1, 2, 1]
    mux.send_signal(number)
    if number == signal.SIGQUIT:
        mux.wait_log("draining")
        half.close()
        refused.close()
        eventually(lambda: status(mux)["sources_busy"] == 1)
        assert converse(session, b"bye") == b"bye"
    refused.close()
    half.close()
    line = mux.wait_log("stopped")
    assert [line[key] for key in COUNTS] == ["0", "0", "0"]
    assert mux.process.wait(10) == 0
    mux._discard()
