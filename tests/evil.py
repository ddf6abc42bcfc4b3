"""A tcpmuxd with an evil parser, its clients, and the one table of deeds.

    with Evil("liar", "slot", "once") as evil:
        evil.ask(*ALL)
        evil.expect({kind: EXPECTED[kind] for kind in ALL})
        evil.assert_clean(DEEDS["liar", "slot"])

What a deed is called in the log, and what becomes of whom, stands in DEEDS;
whatever the deed, the same is looked at afterwards: assert_clean.
"""

import collections
import concurrent.futures
import contextlib
import itertools
import os
import select
import shutil
import signal
import socket
import tempfile
import time
from typing import NamedTuple

import mux as muxes
from mux import LOCAL4, OK, REFUSAL, Mux, eventually
from netns import Netns

# --- what clients ask for, and what they get from an honest parser -----------

(GOOD, HELP, UNKNOWN, MALFORMED, HALF, DENIED, DISABLED, HOURS, MARK, BARE,
 BARE_HELP, URGENT, ALMOST) = (
    "good", "help", "unknown", "malformed", "half", "denied", "disabled",
    "hours", "mark", "bare", "bare-help", "urgent", "almost")
ALL = (GOOD, HELP, UNKNOWN, MALFORMED, HALF, DENIED, DISABLED, HOURS)
NOBODY = ()
INNOCENT = (GOOD, HELP, HALF)
REQUESTS = {
    GOOD: b"good\r\nhello", HELP: b"HELP\r\n", UNKNOWN: b"none\r\n",
    MALFORMED: b"\x01no\r\n", HALF: b"goo", DENIED: b"denied\r\n",
    DISABLED: b"disabled\r\n", HOURS: b"hours\r\n", MARK: b"!now\r\n",
    BARE: b"bank\n", BARE_HELP: b"HELP\n", URGENT: b"none\r\n",
    ALMOST: b"gone\r\n"}
OTHER_HALF = b"d\r\nhello"
URGENT_AT = 2  # where a peek stops; the evil ones do not look again behind it


class Fate(NamedTuple):
    """What a client gets, and the reasons that the one line about its end may
    give for it."""

    answer: bytes
    reasons: tuple
    is_at_deadline: bool = False


RESET = b"reset"  # in place of an answer: closed with its bytes unread
EXPECTED = {
    GOOD: Fate(OK + b"hello", ("exit",)), HALF: Fate(OK + b"hello", ("exit",)),
    HELP: Fate(b"bank\r\ngood\r\n", ("help",)),
    UNKNOWN: Fate(REFUSAL, ("unknown",)), MARK: Fate(REFUSAL, ("unknown",)),
    MALFORMED: Fate(REFUSAL, ("malformed",)), BARE: Fate(REFUSAL, ("malformed",)),
    BARE_HELP: Fate(REFUSAL, ("malformed",)), URGENT: Fate(REFUSAL, ("stalled",)),
    ALMOST: Fate(REFUSAL, ("mismatch",)),  # what was taken is gone
    DENIED: Fate(REFUSAL, ("denied",)), DISABLED: Fate(REFUSAL, ("disabled",)),
    HOURS: Fate(REFUSAL, ("hours",))}

# A parser that is killed for it every time keeps those it does it to waiting:
# until they were alone with two, or until their deadline.
WAITS = Fate(REFUSAL, ("timeout", "crash"))
HELD_UP = Fate(REFUSAL, ("timeout",), True)
CRASHED = Fate(REFUSAL, ("crash",))
CALLED_UNKNOWN = Fate(REFUSAL, ("unknown",))
CALLED_MALFORMED = Fate(REFUSAL, ("malformed",))
STALLED = Fate(REFUSAL, ("stalled",))
HUNG_UP = Fate(RESET, ("probe",))


# --- the table ----------------------------------------------------------------

class Deed(NamedTuple):
    """One deed of a parser's.

    said: the line that tells of it: an event and fields, each with the words
    it may have; None: there is nothing to tell, or nobody can know.
    victims: who, alone with a parser that always does it, meets this fate.
    Everybody else, and all of them where it is done only once, gets what an
    honest parser gives; but for a word that nobody can know to be false
    (is_believed): then it is once as always, for those in that batch.
    is_unasked: done before anybody is asked about, by all but the first.
    """

    said: tuple
    victims: tuple = ALL
    fate: Fate = WAITS
    is_believed: bool = False
    can_be_marked: bool = True
    is_unasked: bool = False

    @property
    def modes(self):
        if self.is_unasked:
            return {"later"}
        can_be_marked = self.can_be_marked and not self.is_believed
        return {"always", "once"} | ({"marked"} if can_be_marked else set())


