#!/usr/bin/python3
"""Everybody at once, at random, under a checker that knows what each must see.

Clients that are in order, and clients that reset, half-close, do not read, read
slowly, say their line byte by byte or urgently, or never say it; services that
attack tcpmuxd, each other, the log, their limits and their client's socket;
with --poison also a parser that does a deed of evil (tests/evil.py: the rider)
in every batch with a poison connection in it, beside up to 31 others.

For each connection its kind says, before, which bytes it gets and which line
in the log tells of its end. Where more than one thing may happen, MAY says
why. One byte else, a reset that is nobody's, a line too many or too few, and
the run has failed. The seed decides who does what; what meets what is time's.

    make soak SECONDS=600 SEED=1 ARGS='--poison closed-zero'
"""

import argparse
import asyncio
import collections
import contextlib
import fcntl
import os
import random
import re
import shutil
import signal
import socket
import struct
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))

import evil  # noqa: E402
import mux as muxes  # noqa: E402
from mux import OK, REFUSAL, eventually  # noqa: E402
from netns import Netns  # noqa: E402

CLIENTS = 48  # at once
UID, BOMBER = 61082, 61083  # nobody else's here
DEADLINE_S, POISONED_DEADLINE_S = 3, 10
SLACK_S = 20  # on a machine that does much else
NAMES = 1200
GROWTH_BYTES = 1024 * 1024
COUNT = "exec /usr/bin/wc -c"
NUMBERS = b"".join(b"%d\n" % i for i in range(1, 20001))

# What may happen besides the one thing that has to, and why it may.
MAY = {
    "reset": "the client reset it, at a moment that only time knows",
    "late": "a list that is not read by the deadline is cut off",
    "full": "there is one session, and somebody else had it",
    "unread": "it closes with bytes unread, and its kernel resets it",
    "deferred": "the kernel gives who says nothing to nobody",
}


def lines_of_fillers():
    return [f"filler-{i:04}-{'x' * 100}" for i in range(NAMES)]


def service(name, *lines, user=UID, **how):
    return muxes.service(name, *lines, f"group {user}", user=user, **how)


def attack(act, *lines, **how):
    return service(f"attack-{act}", *lines,
                   f"exec {muxes.program('tests/tools/assailant')} {act}",
                   **how)


def services():
    """And HELP's answer."""
    open_to_all = [
        service("cat", "exec /bin/cat"), service("count", COUNT),
        service("numbers", "exec /usr/bin/seq 1 20000"),
        service("narrow", "exec /bin/cat", "sessions 1"),
        attack("rob"), attack("flood"), attack("keep"), attack("spoil"),
        attack("stay", "lifetime 1s"),
        attack("bomb", "limit user-processes 30", user=BOMBER),
        service("attack-linger",
                f"exec {muxes.program('tests/tools/linger')}"),
        *(service(name, "exec /bin/true") for name in lines_of_fillers())]
    closed = [service("denied", "exec /bin/cat", allow="192.0.2.1"),
              service("disabled", "exec /bin/cat", head="disabled"),
              service("hours", "exec /bin/cat", evil.far_hours()),
              muxes.service("trap", "trap", user=False)]
    names = ["cat", "count", "numbers", "narrow", *lines_of_fillers(),
             *(f"attack-{act}" for act in (
                 "rob", "flood", "keep", "spoil", "stay", "bomb", "linger"))]
    return open_to_all + closed, "".join(
        name + "\r\n" for name in sorted(names)).encode()


class Wrong(AssertionError):
    pass


# --- one client -----------------------------------------------------------------

