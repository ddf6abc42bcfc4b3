"""What a parser in an attacker's hands can do, and what it cannot.

The parsers of tests/evil-parser run in the place of the real one and do one
evil each: always, or only in the first batch of the first of them. All the
clients are in one batch, and whatever becomes of it: nobody gets a service
that it did not ask for, each gets one answer and one line in the log, what
the parser did is logged by its word, and nothing of it is left.
"""

import concurrent.futures
import contextlib
import os
import select
import shutil
import signal
import socket
import tempfile
import time

import pytest

import mux as muxes
from mux import IS_ROOT, LOCAL4, OK, REFUSAL, Mux, eventually
from netns import Netns

TERMINAL = ("refuse", "help", "exit", "launch-failed", "probe", "evict",
            "shut-out")
GOOD, HELP, UNKNOWN, MALFORMED, HALF, MARK, BARE = (
    "good", "help", "unknown", "malformed", "half", "mark", "bare")
ALL = (GOOD, HELP, UNKNOWN, MALFORMED, HALF)
NOBODY = ()
REQUESTS = {GOOD: b"good\r\nhello", HELP: b"HELP\r\n",
            UNKNOWN: b"none\r\n", MALFORMED: b"\x01no\r\n", HALF: b"goo",
            MARK: b"!now\r\n", BARE: b"bank\n"}
ANSWERS = {GOOD: OK + b"hello", HELP: b"bank\r\ngood\r\n", UNKNOWN: REFUSAL,
           MALFORMED: REFUSAL, HALF: OK + b"hello"}
REASONS = {GOOD: "exit", HELP: "help", UNKNOWN: "unknown",
           MALFORMED: "malformed", HALF: "exit"}
ANOTHER = ("unasked", "slot", "generation", "length")  # whichever it meets

# program, how: (words of the violation, whom it is done to)
EVILS = {
    ("liar", "slot"): (("slot",), ALL),
    ("liar", "far-slot"): (("slot",), ALL),
    ("liar", "generation"): (("generation",), ALL),
    ("liar", "old-generation"): (("generation",), ALL),
    ("liar", "no-generation"): (("generation",), ALL),
    ("liar", "no-outcome"): (("outcome",), ALL),
    ("liar", "unknown-outcome"): (("outcome",), ALL),
    ("liar", "more-than-a-line"): (("line",), ALL),
    ("liar", "other-name"): (("mismatch",), (GOOD,)),
    ("liar", "name-for-unknown"): (("mismatch",), (UNKNOWN,)),
    ("liar", "name-for-help"): (("mismatch",), (HELP,)),
    ("liar", "name-for-malformed"): (("mismatch",), (MALFORMED,)),
    ("liar", "name-for-half"): (("mismatch",), (HALF,)),
    ("liar", "help-for-name"): (("mismatch",), (GOOD,)),
    ("liar", "long-line"): (("line",), (GOOD,)),
    ("liar", "short-line"): (("line",), (GOOD,)),
    ("liar", "longest-line"): (("line",), (GOOD,)),
    ("liar", "huge-line"): (("line",), (GOOD,)),
    ("liar", "no-line"): (("line",), (GOOD,)),
    ("liar", "index-past-end"): (("name",), (GOOD,)),
    ("liar", "index-none"): (("name",), (GOOD,)),
    ("liar", "index-for-unknown"): (("name",), (UNKNOWN,)),
    ("liar", "claim-garbage"): (("claim",), (UNKNOWN,)),
    ("liar", "claim-nothing"): (("claim",), (UNKNOWN,)),
    ("liar", "claim-too-much"): (("claim",), (UNKNOWN,)),
    ("liar", "claim-with-name"): (("claim",), (GOOD,)),
    ("talker", "replay"): (ANOTHER, NOBODY),
    ("talker", "twice"): (ANOTHER, NOBODY),
    ("talker", "flood"): (ANOTHER, NOBODY),
    ("talker", "flood-greetings"): (("length",), ALL),
    ("talker", "half"): (("length",), ALL),
    ("talker", "one-short"): (("length",), ALL),
    ("talker", "one-long"): (("length",), ALL),
    ("talker", "one-more"): (("length",), ALL),
    ("talker", "enormous"): (("length",), ALL),
    ("talker", "empty"): (("silence",), ALL),
    ("talker", "nothing"): (("silence",), ALL),
    ("talker", "spin"): (("silence",), ALL),
    ("talker", "hang-up"): (("silence",), ALL),
    ("keeper", "keep-one"): (("descriptors",), NOBODY),
    ("keeper", "keep-all"): (("descriptors",), NOBODY),
    ("keeper", "keep-copy"): (("descriptors",), NOBODY),
    ("keeper", "back-one"): (("descriptors",), ALL),
    ("keeper", "back-many"): (("descriptors",), ALL),
    ("keeper", "back-channel"): (("descriptors",), ALL),
}
# Deaths convict whoever was alone with it; there is no violation to log.
DEATHS = ("asked-fault", "asked-zero", "asked-three", "closed-fault",
          "closed-zero")


