"""What a real parser in its room says of real connections, without taking a
byte from them."""

import itertools
import os
import random
import socket
import struct

import pytest

import rooms
from rooms import (BATCH_MAX, CLOSED, FINAL, HELP, LENIENT_LF, MALFORMED, MORE,
                   NAME, NO_NAME, RECVMSG, UNKNOWN, Door, Handover, Parser,
                   encode, rewind, unsanitized, wait_bytes, wait_end)

LONGEST = b"x" * 127
NAMES = sorted([b"9418", b"a", b"git", b"git-upload", b"rsync", b"zz", LONGEST])


def name(of, line):
    return NAME, NAMES.index(of), len(line), b""


def unknown(line, end=2):
    return UNKNOWN, NO_NAME, len(line), line[:-end]


def more(count):
    return MORE, NO_NAME, count, b""


BAD = (MALFORMED, NO_NAME, 0, b"")
GONE = (CLOSED, NO_NAME, 0, b"")

# A request, and how many of its first bytes decide it: fewer are half a line.
REQUESTS = [
    (b"git\r\n", 5, name(b"git", b"git\r\n")),
    (b"GiT\r\n", 5, name(b"git", b"git\r\n")),
    (b"a\r\n", 3, name(b"a", b"a\r\n")),
    (b"9418\r\nrest", 6, name(b"9418", b"9418\r\n")),
    (b"rsync\r\n@RSYNCD: 31.0\n", 7, name(b"rsync", b"rsync\r\n")),
    (b"rsync\r\n\r\nrsync\r\n", 7, name(b"rsync", b"rsync\r\n")),
    (LONGEST + b"\r\n", 129, name(LONGEST, LONGEST + b"\r\n")),
    (LONGEST.upper() + b"\r\nX", 129, name(LONGEST, LONGEST + b"\r\n")),
    (b"help\r\n", 6, (HELP, NO_NAME, 6, b"")),
    (b"hELp\r\nhelp\r\n", 6, (HELP, NO_NAME, 6, b"")),
    (b"gi\r\n", 4, unknown(b"gi\r\n")),
    (b"gitt\r\n", 6, unknown(b"gitt\r\n")),
    (b"No~Such!\r\n", 10, unknown(b"No~Such!\r\n")),
    (b"y" * 127 + b"\r\n", 129, unknown(b"y" * 127 + b"\r\n")),
    (b"helper\r\n", 8, unknown(b"helper\r\n")),
    (b"git\n", 4, BAD),
    (b"git\rx", 5, BAD),
    (b"git\r\r\n", 5, BAD),
    (b"git \r\n", 4, BAD),
    (b"git\0\r\n", 4, BAD),
    (b"g\xefit\r\n", 2, BAD),
    (b"git\x7f\r\n", 4, BAD),
    (b"\r\n", 1, BAD),
    (b"\n", 1, BAD),
    (b" git\r\n", 1, BAD),
    (b"z" * 128 + b"\r\n", 128, BAD),
    (b"\x16\x03\x01\x02\0", 1, BAD),
    (b"GET / HTTP/1.0\r\n\r\n", 4, BAD),
]

IDS = [request[:12].decode("latin-1").encode("unicode_escape").decode()
       for request, _, _ in REQUESTS]


@pytest.fixture(scope="module")
def parser():
    with Parser(names=NAMES) as worker:
        assert worker.failed is None and worker.greeting == b"\0"
        yield worker
        # It holds nothing: not a socket, not an end it was not given.
        assert list(worker.fds()) in ([3], [2, 3])


@pytest.fixture(scope="module", params=["ipv4", "ipv6"])
def door(request):
    family = socket.AF_INET if request.param == "ipv4" else socket.AF_INET6
    opened = Door(family)
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def can_peek_on(door):
    if not door.can_peek_on:
        pytest.skip("TCP without SO_PEEK_OFF: before Linux 6.9")


@pytest.fixture()
def connections(door):
    """Makes (client, ours) pairs, and closes them."""
    made = []

    def connect():
        made.append(door.connect())
        return made[-1]

    yield connect
    for sock in itertools.chain(*made):
        sock.close()


def untouched(sock, sent):
    """Every byte is still there, for whoever reads."""
    got = b""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, 1)
    sock.settimeout(10)
    while len(got) < len(sent):
        part = sock.recv(len(sent) - len(got))
        assert part, f"{len(got)} bytes left of {len(sent)}"
        got += part
    assert got == sent


@pytest.mark.parametrize("request_, decides, verdict", REQUESTS, ids=IDS)
def test_every_split(parser, connections, request_, decides, verdict):
    """Half the request, a verdict on it; all of it, and the verdict."""
    pairs = [connections() for _ in range(len(request_))]
    for cut, (client, ours) in enumerate(pairs):
        client.sendall(request_[:cut])
        wait_bytes(ours, cut)
    said = parser.ask_all([ours for _, ours in pairs])
    assert said == [more(cut) if cut < decides else verdict
                    for cut in range(len(pairs))]
    for cut, (client, ours) in enumerate(pairs):
        client.sendall(request_[cut:])
        wait_bytes(ours, len(request_))
        rewind(ours)
    said = parser.ask_all([ours for _, ours in pairs])
    assert said == [verdict] * len(pairs)
    for _, ours in pairs:
        rewind(ours)
        untouched(ours, request_)


