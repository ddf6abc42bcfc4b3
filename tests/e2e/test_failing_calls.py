"""Calls of the parent's that fail: it does not start, or it goes on without,
or whoever needed the call is told; and nobody else notices.

And what only time brings about, by a clock that is set ahead.
"""

import contextlib
import ctypes
import errno
import os
import resource
import signal
import socket
import stat
import tempfile
import time

import pytest

import groups
from evil import evil_program
from faults import Failing, run_to_end
from later import Later
from load import status
from mux import (IS_ROOT, LOCAL4, LOCAL6, OK, REFUSAL, converse, eventually,
                 policy, program, service, sleeps_ms, wait_acknowledged)
from rooms import unsanitized

pytestmark = pytest.mark.skipif(not IS_ROOT, reason="one namespace each")

CAT = service("cat", "exec /bin/cat")
SO_REUSEPORT, SO_OOBINLINE, SO_RCVLOWAT, SO_PEEK_OFF = 15, 10, 18, 42
TCP_DEFER_ACCEPT = 9
EPOLL_CTL_ADD, EPOLL_CTL_MOD = 1, 3
LISTENER_BYTES = 56  # sizeof(struct listener), src/parent/listen.h
LINGERING_MOST = 1024
LIBC, PIDFD_GETFD = ctypes.CDLL(None, use_errno=True), 438
SEND_FLAGS = socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL | socket.MSG_MORE


def option(level, name, error=errno.EPROTO):
    return Failing("setsockopt", error=error, equal={1: level, 2: name})


# --- it does not start ------------------------------------------------------

UNLISTENED = "an address of the policy cannot be listened on"
# What fails, what is told of it.
ENDS = {
    "urgent bytes": (lambda: option(socket.SOL_SOCKET, SO_OOBINLINE),
                     "listen-failed", {"error": "EPROTO"}),
    "sharing": (lambda: option(socket.SOL_SOCKET, SO_REUSEPORT),
                "listen-failed", {"error": "EPROTO"}),
    "IPv6": (lambda: Failing("socket", error=errno.EAFNOSUPPORT,
                             equal={0: socket.AF_INET6}),
             "listen-failed", {"error": "EAFNOSUPPORT"}),
    "memory": (lambda: Failing("mmap", error=errno.ENOMEM,
                               equal={1: 2 * LISTENER_BYTES}),
               "listen-failed", {"error": "ENOMEM"}),
    "listening": (lambda: Failing("listen"), "failed", {"text": UNLISTENED}),
    "arming": (lambda: Failing("epoll_ctl", equal={1: EPOLL_CTL_MOD}),
               "failed", {"text": UNLISTENED}),
}


@pytest.mark.parametrize("what", ENDS)
def test_what_a_door_needs_is_had_or_it_does_not_start(netns, what):
    failing, event, words = ENDS[what]
    done, lines = run_to_end(policy(CAT, listen=(LOCAL4, LOCAL6)),
                             netns=netns(), preexec=failing())
    assert done != 0
    line, = [line for line in lines if line.get("event") == event]
    assert {"level": "error", **words}.items() <= line.items(), lines
    assert not [line for line in lines if line.get("event") == "ready"]


# --- it goes on without -----------------------------------------------------

def test_a_kernel_without_deferred_accept_accepts(mux_factory):
    mux = mux_factory(CAT, preexec=option(socket.IPPROTO_TCP,
                                          TCP_DEFER_ACCEPT))
    assert mux.request("cat", b"x") == (OK, b"x")


def test_a_kernel_without_peek_offset_is_said_to_be_one(mux_factory):
    mux = mux_factory(CAT, preexec=option(
        socket.SOL_SOCKET, SO_PEEK_OFF, errno.EOPNOTSUPP))
    assert mux.logs("kernel")[0]["peek_on"] == "no"
    assert mux.request("cat", b"x") == (OK, b"x")


def test_a_connection_that_is_gone_already_is_no_want(mux_factory):
    """The next may be fine: the door stays open, and nothing is told."""
    mux = mux_factory(CAT, preexec=Failing("accept4",
                                           error=errno.ECONNABORTED))
    with mux.connect() as sock:
        sock.sendall(b"cat\r\n")
        time.sleep(0.2)
        counted = status(mux)
        assert {counted[key] for key in (
            "accept_failures", "pending", "shut_out", "probes")} == {0}
        assert not mux.logs("accept-failed")


# --- whoever needed it is told ----------------------------------------------

def refused_for_want(mux):
    """Half a line is refused at once, and not at its deadline."""
    with mux.connect() as sock:
        sock.sendall(b"ca")
        assert converse(sock, half_close=False) == REFUSAL
    mux.wait_log("refuse", reason="resources")