def violation(*words):
    return "violation", {"reason": words}


def death(**how):
    return "worker-died", {key: (str(value),) for key, value in how.items()}


NAMED = (GOOD, DENIED, DISABLED, HOURS)  # what a whole line names
UNASKED = violation("unasked", "slot", "generation", "length")

DEEDS = {
    # an answer to another question than was asked
    ("liar", "slot"): Deed(violation("slot")),
    ("liar", "far-slot"): Deed(violation("slot")),
    ("liar", "generation"): Deed(violation("generation")),
    ("liar", "old-generation"): Deed(violation("generation")),
    ("liar", "no-generation"): Deed(violation("generation")),
    ("liar", "no-outcome"): Deed(violation("outcome")),
    ("liar", "unknown-outcome"): Deed(violation("outcome")),
    ("liar", "more-than-a-line"): Deed(violation("line")),
    ("talker", "replay"): Deed(UNASKED, NOBODY),
    ("talker", "swapped"): Deed(violation("slot"), NOBODY),
    ("talker", "first-for-all"): Deed(violation("slot"), NOBODY),
    # a service for somebody else, or none for whom it is for
    ("liar", "other-name"): Deed(violation("mismatch"), NAMED),
    ("liar", "open-for-closed"): Deed(violation("mismatch"), NAMED[1:]),
    ("liar", "closed-for-open"): Deed(violation("mismatch"), (GOOD,)),
    ("liar", "name-for-unknown"): Deed(violation("mismatch"), (UNKNOWN,)),
    ("liar", "name-for-help"): Deed(violation("mismatch"), (HELP,)),
    ("liar", "name-for-malformed"): Deed(violation("mismatch"), (MALFORMED,)),
    ("liar", "name-for-half"): Deed(violation("mismatch"), (HALF,)),
    ("liar", "help-for-name"): Deed(violation("mismatch", "line"), NAMED),
    # lengths
    ("liar", "long-line"): Deed(violation("line"), NAMED),
    ("liar", "short-line"): Deed(violation("line"), NAMED),
    ("liar", "longest-line"): Deed(violation("line"), NAMED),
    ("liar", "huge-line"): Deed(violation("line"), NAMED),
    ("liar", "no-line"): Deed(violation("line"), NAMED),
    ("liar", "one-byte-line"): Deed(violation("line"), NAMED),
    # names that are none
    ("liar", "index-past-end"): Deed(violation("name"), NAMED),
    ("liar", "index-none"): Deed(violation("name"), NAMED),
    ("liar", "index-for-unknown"): Deed(violation("name"), (UNKNOWN,)),
    ("liar", "claim-garbage"): Deed(violation("claim"), (UNKNOWN,)),
    ("liar", "claim-nothing"): Deed(violation("claim"), (UNKNOWN,)),
    ("liar", "claim-too-much"): Deed(violation("claim"), (UNKNOWN,)),
    ("liar", "claim-with-name"): Deed(violation("claim"), NAMED),
    # false words that could be true
    ("liar", "say-unknown"): Deed(None, ALL, CALLED_UNKNOWN, True),
    ("liar", "say-malformed"): Deed(None, ALL, CALLED_MALFORMED, True),
    ("liar", "say-closed"): Deed(None, ALL, HUNG_UP, True),
    ("liar", "say-more"): Deed(None, ALL, HELD_UP, True),
    # (with a client's FIN behind what came it would be a violation, too)
    ("liar", "say-nothing-came"): Deed(None, ALL, STALLED,
                                       can_be_marked=False),
    # too much, too little, too late, or nothing
    ("talker", "twice"): Deed(UNASKED, NOBODY),
    ("talker", "flood"): Deed(UNASKED, NOBODY),
    ("talker", "flood-greetings"): Deed(violation("length")),
    ("talker", "half"): Deed(violation("length")),
    ("talker", "one-short"): Deed(violation("length")),
    ("talker", "one-long"): Deed(violation("length")),
    ("talker", "one-more"): Deed(violation("length")),
    ("talker", "enormous"): Deed(violation("length")),
    ("talker", "empty"): Deed(violation("silence")),
    ("talker", "nothing"): Deed(violation("silence")),
    ("talker", "late"): Deed(violation("silence")),
    ("talker", "deaf"): Deed(violation("silence"), can_be_marked=False),
    ("talker", "spin"): Deed(violation("silence")),
    ("talker", "hang-up"): Deed(violation("silence")),
    # descriptors
    ("keeper", "keep-one"): Deed(violation("descriptors"), NOBODY),
    ("keeper", "keep-all"): Deed(violation("descriptors"), NOBODY),
    ("keeper", "keep-copy"): Deed(violation("descriptors"), NOBODY),
    ("keeper", "back-one"): Deed(violation("descriptors")),
    ("keeper", "back-many"): Deed(violation("descriptors")),
    ("keeper", "back-channel"): Deed(violation("descriptors")),
    # what no parser in its room can do, and is undone all the same
    ("keeper", "set-linger"): Deed(None, NOBODY),
    ("keeper", "set-mark"): Deed(None, NOBODY),
    ("keeper", "set-offset"): Deed(None, NOBODY),
    ("keeper", "set-nonblocking"): Deed(None, NOBODY),
    # deaths: whoever was alone with a new one, or with two, is refused; of one
    # that is gone before it is asked nobody may have been told
    ("mortal", "greeted-fault"): Deed(death(signal=11), is_unasked=True),
    ("mortal", "greeted-zero"): Deed(death(status=0), is_unasked=True),
    ("mortal", "greeted-hang"): Deed(violation("silence"), is_unasked=True),
    ("mortal", "asked-fault"): Deed(death(signal=11), ALL, CRASHED),
    ("mortal", "asked-zero"): Deed(death(status=0), ALL, CRASHED),
    ("mortal", "asked-three"): Deed(death(status=3), ALL, CRASHED),
    ("mortal", "closed-fault"): Deed(death(signal=11), ALL, CRASHED),
    ("mortal", "closed-zero"): Deed(death(status=0), ALL, CRASHED),
    # with its answer given, nobody is; who came next may be with it already
    ("mortal", "answered-fault"): Deed(death(signal=11), NOBODY),
    ("mortal", "answered-zero"): Deed(death(status=0), NOBODY),
}

