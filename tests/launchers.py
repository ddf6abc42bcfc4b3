"""Real launchers, started without a tcpmuxd, for one service named probe.

    with Launcher(program=PROBE, uid=65534, gid=65534) as launcher:
        with launcher.launch() as session:
            assert session.statuses == [("reply", 0)]
            assert session.read() == b"+\\r\\n..."

The programs are the ones that ship; tests/tools/image writes the policy and
tests/tools/launcher-start fails system calls. What goes over the channel is
put together here again, from the words of core/message.h, not from its code.
"""

import array
import collections
import contextlib
import ctypes
import functools
import os
import pathlib
import resource
import select
import signal
import socket
import struct
import subprocess
import tempfile

import apart
from mux import program
from rooms import SEALS, STEPS, memfd

STDERR_PIPE, CGROUP, CGROUP_BORN = 1, 2, 6
SO_PEEK_OFF = 42
OPEN_LIMIT = 20.0  # seconds: more than any launch takes
LIMIT_CORE = 5  # of enum image_rlimit
SELF, NEW_PRIVILEGES, CAPABILITIES_ALL, DISABLED = 0x08, 0x04, 0x10, 0x01

_ADDR = struct.Struct("<BHI16s")
_LAUNCH = struct.Struct("<QIB")
_STATUS = struct.Struct("<II")


@contextlib.contextmanager
def public_directory():
    """One that services may look into, which pytest's own are not."""
    with tempfile.TemporaryDirectory(prefix="tcpmuxd-test-") as path:
        os.chmod(path, 0o755)
        yield pathlib.Path(path)


def image(words=(), **keys):
    """The image's bytes. words: arg=, env=, group= and rlimit= as they are.

    limits_core: whether core dumps are, as the loader sees to it.
    """
    if keys.pop("limits_core", True):
        words = [f"rlimit={LIMIT_CORE}:0", *words]
    keys = {"program": program("tests/tools/probe"), "uid": 65534,
            "gid": 65534, "stderr": "null", **keys}
    words = [*words] if any(w.startswith("arg=") for w in words) else [
        "arg=probe", *words]
    words += [f"{key}={value}" for key, value in keys.items()]
    return _image_of(tuple(words))


@functools.lru_cache(maxsize=256)
def _image_of(words):
    return subprocess.run([program("tests/tools/image"), *words], check=True,
                          stdin=subprocess.DEVNULL, capture_output=True).stdout


def libraries_of(path):
    """What a program needs to be loaded, its loader included."""
    said = subprocess.run(["ldd", path], capture_output=True, text=True,
                          check=True).stdout
    return [word for word in said.split() if word[0] == "/"]


def landlock_abi():
    """0: there is no Landlock."""
    libc = ctypes.CDLL(None, use_errno=True)
    return max(libc.syscall(444, None, 0, 1), 0)


def encode_addr(addr):
    host, port, scope = addr[0], addr[1], addr[3] if len(addr) > 3 else 0
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    packed = socket.inet_pton(family, host.partition("%")[0])
    return _ADDR.pack(6 if ":" in host else 4, port, scope, packed)


def encode(session, service, flags, peer, local):
    return (_LAUNCH.pack(session, service, flags) + encode_addr(peer) +
            encode_addr(local))


def decode(report):
    return [(STEPS[step], error) for step, error in _STATUS.iter_unpack(report)]


def read_all(fd):
    """All of a pipe, until its last writer is gone."""
    report = b""
    poll = select.poll()
    poll.register(fd, select.POLLIN | select.POLLHUP)
    while True:
        assert poll.poll(OPEN_LIMIT * 1000), "a pipe that does not end"
        more = os.read(fd, 4096)
        if not more:
            return report
        report += more


