"""drop-in-kernel: who comes although it is shut out is not even answered.

Dropped means: its connection stays in SYN_SENT while others are served.
"""

import contextlib
import ctypes
import errno
import os
import signal
import socket
import subprocess

import pytest

from mux import (IS_ROOT, LOCAL4, LOCAL6, OK, eventually,
                 policy, service)

pytestmark = pytest.mark.skipif(
    not IS_ROOT, reason="a filter on a TCP socket needs root (Linux 6.18)")

CAT = service("cat", "exec /bin/cat")
TRAP = service("admin", "trap", user=False)
SHORT, LONG = "penalty trap 5s", "penalty trap 1h"
GOOD = {"source": "127.0.9.9"}
ESTABLISHED, SYN_SENT = 1, 2
# SO_GET_FILTER: fails if there is one of more than four instructions.
HAS_FILTER = "import socket; socket.socket(fileno=0).getsockopt(1, 26, 4); " \
    "print('none')"


@pytest.fixture
def mux_of(mux_factory, netns):
    """A mux that drops, with further addresses of IPv6 on its loopback."""
    def make(*admission, services=(CAT, TRAP), addresses=(), sysctls=None,
             **keywords):
        space = netns(sysctls)
        for address in addresses:
            space.ip("addr", "add", f"{address}/128", "dev", "lo")
        keywords.setdefault("exempt", ())
        return mux_factory(*services, admission=admitting(*admission),
                           netns=space, **keywords)
    return make


def admitting(*lines, drop="on"):
    return ("allow any", f"drop-in-kernel {drop}", "penalty-threshold 1s",
            "rate 10000/s burst 10000", "penalty unknown 1m", *lines)


def state_of(sock):
    return sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0]


def knock(mux, source, addr=None):
    """A socket on its way in; not waited for."""
    addr = addr or (LOCAL6 if ":" in source else LOCAL4)
    family = socket.AF_INET6 if ":" in addr else socket.AF_INET
    sock = mux.netns.socket(family)
    sock.setblocking(False)
    sock.bind((source, 0))
    assert sock.connect_ex((addr, mux.port)) in (0, errno.EINPROGRESS)
    return sock


def is_dropped(mux, source, addr=None):
    """Whether its SYN is still unanswered when a later client was served."""
    with knock(mux, source, addr) as sock:
        assert mux.request("cat", b"x", **GOOD) == (OK, b"x")
        return state_of(sock) == SYN_SENT


def is_shut(mux, **how):
    """Whether it is accepted, and closed without a byte."""
    try:
        return mux.raw(b"cat\r\n", half_close=False, **how) == b""
    except ConnectionError:
        return True


def at(source):
    return {"source": source, "addr": LOCAL6} if ":" in source else \
        {"source": source}


def offend(mux, source, name="admin"):
    """Does what is penalised, then comes again: once it is noticed."""
    mux.refused(name, **at(source))
    assert is_shut(mux, **at(source))


def ban(mux, *sources, name="admin"):
    mark = mux.mark()
    for source in sources:
        offend(mux, source, name)
    return mux.wait_log("drop", since=mark, sources=len(sources))


def finish_request(sock):
    """What a client gets that was only waiting to be let in."""
    eventually(lambda: state_of(sock) == ESTABLISHED, 20, "being let in")
    sock.settimeout(20)
    sock.sendall(b"cat\r\nx")
    sock.shutdown(socket.SHUT_WR)
    read_answer(sock)


def read_answer(sock):
    got = b""
    while not got.endswith(b"x"):
        piece = sock.recv(100)
        assert piece, got
        got += piece
    assert got == OK + b"x"


def test_dropped_until_the_penalty_ends(mux_of):
    """A handshake in progress, too: its client is not reset but served later,
    though it believed to be connected all the time."""
    mux = mux_of(SHORT)
    with mux.connect(source="127.0.0.2") as begun:
        mux.refused("admin", source="127.0.0.2")
        assert is_shut(mux, source="127.0.0.2")
        line = mux.wait_log("drop")
        assert (line["sources"], line["ranges"]) == ("1", "1")
        with knock(mux, "127.0.0.2") as sock:
            assert mux.request("cat", b"x", **GOOD) == (OK, b"x")
            assert state_of(sock) == SYN_SENT
            assert mux.request("cat", b"x", addr=LOCAL6) == (OK, b"x")
            begun.sendall(b"cat\r\nx")
            begun.shutdown(socket.SHUT_WR)
            mux.wait_log("drop", sources=0)
            read_answer(begun)
            finish_request(sock)
    assert len(mux.logs("shut-out")) == 1