# The same from inside: by the parser that ships, in its room.
INSIDE = {
    **{("rider", how): deed._replace(can_be_marked=False)
       for (program, how), deed in DEEDS.items() if program == "liar"},
    ("rider", "replay"): Deed(UNASKED, NOBODY),
    ("rider", "twice"): Deed(UNASKED, NOBODY),
    ("rider", "flood"): Deed(UNASKED, NOBODY),
    ("rider", "half"): Deed(violation("length")),
    ("rider", "one-short"): Deed(violation("length")),
    ("rider", "one-long"): Deed(violation("length")),
    ("rider", "empty"): Deed(violation("silence")),
    ("rider", "nothing"): Deed(violation("silence")),
    ("rider", "spin"): Deed(violation("silence")),
    ("rider", "keep-one"): Deed(violation("descriptors"), NOBODY),
    ("rider", "keep-all"): Deed(violation("descriptors"), NOBODY),
    ("rider", "hang-up"): Deed(death(status=1), ALL, CRASHED),
    ("rider", "asked-zero"): Deed(death(status=0), ALL, CRASHED),
    ("rider", "asked-three"): Deed(death(status=3), ALL, CRASHED),
    ("rider", "closed-zero"): Deed(death(status=0), ALL, CRASHED),
    ("rider", "answered-zero"): Deed(death(status=0), NOBODY),
    # whatever else it tries, the filter ends it
    **{("rider", how): Deed(death(signal=int(signal.SIGSYS)), ALL, CRASHED)
       for how in ("write", "send", "take", "read", "shutdown", "set-linger",
                   "set-nonblocking", "dup", "smuggle", "socket", "open",
                   "execute", "breed", "shoot")},
}


# --- one evil parser and its clients -----------------------------------------

TERMINAL = ("refuse", "help", "exit", "launch-failed", "probe", "gone",
            "evict", "shut-out")
PENALTY_MAX = 4  # seconds; the least there is keeps some away for one
# Nobody is exempt: a penalty that an innocent has shows.
ADMISSION = ("allow any", "penalty malformed 2s", "penalty unknown 2s",
             "penalty denied 2s", "penalty timeout 2s", "penalty crash 2s",
             "penalty-threshold 1s", f"penalty-max {PENALTY_MAX}s")