# --- one evil parser and its clients ----------------------------------------

class Evil:
    """A mux with an evil parser, and what its clients were answered."""

    def __init__(self, program, how, when="", netns=None, port=1,
                 parser=("timeout 5s",), **policy):
        self.dir = tempfile.mkdtemp(prefix="tcpmuxd-evil-")
        os.chmod(self.dir, 0o755)
        self.program = shutil.copy(
            muxes.program(f"tests/evil-parser/{program}"), self.dir)
        with open(f"{self.program}.how", "w") as file:
            file.write(f"{how} {when}\n")
        till = os.path.join(self.dir, "till")
        os.mkdir(till)
        os.chmod(till, 0o777)  # whoever the service runs as
        self.marker = os.path.join(till, "robbed")
        services = (
            muxes.service("good", "exec /bin/cat"),
            muxes.service("bank", f"exec /usr/bin/touch {self.marker}"))
        self.mux = Mux(muxes.policy(
            *services, port=port, listen=(LOCAL4,),
            parser=(f"program {self.program}", *parser), **policy),
            netns=netns, port=port)
        self.baseline = self.mux.fd_count()
        self.clients = []

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        try:
            self.mux.__exit__(*exception)
        finally:
            shutil.rmtree(self.dir, ignore_errors=True)

    @property
    def is_spent(self):
        return os.path.exists(f"{self.program}.spent")

    def ask(self, *kinds):
        """One client each; all come before any of them is looked at."""
        os.kill(self.mux.pid, signal.SIGSTOP)
        try:
            for kind in kinds:
                sock = self.mux.connect()
                sock.sendall(REQUESTS[kind])
                self.clients.append((kind, sock))
        finally:
            os.kill(self.mux.pid, signal.SIGCONT)
        self.asked = time.monotonic()

    def answers(self, completes=False, limit=12):
        """[(kind, port, bytes, seconds until the end)].

        completes: half a line gets its other half after a while.
        """
        results = []
        end = time.monotonic() + limit
        for kind, sock in self.clients:
            if completes and kind == HALF:
                time.sleep(0.1)
                sock.sendall(b"d\r\nhello")
            if kind in (GOOD, HALF) and (completes or kind == GOOD):
                sock.shutdown(socket.SHUT_WR)
        got = {sock: b"" for _, sock in self.clients}
        ended = {}
        while len(ended) < len(got):
            ready = select.select([s for s in got if s not in ended], [], [],
                                  max(0, end - time.monotonic()))[0]
            assert ready, f"{len(got) - len(ended)} clients wait for ever"
            for sock in ready:
                piece = sock.recv(4096)
                got[sock] += piece
                if not piece:
                    ended[sock] = time.monotonic() - self.asked
        for kind, sock in self.clients:
            results.append((kind, sock.getsockname()[1], got[sock],
                            ended[sock]))
            sock.close()
        return results

    def terminal(self, port):
        """The one line with which its connection ended."""
        def lines():
            return [line for event in TERMINAL
                    for line in self.mux.logs(event, port=port)]
        eventually(lines, what=f"the last line of port {port}")
        assert len(lines()) == 1, lines()
        return lines()[0]

    def reason(self, port):
        line = self.terminal(port)
        return line.get("reason", line["event"])

    def assert_clean(self):
        """Nothing is left of what was; the daemon serves on."""
        eventually(lambda: self.mux.fd_count() <= self.baseline,
                   what="the baseline of descriptors")
        assert not os.path.exists(self.marker)
        assert not self.mux.logs("launch", service="bank")

        def is_quiet():
            mark = self.mux.mark()
            self.mux.send_signal(signal.SIGUSR1)
            status = self.mux.wait_log("status", since=mark)
            if status["pending"] == status["running"] == "0":
                return status
            return None

        return eventually(is_quiet, what="the end of the sessions")


