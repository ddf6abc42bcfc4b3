"""HELP: what this peer may use, in order, and never at others' expense."""

import contextlib
import itertools
import os
import select
import socket

import pytest

from clients import Ask, Urgent, descriptors, urgent_at, wave
from mux import (IS_ROOT, LOCAL4, LOCAL6, OK, REFUSAL, converse, eventually,
                 service, splits)

CAT = "exec /bin/cat"
HELP = b"help\r\n"
MIB = b"more\r\n" * 174763

both_families = pytest.mark.parametrize("addr", [LOCAL4, LOCAL6])

# name: (its lines, allow, head)
HIDDEN = {
    "disabled": ((), "any", "disabled"),
    "unlisted": (("unlisted",), "any", ""),
    "unlisted-and-disabled": (("unlisted",), "any", "disabled"),
    "nobody": ((), "192.0.2.0/24", ""),
    "denied-first": (("deny 127.0.0.0/8 ::1",), "any", ""),
}
SHOWN = {
    "zeta": ((), "any", ""),
    "UPPER-lower": ((), "any", ""),
    "aliased": (("alias aaa zzz other-name",), "any", ""),
    "a": ((), "any", ""),
    "a-b": ((), "any", ""),
    "a.b": ((), "any", ""),
    "ab": ((), "any", ""),
    "a_b": ((), "any", ""),
    "10": ((), "any", ""),
    "9": ((), "any", ""),
    "'!'": ((), "any", ""),
    "'~'": ((), "any", ""),
    "w" * 127: ((), "any", ""),
    "w" * 126: ((), "any", ""),
    "helper": ((), "any", ""),
    "summed": (('summary "not a word of this"',), "any", ""),
}
BY_SOURCE = {
    "only-two": ((), "127.0.0.2", ""),
    "not-two": (("deny 127.0.0.2",), "any", ""),
    "the-set": ((), "@some", ""),
    "of-four": ((), "127.0.0.0/8", ""),
    "of-six": ((), "::1", ""),
    "hidden-from-two-by-set": (("deny @some",), "any", ""),
}
OPEN_TO = {
    "127.0.0.1": {"not-two", "of-four", "hidden-from-two-by-set"},
    "127.0.0.2": {"only-two", "the-set", "of-four"},
    "127.0.0.3": {"not-two", "the-set", "of-four"},
    LOCAL6: {"not-two", "of-six", "hidden-from-two-by-set"},
}


def listing(names):
    """As the protocol has it: folded, bytewise, each with CRLF."""
    names = sorted(name.strip("'").lower().encode() for name in names)
    return b"".join(name + b"\r\n" for name in names)


def expected(source):
    return listing({*SHOWN, *OPEN_TO[source]})


@pytest.fixture(scope="module")
def mux(shared_mux_factory):
    rows = {**HIDDEN, **SHOWN, **BY_SOURCE}
    services = [service(name, CAT, *lines, allow=allow, head=head)
                for name, (lines, allow, head) in reversed(rows.items())]
    return shared_mux_factory(
        *services, top=["net some 127.0.0.2 127.0.0.3"],
        admission=("allow any", "pending 1000", "pending-per-source 1000",
                   "per-source 1000"),
        defaults=("sessions 100", "per-source 100"))


@pytest.mark.parametrize("source", OPEN_TO)
def test_list_is_what_this_peer_may_use(mux, source):
    how = {"addr": LOCAL6} if source == LOCAL6 else {"source": source}
    assert mux.raw(HELP, **how) == expected(source)


@pytest.mark.parametrize("source", OPEN_TO)
def test_what_is_listed_can_be_had_and_the_rest_cannot(mux, source):
    """The list and the launch decide by the same rules."""
    how = {"addr": LOCAL6} if source == LOCAL6 else {"source": source}
    listed = set(mux.raw(HELP, **how).split())
    for name in [*SHOWN, *BY_SOURCE, "disabled", "nobody", "denied-first"]:
        name = name.strip("'").lower().encode()
        reply, rest = mux.request(name, b"x", **how)
        right = (OK, b"x") if name in listed else (REFUSAL, b"")
        assert (reply, rest) == right, name