class Session:
    """One launch, once its status pipe has ended."""

    def __init__(self, client, pid, session, statuses, stderr):
        self.client, self.pid, self.session = client, pid, session
        self.statuses, self.stderr = statuses, stderr

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    @property
    def is_running(self):
        return self.statuses == [("reply", 0)]

    def read(self):
        """All that the client gets, until the end."""
        answer = b""
        while True:
            more = self.client.recv(65536)
            if not more:
                return answer
            answer += more

    def read_until(self, end):
        """What the client gets, up to these bytes."""
        answer = b""
        while end not in answer:
            more = self.client.recv(65536)
            assert more, f"{answer!r} and no {end!r}"
            answer += more
        return answer

    def ended(self):
        """The exit status, or -signal."""
        assert self.pid is not None
        pid, self.pid = self.pid, None
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

    def close(self):
        self.client.close()
        if self.stderr is not None:
            os.close(self.stderr)
            self.stderr = None
        if self.pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
            self.ended()


class Launcher:
    """One launcher; if it failed a step at its start, .failed names it.

    in_launcher, in_child: failures of system calls, as launcher-start's -l
    and -c. block: these bytes as the image. user: a uid to run as. keys: the
    service, as tests/tools/image's arguments. One that has namespaces of its
    own is launched apart: a broken launcher mounts in its own.
    """

    def __init__(self, kind="base", in_launcher=(), in_child=(), user=None,
                 block=None, seals=SEALS, preexec=None, under=(), words=(),
                 channel_type=socket.SOCK_SEQPACKET, family=socket.AF_INET,
                 network_fd=None, **keys):
        self.channel, end = socket.socketpair(socket.AF_UNIX, channel_type)
        self.channel.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self.channel.settimeout(OPEN_LIMIT)
        table = memfd(image(words, **keys) if block is None else block, seals)
        status, status_end = os.pipe()
        fds = (end.fileno(), table, status_end)
        argv = [*under, program("tests/tools/launcher-start")]
        for failure in in_launcher:
            argv += ["-l", failure]
        for failure in in_child:
            argv += ["-c", failure]
        if network_fd is not None:
            argv += ["-n", str(network_fd)]
        argv += [str(fd) for fd in fds]
        fds += (network_fd,) if network_fd is not None else ()
        if "isolate" in keys and preexec is None:
            preexec = apart.leave
        options = {} if user is None else {
            "user": user, "group": user, "extra_groups": []}
        self.process = subprocess.Popen(
            [*argv, program("tcpmuxd-launcher"), kind], pass_fds=fds,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE, preexec_fn=preexec, **options)
        end.close()
        os.close(table)
        os.close(status_end)
        self.pid = self.process.pid
        report = decode(read_all(status))
        os.close(status)
        assert len(report) == 1
        self.failed = None if report == [("none", 0)] else report[0]
        self._sessions = 0
        self.listener = socket.socket(family, socket.SOCK_STREAM)
        self.listener.bind(("::1" if family == socket.AF_INET6 else
                            "127.0.0.1", 0))
        self.listener.listen(64)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.channel.close()
        self.listener.close()
        self.process.wait(OPEN_LIMIT)
        self.process.stderr.close()

    def ended(self):
        """(exit status, what it said), once its channel is closed."""
        self.channel.close()
        said = self.process.stderr.read().decode()
        return self.process.wait(OPEN_LIMIT), said

    def connect(self):
        """(the client's socket, ours)"""
        client = socket.socket(self.listener.family, socket.SOCK_STREAM)
        client.settimeout(OPEN_LIMIT)
        client.connect(self.listener.getsockname())
        return client, self.listener.accept()[0]

    def send(self, message, fds):
        """Any message at all, with these descriptors."""
        ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS,
                      array.array("i", fds))] if fds else []
        self.channel.sendmsg([message], ancillary)

    def launched(self):
        """(pid, session) of the next LAUNCHED."""
        message, ancillary, flags, _ = self.channel.recvmsg(64, 256)
        assert len(message) == 8 and flags == 0
        (level, kind, creds), = ancillary
        assert (level, kind) == (socket.SOL_SOCKET, socket.SCM_CREDENTIALS)
        return struct.unpack("=iII", creds)[0], struct.unpack("<Q", message)[0]

    def launch(self, sock=None, stderr=False, service=0, flags=None,
               peer=None, local=None, prepare=None, cgroup=None):
        """Launch it for a new client (or sock, and then no client); returns
        when the status pipe has ended.
        """
        self._sessions += 1
        session = self._sessions * 0x0100000001
        client, ours = self.connect() if sock is None else (sock, sock)
        if prepare is not None:
            prepare(ours)
        status, status_end = os.pipe()
        fds = [ours.fileno(), status_end]
        error = None
        if stderr:
            error, error_end = os.pipe()
            fds.append(error_end)
        if cgroup is not None:
            fds.append(cgroup)
        if flags is None:
            flags = STDERR_PIPE if stderr else 0
        self.send(encode(session, service, flags,
                         peer or client.getsockname(),
                         local or ours.getsockname()), fds)
        for fd in fds[1:]:
            if fd != cgroup:
                os.close(fd)
        if sock is None:
            ours.close()
        statuses = decode(read_all(status))
        os.close(status)
        pid = None
        if select.select([self.channel], [], [], 0)[0]:
            pid, told = self.launched()
            assert told == session
        return Session(client, pid, session, statuses, error)

    def fds(self):
        """But for those that it closes meanwhile."""
        names = {}
        for fd in os.listdir(f"/proc/{self.pid}/fd"):
            with contextlib.suppress(FileNotFoundError):
                names[int(fd)] = os.readlink(f"/proc/{self.pid}/fd/{fd}")
        return names

    def proc(self, name):
        with open(f"/proc/{self.pid}/{name}", "rb") as entry:
            return entry.read().decode()


