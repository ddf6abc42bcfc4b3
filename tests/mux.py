"""A running tcpmuxd for the end-to-end tests, and the client's side of it.

    policy_text = policy(service("cat", "exec /bin/cat"), port=1)
    with Mux(policy_text, netns=netns) as mux:
        assert mux.request("cat", b"hello") == (b"+\\r\\n", b"hello")
        mux.refused("no-such-name")
        mux.wait_log("refuse", reason="unknown")

Usually through the fixture mux_factory of conftest.py, which makes namespace
and port too. Leaving the block is a test in itself: see Mux.stop.
"""

import array
import contextlib
import fcntl
import json
import os
import pwd
import re
import resource
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import termios
import threading
import time
import weakref

import pytest

import groups

OK = b"+\r\n"
REFUSAL = b"-Service not available\r\n"
LOCAL4, LOCAL6 = "127.0.0.1", "::1"
EVERYBODY = ("0.0.0.0/0", "::/0")
PARSER_ID = 61078
IS_ROOT = os.geteuid() == 0

# What the log tells of counts that have to come back to zero.
COUNTS = ("service_sessions", "sources_busy", "shares_busy")
PARSER_COMM = "tcpmuxd-parser"[:15]
PF_FORKNOEXEC = 0x40  # of the flags in proc(5)'s stat
LAUNCHER_COMM = "tcpmuxd-launcher"[:15]
CRASHES = ("AddressSanitizer", "LeakSanitizer", "UndefinedBehaviorSanitizer",
           "runtime error: ", "stack smashing detected",
           "buffer overflow detected", "Assertion `")

_FIELD = re.compile(r'([^\s="]+)=("(?:[^"\\]|\\.)*"|\S*)')
_ESCAPE = re.compile(r"\\(u00[0-9a-f]{2}|.)")
_ESCAPED = {"n": "\n", "t": "\t"}


# --- where the programs are, and policies for them --------------------------

def program(name):
    """The path of a built program, such as tcpmuxd or tests/tools/lossy."""
    build = os.environ.get("TCPMUXD_BUILD", "build")
    path = os.path.abspath(os.path.join(build, name))
    if not os.path.exists(path):
        raise FileNotFoundError(f"{path}: not built")
    return path


def free_port():
    """A high port nobody has, for who may not bind port 1."""
    with socket.socket() as probe:
        probe.bind((LOCAL4, 0))
        return probe.getsockname()[1]


def _block(head, lines):
    lines = [lines] if isinstance(lines, str) else lines
    return "\n\t".join([head + " {", *lines]) + "\n}\n"


def service(name, *lines, user=None, allow="any", head=""):
    """A service; user is nobody (self without root) unless given.

    allow=None writes no allow line, user=False no user line.
    """
    lines = list(lines)
    if user is None:
        user = "nobody" if IS_ROOT else "self"
    if user:
        lines.append(f"user {user}")
    if allow:
        lines.append(f"allow {allow}")
    return _block(f"service {name}{' ' if head else ''}{head}", lines)


def policy(*services, port=1, listen=(LOCAL4, LOCAL6), parser=(),
           admission=("allow any",), exempt=EVERYBODY, defaults=(), top=(),
           root=IS_ROOT):
    """A whole policy. top: further lines or blocks before the services.

    exempt: from rates and penalties. A test is one source that does a lot,
    much of it wrong; exempt=() is for those that are about that. For the same
    reason every line is logged, unless top has a log block of its own; as
    JSON, if TCPMUXD_TEST_FORMAT=json is in the environment.
    """
    parts = ["policy 1\n"]
    parts += [f"listen {address} port {port}\n" for address in listen]
    if root:
        parser = (f"user {PARSER_ID}", f"group {PARSER_ID}", *parser)
    if parser:
        parts.append(_block("parser", parser))
    if admission:
        lines = [admission] if isinstance(admission, str) else [*admission]
        if exempt:
            lines.append("exempt " + " ".join(exempt))
        parts.append(_block("admission", lines))
    if defaults:
        parts.append(_block("defaults", defaults))
    if not any(line.startswith("log ") for line in top):
        form = os.environ.get("TCPMUXD_TEST_FORMAT", "logfmt")
        parts.append(_block("log", ["limit off", f"format {form}"]))
    parts += [line.rstrip("\n") + "\n" for line in top]
    return "".join(parts) + "".join(services)


# --- the client's side ------------------------------------------------------

