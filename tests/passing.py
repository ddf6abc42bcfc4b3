"""Servers that sessions are passed on to, for the tests of `pass`.

    with Server(path) as server:
        client = mux.connect()
        client.sendall(b"echo\\r\\n")
        session = server.take()
        session.fields["addr"], session.client, session.pipe
"""

import os
import pathlib
import select
import socket
import tempfile

import pytest

from mux import IS_ROOT


@pytest.fixture(scope="module")
def place():
    """A folder for sockets that only root, or we, can change."""
    with tempfile.TemporaryDirectory(prefix="tcpmuxd-test-") as directory:
        os.chmod(directory, 0o755)
        yield pathlib.Path(directory)


class Taken:
    """What came with one message, and the message."""

    def __init__(self, message, fds):
        self.message = message
        self.fds = fds
        self.is_blocking = os.get_blocking(fds[0])
        self.client = socket.socket(fileno=os.dup(fds[0]))
        self.client.settimeout(10)
        self.pipe = fds[1]

    @property
    def fields(self):
        return dict(line.split("=", 1)
                    for line in self.message.decode().splitlines() if line)

    def close_client(self):
        self.client.close()
        if self.fds[0] is not None:
            os.close(self.fds[0])
            self.fds[0] = None

    def end(self):
        self.close_client()
        if self.pipe is not None:
            os.close(self.pipe)
            self.pipe = None


class Server:
    """Listens at a path, and takes what comes when it is told to."""

    def __init__(self, path, backlog=64, uid=None, mode=0o600):
        self.path, self.taken = path, []
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(10)
        path.unlink(missing_ok=True)
        self.socket.bind(str(path))
        os.chmod(path, mode)
        if uid is not None:
            os.chown(path, uid, uid)
            os.seteuid(uid)
        try:
            self.socket.listen(backlog)
        finally:
            if uid is not None:
                os.seteuid(0)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for session in self.taken:
            session.end()
        self.socket.close()
        self.path.unlink(missing_ok=True)

    def accept(self):
        connection, _ = self.socket.accept()
        connection.settimeout(10)
        return connection

    def read(self, connection):
        message, fds, flags, _ = socket.recv_fds(
            connection, 4096, 8, socket.MSG_CMSG_CLOEXEC)
        assert len(fds) == 2 and not flags & socket.MSG_CTRUNC
        session = Taken(message, fds)
        self.taken.append(session)
        return session

    def take(self):
        with self.accept() as connection:
            return self.read(connection)


def is_answered(path):
    """Whether somebody listens there: the file is there a little earlier."""
    with socket.socket(socket.AF_UNIX) as sock:
        return sock.connect_ex(str(path)) == 0


def unmapped_uid():
    """Somebody who is neither root nor us; only root can be him."""
    if not IS_ROOT:
        pytest.skip("only root can be somebody else")
    return 61079


def is_over(pipe, limit=10.0):
    """Whether our end of a pipe has nobody at the other any more."""
    poll = select.poll()
    poll.register(pipe, 0)
    return any(events & select.POLLERR
               for _, events in poll.poll(limit * 1000))

