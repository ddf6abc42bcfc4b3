"""Rates, penalties and traps: who sheds whom, and for how long.

That each of them counts what it says is in test_limits.py; here is what they
have to do with each other, and with who is exempt.
"""

import contextlib
import socket
import time

import pytest

from mux import LOCAL4, LOCAL6, OK, REFUSAL, eventually, service

CAT = "exec /bin/cat"
LONG = "20/min burst 3"  # three seconds to a token: none comes back by itself
SHUT_AT_ONCE = ("penalty-threshold 1s", "penalty-max 10m")


@pytest.fixture
def mux_of(mux_factory):
    """A mux whose sources are not exempt, with these lines in admission."""
    def make(*admission, services=(service("cat", CAT),), **keywords):
        keywords.setdefault("exempt", ())
        return mux_factory(*services, admission=("allow any", *admission),
                           **keywords)
    return make


def is_shut_out(mux, **how):
    """Whether it was closed without a byte of text."""
    try:
        answer = mux.raw(b"cat\r\n", half_close=False, **how)
    except ConnectionError:  # reset, since it was sent to a closed door
        return True
    return answer == b""


def is_served(mux, name="cat", **how):
    with contextlib.suppress(OSError):
        return mux.request(name, b"x", **how) == (OK, b"x")
    return False


def assert_shut_out(mux, reason, **how):
    mark = mux.mark()
    assert is_shut_out(mux, **how)
    mux.wait_log("shut-out", since=mark, reason=reason)


# --- rates ------------------------------------------------------------------

def test_who_is_refused_by_one_rate_spends_nothing_of_the_other(mux_of):
    mux = mux_of("rate 1000/s burst 1000", services=(service(
        "few", CAT, "source-rate 1/h burst 1", "rate 1/h burst 2"),))
    assert is_served(mux, "few", source="127.0.0.2")
    for _ in range(5):
        mux.refused("few", source="127.0.0.2")
    assert is_served(mux, "few", source="127.0.0.3")
    mux.refused("few", source="127.0.0.4")
    mux.wait_log("refuse", reason="rate", service="few")


def test_default_rate_and_burst(mux_of):
    """Sixty a minute, thirty at once: some come back while we ask."""
    mux = mux_of()
    begin = time.monotonic()
    for _ in range(30):
        assert is_served(mux)
    asked = 0
    while is_served(mux):
        asked += 1
    assert asked <= time.monotonic() - begin + 1
    mux.wait_log("shut-out", reason="rate")


def test_count_by(mux_of):
    mux = mux_of(f"rate {LONG}", "count-by /24 /64")
    for last in 2, 30, 200:
        assert is_served(mux, source=f"127.0.0.{last}")
    assert_shut_out(mux, "rate", source="127.0.0.7")
    assert is_served(mux, source="127.0.1.7")


# --- penalties --------------------------------------------------------------

def offend_unknown(mux, **how):
    mux.refused("cats", **how)


def offend_malformed(mux, **how):
    assert mux.raw(b"\0\r\n", **how) == REFUSAL


def offend_denied(mux, **how):
    mux.refused("near", **how)


def offend_disabled(mux, **how):
    mux.refused("off", **how)


def offend_timeout(mux, **how):
    assert mux.raw(b"ca", half_close=False, **how) == REFUSAL


def offend_trap(mux, **how):
    mux.refused("admin", **how)


OFFENCES = {"unknown": offend_unknown, "malformed": offend_malformed,
            "denied": offend_denied, "disabled": offend_disabled,
            "timeout": offend_timeout, "trap": offend_trap}
SERVICES = (service("cat", CAT), service("near", CAT, allow="192.0.2.1"),
            service("off", CAT, head="disabled"),
            service("admin", "trap", user=False))


def kind_of(offence):
    return "denied" if offence == "disabled" else offence


@pytest.mark.parametrize("offence", OFFENCES)
def test_0s_switches_a_penalty_off(mux_of, offence):
    mux = mux_of(f"penalty {kind_of(offence)} 0s", *SHUT_AT_ONCE,
                 services=SERVICES, parser=("timeout 500ms",))
    for _ in range(3):
        OFFENCES[offence](mux)
    assert is_served(mux)


