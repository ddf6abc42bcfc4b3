"""The log's three ends and two forms, read back whole, stuck and gone.

Syslog and the journal are sockets of the test's own, in a mount namespace
that tcpmuxd is started in: nothing gets to the machine's.
"""

import array
import contextlib
import ctypes
import fcntl
import json
import os
import pathlib
import re
import signal
import socket
import stat
import subprocess
import termios
import threading

import pytest

import mux as muxes
from mux import IS_ROOT, LOCAL4, OK, Log, Mux, eventually, policy, service
from netns import Netns

CLONE_NEWNS = 0x20000
MS_BIND, MS_REC, MS_PRIVATE = 0x1000, 0x4000, 0x40000
HOSTILE = ('a"b\\c', "a=b", "{}", '"}\\', "%n%s", "\\u0000", "'x'", ",",
           '","event":"forged"')
NOISE = bytes(range(1, 256)).replace(b"\n", b"")
only_root = pytest.mark.skipif(not IS_ROOT, reason="mounts need root")

CAT = service("cat", "exec /bin/cat")
LOUD = service("loud", "exec /bin/sh -c 'cat >&2'")


class Server:
    """A datagram socket as journald's or syslogd's: iterate for messages,
    until the process has ended and all is read."""

    def __init__(self, path):
        self.path, self.raw, self.process = path, [], None
        self.may_read = threading.Event()
        self.may_read.set()
        self._wants_restart, self._is_restarted = (threading.Event(),
                                                   threading.Event())
        self._listen()

    def _listen(self):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)
        os.chmod(self.path, 0o666)
        self.socket.settimeout(0.05)

    def restart(self):
        """As an upgrade does: the path stays, the socket behind it goes.

        By the thread that reads it: a socket that is read lives on.
        """
        self._is_restarted.clear()
        self._wants_restart.set()
        assert self._is_restarted.wait(10)

    def _restart(self):
        self.socket.close()
        os.unlink(self.path)
        self._listen()
        self._wants_restart.clear()
        self._is_restarted.set()

    def log_of(self, process, kind):
        self.process = process
        return kind(self)

    def __iter__(self):
        while True:
            self.may_read.wait()
            if self._wants_restart.is_set():
                self._restart()
            try:
                message = self.socket.recv(65536)
            except TimeoutError:
                if self.process.poll() is not None:
                    return
                continue
            self.raw.append(message)
            yield self.line(message)

    def close(self):
        self.socket.close()


class Syslog(Server):
    HEAD = re.compile(rb"<(\d+)>tcpmuxd\[(\d+)\]: ")

    @classmethod
    def line(cls, message):
        return message[cls.HEAD.match(message).end():]


class Journal(Server):
    @staticmethod
    def line(message):
        return dict(field.split(b"=", 1) for field in
                    message.rstrip(b"\n").split(b"\n"))[b"MESSAGE"]


class SunkMux(Mux):
    """A tcpmuxd whose log is read from elsewhere than its stderr.

    make_log: given the Popen, returns the Log. stderr: as Popen's.
    """

    def __init__(self, text, make_log, stderr=subprocess.PIPE, **how):
        self._make_log, self._stderr = make_log, stderr
        super().__init__(text, **how)

    def _start(self, args, env, rlimits, preexec, start_timeout):
        with self._inside():
            self.process = subprocess.Popen(
                [muxes.program("tcpmuxd"), *args, "-f", self.policy_path],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                stderr=self._stderr, env=env, cwd="/", preexec_fn=preexec,
                **muxes._identity(self.user))
        self.pid = self.process.pid
        self.log = self._make_log(self.process)
        if start_timeout:
            self.log.wait("ready", timeout=start_timeout)


@pytest.fixture
def where():
    """Keywords for a SunkMux and its policy: a namespace, or a high port."""
    if not IS_ROOT:
        yield {}, muxes.free_port()
        return
    with Netns() as netns:
        netns.acknowledge_at_once()
        yield {"netns": netns}, 1


def sunk(where, *services, make_log, log, **how):
    place, port = where
    root = IS_ROOT and how.get("user") is None
    text = policy(*services, port=port, root=root, top=[
        "log {", "\tlimit off", *(f"\t{line}" for line in log), "}"])
    return SunkMux(text, make_log, port=port, **place, **how)


