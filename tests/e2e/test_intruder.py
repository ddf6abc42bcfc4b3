"""Services that use being a child of tcpmuxd's against it."""

import contextlib
import ctypes
import os
import signal
import time

import pytest

import groups
from mux import IS_ROOT, OK, program, service
from rooms import unsanitized

pytestmark = [unsanitized, pytest.mark.skipif(
    not IS_ROOT, reason="services of other users need root")]

LIMIT = 5.0  # seconds that anybody else may have to wait; unbounded, 9


def intruder(act):
    """It may make any system call: what a filter refuses is no test of us."""
    return service("intruder", "syscalls any",
                   f"exec {program('tests/tools/intruder')} {act}")


def end(mux):
    """Its orderly end, which has been asked for already."""
    assert mux.process.wait(15) == 0
    mux.assert_no_crash()
    mux._discard()


def test_who_makes_children_of_ours_holds_up_nobody(mux_factory):
    mux = mux_factory(intruder("fork"))
    with contextlib.closing(mux.connect()) as sock:
        sock.sendall(b"intruder\r\n")
        assert sock.recv(len(OK)) == OK
        time.sleep(0.5)
        for _ in range(5):
            start = time.monotonic()
            mux.refused("nobody-here")
            assert time.monotonic() - start < LIMIT
        start = time.monotonic()
        mux.send_signal(signal.SIGTERM)
        end(mux)
        assert time.monotonic() - start < LIMIT


@pytest.mark.skipif(groups.own() is None, reason="no cgroup v2 here")
def test_who_cannot_be_reaped_is_ended_with_its_tracer(mux_factory):
    """By its cgroup; test_failing_calls has where there is none."""
    mux = mux_factory(intruder("hold"))
    with contextlib.closing(mux.connect()) as sock:
        sock.sendall(b"intruder\r\n")
        with contextlib.closing(sock.makefile("rb")) as lines:
            assert [lines.readline(), lines.readline()] == [OK, b"held\n"]
        mux.send_signal(signal.SIGTERM)
        end(mux)
        assert not mux.logs("abandoned")


# --- what is inherited without a word ---------------------------------------

SYS_ADD_KEY, SYS_KEYCTL = 248, 250  # of x86-64
KEYCTL_JOIN_SESSION_KEYRING, SESSION_KEYRING = 1, -3


def take_keyring():
    """As a login of root's has it: with a secret in it."""
    libc = ctypes.CDLL(None)
    libc.syscall(SYS_KEYCTL, KEYCTL_JOIN_SESSION_KEYRING, b"of-roots-login")
    libc.syscall(SYS_ADD_KEY, b"user", b"roots-secret", b"secret", 6,
                 SESSION_KEYRING)


@pytest.mark.skipif(os.uname().machine != "x86_64" or
                    not os.path.exists("/proc/keys"),
                    reason="other numbers, or a kernel without keys")
def test_no_key_of_ours_is_a_service_s(mux_factory):
    mux = mux_factory(service("keys", "exec /bin/cat /proc/keys"),
                      preexec=take_keyring)
    reply, keys = mux.request("keys")
    # Its own user may have keyrings; of any other it may not even see one.
    others = [line for line in keys.splitlines() if b" _uid" not in line]
    assert (reply, others) == (OK, [])
