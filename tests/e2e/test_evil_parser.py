"""What a parser in an attacker's hands can do, and what it cannot.

The parsers of tests/evil-parser run in the place of the real one and do one
deed of evil.DEEDS each: always; only in the first batch of the first of them;
or only in batches with a client's mark in it, while others come and go. The
clients of a test are in one batch. Each gets what the table says, and after
each deed the one checker looks at all the rest: Evil.assert_clean.
"""

import contextlib
import ctypes
import os
import signal
import socket
import struct
import time

import pytest

import mux as muxes
from evil import (ALMOST, BARE, BARE_HELP, DEEDS, EXPECTED, GOOD, HALF, MARK,
                  MARKED_S, OTHER_HALF, UNKNOWN, URGENT, WAITS, Deed, Evil,
                  all_at_once, bystanders, cases_of, death, run_deed, violation)
from mux import IS_ROOT, LOCAL4, OK, eventually

SO_ATTACH_FILTER = 26
ONE_PARSER = ("timeout 5s", "workers 1")

# --- evil that a client brings about ----------------------------------------

def hanging(evil):
    """A parser that hangs costs a second each time; nobody pays for all.

    Others take turns with those who have to be asked about alone, and who
    was alone already comes after everybody else.
    """
    def takes(most):
        begun = time.monotonic()
        assert evil.mux.request("good", b"x") == (OK, b"x")
        assert time.monotonic() - begun < most

    evil.ask(MARK, MARK, MARK, MARK)
    evil.mux.wait_log("violation")
    takes(2.5)  # the first of the four, alone; then it is our turn
    # Until all have been alone.
    evil.mux.wait_log("violation", count=5)
    _, good = evil.ask(MARK, GOOD)  # in one batch: so both are suspects now
    assert muxes.converse(good.sock) == OK + b"hello"
    assert time.monotonic() - good.asked < 4.5
    takes(2.5)


def costly(evil):
    """Two parsers were killed for what they did alone with it: no third is."""
    marked = evil.come(MARK)
    evil.expect({MARK: WAITS})  # long before its deadline
    assert evil.reason(marked) == "crash"
    assert len(evil.mux.logs("violation")) == 2
    evil.come(GOOD)
    evil.expect(EXPECTED)
    assert is_shut_out(evil.mux, source=marked.addr)
    evil.mux.wait_log("shut-out", reason="penalty", addr=marked.addr)


def outlived(evil):
    """What a parser dies of may have been with it before: who is alone with it
    then is asked about once more, and no worse off."""
    evil.come(MARK)
    evil.expect(EXPECTED)
    evil.come(GOOD)
    evil.expect(EXPECTED)
    evil.assert_clean(Deed(death(signal=signal.SIGSEGV.value, batch=1)))


def is_stopped(pid):
    with open(f"/proc/{pid}/stat") as file:
        return file.read().rpartition(") ")[2][0] == "T"


def awaited(evil):
    """Who was told to say more is in no batch any more: were it asked about
    again for what the same answer says of another, it would seem stalled."""
    half = evil.come(HALF)
    assert evil.mux.request("good", b"x") == (OK, b"x")  # so that was seen
    os.kill(evil.mux.pid, signal.SIGSTOP)
    eventually(lambda: is_stopped(evil.mux.pid))
    half.sock.sendall(OTHER_HALF[:1])
    evil.clients = []
    marked = evil.come(MARK)
    assert all(map(muxes.wait_acknowledged, (half.sock, marked.sock)))
    os.kill(evil.mux.pid, signal.SIGCONT)
    evil.expect({MARK: WAITS})
    assert evil.mux.logs("violation")[0]["batch"] == "2"
    half.sock.sendall(OTHER_HALF[1:])
    assert muxes.converse(half.sock) == OK + b"hello"


def replayed(evil):
    """What was an answer to somebody, said again of who comes after."""
    evil.come(GOOD)
    evil.expect(EXPECTED)
    evil.ask(MARK, GOOD)
    evil.expect(EXPECTED)
    bystanders(evil)
    evil.assert_clean(DEEDS["talker", "replay"])


def told(kind, reason):
    """Of this one client, once; it gets what an honest parser gives."""
    def ask(evil):
        evil.ask(kind)
        evil.expect(EXPECTED)
        evil.assert_clean(Deed(violation(reason)))
        assert not evil.mux.logs("absolve")  # nobody was penalised
    return ask


def go_deaf(sock):
    """From here on its kernel throws away all that comes, unacknowledged."""
    drop_all = ctypes.create_string_buffer(struct.pack("HBBI", 0x06, 0, 0, 0))
    sock.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, struct.pack(
        "HxxxxxxP", 1, ctypes.addressof(drop_all)))