class Mounts:
    """For preexec=: a mount namespace where these folders are others."""

    def __init__(self, **binds):
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._binds = [(os.fsencode(source), b"/" + target.encode())
                       for target, source in binds.items()]

    def _mount(self, source, target, flags):
        if self._libc.mount(source, target, None, ctypes.c_ulong(flags),
                            None) != 0:
            raise OSError(ctypes.get_errno(), f"mount {target}")

    def __call__(self):
        if self._libc.unshare(CLONE_NEWNS) != 0:
            raise OSError(ctypes.get_errno(), "unshare")
        self._mount(b"none", b"/", MS_REC | MS_PRIVATE)
        for source, target in self._binds:
            self._mount(source, target, MS_BIND | MS_REC)


@pytest.fixture
def run(tmp_path):
    """A /run with a place for the journal's socket."""
    (tmp_path / "run/systemd/journal").mkdir(parents=True)
    return tmp_path / "run"


@pytest.fixture
def dev(tmp_path):
    """A /dev with what tcpmuxd and services need, and no log."""
    place = tmp_path / "dev"
    place.mkdir()
    for name in "null", "zero", "urandom":
        os.mknod(place / name, stat.S_IFCHR | 0o666,
                 os.stat(f"/dev/{name}").st_rdev)
        (place / name).chmod(0o666)
    (place / "fd").symlink_to("/proc/self/fd")
    return place


# --- forms ------------------------------------------------------------------

def provoke(mux):
    """Events with other people's bytes in them."""
    for name in HOSTILE:
        mux.refused(name)
    assert mux.request("loud", NOISE + b"\nplain\n") == (OK, b"")
    assert mux.request("cat", b"x") == (OK, b"x")
    mux.raw(b"\xff\r\n")
    mux.send_signal(signal.SIGUSR1)
    mux.wait_log("status")
    mux.wait_log("exit", count=2)


def check_hostile(mux):
    claimed = [line for line in mux.logs("refuse") if "claimed" in line]
    assert [line["claimed"] for line in claimed] == [
        name.lower() for name in HOSTILE]
    assert not any("service" in line for line in claimed)
    assert not mux.logs("forged")
    noise, plain = mux.logs("stderr", service="loud")
    assert plain["text"] == "plain"
    assert noise["text"].encode("latin-1") == NOISE


def test_json_is_json_whatever_is_in_it(where):
    with sunk(where, CAT, LOUD, log=["format json"],
              make_log=lambda process: Log(process.stderr)) as mux:
        provoke(mux)
        check_hostile(mux)
        launch = json.loads(mux.logs("launch", service="cat")[0][""])
        assert isinstance(launch["session"], int)
        assert isinstance(launch["pid"], int)
        assert (launch["addr"], launch["level"]) == (LOCAL4, "info")
        exit_ = json.loads(mux.logs("exit")[0][""])
        assert isinstance(exit_["duration_s"], float)
        status = json.loads(mux.logs("status")[0][""])
        assert status["refused"] == len(HOSTILE) + 1
    assert mux.logs("stopped")
    for line in mux.log.lines:
        # Warnings about the policy come before the log has a form.
        assert line[""].startswith("{") or ": warning: " in line[""]
        assert line[""].isascii() and line[""].isprintable()


def test_logfmt_can_be_read_back(where):
    with sunk(where, CAT, LOUD, log=["format logfmt"],
              make_log=lambda process: Log(process.stderr)) as mux:
        provoke(mux)
        text = [line[""] for line in mux.log.lines]
    assert all(line.isascii() and line.isprintable() for line in text)
    quoted = [re.search(r' claimed=("(?:[^"\\]|\\.)*"|\S+)', line)
              for line in text]
    quoted = [found[1] for found in quoted if found]
    # What is quoted is quoted as JSON, and nothing else needs to be.
    assert [json.loads(word) if word[0] == '"' else word
            for word in quoted] == [name.lower() for name in HOSTILE]
    noise = next(line for line in text if r"\u0001" in line)
    assert json.loads(noise[noise.index("text=") + 5:]).encode("latin-1") == \
        NOISE


