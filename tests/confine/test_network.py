"""`network none`: no way out, not even by the session's own socket."""

import contextlib
import errno
import os
import select
import socket
import subprocess

import pytest

from launchers import (NEW_PRIVILEGES, SELF, Launcher, own, public_directory,
                       read_all)
from mux import IS_ROOT
from rooms import unsanitized
from test_launch_robber import landlock_abi
from test_syscalls import BAD, EVERYTHING, NOBODY, answers

pytestmark = [unsanitized, pytest.mark.skipif(
    not IS_ROOT, reason="services of other users need root")]

E = errno
NAMESPACE, LANDLOCK = 0x1, 0x2
ABI_TCP = 4
WALLS = NAMESPACE | (LANDLOCK if landlock_abi() >= ABI_TCP else 0)
PR_SET_NO_NEW_PRIVS = 38
HIGH = 1 << 32


@pytest.fixture(scope="module")
def network():
    """The descriptor of an empty namespace, as the parent makes it."""
    keeper = subprocess.Popen(
        ["unshare", "-n", "sh", "-c", "echo; exec sleep 600"],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    keeper.stdout.read(1)
    fd = os.open(f"/proc/{keeper.pid}/ns/net", os.O_RDONLY)
    keeper.kill()
    keeper.wait()
    keeper.stdout.close()
    yield fd
    os.close(fd)


def offline(kind, network_fd, walls=WALLS, **keys):
    return {"kind": f"{kind}-offline", "network_fd": network_fd,
            "network": "none", "walls": f"{walls:x}", **keys}


KINDS = [("base", {}), ("full", {"syscalls": "any"}),
         ("full", {"flags": f"{NEW_PRIVILEGES:x}"}),
         ("full", {"syscalls": "stdio"})]


@pytest.mark.parametrize("kind, keys", KINDS)
def test_the_namespace_is_another_and_empty(network, kind, keys):
    with Launcher(**offline(kind, network, **keys), program="/bin/cat",
                  words=["arg=cat"]) as launcher:
        assert launcher.failed is None
        assert set(launcher.fds()) == {*range(6)}
        with launcher.launch() as session:
            assert session.is_running
            inode = os.stat(f"/proc/{session.pid}/ns/net").st_ino
            assert inode == os.fstat(network).st_ino
            assert inode != os.stat("/proc/self/ns/net").st_ino
            with open(f"/proc/{session.pid}/net/dev") as devices:
                names = [line.split(":")[0].strip()
                         for line in devices.readlines()[2:]]
            assert names == ["lo"]
            for file in "route", "if_inet6", "ipv6_route", "fib_trie":
                with contextlib.suppress(FileNotFoundError):
                    with open(f"/proc/{session.pid}/net/{file}") as routes:
                        said = routes.read()
                    assert "127.0.0.1" not in said, file
            session.client.sendall(b"words")
            assert session.client.recv(3) == b"+\r\n"
            assert session.client.recv(5) == b"words"


def test_a_filter_that_only_says_it_was_entered_is_found_out(network):
    with Launcher(**offline("full", network, syscalls="any"),
                  in_child=["seccomp=0"]) as launcher:
        with launcher.launch() as session:
            assert session.statuses == [("filter", E.EPERM)]
            assert session.read() == b""


FAMILIES = [*range(2, 16), *range(17, 50), 2 | HIGH, 10 | HIGH, 17 | HIGH, -1]


@pytest.mark.parametrize("syscalls", ["default", "any"])
def test_no_socket_but_unix_and_netlink(network, syscalls):
    calls = [("socket", family, 9999) for family in FAMILIES]
    said = answers(calls, **offline("full", network, syscalls=syscalls))
    assert set(said.values()) <= {"EAFNOSUPPORT", "EPERM"}
    assert said["socket", 2, 9999] == "EAFNOSUPPORT"
    calls = [("socket", 1, 1), ("socketpair", 1, 1, 0, "addr"),
             ("socket", 16, 2, 0)]
    said = answers(calls, **offline("full", network, syscalls=syscalls))
    assert set(said.values()) == {"done"}


def test_the_kernel_alone_would_refuse_no_socket():
    calls = [("socket", 2, 1), ("socket", 10, 1), ("socket", 17, 3)]
    keys = {**EVERYTHING, "syscalls": "any"}
    assert set(answers(calls, **keys).values()) == {"done"}


def test_no_message_connects(network):
    fast = 0x20000000  # MSG_FASTOPEN
    calls = {"sendto": (0, 0), "sendmsg": (0,), "sendmmsg": (0, 0)}
    with_flag = [(name, BAD, *rest, fast) for name, rest in calls.items()]
    without = [(name, BAD, *rest, 0) for name, rest in calls.items()]
    said = answers(with_flag + without, **offline("base", network))
    assert {said[call] for call in with_flag} == {"EPERM"}
    assert {said[call] for call in without} == {"EBADF"}


ESCAPE = r"""
import ctypes, errno, os, socket, sys
act, port = sys.argv[1], int(sys.argv[2])
def say(word):
    os.write(2, word.encode())
    os._exit(0)
own = socket.socket(fileno=0)
where = ("127.0.0.1", port)
libc = ctypes.CDLL(None, use_errno=True)
if libc.connect(0, bytes(16), 16) != 0:  # AF_UNSPEC: it is nobody's now
    say("no disconnect")
try:
    if act == "connect":
        own.connect(where)
    elif act == "bind":
        own.bind(("127.0.0.1", 0))
    elif act == "listen":
        own.listen(1)
    elif act == "sendto":
        own.sendto(b"x", socket.MSG_FASTOPEN, where)
    elif act == "sendmsg":
        own.sendmsg([b"x"], [], socket.MSG_FASTOPEN, where)
    say("done")
except OSError as error:
    say(errno.errorcode[error.errno])
"""
ACTS = {"connect": "EACCES", "bind": "EACCES", "listen": "EPERM",
        "sendto": "EPERM", "sendmsg": "EPERM"}


def escape(act, port, **keys):
    with Launcher(**keys, program="/usr/bin/python3", stderr="log",
                  words=["arg=python3", "arg=-c", f"arg={ESCAPE}",
                         f"arg={act}", f"arg={port}"]) as launcher:
        with launcher.launch(stderr=True) as session:
            assert session.is_running, session.statuses
            return read_all(session.stderr).decode()


@pytest.mark.skipif(not WALLS & LANDLOCK, reason="Landlock without TCP")
@pytest.mark.parametrize("kind, keys", KINDS[:3])
@pytest.mark.parametrize("act", ACTS)
def test_the_session_s_socket_is_no_way_out(network, act, kind, keys):
    with socket.create_server(("127.0.0.1", 0)) as elsewhere:
        port = elsewhere.getsockname()[1]
        assert escape(act, port, **offline(kind, network, **keys)) == ACTS[act]
        assert not select.select([elsewhere], [], [], 0)[0]


@pytest.mark.parametrize("act", ACTS)
def test_it_would_be_one(act):
    """Or the test above would show nothing."""
    with socket.create_server(("127.0.0.1", 0)) as elsewhere:
        assert escape(act, elsewhere.getsockname()[1]) == "done"


def test_a_ring_is_no_way_either(network):
    keys = offline("full", network, syscalls="any")
    call = ("io_uring_setup", 0, 0)
    assert answers([call], **keys)[call] == "EPERM"


def test_unix_sockets_by_path_remain(network):
    script = ("import socket; s = socket.socket(socket.AF_UNIX); "
              "s.connect('%s'); print(s.recv(9).decode(), flush=True)")
    with public_directory() as place, socket.socket(socket.AF_UNIX) as server:
        path = str(place / "socket")
        server.bind(path)
        os.chmod(path, 0o666)
        server.listen()
        with Launcher(**offline("base", network), program="/usr/bin/python3",
                      words=["arg=python3", "arg=-c",
                             f"arg={script % path}"]) as launcher:
            with launcher.launch() as session:
                server.settimeout(20)
                other, _ = server.accept()
                other.sendall(b"hello")
                other.close()
                assert session.read() == b"+\r\nhello\n"


@pytest.mark.parametrize("kind, keys, filters", [
    ("base", {}, 3), ("full", {"syscalls": "any"}, 1),
    ("full", {"syscalls": "stdio"}, 2),
    ("self", {"user": NOBODY, "flags": f"{SELF:x}", "walls": 0}, 3)])
def test_as_many_filters(network, kind, keys, filters):
    fd = None if kind == "self" else network
    with Launcher(**offline(kind, fd, **keys), program="/bin/cat",
                  words=["arg=cat"]) as launcher:
        with launcher.launch() as session:
            assert session.is_running, session.statuses
            assert (int(own("Seccomp_filters", session.pid)) ==
                    int(own("Seccomp_filters")) + filters)


# --- the steps that fail -----------------------------------------------------

@pytest.mark.parametrize("kind, failure, step", [
    ("base", f"setns={E.EPROTO}", "namespaces"), ("base", "setns=0",
                                                  "namespaces"),
    ("base", f"landlock_restrict_self={E.EPROTO}", "landlock"),
    ("base", f"prctl,{PR_SET_NO_NEW_PRIVS}={E.EPROTO}", "landlock"),
    ("full", f"seccomp={E.EPROTO}", None), ("base", f"seccomp={E.EPROTO}",
                                            "filter"),
])
def test_a_base_s_step_that_fails_is_named(network, kind, failure, step):
    if step == "landlock" and not WALLS & LANDLOCK:
        pytest.skip("Landlock without TCP")
    with Launcher(**offline(kind, network),
                  in_launcher=[failure]) as launcher:
        assert (launcher.failed or [None])[0] == step


def test_a_base_without_its_namespace_is_none():
    with Launcher(**offline("base", None)) as launcher:
        assert launcher.failed[0] == "namespaces"


def test_a_base_in_a_namespace_with_something_in_it_is_none():
    fd = os.open("/proc/self/ns/net", os.O_RDONLY)
    with Launcher(**offline("base", fd)) as launcher:
        assert launcher.failed == ("namespaces", E.EEXIST)
    os.close(fd)


@pytest.mark.parametrize("kind, network_of", [("base", "none"),
                                              ("full", "none")])
def test_services_go_to_their_own_base(network, kind, network_of):
    with Launcher(kind, network=network_of) as launcher:
        with launcher.launch() as session:
            assert session.statuses == [("plan", E.EPERM)]
    with Launcher(f"{kind}-offline", network_fd=network,
                  walls=f"{WALLS:x}") as launcher:
        with launcher.launch() as session:
            assert session.statuses == [("plan", E.EPERM)]
