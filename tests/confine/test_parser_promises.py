"""What SECURITY.md promises of the parser's walls behind its filter.

The filter would kill who tries: here a parser (tests/tools/room-acts) takes
every step of the room but the filter's, and then tries.
"""

import contextlib
import ctypes
import os
import socket
import subprocess

import pytest

from mux import IS_ROOT
from rooms import NOBODY, Parser, unsanitized

pytestmark = [unsanitized, pytest.mark.skipif(
    not IS_ROOT, reason="rooms of other users need root")]

KINDS = {"full": {}, "user": {"uid": NOBODY, "user": NOBODY}, "reduced": {},
         "reduced-user": {"kind": "reduced", "uid": NOBODY, "user": NOBODY}}

# The act, Landlock's answer, and the answer without Landlock of a room that
# keeps the files and processes of its user (reduced, started without root).
ACTS = {
    "root": ("EACCES", "done"), "read_dir": ("EACCES", "done"),
    "read_file": ("EACCES", "done"), "write_file": ("EACCES", "done"),
    "execute": ("EACCES", "ENOEXEC"), "make_dir": ("EACCES", "done"),
    "make_reg": ("EACCES", "done"), "make_fifo": ("EACCES", "done"),
    "make_sock": ("EACCES", "done"), "make_char": ("EACCES", "EPERM"),
    "make_block": ("EACCES", "EPERM"), "make_sym": ("EACCES", "done"),
    "refer": ("EACCES", "done"), "remove_file": ("EACCES", "done"),
    "remove_dir": ("EACCES", "done"), "truncate": ("EACCES", "done"),
    "bind_tcp": ("EACCES", "done"), "connect_tcp": ("EACCES", "done"),
    "ioctl_dev": ("EACCES", "ENOTTY"), "signal": ("EPERM", "done"),
    "abstract_unix_socket": ("EPERM", "done"), "trace": ("EPERM", "done"),
}
# Landlock only says that it was entered. Who is not root may make it say so
# only with no_new_privs, which the room sets anyway.
WITHOUT = {"failures": ["landlock_restrict_self=0"],
           "words": ["setpriv", "--no-new-privs"]}
# The version of Landlock that brought it, where that is not the first.
SINCE = {"truncate": 3, "bind_tcp": 4, "connect_tcp": 4, "ioctl_dev": 5,
         "signal": 6, "abstract_unix_socket": 6}


def landlock_abi():
    libc = ctypes.CDLL(None, use_errno=True)
    return max(libc.syscall(444, None, 0, 1), 0)


only_with_landlock = pytest.mark.skipif(
    landlock_abi() == 0, reason="a kernel without Landlock")


@pytest.fixture
def target(open_path):
    """What an actor may try to get at: all of it is its own user's."""
    for name in "file", "text", "gone":
        (open_path / name).write_text("text\n")
        (open_path / name).chmod(0o700)
    for name in "dir", "gone-dir":
        (open_path / name).mkdir()
    for path in open_path, *open_path.iterdir():
        os.chown(path, NOBODY, NOBODY)
    with contextlib.ExitStack() as stack:
        tcp = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        unix = stack.enter_context(socket.socket(socket.AF_UNIX))
        name = f"tcpmuxd-test-{os.getpid()}"
        unix.bind("\0" + name)
        unix.listen()
        sleeper = subprocess.Popen(["sleep", "60"], user=NOBODY, group=NOBODY,
                                   extra_groups=[])
        stack.callback(sleeper.wait)
        stack.callback(sleeper.kill)
        yield f"{open_path} {tcp.getsockname()[1]} {sleeper.pid} {name}"


def acts(target, **how):
    """{act: what came of it}, once every step but the filter is taken."""
    with Parser(program_name="tests/tools/room-acts", **how) as parser:
        assert parser.failed is None and parser.greeting == b"\0"
        parser.channel.send(target.encode())
        lines = parser.channel.recv(65536).decode().splitlines()
        assert parser.ended() == ("exit", 0)
    return dict(line.split() for line in lines)


@only_with_landlock
def test_landlock_denies_all_that_it_knows(target):
    """Without namespaces, root directory, filter or a uid of its own: in
    the reduced room of a user nothing else is in the way."""
    expected = {act: denied if landlock_abi() >= SINCE.get(act, 1) else free
                for act, (denied, free) in ACTS.items()}
    assert acts(target, **KINDS["reduced-user"]) == expected


def test_the_same_acts_without_landlock_succeed(target):
    """Or the test above would show nothing."""
    said = acts(target, **WITHOUT, **KINDS["reduced-user"])
    assert said == {act: free for act, (_, free) in ACTS.items()}


@only_with_landlock
@pytest.mark.parametrize("kind", KINDS)
def test_every_room_has_landlock(kind, target):
    """Anybody might list a root directory, even an empty one."""
    how = {"kind": kind, **KINDS[kind]}
    said = acts(target, **how)
    free = acts(target, **WITHOUT, **how)
    assert (said["root"], free["root"]) == ("EACCES", "done")
