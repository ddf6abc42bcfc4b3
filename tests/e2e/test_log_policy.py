"""What the policy keeps out of the log: addresses, floods, sessions that went
well. What it never keeps out is there all the same. And that what is in it is
JSON if that is asked for, whatever happens (mux.parse_line insists).
"""

import contextlib
import errno
import os
import pathlib
import re
import shutil
import signal
import socket
import struct
import tempfile

import pytest

from evil import evil_program
from faults import Failing
from load import status
from mux import IS_ROOT, LOCAL4, LOCAL6, OK, eventually, service

CAT = service("cat", "exec /bin/cat")
CLIENT = "127.9.8.7"
# 10 lines at once for one source, and the next of them in more than a minute.
FEW = "limit 6/min burst 80"


def log_of(*lines):
    return ["log {\n\t" + "\n\t".join(lines) + "\n}"]


@pytest.fixture
def fading():
    """A program; unlink it once it has been loaded, and no launch succeeds."""
    with tempfile.TemporaryDirectory(prefix="tcpmuxd-test-") as directory:
        path = pathlib.Path(directory, "program")
        path.parent.chmod(0o755)
        shutil.copy("/bin/cat", path)
        yield path


def be_shut_out(mux, source):
    """Says something, since who is silent is waited for."""
    with contextlib.suppress(OSError):
        assert mux.raw(b"cat\r\n", half_close=False, source=source) == b""


# --- limit ------------------------------------------------------------------

def refuse_many(mux, count, source):
    for _ in range(count):
        mux.refused("unknown", source=source)


def test_a_flood_is_counted_instead_of_logged(mux_factory):
    """Of one source an eighth; and nothing of what others do is missing."""
    mux = mux_factory(CAT, top=log_of(FEW))
    refuse_many(mux, 30, CLIENT)
    assert mux.request("cat", b"x", source=CLIENT) == (OK, b"x")
    refuse_many(mux, 3, "127.0.0.2")
    mux.wait_log("exit", addr=CLIENT)
    mux.send_signal(signal.SIGUSR1)
    status = mux.wait_log("status")
    assert len(mux.logs("refuse", addr=CLIENT)) == 10
    assert len(mux.logs("refuse", addr="127.0.0.2")) == 3
    assert len(mux.logs("launch", addr=CLIENT)) == 1
    assert (status["refused"], status["log_suppressed"]) == ("33", "20")
    mux.stop()
    told = [int(line["lines"]) for line in mux.logs("suppressed")]
    assert sum(told) == 20
    assert mux.logs("stopped")[0]["log_suppressed"] == "20"


def test_every_kind_of_line_that_a_client_causes_is_held(mux_factory):
    denied = service("denied", "exec /bin/cat", allow=LOCAL6)
    mux = mux_factory(
        CAT, denied, top=log_of(FEW), admission=("deny 127.0.0.3", "allow any"))
    refuse_many(mux, 10, CLIENT)
    mux.refused("denied", source=CLIENT)
    mux.raw(b"HELP\r\n", source=CLIENT)
    mux.raw(b"", source=CLIENT)
    mux.raw(b"\xff", source=CLIENT)
    for _ in range(15):
        be_shut_out(mux, "127.0.0.3")
    mux.send_signal(signal.SIGUSR1)
    status = mux.wait_log("status")
    assert (status["refused"], status["helped"]) == ("12", "1")
    assert (status["probes"], status["shut_out"]) == ("1", "15")
    assert status["log_suppressed"] == "9"
    assert len(mux.logs("shut-out")) == 10
    assert [line["reason"] for line in mux.logs(addr=CLIENT)] == \
        ["unknown"] * 10


def test_a_launch_that_fails_is_never_left_out(mux_factory, fading):
    mux = mux_factory(service("gone", f"exec {fading}"), top=log_of(FEW))
    fading.unlink()
    for _ in range(15):
        mux.refused("gone", source=CLIENT)
    mux.wait_log("refuse", reason="launch", count=15)


