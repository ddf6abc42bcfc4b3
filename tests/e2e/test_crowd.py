"""A crowd at the door: thousands who wait, and those they must not hurt.

Clients that say nothing more, or a byte a second, are gone at the deadline
and leave nothing behind; a full house turns out the eldest of the heaviest
neighbourhood; one source has no more than its share.
"""

import contextlib
import resource
import socket
import time

import pytest

from load import Load, assert_all_answered, run_load, status
from mux import (IS_ROOT, LOCAL4, LOCAL6, OK, REFUSAL, converse, eventually,
                 policy, service)

CAT = service("cat", "exec /bin/cat")
NAMES = "cat\\r\\n"
ASK_HELP = ("--request", "HELP\\r\\n", "--expect", NAMES)
SLOW, DRIP = 5000, 1000
DEADLINE = 2  # seconds; the policy's, to be quick
LINGERING_MOST, LINGERING_OF_ONE = 1024, 256
SOL_IPV6, IPV6_FREEBIND = 41, 78


@pytest.fixture
def crowd_mux(mux_factory):
    """With room for the whole crowd at once, if it is from many sources."""
    if resource.getrlimit(resource.RLIMIT_NOFILE)[1] < 10000:
        pytest.skip("needs 10,000 descriptors")
    return mux_factory(
        CAT, listen=(LOCAL4,), parser=(f"timeout {DEADLINE}s",),
        admission=("allow any", "pending 7000"))


def hold(mux, sources):
    """The crowd comes and is held; good clients are asked in its midst."""
    with Load(mux, "--slow", SLOW, "--slow-text", "ca", "--drip", DRIP,
              "--held-sources", sources, "--clients", 0,
              "--seconds", DEADLINE + 10) as crowd:
        good = run_load(mux, *ASK_HELP, "--clients", 4, "--seconds", 1)
        served = 0
        while crowd.is_running:
            assert mux.request("cat", b"x", source="127.3.0.1") == \
                (OK, b"x")
            served += 1
        result = crowd.finish()
    assert_all_answered(good)
    assert good["ok"] > 10 and served > 3
    assert result["held_opened"] == SLOW + DRIP
    assert result["held_open"] == 0, result
    # Timed from when the last had come; without a deadline it is 10 s more.
    assert result["held_last_s"] < DEADLINE + 5, result
    return result


def test_a_crowd_from_many_sources(crowd_mux):
    mux, sizes = crowd_mux, []
    baseline = mux.fd_count()
    for wave in range(2):
        result = hold(mux, SLOW + DRIP)
        # They had room, so each was there until the deadline, and was told.
        assert result["held_answered"] == SLOW + DRIP
        assert result["held_reset"] == 0
        counted = status(mux)
        assert counted["timed_out"] == (wave + 1) * (SLOW + DRIP)
        # As many lines as refusals, but for those that were lost, counted.
        assert len(mux.logs("refuse", reason="timeout")) >= \
            counted["timed_out"] - counted["log_lost"]
        eventually(lambda: mux.fd_count() <= baseline,
                   what="the baseline of descriptors")
        sizes.append(mux.rss())
    # The first wave touches the tables; after it nothing may grow.
    assert sizes[1] <= sizes[0] + (256 << 10), sizes


def test_a_crowd_from_one_source(crowd_mux):
    mux = crowd_mux
    baseline, size = mux.fd_count(), mux.rss()
    begun = time.monotonic()
    result = hold(mux, 1)
    assert result["held_closed"] + result["held_reset"] == SLOW + DRIP
    # Only as many as one source may have are let in, at a time: on a busy
    # machine the first have had their deadline before the last come.
    most = 8 * (1 + int((time.monotonic() - begun) / DEADLINE))
    assert result["held_answered"] <= most
    counted = status(mux)
    assert counted["shut_out"] >= SLOW + DRIP - most
    assert counted["evicted"] == 0
    assert mux.logs("shut-out", reason="pending-per-source")
    eventually(lambda: mux.fd_count() <= baseline,
               what="the baseline of descriptors")
    assert mux.rss() <= size + (1 << 20)


def half_open(mux, source, addr=LOCAL4):
    """A client that has sent half a line, and is known to be inside."""
    if addr == LOCAL4:
        sock = mux.connect(source=source)
    else:
        with mux._inside():
            sock = socket.socket(socket.AF_INET6, socket.SOCK_STREAM)
        sock.setsockopt(SOL_IPV6, IPV6_FREEBIND, 1)
        sock.settimeout(15)
        sock.bind((source, 0))
        sock.connect((addr, mux.port))
        mux._sockets.append(sock)
    sock.sendall(b"ca")
    return sock


def evicted(mux, count):
    if count:
        mux.wait_log("evict", count=count)
    return [line["addr"] for line in mux.logs("evict")]


def come_one_by_one(mux, sources, addr=LOCAL4):
    """They are let in in the order in which they come: that is their age."""
    return [half_open(mux, source, addr) for source in sources]


