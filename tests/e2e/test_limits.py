"""Each limit counts what it says, and sheds who exceeds it and nobody else.

One row a limit. As many as it says are let in, the next is not; who is not
meant by it does not notice: another service, another source, or those who are
only asked for names; and afterwards it is as before. What depends on time is
here once for real; all else about it, with a clock of its own, is in
tests/unit (test_rate.c, test_claim.c, test_source.c).
"""

import contextlib
import os
import shutil
import socket
import tempfile

import pytest

from load import status
from mux import OK, REFUSAL, converse, eventually, program, service

A, B = "127.0.0.2", "127.0.0.3"
CAT = "exec /bin/cat"
RATE = "20/min burst 3"  # three seconds to a token: none comes back by itself
# Twice four seconds is over five for three seconds yet.
TWICE = ("penalty-threshold 5s", "penalty-max 1h")
OTHER_SERVICE, OTHER_SOURCE, NAMES = "other service", "other source", "names"


def ask(mux, name, source):
    """Served: True; refused, with a reason: False; closed without text: None."""
    with contextlib.suppress(OSError):  # a reset: it was closed already
        answer = mux.raw(name.encode() + b"\r\nx", source=source)
        assert answer in (OK + b"x", REFUSAL, b"")
        return {REFUSAL: False, b"": None}.get(answer, True)
    return None


# --- what takes one of it ----------------------------------------------------

def connected(mux, source, text):
    sock = mux.connect(source=source)
    sock.sendall(text)
    return sock


def half_a_line(mux, source):
    before = status(mux)["pending"]
    sock = connected(mux, source, b"limi")
    eventually(lambda: status(mux)["pending"] > before)
    return sock


def session(mux, source):
    sock = connected(mux, source, b"limited\r\n")
    assert sock.recv(3, socket.MSG_WAITALL) == OK
    return sock


def request(mux, source):
    assert ask(mux, "limited", source) is True


def offence(text, reason, half_close=True):
    """A request with which something is wrong, as the log has to say."""
    def offend(mux, source):
        mark = mux.mark()
        assert mux.raw(text, source=source, half_close=half_close) == REFUSAL
        mux.wait_log("refuse", since=mark, reason=reason)
    return offend


class Limit:
    """One row. n are let in, by take; what comes then is over, as (event,
    reason) of the log; spares: who does not notice."""

    def __init__(self, n, take, over, spares, lines=(), admission=(),
                 is_evil=False):
        self.n, self.take, self.over, self.spares = n, take, over, spares
        self.lines, self.admission, self.is_evil = lines, admission, is_evil

    def start(self, factory, place):
        admission = ["allow any", *self.admission]
        if not any(line.startswith("rate ") for line in admission):
            admission.append("rate 1000/s burst 1000")
        parser = ["timeout 5s"]
        if self.take is PENALTIES["timeout"]:
            parser = ["timeout 300ms"]
        if self.is_evil:
            parser.append(f"program {place}/mortal")
        return factory(
            service("limited", CAT, *self.lines), service("other", CAT),
            service("near", CAT, allow="192.0.2.1"),
            service("off", CAT, head="disabled"),
            service("trap", "trap", user=False),
            admission=admission, parser=parser, exempt=())


HELD = {
    "sessions": Limit(3, session, ("refuse", "sessions"),
                      {OTHER_SERVICE, NAMES},
                      lines=["sessions 3", "per-source 3"]),
    "per-source": Limit(3, session, ("refuse", "per-source"),
                        {OTHER_SERVICE, OTHER_SOURCE, NAMES},
                        lines=["per-source 3"]),
    "per-source, by default": Limit(
        2, session, ("refuse", "per-source"),
        {OTHER_SERVICE, OTHER_SOURCE, NAMES}, lines=["sessions 16"]),
    "admission: sessions": Limit(
        3, session, ("refuse", "sessions"), {NAMES},
        admission=["sessions 3"]),
    "admission: per-source": Limit(
        3, session, ("shut-out", "per-source"), {OTHER_SOURCE},
        admission=["per-source 3"]),
    "admission: per-source, undecided": Limit(
        3, half_a_line, ("shut-out", "per-source"), {OTHER_SOURCE},
        admission=["per-source 3"]),
    "admission: pending-per-source": Limit(
        3, half_a_line, ("shut-out", "pending-per-source"), {OTHER_SOURCE},
        admission=["pending-per-source 3"]),
}

PENALTIES = {
    "malformed": offence(b"\0\r\n", "malformed"),
    "unknown": offence(b"nobody\r\n", "unknown"),
    "denied": offence(b"near\r\n", "denied"),
    "disabled": offence(b"off\r\n", "disabled"),
    "timeout": offence(b"limi", "timeout", half_close=False),
    "crash": offence(b"!now\r\n", "crash"),
    "trap": offence(b"trap\r\n", "trap"),
}