# The first line that a client causes is the last.
ONE = "limit 1/h burst 1"


def mux_that_has_said_it(mux_factory, **how):
    mux = mux_factory(CAT, listen=(LOCAL4,), top=log_of(ONE),
                      admission=("deny 127.0.0.3", "allow any"), **how)
    for _ in range(2):
        be_shut_out(mux, "127.0.0.3")
    assert status(mux)["log_suppressed"] == 1
    return mux


def test_that_a_parser_died_of_it_is_never_left_out(mux_factory):
    with tempfile.TemporaryDirectory(prefix="tcpmuxd-test-") as directory:
        os.chmod(directory, 0o755)
        path = evil_program(directory, "mortal", "asked-three")
        mux = mux_that_has_said_it(mux_factory, parser=(f"program {path}",))
        mux.refused("cat")
        mux.wait_log("refuse", reason="crash")


@pytest.mark.skipif(not IS_ROOT, reason="its filter is for root")
def test_that_a_line_is_another_than_was_seen_is_never_left_out(mux_factory):
    mux = mux_that_has_said_it(mux_factory, preexec=Failing(
        "recvfrom", error=errno.EAGAIN,
        equal={2: len(b"cat\r\n"), 3: socket.MSG_DONTWAIT}))
    mux.refused("cat")
    mux.wait_log("refuse", reason="mismatch")


# --- addresses --------------------------------------------------------------

def provoke(mux):
    """A line of each kind that has an address in it, of two clients."""
    for how in {"source": CLIENT}, {"addr": LOCAL6}:
        assert mux.request("cat", b"x", **how) == (OK, b"x")
        for name in "unknown", "denied", "gone":
            mux.refused(name, **how)
        mux.raw(b"HELP\r\n", **how)
        mux.raw(b"", **how)
    be_shut_out(mux, "127.9.7.6")
    mux.wait_log("exit", count=2)
    mux.wait_log("probe", count=2)


@pytest.fixture
def mux_showing(mux_factory, fading):
    """A mux that logs addresses so, after what provoke did."""
    def make(addresses):
        mux = mux_factory(
            CAT, service("denied", "exec /bin/cat", allow="192.0.2.1"),
            service("gone", f"exec {fading}"),
            admission=("deny 127.9.7.6", "allow any"),
            top=log_of(f"addresses {addresses}", "limit off"))
        fading.unlink()
        provoke(mux)
        return mux
    return make


WITH_ADDRESS = {"launch", "exit", "refuse", "help", "probe", "shut-out"}


def lines_about_clients(mux):
    mux.stop()
    for line in mux.log.lines:
        if "event" in line and line["event"] not in ("listen", "policy"):
            yield line


def test_masked_addresses(mux_showing):
    mux = mux_showing("masked")
    seen = {}
    for line in lines_about_clients(mux):
        assert "port" not in line, line
        assert not re.search(r"127\.9\.8\.7|127\.9\.7\.6", line[""]), line
        if "addr" in line:
            seen.setdefault(line["event"], set()).add(line["addr"])
    assert set(seen) == WITH_ADDRESS
    assert seen.pop("shut-out") == {"127.9.7.0"}
    assert all(addrs == {"127.9.8.0", "::"} for addrs in seen.values())
    assert mux.logs("listen", addr=LOCAL4, port=mux.port)


def test_no_addresses(mux_showing):
    mux = mux_showing("none")
    events = set()
    for line in lines_about_clients(mux):
        assert "addr" not in line and "port" not in line, line
        assert "127.9." not in line[""], line
        events.add(line["event"])
    assert events >= WITH_ADDRESS
    assert mux.logs("listen", addr=LOCAL6, port=mux.port)


# --- sessions ---------------------------------------------------------------