class Client:
    """A connection of a kind's; it keeps what it got, and how it ended."""

    def __init__(self, chaos, kind, rng, small=False):
        self.chaos, self.kind, self.rng = chaos, kind, rng
        self.got, self.end = b"", None
        self.sock = socket.socket()
        self.sock.setblocking(False)
        if small:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2304)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock.bind((f"127.{rng.randrange(2, 250)}.{rng.randrange(250)}."
                        f"{rng.randrange(1, 250)}", 0))
        self.key = self.sock.getsockname()

    async def connect(self):
        await self.chaos.loop.sock_connect(self.sock, (muxes.LOCAL4, 1))
        return self

    async def send(self, data):
        await self.chaos.loop.sock_sendall(self.sock, data)

    async def send_in_pieces(self, data):
        while data:
            length = self.rng.choice((1, 2, 7, 100, 5000, len(data)))
            await self.send(data[:length])
            data = data[length:]
            if self.rng.random() < 0.3:
                await asyncio.sleep(self.rng.random() * 0.02)

    def half_close(self):
        with contextlib.suppress(OSError):
            self.sock.shutdown(socket.SHUT_WR)

    def reset(self):
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                             struct.pack("ii", 1, 0))
        self.sock.close()
        self.end = "our reset"

    async def read(self, most=1 << 16, pause=0.0):
        """All until the end; how that came is in end."""
        while True:
            try:
                piece = await self.chaos.loop.sock_recv(self.sock, most)
            except ConnectionError:
                self.end = "reset"
                return
            if not piece:
                self.end = "eof"
                return
            self.got += piece
            if pause:
                await asyncio.sleep(pause)

    async def talk(self, data, half_close=True, **how):
        """Says it all while it reads."""
        async def say():
            await self.send_in_pieces(data)
            if half_close:
                self.half_close()
        await asyncio.gather(say(), self.read(**how))

    def must(self, is_so, what):
        if not is_so:
            raise Wrong(f"{self.kind} {self.key}: {what}; it ended by "
                        f"{self.end}, and got {len(self.got)} bytes: "
                        f"{self.got[:120]!r}...{self.got[-40:]!r}")

    def must_have(self, answer):
        self.must((self.got, self.end) == (answer, "eof"),
                  f"not {answer[:60]!r} of {len(answer)} bytes")


# --- the kinds: each says what it gets, and returns the lines that may tell -----

KINDS = {}


def kind(weight, small=False):
    def register(function):
        name = function.__name__.replace("_", "-")
        KINDS[name] = (weight, small, function)
        return function
    return register


@kind(10)
async def cat(client, rng):
    data = rng.randbytes(rng.choice((0, 1, 100, 5000, 200000)))
    await client.talk(b"cat\r\n" + data)
    client.must_have(OK + data)
    return {"exit"}


@kind(5)
async def byte_by_byte(client, rng):
    for byte in b"CaT\r\nxyz":
        await client.send(bytes([byte]))
        await asyncio.sleep(rng.random() * 0.01)
    client.half_close()
    await client.read()
    client.must_have(OK + b"xyz")
    return {"exit"}


@kind(5)
async def in_turns(client, rng):
    """Each says its part when the other has said its own."""
    await client.send(b"cat\r\n")
    expected = OK
    for turn in range(rng.randrange(1, 5)):
        await client.send(b"turn %d" % turn)
        expected += b"turn %d" % turn
        while len(client.got) < len(expected):
            piece = await client.chaos.loop.sock_recv(client.sock, 100)
            client.must(piece, "an early end")
            client.got += piece
    client.half_close()
    await client.read()
    client.must_have(expected)
    return {"exit"}


@kind(5)
async def urgent(client, rng):
    """Urgent bytes stand where they were sent, in the line and before it
    ends; behind it they are the service's affair."""
    line = b"cat\r\n"
    at = rng.randrange(len(line))
    await client.send(line[:at])
    client.sock.send(line[at:at + 1], socket.MSG_OOB)
    await client.talk(line[at + 1:] + b"tail")
    client.must_have(OK + b"tail")
    return {"exit"}


@kind(5)
async def half_closed(client, rng):
    data = rng.randbytes(rng.randrange(100000))
    await client.talk(b"count\r\n" + data)
    client.must_have(OK + b"%d\n" % len(data))
    return {"exit"}


@kind(4, small=True)
async def zero_window(client, rng):
    await client.send(b"numbers\r\n")
    await asyncio.sleep(rng.random() * 2)
    await client.read(most=rng.choice((1000, 1 << 16)))
    client.must_have(OK + NUMBERS)
    return {"exit"}