SOON = 8.0  # seconds, on a machine that does much else
# Deadlines: of all, where most is waited for, and where nobody waits for it;
# of a mark, and of those beside it, who may have to wait for parsers that hang
# for a second each.
ALWAYS_S, CRASHED_S, ONCE_S, MARKED_S = 3, 20, 5, 6
# Starts of parsers: each client is alone with two; of those that die unasked.
MOST_STARTS, UNASKED_A_SECOND = 2 * len(ALL) + 2, 2


def far_hours():
    """Hours that it is not now, nor will be before the test is over."""
    day = time.localtime(time.time() + 3 * 86400).tm_wday
    return f"hours {'mon tue wed thu fri sat sun'.split()[day]} 11:00-12:00"


def evil_program(directory, program, how, when=""):
    """The path of a copy, in that directory, that does so when it is asked."""
    path = shutil.copy(muxes.program(f"tests/evil-parser/{program}"),
                       directory)
    with open(f"{path}.how", "w") as file:
        file.write(f"{how} {when}\n{muxes.program('tcpmuxd-parser')}\n")
    return path


class Client(NamedTuple):
    kind: str
    sock: socket.socket
    addr: str
    port: int
    asked: float


class Evil:
    """A mux with an evil parser, and what its clients were answered."""

    def __init__(self, program, how, when="", netns=None, port=1,
                 parser=("timeout 5s",), listen=(LOCAL4,), **policy):
        self.dir = tempfile.mkdtemp(prefix="tcpmuxd-evil-")
        os.chmod(self.dir, 0o755)
        self.program = evil_program(self.dir, program, how, when)
        till = os.path.join(self.dir, "till")
        os.mkdir(till)
        os.chmod(till, 0o777)  # whoever the service runs as
        self.marker = os.path.join(till, "robbed")
        rob = f"exec /usr/bin/touch {self.marker}"
        policy = {"admission": ADMISSION, "exempt": (), **policy}
        self.mux = Mux(muxes.policy(
            muxes.service("good", "exec /bin/cat"),
            muxes.service("bank", rob),
            muxes.service("denied", rob, allow="192.0.2.1"),
            muxes.service("disabled", rob, head="disabled"),
            muxes.service("hours", rob, far_hours()),
            port=port, listen=listen,
            parser=(f"program {self.program}", *parser), **policy),
            netns=netns, port=port)
        self.descriptors = self.mux.fd_count()
        self.processes = len(muxes.descendants(self.mux.pid))
        self.clients = []  # that wait for their answer
        self._sources = itertools.count()
        self.ended = collections.Counter()  # (address, port) of who had it
        self.served = 0

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

    # clients

    def _next_source(self):
        count = next(self._sources)
        return f"127.1.{count // 250}.{count % 250 + 1}"

    def come(self, kind, source=None):
        """One client, by default of a source of its own."""
        source = source or self._next_source()
        sock = self.mux.connect(source=source)
        client = Client(kind, sock, source, sock.getsockname()[1],
                        time.monotonic())
        self.clients.append(client)
        text = REQUESTS[kind]
        if kind in (URGENT, ALMOST):
            sock.send(text[:URGENT_AT + 1], socket.MSG_OOB)
            text = text[URGENT_AT + 1:]
        sock.sendall(text)
        return client

    def ask(self, *kinds):
        """One client each; all come before any of them is looked at."""
        os.kill(self.mux.pid, signal.SIGSTOP)
        try:
            return [self.come(kind) for kind in kinds]
        finally:
            os.kill(self.mux.pid, signal.SIGCONT)

    @staticmethod
    def _finish(client):
        """If it was closed already, it has an answer that says so."""
        with contextlib.suppress(OSError):
            if client.kind == HALF:
                time.sleep(0.1)
                client.sock.sendall(OTHER_HALF)
            client.sock.shutdown(socket.SHUT_WR)

    def answers(self, expected, limit=15):
        """{client: (answer, seconds until the end)} of all that wait.

        Who expects to be served says all it has to say, and half-closes.
        """
        for client in self.clients:
            if expected[client.kind].answer.startswith(OK):
                self._finish(client)
        got = {client: b"" for client in self.clients}
        ended = {}
        end = time.monotonic() + limit
        while len(ended) < len(got):
            ready = select.select(
                [c.sock for c in got if c not in ended], [], [],
                max(0, end - time.monotonic()))[0]
            assert ready, f"{len(got) - len(ended)} clients wait for ever"
            for client in [c for c in got if c.sock in ready]:
                try:
                    piece = client.sock.recv(4096)
                except ConnectionResetError:
                    piece = b""
                    got[client] = got[client] or RESET
                if piece:
                    got[client] += piece
                    continue
                ended[client] = time.monotonic() - client.asked
        for client in self.clients:
            client.sock.close()
            self.ended[client.addr, client.port] += 1
            self.served += got[client] != RESET and \
                got[client].startswith(OK)
        self.clients = []
        return {client: (got[client], ended[client]) for client in got}

    def expect(self, expected, timeout_s=ONCE_S):
        """All who wait get what stands in {kind: Fate}, and when."""
        for client, (answer, seconds) in self.answers(expected).items():
            fate = expected[client.kind]
            reason = self.reason(client)
            assert answer == fate.answer and reason in fate.reasons, (
                client.kind, answer, reason)
            if fate.is_at_deadline:
                assert timeout_s - 0.2 <= seconds, client.kind
            most = timeout_s * ("timeout" in fate.reasons) + SOON
            assert seconds < most, (client.kind, seconds)

    # the log

    def last_lines(self, addr, port):
        return [line for event in TERMINAL
                for line in self.mux.logs(event, addr=addr, port=port)]

    def reason(self, client):
        """In the one line with which its connection ended."""
        lines = eventually(lambda: self.last_lines(client.addr, client.port),
                           what=f"the last line of port {client.port}")
        return lines[0].get("reason", lines[0]["event"])

    def said(self, deed):
        event, words = deed.said
        return [line for line in self.mux.logs(event)
                if all(line.get(key) in values
                       for key, values in words.items())]

    # the one checker

    def status(self):
        mark = self.mux.mark()
        self.mux.send_signal(signal.SIGUSR1)
        return self.mux.wait_log("status", since=mark)

    def assert_clean(self, deed):
        """After any deed; returns what the mux says of itself."""
        # The parent has nothing left of it, and the room is as it was.
        def is_quiet():
            status = self.status()
            return status if {status[key] for key in (
                "pending", "running", "launching", "lingering", *muxes.COUNTS)
                } == {"0"} else None

        status = eventually(is_quiet, what="the end of the sessions")
        eventually(lambda: self.mux.fd_count() <= self.descriptors,
                   what="the baseline of descriptors")
        # (Those that die unasked are started again and again.)
        eventually(lambda: len(muxes.descendants(self.mux.pid)) in
                   range(self.processes * (not deed.is_unasked),
                         self.processes + 1),
                   what="the baseline of processes")
        assert self.mux.process.poll() is None

        # Nothing was executed but for whom it was asked for and allowed.
        assert not os.path.exists(self.marker)
        launches = self.mux.logs("launch")
        assert {line["service"] for line in launches} <= {"good"}
        assert len(launches) == self.served

        # One last line a connection; none of anything else.
        told = collections.Counter(
            (line["addr"], int(line["port"])) for event in TERMINAL
            for line in self.mux.logs(event))
        assert told == self.ended

        # The deed is in the log, by its name, and no other is.
        bad = self.mux.logs("violation") + self.mux.logs("worker-died")
        if deed.said is None:
            assert bad == []
        else:
            assert bad and bad == self.said(deed), bad
        eventually(lambda: int(self.status()["violations"]) ==
                   len(self.mux.logs("violation")), what="their count")
        return status