def test_a_full_house_evicts_the_heaviest_neighbourhoods_eldest(mux_factory):
    mux = mux_factory(CAT, admission=("allow any", "pending 16"))
    crowded = [f"127.9.9.{i + 1}" for i in range(12)]
    others = [f"127.10.{i}.1" for i in range(4)]
    # The others' eldest is older than all of the crowd.
    socks = dict(zip(others, come_one_by_one(mux, others)))
    socks.update(zip(crowded, come_one_by_one(mux, crowded)))
    # A good client needs room, and gets it at once.
    assert mux.request("cat", b"x", source="127.77.0.1") == (OK, b"x")
    assert evicted(mux, 1) == crowded[:1]
    newcomers = [f"127.20.{i}.1" for i in range(12)]
    socks.update(zip(newcomers, come_one_by_one(mux, newcomers)))
    # The first found a place free; then the crowd pays until it is but one.
    assert evicted(mux, 12)[1:] == crowded[1:11] + others[:1]
    gone = set(evicted(mux, 12))
    for source, sock in socks.items():
        if source in gone:
            with contextlib.suppress(ConnectionResetError):
                assert converse(sock) == REFUSAL
        else:
            sock.sendall(b"t\r\nhello")
            assert converse(sock) == OK + b"hello", source
    assert len(evicted(mux, 0)) == 12


def test_neighbourhoods_of_ipv6_are_48_bits(mux_factory):
    if not IS_ROOT:
        pytest.skip("addresses of its own need root")
    mux = mux_factory(CAT, admission=("allow any", "pending 6"))
    mux.netns.ip("-6", "route", "add", "local", "fd7f::/16", "dev", "lo")
    crowded = [f"fd7f:0:1:{i}::1" for i in range(3)]
    others = [f"fd7f:0:{i + 2}::1" for i in range(3)]
    socks = come_one_by_one(mux, others + crowded, LOCAL6)
    assert mux.request("cat", b"x") == (OK, b"x")
    assert evicted(mux, 1) == ["fd7f:0:1::1"]
    for sock in socks:
        sock.close()


def test_the_refused_may_linger_but_not_crowd(mux_factory):
    """They have their answer and do not go: bounded in number and time."""
    mux = mux_factory(CAT, admission=("allow any", "pending 3000"))
    baseline = mux.fd_count()
    socks = []
    for i in range(LINGERING_MOST + 200):
        sock = mux.connect(source=f"127.30.{i // 200}.{i % 200 + 1}")
        sock.sendall(b"none\r\n")
        socks.append(sock)
    eventually(lambda: status(mux)["refused"] == len(socks))
    begun = time.monotonic()
    assert mux.fd_count() <= baseline + LINGERING_MOST
    assert mux.request("cat", b"x") == (OK, b"x")
    eventually(lambda: mux.fd_count() <= baseline, timeout=8,
               what="the end of those who linger")
    assert time.monotonic() - begun < 7
    for sock in socks:
        assert sock.recv(100) == REFUSAL
        sock.close()


def test_who_finds_no_place_at_all_is_shut_out(late_mux):
    """Sessions of a policy that let four run still do, and the next one lets
    four wait: then there are more of both than there are places."""
    few, many = ("allow any", "pending 1", "sessions 4"), (
        "allow any", "pending 4", "sessions 1")
    mux, set_clock = late_mux(CAT, listen=(LOCAL4,), admission=few)
    running = [mux.connect(source=f"127.40.0.{i + 1}") for i in range(4)]
    for sock in running:
        sock.sendall(b"cat\r\n")
        assert sock.recv(3) == OK
    mux.reload(policy(CAT, listen=(LOCAL4,), port=mux.port, admission=many))
    assert status(mux)["free"] == LINGERING_MOST + 1
    set_clock("=")  # nobody's lingering is over
    lingering = []
    for i in range(LINGERING_MOST):
        lingering.append(mux.connect(
            source=f"127.30.{i // 200}.{i % 200 + 1}"))
        lingering[-1].sendall(b"none\r\n")
        assert lingering[-1].recv(100) == REFUSAL
    eventually(lambda: status(mux)["free"] == 1)
    waiting = half_open(mux, "127.41.0.1")
    eventually(lambda: status(mux)["free"] == 0)
    with contextlib.suppress(ConnectionResetError):
        assert half_open(mux, "127.41.0.2").recv(100) == b""
    mux.wait_log("shut-out", reason="full", addr="127.41.0.2")
    set_clock(0)
    for sock in running + lingering:
        sock.close()
    eventually(lambda: status(mux)["running"] == 0)
    waiting.sendall(b"t\r\nhello")
    assert converse(waiting) == OK + b"hello"


def test_who_may_not_linger_has_an_end_and_no_reset(late_mux):
    """One source has no more than its share of those who linger; the others
    are closed at once. With a byte unread that would be a reset, and take the
    answer along, where that is lost on its way and to be sent again."""
    mux, set_clock = late_mux(
        CAT, admission=("allow any", "pending-per-source 500"))
    set_clock("=")
    with contextlib.ExitStack() as socks:
        for number in range(LINGERING_OF_ONE + 20):
            sock = socks.enter_context(mux.connect())
            sock.sendall(b"none\r\n" + b"x" * 1000)
            assert sock.recv(100) == REFUSAL
            assert sock.recv(100) == b""
            lingering = status(mux)["lingering"]  # so it has done with us
            assert lingering == min(number + 1, LINGERING_OF_ONE)
            assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0
