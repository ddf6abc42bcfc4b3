"""RFC 1078 as served: every row of the protocol's table, byte by byte.

Each row is asked over every split of its request, with nothing, one byte and
1 MiB behind it, over IPv4 and IPv6, on one daemon for all the tests here.
"""

import collections
import contextlib
import hashlib
import socket
import time

import pytest

from clients import ARRIVES, Ask, Urgent, descriptors, urgent_at, wave
from load import status
from mux import (LOCAL4, LOCAL6, OK, REFUSAL, converse, eventually,
                 send_pieces, service, splits)

MANY = ("sessions 1000", "pending 1000", "pending-per-source 1000",
        "per-source 1000")
MIB = hashlib.shake_128(b"tail").digest(1 << 20)
TAILS = [b"", b"\n", MIB]
CAT, CAT_NAME = "exec /bin/cat", b"cat\r\n"
LONGEST = "n" * 127
TEXT = b"+ready when you are\r\n"
OWN = b"own words\n"

both_families = pytest.mark.parametrize("addr", [LOCAL4, LOCAL6])
all_tails = pytest.mark.parametrize("tail", TAILS,
                                    ids=["alone", "byte", "mebibyte"])

SERVICES = [
    service("cat", CAT, "alias KITTY-cat 9418 '~!@#$%^&*()_+{}|:<>?'"),
    service("Mixed-Case", CAT),
    service(LONGEST, CAT),
    service("x", CAT),
    service("text", CAT, 'reply mux "ready when you are"'),
    service("own", "exec /bin/sh -c 'echo own words; exec cat'",
            "reply service"),
    service("hidden", CAT, "unlisted"),
    service("gone", CAT, head="disabled"),
    service("far", CAT, allow="192.0.2.0/24"),
    service("near", CAT, "deny 127.0.0.9", "deny fd00::/8"),
    service("one", CAT, "sessions 1"),
    service("each", CAT, "sessions 10", "per-source 1"),
]

Known = collections.namedtuple("Known", "request before")
KNOWN = {
    "cat": Known(CAT_NAME, OK),
    "upper-case": Known(b"CAT\r\n", OK),
    "folded": Known(b"mIXED-cASE\r\n", OK),
    "alias": Known(b"kitty-CAT\r\n", OK),
    "alias-of-digits": Known(b"9418\r\n", OK),
    "alias-of-signs": Known(b"~!@#$%^&*()_+{}|:<>?\r\n", OK),
    "one-byte": Known(b"X\r\n", OK),
    "longest": Known(LONGEST.encode() + b"\r\n", OK),
    "reply-mux-text": Known(b"text\r\n", TEXT),
    "reply-service": Known(b"own\r\n", OWN),
    "unlisted": Known(b"hidden\r\n", OK),
}

# Refused however they are split. None of them waits for what might follow,
# so our side stays open: were an end awaited, no answer would come.
REFUSED = {
    "unknown": b"cats\r\n",
    "prefix-of-a-name": b"ca\r\n",
    "unknown-of-127": b"u" * 127 + b"\r\n",
    "prefix-of-the-longest": LONGEST[:-1].encode() + b"\r\n",
    "disabled": b"gone\r\n",
    "denied": b"far\r\n",
    "help-and-more": b"help2\r\n",
    "128-bytes": b"n" * 128,
    "128-bytes-crlf": b"n" * 128 + b"\r\n",
    "lf-only": b"cat\n",
    "lf-cr": b"cat\n\r",
    "cr-x": b"cat\rx",
    "cr-cr-lf": b"cat\r\r\n",
    "cr-nul": b"cat\r\0",
    "nul": b"cat\0\r\n",
    "nul-first": b"\0cat\r\n",
    "control": b"ca\x01t\r\n",
    "delete": b"ca\x7ft\r\n",
    "tab": b"cat\tx\r\n",
    "space-behind": b"cat \r\n",
    "space-before": b" cat\r\n",
    "8-bit": b"caf\xe9\r\n",
    "8-bit-space": b"cat\xa0\r\n",
    "utf-8": "k\u00e4tzchen\r\n".encode(),
    "dotless-i": "l\u0131st\r\n".encode(),
    "telnet": b"\xff\xfd\x01cat\r\n",
    "tls": b"\x16\x03\x01\x02\x00\x01\x00\x01",
    "empty-line": b"\r\n",
    "empty-line-lf": b"\n",
}