@kind(10)
async def unknown(client, rng):
    tail = rng.randbytes(rng.choice((0, 0, 10, 100000, 1000000)))
    name = b"no-%x" % rng.getrandbits(rng.choice((8, 64, 400)))
    await client.talk(name + b"\r\n" + tail, rng.random() < 0.5)
    client.must_have(REFUSAL)
    return {"refuse unknown"}


@kind(6)
async def malformed(client, rng):
    line = rng.choice((b"\r\n", b"cat\n", b"cat \r\n", b"ca\0t\r\n",
                       b"cat\rx", b"\xff\xfd\x01cat\r\n", b"x" * 128))
    await client.talk(line + rng.randbytes(rng.choice((0, 1000))),
                      rng.random() < 0.5)
    client.must_have(REFUSAL)
    return {"refuse malformed"}


@kind(4)
async def half_a_line_and_an_end(client, rng):
    await client.talk(b"cat\r"[:rng.randrange(1, 5)])
    client.must_have(REFUSAL)
    return {"refuse malformed"}


@kind(4)
async def closed(client, rng):
    name = rng.choice(("denied", "disabled", "hours", "trap"))
    await client.talk(name.encode() + b"\r\nwhatever", rng.random() < 0.5)
    client.must_have(REFUSAL)
    return {f"refuse {name}"}


@kind(3)
async def narrow(client, rng):
    await client.send(b"narrow\r\n")
    await asyncio.sleep(rng.random() * 0.1)
    await client.talk(b"x")
    if client.got == REFUSAL:  # MAY: full
        client.must_have(REFUSAL)
        return {"refuse sessions"}
    client.must_have(OK + b"x")
    return {"exit"}


@kind(3)
async def help_list(client, rng):
    await client.talk(rng.choice((b"HELP\r\n", b"hElP\r\n")),
                      rng.random() < 0.5)
    client.must_have(client.chaos.names)
    return {"help"}


@kind(2, small=True)
async def help_slowly(client, rng):
    await client.send(b"HELP\r\n")
    await client.read(most=4096, pause=0.01)
    client.must_have(client.chaos.names)
    return {"help"}


@kind(2, small=True)
async def help_too_slowly(client, rng):
    """What the kernels of both sides hold may be all there is."""
    await client.send(b"HELP\r\n")
    await asyncio.sleep(client.chaos.deadline_s + 1)
    await client.read()
    client.must(client.chaos.names.startswith(client.got), "another list")
    if client.end == "reset" or client.got != client.chaos.names:
        return {"help timeout"}  # MAY: late
    return {"help", "help timeout"}


@kind(2)
async def never_a_whole_line(client, rng):
    begun = time.monotonic()
    await client.send(b"ca")
    await client.read()
    client.must_have(REFUSAL)
    client.must(time.monotonic() - begun > client.chaos.deadline_s - 0.2,
                "not its deadline")
    return {"refuse timeout"}


@kind(2)
async def silent(client, rng):
    await client.read()
    client.must_have(REFUSAL)
    return {"refuse timeout"}


@kind(2)
async def health_check(client, rng):
    client.sock.close()
    return {"probe"}


# Who resets sees nothing any more; the log tells of it, or nobody was there.

@kind(3)
async def reset_at_once(client, rng):
    client.reset()
    return {"probe", None}  # MAY: reset, deferred


@kind(3)
async def reset_in_line(client, rng):
    await client.send(b"cat"[:rng.randrange(1, 4)])
    await asyncio.sleep(rng.choice((0, 0.01)))
    client.reset()
    return {"probe", "gone", "refuse malformed", None}  # MAY: reset


@kind(3)
async def reset_behind_line(client, rng):
    await client.send(rng.choice((b"cat\r\n", b"numbers\r\n", b"none\r\n",
                                  b"HELP\r\n", b"\1")))
    await asyncio.sleep(rng.choice((0, 0.001, 0.01)))
    client.reset()
    return {"probe", "gone", "exit", "launch-failed", "help",
            "refuse unknown", "refuse malformed", None}  # MAY: reset