@both_families
@pytest.mark.parametrize("tail", [b"", b"x", MIB],
                         ids=["alone", "byte", "mebibyte"])
def test_over_every_split(mux, addr, tail):
    asks = [Ask(pieces, tail, ends=bool(tail)) for pieces in splits(HELP)]
    for ask, answer in wave(mux, asks, addr=addr):
        assert answer == expected(addr), ask


@both_families
def test_in_any_case(mux, addr):
    words = itertools.product(b"hH", b"eE", b"lL", b"pP")
    asks = [Ask([bytes(word) + b"\r\n"], ends=False) for word in words]
    assert len(asks) == 16
    for ask, answer in wave(mux, asks, addr=addr):
        assert answer == expected(addr), ask


@both_families
def test_urgent_byte_at_each_offset(mux, addr):
    asks = [Ask(urgent_at(HELP, offset), tail, bool(tail), at_once)
            for offset in range(len(HELP)) for tail in (b"", MIB)
            for at_once in (False, True)]
    asks += [Ask([HELP, Urgent(b"!")], tail, True, at_once)
             for tail in (b"", MIB) for at_once in (False, True)]
    for ask, answer in wave(mux, asks, addr=addr):
        assert answer == expected(addr), ask


@both_families
def test_is_not_help(mux, addr):
    requests = (b"help", b"hel\r\n", b"helpp\r\n", b"help \r\n", b"help\n",
                b" help\r\n", b"?\r\n", b"help\0\r\n")
    asks = [Ask(pieces) for request in requests for pieces in splits(request)]
    for ask, answer in wave(mux, asks, addr=addr):
        assert answer == REFUSAL, ask


def test_of_nothing_is_nothing(mux_factory):
    mux = mux_factory(service("far", CAT, allow="192.0.2.1"),
                      service("off", CAT, head="disabled"))
    for addr in LOCAL4, LOCAL6:
        assert mux.raw(HELP, addr=addr, half_close=False) == b""


# --- a list that does not fit into a socket ---------------------------------

LONG = [f"{number:0>5}-{'long' * 40}"[:127] for number in range(3000)]
LONG_LIST = listing(LONG)
DEADLINE = 2


@pytest.fixture(scope="module")
def crowded(shared_mux_factory):
    services = [service(name, CAT) for name in reversed(LONG)]
    # So many that are not shown, that one look does not come past them.
    services += [service(f"b{number:0>5}", CAT, "unlisted")
                 for number in range(2500)]
    return shared_mux_factory(
        *services, parser=[f"timeout {DEADLINE}s"],
        admission=("allow any", "pending 200", "pending-per-source 50",
                   "per-source 100"))


def open_slowly(mux, request=HELP, **how):
    """A client with as little room for an answer as there can be. Its small
    segments keep the daemon's kernel, too, from taking the list at once."""
    with mux.netns.entered() if mux.netns else contextlib.nullcontext():
        sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 536)
    sock.settimeout(15)
    sock.bind((how.get("source", LOCAL4), 0))
    sock.connect((LOCAL4, mux.port))
    sock.sendall(request)
    return sock


def readable(sock):
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    assert poll.poll(10000)


def test_long_list_is_whole(crowded):
    for addr in LOCAL4, LOCAL6:
        assert crowded.raw(HELP, addr=addr) == LONG_LIST


def test_slow_reader_gets_it_all_and_nobody_waits_for_it(crowded):
    """One thread: were the daemon to wait for the slow one, it would wait
    for ever, for here the slow one waits for the others' answers."""
    name = LONG[1234].encode() + b"\r\n"
    with open_slowly(crowded) as slow:
        readable(slow)
        port = slow.getsockname()[1]
        got, turns = [], 0
        while True:
            turns += 1
            if turns <= 20:
                assert crowded.raw(name + b"x") == OK + b"x"
                assert not crowded.logs("help", port=port)
                crowded.refused("unknown")
            elif turns == 21:
                assert crowded.raw(HELP) == LONG_LIST
            part = slow.recv(2048)
            if not part:
                break
            got.append(part)
    assert b"".join(got) == LONG_LIST
    assert turns > 100
    crowded.wait_log("help", port=port)


