"""Sessions that may not last for ever: `lifetime` and `idle`.

All of them begin at the same time, so that the file takes as long as the
longest: a service that ignores SIGTERM.
"""

import contextlib
import errno
import socket
import threading
import types

import pytest

from faults import Failing, run_to_end
from mux import OK, policy, run_tcpmuxd, service

IDLE = 2  # seconds
CAT = "exec /bin/cat"
DEAF = "exec /bin/sh -c 'trap \"\" TERM; cat'"
# Bytes come, or go, and never both.
SINK = "exec /bin/sh -c 'exec cat >/dev/null'"
TALKER = "exec /bin/sh -c 'while echo; do sleep 0.1; done'"
# The client's connection is closed, and the service does not end.
LEAVER = "exec /bin/sh -c 'exec <&- >&- 2>&-; sleep 600'"


def ticking(sock, stop):
    """A client that has something to say, every now and then."""
    with contextlib.suppress(OSError):
        while not stop.wait(0.1):
            sock.sendall(b"x")


def keep_alive(sock):
    """Only its kernel says that it is there, every second."""
    for option, value in (("TCP_KEEPIDLE", 1), ("TCP_KEEPINTVL", 1)):
        sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)


@pytest.fixture(scope="module")
def run(shared_mux_factory):
    mux = shared_mux_factory(
        service("short", CAT, "lifetime 1s"),
        service("deaf", DEAF, "lifetime 1s"),
        service("lasting", CAT, "lifetime 1h"),
        service("either", CAT, "lifetime 1h", f"idle {IDLE}s"),
        service("quiet", CAT, f"idle {IDLE}s"),
        service("alive", CAT, f"idle {IDLE}s"),
        service("active", SINK, f"idle {IDLE}s"),
        service("talker", TALKER, f"idle {IDLE}s"),
        service("leaver", LEAVER, f"idle {IDLE}s"),
        service("lifted", CAT, "lifetime off", "idle off"),
        defaults=("lifetime 30d", "idle 1d"))
    stop = threading.Event()
    socks = {}
    for name in ("short", "deaf", "lasting", "either", "quiet", "alive",
                 "active", "talker", "leaver", "lifted"):
        socks[name] = mux.connect()
        socks[name].sendall(name.encode() + b"\r\n")
        assert socks[name].recv(3, socket.MSG_WAITALL) == OK
    # What they began under holds, whatever is in force now; and they are
    # found again in larger tables.
    mux.reload(policy(service("other", CAT), port=mux.port, admission=(
        "allow any", "sessions 3000")))
    keep_alive(socks["alive"])
    thread = threading.Thread(
        target=ticking, args=(socks["active"], stop), daemon=True)
    thread.start()
    yield types.SimpleNamespace(mux=mux, socks=socks)
    stop.set()
    thread.join(10)
    for sock in socks.values():
        sock.close()


def ended(run, name):
    return run.mux.wait_log("exit", service=name, timeout=20)


def test_lifetime_is_over_for_who_is_short(run):
    line = ended(run, "short")
    assert (line["reason"], line["signal"]) == ("lifetime", "15")
    assert 1 <= float(line["duration_s"])


@pytest.mark.parametrize("name", ["quiet", "alive", "either"])
def test_who_is_idle_is_ended(run, name):
    """Keepalives of the client's kernel are no activity."""
    line = ended(run, name)
    assert (line["reason"], line["signal"]) == ("idle", "15")
    assert IDLE <= float(line["duration_s"])


def test_a_connection_that_is_gone_is_idle(run):
    line = ended(run, "leaver")
    assert (line["reason"], line["signal"]) == ("idle", "15")
    assert IDLE <= float(line["duration_s"])


def test_who_ignores_sigterm_is_killed(run):
    line = ended(run, "deaf")
    assert (line["reason"], line["signal"]) == ("lifetime", "9")
    assert 6 <= float(line["duration_s"])


def test_who_is_active_stays(run):
    """By now more than three times `idle` has passed."""
    ended(run, "deaf")
    for name in "active", "talker", "lasting", "lifted":
        assert not run.mux.logs("exit", service=name), name
    run.socks["lifted"].sendall(b"still here")
    assert run.socks["lifted"].recv(10, socket.MSG_WAITALL) == b"still here"


def test_a_kernel_that_does_not_tell_is_a_mistake():
    """`idle` would never end anybody."""
    netlink = Failing("socket", error=errno.EAFNOSUPPORT,
                      bits=(0, socket.AF_NETLINK))
    text = policy(service("cat", CAT, "idle 5m"))
    status, said = run_to_end(text, preexec=netlink)
    assert status == 78
    line, = [line for line in said if "'idle'" in line[""]]
    assert line[""].endswith(
        "'idle' cannot be kept: the kernel tells nothing of "
        "connections here (Address family not supported by protocol); it "
        "takes netlink sockets and CONFIG_INET_DIAG")
    assert run_tcpmuxd(text, "-t", "-s").returncode == 0


def test_who_ends_by_itself_has_no_reason(run):
    run.socks["lasting"].close()
    assert "reason" not in ended(run, "lasting")