@kind(3)
async def reset_in_session(client, rng):
    await client.send(rng.choice((b"cat\r\nhello", b"numbers\r\n")))
    while not client.got.startswith(OK):
        piece = await client.chaos.loop.sock_recv(client.sock, 100)
        client.must(piece, "no answer")
        client.got += piece
    client.reset()
    return {"exit"}


@kind(2)
async def leaves_with_bytes_unread(client, rng):
    await client.send(b"numbers\r\n")
    await asyncio.sleep(rng.random() * 0.05)
    client.sock.close()
    return {"exit", "launch-failed"}  # MAY: unread


# --- the services that attack ---------------------------------------------------

async def attacked(client, act, answer, half_close=True):
    await client.talk(b"attack-%s\r\n" % act, half_close)
    client.must_have(OK + answer)
    return {"exit"}


@kind(2)
async def robber(client, rng):
    return await attacked(client, b"rob", b"robbed 0\n")


@kind(1)
async def flooder(client, rng):
    return await attacked(client, b"flood", b"flooded\n")


@kind(1)
async def bomber(client, rng):
    return await attacked(client, b"bomb", b"bombed\n")


@kind(2)
async def keeper(client, rng):
    """The end comes although a process in hiding has the socket."""
    return await attacked(client, b"keep", b"kept\n")


@kind(1)
async def stayer(client, rng):
    await attacked(client, b"stay", b"stays\n")
    return {"exit lifetime"}


@kind(2)
async def spoiler(client, rng):
    return await attacked(client, b"spoil", b"spoiled\n", rng.random() < 0.5)


@kind(1, small=True)
async def lingerer(client, rng):
    await client.send(b"attack-linger\r\n")
    await asyncio.sleep(rng.random())
    await client.read()
    client.must(client.end == "eof", "cut off")
    client.must(client.got.startswith(OK) and
                set(client.got[len(OK):]) <= set(b"x"), "other bytes")
    return {"exit"}


# --- poison ---------------------------------------------------------------------

BESIDE = ("cat", "byte-by-byte", "urgent", "half-closed", "unknown",
          "malformed", "half-a-line-and-an-end", "closed", "help-list")


async def poison(client, rng):
    """Whoever is alone with a parser when it does its deed meets its fate."""
    await client.talk(b"!now\r\n", half_close=False)
    deed = evil.INSIDE["rider", client.chaos.poison]
    fate = deed.fate if deed.victims == evil.ALL else \
        evil.EXPECTED[evil.MARK]
    client.must_have(fate.answer)
    return {f"refuse {reason}" for reason in fate.reasons}


# --- the log --------------------------------------------------------------------

F_SETPIPE_SZ = 1031
# Of these there are many: so they are told apart faster than others.
OF_A_SERVICE = re.compile(
    rb'time=\S+ level=notice event=stderr service=attack-flood session=\d+ '
    rb'text=(?:[^\s"=]+|"(?:[^"\\]|\\.)*")\n\Z')


class Stream(muxes.Log):
    """Tells of each line as it comes, and keeps the last ones only."""

    KEPT = 500
    PIPE_BYTES = 1 << 20
    told = None  # called with each line

    def _collect(self):
        with contextlib.suppress(OSError):
            fcntl.fcntl(self._stream, F_SETPIPE_SZ, self.PIPE_BYTES)
        for raw in self._stream:
            if self.told is not None and OF_A_SERVICE.match(raw):
                self.told({"event": "stderr"})
                continue
            line = muxes.parse_line(raw.decode("utf-8", "replace")
                                    .rstrip("\n"))
            with self._changed:
                self.lines.append(line)
                if self.told is not None and len(self.lines) > 2 * self.KEPT:
                    del self.lines[:self.KEPT]
                self._changed.notify_all()
            if self.told is not None:
                self.told(line)
        with self._changed:
            self.ended = True
            self._changed.notify_all()