# --- evil always ------------------------------------------------------------

def evil_always(key, netns, port):
    words, victims = EVILS[key]
    with Evil(*key, netns=netns, port=port, parser=("timeout 1s",)) as evil:
        evil.ask(*ALL)
        for kind, client, answer, seconds in evil.answers():
            if kind in victims or kind == HALF:
                assert answer == REFUSAL, kind
                assert seconds >= 0.8, f"{kind}: before the deadline"
                assert seconds < 3, f"{kind}: long after the deadline"
                assert evil.reason(client) == "timeout"
            else:
                assert answer == ANSWERS[kind], kind
                assert evil.reason(client) == REASONS[kind]
        if victims == NOBODY:  # their answers were right, and so is this
            assert evil.mux.request("good", b"x") == (OK, b"x")
        evil.mux.wait_log("violation")
        for line in evil.mux.logs("violation"):
            assert line["reason"] in words, line[""]
        status = evil.assert_clean()
        assert int(status["violations"]) > 0
        # With nobody answered, each start waits twice as long as the last.
        if victims == ALL:
            assert int(status["workers_started"]) < 15


def evil_once(key, netns, port):
    words, _ = EVILS[key]
    with Evil(*key, "once", netns=netns, port=port) as evil:
        evil.ask(*ALL)
        for kind, client, answer, seconds in evil.answers(completes=True):
            assert answer == ANSWERS[kind], kind
            assert seconds < 4, kind
            assert evil.reason(client) == REASONS[kind]
        assert evil.mux.request("good", b"x") == (OK, b"x")
        assert evil.is_spent
        assert evil.mux.wait_log("violation")["reason"] in words
        evil.assert_clean()
        assert len(evil.mux.logs("violation")) == 1


def dies_always(how, netns, port):
    """Whoever is alone with it when it dies is refused, at once."""
    with Evil("mortal", how, netns=netns, port=port) as evil:
        evil.ask(*ALL)
        for _, client, answer, seconds in evil.answers():
            assert answer == REFUSAL
            assert seconds < 4
            assert evil.reason(client) == "crash"
        assert not evil.mux.logs("violation")
        status = evil.assert_clean()
        # One for all, one each, and one that nobody has died with yet.
        assert int(status["workers_started"]) <= len(ALL) + 2


def dies_once(how, netns, port):
    """It dies of a batch: nobody in it is blamed."""
    with Evil("mortal", how, "once", netns=netns, port=port) as evil:
        evil.ask(*ALL)
        for kind, client, answer, _ in evil.answers(completes=True):
            assert answer == ANSWERS[kind], kind
            assert evil.reason(client) == REASONS[kind]
        assert evil.is_spent
        line = evil.mux.wait_log("worker-died")
        assert line["batch"] == str(len(ALL))
        assert ("signal" in line) == how.endswith("fault")
        evil.assert_clean()


# --- evil that a client brings about ----------------------------------------

def corrupted(key, netns, port):
    """Whose bytes make every parser lie or die holds up nobody else."""
    reason = "crash" if key[0] == "mortal" else "timeout"
    with Evil(*key, "marked", netns=netns, port=port,
              parser=("timeout 3s",)) as evil:
        evil.ask(MARK, MARK, MARK)
        slowest = 0
        for _ in range(8):
            begun = time.monotonic()
            assert evil.mux.request("good", b"x") == (OK, b"x")
            slowest = max(slowest, time.monotonic() - begun)
        assert slowest < 2, slowest
        for _, client, answer, _ in evil.answers():
            assert answer == REFUSAL
            assert evil.reason(client) == reason
        evil.assert_clean()


