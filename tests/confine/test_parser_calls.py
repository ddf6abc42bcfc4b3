"""The parser may make five system calls; every other one is its death.

Each case is a call made in the place of recvmsg by a parser of its own: the
program that ships, in its whole room (tests/tools/room-inject, ptrace(2)).
"""

import platform
import subprocess

import pytest

from mux import program
from rooms import (PARSER_ID, has_i386_gate, memfd, names_table,
                   unsanitized)

pytestmark = [unsanitized, pytest.mark.skipif(
    platform.machine() != "x86_64", reason="injects by x86-64 registers")]

RECVFROM, CLOSE, RECVMSG, SENDTO, EXIT_GROUP = 45, 3, 47, 44, 231
ALLOWED = (RECVFROM, CLOSE, RECVMSG, SENDTO, EXIT_GROUP)

# Since Linux 6.14 and 6.18 the kernel lets these two by every filter
# (seccomp_uprobe_exception in kernel/seccomp.c). They serve its own probes,
# and outside of one do nothing but this.
URETPROBE, UPROBE = 335, 336
EXEMPT = {URETPROBE: ("killed", "stopped by signal 4"),
          UPROBE: ("killed", "returned -6")}

PEEK = 0x02 | 0x40  # MSG_PEEK | MSG_DONTWAIT
CMSG_CLOEXEC = 0x40000000
NOSIGNAL = 0x4000
CHANNEL = 3
GARBAGE = 0xDEADBEEF << 32

GOOD_PEEK = (CHANNEL, "M", 8, PEEK, 0, 0)
GOOD_RECEIVE = (CHANNEL, 0, CMSG_CLOEXEC, 0, 0, 0)
GOOD_SEND = (CHANNEL, "M", 1, NOSIGNAL, 0, 0)


def inject(calls, kind="full"):
    """What came of each (abi, number, arguments)."""
    table = memfd(names_table([b"git"]))
    lines = [" ".join(map(str, (abi, number, *arguments)))
             for abi, number, arguments in calls]
    done = subprocess.run(
        [program("tests/tools/room-inject"), program("tcpmuxd-parser"), kind,
         str(PARSER_ID), str(PARSER_ID), str(table)], pass_fds=[table],
        input="\n".join(lines) + "\n", text=True, capture_output=True,
        timeout=120)
    assert done.stderr == ""
    results = done.stdout.splitlines()
    assert len(results) == len(lines)
    return dict(zip(lines, results))


def survivors(results):
    return {call: end for call, end in results.items() if end != "killed" and
            not (is_without_gate(call) and end == "stopped by signal 11")}


def is_without_gate(call):
    return call.startswith("i386 ") and not has_i386_gate()


def changed(arguments, index, value):
    return arguments[:index] + (value,) + arguments[index + 1:]


# Arguments that a careless filter would like: those of the five.
SETS = (GOOD_PEEK, GOOD_RECEIVE)


@pytest.mark.parametrize("kind", ["full", "reduced"])
def test_the_five_calls_are_allowed(kind):
    results = inject([
        ("native", RECVFROM, GOOD_PEEK),
        ("native", RECVFROM, changed(GOOD_PEEK, 0, 9)),
        ("native", CLOSE, (9, 0, 0, 0, 0, 0)),
        ("native", CLOSE, (CHANNEL, 0, 0, 0, 0, 0)),
        ("native", RECVMSG, GOOD_RECEIVE),
        ("native", SENDTO, GOOD_SEND),
        ("native", EXIT_GROUP, (7, 0, 0, 0, 0, 0)),
        # The kernel looks at half of a register that holds an int.
        ("native", SENDTO, changed(GOOD_SEND, 0, CHANNEL | GARBAGE)),
    ], kind)
    assert list(results.values()) == [
        "returned -11", "returned -9", "returned -9", "returned 0",
        "returned -14", "returned 1", "exited 7", "returned 1"]


@pytest.mark.parametrize("arguments", SETS, ids=["peek", "receive"])
def test_every_other_native_call_kills(arguments):
    # Linux 6.18 ends at 469; far numbers, and those that look negative, too.
    numbers = [n for n in range(0, 640) if n not in (*ALLOWED, *EXEMPT)]
    numbers += [1023, 4095, 0x3FFFFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF]
    numbers += [n | 1 << 31 for n in ALLOWED]
    assert survivors(inject([("native", n, arguments) for n in numbers])) == {}


@pytest.mark.parametrize("number", EXEMPT)
def test_the_two_that_no_filter_sees_do_nothing(number):
    (end,) = inject([("native", number, GOOD_RECEIVE)]).values()
    assert end in EXEMPT[number]


def test_every_i386_call_kills():
    assert survivors(inject(
        [("i386", n, GOOD_PEEK) for n in range(0, 500)])) == {}


def test_every_x32_call_kills():
    assert survivors(inject(
        [("x32", n, GOOD_RECEIVE) for n in range(0, 600)])) == {}


def wrong_peeks():
    for flags in [0, *(PEEK ^ 1 << bit for bit in range(32)), 0xFFFFFFFF]:
        yield RECVFROM, changed(GOOD_PEEK, 3, flags)
    for index in (4, 5):
        for value in ("M", 1, 1 << 32, 1 << 63):
            yield RECVFROM, changed(GOOD_PEEK, index, value)


def wrong_receives():
    for fd in [*range(0, 3), *range(4, 34), 1023, 0x80000003, 0xFFFFFFFF]:
        yield RECVMSG, changed(GOOD_RECEIVE, 0, fd)
    for flags in [0, *(CMSG_CLOEXEC ^ 1 << bit for bit in range(32))]:
        yield RECVMSG, changed(GOOD_RECEIVE, 2, flags)


def wrong_sends():
    for fd in [*range(0, 3), *range(4, 34), 1023, 0x80000003, 0xFFFFFFFF]:
        yield SENDTO, changed(GOOD_SEND, 0, fd)
    for flags in [0, *(NOSIGNAL ^ 1 << bit for bit in range(32))]:
        yield SENDTO, changed(GOOD_SEND, 3, flags)
    for value in ("M", 1, 1 << 32, 1 << 63):
        yield SENDTO, changed(GOOD_SEND, 4, value)
    for length in (1, 16, 0x80000000, 0xFFFFFFFF):
        yield SENDTO, changed(GOOD_SEND, 5, length)


@pytest.mark.parametrize("calls", [wrong_peeks, wrong_receives, wrong_sends])
def test_every_wrong_argument_kills(calls):
    cases = [("native", *call) for call in calls()]
    assert survivors(inject(cases)) == {}


def test_reduced_kills_alike():
    cases = [("native", n, GOOD_PEEK)
             for n in range(0, 480) if n not in (*ALLOWED, *EXEMPT)]
    cases += [("native", *call) for call in wrong_sends()]
    cases += [("i386", 4, GOOD_PEEK), ("x32", 1, GOOD_PEEK)]
    assert survivors(inject(cases, "reduced")) == {}