class Ends:
    """Which line has told of the end of whom, and whether it may.

    Lines are heard in the log's thread, clients expect them in their own.
    """

    def __init__(self):
        self._meeting = threading.Lock()
        self.expected = collections.defaultdict(collections.deque)
        self.told = collections.defaultdict(collections.deque)
        self.wrong, self.counts = [], collections.Counter()
        self.events = collections.Counter()
        self.deeds = collections.Counter()

    def hear(self, line):
        event = line.get("event")
        self.events[event] += 1
        if event in ("violation", "worker-died"):
            self.deeds[event, line.get("reason", line.get("status", "-"))] += 1
        if line.get("service") == "forged" or event is None:
            self.wrong.append(f"a line that is not the log's: {line['']}")
        if event in evil.TERMINAL:
            word = " ".join(filter(None, (event, line.get("reason"))))
            self._meet((line["addr"], int(line["port"])), word, None)

    def expect(self, key, kind, words):
        self._meet(key, None, (kind, words))

    def _meet(self, key, word, expectation):
        """The n-th line of an address and port is its n-th connection's."""
        with self._meeting:
            told, expected = self.told[key], self.expected[key]
            if word is not None:
                told.append(word)
            else:
                expected.append(expectation)
            while told and expected:
                word, (kind, words) = told.popleft(), expected.popleft()
                self.counts[kind, word] += 1
                if word not in words:
                    self.wrong.append(f"{kind} {key}: '{word}' in the log")
            if not told and not expected:
                del self.told[key], self.expected[key]

    def left(self):
        """Who had no line, and is not allowed to have none; lines of nobody."""
        for key, expected in self.expected.items():
            for kind, words in expected:
                if None in words:
                    self.counts[kind, "no line"] += 1
                else:
                    yield f"{kind} {key}: no line in the log"
        for key, told in self.told.items():
            if told:
                yield f"{key}: nobody's line: {list(told)}"


# --- the run --------------------------------------------------------------------

def policy(text, parser, poison_program):
    words = [*parser, "workers 2"]
    if poison_program is not None:
        words.append(f"program {poison_program}")
    return muxes.policy(
        *text, listen=(muxes.LOCAL4,), parser=words,
        admission=("allow any", "pending 400"),
        defaults=("sessions 400", "per-source 400"))


def prepare_poison(how, stack):
    """A rider that does this in every batch with a mark in it."""
    place = tempfile.mkdtemp(prefix="tcpmuxd-chaos-")
    stack.callback(shutil.rmtree, place, ignore_errors=True)
    os.chmod(place, 0o755)
    program = shutil.copy(muxes.program("tests/evil-parser/rider"), place)
    with open(f"{program}.how", "w") as file:
        file.write(f"{how} marked\n{muxes.program('tcpmuxd-parser')}\n")
    return program