TIMED = {
    "rate": Limit(3, request, ("refuse", "rate"), {OTHER_SERVICE, NAMES},
                  lines=[f"rate {RATE}"]),
    "source-rate": Limit(3, request, ("refuse", "source-rate"),
                         {OTHER_SERVICE, OTHER_SOURCE, NAMES},
                         lines=[f"source-rate {RATE}"]),
    "admission: rate": Limit(3, request, ("shut-out", "rate"), {OTHER_SOURCE},
                             admission=[f"rate {RATE}"]),
    **{f"penalty: {kind}": Limit(
        2, take, ("shut-out", "penalty"), {OTHER_SOURCE}, is_evil=kind ==
        "crash", admission=[
            f"penalty {'denied' if kind == 'disabled' else kind} 4s", *TWICE])
       for kind, take in PENALTIES.items()},
    "penalty-threshold": Limit(
        3, PENALTIES["trap"], ("shut-out", "penalty"), {OTHER_SOURCE},
        admission=["penalty trap 4s", "penalty-threshold 9s"]),
    "penalty-max": Limit(
        1, PENALTIES["trap"], ("shut-out", "penalty"), {OTHER_SOURCE},
        admission=["penalty trap 1h", "penalty-threshold 2s",
                   "penalty-max 4s"]),
}


# --- the shape ---------------------------------------------------------------

def fill(limit, mux):
    """As many as may; but of offences the last is what was one too many."""
    is_offence = limit.take in PENALTIES.values()
    taken = []
    for i in range(limit.n):
        if is_offence and i == limit.n - 1:
            assert ask(mux, "limited", A) is True
        taken.append(limit.take(mux, A))
    return taken


def assert_shed(limit, mux):
    event, reason = limit.over
    for source in [A] if OTHER_SOURCE in limit.spares else [A, B]:
        mark = mux.mark()
        assert ask(mux, "limited", source) is \
            (None if event == "shut-out" else False)
        mux.wait_log(event, since=mark, reason=reason, addr=source)
    served = (ask(mux, "other", A), ask(mux, "limited", B))
    assert served == (
        True if OTHER_SERVICE in limit.spares else
        None if event == "shut-out" else False,
        OTHER_SOURCE in limit.spares)
    if NAMES in limit.spares:
        assert mux.raw(b"HELP\r\n", source=A) == b"limited\r\nother\r\n"


@pytest.fixture(scope="module")
def place():
    """Where the parser is that can be made to die."""
    with tempfile.TemporaryDirectory(prefix="tcpmuxd-test-") as directory:
        os.chmod(directory, 0o755)
        shutil.copy(program("tests/evil-parser/mortal"), directory)
        with open(f"{directory}/mortal.how", "w") as file:
            file.write("asked-three marked\n")
        yield directory


@pytest.mark.parametrize("name", HELD)
def test_what_is_held(mux_factory, place, name):
    limit = HELD[name]
    mux = limit.start(mux_factory, place)
    for _ in range(2):  # what was given back is all of it
        taken = fill(limit, mux)
        assert_shed(limit, mux)
        for sock in taken:
            sock.close()
        eventually(lambda: status(mux)["sources_busy"] == 0)


@pytest.fixture(scope="module")
def spent(shared_mux_factory, place):
    """Of every limit that time gives back: its mux, or what went wrong. They
    are all spent before the first is waited for."""
    outcomes = {}
    for name, limit in TIMED.items():
        try:
            mux = outcomes[name] = limit.start(shared_mux_factory, place)
            fill(limit, mux)
            assert_shed(limit, mux)
        except Exception as error:
            outcomes[name] = error
    return outcomes


@pytest.mark.parametrize("name", TIMED)
def test_what_time_gives_back(spent, name):
    if isinstance(spent[name], Exception):
        raise spent[name]
    eventually(lambda: ask(spent[name], "limited", A), what="being served")


# --- those that shed somebody else than who comes ----------------------------

def test_pending_sheds_the_eldest_of_the_heaviest(mux_factory):
    """Not the newcomer: that is why others do not notice."""
    mux = mux_factory(service("limited", CAT),
                      admission=("allow any", "pending 3"))
    for _ in range(2):
        mark = mux.mark()
        socks = [half_a_line(mux, A) for _ in range(3)]
        assert not mux.logs("evict", since=mark)
        assert ask(mux, "limited", "127.9.0.1") is True
        assert mux.wait_log("evict", since=mark)["addr"] == A
        assert converse(socks[0], b"", half_close=False) == REFUSAL
        for sock in socks[1:]:
            sock.sendall(b"ted\r\nx")
            assert converse(sock) == OK + b"x"
        assert len(mux.logs("evict", since=mark)) == 1
        eventually(lambda: status(mux)["sources_busy"] == 0)


def test_sources_forget_the_stalest(mux_factory):
    """So many are remembered with what they did; one more, and it is whoever
    was not heard of for the longest time who is forgotten."""
    remembered = 1300
    mux = mux_factory(service("limited", CAT), exempt=(), admission=(
        "allow any", "rate 1/h burst 1", "penalty unknown 0s",
        "sessions 8", "pending 8", f"sources {remembered}"))

    def is_remembered(number):
        """Whether it is known to have come before; now it has, anyway."""
        return ask(mux, "nobody",
                   f"127.2.{number // 250}.{number % 250 + 1}") is None

    for number in range(remembered):
        assert not is_remembered(number)
    assert is_remembered(0)
    assert not is_remembered(remembered)
    assert not is_remembered(1)
    assert is_remembered(0)
    assert is_remembered(remembered - 1)