def splits(request):
    """All the ways to send it: whole, each cut in two, byte by byte."""
    yield [request]
    for cut in range(1, len(request)):
        yield [request[:cut], request[cut:]]
    if len(request) > 2:
        yield [request[i:i + 1] for i in range(len(request))]


def unacknowledged(sock):
    """How many of the bytes sent the peer's kernel has not yet taken."""
    count = array.array("i", [0])
    fcntl.ioctl(sock, termios.TIOCOUTQ, count)
    return count[0]


def wait_acknowledged(sock, limit=5.0):
    """Wait until the peer's kernel has all; False if it took too long."""
    end = time.monotonic() + limit
    while unacknowledged(sock) > 0:
        if time.monotonic() > end:
            return False
        time.sleep(0.0002)
    return True


def send_pieces(sock, pieces, gap=0.0, limit=None):
    """Send each piece as a segment of its own, after the one before arrived.

    Arrived means acknowledged. Without root, loopback delays that (see
    Netns.acknowledge_at_once), but delivers before send() returns: there 2 ms
    bound the wait. gap: seconds more between pieces.
    """
    if limit is None:
        is_local = sock.getpeername()[0] in (LOCAL4, LOCAL6)
        limit = 0.002 if is_local and not IS_ROOT else 5.0
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for i, piece in enumerate(pieces):
        if i > 0:
            wait_acknowledged(sock, limit)
            if gap > 0:
                time.sleep(gap)
        sock.sendall(piece)


def converse(sock, payload=b"", half_close=True, timeout=15.0):
    """Send and read at the same time until the peer's EOF; what it sent.

    Any reset or failing send is raised: no client may see one. half_close:
    end our side once all is sent.
    """
    end = time.monotonic() + timeout
    unsent, received = memoryview(payload), []
    sock.setblocking(False)
    if half_close and not unsent:
        sock.shutdown(socket.SHUT_WR)
    poll = select.poll()
    while True:
        poll.register(sock, select.POLLIN |
                      (select.POLLOUT if unsent else 0))
        left = end - time.monotonic()
        if left <= 0 or not poll.poll(left * 1000):
            raise TimeoutError(f"no EOF in {timeout} s; {len(unsent)} bytes "
                               f"unsent, got {b''.join(received)[:200]!r}")
        with contextlib.suppress(BlockingIOError):
            got = sock.recv(1 << 16)
            if not got:
                return b"".join(received)
            received.append(got)
        if not unsent:
            continue
        with contextlib.suppress(BlockingIOError):
            unsent = unsent[sock.send(unsent):]
            if half_close and not unsent:
                sock.shutdown(socket.SHUT_WR)


def eventually(claim, timeout=10.0, what="it"):
    """Wait for a state of which no event tells; returns what claim did."""
    end = time.monotonic() + timeout
    while True:
        value = claim()
        if value:
            return value
        assert time.monotonic() < end, f"{what} did not come in {timeout} s"
        time.sleep(0.01)


# --- processes --------------------------------------------------------------

def _stat(pid):
    with open(f"/proc/{pid}/stat") as file:
        head, _, tail = file.read().rpartition(") ")
    return head.partition("(")[2], tail.split()


def comm(pid):
    return _stat(pid)[0]


def state(pid):
    """What it is at: R, S, T and so on, as in proc(5)."""
    return _stat(pid)[1][0]


def sleeps_ms(mux):
    """How long it sleeps, unless something comes; None: it does not."""
    with open(f"/proc/{mux.pid}/syscall") as file:
        words = file.read().split()
    return int(words[4], 16) if len(words) > 4 else None


def has_executed(pid):
    """Is it there, and more than a copy of who made it?"""
    with contextlib.suppress(OSError):
        return not int(_stat(pid)[1][6]) & PF_FORKNOEXEC
    return False


def _listed(pid):
    """The pids of its children, living or not, as proc(5) lists them."""
    assert os.path.exists("/proc/thread-self/children"), \
        "this kernel does not list children (CONFIG_PROC_CHILDREN)"
    found = []
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        for task in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{task}/children") as file:
                found += [int(word) for word in file.read().split()]
    return sorted(found)


def children(pid):
    """The pids of its living children.

    Who ends while they are listed can make the kernel skip another: what it
    says twice is so.
    """
    listed, found = _listed(pid), []
    while listed != (listed := _listed(pid)):
        pass
    for child in listed:
        with contextlib.suppress(OSError):
            if state(child) not in "ZX":
                found.append(child)
    return found


def descendants(pid):
    found = []
    for child in children(pid):
        found += [child, *descendants(child)]
    return found