class Chaos:
    def __init__(self, seed, poison=None):
        self.rng = random.Random(seed)
        self.seed, self.poison = seed, poison
        self.deadline_s = POISONED_DEADLINE_S if poison else DEADLINE_S
        self.done, self.wrong = collections.Counter(), []
        self.ends = Ends()
        self.heard_status, self.log_lost = None, 0

    def __enter__(self):
        self.stack = contextlib.ExitStack()
        try:
            made, self.names = services()
            program = None if self.poison is None else \
                prepare_poison(self.poison, self.stack)
            self.netns = self.stack.enter_context(Netns())
            self.stack.callback(setattr, muxes, "Log", muxes.Log)
            muxes.Log = Stream
            self.mux = self.stack.enter_context(muxes.Mux(policy(
                made, (f"timeout {self.deadline_s}s",), program),
                netns=self.netns))
            self.stack.enter_context(self.netns.entered())
            self.mux.log.told = self._hear
        except BaseException:
            self.stack.close()
            raise
        return self

    def _hear(self, line):
        if line.get("event") == "status":
            self.heard_status = line
        self.ends.hear(line)

    def __exit__(self, *exception):
        return self.stack.__exit__(*exception)

    def state(self):
        """What it holds when nobody is there."""
        def is_quiet():
            self.heard_status = None
            self.mux.send_signal(signal.SIGUSR1)
            status = eventually(lambda: self.heard_status, timeout=30)
            self.log_lost = int(status["log_lost"])
            return {status[key] for key in (
                "pending", "running", "launching", "lingering",
                *muxes.COUNTS)} == {"0"}

        eventually(is_quiet, timeout=60, what="quiet")
        return {"descriptors": self.mux.fd_count(),
                "processes": len(muxes.descendants(self.mux.pid)),
                "rss": self.mux.rss()}

    async def one(self, name, small, function):
        rng = random.Random(self.rng.getrandbits(64))
        client = Client(self, name, rng, small)
        try:
            async with asyncio.timeout(self.deadline_s + SLACK_S):
                await client.connect()
                words = await function(client, rng)
        except TimeoutError:
            self.wrong.append(f"{name} {client.key}: waits for ever, with "
                              f"{client.got[:100]!r}")
        except (OSError, Wrong) as error:
            self.wrong.append(f"{name} {client.key}: {error}")
        else:
            self.done[name] += 1
            self.ends.expect(client.key, name, words)
        finally:
            client.sock.close()

    async def one_of_many(self, until):
        names = list(KINDS)
        weights = [KINDS[name][0] for name in names]
        while time.monotonic() < until:
            name = self.rng.choices(names, weights)[0]
            _, small, function = KINDS[name]
            await self.one(name, small, function)

    async def poisoner(self, until):
        while time.monotonic() < until:
            beside = [self.rng.choice(BESIDE)
                      for _ in range(self.rng.choice((0, 1, 31)))]
            await asyncio.gather(
                self.one("poison", False, poison),
                *(self.one(name, False, KINDS[name][2]) for name in beside))
            await asyncio.sleep(self.rng.random() * 0.3)

    async def _run(self, seconds):
        self.loop = asyncio.get_running_loop()
        until = time.monotonic() + seconds
        await asyncio.gather(
            *(self.one_of_many(until) for _ in range(CLIENTS)),
            *([self.poisoner(until)] if self.poison else []))

    def run(self, seconds):
        asyncio.run(self._run(seconds))

    def problems(self):
        """All that went wrong; only once everybody is gone."""
        left = list(self.ends.left())
        # The log counts lines that nobody took in time: they are missing.
        return [*self.wrong, *self.ends.wrong,
                *(left if len(left) > self.log_lost else [])]


def chaos(seconds, seed, poison=None, say=lambda text: None):
    """What was wrong, in lines; nothing, if all is well."""
    with Chaos(seed, poison) as run:
        run.run(min(2, seconds / 4))
        before = run.state()
        run.run(seconds)
        after = run.state()
        problems = run.problems()
        for key in "descriptors", "processes":
            if after[key] > before[key]:
                problems.append(f"{key}: {before[key]}, then {after[key]}")
        if after["rss"] > before["rss"] + GROWTH_BYTES:
            problems.append(f"rss: {before['rss']}, then {after['rss']}")
        say(f"seed {seed}, {seconds} s, "
            f"{'poison ' + poison if poison else 'no poison'}: "
            f"{sum(run.done.values())} connections")
        for name in sorted(run.done):
            words = ", ".join(
                f"{count} {word}" for (other, word), count in
                sorted(run.ends.counts.items()) if other == name)
            say(f"  {run.done[name]:7} {name:26} {words}")
        say(f"  log: {sum(run.ends.events.values())} lines, of them "
            f"{run.ends.events['stderr']} of services; {run.log_lost} lost; "
            f"deeds: {dict(run.ends.deeds)}")
        say(f"  before: {before}\n  after:  {after}")
        say(f"  wrong: {len(problems)}")
        return problems


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--poison", choices=sorted(
        how for _, how in evil.INSIDE))
    arguments = parser.parse_args()
    problems = chaos(arguments.seconds, arguments.seed, arguments.poison,
                     lambda text: print(text, flush=True))
    for problem in problems[:50]:
        print(problem)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