def test_list_through_the_smallest_send_buffer(netns, mux_factory):
    """The kernel then takes a part of what it is given, even in the middle
    of a name, and none for a while; nobody else waits for that."""
    netns = netns({"net.ipv4.tcp_wmem": "4096 4096 4096"})
    netns.acknowledge_at_once()
    names = LONG[:400]
    mux = mux_factory(*[service(name, CAT) for name in names], netns=netns)
    with open_slowly(mux) as slow:
        readable(slow)
        got = []
        while True:
            if len(got) < 20:
                mux.refused("unknown")
                assert not mux.logs("help")
            part = slow.recv(1000)
            if not part:
                break
            got.append(part)
    assert b"".join(got) == listing(names)


def test_slow_reader_that_goes_on_sending(crowded):
    """What it sends is no reason to stop, nor to take the list back."""
    with open_slowly(crowded, HELP + b"more\r\n" * 1000) as slow:
        readable(slow)
        slow.sendall(b"and more\r\n" * 1000)
        assert converse(slow) == LONG_LIST


def drained(mux, base):
    eventually(lambda: descriptors(mux) <= base, what="the descriptors")


def test_who_never_reads_is_dropped_at_the_deadline(crowded):
    """All its share of the door is taken; then it comes back."""
    base = descriptors(crowded)
    mark = crowded.mark()
    with contextlib.ExitStack() as stack:
        socks = [stack.enter_context(open_slowly(crowded, source="127.0.0.5"))
                 for _ in range(50)]
        for sock in socks:
            readable(sock)
        with crowded.connect(source="127.0.0.5") as sock:
            sock.sendall(b"c")
            with contextlib.suppress(ConnectionResetError):
                assert sock.recv(100) == b""
        crowded.wait_log("shut-out", reason="pending-per-source", since=mark)
        assert crowded.raw(HELP, source="127.0.0.6") == LONG_LIST
        crowded.wait_log("help", reason="timeout", since=mark, count=50,
                         timeout=DEADLINE + 5)
        drained(crowded, base)
        crowded.refused("unknown", source="127.0.0.5")
        for sock in socks:
            with pytest.raises(ConnectionResetError):
                while sock.recv(1 << 16):
                    pass
    assert not crowded.logs("help", reason="timeout", since=mark,
                            addr="127.0.0.6")


def test_who_leaves_in_the_middle_costs_nothing(crowded):
    base = descriptors(crowded)
    for reset in False, True:
        for _ in range(20):
            sock = open_slowly(crowded)
            readable(sock)
            if reset:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                b"\1\0\0\0\0\0\0\0")
            sock.close()
    drained(crowded, base)
    assert crowded.raw(HELP) == LONG_LIST


def test_daemon_sleeps_while_a_reader_does(crowded):
    """Waiting for room must not be a loop of its own, whatever else there
    is to be woken by: here unread bytes and the end behind them."""
    def switches():
        with open(f"/proc/{crowded.pid}/status") as status:
            return sum(int(line.split()[1]) for line in status
                       if "ctxt_switches" in line)

    if not IS_ROOT and not os.access(f"/proc/{crowded.pid}/status", os.R_OK):
        pytest.skip("/proc does not show other users' processes")
    with open_slowly(crowded, HELP + b"more\r\n") as slow:
        readable(slow)
        slow.shutdown(socket.SHUT_WR)
        before, cpu = switches(), crowded.cpu_seconds()
        crowded.wait_log("help", reason="timeout", timeout=DEADLINE + 5,
                         port=slow.getsockname()[1])
        assert switches() - before < 200
        assert crowded.cpu_seconds() - cpu < 0.5
