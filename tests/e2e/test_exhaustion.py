"""Running out of descriptors, services that set traps, and the end.

Without descriptors the parent neither ends nor spins, and goes on as soon as
there are some; nothing that a service does to its socket holds it up; TERM,
INT, QUIT and USR1 do what they say.
"""

import contextlib
import os
import re
import resource
import signal
import socket
import time

import pytest

import groups
from load import status
from mux import (IS_ROOT, LOCAL4, OK, REFUSAL, converse, eventually, policy,
                 program, service)

CAT = service("cat", "exec /bin/cat")
MANY_CATS = service("cat", "exec /bin/cat", "per-source 64")


def needs_root():
    if not IS_ROOT:
        pytest.skip("only root may see and limit a mux's descriptors")


def free_below(mux, limit):
    used = [int(entry) for entry in os.listdir(f"/proc/{mux.pid}/fd")]
    return limit - sum(each < limit for each in used)


def leave_descriptors(mux, count):
    """As many numbers as it has now, and count more, lower ones first."""
    hard = resource.prlimit(mux.pid, resource.RLIMIT_NOFILE)[1]
    limit = 3
    while free_below(mux, limit + 1) <= count:
        limit += 1
    resource.prlimit(mux.pid, resource.RLIMIT_NOFILE, (limit, hard))


def give_back_descriptors(mux):
    hard = resource.prlimit(mux.pid, resource.RLIMIT_NOFILE)[1]
    resource.prlimit(mux.pid, resource.RLIMIT_NOFILE, (hard, hard))


# --- a crowd at one door ----------------------------------------------------

def test_a_crowd_at_one_door_keeps_nobody_waiting_at_another(mux_factory):
    """64 of it are accepted, and then it is the other's turn."""
    mux = mux_factory(CAT, listen=(LOCAL4, "127.0.0.2"),
                      admission=("deny 127.9.0.0/16", "allow any"))
    os.kill(mux.pid, signal.SIGSTOP)
    for number in range(200):
        mux.connect(source=f"127.9.1.{number + 1}").sendall(b"x")
    mux.connect("127.0.0.2", source="127.9.2.1").sendall(b"x")
    os.kill(mux.pid, signal.SIGCONT)
    mux.wait_log("shut-out", count=201)
    order = [line["addr"] for line in mux.logs("shut-out")]
    # Twice 64, if the first of all had woken it before it was stopped.
    assert order.index("127.9.2.1") in (64, 128)


# --- descriptors ------------------------------------------------------------

@pytest.mark.parametrize("listeners", [1, 12])
def test_without_descriptors_it_waits(mux_factory, listeners):
    """The door cannot be answered: no end, no spinning, and then all of it."""
    needs_root()
    addresses = [f"127.0.0.{i + 1}" for i in range(listeners)]
    mux = mux_factory(MANY_CATS, listen=addresses, parser=("timeout 20s",),
                      admission=("allow any", "pending-per-source 100"))
    leave_descriptors(mux, 5)
    socks = [mux.connect(addr=addresses[i % listeners]) for i in range(24)]
    for sock in socks:
        sock.sendall(b"ca")
    eventually(lambda: mux.logs("accept-failed", error="EMFILE"))
    before, cpu = status(mux), mux.cpu_seconds()
    begun = time.monotonic()
    time.sleep(2)
    after = status(mux)
    seconds = time.monotonic() - begun
    rate = (after["accept_failures"] - before["accept_failures"]) / seconds
    assert 1 < rate < 50, rate
    assert mux.cpu_seconds() - cpu < 0.2 * seconds
    assert after["pending"] == before["pending"] == 5
    give_back_descriptors(mux)
    begun = time.monotonic()
    eventually(lambda: status(mux)["pending"] == len(socks), timeout=5)
    assert time.monotonic() - begun < 1.2
    for sock in socks:
        sock.sendall(b"t\r\nhello")
    for sock in socks:
        assert converse(sock) == OK + b"hello"


def test_without_descriptors_a_launch_is_refused(mux_factory):
    """The client's is the last one: there are none for the launch's pipes,
    or for its cgroup."""
    needs_root()
    mux = mux_factory(CAT)
    assert mux.request("cat", b"x") == (OK, b"x")
    mux.wait_log("exit")
    eventually(lambda: status(mux)["free"] > 0)
    baseline = mux.fd_count()
    outcomes = []
    for count in range(1, 8):
        eventually(lambda: mux.fd_count() <= baseline)
        leave_descriptors(mux, count)
        answer = mux.raw(b"cat\r\nx")
        assert answer in (REFUSAL, OK + b"x")
        outcomes.append(answer == REFUSAL)
        give_back_descriptors(mux)
        assert mux.request("cat", b"x") == (OK, b"x")
    # One for the client, two for each pipe; no step between is half done.
    needed = 5 + (groups.of(mux) is not None)
    assert outcomes == [count < needed for count in range(1, 8)], outcomes
    for line in mux.logs("refuse"):
        assert (line["reason"], line["error"]) == ("launch", "EMFILE")
    eventually(lambda: mux.fd_count() <= baseline)


