"""What a `listen` line says of its listener, and `on` of a service's."""

import re
import socket

import pytest

from clients import Ask, Urgent, urgent_at, wave
from mux import (IS_ROOT, LOCAL4, LOCAL6, OK, REFUSAL, Mux, policy, service,
                 splits)
from netns import VETH_A4, Netns, veth

CAT = "exec /bin/cat"
MGMT, LAX, FREE = 2, 3, 4
LISTENS = (f"listen {LOCAL4} port {MGMT} name mgmt backlog 7",
           f"listen {LOCAL6} port {MGMT} name mgmt",
           f"listen {LOCAL4} port {LAX} name lax lenient-lf",
           f"listen {LOCAL6} port {LAX} lenient-lf name lax6",
           f"listen 192.0.2.99 port {FREE} freebind",
           f"listen 2001:db8::99 freebind port {FREE}")

pytestmark = pytest.mark.skipif(not IS_ROOT, reason="low ports, namespaces")


@pytest.fixture(scope="module")
def mux(shared_mux_factory):
    return shared_mux_factory(
        service("cat", CAT), service("managed", CAT, "on mgmt"),
        service("both", CAT, "on mgmt lax"),
        service("denied", CAT, "on mgmt", allow="192.0.2.0/24"),
        admission=("allow any", "pending 1000", "pending-per-source 1000",
                   "per-source 1000"),
        defaults=("sessions 500", "per-source 500"), top=LISTENS)


# --- on ---------------------------------------------------------------------

@pytest.mark.parametrize("addr", [LOCAL4, LOCAL6])
def test_on_the_listeners_of_that_name(mux, addr):
    assert mux.request("managed", b"x", addr=addr, port=MGMT) == (OK, b"x")
    assert mux.request("both", b"x", addr=addr, port=MGMT) == (OK, b"x")
    assert mux.request("cat", b"x", addr=addr, port=MGMT) == (OK, b"x")


def test_not_on_others(mux):
    mark = mux.mark()
    mux.refused("managed")
    line = mux.wait_log("refuse", since=mark, reason="listener",
                        service="managed")
    with open(mux.policy_path) as file:
        number = int(line["rule"].rpartition(":")[2])
        assert file.readlines()[number - 1].strip() == "on mgmt"
    mux.refused("both")
    mux.refused("both", addr=LOCAL6, port=LAX)  # another name
    assert mux.request("both", b"x", port=LAX) == (OK, b"x")


def test_help_names_what_is_on_this_listener(mux):
    assert mux.raw(b"help\r\n") == b"cat\r\n"
    assert mux.raw(b"help\r\n", port=MGMT) == b"both\r\ncat\r\nmanaged\r\n"
    assert mux.raw(b"help\r\n", port=LAX) == b"both\r\ncat\r\n"


# --- lenient-lf -------------------------------------------------------------

def lax(mux, asks, port=LAX, addr=LOCAL4):
    return [(ask, answer)
            for ask, answer in wave(mux, asks, port=port, addr=addr)]


@pytest.mark.parametrize("addr", [LOCAL4, LOCAL6])
@pytest.mark.parametrize("line", [b"cat\n", b"CAT\r\n"])
def test_a_bare_lf_in_every_split(mux, line, addr):
    for tail in b"", b"\n", b"\r\nmore":
        asks = [Ask(pieces, tail, True) for pieces in splits(line)]
        for _, answer in lax(mux, asks, addr=addr):
            assert answer == OK + tail


def test_help_with_a_bare_lf_in_every_split(mux):
    asks = [Ask(pieces) for pieces in splits(b"HELP\n")]
    for _, answer in lax(mux, asks):
        assert answer == b"both\r\ncat\r\n"


def test_a_bare_lf_with_an_urgent_byte(mux):
    """No byte more than the line is taken, wherever a peek stops."""
    asks = [Ask(urgent_at(b"cat\n", offset), b"tail", True)
            for offset in range(4)]
    asks.append(Ask([b"cat\n", Urgent(b"!")], b"tail", True))
    for _, answer in lax(mux, asks):
        assert answer == OK + b"tail"  # the service's own urgent byte is not


def test_lenient_is_not_careless(mux):
    for bad in b"\n", b"cat \n", b"cat\rx\n", b"cat", b"c\0at\n", b"cat\r":
        assert mux.raw(bad, port=LAX) == REFUSAL, bad


def test_others_take_no_bare_lf(mux):
    for pieces in splits(b"cat\n"):
        mark = mux.mark()
        assert mux.raw(b"x", pieces=pieces) == REFUSAL
        mux.wait_log("refuse", since=mark, reason="malformed")
    assert mux.raw(b"HELP\n") == REFUSAL


# --- the socket -------------------------------------------------------------

def test_freebind_and_backlog(mux):
    lines = mux.netns.run("ss", "-Hltn").stdout.splitlines()
    queues = {(words[3], int(words[2]))
              for words in map(str.split, lines)}
    assert ("192.0.2.99:4", 4096) in queues
    assert ("[2001:db8::99]:4", 4096) in queues
    assert (f"{LOCAL4}:2", 7) in queues


def test_any_address_of_ipv6_is_none_of_ipv4(mux_factory):
    mux = mux_factory(service("cat", CAT), listen=("::",))
    assert mux.request("cat", b"x", addr=LOCAL6) == (OK, b"x")
    with pytest.raises(ConnectionRefusedError):
        mux.connect(LOCAL4)


def failure(listen, netns):
    """What a mux that cannot start logs of it."""
    with pytest.raises(AssertionError) as raised:
        Mux(policy(service("cat", CAT), listen=(), top=(listen,)),
            netns=netns)
    return re.search(r".*event=listen-failed.*", str(raised.value))[0]


def test_without_freebind(netns):
    line = failure("listen 192.0.2.99 port 4", netns())
    assert "error=EADDRNOTAVAIL" in line


def test_interface_that_is_not_there(netns):
    line = failure("listen * interface nowhere0", netns())
    assert "interface=nowhere0 error=ENODEV" in line


def test_interface():
    """Who comes in by another interface does not find the door."""
    with Netns() as inside, Netns() as outside, veth(inside, outside):
        text = policy(service("cat", CAT), listen=(),
                      top=("listen * interface veth0", ))
        with Mux(text, netns=inside) as mux:
            assert mux.request("cat", b"x", addr=VETH_A4,
                               netns=outside) == (OK, b"x")
            with inside.entered(), socket.socket() as sock, \
                    pytest.raises(ConnectionRefusedError):
                sock.connect((LOCAL4, 1))
