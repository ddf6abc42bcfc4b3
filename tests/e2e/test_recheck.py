"""What the parent makes of a client's bytes that it cannot have any more."""

import contextlib
import errno
import socket

import pytest

import mux as muxes
from faults import Failing
from mux import IS_ROOT, LOCAL4, REFUSAL, service

pytestmark = pytest.mark.skipif(not IS_ROOT, reason="one namespace each")

LINE = b"first\r\n"
PEEK, DONTWAIT = socket.MSG_PEEK, socket.MSG_DONTWAIT
# The parser asks for as much as a line can have, the parent for this line.
COMPARE = {2: len(LINE), 3: PEEK | DONTWAIT}
TAKE = {2: len(LINE), 3: DONTWAIT}


@pytest.fixture
def failing(mux_factory):
    def make(where, error):
        return mux_factory(
            service("first", "exec /bin/cat"),
            service("second", "exec /bin/cat"), listen=(LOCAL4,),
            preexec=Failing("recvfrom", error=error, equal=where))
    return make


def others_are_served(mux):
    """And what was begun has come to an end: Mux.stop counts."""
    assert mux.request("second", b"x") == (muxes.OK, b"x")


@pytest.mark.parametrize("where", [COMPARE, TAKE], ids=["compare", "take"])
def test_a_client_that_is_gone_is_no_parser_s_lie(failing, where):
    mux = failing(where, errno.ECONNRESET)
    # This one is not really gone: its unread line resets it.
    with contextlib.suppress(ConnectionResetError):
        assert mux.raw(LINE, half_close=False) == b""
    mux.wait_log("gone")
    others_are_served(mux)
    assert not mux.logs("probe")  # it had said what it wants
    assert not mux.logs("violation")


@pytest.mark.parametrize("error", [errno.EAGAIN, 0], ids=["nothing", "end"])
def test_a_line_that_did_not_come_is_one(failing, error):
    """Even if it comes right behind: then it is there to be taken out."""
    mux = failing(COMPARE, error)
    assert mux.raw(LINE, half_close=False) == REFUSAL
    mux.wait_log("violation", reason="mismatch")
    others_are_served(mux)


@pytest.mark.parametrize("error", [errno.EAGAIN, 0], ids=["less", "end"])
def test_what_was_taken_out_and_is_not_the_line_is_not_asked_about_again(
        failing, error):
    mux = failing(TAKE, error)
    assert mux.raw(LINE, half_close=False) == REFUSAL
    mux.wait_log("refuse", reason="mismatch")
    others_are_served(mux)
    assert len(mux.logs("violation")) == 1