def counted_workers(mux):
    """Pids of the processes whose descriptors the parent can count."""
    found = set()
    for entry in os.listdir(f"/proc/{mux.pid}/fd"):
        with contextlib.suppress(OSError):
            target = os.readlink(f"/proc/{mux.pid}/fd/{entry}")
            match = re.fullmatch(r"/proc/(\d+)/fd", target)
            if match:
                found.add(int(match[1]))
    return found


def fill_descriptors(mux, limit, free):
    """Half-open clients, until that many of the numbers are free."""
    socks = []
    while free_below(mux, limit) > free:
        before = free_below(mux, limit)
        sock = mux.connect()
        sock.sendall(b"ca")
        socks.append(sock)
        eventually(lambda: free_below(mux, limit) < before)
    return socks


@pytest.mark.parametrize("free", range(6))
def test_without_descriptors_no_worker_is_half_watched(mux_factory, free):
    """A worker whose descriptors cannot be counted is not started at all."""
    needs_root()
    limit = 60
    mux = mux_factory(MANY_CATS, parser=("timeout 20s",), admission=(
        "allow any", "pending-per-source 100", "per-source 100"))
    hard = resource.prlimit(mux.pid, resource.RLIMIT_NOFILE)[1]
    first = eventually(mux.parsers)[0]
    resource.prlimit(mux.pid, resource.RLIMIT_NOFILE, (limit, hard))
    # The two by which the parent knows its worker come back when it dies.
    socks = fill_descriptors(mux, limit, free)
    os.kill(first, signal.SIGKILL)

    def others():
        return [pid for pid in mux.parsers() if pid != first]

    eventually(lambda: mux.logs("worker-failed") or others())
    assert set(others()) <= counted_workers(mux)
    give_back_descriptors(mux)
    assert mux.request("cat", b"x") == (OK, b"x")
    assert set(others()) <= counted_workers(mux)
    for sock in socks:
        sock.sendall(b"t\r\nhello")
        assert converse(sock) == OK + b"hello"


# --- a service that sets a trap ---------------------------------------------

def small_client(mux):
    """One that takes next to nothing and reads none of it."""
    with mux._inside():
        sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    sock.connect((LOCAL4, mux.port))
    return sock


def zombies(mux, name):
    """Its children of that name that have died and were not reaped."""
    found = 0
    with open(f"/proc/{mux.pid}/task/{mux.pid}/children") as file:
        for pid in file.read().split():
            with contextlib.suppress(OSError):
                with open(f"/proc/{pid}/stat") as stat:
                    found += f"({name}) Z" in stat.read()
    return found


def test_a_lingering_service_holds_up_nobody(mux_factory):
    """200 in a row: if the parent's close waited, it would be for 30 s.

    Ten at a time: the launcher is stopped until it has all ten, the parent
    until all ten services have set their trap and died: then the parent has
    the last copy of each socket.
    """
    linger = service("linger", f"exec {program('tests/tools/linger')}",
                     "sessions 500", "per-source 500")
    mux = mux_factory(CAT, linger, admission=(
        "allow any", "per-source 500", "pending-per-source 250"))
    launcher, = mux.launchers()
    for turn in range(20):
        os.kill(launcher, signal.SIGSTOP)
        socks = [small_client(mux) for _ in range(10)]
        for sock in socks:
            sock.sendall(b"linger\r\n")
        eventually(lambda: status(mux)["launching"] == 10)
        os.kill(mux.pid, signal.SIGSTOP)
        os.kill(launcher, signal.SIGCONT)
        eventually(lambda: zombies(mux, "linger") == 10)
        begun = time.monotonic()
        os.kill(mux.pid, signal.SIGCONT)
        assert mux.request("cat", b"x") == (OK, b"x")
        assert time.monotonic() - begun < 2
        mux.wait_log("exit", service="linger", count=10 * (turn + 1))
        for sock in socks:
            sock.close()


# --- signals ----------------------------------------------------------------

SLEEP = 600
TERM_PROOF = ("exec /bin/sh -c \"trap '' TERM; echo; "
              "while :; do sleep 1; done\"")


def asleep(mux, name):
    """A running session and its main process."""
    sock = mux.connect()
    sock.sendall(name.encode() + b"\r\n")
    assert sock.recv(3, socket.MSG_WAITALL) == OK
    return sock, int(mux.wait_log("launch", service=name)["pid"])


def is_alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(") ")[2][0] not in "ZX"
    except OSError:
        return False