# --- when it is done, and what is seen ----------------------------------------



def come_again(evil, deed, sources):
    """Who did nothing wrong is let in: at once, if it is known; within the
    cap of penalties, if a parser's word is all there is."""
    end = time.monotonic() + PENALTY_MAX + SOON
    for source in sources:
        while True:
            evil.come(GOOD, source)
            [(answer, _)] = evil.answers(EXPECTED).values()
            if answer == EXPECTED[GOOD].answer:
                break
            assert deed.is_believed and answer in (b"", RESET), answer
            assert time.monotonic() < end, "shut out for longer than the cap"
            time.sleep(0.1)


def bystanders(evil):
    """One of each kind, one after the other: as if nothing were wrong."""
    for kind in ALL:
        evil.come(kind)
        evil.expect(EXPECTED)


def always_s(deed):
    """Nobody is left of whom a parser dies: their deadline comes for none."""
    return CRASHED_S if (deed.victims, deed.fate) == (ALL, CRASHED) \
        else ALWAYS_S


def always(evil, deed):
    """A parser that does it every time, and every parser after it."""
    evil.ask(*ALL)
    fates = {**EXPECTED, HALF: HELD_UP,  # and never says the rest
             **dict.fromkeys(deed.victims, deed.fate)}
    evil.expect(fates, always_s(deed))
    if deed.victims == NOBODY:
        evil.come(GOOD)
        evil.expect(EXPECTED)
    # A violation can come after the answer: an audit, or a second one.
    if deed.said is not None:
        eventually(lambda: evil.said(deed), what=str(deed.said))
    status = evil.assert_clean(deed)
    # With nobody answered, each start waits twice as long as the last.
    if deed.victims == ALL and not deed.is_unasked:
        assert int(status["workers_started"]) <= MOST_STARTS


