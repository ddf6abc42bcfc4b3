"""A server that is measured: its process, and its clock."""

import contextlib
import os
import signal
import subprocess
import tempfile
import time

import mux

from shared import clock

ADDRESS = "127.0.0.1"
# What a server that cannot be measured ends in; others go on without it.
FAILURES = (OSError, AssertionError, subprocess.SubprocessError)
LISTENS = "0A"  # as the state of a socket in /proc/net/tcp


class Server:
    """argv is started inside the namespace.

    pidfile: where a server that goes into the background says who it is.
    """

    words = ()  # further ones for the load generator
    clients = None  # at most so many, where its backlog is short

    def __init__(self, name, argv, port, netns, address=ADDRESS, pidfile=None,
                 **options):
        self.name, self.address, self.port = name, address, port
        self.rounds = []
        self.clock = clock.make_clock()
        try:
            with netns.entered() if netns else contextlib.nullcontext():
                self.process = subprocess.Popen(
                    argv, stdin=subprocess.DEVNULL,
                    preexec_fn=self.clock.enter, **options)
            self.pid = self.process.pid
            if pidfile is not None:
                self.process.wait(20)
                self.pid = int(mux.eventually(lambda: _read(pidfile)))
        except BaseException:
            self.clock.close()
            raise

    def time_us(self):
        return self.clock.read(self.pid)

    def memory_kb(self):
        return clock.memory_kb(self.pid)

    def has_ended(self):
        return self.process.poll() is not None if \
            self.pid == self.process.pid else \
            not os.path.exists(f"/proc/{self.pid}")

    def listens(self):
        """On its port, with a socket of its own: who can connect there may
        have come to somebody else's."""
        held = set()
        with contextlib.suppress(OSError):
            with os.scandir(f"/proc/{self.pid}/fd") as entries:
                for entry in entries:
                    with contextlib.suppress(OSError):
                        held.add(os.readlink(entry.path))
            return any(socket in held for socket
                       in _listening(self.pid, self.port))
        return False

    def wait_until_it_listens(self):
        mux.eventually(lambda: self.listens() or self.has_ended(), 20,
                       f"its listening on port {self.port}")
        assert not self.has_ended(), "has ended"

    def close(self):
        if self.pid != self.process.pid:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGTERM)
        elif self.process.poll() is None:
            self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.clock.close()


def _listening(pid, port):
    """What is on that port, in the network of that process."""
    for kind in ("tcp", "tcp6"):
        with open(f"/proc/{pid}/net/{kind}") as file:
            rows = [line.split() for line in file.readlines()[1:]]
        yield from (f"socket:[{row[9]}]" for row in rows
                    if row[3] == LISTENS and
                    int(row[1].rpartition(":")[2], 16) == port)


def _read(path):
    with contextlib.suppress(OSError):
        with open(path) as file:
            return file.read().strip()
    return ""


def start_bare(stack, name, netns, port, *words):
    argv = [mux.program("tests/bench/bare-epoll"), *words, "-p", str(port),
            ADDRESS]
    server = Server(name, argv, port, netns, stdout=subprocess.PIPE)
    stack.callback(server.close)
    assert server.process.stdout.readline() == b"ready\n", "no bare server"
    return server


def start_tcpmuxd(stack, netns, port, log, text, name="tcpmuxd"):
    """tcpmuxd with the policy `text`, which listens on `port`."""
    directory = stack.enter_context(
        tempfile.TemporaryDirectory(prefix="tcpmuxd-bench-"))
    path = mux.write_policy(directory, text)
    before = count_lines(log.name, b"event=ready")
    server = Server(name, [mux.program("tcpmuxd"), "-f", path], port, netns,
                    stderr=log)
    stack.callback(server.close)
    end = time.monotonic() + 20
    while count_lines(log.name, b"event=ready") == before:
        if server.has_ended() or time.monotonic() > end:
            with open(log.name) as file:
                raise AssertionError("tcpmuxd is not ready:\n" +
                                     "".join(file.readlines()[-20:]))
        time.sleep(0.02)
    return server


def count_lines(path, word):
    with open(path, "rb") as file:
        return sum(word in line for line in file)
