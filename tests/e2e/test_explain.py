"""tcpmuxd -T -C: what is explained is what is decided, by the same line."""

import datetime
import os
import re
import subprocess
import tempfile

import pytest

from mux import (IS_ROOT, LOCAL4, LOCAL6, OK, REFUSAL, policy, program,
                 service, write_policy)

CAT = "exec /bin/cat"
ALLOWED, REFUSED, USAGE, OUTPUT, BAD = 0, 1, 64, 74, 78
INNER = 7
ZONE = "TEST-13:45"
OFFSET = datetime.timezone(datetime.timedelta(hours=13, minutes=45))


def explain(path, query, *words, env=None, stdout=subprocess.PIPE):
    """(exit status, lines, standard error) of tcpmuxd -T -C."""
    done = subprocess.run(
        [program("tcpmuxd"), "-T", "-C", query, "-f", path, *words],
        stdin=subprocess.DEVNULL, stdout=stdout, stderr=subprocess.PIPE,
        text=True, env=env, timeout=30)
    return done.returncode, (done.stdout or "").splitlines(), done.stderr


@pytest.fixture
def ask():
    """explain() of a policy's text."""
    with tempfile.TemporaryDirectory(prefix="tcpmuxd-test-") as directory:
        os.chmod(directory, 0o755)

        def asking(text, query, *words, **how):
            path = write_policy(directory, text)
            status, lines, said = explain(path, query, *words, **how)
            return (status, [line.replace(path, "FILE") for line in lines],
                    said.replace(path, "FILE"))
        yield asking


# --- the same as the daemon decides -----------------------------------------

NAMES = ("open", "alias-of-open", "OPEN", "inner", "some", "six", "few",
         "off", "bait", "bait-for-some", "shut", "later", "hidden", "nothing")
SOURCES = (LOCAL4, "127.0.1.5", "127.0.6.1", "127.0.9.9", LOCAL6)


@pytest.fixture(scope="module")
def mux(shared_mux_factory):
    now = datetime.datetime.now(OFFSET)
    soon = now + datetime.timedelta(minutes=10)
    before = now - datetime.timedelta(minutes=10)
    return shared_mux_factory(
        service("open", CAT, "alias alias-of-open"),
        service("inner", CAT, "on inner"),
        service("some", CAT, "deny 127.0.1.0/24", allow="127.0.0.0/8"),
        service("six", CAT, allow="@six"),
        service("few", CAT, allow="192.0.2.1"),
        service("off", CAT, head="disabled"),
        service("bait", "trap", user=False),
        service("bait-for-some", "trap", "deny @low", user=False),
        service("shut", CAT, f"hours mon-sun {soon:%H:%M}-{before:%H:%M}"),
        service("later", CAT, f"hours mon-sun {before:%H:%M}-{soon:%H:%M}"),
        service("hidden", CAT, "unlisted"),
        admission=("deny @shut-out", "allow 127.0.0.0/16 ::1",
                   "pending 1000", "pending-per-source 1000",
                   "per-source 1000"),
        top=(f"listen {LOCAL4} port {INNER} name inner",
             "net six ::1", "net low 127.0.0.0/24",
             "net shut-out 127.0.6.0/24 127.0.9.0/28"),
        env={**os.environ, "TZ": ZONE}) if IS_ROOT else None


REASONS = {
    "allowed by": "served",
    "denied by": "denied",
    "denied: no rule matches": "denied",
    "disabled at": "disabled",
    "not on this listener at": "listener",
    "outside hours at": "hours",
    "trap at": "trap",
    "no such service": "unknown",
}


def claim_of(line):
    """(reason, FILE:LINE or None) of an explained line."""
    words, place, _ = re.fullmatch(
        r"[a-z]+(?: \S+)?: (.*?)(?: (/\S+:\d+)( \(.*\))?)?", line).groups()
    return REASONS[words], place


def explained(mux, source, name, port):
    """What -C says: (whether admitted, claim, whether listed, status)."""
    listener = (f"[{LOCAL6}]:{port}" if ":" in source
                else f"{LOCAL4}:{port}")
    status, lines, _ = explain(
        mux.policy_path, f"service={name},addr={source},listener={listener}",
        env={**os.environ, "TZ": ZONE})
    assert lines[0].startswith("admission: ")
    assert lines[1].lower().startswith("service ")
    assert lines[-1] == ("verdict: allowed" if status == ALLOWED
                         else "verdict: refused")
    return (claim_of(lines[0]), claim_of(lines[1]), lines[-2] == "HELP: listed",
            status)