# --- syslog and the journal -------------------------------------------------

SEVERITY = {"error": 3, "warning": 4, "notice": 5, "info": 6, "debug": 7}
FACILITY = {"": 3, " daemon": 3, " local3": 19, " authpriv": 10, " user": 1}


@pytest.fixture
def stderr(tmp_path):
    """A file to be tcpmuxd's standard error; afterwards it must be empty."""
    with open(tmp_path / "stderr", "w+") as file:
        yield file
        file.seek(0)
        said = [line for line in file if ": warning: " not in line]
        assert said == []


@only_root
@pytest.mark.parametrize("facility", FACILITY)
def test_syslog(where, dev, stderr, facility):
    server = Syslog(str(dev / "log"))
    with sunk(where, CAT, LOUD, log=[f"to syslog{facility}", "format json"],
              args=["-d"], preexec=Mounts(dev=dev), stderr=stderr,
              make_log=lambda process: server.log_of(process, Log)
              ) as mux:
        provoke(mux)
        check_hostile(mux)
        with open(mux.policy_path, "a") as file:
            file.write("no-directive\n")
        mux.send_signal(signal.SIGHUP)
        mux.wait_log("reload-failed", reason="policy")
    assert mux.logs("stopped")
    levels = set()
    for message in server.raw:
        priority, pid = Syslog.HEAD.match(message).groups()
        level = json.loads(Syslog.line(message))["level"]
        assert int(priority) == FACILITY[facility] * 8 + SEVERITY[level]
        assert int(pid) == mux.pid and not message.endswith(b"\n")
        levels.add(level)
    assert levels >= {"error", "notice", "info", "debug"}


OURS = "df2a11bdc559888d"


def message_id(event):
    """As the manual has it: FNV-1a of the word behind eight bytes of ours."""
    hash_ = 0xcbf29ce484222325
    for byte in event.encode():
        hash_ = (hash_ ^ byte) * 0x100000001b3 % (1 << 64)
    return OURS + f"{hash_ & ~(3 << 62) | 1 << 63:016x}"


def pairs_of(text):
    """The pairs of a line, each value as it is written between its quotes."""
    if text.startswith("{"):
        found = re.findall(r'"(\w+)":("(?:[^"\\]|\\.)*"|[0-9.]+)[,}]', text)
    else:
        found = re.findall(r'(\w+)=("(?:[^"\\]|\\.)*"|\S+)', text)
    return {key: value[1:-1] if value[0] == '"' else value
            for key, value in found}


def journal_fields(message):
    assert message.endswith(b"\n")
    fields = [field.split("=", 1)
              for field in message[:-1].decode("ascii").split("\n")]
    assert all(re.fullmatch(r"[A-Z][A-Z0-9_]{0,63}", name)
               for name, _ in fields)
    assert all(value.isprintable() for _, value in fields)
    assert len(dict(fields)) == len(fields)
    return dict(fields)


@only_root
@pytest.mark.parametrize("form", ["logfmt", "json"])
def test_journal(where, run, stderr, form):
    server = Journal(str(run / "systemd/journal/socket"))
    with sunk(where, CAT, LOUD, log=["to journal", f"format {form}"],
              stderr=stderr, preexec=Mounts(run=run),
              make_log=lambda process: server.log_of(process, Log)) as mux:
        provoke(mux)
        check_hostile(mux)
    assert mux.logs("stopped")
    ids = {}
    for message in server.raw:
        fields = journal_fields(message)
        pairs = pairs_of(fields.pop("MESSAGE"))
        pairs.pop("time")
        level = pairs.pop("level")
        assert fields.pop("SYSLOG_IDENTIFIER") == "tcpmuxd"
        assert int(fields.pop("PRIORITY")) == SEVERITY[level]
        ids[pairs["event"]] = fields.pop("MESSAGE_ID")
        assert fields == {f"TCPMUX_{key.upper()}": value
                          for key, value in pairs.items()}
    assert ids.keys() >= {"refuse", "launch", "exit", "stderr", "ready"}
    assert ids == {event: message_id(event) for event in ids}
    manual = pathlib.Path("man/tcpmuxd.8").read_text()
    assert OURS in manual and message_id("refuse") in manual
    noise, = [m for m in map(journal_fields, server.raw)
              if r"\u0001" in m["MESSAGE"]]
    assert json.loads(f'"{noise["TCPMUX_TEXT"]}"').encode("latin-1") == NOISE