# --- what the probe says, and what it should say -----------------------------

def parse_probe(answer):
    """{key: [value, ...]} of what tests/tools/probe wrote."""
    said = collections.defaultdict(list)
    for line in answer.decode().splitlines():
        key, _, value = line.partition(" ")
        said[key].append(value.strip())
    return dict(said)


def own(key, pid="self"):
    """A line of /proc/PID/status."""
    with open(f"/proc/{pid}/status") as file:
        return next(line.split(":", 1)[1].strip() for line in file
                    if line.startswith(key + ":"))


def limits_of(pid):
    """{number: (soft, hard)}, as the probe prints them."""
    if pid == "self":
        return {number: resource.getrlimit(number) for number in range(16)}
    try:
        return {number: resource.prlimit(pid, number) for number in range(16)}
    except PermissionError:  # another's; then they are as we gave them
        return {number: resource.getrlimit(number) for number in range(16)}


def inherited_limits(pid):
    """A service's, of whom this process launches; no core dumps."""
    return {**limits_of(pid), resource.RLIMIT_CORE: (0, 0)}


def null_device():
    return os.stat("/dev/null").st_rdev


NOROOT_LOCKED = 0x3

PEER_WORDS = ("TCPLOCALIP", "TCPLOCALPORT", "TCPREMOTEIP", "TCPREMOTEPORT",
              "REMOTE_ADDR", "REMOTE_HOST", "REMOTE_PORT")


def peer_env(peer, local):
    values = (local[0], local[1], peer[0], peer[1], peer[0], peer[0], peer[1])
    return [f"{name}={value}" for name, value in zip(PEER_WORDS, values)]


def _is_probe_sanitized():
    with open(program("tests/tools/probe"), "rb") as probe:
        return b"__asan_init" in probe.read()


