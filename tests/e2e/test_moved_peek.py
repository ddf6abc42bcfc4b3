"""A parser that keeps peeking while the parent compares.

Where the kernel keeps one peek offset a socket, whoever holds the socket can
move it. The parent must neither start a service that the client did not name
first, nor read a later line as the request after it took out the first.
"""

import os
import shutil
import socket
import tempfile

import pytest

import mux as muxes
from mux import LOCAL4, REFUSAL

WHOLE = (b"foo\r\n",)
URGENT = (b"fo", b"o", b"\r\n")  # the second piece is urgent


@pytest.fixture
def moved(mux_factory):
    """A mux whose parser says `bar` to everything and moves the offset."""
    folder = tempfile.mkdtemp(prefix="tcpmuxd-mover-")
    os.chmod(folder, 0o755)
    program = shutil.copy(muxes.program("tests/evil-parser/mover"), folder)
    with open(f"{program}.how", "w") as file:
        file.write("move\n")
    yield mux_factory(
        muxes.service("foo", "exec /bin/echo I am foo"),
        muxes.service("bar", "exec /bin/echo I am bar"),
        listen=(LOCAL4,),
        parser=(f"program {program}", "timeout 500ms"))
    shutil.rmtree(folder, ignore_errors=True)


def ask(mux, first, behind):
    client = mux.connect(LOCAL4)
    client.settimeout(10)
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if first is URGENT:
        client.send(first[0])
        client.send(first[1], socket.MSG_OOB)
        client.sendall(first[2] + behind)
    else:
        client.sendall(first[0] + behind)
    answer = b""
    try:
        while True:
            got = client.recv(4096)
            if not got:
                return answer
            answer += got
    except OSError as error:
        return answer + repr(error).encode()
    finally:
        client.close()


@pytest.mark.parametrize("first", (WHOLE, URGENT), ids=("whole", "urgent"))
def test_moved_peek_offset_misroutes_nobody(moved, first):
    for _ in range(6):
        answer = ask(moved, first, b"bar\r\n" * 2000)
        assert b"bar" not in answer
        assert answer == REFUSAL
    assert not moved.logs("launch")
    assert moved.logs("violation", reason="mismatch")