def test_ipv6_by_64(mux_of):
    addresses = ("fd77:0:0:1::1", "fd77:0:0:1::2", "fd77:0:0:2::1",
                 "fd77::1")
    mux = mux_of(LONG, addresses=addresses)
    ban(mux, addresses[0])
    assert is_dropped(mux, addresses[0])
    assert is_dropped(mux, addresses[1])
    for other in addresses[2:]:
        assert mux.request("cat", b"x", **at(other)) == (OK, b"x")


def test_off_means_accepted_and_closed(mux_factory):
    mux = mux_factory(CAT, TRAP, exempt=(), admission=(
        "allow any", "penalty-threshold 1s", LONG))
    offend(mux, "127.0.0.2")
    for _ in range(5):
        assert is_shut(mux, source="127.0.0.2")
    mux.wait_log("shut-out", reason="penalty", count=6)
    assert not mux.logs("drop")


def test_exempt_inside_a_dropped_source(mux_of):
    mux = mux_of(LONG, "count-by /24 /64", exempt=("127.0.0.5",))
    ban(mux, "127.0.0.2")
    for last in 1, 2, 4, 6, 255:
        assert is_dropped(mux, f"127.0.0.{last}")
    for good in "127.0.0.5", "127.0.1.2":
        assert mux.request("cat", b"x", source=good) == (OK, b"x")


def test_smaller_than_a_64_is_accepted_and_closed(mux_of):
    addresses = "fd77::1", "fd77::2"
    mux = mux_of(LONG, "count-by /32 /128", addresses=addresses)
    offend(mux, addresses[0])
    for _ in range(3):
        assert is_shut(mux, **at(addresses[0]))
    assert mux.request("cat", b"x", **at(addresses[1])) == (OK, b"x")
    assert not mux.logs("drop")


def test_sessions_of_a_dropped_source_go_on(mux_of):
    mux = mux_of(LONG)
    with mux.connect(source="127.0.0.2") as sock:
        sock.sendall(b"cat\r\n")
        assert sock.recv(100) == OK
        ban(mux, "127.0.0.2")
        assert is_dropped(mux, "127.0.0.2")
        sock.sendall(b"still here")
        assert sock.recv(100) == b"still here"
        sock.shutdown(socket.SHUT_WR)
        assert sock.recv(100) == b""


def test_accepted_sockets_have_no_filter(mux_of):
    mux = mux_of(LONG, services=(CAT, TRAP, service(
        "probe", f'exec /usr/bin/python3 -c "{HAS_FILTER}"')))
    ban(mux, "127.0.0.2")
    assert is_dropped(mux, "127.0.0.2")
    assert mux.request("probe", **GOOD) == (OK, b"none\n")


def test_what_a_liar_said_is_taken_out_of_the_filter(mux_of):
    """A parser that falls silent is killed, and its word counts no more."""
    mux = mux_of(parser=("workers 1",))
    ban(mux, "127.0.0.2", name="nothing")
    with knock(mux, "127.0.0.2") as sock:
        assert mux.request("cat", b"x", **GOOD) == (OK, b"x")
        assert state_of(sock) == SYN_SENT
        parser, = mux.parsers()
        os.kill(parser, signal.SIGSTOP)
        assert mux.request("cat", b"x", **GOOD) == (OK, b"x")
        mux.wait_log("violation", reason="silence")
        mux.wait_log("absolve", sources=1)
        mux.wait_log("drop", sources=0)
        finish_request(sock)


MANY = [f"127.0.{i}.7" for i in range(10, 70)]


def count_dropped(mux, sources):
    with contextlib.ExitStack() as stack:
        socks = [stack.enter_context(knock(mux, each)) for each in sources]
        assert mux.request("cat", b"x", **GOOD) == (OK, b"x")
        return sum(state_of(sock) == SYN_SENT for sock in socks)


def test_as_many_as_a_socket_may_have(mux_of):
    """Half of it, so that the next filter has room; others are closed."""
    mux = mux_of(LONG, sysctls={"net.core.optmem_max": 2400})
    for source in MANY:
        offend(mux, source)
    eventually(lambda: 20 < count_dropped(mux, MANY) < len(MANY))
    assert not mux.logs("drop-failed")