def test_penalties_sum_up_to_the_threshold(mux_of):
    mux = mux_of("penalty unknown 20s", "penalty denied 30s",
                 "penalty-threshold 45s", services=SERVICES)
    offend_unknown(mux, source="127.0.0.2")
    offend_unknown(mux, source="127.0.0.2")
    assert is_served(mux, source="127.0.0.2")
    offend_denied(mux, source="127.0.0.2")
    assert_shut_out(mux, "penalty", source="127.0.0.2")


def test_probes_are_never_penalised(mux_of):
    mux = mux_of("rate 1000/s burst 1000", *SHUT_AT_ONCE, *(
        f"penalty {kind} 1m" for kind in
        ("unknown", "malformed", "denied", "timeout", "crash", "trap")))
    for _ in range(20):
        assert mux.raw(b"") == b""
        mux.connect().close()
    mux.wait_log("probe", count=40)
    assert is_served(mux)


def test_limits_of_a_service_are_no_offence(mux_of):
    """Who meets a limit has done nothing wrong."""
    mux = mux_of("rate 1000/s burst 1000", *SHUT_AT_ONCE, services=(
        service("cat", CAT), service("few", CAT, "rate 1/h burst 1"),
        service("one", CAT, "sessions 1")))
    assert is_served(mux, "few")
    with mux.connect(source="127.0.0.9") as sock:
        sock.sendall(b"one\r\n")
        assert sock.recv(100) == OK
        for _ in range(10):
            mux.refused("few")
            mux.refused("one")
    assert is_served(mux)


@pytest.mark.parametrize("exempt", ["127.0.0.0/29 ::1", "@monitor"])
def test_exempt_from_rates_and_penalties(mux_of, exempt):
    mux = mux_of("rate 1/h burst 2", *SHUT_AT_ONCE, "penalty trap 1h",
                 services=(*SERVICES[:3],
                           service("admin", "trap", user=False),
                           service("few", CAT, "rate 1/h burst 1",
                                   "source-rate 1/h burst 1")),
                 top=("net monitor 127.0.0.2 ::1",), exempt=(exempt,))
    for how in {"source": "127.0.0.2"}, {"addr": LOCAL6}:
        for _ in range(3):
            offend_trap(mux, **how)
            offend_unknown(mux, **how)
            assert is_served(mux, **how)
            assert is_served(mux, "few", **how)
    # The service's rate is as it was for who is not exempt.
    assert is_served(mux, "few", source="127.0.0.9")
    mux.refused("few", source="127.0.0.10")
    offend_trap(mux, source="127.0.0.11")
    assert_shut_out(mux, "penalty", source="127.0.0.11")


def test_what_the_exempt_do_is_held_against_nobody(mux_of):
    """Not against the rest of their source either, which is not exempt."""
    mux = mux_of("count-by /24 /64", "rate 1/h burst 1", *SHUT_AT_ONCE,
                 "penalty unknown 1m", services=SERVICES,
                 exempt=("127.0.0.2",))
    for _ in range(5):
        offend_trap(mux, source="127.0.0.2")
        offend_unknown(mux, source="127.0.0.2")  # on a parser's word
    assert is_served(mux, source="127.0.0.3")
    assert_shut_out(mux, "rate", source="127.0.0.4")
    assert is_served(mux, source="127.0.0.2")


def test_what_others_of_its_source_do_is_not_held_against_the_exempt(mux_of):
    mux = mux_of("count-by /24 /64", *SHUT_AT_ONCE, services=SERVICES,
                 exempt=("127.0.0.2",))
    offend_trap(mux, source="127.0.0.3")
    assert_shut_out(mux, "penalty", source="127.0.0.4")
    assert is_served(mux, source="127.0.0.2")