# Why, in the log; no client is told.
REASONS = {"unknown": "unknown", "prefix-of-a-name": "unknown",
           "unknown-of-127": "unknown", "prefix-of-the-longest": "unknown",
           "help-and-more": "unknown", "disabled": "disabled",
           "denied": "denied"}


@pytest.fixture(scope="module")
def mux(shared_mux_factory):
    return shared_mux_factory(
        *SERVICES, admission=("allow any", *MANY),
        defaults=("sessions 500", "per-source 500", "stderr null"))


def some_splits(request):
    """All of a short line; of a long one every seventh cut and the ends."""
    ways = list(splits(request))
    if len(ways) < 40:
        return ways
    return ways[:2] + ways[2:-4:7] + ways[-4:]


# --- a known name -----------------------------------------------------------

@both_families
@all_tails
@pytest.mark.parametrize("row", KNOWN)
def test_known_name_over_every_split(mux, row, tail, addr):
    known = KNOWN[row]
    asks = [Ask(pieces, tail, label=row)
            for pieces in some_splits(known.request)]
    for ask, answer in wave(mux, asks, addr=addr):
        assert answer == known.before + tail, ask


@both_families
def test_data_split_with_the_line(mux, addr):
    """A cut anywhere in line and data; data that looks like lines."""
    stream = b"cat\r\n\r\nhelp\r\ncat\r\n\0\xff"
    for ask, answer in wave(mux, map(Ask, splits(stream)), addr=addr):
        assert answer == OK + stream[len(CAT_NAME):], ask


@both_families
def test_whole_request_in_one_write(mux, addr):
    for request, before in KNOWN.values():
        for tail in TAILS:
            answer = mux.raw(request + tail, addr=addr)
            assert answer == before + tail


@both_families
def test_half_close_right_behind_the_name(mux, addr):
    for request, before in KNOWN.values():
        assert mux.raw(request, addr=addr) == before


def test_without_half_close_the_service_goes_on(mux):
    """The reply comes before any data, and the service answers each."""
    with mux.connect() as sock:
        sock.sendall(CAT_NAME)
        assert sock.recv(100) == OK
        for word in b"one", b"two", b"three":
            sock.sendall(word)
            assert sock.recv(100) == word
        assert converse(sock) == b""


@both_families
def test_service_of_a_split_line_gets_each_byte_at_once(mux, addr):
    """What the socket was set to while the line was awaited (not to wake
    for less than one byte more than was seen) is no business of a service."""
    for pieces in splits(CAT_NAME):
        with mux.connect(addr=addr) as sock:
            send_pieces(sock, pieces, gap=ARRIVES)
            assert sock.recv(100) == OK
            for byte in b"1", b"2":
                sock.send(byte)
                assert sock.recv(100) == byte


# --- refusals ---------------------------------------------------------------

@both_families
@all_tails
@pytest.mark.parametrize("row", REFUSED)
def test_refusal_over_every_split(mux, row, tail, addr):
    asks = [Ask(pieces, tail, ends=bool(tail), label=row)
            for pieces in some_splits(REFUSED[row])]
    mark = mux.mark()
    for ask, answer in wave(mux, asks, addr=addr):
        assert answer == REFUSAL, ask
    mux.wait_log("refuse", since=mark, count=len(asks),
                 reason=REASONS.get(row, "malformed"))


@both_families
def test_first_bad_byte_decides(mux, addr):
    """Any byte that is of no line, at any place, and nothing behind it."""
    good = set(range(0x21, 0x7f))
    lines = [bytes([byte]) for byte in range(256) if byte not in good]
    lines += [b"ca" + line for line in lines if line != b"\r"]
    lines += [b"cat\r" + bytes([byte]) for byte in range(256)
              if byte != 0x0a]
    lines = [line for line in lines if line != b"\r"]
    asks = [Ask([line], ends=False) for line in lines]
    mark = mux.mark()
    for ask, answer in wave(mux, asks, addr=addr):
        assert answer == REFUSAL, ask
    mux.wait_log("refuse", since=mark, count=len(asks), reason="malformed")


@both_families
@pytest.mark.parametrize("line", [CAT_NAME, b"help\r\n", b"cats\r\n",
                                  b"n" * 127 + b"\r\n"],
                         ids=["cat", "help", "unknown", "longest"])
def test_fin_behind_a_partial_line(mux, line, addr):
    asks = [Ask(pieces) for end in range(1, len(line))
            for pieces in ([line[:end]], [line[:end - 1], line[end - 1:end]])
            if all(pieces)]
    mark = mux.mark()
    for ask, answer in wave(mux, asks, addr=addr):
        assert answer == REFUSAL, ask
    mux.wait_log("refuse", since=mark, count=len(asks), reason="malformed")