def test_who_cannot_be_waited_for_is_refused(mux_factory):
    refused_for_want(mux_factory(CAT, preexec=option(
        socket.SOL_SOCKET, SO_RCVLOWAT)))


def descriptors(mux):
    return {int(number) for number in os.listdir(f"/proc/{mux.pid}/fd")}


def next_descriptor(mux):
    """The number that the next connection has in it, and in one like it."""
    before = descriptors(mux)
    with mux.connect() as sock:
        sock.sendall(b"ca")
        eventually(lambda: descriptors(mux) > before)
        number, = descriptors(mux) - before
    eventually(lambda: descriptors(mux) == before)
    return number


def unwatched(mux_factory, *services, **how):
    """A mux that cannot watch its first client, which it does not know."""
    number = next_descriptor(mux_factory(*services, **how))
    return mux_factory(*services, **how, preexec=Failing(
        "epoll_ctl", error=errno.ENOMEM,
        equal={1: EPOLL_CTL_ADD, 2: number}))


def test_who_cannot_be_watched_is_refused_and_does_not_linger(mux_factory):
    mux = unwatched(mux_factory, CAT)
    with mux.connect() as sock:
        sock.sendall(b"ca")
        assert sock.recv(100) == REFUSAL
        mux.wait_log("refuse", reason="resources")
        eventually(lambda: status(mux)["lingering"] == 0, timeout=2)


NAMES = [f"{number:05}-" + "x" * 100 for number in range(600)]


def ask_slowly(mux, room=16384, urgent=b""):
    """For a list that does not fit between the two of them."""
    mux.netns.sysctl("net.ipv4.tcp_wmem", f"4096 {room} {room}")
    with mux._inside():
        sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 536)
    sock.settimeout(15)
    sock.connect((LOCAL4, mux.port))
    if urgent:
        sock.send(urgent, socket.MSG_OOB)
    sock.sendall(b"HELP\r\n"[len(urgent):])
    return sock


def test_who_cannot_be_watched_gets_no_long_list(mux_factory):
    mux = unwatched(mux_factory, *(service(name, "exec /bin/cat")
                                   for name in NAMES))
    with ask_slowly(mux):
        eventually(lambda: mux.logs("gone") or mux.logs("probe"), timeout=2)
        eventually(lambda: status(mux)["pending"] == 0, timeout=2)


def test_who_cannot_be_sent_to_is_gone(mux_factory):
    mux = mux_factory(CAT, preexec=Failing(
        "sendto", error=errno.ECONNRESET, equal={3: SEND_FLAGS}))
    with mux.connect() as sock:
        sock.sendall(b"HELP\r\n")
        with contextlib.suppress(ConnectionResetError):
            assert sock.recv(100) == b""
        mux.wait_log("gone")
        assert not mux.logs("help")


def test_what_is_not_sent_yet_is_not_over(mux_factory):
    """Nothing of the list is taken: it is neither done nor given up."""
    mux = mux_factory(CAT, parser=("timeout 500ms",), preexec=Failing(
        "sendto", error=errno.EAGAIN, equal={3: SEND_FLAGS}))
    with mux.connect() as sock:
        sock.sendall(b"HELP\r\n")
        with contextlib.suppress(ConnectionResetError):
            assert sock.recv(100) == b""
    mux.wait_log("help", reason="timeout")
    assert not mux.logs("gone") and not mux.logs("probe")


def test_who_is_evicted_from_a_list_finds_no_refusal_in_it(mux_factory):
    """There would be room for it, but less than is waited for."""
    names = NAMES + [f"more-{name}" for name in NAMES]
    mux = mux_factory(*(service(name, "exec /bin/cat") for name in names),
                      admission=("allow any", "pending 1"))
    with ask_slowly(mux, 65536) as slow, \
            mux.connect(source="127.77.0.1") as other:
        got = slow.recv(8000)
        other.sendall(b"x")
        mux.wait_log("evict")
        with contextlib.suppress(ConnectionResetError):
            while True:
                part = slow.recv(65536)
                if not part:
                    break
                got += part
    assert len(got) > 1000 and REFUSAL not in got
    assert b"".join(name.encode() + b"\r\n"
                    for name in sorted(names)).startswith(got)


