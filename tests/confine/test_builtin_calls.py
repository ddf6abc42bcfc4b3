"""What tcpmuxd-builtin may ask of the kernel once it serves: nearly nothing.

tests/tools/builtin-inject starts one for each call, and puts that call in the
place of the first by which it serves.
"""

import contextlib
import platform
import re
import socket
import subprocess

import pytest

from faults import Failing
from mux import program
from rooms import unsanitized

pytestmark = [unsanitized, pytest.mark.skipif(
    platform.machine() != "x86_64", reason="the numbers are x86-64's")]

READ, WRITE, SENDTO, RECVFROM, SHUTDOWN, EXIT_GROUP = 0, 1, 44, 45, 48, 231
CLOCK_GETTIME, PPOLL, SECCOMP = 228, 271, 317
DONTWAIT, NOSIGNAL, PEEK = 0x40, 0x4000, 0x02
EAGAIN = 11
X32 = 0x40000000
# Two that no filter sees: tests/confine/test_parser_calls.py.
EXEMPT = {335, 336}
LAST = 480  # beyond all that there are

# By which call each serves; those that it has, as it makes them.
WAITING = {"echo": RECVFROM, "discard": RECVFROM, "daytime": PPOLL,
           "time": PPOLL, "chargen": PPOLL}
ECHO_RECEIVE = (0, "M", 8, 0, 0, 0)
ECHO_SEND = (0, "M", 8, NOSIGNAL, 0, 0)
QUICK_RECEIVE = (0, "M", 8, DONTWAIT, 0, 0)
QUICK_SEND = (0, "M", 8, DONTWAIT | NOSIGNAL, 0, 0)
POLL = ("M", 1, "M", 0, 8, 0)
CLOCKS = {CLOCK_GETTIME: (1, "M", 0, 0, 0, 0), SENDTO: ECHO_SEND,
          SHUTDOWN: (0, 1, 0, 0, 0, 0), PPOLL: POLL, RECVFROM: QUICK_RECEIVE}
CALLS = {
    "echo": {RECVFROM: ECHO_RECEIVE, SENDTO: ECHO_SEND},
    "discard": {RECVFROM: ECHO_RECEIVE},
    "daytime": CLOCKS, "time": CLOCKS,
    "chargen": {SENDTO: QUICK_SEND, PPOLL: POLL, RECVFROM: QUICK_RECEIVE},
}
# What every number is tried with: an innocent set.
ANY = (0, "M", 1, 0, 0, 0)


def inject(kind, calls):
    lines = [" ".join(map(str, (number, *arguments)))
             for number, arguments in calls]
    done = subprocess.run(
        [program("tests/tools/builtin-inject"), program("tcpmuxd-builtin"),
         kind, str(WAITING[kind])], input="\n".join(lines) + "\n", text=True,
        capture_output=True, timeout=90)
    results = done.stdout.splitlines()
    assert done.stderr == "" and len(results) == len(lines), done
    return dict(zip(calls, results))


def survivors(results):
    return {call: end for call, end in results.items() if end != "killed"}


@pytest.mark.parametrize("kind", CALLS)
def test_its_own_calls_are_allowed(kind):
    for call, end in inject(kind, [*CALLS[kind].items()]).items():
        assert end.startswith(("returned ", "exited 0")), (call, end)
    assert inject(kind, [(EXIT_GROUP, (7, 0, 0, 0, 0, 0))]) == {
        (EXIT_GROUP, (7, 0, 0, 0, 0, 0)): "exited 7"}


@pytest.mark.parametrize("kind", CALLS)
def test_every_other_call_kills(kind):
    """Every number for one of them, for the others those of the neighbours."""
    own = {*CALLS[kind], EXIT_GROUP}
    numbers = range(LAST) if kind == "discard" else {
        READ, WRITE, SECCOMP, 2, 3, 7, 9, 10, 41, 46, 47, 56, 59, 62, 202, 257,
        *(number for calls in CALLS.values() for number in calls)}
    calls = [(number, ANY) for number in numbers
             if number not in own and number not in EXEMPT]
    calls += [(number | X32, ANY) for number in own]
    assert survivors(inject(kind, calls)) == {}


def changed(arguments, index, value):
    return arguments[:index] + (value,) + arguments[index + 1:]


@pytest.mark.parametrize("kind", CALLS)
def test_every_wrong_argument_kills(kind):
    wrong = {
        RECVFROM: [(0, 1), (0, 2), (3, PEEK), (4, "M"), (5, "M"),
                   (3, DONTWAIT ^ CALLS[kind].get(RECVFROM, ANY)[3])],
        SENDTO: [(0, 1), (0, 2), (3, 0), (4, "M"), (5, 16), (3, 1 | NOSIGNAL)],
        PPOLL: [(1, 2), (1, 0), (3, "M")],
        SHUTDOWN: [(0, 1), (1, 0), (1, 2)],
    }
    calls = [(number, changed(arguments, index, value))
             for number, arguments in CALLS[kind].items()
             for index, value in wrong.get(number, ())]
    assert calls
    assert survivors(inject(kind, calls)) == {}


def run(*words, preexec=None):
    """One whose client has ended its stream; (status, its stderr, answer)."""
    ours, its = socket.socketpair()
    with ours, its:
        ours.sendall(b"hello")
        ours.shutdown(socket.SHUT_WR)
        done = subprocess.run(
            [program("tcpmuxd-builtin"), *words], stdin=its, stdout=its,
            stderr=subprocess.PIPE, text=True, preexec_fn=preexec, timeout=20)
        answer = b""
        with contextlib.suppress(BlockingIOError):
            answer = ours.recv(100, socket.MSG_DONTWAIT)
        return done.returncode, done.stderr, answer


def test_without_its_filter_it_does_not_serve():
    status, said, answer = run("echo", preexec=Failing("seccomp"))
    assert status == 71
    assert re.fullmatch(r"tcpmuxd-builtin: filter: .+\n", said)
    assert answer == b""


@pytest.mark.parametrize("words", [(), ("qotd",), ("echo", "x"), ("",)])
def test_it_serves_nothing_that_it_does_not_know(words):
    assert run(*words) == (64, "tcpmuxd-builtin: only tcpmuxd starts it\n",
                           b"")