def decided(mux, source, name, port):
    """What the daemon does: (reason, rule) at the door or of the service."""
    mark = mux.mark()
    addr = LOCAL6 if ":" in source else LOCAL4
    how = {"addr": addr, "source": source, "port": port}
    try:
        answer = mux.request(name, b"x", **how)
    except OSError:  # closed while we were still sending
        answer = (b"", b"")
    if answer == (OK, b"x"):
        line = mux.wait_log("launch", since=mark)
        return "door", ("served", None), line["service"]
    if answer == (REFUSAL, b""):
        line = mux.wait_log("refuse", since=mark)
        return ("door", (line["reason"], line.get("rule")),
                line.get("service"))
    assert answer == (b"", b"")
    line = mux.wait_log("shut-out", since=mark)
    return "closed", (line["reason"], line.get("rule")), None


@pytest.mark.skipif(not IS_ROOT, reason="low ports, namespaces")
@pytest.mark.parametrize("source", SOURCES)
def test_what_is_explained_is_decided(mux, source):
    listed = {}
    for port in (1, INNER) if ":" not in source else (1,):
        for name in NAMES:
            admission, claim, is_listed, status = explained(
                mux, source, name, port)
            door, event, told = decided(mux, source, name, port)
            what = f"{name} for {source} at {port}"
            assert (door == "door") == (admission[0] == "served"), what
            if door == "closed":
                assert event == admission, what
                assert status == REFUSED and not is_listed, what
                continue
            assert claim[0] == event[0], what
            # The rule that allows is not logged, nor where the trap is.
            if event[0] not in ("served", "trap"):
                assert claim[1] == event[1], what
            assert (status == ALLOWED) == (event[0] == "served"), what
            listed.setdefault(port, set())
            if is_listed:
                listed[port].add(told.encode())
        if port in listed:
            addr = LOCAL6 if ":" in source else LOCAL4
            told = mux.raw(b"HELP\r\n", addr=addr, source=source, port=port)
            assert set(told.split()) == listed[port]


# --- what else is told ------------------------------------------------------

TEXT = policy(
    service("git", CAT, "alias 9418", "rate 50/s burst 100", "sessions 16",
            "unlisted"),
    service("inner", CAT, "on side", user="daemon" if IS_ROOT else None),
    listen=(LOCAL4,), exempt=("192.0.2.0/25",), port=10001,
    admission=("count-by /24 /56", "deny 192.0.2.66", "allow any"),
    top=(f"listen {LOCAL6} port 10001 name side",
         f"listen {LOCAL6} port 10002 name side"))


def place_of(text, behind="policy 1"):
    """FILE:LINE of the first line like this behind another."""
    lines = [line.strip() for line in TEXT.splitlines()]
    return f"FILE:{lines.index(text, lines.index(behind)) + 1}"


@pytest.mark.skipif(not IS_ROOT, reason="who runs it is told as `self`")
def test_everything(ask):
    status, lines, said = ask(
        TEXT, "time=2026-11-30T14:30,addr=::ffff:192.0.2.7,service=9418")
    assert (status, said) == (ALLOWED, "")
    assert lines == [
        f"admission: allowed by {place_of('allow any')} (allow any)",
        "service git: allowed by "
        + place_of("allow any", behind="service git {") + " (allow any)",
        "time: mon 14:30",
        "counted as: 192.0.2.0/24",
        "exempt: from rates and penalties by "
        + place_of("exempt 192.0.2.0/25"),
        "program: /bin/cat",
        "runs as: uid 65534 gid 65534",
        "service limits: sessions 16, per-source 2",
        "service rates: rate 50/s burst 100, source-rate none",
        "admission limits: sessions 512, pending 256, pending-per-source 8, "
        "per-source 32",
        "admission rates: rate 60/min burst 30",
        "HELP: not listed",
        "verdict: allowed",
    ]


def test_both_are_told_though_one_suffices(ask):
    status, lines, _ = ask(TEXT, "service=nothing,addr=192.0.2.66")
    assert status == REFUSED
    assert lines[0] == ("admission: denied by "
                        + place_of("deny 192.0.2.66") + " (deny)")
    assert lines[1] == "service nothing: no such service"
    assert re.fullmatch(r"time: (mon|tue|wed|thu|fri|sat|sun) \d\d:\d\d",
                        lines[2])