def test_too_much_for_the_kernel_is_halved(mux_of):
    """And the filter it replaces, which is too large too, is out of the way."""
    mux = mux_of(LONG)
    for source in MANY[:40]:
        offend(mux, source)
    eventually(lambda: count_dropped(mux, MANY) == 40)
    # More than the filter, which accepted sockets are charged for, too.
    mux.netns.sysctl("net.core.optmem_max", 1300)
    for source in MANY[40:]:
        offend(mux, source)
    failure = mux.wait_log("drop-failed", error="ENOMEM")
    most = int(failure["ranges"])
    assert 0 < most <= len(MANY) / 2
    eventually(lambda: count_dropped(mux, MANY) == most)
    assert len(mux.logs("drop-failed")) == 1


# --- when the policy changes --------------------------------------------------

def reload(mux, *lines, drop="on", exempt=(), listen=(LOCAL4, LOCAL6)):
    mux.reload(policy(CAT, TRAP, port=mux.port, listen=listen, exempt=exempt,
                      admission=admitting(*lines, drop=drop)))


def test_a_reload_switches_it(mux_of):
    mux = mux_of(LONG)
    ban(mux, "127.0.0.2")
    assert is_dropped(mux, "127.0.0.2")
    reload(mux, LONG, drop="off")
    mux.wait_log("drop", sources=0)
    assert is_shut(mux, source="127.0.0.2")
    mark = mux.mark()
    reload(mux, LONG)
    assert is_shut(mux, source="127.0.0.2")
    mux.wait_log("drop", since=mark, sources=1)
    assert is_dropped(mux, "127.0.0.2")


def test_a_reload_s_exempt_are_let_in(mux_of):
    mux = mux_of(LONG, "count-by /24 /64")
    ban(mux, "127.0.0.2")
    assert is_dropped(mux, "127.0.0.2")
    with knock(mux, "127.0.0.3") as sock:
        reload(mux, LONG, "count-by /24 /64", exempt=("127.0.0.3",))
        finish_request(sock)
    eventually(lambda: is_dropped(mux, "127.0.0.2"))
    assert mux.request("cat", b"x", source="127.0.0.3") == (OK, b"x")


def test_a_reload_s_listeners_drop_too(mux_of):
    mux = mux_of(LONG, listen=(LOCAL4,))
    ban(mux, "127.0.0.2")
    reload(mux, LONG, listen=("127.0.0.1", "127.7.7.7"))
    for addr in LOCAL4, "127.7.7.7":
        # From the next turn on; until then it is closed.
        eventually(lambda: is_dropped(mux, "127.0.0.2", addr=addr))
        assert mux.request("cat", b"x", addr=addr, **GOOD) == (OK, b"x")


def test_a_reload_that_makes_the_table_anew(mux_of):
    """Records are others then: nobody else is taken for who was dropped."""
    mux = mux_of(LONG)
    ban(mux, "127.0.0.2", "127.0.0.3")
    reload(mux, LONG, "count-by /24 /64")
    assert mux.request("cat", b"x", **GOOD) == (OK, b"x")
    eventually(lambda: is_dropped(mux, "127.0.0.9"))
    assert is_dropped(mux, "127.0.0.2")


# --- without the privilege ---------------------------------------------------

PR_CAPBSET_DROP, CAP_NET_ADMIN = 24, 12
ATTACH = """
import ctypes, socket
code = ctypes.create_string_buffer(bytes([6, 0, 0, 0, 255, 255, 255, 255]))
program = (1).to_bytes(8, "little") + ctypes.addressof(code).to_bytes(
    8, "little")
socket.socket().setsockopt(socket.SOL_SOCKET, 26, program)
"""


def without_net_admin():
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.prctl(PR_CAPBSET_DROP, CAP_NET_ADMIN, 0, 0, 0) == 0


def test_without_the_privilege_it_is_weaker_and_goes_on(mux_of):
    done = subprocess.run(
        ["/usr/bin/python3", "-c", ATTACH], preexec_fn=without_net_admin,
        check=False, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
    if done.returncode == 0:
        pytest.skip("this kernel asks for no privilege")
    assert b"PermissionError" in done.stderr
    mux = mux_of(LONG, preexec=without_net_admin)
    assert any("drop-in-kernel" in line["text"]
               for line in mux.logs("weaker"))
    offend(mux, "127.0.0.2")
    mux.wait_log("drop-failed", error="EPERM")
    for _ in range(3):
        assert is_shut(mux, source="127.0.0.2")
    assert mux.request("cat", b"x", **GOOD) == (OK, b"x")
    assert len(mux.logs("drop-failed")) == 1