@only_root
@pytest.mark.parametrize("to", ["syslog", "journal"])
def test_server_that_is_restarted(where, dev, run, stderr, to):
    """A new socket behind the old path: no line is lost but those between."""
    server = Syslog(str(dev / "log")) if to == "syslog" else \
        Journal(str(run / "systemd/journal/socket"))
    with sunk(where, CAT, log=[f"to {to}"], stderr=stderr,
              preexec=Mounts(dev=dev, run=run),
              make_log=lambda process: server.log_of(process, Log)) as mux:
        for i in range(3):
            mux.refused(f"before-{i}")
            mux.wait_log("refuse", claimed=f"before-{i}")
            server.restart()
            mux.refused(f"after-{i}")
            mux.wait_log("refuse", claimed=f"after-{i}")
    assert mux.logs("stopped")[0]["log_lost"] == "0"


@only_root
@pytest.mark.parametrize("to", ["syslog", "journal"])
def test_no_server_at_start(where, dev, run, to):
    """Then stderr has the log, and the first line says why."""
    with sunk(where, CAT, log=[f"to {to}"], preexec=Mounts(dev=dev, run=run),
              make_log=lambda process: Log(process.stderr)) as mux:
        failed = mux.wait_log("start-failed")
        assert (failed["step"], failed["error"]) == ("log", "ENOENT")
        assert mux.request("cat", b"x") == (OK, b"x")
        mux.wait_log("exit")


def lost_and_found(mux, refused):
    """Every refusal was logged, or counted as lost; and that it was is told.

    Other lines may be lost as well, so that there are at least as many.
    """
    told = len(mux.logs("refuse"))
    lost = sum(int(line["lines"]) for line in mux.logs("log-lost"))
    assert 0 < told < refused, told
    assert lost >= refused - told
    stopped = mux.logs("stopped")
    return told, lost, stopped


@only_root
@pytest.mark.parametrize("to", ["syslog", "journal"])
def test_server_that_does_not_read(where, dev, run, stderr, to):
    server = Syslog(str(dev / "log")) if to == "syslog" else \
        Journal(str(run / "systemd/journal/socket"))
    with sunk(where, CAT, log=[f"to {to}"], stderr=stderr,
              preexec=Mounts(dev=dev, run=run),
              make_log=lambda process: server.log_of(process, Log)) as mux:
        server.may_read.clear()
        many = 1000
        for _ in range(many):
            mux.refused("unknown")
        assert mux.request("cat", b"x") == (OK, b"x")
        server.may_read.set()
        eventually(lambda: mux.send_signal(signal.SIGUSR1) or
                   mux.logs("log-lost"))
    lost_and_found(mux, many)


# --- the journal's stream ---------------------------------------------------

class Stream:
    """Both ends of what stderr is; iterate for lines, without what is to stand
    before each."""

    def __init__(self, kind, has_priorities):
        self._has_priorities = has_priorities
        if kind == "socket":
            ours, self.theirs = socket.socketpair()
            self._lines = ours.makefile("rb")
            ours.close()
        else:
            ours, theirs = os.pipe()
            self._lines = open(ours, "rb")
            self.theirs = open(theirs, "wb", buffering=0)

    def name(self):
        about = os.fstat(self.theirs.fileno())
        return f"{about.st_dev}:{about.st_ino}"

    def __iter__(self):
        for raw in self._lines:
            number, line = re.fullmatch(rb"(?:<(\d)>)?(.*\n)", raw).groups()
            if self._has_priorities:
                level = muxes.parse_line(line.decode()).get("level")
                if b": warning: " in line:
                    level = "warning"
                assert int(number) == SEVERITY[level], raw
            else:
                assert number is None, raw
            yield line

    def close(self):
        self._lines.close()