def test_listeners(ask):
    """By name, by address, or all of them."""
    query = "service=inner,addr=192.0.2.1"
    line = "service inner"
    on = place_of("on side")
    status, lines, _ = ask(TEXT, query)
    assert status == ALLOWED
    assert lines[1] == (f"{line} on {LOCAL4}:10001: not on this listener at "
                        f"{on}")
    assert lines[2].startswith(f"{line} on [{LOCAL6}]:10001: allowed by ")
    assert lines[3].startswith(f"{line} on [{LOCAL6}]:10002: allowed by ")
    for name in "side", f"[{LOCAL6}]:10001":
        status, lines, _ = ask(TEXT, f"{query},listener={name}")
        assert status == ALLOWED and lines[1].startswith(f"{line}: allowed ")
        assert lines[2].startswith("time: ")
    status, lines, _ = ask(TEXT, f"{query},listener={LOCAL4}:10001")
    assert status == REFUSED
    assert lines[1] == f"{line}: not on this listener at {on}"


def test_a_comma_in_a_name(ask):
    text = policy(service("'a,b\\c'", CAT), port=10001)
    status, lines, _ = ask(text, "service=a\\,B\\\\c,addr=192.0.2.1")
    assert status == ALLOWED
    assert lines[1].startswith("service a,b\\c: allowed by ")


@pytest.mark.skipif(not IS_ROOT, reason="self is nobody else")
def test_without_the_system(ask):
    text = policy(service("cat", "exec /nowhere", user="no-such-user"))
    status, lines, said = ask(text, "service=cat,addr=192.0.2.1", "-s")
    assert (status, said) == (ALLOWED, "")
    assert not [line for line in lines if line.startswith("runs as")]


@pytest.mark.parametrize("query, told", [
    ("", "'' is not KEY=VALUE"),
    ("service=git", "-C lacks 'addr'"),
    ("addr=192.0.2.1", "-C lacks 'service'"),
    ("service=git,adr=192.0.2.1", "no key 'adr'; did you mean 'addr'?"),
    ("service=git,port=1", "no key 'port': service, addr, listener and time"),
    ("service=git,addr=192.0.2.1,addr=192.0.2.1", "'addr' is given twice"),
    ("service=git,addr", "'addr' is not KEY=VALUE"),
    ("service=git,addr=192.0.2.1,", "'' is not KEY=VALUE"),
    ("service=a b,addr=192.0.2.1", "'a b' is not a service name"),
    ("service=,addr=192.0.2.1", "'' is not a service name"),
    ("service=git,addr=localhost", "'localhost' is not an address"),
    ("service=git,addr=192.0.2.0/24", "'192.0.2.0/24' is not an address"),
    ("service=git,addr=192.0.2.1%lo", "only a link-local address has a zone"),
    ("service=git,addr=fe80::1", "is an address of every link"),
    ("service=git,addr=fe80::1%nowhere0", "no interface is called 'nowhere0'"),
    ("service=git,addr=192.0.2.1,time=noon", "'noon' is not a time"),
    ("service=git,addr=192.0.2.1,listener=", "'' is no listener"),
    ("service=git,addr=192.0.2.1,listener=nowhere",
     "no listener is called 'nowhere'"),
    ("x" * 5000, "too long"),
])
def test_questions_that_are_none(ask, query, told):
    status, lines, said = ask(TEXT, query)
    assert (status, lines) == (USAGE, [])
    assert told in said.splitlines()[0]


def test_a_zone(ask):
    for zone in "lo", "1":
        status, lines, said = ask(TEXT, f"service=git,addr=fe80::1%{zone}")
        assert (status, said) == (ALLOWED, "")
        assert "counted as: fe80::%1/56" in lines
    text = policy(service("cat", CAT, allow="fe80::%lo/64"), port=10001)
    assert ask(text, "service=cat,addr=fe80::1%lo")[0] == ALLOWED
    status, lines, _ = ask(text, "service=cat,addr=fe80::1%77")
    assert status == REFUSED
    assert lines[1] == "service cat: denied: no rule matches"


def test_a_bad_policy_decides_nothing(ask):
    status, lines, said = ask(TEXT + "umsak 077\n",
                              "service=git,addr=192.0.2.1")
    assert (status, lines) == (BAD, []) and "umsak" in said


def test_output_that_cannot_be_written(ask):
    with open("/dev/full", "w") as full:
        status, _, said = ask(TEXT, "service=git,addr=192.0.2.1", stdout=full)
    assert status == OUTPUT
    assert said == "tcpmuxd: standard output: No space left on device\n"