def test_a_door_that_was_left_alone_is_not_looked_after_for_ever(mux_factory):
    mux = mux_factory(CAT)
    limits = resource.prlimit(mux.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(mux.pid, resource.RLIMIT_NOFILE, (3, limits[1]))
    with mux.connect() as sock:
        sock.sendall(b"cat\r\nx")
        mux.wait_log("accept-failed", error="EMFILE")
        resource.prlimit(mux.pid, resource.RLIMIT_NOFILE, limits)
        assert converse(sock) == OK + b"x"
    assert eventually(lambda: sleeps_ms(mux))


def copy_of_door(mux):
    """Its listening socket, as a child has it until it executes a program."""
    pidfd = os.pidfd_open(mux.pid)
    for number in descriptors(mux):
        copy = LIBC.syscall(PIDFD_GETFD, pidfd, number, 0)
        mode = os.fstat(copy).st_mode
        if stat.S_ISSOCK(mode):
            sock = socket.socket(fileno=copy)
            if sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
                os.close(pidfd)
                return sock
            sock.close()
        else:
            os.close(copy)
    raise AssertionError("no door")


def test_a_closed_door_is_not_looked_at_though_there_is_a_copy(mux_factory):
    mux = mux_factory(CAT, listen=(LOCAL4,))
    with mux.connect() as running, copy_of_door(mux):
        running.sendall(b"cat\r\n")
        assert running.recv(3, socket.MSG_WAITALL) == OK
        mux.send_signal(signal.SIGQUIT)
        mux.wait_log("draining")
        mux.connect().sendall(b"x")
        assert eventually(lambda: sleeps_ms(mux))
        assert converse(running) == b""
    assert mux.process.wait(5) == 0
    mux._discard()


def is_open(mux, door):
    with contextlib.suppress(ConnectionRefusedError):
        mux.connect(door).close()
        return True
    return False


# --- what only time brings about --------------------------------------------

@unsanitized
def test_who_lingers_has_an_end_however_busy(late_mux):
    mux, ahead = late_mux(CAT)
    with mux.connect() as sock:
        sock.sendall(b"none\r\n")
        assert sock.recv(100) == REFUSAL
        eventually(lambda: status(mux)["lingering"] == 1)
        for seconds in 3, 6, 9, 12, 14:
            ahead(seconds)
            sock.sendall(b"x")
            time.sleep(0.05)
            assert status(mux)["lingering"] == 1
        ahead(17)
        with contextlib.suppress(OSError):
            sock.sendall(b"x")
        eventually(lambda: status(mux)["lingering"] == 0, timeout=2)


@unsanitized
def test_listeners_leave_each_at_its_time(late_mux):
    """One is gone, another is not: nobody asks the one, nor forgets the
    other, for which it wakes in time."""
    doors = [LOCAL4, "127.0.0.5", "127.0.0.6"]
    mux, ahead = late_mux(CAT, listen=doors)
    baseline, processes = mux.fd_count(), len(mux.children())

    def are_open():
        return [door for door in doors if is_open(mux, door)]

    mux.reload(policy(CAT, port=mux.port, listen=doors[::2]))
    ahead(1)
    mux.reload(policy(CAT, port=mux.port, listen=doors[:1]))
    eventually(lambda: len(mux.children()) == processes)
    ahead(2)
    eventually(lambda: mux.fd_count() == baseline - 1)
    assert eventually(lambda: sleeps_ms(mux)) < 1000  # no turn is longer
    ahead(4)
    eventually(lambda: mux.fd_count() == baseline - 2)
    assert are_open() == doors[:1]
    assert not mux.logs("accept-failed")


@unsanitized
def test_who_is_in_the_queue_of_one_that_leaves_is_let_in(
        mux_factory, tmp_path):
    """Also whom there was no turn for: 64 of them are accepted in one."""
    later = Later(tmp_path / "later")
    doors, rules = (LOCAL4, "127.0.0.5"), ("allow any", "per-source 100",
                                           "pending-per-source 100")
    mux = mux_factory(CAT, listen=doors, admission=rules, env=later.env)
    socks = [mux.connect(doors[1]) for _ in range(80)]  # and not a byte yet
    mux.reload(policy(CAT, port=mux.port, listen=doors[:1], admission=rules))
    os.kill(mux.pid, signal.SIGSTOP)
    for sock in socks:
        sock.sendall(b"none\r\n")
        assert wait_acknowledged(sock)
    later.be(3)
    os.kill(mux.pid, signal.SIGCONT)
    for sock in socks:
        assert converse(sock) == REFUSAL
    assert not is_open(mux, doors[1])


@unsanitized
def test_who_is_refused_is_not_looked_for_before_it_is_time(late_mux):
    """Its end comes with its answer still on the way, most often."""
    mux, set_clock = late_mux(CAT)
    set_clock("=")
    mux.refused("none")
    set_clock("=0.002")
    assert status(mux)["lingering"] == 1
    set_clock("=0.003")
    assert status(mux)["lingering"] == 0


@unsanitized
def test_who_is_refused_in_one_moment_lingers_within_bounds(late_mux):
    """Before any of them has been looked at again, and when all have."""
    mux, set_clock = late_mux(CAT)
    set_clock("=")
    with contextlib.ExitStack() as socks:
        def be_refused(number):
            sock = socks.enter_context(mux.connect(
                source=f"127.30.{number // 200}.{number % 200 + 1}"))
            sock.sendall(b"none\r\n")
            assert sock.recv(100) == REFUSAL

        for number in range(LINGERING_MOST + 5):
            be_refused(number)
        eventually(lambda: status(mux)["refused"] == LINGERING_MOST + 5)
        assert status(mux)["lingering"] == LINGERING_MOST
        set_clock("=0.01")
        be_refused(LINGERING_MOST + 5)
        assert status(mux)["lingering"] <= LINGERING_MOST


DEATHS = 14  # 10 ms doubled as often is more than a minute


@unsanitized
def test_parsers_that_die_are_replaced_within_a_second(late_mux):
    with tempfile.TemporaryDirectory(prefix="tcpmuxd-test-") as directory:
        os.chmod(directory, 0o755)
        path = evil_program(directory, "mortal", "asked-three")
        mux, ahead = late_mux(CAT, parser=(f"program {path}",))
        for count in range(1, DEATHS + 1):
            mux.refused("cat")
            mux.wait_log("worker-died", count=count)
            ahead(count)


@unsanitized
def test_a_parser_that_does_not_get_ready_is_killed(late_mux):
    with tempfile.TemporaryDirectory(prefix="tcpmuxd-test-") as directory:
        os.chmod(directory, 0o755)
        path = evil_program(directory, "mortal", "start-hang", "later")
        mux, ahead = late_mux(CAT, parser=(f"program {path}",))
        first, = mux.named("mortal")
        os.kill(first, signal.SIGKILL)
        hangs, = eventually(lambda: {*mux.named("mortal")} - {first})
        ahead(9)
        assert not mux.logs("violation")
        ahead(11)
        mux.wait_log("violation", reason="silence", worker=hangs)


@unsanitized
def test_launchers_that_die_are_replaced_within_a_second(late_mux):
    mux, ahead = late_mux(CAT)
    for count in range(1, DEATHS + 1):
        pid, = eventually(mux.launchers)
        os.kill(pid, signal.SIGTERM)
        mux.wait_log("launcher-died", count=count)
        ahead(count)
    assert mux.request("cat", b"x") == (OK, b"x")


@unsanitized
def test_a_parser_that_is_late_loses_its_seat(late_mux):
    """If it answers after all it is believed, and leaves."""
    mux, set_clock = late_mux(CAT, parser=("workers 1",))
    late, = mux.parsers()
    set_clock("=0")
    os.kill(late, signal.SIGSTOP)
    with mux.connect() as sock:
        sock.sendall(b"cat\r\n")
        eventually(lambda: status(mux)["pending"] == 1)
        set_clock("=0.09")
        eventually(lambda: sleeps_ms(mux) == 10)
        assert [*mux.parsers()] == [late]
        set_clock("=0.11")
        assert mux.request("cat", b"x") == (OK, b"x")
        assert len(mux.parsers()) == 2
        eventually(lambda: sleeps_ms(mux) == 890)  # until it is killed
        os.kill(late, signal.SIGCONT)
        assert converse(sock, b"x") == OK + b"x"
    eventually(lambda: late not in mux.children())
    eventually(lambda: sleeps_ms(mux) == 1000)  # nothing is due
    assert not mux.logs("violation")


@unsanitized
def test_a_parser_that_does_not_leave_is_killed(late_mux):
    mux, ahead = late_mux(CAT, parser=("recycle 1000000 1m",))
    pid, = mux.parsers()
    baseline = mux.fd_count()
    os.kill(pid, signal.SIGSTOP)
    ahead(61)
    # Its successor has a channel and is looked at, and it has no channel.
    eventually(lambda: mux.fd_count() == baseline + 1)
    assert pid in mux.parsers()
    ahead(63)
    mux.wait_log("violation", reason="silence", worker=pid)
    eventually(lambda: mux.fd_count() == baseline)
    assert pid not in mux.children()


@contextlib.contextmanager
def asked_in_vain(mux, worker):
    """It answers nothing; all that it ever said is no longer believed."""
    os.kill(worker, signal.SIGSTOP)
    with mux.connect(source="127.0.0.8") as sock:
        sock.sendall(b"cat\r\n")
        eventually(lambda: status(mux)["pending"] == 1)
        yield
        mux.wait_log("violation", reason="silence", worker=worker)
        assert mux.wait_log("absolve", worker=worker)["sources"] == "1"
        assert converse(sock, b"x") == OK + b"x"


CLAIMED = {"exempt": (), "admission": ("allow any", "penalty unknown 20s",
                                       "penalty-threshold 1m")}


@unsanitized
def test_a_worker_s_word_is_known_where_there_is_room_for_more(late_mux):
    """It is asked under one policy, and convicted under the next."""
    mux, ahead = late_mux(CAT, **CLAIMED)
    worker, = mux.parsers()
    mux.refused("none", source="127.0.0.7")
    with asked_in_vain(mux, worker):
        mux.reload(policy(CAT, port=mux.port, parser=("workers 3",),
                          **CLAIMED))
        ahead(2)


@unsanitized
def test_a_worker_s_word_is_not_its_predecessor_s(late_mux):
    """Who died innocent said the same of the same source."""
    mux, ahead = late_mux(CAT, **CLAIMED)
    first, = mux.parsers()
    mux.refused("none", source="127.0.0.7")
    os.kill(first, signal.SIGKILL)
    mux.wait_log("worker-died", worker=first)
    mux.refused("none", source="127.0.0.7")
    second, = mux.parsers()
    with asked_in_vain(mux, second):
        ahead(2)


@unsanitized
def test_a_launcher_that_does_not_leave_is_killed(late_mux):
    mux, ahead = late_mux(CAT)
    pid, = mux.launchers()
    os.kill(pid, signal.SIGSTOP)
    mux.reload(policy(CAT, port=mux.port))
    assert pid in mux.children()
    ahead(2)
    eventually(lambda: pid not in mux.children())


@unsanitized
def test_who_could_not_be_asked_about_is_asked_about_again(late_mux):
    """Whose connection is gone is idle from then on, and not from when there
    was no descriptor to ask by."""
    mux, ahead = late_mux(service("leaver", "exec /bin/sh -c 'exec <&- >&- "
                                  "2>&-; sleep 600'", "idle 5s"))
    with mux.connect() as sock:
        sock.sendall(b"leaver\r\n")
        assert converse(sock, half_close=False) == OK
    limits = resource.prlimit(mux.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(mux.pid, resource.RLIMIT_NOFILE, (3, limits[1]))
    ahead(6)
    resource.prlimit(mux.pid, resource.RLIMIT_NOFILE, limits)
    ahead(8)
    ahead(14)
    assert mux.wait_log("exit")["reason"] == "idle"


@unsanitized
def test_lists_of_the_policy_before_have_an_end_and_others_not(late_mux):
    """The end is a reset, so that none seems to be whole: also where no byte
    of the client's is left unread, since its line had to be taken out."""
    services = [service(name, "exec /bin/cat") for name in NAMES]
    mux, ahead = late_mux(*services, parser=("timeout 1m",))
    wanted = b"".join(name.encode() + b"\r\n" for name in NAMES)
    with ask_slowly(mux, urgent=b"HE") as old, mux.connect() as half:
        half.sendall(NAMES[0][:3].encode())
        assert len(old.recv(1000)) > 0
        mux.reload(policy(*services, port=mux.port, parser=("timeout 1m",)))
        with ask_slowly(mux) as new:
            got = new.recv(1000)
            ahead(6)
            mux.wait_log("help", reason="timeout", port=old.getsockname()[1])
            assert got + converse(new) == wanted
        half.sendall(NAMES[0][3:].encode() + b"\r\nhello")
        assert converse(half) == OK + b"hello"
        with pytest.raises(ConnectionResetError):
            while old.recv(65536):
                pass


@unsanitized
def test_who_cannot_be_reaped_does_not_keep_us(late_mux):
    """Where there are no cgroups its tracer lives on: it is told three times
    that it is over, and then left behind."""
    mux, ahead = late_mux(
        service("intruder", "syscalls any",
                f"exec {program('tests/tools/intruder')} hold"),
        preexec=None if groups.own() is None else groups.read_only)
    with mux.connect() as sock, sock.makefile("rb") as lines:
        sock.sendall(b"intruder\r\n")
        assert [lines.readline(), lines.readline()] == [OK, b"held\n"]
        mux.send_signal(signal.SIGTERM)
        mux.wait_log("stopping")
        for seconds in 6, 12, 18:
            ahead(seconds)
        assert not mux.logs("abandoned")
        ahead(24)
        assert mux.process.wait(15) == 0
    mux.assert_no_crash()
    mux.log.wait("abandoned", running=1)
    mux._discard()
