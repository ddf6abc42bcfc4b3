"""Real parsers in their rooms, started without a tcpmuxd.

    with Parser("full", names=[b"git"]) as parser:
        verdicts = parser.ask([Handover(1, 1, 0, sock)])

The program is the one that ships; tests/tools/room-start starts it with the
parent's own code and says how it ended. What goes over the channel is put
together here again, from the words of core/message.h, not from its code.
"""

import array
import collections
import fcntl
import functools
import os
import select
import signal
import socket
import struct
import subprocess

import pytest

from mux import program

PARSER_ID = 61078
NOBODY = 65534
# What a parser waits in for its next batch, by the call's number.
RECVMSG = {"x86_64": 47, "aarch64": 212}.get(os.uname().machine)
F_ADD_SEALS, SEALS = 1033, 0xF
SO_PEEK_OFF = 42

FINAL, LENIENT_LF = 1, 2
MORE, NAME, HELP, UNKNOWN, MALFORMED, CLOSED = range(1, 7)
NO_NAME = 0xFFFFFFFF
BATCH_MAX = 32

STEPS = """none arguments names image process-group signals descriptors plan
    clone launched cgroup umask scheduling rlimits keyring user-namespace namespaces root mounts
    chdir     groups gid bounding-set securebits uid capabilities process-limit dumpable
    verify no-new-privs landlock init filter program reply exec""".split()

_HANDOVER = struct.Struct("<IQB")
_VERDICT = struct.Struct("<IQBIHB127s")
_STATUS = struct.Struct("<II")



def _is_sanitized():
    try:
        with open(program("tcpmuxd-parser"), "rb") as parser:
            return b"__asan_init" in parser.read()
    except FileNotFoundError:
        return False


unsanitized = pytest.mark.skipif(
    _is_sanitized(), reason="a sanitizer build's room is open at one side")

Handover = collections.namedtuple("Handover", "slot generation flags sock")


class Verdict(collections.namedtuple(
        "Verdict", "slot generation outcome name length claimed")):
    """One answer; what it says of the client is .says."""

    @property
    def says(self):
        return self.outcome, self.name, self.length, self.claimed


@functools.lru_cache(maxsize=None)
def has_i386_gate():
    """Some kernels are without it (ia32_emulation=off): then who goes by it
    ends of SIGSEGV, with or without a filter.
    """
    done = subprocess.run([program("tests/tools/caller")], input="i386 20\n",
                          text=True, capture_output=True, check=True)
    assert done.stdout in ("done\n", f"signal {int(signal.SIGSEGV)}\n")
    return done.stdout == "done\n"


def names_table(names):
    """The block that the parser searches, as core/name.h describes it."""
    names = sorted(name.lower() for name in names)
    offset = 8 + 4 * (len(names) + 1)
    offsets = [offset]
    for name in names:
        offset += len(name)
        offsets.append(offset)
    return struct.pack(f"=II{len(offsets)}I", 0x316E6D74, len(names),
                       *offsets) + b"".join(names)


def memfd(block, seals=SEALS):
    fd = os.memfd_create("names", os.MFD_ALLOW_SEALING)
    os.write(fd, block)
    if seals:
        fcntl.fcntl(fd, F_ADD_SEALS, seals)
    return fd