@pytest.mark.parametrize("request_, decides, verdict", REQUESTS, ids=IDS)
def test_an_urgent_byte_at_each_offset(parser, connections, can_peek_on,
                                       request_, decides, verdict):
    pairs = [connections() for _ in range(len(request_))]
    for at, (client, ours) in enumerate(pairs):
        client.sendall(request_[:at])
        client.send(request_[at:at + 1], socket.MSG_OOB)
        client.sendall(request_[at + 1:])
        wait_bytes(ours, len(request_))
    said = parser.ask_all([ours for _, ours in pairs])
    assert said == [verdict] * len(pairs)


@pytest.mark.parametrize("length", [3, 60])
def test_half_a_line_with_an_urgent_byte_at_each_offset(
        parser, connections, can_peek_on, length):
    """All of it is seen, so that the parent waits for one byte more."""
    pairs = [connections() for _ in range(length)]
    for at, (client, ours) in enumerate(pairs):
        client.sendall(b"q" * at)
        client.send(b"q", socket.MSG_OOB)
        client.sendall(b"q" * (length - at - 1))
        wait_bytes(ours, length)
    assert parser.ask_all([ours for _, ours in pairs]) == [
        more(length)] * length


def test_a_kernel_that_goes_on_behind_no_mark_is_asked_once(connections,
                                                            can_peek_on):
    """It would tell of the same bytes again."""
    failure = f"getsockopt,-,{socket.SOL_SOCKET},{rooms.SO_PEEK_OFF}=95"
    client, ours = connections()
    client.sendall(b"gi")
    client.send(b"t", socket.MSG_OOB)
    client.sendall(b"\r\n")
    wait_bytes(ours, 5)
    with Parser(names=NAMES, failures=[failure]) as parser:
        assert parser.ask_all([ours]) == [more(2)]


def test_byte_by_byte(parser, connections):
    """One connection, handed over again for each byte, as the parent does."""
    client, ours = connections()
    line = b"git-upload\r\n"
    for seen in range(len(line)):
        assert parser.ask_all([ours]) == [more(seen)]
        client.send(line[seen:seen + 1])
        wait_bytes(ours, seen + 1)
        rewind(ours)
    assert parser.ask_all([ours]) == [name(b"git-upload", line)]


def test_a_megabyte_behind_the_line(parser, connections):
    client, ours = connections()
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
    sent = b"rsync\r\n" + random.Random(1).randbytes(1 << 20)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 << 20)
    client.settimeout(10)
    client.setblocking(False)
    queued = client.send(sent)
    wait_bytes(ours, 7)
    assert parser.ask_all([ours]) == [name(b"rsync", b"rsync\r\n")]
    rewind(ours)
    client.setblocking(True)
    untouched(ours, sent[:queued])


def test_a_bare_line_feed_where_the_listener_takes_it(parser, connections):
    lines = [(b"git\n", name(b"git", b"git\n")), (b"no\n", unknown(b"no\n", 1)),
             (b"git\r\n", name(b"git", b"git\r\n")), (b"git\r", more(4)),
             (b"HELP\n", (HELP, NO_NAME, 5, b"")), (b"\n", BAD),
             (b"git\rx", BAD)]
    pairs = [connections() for _ in lines]
    for (client, ours), (line, _) in zip(pairs, lines):
        client.sendall(line)
        wait_bytes(ours, len(line))
    said = parser.ask_all([ours for _, ours in pairs], LENIENT_LF)
    assert said == [verdict for _, verdict in lines]


# What the client does before it is asked about; what is said of it, without
# and with the parent's word that the FIN stands behind these bytes.
def silent(client):
    return 0


def half(client):
    client.sendall(b"gi")
    return 2


def half_and_fin(client):
    client.sendall(b"git\r")
    client.shutdown(socket.SHUT_WR)
    return 4


def only_fin(client):
    client.close()
    return None


def reset(client):
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                      struct.pack("ii", 1, 0))
    client.close()
    return None


def line_and_fin(client):
    client.sendall(b"git\r\n")
    client.shutdown(socket.SHUT_WR)
    return 5


@pytest.mark.parametrize("act, said, final", [
    (silent, more(0), GONE),
    (half, more(2), BAD),
    (half_and_fin, BAD, BAD),
    (only_fin, GONE, GONE),
    (reset, GONE, GONE),
    (line_and_fin, name(b"git", b"git\r\n"), name(b"git", b"git\r\n")),
], ids=lambda value: getattr(value, "__name__", ""))
def test_how_it_ends(parser, connections, door, act, said, final):
    for flags, verdict in ((0, said), (FINAL, final)):
        client, ours = connections()
        count = act(client)
        if count:
            wait_bytes(ours, count)
        if act not in (silent, half):
            wait_end(ours)
        if act is half_and_fin and not door.can_peek_on and not flags:
            verdict = more(4)  # only a second peek finds the FIN
        assert parser.ask_all([ours], flags) == [verdict]