def refuses_connections(mux):
    try:
        mux.connect().close()
    except ConnectionRefusedError:
        return True
    return False


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_end_spares_whom_it_may_not_end(mux_factory, number):
    mux = mux_factory(
        service("kept", f"exec /bin/sleep {SLEEP}", "leftovers keep"),
        service("ended", f"exec /bin/sleep {SLEEP}"))
    kept_sock, kept = asleep(mux, "kept")
    ended_sock, ended = asleep(mux, "ended")
    waiting = mux.connect()
    waiting.sendall(b"ha")
    eventually(lambda: status(mux)["pending"] == 1)
    try:
        begun = time.monotonic()
        mux.send_signal(number)
        # Who waits is told, at once; who ran is ended and sees the end.
        assert converse(waiting) == REFUSAL
        assert mux.wait_log("refuse")["reason"] == "stopping"
        assert ended_sock.recv(100) == b""
        ended_sock.close()
        assert mux.process.wait(10) == 0
        assert time.monotonic() - begun < 4
        line = mux.wait_log("exit", service="ended")
        assert line["signal"] == str(int(signal.SIGTERM))
        assert is_alive(kept) and not is_alive(ended)
        # It is still the client's.
        kept_sock.settimeout(0.2)
        with pytest.raises(TimeoutError):
            kept_sock.recv(100)
    finally:
        os.kill(kept, signal.SIGKILL)
    mux.wait_log("stopped")
    mux._discard()


def test_who_does_not_obey_is_killed(mux_factory):
    mux = mux_factory(service("proof", TERM_PROOF))
    sock, pid = asleep(mux, "proof")
    assert sock.recv(1) == b"\n"  # the trap is set
    begun = time.monotonic()
    mux.send_signal(signal.SIGTERM)
    line = mux.wait_log("exit")
    assert line["signal"] == str(int(signal.SIGKILL))
    assert 4.5 < time.monotonic() - begun < 7
    assert mux.process.wait(5) == 0
    eventually(lambda: not is_alive(pid))
    mux._discard()


def test_quit_drains(mux_factory):
    """Nobody new; who runs and who has half a line goes on to its end."""
    mux = mux_factory(CAT)
    running = mux.connect()
    running.sendall(b"cat\r\n")
    assert running.recv(3, socket.MSG_WAITALL) == OK
    half = mux.connect()
    half.sendall(b"ca")
    eventually(lambda: status(mux)["pending"] == 1)
    mux.send_signal(signal.SIGQUIT)
    mux.wait_log("draining")
    eventually(lambda: refuses_connections(mux))
    half.sendall(b"t\r\nhello")
    assert converse(half) == OK + b"hello"
    running.sendall(b"still")
    assert running.recv(5, socket.MSG_WAITALL) == b"still"
    assert mux.process.poll() is None
    assert converse(running, b"bye") == b"bye"
    assert mux.process.wait(5) == 0
    mux.wait_log("stopped")
    mux._discard()


def test_who_knocks_when_the_doors_have_been_closed_is_no_failure(mux_factory):
    """In the same turn; with one of them leaving since a reload."""
    mux = mux_factory(CAT, listen=(LOCAL4, "127.0.0.2"))
    running = mux.connect()
    running.sendall(b"cat\r\n")
    assert running.recv(3, socket.MSG_WAITALL) == OK
    mux.reload(policy(CAT, port=mux.port, listen=(LOCAL4,)))
    os.kill(mux.pid, signal.SIGSTOP)
    mux.send_signal(signal.SIGQUIT)
    mux.connect().sendall(b"cat\r\n")
    os.kill(mux.pid, signal.SIGCONT)
    mux.wait_log("draining")
    assert status(mux)["accept_failures"] == 0
    assert converse(running) == b""
    assert mux.process.wait(5) == 0
    mux._discard()


def test_term_ends_what_quit_would_wait_for(mux_factory):
    mux = mux_factory(service("ended", f"exec /bin/sleep {SLEEP}"))
    sock, pid = asleep(mux, "ended")
    mux.send_signal(signal.SIGQUIT)
    mux.wait_log("draining")
    mux.send_signal(signal.SIGTERM)
    assert mux.process.wait(5) == 0
    assert not is_alive(pid)
    sock.close()
    mux._discard()


def test_an_idle_one_ends_at_once_by_any_signal(mux_factory):
    for number in signal.SIGTERM, signal.SIGINT, signal.SIGQUIT:
        mux = mux_factory(CAT)
        begun = time.monotonic()
        mux.stop(number)
        assert time.monotonic() - begun < 2


def test_usr1_tells_the_status(mux_factory):
    mux = mux_factory(CAT)
    sock = mux.connect()
    sock.sendall(b"cat\r\n")
    assert sock.recv(3, socket.MSG_WAITALL) == OK
    mux.refused("none")
    assert mux.request("HELP")[0] == b"cat\r\n"
    counted = eventually(lambda: (now := status(mux))["lingering"] == 0 and
                         now["launching"] == 0 and now)
    expected = {"accepted": 3, "refused": 1, "helped": 1, "launched": 1,
                "running": 1, "pending": 0, "launching": 0, "finished": 0,
                "shut_out": 0, "evicted": 0, "timed_out": 0, "probes": 0,
                "violations": 0, "workers_started": 1,
                "accept_failures": 0, "log_lost": 0}
    assert {key: counted[key] for key in expected} == expected
    assert converse(sock) == b""
    eventually(lambda: status(mux)["finished"] == 1)