def test_fewer_sources_than_can_be_connected_are_raised(mux_of):
    """As the manual says: with room for one, one would forget the other."""
    mux = mux_of(*SHUT_AT_ONCE, "sources 1", "sessions 4", "pending 4",
                 services=SERVICES)
    sources = [f"127.0.0.{i}" for i in range(2, 6)]
    for source in sources:
        offend_trap(mux, source=source)
    for source in sources:
        assert_shut_out(mux, "penalty", source=source)


def test_sessions_go_on_when_their_source_is_shut_out(mux_of):
    mux = mux_of(*SHUT_AT_ONCE, services=SERVICES)
    with mux.connect() as sock:
        sock.sendall(b"cat\r\n")
        assert sock.recv(100) == OK
        offend_trap(mux)
        assert_shut_out(mux, "penalty")
        sock.sendall(b"still here")
        assert sock.recv(100) == b"still here"
        sock.shutdown(socket.SHUT_WR)
        assert sock.recv(100) == b""


# --- traps ------------------------------------------------------------------

def test_a_trap_looks_like_nothing(mux_of):
    """Neither listed nor told from a name that does not exist."""
    mux = mux_of(services=SERVICES, exempt=("127.0.0.1",))
    assert mux.raw(b"HELP\r\n", addr=LOCAL4) == b"cat\r\n"
    for pieces in ([b"admin\r\n"], [b"ADM", b"in\r", b"\n"]):
        assert mux.raw(b"tail", pieces, addr=LOCAL4) == REFUSAL
    mux.wait_log("refuse", reason="trap", service="admin", count=2)
    assert not mux.logs("launch")


def test_a_trap_has_the_limits_of_a_service(mux_of):
    mux = mux_of(services=(service("cat", CAT), service(
        "admin", "trap", "rate 1/h burst 1", user=False)))
    offend_trap(mux, source="127.0.0.2")
    mux.wait_log("refuse", reason="trap")
    offend_trap(mux, source="127.0.0.3")
    mux.wait_log("refuse", reason="rate", service="admin")
    assert is_served(mux, source="127.0.0.3")


# --- exit codes -------------------------------------------------------------

def ends_with(name, code, *lines):
    return service(name, f"exec /bin/sh -c 'exit {code}'", *lines)


def run_to_its_end(mux, name, source):
    """Its exit line: what it cost has been counted by then."""
    mark = mux.mark()
    assert mux.request(name, source=source) == (OK, b"")
    return mux.wait_log("exit", since=mark, service=name)


def test_exit_codes_that_tell_of_abuse(mux_of):
    """These of this service, for whoever it was, after it ended."""
    mux = mux_of(*SHUT_AT_ONCE, "exempt 127.0.0.9", services=(
        ends_with("three", 3, "penalty exit 5 3 1m", "penalty exit 7 2s"),
        ends_with("four", 4, "penalty exit 5 3 1m"),
        ends_with("other", 3), ends_with("fine", 0),
        service("killed", "exec /bin/sh -c 'kill -9 $$'",
                "penalty exit 9 137 1m")))
    for name in "four", "other", "fine", "killed":
        assert "penalty_s" not in run_to_its_end(mux, name, "127.0.0.2")
    assert run_to_its_end(mux, "three", "127.0.0.9").get("penalty_s") is None
    assert run_to_its_end(mux, "three", "127.0.0.2")["penalty_s"] == "60.000"
    assert_shut_out(mux, "penalty", source="127.0.0.2")
    for source in "127.0.0.3", "127.0.0.9":
        run_to_its_end(mux, "fine", source)


def test_exit_codes_count_up_to_the_maximum(mux_of):
    """And what is inherited costs as much; it wears off like any other."""
    mux = mux_of("penalty-threshold 1s", "penalty-max 2s",
                 defaults=("penalty exit 3 1d",),
                 services=(ends_with("three", 3), ends_with("fine", 0)))
    run_to_its_end(mux, "three", "127.0.0.2")
    assert_shut_out(mux, "penalty", source="127.0.0.2")
    eventually(lambda: not is_shut_out(mux, source="127.0.0.2"), 5)