def test_refusal_is_one_segment_with_the_end(mux):
    """Whoever reads once has the whole line; the end needs no FIN of ours."""
    with mux.connect() as sock:
        sock.sendall(b"unknown\r\n")
        assert sock.recv(100) == REFUSAL
        assert sock.recv(100) == b""


def test_client_may_send_a_mebibyte_before_it_reads(mux):
    """Not reading meanwhile, so that only the lingering saves the line."""
    for request in b"unknown\r\n", b"\0", b"gone\r\n":
        with mux.connect() as sock:
            sock.sendall(request)
            for first in range(0, len(MIB), 4096):
                sock.sendall(MIB[first:first + 4096])
            sock.shutdown(socket.SHUT_WR)
            assert converse(sock, half_close=False) == REFUSAL


def test_who_never_stops_sending_is_cut_off(mux):
    before = descriptors(mux)
    with mux.connect() as sock:
        sock.sendall(b"unknown\r\n")
        with pytest.raises((ConnectionResetError, BrokenPipeError)):
            for _ in range(64):
                sock.sendall(MIB)
    eventually(lambda: descriptors(mux) <= before, what="its descriptor")


def test_denied_by_service_and_by_source(mux):
    mux.refused("near", source="127.0.0.9")
    assert mux.request("near", b"x", source="127.0.0.8") == (OK, b"x")


@contextlib.contextmanager
def holding(mux, name, **how):
    """A session of this service that goes on as long as the block."""
    with mux.connect(**how) as sock:
        sock.sendall(name + b"\r\n")
        assert sock.recv(100) == OK
        yield
        assert converse(sock) == b""


def test_over_the_sessions_of_a_service(mux):
    with holding(mux, b"one"):
        for pieces in splits(b"one\r\n"):
            assert mux.raw(MIB, pieces) == REFUSAL
        mux.wait_log("refuse", reason="sessions", service="one")
    eventually(lambda: mux.request("one", b"again") == (OK, b"again"))


def test_over_the_share_of_a_source(mux):
    with holding(mux, b"each", source="127.0.0.2"):
        for pieces in splits(b"each\r\n"):
            assert mux.raw(b"x", pieces, source="127.0.0.2") == REFUSAL
        with holding(mux, b"each", source="127.0.0.3"):
            mux.refused("each", source="127.0.0.3")
        with holding(mux, b"each", addr=LOCAL6):
            mux.refused("each", addr=LOCAL6)
    mux.wait_log("refuse", reason="per-source", service="each", count=3)


# --- urgent bytes -----------------------------------------------------------

URGENT_LINES = {
    "known": (CAT_NAME, OK),
    "reply-service": (b"own\r\n", OWN),
    "unknown": (b"cats\r\n", REFUSAL),
    "lf-only": (b"cat\n", REFUSAL),
    "nul": (b"cat\0", REFUSAL),
}


def urgent_asks(line, tail, ends, label):
    for offset in range(len(line)):
        for at_once in False, True:
            yield Ask(urgent_at(line, offset), tail, ends, at_once, label)


@both_families
@all_tails
@pytest.mark.parametrize("row", URGENT_LINES)
def test_urgent_byte_at_each_offset(mux, row, tail, addr):
    line, before = URGENT_LINES[row]
    runs = before != REFUSAL
    asks = urgent_asks(line, tail, runs or bool(tail), row)
    for ask, answer in wave(mux, asks, addr=addr):
        assert answer == before + (tail if runs else b""), ask


@both_families
def test_urgent_bytes_all_along_the_line(mux, addr):
    for line, answer in ((CAT_NAME, OK), (b"cats\r\n", REFUSAL)):
        pieces = [Urgent(line[i:i + 1]) for i in range(len(line))]
        asks = [Ask(pieces, b"", True, at_once) for at_once in (False, True)]
        for ask, got in wave(mux, asks, addr=addr):
            assert got == answer, ask


@both_families
@all_tails
def test_urgent_byte_right_behind_the_line(mux, tail, addr):
    """It is the service's, out of band as under any inetd: cat, which asks
    for none, does not see it; all in front of it and behind it is whole."""
    asks = [Ask([*pieces, Urgent(b"!")], tail, True, at_once)
            for pieces in splits(CAT_NAME) for at_once in (False, True)]
    asks += [Ask([CAT_NAME + b"!", Urgent(b"x")], tail, True, at_once)
             for at_once in (False, True)]
    for ask, answer in wave(mux, asks, addr=addr):
        inband = b"!" if ask.pieces[-1] == b"x" else b""
        assert answer == OK + inband + tail, ask