class Parser:
    """One parser, greeted and waiting unless it failed a step: then .failed
    is (step, errno), and .greeting is empty.

    failures: as room-start's -f; namespaces: {index: path}, its -n; channel:
    a socket to be its channel instead; user: a uid to start it as; words: a
    program before it all; program_name: another program than the parser.
    """

    def __init__(self, kind="full", uid=PARSER_ID, names=(b"git", b"rsync"),
                 block=None, seals=SEALS, failures=(), namespaces=None,
                 channel=None, user=None, words=(),
                 program_name="tcpmuxd-parser"):
        self.names = sorted(names)
        self.channel, end = socket.socketpair(socket.AF_UNIX,
                                              socket.SOCK_SEQPACKET)
        self.channel.settimeout(20)
        table = memfd(names_table(names) if block is None else block, seals)
        status, status_end = os.pipe()
        fds = ((channel or end).fileno(), table, status_end)
        argv = list(words)
        argv += [program("tests/tools/room-start")]
        for failure in failures:
            argv += ["-f", failure]
        for index, path in (namespaces or {}).items():
            argv += ["-n", f"{index}={path}"]
        argv += [program(program_name), kind, str(uid), str(uid)]
        options = {} if user is None else {
            "user": user, "group": user, "extra_groups": []}
        self._starter = subprocess.Popen(
            argv + [str(fd) for fd in fds], pass_fds=fds,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True, **options)
        end.close()
        os.close(status_end)
        os.close(table)
        first = self._starter.stdout.readline().split()
        self.pid = int(first[1]) if first else None
        self.failed = self._read_status(status)
        os.close(status)
        self.greeting = self.channel.recv(64) if channel is None else b""

    @staticmethod
    def _read_status(status):
        report = b""
        while True:
            more = os.read(status, 64)
            if not more:
                break
            report += more
        if not report:
            return None
        step, error = _STATUS.unpack(report)
        return STEPS[step], error

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.channel.close()
        if self._starter.poll() is None:
            self._starter.wait(20)
        self._starter.stdout.close()
        self._starter.stderr.close()

    def ended(self):
        """How it ended: ("exit", N), ("signal", N), or what the starter said.
        """
        self.channel.close()
        # Not communicate(): it would miss what readline has read ahead.
        lines = self._starter.stdout.read().splitlines()
        error = self._starter.stderr.read().strip()
        self._starter.wait(20)
        if not lines:
            return "starter", error
        word, number = lines[-1].split()
        return word, int(number)

    def kill_starter(self):
        self._starter.send_signal(signal.SIGKILL)
        self._starter.wait(20)

    def send(self, message, fds):
        """Any message at all, with these descriptors."""
        rights = array.array("i", fds)
        ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)]
        self.channel.sendmsg([message], ancillary if len(fds) else [])

    def receive(self):
        """The answer's entries; none if the parser has ended."""
        message = self.channel.recv(65536)
        assert len(message) % _VERDICT.size == 0, len(message)
        verdicts = []
        for entry in _VERDICT.iter_unpack(message):
            length, claimed = entry[5], entry[6]
            assert not claimed[length:].strip(b"\0"), "bytes after the claim"
            verdicts.append(Verdict(*entry[:5], claimed[:length]))
        return verdicts

    def ask(self, batch):
        """One batch; the answers, which must be to it and in its order."""
        self.send(encode(batch), [entry.sock.fileno() for entry in batch])
        verdicts = self.receive()
        assert ([(v.slot, v.generation) for v in verdicts] ==
                [(h.slot, h.generation) for h in batch])
        return verdicts

    def ask_all(self, socks, flags=0):
        """Any number of sockets, by full batches; what is said of each."""
        said = []
        for start in range(0, len(socks), BATCH_MAX):
            batch = [Handover(start + i, start * 7919 + i, flags, sock)
                     for i, sock in enumerate(socks[start:start + BATCH_MAX])]
            said += [verdict.says for verdict in self.ask(batch)]
        return said

    def proc(self, name):
        with open(f"/proc/{self.pid}/{name}", "rb") as entry:
            return entry.read().decode()

    def fds(self):
        return {int(fd): os.readlink(f"/proc/{self.pid}/fd/{fd}")
                for fd in os.listdir(f"/proc/{self.pid}/fd")}

    def namespace(self, kind):
        return os.readlink(f"/proc/{self.pid}/ns/{kind}")


def encode(batch):
    return b"".join(_HANDOVER.pack(h.slot, h.generation, h.flags)
                    for h in batch)


class Door:
    """A listener set up as tcpmuxd's, and connections through it."""

    def __init__(self, family=socket.AF_INET):
        self.listener = socket.socket(family, socket.SOCK_STREAM)
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_OOBINLINE, 1)
        try:
            self.listener.setsockopt(socket.SOL_SOCKET, SO_PEEK_OFF, 0)
            self.can_peek_on = True
        except OSError:
            self.can_peek_on = False
        self.listener.bind(("::1" if family == socket.AF_INET6 else
                            "127.0.0.1", 0))
        self.listener.listen(256)

    def close(self):
        self.listener.close()

    def connect(self):
        """(the client's socket, ours)"""
        client = socket.socket(self.listener.family, socket.SOCK_STREAM)
        client.connect(self.listener.getsockname())
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return client, self.listener.accept()[0]


def rewind(sock):
    """What the parent does before it hands a socket over again."""
    try:
        sock.setsockopt(socket.SOL_SOCKET, SO_PEEK_OFF, 0)
    except OSError:
        pass


def wait_bytes(sock, count):
    """Returns once `count` bytes, urgent ones included, have arrived."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, max(count, 1))
    if count > 0:
        poll = select.poll()
        poll.register(sock, select.POLLIN)
        assert poll.poll(10000), f"{count} bytes did not arrive"


def wait_end(sock):
    """Returns once the peer's FIN or RST has arrived."""
    poll = select.poll()
    poll.register(sock, select.POLLRDHUP)
    assert poll.poll(10000), "no end arrived"