@contextlib.contextmanager
def traced(pid, trace, *words):
    """The process under strace, with these options, writing to trace."""
    if not IS_ROOT:
        pytest.skip("only root can trace an undumpable process")
    if shutil.which("strace") is None:
        pytest.skip("no strace")
    with subprocess.Popen(["strace", "-o", str(trace), *words, "-p",
                           str(pid)], stderr=subprocess.PIPE,
                          text=True) as tracer:
        try:
            first = tracer.stderr.readline()
            if "attached" not in first:
                pytest.skip(f"cannot trace here: {first.strip()}")
            yield
        finally:
            tracer.terminate()
            tracer.wait(10)


@contextlib.contextmanager
def turns(mux, trace, *calls):
    """A list of what it calls, turn by turn, once the block is over."""
    found = []
    with traced(mux.pid, trace, "-e", "signal=none", "-e", "trace=" + ",".join(
            f"?{call}" for call in ("epoll_wait", "epoll_pwait", *calls))):
        yield found
    found += re.split(r"^epoll_p?wait.*\n", trace.read_text(), flags=re.M)


def _start_time(pid):
    """Tells a process from a later one with its pid; None once it is gone."""
    with contextlib.suppress(OSError):
        fields = _stat(pid)[1]
        return None if fields[0] in "ZX" else fields[19]
    return None


# --- the log ----------------------------------------------------------------

def _unique(pairs):
    fields = dict(pairs)
    assert len(fields) == len(pairs), f"a key twice: {pairs}"
    return fields


def parse_line(line):
    """A line, logfmt or JSON, as a dict of strings; its text is under "" ."""
    if line.startswith("{"):
        return {**json.loads(line, parse_int=str, parse_float=str,
                             object_pairs_hook=_unique), "": line}
    fields = {"": line}
    for key, value in _FIELD.findall(line):
        # Only lines of events: problems of a policy quote what they like.
        assert key not in fields or not line.startswith("time="), line
        if value.startswith('"'):
            value = _ESCAPE.sub(
                lambda match: chr(int(match[1][1:], 16))
                if len(match[1]) == 5 else
                _ESCAPED.get(match[1], match[1]), value[1:-1])
        fields[key] = value
    return fields


def _matches(line, event, fields):
    return ((event is None or line.get("event") == event) and
            all(line.get(key) == str(value)
                for key, value in fields.items()))


class Log:
    """What a process writes to its stderr, line by line, as it comes."""

    def __init__(self, stream):
        self.lines = []
        self.ended = False
        self._changed = threading.Condition()
        self._stream = stream
        self._thread = threading.Thread(target=self._collect, daemon=True)
        self._thread.start()

    def _collect(self):
        for raw in self._stream:
            line = parse_line(raw.decode("utf-8", "replace").rstrip("\n"))
            with self._changed:
                self.lines.append(line)
                self._changed.notify_all()
        with self._changed:
            self.ended = True
            self._changed.notify_all()

    def mark(self):
        with self._changed:
            return len(self.lines)

    def find(self, event=None, since=0, **fields):
        with self._changed:
            lines = self.lines[since:]
        return [line for line in lines if _matches(line, event, fields)]

    def wait(self, event=None, timeout=10.0, since=0, count=1, **fields):
        """The first such line (the count-th); fails when it never comes."""
        end = time.monotonic() + timeout
        position, seen = since, 0
        with self._changed:
            while True:
                while position < len(self.lines):
                    line = self.lines[position]
                    position += 1
                    seen += _matches(line, event, fields)
                    if seen == count:
                        return line
                left = end - time.monotonic()
                assert left > 0 and not self.ended, (
                    f"{seen} of {count} lines event={event} {fields}; "
                    f"the last lines are\n{self.tail()}")
                self._changed.wait(left)

    def finish(self):
        """Who outlives a test that failed may hold the other end still:
        closing ours would wait for that."""
        self._thread.join(10)
        if not self._thread.is_alive():
            self._stream.close()

    def tail(self, count=20):
        return "\n".join(line[""] for line in self.lines[-count:])


# --- tcpmuxd ----------------------------------------------------------------

def _give_to(path, user):
    if user is not None:
        entry = pwd.getpwnam(user)
        os.chown(path, entry.pw_uid, entry.pw_gid)


def _identity(user):
    """What Popen needs to start a program as somebody else."""
    if user is None:
        return {}
    entry = pwd.getpwnam(user)
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