def test_a_full_batch_of_everything_is_answered_in_order(parser, connections):
    rng = random.Random(7)
    for _ in range(20):
        batch, verdicts = [], []
        for index in range(BATCH_MAX):
            request_, decides, verdict = rng.choice(REQUESTS)
            cut = rng.randrange(len(request_) + 1)
            client, ours = connections()
            client.sendall(request_[:cut])
            wait_bytes(ours, cut)
            batch.append(Handover(rng.getrandbits(32), rng.getrandbits(64), 0,
                                  ours))
            verdicts.append(more(cut) if cut < decides else verdict)
        assert [v.says for v in parser.ask(batch)] == verdicts


def test_batches_of_every_size(parser, connections):
    socks = []
    for _ in range(BATCH_MAX):
        client, ours = connections()
        client.sendall(b"zz\r\n")
        wait_bytes(ours, 4)
        socks.append(ours)
    for size in range(1, BATCH_MAX + 1):
        for ours in socks:
            rewind(ours)
        assert parser.ask_all(socks[:size]) == [name(b"zz", b"zz\r\n")] * size


def test_something_that_is_no_tcp_socket_is_closed(parser):
    """It is peeked at like any other, and cannot make the parser fall."""
    one, other = socket.socketpair()
    with one, other, open(os.devnull, "rb") as null:
        assert parser.ask_all([one, null, one]) == [more(0), GONE, more(0)]


@pytest.mark.parametrize("message, fds", [
    (b"\0" * 12, 1), (b"\0" * 14, 1), (b"\0" * 25, 2), (b"\0", 1),
    (b"\0" * 12 + b"\x04", 1), (b"\0" * 12 + b"\x80", 1),
    (b"\0" * 13 * 33, 32), (b"\0" * 13 * 32 + b"\0", 32),
    (b"\0" * 13, 0), (b"\0" * 13, 2), (b"\0" * 26, 1), (b"\0" * 13 * 32, 31),
    (b"\0" * 13, 40), (b"\0" * 13 * 32, 33), (b"\0" * 5000, 1),
])
def test_what_is_no_batch_is_its_end(message, fds):
    one, other = socket.socketpair()
    with one, other, Parser() as worker:
        worker.send(message, [one.fileno()] * fds)
        assert worker.receive() == []
        assert worker.ended() == ("exit", 1)


def test_a_parent_that_is_gone_is_its_end():
    with Parser() as worker:
        assert worker.ended() == ("exit", 0)


def test_it_keeps_no_descriptor(parser, connections):
    socks = [connections()[1] for _ in range(BATCH_MAX)]
    before = parser.fds()
    for _ in range(3):
        parser.ask_all(socks)
        assert parser.fds() == before


def memory(pid):
    """Everything in the process that can be written to, as bytes."""
    with open(f"/proc/{pid}/maps") as maps, \
            open(f"/proc/{pid}/mem", "rb", buffering=0) as mem:
        for line in maps:
            place, rights = line.split()[:2]
            if "w" not in rights:
                continue
            begin, end = (int(at, 16) for at in place.split("-"))
            mem.seek(begin)
            yield line.strip(), mem.read(end - begin)


@unsanitized
def test_it_forgets_its_clients(connections):
    """No byte of a client is left in its memory once it has answered."""
    rng = random.Random(3)
    letters = b"bcdfghjklmnpqrstvwxyz"
    marks = [bytes(rng.choices(letters, k=120)) for _ in range(4)]
    known, strange, halved, behind = marks
    # The name that is looked up last is the one whose copies would be left.
    lines = [halved, b"git\r\n" + behind, known + b"\r\n",
             strange.upper() + b"\r\n"]
    # One by one too: a batch of one leaves what a larger one overwrites.
    with Parser(names=[b"git", b"zz"]) as worker:
        for count in (len(lines), 1):
            pairs = [connections() for _ in lines]
            for (client, ours), line in zip(pairs, lines):
                client.sendall(line)
                wait_bytes(ours, len(line))
            socks = [ours for _, ours in pairs]
            for start in range(0, len(lines), count):
                worker.ask_all(socks[start:start + count])
        while not worker.proc("syscall").startswith(f"{RECVMSG} "):
            os.sched_yield()
        for where, content in memory(worker.pid):
            folded = content.lower()
            for mark in marks:
                # Not even a part of it.
                for at in range(len(mark) - 7):
                    assert mark[at:at + 8] not in folded, where


def test_rootless_it_says_the_same(door, connections):
    with Parser("user", uid=rooms.NOBODY, user=rooms.NOBODY,
                names=NAMES) as worker:
        assert worker.failed is None and worker.greeting == b"\0"
        pairs = [connections() for _ in REQUESTS]
        for (client, ours), (request_, _, _) in zip(pairs, REQUESTS):
            client.sendall(request_)
            wait_bytes(ours, len(request_))
        said = worker.ask_all([ours for _, ours in pairs])
        assert said == [verdict for _, _, verdict in REQUESTS]