def golden(launched_by, argv, env, pid, uid=65534, gid=65534, groups=(),
           umask=0o077, cwd="/", kept=0, bounding=0, inheritable=None,
           securebits=NOROOT_LOCKED, no_new_privs=1, keepalive=0,
           limits=None, filters=2):
    """All that the probe has to say under a policy, but for its fd lines.

    launched_by: a process from whom it has inherited what a policy cannot
    say. limits: {number: (soft, hard)}, where they are not that one's.
    filters: how many there are of ours; `default` has two.
    """
    if inheritable is None:
        inheritable = kept if uid != 0 else 0
    said = {
        "uids": [f"{uid} {uid} {uid}"], "gids": [f"{gid} {gid} {gid}"],
        "groups": [" ".join(str(group) for group in groups)],
        "pid": [str(pid)], "pgid": [str(pid)], "sid": [str(pid)],
        "argv": list(argv), "env": sorted(env), "umask": [f"{umask:03o}"],
        "cwd": [cwd], "terminal": ["none"],
        "limit": [f"{number} {soft} {hard}" for number, (soft, hard)
                  in (limits or inherited_limits(launched_by)).items()],
        "SigPnd": ["0" * 16], "ShdPnd": ["0" * 16], "SigBlk": ["0" * 16],
        "SigIgn": ["0" * 16], "SigCgt": ["0" * 16],
        "CapInh": [f"{inheritable:016x}"], "CapPrm": [f"{kept:016x}"],
        "CapEff": [f"{kept:016x}"], "CapBnd": [f"{bounding:016x}"],
        "CapAmb": [f"{inheritable:016x}"], "NoNewPrivs": [str(no_new_privs)],
        "Seccomp": ["2" if filters else own("Seccomp")],
        "Seccomp_filters": [str(int(own("Seccomp_filters")) + filters)],
        "Threads": ["1"], "NSpid": [str(pid)],
        "Cpus_allowed_list": [own("Cpus_allowed_list", launched_by)],
        "securebits": [f"{securebits:#x}" if securebits else "0"],
        "death_signal": ["0"], "keepcaps": ["0"], "dumpable": ["1"],
        "nice": [str(os.getpriority(os.PRIO_PROCESS, launched_by))],
        # Its children have not the short slices that it asks for.
        "scheduler": [str(os.sched_getscheduler(launched_by)
                          & ~os.SCHED_RESET_ON_FORK)],
        "personality": ["0"], "oobinline": ["0"], "rcvlowat": ["1"],
        "peek_off": ["-1"], "user_timeout": ["0"], "filter": ["0"],
        "linger": ["0 0"], "keepalive": ["1" if keepalive else "0"],
    }
    if _is_probe_sanitized():
        del said["SigCgt"]  # the sanitizer's own handlers
    with open(f"/proc/{launched_by}/oom_score_adj") as file:
        said["oom_score_adj"] = [file.read().strip()]
    if keepalive:
        said["keepidle"] = [str(keepalive)]
        said["keepintvl"] = [str(min(max(keepalive // 9, 1), 75))]
        said["keepcnt"] = ["9"]
    return said


def assert_golden(said, expected):
    """said: parse_probe's; nothing that expected names may differ."""
    said = {**said, "env": sorted(said.get("env", ()))}
    differing = {key: (said.get(key), value)
                 for key, value in expected.items() if said.get(key) != value}
    assert not differing, f"{{what: (is, should be)}} {differing}"


def assert_descriptors(said, stderr="device"):
    """0 and 1 the one socket, blocking; 2 as the policy says; no others."""
    lines = [line.split() for line in said["fd"]]
    assert [line[0] for line in lines] == ["0", "1", "2"], lines
    zero, one, two = (line[1:] for line in lines)
    assert zero == one and zero[0] == "socket", lines
    for line in lines:
        flags, closes = int(line[3], 0), int(line[4])
        assert flags & (os.O_NONBLOCK | os.O_ASYNC) == 0 and closes == 0, lines
    if stderr == "socket":
        assert two == zero, lines
    else:
        assert two[0] == stderr, lines
    if stderr == "device":
        assert int(two[1]) == null_device(), lines