def write_policy(directory, text, user=None):
    """The policy as a file that tcpmuxd accepts, run by us or by user."""
    path = os.path.join(directory, "test.policy")
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600),
              "w") as file:
        file.write(text)
    _give_to(path, user)
    return path


class Mux:
    """One tcpmuxd, from its ready line to its clean end."""

    running = weakref.WeakSet()

    def __init__(self, text, netns=None, port=1, args=(), env=None, user=None,
                 rlimits=None, preexec=None, start_timeout=20.0):
        """text: the policy; port: where it says to listen, for connect.

        rlimits: {resource.RLIMIT_X: (soft, hard)}. user: a name, to start it
        as somebody else; preexec: called last before exec.
        """
        if user is not None and not IS_ROOT:
            pytest.skip("only root can start it as another user")
        self.netns, self.port, self.user = netns, port, user
        self.stopped = False
        self._may_leave_some = "leftovers keep" in text
        self.dir = tempfile.mkdtemp(prefix="tcpmuxd-test-")
        os.chmod(self.dir, 0o755)  # services may have to read in it
        _give_to(self.dir, user)
        self.policy_path = write_policy(self.dir, text, user)
        self._sockets = []
        try:
            self._start(args, env, rlimits or {}, preexec, start_timeout)
        except BaseException:
            self._discard()
            raise

    def _start(self, args, env, rlimits, preexec, start_timeout):
        def prepare():
            for limit, value in rlimits.items():
                resource.setrlimit(limit, value)
            if preexec is not None:
                preexec()

        options = _identity(self.user)
        with self._inside():
            self.process = subprocess.Popen(
                [program("tcpmuxd"), *args, "-f", self.policy_path],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE, env=env, cwd="/", **options,
                preexec_fn=prepare if rlimits or preexec else None)
        self.pid = self.process.pid
        self.log = Log(self.process.stderr)
        self.running.add(self)
        self.log.wait("ready", timeout=start_timeout)

    def _inside(self, netns=None):
        netns = netns or self.netns
        return netns.entered() if netns else contextlib.nullcontext()

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind is None:
            self.stop()
        else:
            self.kill()

    # the log

    def logs(self, event=None, since=0, **fields):
        return self.log.find(event, since, **fields)

    def wait_log(self, event=None, timeout=10.0, since=0, count=1, **fields):
        return self.log.wait(event, timeout, since, count, **fields)

    def mark(self):
        """For since=: only lines from here on."""
        return self.log.mark()

    # clients

    def connect(self, addr=LOCAL4, port=None, source=None, netns=None,
                timeout=15.0):
        """A connected socket, closed with the mux at the latest.

        netns: the client's, where that is not the mux's own.
        """
        family = socket.AF_INET6 if ":" in addr else socket.AF_INET
        with self._inside(netns):
            sock = socket.socket(family, socket.SOCK_STREAM)
        self._sockets = [s for s in self._sockets if s.fileno() != -1]
        self._sockets.append(sock)
        sock.settimeout(timeout)
        if source is not None:
            sock.bind((source, 0))
        sock.connect((addr, self.port if port is None else port))
        return sock

    def raw(self, payload, pieces=None, gap=0.0, half_close=True,
            timeout=15.0, **connect):
        """Send pieces and then payload, return every byte that came back."""
        with self.connect(**connect) as sock:
            if pieces is not None:
                send_pieces(sock, pieces, gap)
            return converse(sock, payload, half_close, timeout)

    def request(self, name, data=b"", **how):
        """(the reply line with its CRLF, all that came behind it).

        pieces=: the line (and perhaps more) as it is to be sent, before data.
        """
        line = (name if isinstance(name, bytes) else name.encode()) + b"\r\n"
        payload = data if how.get("pieces") is not None else line + data
        answer = self.raw(payload, **how)
        reply, crlf, rest = answer.partition(b"\r\n")
        return reply + crlf, rest

    def refused(self, name, data=b"", **how):
        """Assert the refusal: every byte of it, and nothing more."""
        reply, rest = self.request(name, data, **how)
        assert (reply, rest) == (REFUSAL, b"")

    # the processes

    def children(self):
        return children(self.pid)

    def parsers(self):
        return self.named(PARSER_COMM)

    def launchers(self):
        """Its children are called so as well, until they exec."""
        return [pid for pid in self.named(LAUNCHER_COMM) if has_executed(pid)]

    def named(self, *names):
        """The processes below it that are called so; some end meanwhile."""
        found = []
        for pid in descendants(self.pid):
            with contextlib.suppress(OSError):
                if comm(pid) in names:
                    found.append(pid)
        return found

    def fd_count(self, pid=None):
        """Without root only Linux 6.2 tells: a mux cannot be looked into."""
        path = f"/proc/{pid or self.pid}/fd"
        return os.stat(path).st_size or len(os.listdir(path))

    def rss(self, pid=None):
        """Resident memory in bytes."""
        with open(f"/proc/{pid or self.pid}/statm") as file:
            return int(file.read().split()[1]) * resource.getpagesize()

    def cpu_seconds(self, pid=None):
        """User and system time of the process itself."""
        fields = _stat(pid or self.pid)[1]
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def send_signal(self, number):
        os.kill(self.pid, number)

    # another policy

    def ask_to_reload(self, text=None):
        """Put that policy in place of the one it has, and send HUP.

        Returns a mark: the lines about it come behind.
        """
        if text is not None:
            write_policy(self.dir, text, self.user)
        since = self.mark()
        self.send_signal(signal.SIGHUP)
        return since

    def reload(self, text=None, timeout=15.0):
        """The same, and wait until it is in force."""
        since = self.ask_to_reload(text)
        end = time.monotonic() + timeout
        while not self.logs("reloaded", since):
            failed = self.logs("reload-failed", since)
            assert not failed and time.monotonic() < end, self.log.tail()
            time.sleep(0.002)

    # the end

    def stop(self, number=signal.SIGTERM, timeout=15.0):
        """End it; it must exit 0, orderly, and leave no room of its own."""
        if self.stopped:
            return
        rooms = {pid: _start_time(pid)
                 for pid in self.parsers() + self.launchers()}
        early = self.process.poll()
        if early is None:
            self.send_signal(number)
        try:
            status = self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"tcpmuxd did not end in {timeout} s; the "
                                 f"last lines are\n{self.log.tail()}")
        try:
            eventually(lambda: not any(
                start is not None and _start_time(pid) == start
                for pid, start in rooms.items()), 5, "the end of the rooms")
        finally:
            self._discard()
        tail = self.log.tail()
        assert early is None, f"ended by itself: {early}\n{tail}"
        assert status == 0, f"exit status {status}\n{tail}"
        self.assert_no_crash()
        self.assert_nothing_counted()
        self.assert_no_group()

    def assert_nothing_counted(self):
        """Whatever happened: who is gone is counted nowhere any more.

        But for services that outlive it, as the policy has it or by force.
        """
        if self._may_leave_some or self.logs("abandoned"):
            return
        for line in self.logs("stopped"):
            left = {key: line[key] for key in COUNTS}
            assert set(left.values()) == {"0"}, f"{left}\n{self.log.tail()}"

    def assert_no_group(self):
        """No session's cgroup, in use or not; but for those given up."""
        if not self.logs("abandoned"):
            assert groups.numbers(self) == [], groups.of(self)

    def assert_no_crash(self):
        for line in self.log.lines:
            assert not any(word in line[""] for word in CRASHES), (
                "\n".join(each[""] for each in self.log.lines[-200:]))

    def kill(self):
        """The end of a test that has failed already."""
        if self.stopped:
            return
        family = [(pid, _start_time(pid)) for pid in descendants(self.pid)]
        self.process.kill()
        self.process.wait()
        for pid, start in family:
            if start is not None and _start_time(pid) == start:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        self._discard()

    def _discard(self):
        self.stopped = True
        self.running.discard(self)
        for sock in self._sockets:
            sock.close()
        process = getattr(self, "process", None)
        if process is not None:
            if process.poll() is None:
                process.kill()
            process.wait()
        if hasattr(self, "log"):
            self.log.finish()
        shutil.rmtree(self.dir, ignore_errors=True)


def run_tcpmuxd(text, *args, netns=None, env=None, user=None, timeout=30,
                under=()):
    """For a tcpmuxd that is to end by itself (-t, -T, a bad policy).

    Returns the CompletedProcess with text output. A text of None gives it no
    policy. under: words of a command that starts it.
    """
    with tempfile.TemporaryDirectory(prefix="tcpmuxd-test-") as directory:
        os.chmod(directory, 0o755)
        _give_to(directory, user)
        words = [*under, program("tcpmuxd"), *args]
        if text is not None:
            words += ["-f", write_policy(directory, text, user)]
        options = _identity(user)
        with netns.entered() if netns else contextlib.nullcontext():
            return subprocess.run(words, stdin=subprocess.DEVNULL, text=True,
                                  capture_output=True, timeout=timeout,
                                  env=env, cwd="/", **options)