def hanging(key, netns, port):
    """A parser that hangs costs a second each time; nobody pays for all.

    Others take turns with those who have to be asked about alone, and who
    was alone already comes after everybody else.
    """
    def takes(most):
        begun = time.monotonic()
        assert evil.mux.request("good", b"x") == (OK, b"x")
        assert time.monotonic() - begun < most

    with Evil(*key, "marked", netns=netns, port=port,
              parser=("timeout 20s",)) as evil:
        evil.ask(MARK, MARK, MARK, MARK)
        evil.mux.wait_log("violation")
        takes(2.5)  # the first of the four, alone; then it is our turn
        # Until all have been alone.
        evil.mux.wait_log("violation", count=5)
        evil.ask(MARK, GOOD)  # in one batch: so both are suspects now
        good = evil.clients[-1][1]
        assert muxes.converse(good) == OK + b"hello"
        assert time.monotonic() - evil.asked < 4.5
        takes(2.5)


def lenient(key, netns, port):
    """The client did send what the parser says; its listener takes no LF."""
    with Evil(*key, "once", netns=netns, port=port) as evil:
        evil.ask(BARE)
        [(_, client, answer, _)] = evil.answers()
        assert answer == REFUSAL
        assert evil.reason(client) == "malformed"
        assert evil.mux.wait_log("violation")["reason"] == "line"
        evil.assert_clean()


CASES = {
    ("once", "liar", "name-for-bare-lf"): (lenient, (
        "liar", "name-for-bare-lf")),
    ("marked", "talker", "nothing"): (hanging, ("talker", "nothing")),
    **{("always", *key): (evil_always, key) for key in EVILS},
    **{("once", *key): (evil_once, key) for key in EVILS},
    **{("always", "mortal", how): (dies_always, how) for how in DEATHS},
    **{("once", "mortal", how): (dies_once, how) for how in DEATHS},
    **{("marked", *key): (corrupted, key) for key in (
        ("liar", "slot"), ("talker", "half"), ("mortal", "asked-fault"))},
}


@pytest.fixture(scope="module")
def futures(request):
    """All the chosen cases at the same time: most of them is waiting."""
    wanted = {item.callspec.params["case"] for item in request.session.items
              if item.fspath == request.fspath and
              "case" in getattr(item, "callspec", _Nothing).params}
    with contextlib.ExitStack() as stack:
        netns = None
        if IS_ROOT:
            netns = stack.enter_context(Netns())
        pool = stack.enter_context(
            concurrent.futures.ThreadPoolExecutor(max_workers=10))
        yield {case: pool.submit(
            run, key, netns, 1000 + number if IS_ROOT else muxes.free_port())
            for number, (case, (run, key)) in enumerate(CASES.items())
            if case in wanted}


class _Nothing:
    params = ()


@pytest.mark.parametrize("case", CASES, ids="-".join)
def test_evil(futures, case):
    futures[case].result()


# --- penalties on a parser's word -------------------------------------------

HARSH = {"exempt": (), "admission": (
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
    for kind, _, answer, _ in evil.answers():
        assert answer == ANSWERS[kind]
    assert evil.mux.wait_log("absolve")["sources"] == "1"
    assert evil.mux.request("good", b"x") == (OK, b"x")
    # The next one is believed, until it lies.
    evil.mux.refused("none")
    assert is_shut_out(evil.mux)
    evil.mux.wait_log("shut-out", reason="penalty")
    evil.assert_clean()


def test_who_kills_a_parser_is_shut_out_and_nobody_else(harsh):
    evil = harsh("mortal", "asked-fault")
    evil.mux.refused("good", source="127.0.0.2")
    evil.mux.wait_log("refuse", reason="crash")
    assert is_shut_out(evil.mux, source="127.0.0.2")
    evil.mux.wait_log("shut-out", reason="penalty")
    mark = evil.mux.mark()
    evil.mux.refused("good", source="127.0.0.3")
    evil.mux.wait_log("refuse", since=mark, reason="crash")