@both_families
def test_urgent_byte_and_fin_behind_a_partial_line(mux, addr):
    asks = [ask for end in range(1, len(CAT_NAME))
            for ask in urgent_asks(CAT_NAME[:end], b"", True, "cut")]
    for ask, answer in wave(mux, asks, addr=addr):
        assert answer == REFUSAL, ask


# --- time -------------------------------------------------------------------

DEADLINE = 1.0


@pytest.fixture(scope="module")
def hasty(shared_mux_factory):
    return shared_mux_factory(
        service("cat", CAT), parser=[f"timeout {DEADLINE:.0f}s"],
        admission=("deny 127.0.0.66", "allow any", "pending-per-source 3",
                   "per-source 5"))


def test_deadline_for_nothing_for_half_a_line_and_for_a_drip(hasty):
    """It counts from accept, not from the last byte; a deferred accept may
    come a second and a half late, and no more."""
    begin = time.monotonic()
    socks = {"nothing": hasty.connect(source="127.0.0.2"),
             "half": hasty.connect(source="127.0.0.3"),
             "drip": hasty.connect(source="127.0.0.4")}
    socks["half"].sendall(b"ca")
    drip, ended = iter(b"x" * 100), {}
    while len(ended) < len(socks) and time.monotonic() < begin + 8:
        if "drip" not in ended:
            socks["drip"].send(bytes([next(drip)]))
        for name, sock in socks.items():
            sock.settimeout(0.03)
            with contextlib.suppress(TimeoutError):
                if name not in ended and sock.recv(100) == REFUSAL:
                    ended[name] = time.monotonic() - begin
                    assert sock.recv(1) == b""
    for sock in socks.values():
        sock.close()
    assert sorted(ended) == sorted(socks)
    assert DEADLINE * 0.9 <= ended["half"] < DEADLINE + 1
    assert DEADLINE * 0.9 <= ended["drip"] < DEADLINE + 1
    assert DEADLINE * 0.9 <= ended["nothing"] < DEADLINE + 3
    hasty.wait_log("refuse", reason="timeout", count=3)


def test_probe_is_closed_without_text(hasty):
    mark = hasty.mark()
    for addr in LOCAL4, LOCAL6:
        assert hasty.raw(b"", addr=addr) == b""
        hasty.connect(addr=addr).close()
    hasty.wait_log("probe", since=mark, count=4)
    assert not hasty.logs("refuse", since=mark)


def silence(sock):
    """Nothing came before the end, be that an EOF or a reset."""
    try:
        return sock.recv(100) == b""
    except ConnectionResetError:
        return True


def test_shut_out_is_closed_without_text(hasty):
    """And that is all: nobody is asked about it."""
    mark = hasty.mark()
    for request in CAT_NAME, b"help\r\n", b"cats\r\n", b"\n", b"":
        with hasty.connect(source="127.0.0.66") as sock:
            with contextlib.suppress(OSError):  # it may be closed by then
                sock.sendall(request)
                sock.shutdown(socket.SHUT_WR)
            assert silence(sock), request
    hasty.wait_log("shut-out", since=mark, reason="denied", count=5)
    assert status(hasty)["pending"] == 0
    assert {line["event"] for line in hasty.log.find(since=mark)} == {
        "shut-out", "status"}


def test_too_many_undecided_of_one_source_are_closed_without_text(hasty):
    """And another source is served all the same."""
    socks = [hasty.connect(source="127.0.0.5") for _ in range(4)]
    for sock in socks:
        sock.sendall(b"c")
    hasty.wait_log("shut-out", reason="pending-per-source")
    assert hasty.request("cat", b"x", source="127.0.0.6") == (OK, b"x")
    answers = []
    for sock in socks:
        with contextlib.suppress(ConnectionResetError):
            answers.append(converse(sock, b"at\r\n"))
            continue
        answers.append(b"")
    assert sorted(answers) == [b"", OK, OK, OK]


def test_too_many_sessions_of_one_source_are_closed_without_text(hasty):
    with contextlib.ExitStack() as stack:
        for _ in range(5):
            stack.enter_context(holding(hasty, b"cat", source="127.0.0.7"))
        with hasty.connect(source="127.0.0.7") as sock:
            sock.sendall(b"c")
            assert silence(sock)
        assert hasty.request("cat", b"x", source="127.0.0.8") == (OK, b"x")
    hasty.wait_log("shut-out", reason="per-source")
