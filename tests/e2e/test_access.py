"""When, and from where: hours of the week, and what a listener says of it."""

import contextlib
import datetime
import os

import pytest

from mux import IS_ROOT, OK, service

CAT = "exec /bin/cat"
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
# Not UTC's hour, nor its day for half of it; the sign is POSIX's.
ZONE = "TEST-13:45"
OFFSET = datetime.timezone(datetime.timedelta(hours=13, minutes=45))


def hours(days, begin, end):
    return f"hours {days} {begin:%H:%M}-{end:%H:%M}"


@pytest.fixture(scope="module")
def mux(shared_mux_factory):
    """One service that is open now, and others that are not.

    Whoever is open is so from five minutes ago to five minutes from now, so
    that no minute that turns meanwhile can matter.
    """
    now = datetime.datetime.now(OFFSET)
    soon = now + datetime.timedelta(minutes=5)
    before = now - datetime.timedelta(minutes=5)
    today = DAYS[before.weekday()]
    tomorrow = DAYS[(before.weekday() + 1) % 7]
    utc = now.astimezone(datetime.timezone.utc)
    return shared_mux_factory(
        service("always", CAT),
        service("open", CAT, hours(today, before, soon)),
        service("tomorrow", CAT, hours(tomorrow, before, soon)),
        service("not-now", CAT, hours("mon-sun", soon, before)),
        service("never-mind", CAT, hours("mon-sun", soon, before),
                hours(today, before, soon)),
        service("by-utc", CAT, hours("mon-sun", utc - (now - before),
                                     utc + (soon - now))),
        env={**os.environ, "TZ": ZONE})


@pytest.mark.parametrize("name", ["always", "open", "never-mind"])
def test_open(mux, name):
    assert mux.request(name, b"x") == (OK, b"x")


@pytest.mark.parametrize("name", ["tomorrow", "not-now", "by-utc"])
def test_closed(mux, name):
    """And the log says by which line of the policy."""
    mark = mux.mark()
    mux.refused(name)
    line = mux.wait_log("refuse", since=mark, reason="hours", service=name)
    path, _, number = line["rule"].rpartition(":")
    with open(path) as file:
        lines = file.read().splitlines()
    assert lines[int(number) - 1].split()[0] == "hours"
    assert f"service {name} {{" in lines[int(number) - 3:int(number)]


def test_help_names_who_is_open(mux):
    """The same question, so the same answer."""
    assert mux.raw(b"help\r\n") == b"always\r\nnever-mind\r\nopen\r\n"


@pytest.mark.skipif(not IS_ROOT, reason="without root, one port for all")
def test_outside_its_hours_costs_what_an_unknown_name_does(mux_factory):
    """And what one that is not on this listener does: nothing is learned."""
    now = datetime.datetime.now(OFFSET)
    far = datetime.timedelta(minutes=30)
    mux = mux_factory(
        service("closed", CAT, hours("mon-sun", now + far, now - far)),
        service("elsewhere", CAT, "on other"), service("cat", CAT),
        top=("listen 127.0.0.1 port 10001 name other",), exempt=(),
        admission=("allow any", "penalty unknown 20s", "penalty denied 20s",
                   "penalty-threshold 30s", "penalty-max 1m"),
        env={**os.environ, "TZ": ZONE})
    for last, name in enumerate(("unknown", "closed", "elsewhere"), 2):
        source = f"127.0.0.{last}"
        mux.refused(name, source=source)
        assert mux.request("cat", b"x", source=source) == (OK, b"x")
        mux.refused(name, source=source)
        mark = mux.mark()
        with contextlib.suppress(OSError):
            assert mux.raw(b"x", half_close=False, source=source) == b""
        mux.wait_log("shut-out", since=mark, reason="penalty", addr=source)