def test_which_sessions_are_logged(mux_factory, fading):
    """failures: the end of those that failed; none: not those either. What a
    service complains of, and that it cannot be launched, is always said."""
    kinds = ("all", "failures", "none")
    ends = {"good": "exit 0", "bad": "exit 3", "killed": "kill -9 $$",
            "loud": "echo complaint >&2; exit 0"}
    services = [service(f"{kind}-{end}", f'exec /bin/sh -c "{script}"',
                        f"log {kind}")
                for kind in kinds for end, script in ends.items()]
    services += [service(f"{kind}-gone", f"exec {fading}", f"log {kind}")
                 for kind in kinds]
    mux = mux_factory(*services)
    fading.unlink()
    for kind in kinds:
        for end in ends:
            assert mux.request(f"{kind}-{end}") == (OK, b"")
        mux.refused(f"{kind}-gone")
    eventually(lambda: mux.send_signal(signal.SIGUSR1) or
               mux.logs("status", finished=12))
    mux.stop()

    def said(event):
        return {line["service"] for line in mux.logs(event)}

    assert said("launch") == {f"all-{end}" for end in ends}
    assert said("exit") == {*said("launch"), "failures-bad", "failures-killed"}
    assert mux.logs("exit", service="failures-bad")[0]["addr"] == LOCAL4
    assert said("stderr") == {f"{kind}-loud" for kind in kinds}
    assert said("refuse") == {f"{kind}-gone" for kind in kinds}


# --- JSON -------------------------------------------------------------------

HOSTILE = 'q"\\=,{}'  # a service's name
AT_START = {"listen", "start", "kernel", "capabilities", "descriptors",
            "syncookies", "cgroup", "room", "worker-ready", "launcher-ready",
            "ready"}
BY_CLIENTS = {"refuse", "shut-out", "probe", "gone", "evict", "help",
              "suppressed", "launch", "exit", "stderr"}
BY_US = {"worker-died", "launcher-died", "status", "draining", "stopped"}


def begin_line(mux, source):
    """A socket on which a part of a line was sent and is waited on."""
    mark = mux.mark()
    sock = mux.connect(source=source)
    sock.sendall(b"ca")
    eventually(lambda: mux.send_signal(signal.SIGUSR1) or
               mux.logs("status", since=mark, pending=1))
    return sock


def be_gone(mux):
    with begin_line(mux, CLIENT) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                        struct.pack("ii", 1, 0))


def test_whatever_happens_is_json(mux_factory):
    mux = mux_factory(
        CAT, service(f"'{HOSTILE}'", "exec /bin/sh -c 'echo \"$0\" >&2; false'",
                     allow=LOCAL4),
        admission=("deny 127.0.0.3", "allow any", "pending 1"), args=["-d"],
        top=log_of("format json", "limit 1/h burst 160"))
    assert mux.request(HOSTILE) == (OK, b"")
    mux.refused(HOSTILE, source=CLIENT)
    mux.refused(b'","event":"forged', source=CLIENT)
    be_shut_out(mux, "127.0.0.3")
    mux.raw(b"HELP\r\n", source=CLIENT)
    mux.raw(b"", source=CLIENT)
    be_gone(mux)
    mux.wait_log("gone")
    with begin_line(mux, "127.0.0.4"):
        mux.refused("unknown", source="127.0.0.5")
    mux.wait_log("evict")
    refuse_many(mux, 30, CLIENT)
    os.kill(mux.parsers()[0], signal.SIGKILL)
    os.kill(mux.launchers()[0], signal.SIGKILL)
    mux.wait_log("worker-ready", count=2)
    mux.wait_log("launcher-ready", count=2)
    mux.wait_log("suppressed")
    mux.stop(signal.SIGQUIT)
    # Before the policy has said how, it is warned about.
    lines = [line for line in mux.log.lines if ": warning: " not in line[""]]
    assert all(line[""].startswith("{") for line in lines)
    assert {line["event"] for line in lines} >= AT_START | BY_CLIENTS | BY_US
    assert not mux.logs("forged")
    assert mux.logs("launch", service=HOSTILE)
