"""A launch that hangs in execve, behind its `+`: one answer, and no other.

A lease makes every open of the file wait for its holder, and so execve. The
launcher cannot look into a program that its service may only execute, so it
has said `+` by then.
"""

import fcntl
import os
import shutil
import signal

import pytest

from mux import IS_ROOT, OK, eventually, service
from rooms import unsanitized

OWNER = 40001

pytestmark = [unsanitized, pytest.mark.skipif(
    not IS_ROOT, reason="needs root: a lease on another's program")]


@pytest.fixture
def leased(open_path):
    """A program that nobody but its owner may read, and that cannot start."""
    path = open_path / "program"
    shutil.copy("/bin/cat", path)
    os.chown(path, OWNER, OWNER)
    path.chmod(0o711)
    before = signal.signal(signal.SIGIO, signal.SIG_IGN)
    fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_WRLCK)
    yield path
    os.close(fd)
    signal.signal(signal.SIGIO, before)


def test_a_launch_that_hangs_behind_its_plus_is_not_refused_too(
        mux_factory, leased):
    mux = mux_factory(service("leased", f"exec {leased}"))
    baseline = mux.fd_count()
    with mux.connect() as sock:
        sock.settimeout(20)
        sock.sendall(b"leased\r\n")
        answer = b""
        try:
            while got := sock.recv(100):
                answer += got
        except ConnectionResetError:
            pass
    assert answer == OK
    failed = mux.wait_log("launch-failed", service="leased")
    assert (failed["step"], failed["error"]) == ("exec", "ETIMEDOUT")
    assert not mux.logs("refuse") and not mux.logs("launch")
    eventually(lambda: mux.fd_count() == baseline)
