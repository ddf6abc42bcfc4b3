"""Link-local addresses: one address on two links is two hosts."""

import contextlib
import socket

import pytest

from mux import IS_ROOT, OK, REFUSAL, Mux, converse, policy, service
from netns import Netns

pytestmark = pytest.mark.skipif(not IS_ROOT, reason="needs links of its own")

CAT = "exec /bin/cat"
OURS, THEIRS, SERVED_HERE = "fe80::1", "fe80::2", 7


def link(inside, outside, device):
    """A link between the two, where each has a link-local address."""
    inside.ip("link", "add", device, "type", "veth", "peer", "name", "eth0",
              "netns", outside.path)
    for netns, name, addr in (inside, device, OURS), (outside, "eth0", THEIRS):
        netns.ip("link", "set", name, "addrgenmode", "none")
        netns.ip("link", "set", name, "up")
        netns.ip("addr", "add", f"{addr}/64", "dev", name, "nodad")


def number(netns, device):
    return int(netns.ip("-o", "link", "show", device).partition(":")[0])


class Links:
    """A mux on two links, and a host on each, with the same address."""

    def __init__(self, stack, text=None, **how):
        self.inside, *self.hosts = (stack.enter_context(Netns())
                                    for _ in range(3))
        for host, device in zip(self.hosts, ("left0", "right0")):
            link(self.inside, host, device)
        self.mux = stack.enter_context(
            Mux(text(self), netns=self.inside, **how))

    def connect(self, host, port=1):
        with self.hosts[host].entered():
            sock = socket.socket(socket.AF_INET6)
            sock.settimeout(15)
            sock.connect((OURS, port, 0, socket.if_nametoindex("eth0")))
        return sock

    def ask(self, host, request, port=1):
        """What it got; None if nobody is there, or hung up on it."""
        try:
            with self.connect(host, port) as sock:
                return converse(sock, request) or None
        except OSError:
            return None


def policy_of(links):
    right = number(links.inside, "right0")
    return policy(
        service("left", CAT, allow="fe80::%left0/64"),
        service("right", CAT, allow=f"fe80::2%{right}"),
        service("another", CAT, allow="fe80::3%right0"),
        service("set", CAT, allow="@net"),
        service("not-left", CAT, "deny fe80::%left0/10", "allow fe80::/10",
                allow=None),
        service("both", CAT, allow="fe80::/64"),
        listen=("::",), top=("net net fe80::%left0/128 fe80::2%left0",
                             f"listen {OURS}%right0 port {SERVED_HERE}"))


@pytest.fixture(scope="module")
def links():
    with contextlib.ExitStack() as stack:
        yield Links(stack, policy_of)


@pytest.mark.parametrize("name, hosts", [
    ("left", {0}), ("right", {1}), ("another", set()), ("set", {0}),
    ("not-left", {1}), ("both", {0, 1})])
def test_prefix_of_a_link(links, name, hosts):
    for host in 0, 1:
        answer = links.ask(host, name.encode() + b"\r\nx")
        assert answer == (OK + b"x" if host in hosts else REFUSAL)


def test_help_by_the_link(links):
    assert links.ask(0, b"HELP\r\n") == b"both\r\nleft\r\nset\r\n"
    assert links.ask(1, b"HELP\r\n") == b"both\r\nnot-left\r\nright\r\n"


def test_listener_of_a_link(links):
    assert links.ask(1, b"both\r\nx", SERVED_HERE) == OK + b"x"
    assert links.ask(0, b"both\r\nx", SERVED_HERE) is None


def test_the_log_tells_the_link(links):
    mark = links.mux.mark()
    links.ask(0, b"right\r\n")
    line = links.mux.wait_log("refuse", since=mark, reason="denied")
    left = number(links.inside, "left0")
    assert line["addr"] == f"{THEIRS}%{left}"


def test_hosts_of_two_links_are_two_sources():
    """With one connection a source: each has one, the same address or not."""
    text = policy(service("cat", CAT), listen=("::",), admission=(
        "allow any", "per-source 1", "count-by /32 /128"))
    with contextlib.ExitStack() as stack:
        links = Links(stack, lambda _: text)
        with links.connect(0) as left, links.connect(1) as right:
            for sock in left, right:
                sock.sendall(b"cat\r\n")
                assert sock.recv(len(OK), socket.MSG_WAITALL) == OK
            assert not links.mux.logs("shut-out")
            for host in 0, 1:
                assert links.ask(host, b"cat\r\nx") is None
            links.mux.wait_log("shut-out", count=2, reason="per-source")