def gone(evil):
    """Closing its socket would wait for a client that acknowledges nothing."""
    os.kill(evil.mux.pid, signal.SIGSTOP)
    client = evil.come(UNKNOWN)
    client.sock.shutdown(socket.SHUT_WR)
    go_deaf(client.sock)
    os.kill(evil.mux.pid, signal.SIGCONT)
    evil.clients = []
    bystanders(evil)
    assert evil.reason(client) == "unknown"
    evil.ended[client.addr, client.port] += 1
    evil.assert_clean(Deed(None))
    client.sock.close()


LENIENT = {"listen": (f"{LOCAL4} lenient-lf",)}
SPECIAL = {
    ("gone", "keeper", "set-linger"): (gone, {}),
    ("marked", "talker", "nothing"): (hanging, {"parser": ("timeout 20s",)}),
    ("marked", "liar", "slot"): (costly, {"parser": ("timeout 30s",)}),
    ("marked", "mortal", "next-fault"): (outlived, {}),
    ("marked awaited", "liar", "name-for-unknown"):
        (awaited, {"parser": ("timeout 30s",)}),
    ("marked", "talker", "replay"): (replayed, {"parser": (
        f"timeout {MARKED_S}s", "workers 1")}),
    # The client did send what the parser says; its listener takes no LF.
    ("once", "liar", "name-for-bare-lf"): (told(BARE, "line"), {}),
    ("once", "liar", "help-for-bare-lf"): (told(BARE_HELP, "line"), {}),
    # Nor does one that takes it take any length.
    ("once lenient", "liar", "long-line"): (told(GOOD, "line"), LENIENT),
    # As long as the parser says, and what a peek sees of it is not that line.
    ("once urgent", "liar", "name-for-half"): (told(URGENT, "mismatch"), {}),
    # As far as a peek sees it is the line, and behind that it is another.
    ("once almost", "liar", "name-for-half"): (told(ALMOST, "mismatch"), {})}
CASES = [*SPECIAL, *(case for case in cases_of(DEEDS)
                     if case not in SPECIAL)]


def run(case, **place):
    if case not in SPECIAL:
        run_deed(case, DEEDS, **place)
        return
    mode, *key = case
    act, how = SPECIAL[case]
    with Evil(*key, mode.split()[0], **how, **place) as evil:
        act(evil)


@pytest.fixture(scope="module")
def futures(request):
    with all_at_once(request, CASES, run) as started:
        yield started


@pytest.mark.parametrize("case", CASES, ids="-".join)
def test_evil(futures, case):
    futures[case].result()


# --- the end ------------------------------------------------------------------

@pytest.mark.skipif(not IS_ROOT, reason="without root it keeps its uid")
def test_who_was_told_to_leave_does_not_outlive_tcpmuxd(netns):
    """It changed its uid: the kernel ends it with its parent no more."""
    with Evil("talker", "deaf", netns=netns(), parser=ONE_PARSER) as evil:
        pid, = evil.mux.named("talker")
        evil.mux.reload()
        evil.mux.stop()
        eventually(lambda: not os.path.exists(f"/proc/{pid}"))


# --- penalties on a parser's word -------------------------------------------

HARSH = {"admission": (
    "allow any", "penalty unknown 1m", "penalty crash 1m",
    "penalty-threshold 1s")}


@pytest.fixture
def harsh(netns):
    """A mux that shuts out for one wrong name, with an evil parser."""
    with contextlib.ExitStack() as stack:
        def make(program, how, when=""):
            space = netns() if IS_ROOT else None
            port = 1 if IS_ROOT else muxes.free_port()
            return stack.enter_context(Evil(
                program, how, when, netns=space, port=port, **HARSH))
        yield make


def is_shut_out(mux, **how):
    try:
        return mux.raw(b"good\r\n", half_close=False, **how) == b""
    except ConnectionError:
        return True


def test_a_liar_s_penalties_are_taken_back(harsh):
    """It claims a wrong name, rightly even, and then is found to lie."""
    evil = harsh("liar", "other-name", "once")
    evil.ask(UNKNOWN, GOOD)
    evil.expect(EXPECTED)
    assert evil.mux.wait_log("absolve")["sources"] == "1"
    assert evil.mux.request("good", b"x") == (OK, b"x")
    # The next one is believed, until it lies.
    evil.mux.refused("none")
    assert is_shut_out(evil.mux)
    evil.mux.wait_log("shut-out", reason="penalty")


def test_who_kills_a_parser_is_shut_out_and_nobody_else(harsh):
    evil = harsh("mortal", "asked-fault")
    evil.mux.refused("good", source="127.0.0.2")
    evil.mux.wait_log("refuse", reason="crash")
    assert is_shut_out(evil.mux, source="127.0.0.2")
    evil.mux.wait_log("shut-out", reason="penalty")
    mark = evil.mux.mark()
    evil.mux.refused("good", source="127.0.0.3")
    evil.mux.wait_log("refuse", since=mark, reason="crash")