@pytest.mark.parametrize("kind", ["socket", "pipe"])
@pytest.mark.parametrize("form", ["logfmt", "json"])
@pytest.mark.parametrize("is_journal", [True, False])
def test_priorities_for_the_journal(where, kind, form, is_journal):
    """Only on the very stream that the service manager has named."""
    stream = Stream(kind, is_journal)
    named = stream.name() if is_journal else f"9{stream.name()}"
    with sunk(where, CAT, LOUD, log=["to stderr", f"format {form}"],
              stderr=stream.theirs, env={"JOURNAL_STREAM": named}, args=["-d"],
              make_log=lambda _: Log(stream)) as mux:
        stream.theirs.close()
        mux.refused("unknown")
        assert mux.request("cat", b"x") == (OK, b"x")
        mux.send_signal(signal.SIGHUP)
        mux.wait_log("exit")
    levels = {line.get("level") for line in mux.log.lines}
    assert levels >= {"debug", "info", "notice"}
    # Both services are one user's: the policy's check says so before all.
    assert any(": warning: " in line[""] for line in mux.log.lines)
    assert mux.logs("stopped")


# --- a stuck standard error -------------------------------------------------

class Stuck:
    """A stream that is not read until it may be."""

    def __init__(self, stream):
        self._stream = stream
        self.may_read = threading.Event()

    def __iter__(self):
        for line in self._stream:
            yield line
            if b" event=ready " in line:
                self.may_read.wait()

    def close(self):
        self.may_read.set()
        self._stream.close()


class UntilReady(Stuck):
    """A stream that nobody reads, or holds, once tcpmuxd is ready."""

    def __iter__(self):
        for line in self._stream:
            yield line
            if b" event=ready " in line:
                self._stream.close()
                return


def waiting_bytes(stream):
    count = array.array("i", [0])
    fcntl.ioctl(stream, termios.FIONREAD, count)
    return count[0]


@pytest.mark.parametrize("kind", [
    "pipe", "socket", pytest.param("roots-pipe", marks=only_root)])
def test_stderr_that_nobody_reads(where, kind):
    """Clients are served, no line is torn, what was lost is told later.

    roots-pipe: one that tcpmuxd, started as nobody, may only write to, and
    not open again to have it non-blocking for itself.
    """
    cat, how = CAT, {}
    if kind == "roots-pipe":
        cat = service("cat", "exec /bin/cat", user="self")
        how = {"user": "nobody"}
        where[0]["netns"].sysctl("net.ipv4.ip_unprivileged_port_start", 0)
    ours, theirs = socket.socketpair() if kind == "socket" else \
        [open(end, "wb" if i else "rb", buffering=0)
         for i, end in enumerate(os.pipe())]
    stream = ours.makefile("rb") if kind == "socket" else \
        open(ours.fileno(), "rb", closefd=False)
    stuck = Stuck(stream)
    try:
        with sunk(where, cat, log=["to stderr"], stderr=theirs,
                  make_log=lambda _: Log(stuck), **how) as mux:
            theirs.close()
            many = 0
            # The pipe is full when no more comes to it.
            before, now = -1, 0
            while before != now and many < 20000:
                for _ in range(500):
                    mux.refused("unknown-" + "x" * 100)
                many += 500
                before, now = now, waiting_bytes(ours)
            assert many < 20000
            assert mux.request("cat", b"x") == (OK, b"x")
            stuck.may_read.set()
            eventually(lambda: mux.send_signal(signal.SIGUSR1) or
                       mux.logs("log-lost"))
            mux.refused("last")
            mux.wait_log("refuse", claimed="last")
        told, lost, stopped = lost_and_found(mux, many + 1)
        assert int(stopped[0]["log_lost"]) == lost
        whole = re.compile(r"time=\S{24} level=\S+ event=\S+( \S+=(\S+|"
                           r'"[^"]*"))*$')
        for line in mux.log.lines:
            assert whole.match(line[""]) or ": warning: " in line[""]
    finally:
        stream.close()
        ours.close()


def test_stderr_that_is_gone(where):
    """Its reader has ended: no reason to end, too."""
    ours, theirs = os.pipe()
    stream = UntilReady(open(ours, "rb"))
    with sunk(where, CAT, log=["to stderr"], stderr=theirs,
              make_log=lambda _: Log(stream)) as mux:
        os.close(theirs)
        for _ in range(20):
            assert mux.request("cat", b"x") == (OK, b"x")
            mux.refused("unknown")