def later(evil, deed):
    """Every parser after the first one, which does it when it has answered."""
    evil.come(GOOD)
    evil.expect(EXPECTED)
    always(evil, deed)
    time.sleep(1)  # in which hundreds could be started
    status = evil.status()
    assert int(status["workers_started"]) <= \
        MOST_STARTS + UNASKED_A_SECOND * float(status["uptime_s"])


def once(evil, deed):
    """Nobody who is in the batch is held to account for it."""
    clients = evil.ask(*ALL)
    fates = {kind: deed.fate if deed.is_believed else EXPECTED[kind]
             for kind in ALL}
    evil.expect(fates)
    assert evil.is_spent
    if deed.said is not None:
        eventually(lambda: evil.said(deed), what=str(deed.said))
    come_again(evil, deed,
               [client.addr for client in clients if client.kind in INNOCENT])
    bystanders(evil)
    evil.assert_clean(deed)
    assert len(evil.mux.logs("violation")) <= 1


def marked(evil, deed):
    """Whose bytes make every parser do it holds up nobody else."""
    # If it is done to other kinds than this one: to these, beside it.
    beside = () if UNKNOWN in deed.victims else deed.victims
    waiting = evil.ask(MARK, MARK, *beside)[:2]
    evil.clients = evil.clients[2:]
    evil.expect(EXPECTED)
    bystanders(evil)
    evil.clients = waiting
    fate = deed.fate if UNKNOWN in deed.victims else EXPECTED[MARK]
    evil.expect({MARK: fate}, MARKED_S)
    come_again(evil, deed, ["127.2.0.1"])
    if deed.said is not None:
        eventually(lambda: evil.said(deed), what=str(deed.said))
    evil.assert_clean(deed)


MODES = {"always": (always, always_s), "once": (once, lambda _: ONCE_S),
         "marked": (marked, lambda _: MARKED_S), "later": (later, always_s)}
ONE_AFTER_THE_OTHER = ("workers 1",)


def cases_of(deeds, modes=tuple(MODES)):
    """[(mode, program, how)] of each way in which each can be done."""
    return [(mode, *key) for mode in modes for key, deed in deeds.items()
            if mode in deed.modes]


def run_deed(case, deeds, **place):
    mode, *key = case
    act, timeout_s = MODES[mode]
    deed = deeds[tuple(key)]
    parser = ONE_AFTER_THE_OTHER if mode == "later" else ()
    with Evil(*key, "" if mode == "always" else mode,
              parser=(f"timeout {timeout_s(deed)}s", *parser),
              **place) as evil:
        act(evil, deed)


@contextlib.contextmanager
def all_at_once(request, cases, run):
    """{case: future} of those that were chosen: most of them is waiting."""
    wanted = {item.callspec.params["case"] for item in request.session.items
              if item.fspath == request.fspath and
              "case" in getattr(item, "callspec", _Nothing).params}
    with contextlib.ExitStack() as stack:
        netns = stack.enter_context(Netns()) if muxes.IS_ROOT else None
        pool = stack.enter_context(
            concurrent.futures.ThreadPoolExecutor(max_workers=10))
        yield {case: pool.submit(
            run, case, netns=netns,
            port=1000 + number if muxes.IS_ROOT else muxes.free_port())
            for number, case in enumerate(cases) if case in wanted}


class _Nothing:
    params = ()
