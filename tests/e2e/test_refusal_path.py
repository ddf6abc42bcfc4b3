"""The refusal over a path that delays and loses: whole, and no reset.

A close with unread bytes makes the kernel send RST, which takes a line that
was lost on the way, and is to be sent again, with it. On loopback nothing is
lost, so only here does it show.
"""

import select
import socket
import time

import pytest

from mux import OK, REFUSAL, Mux, policy, service, wait_acknowledged
from netns import B4, B6, Netns, lossy

CLIENTS, AT_ONCE = 120, 30
# Refused clients are read on for 5 s, and 2 s after the last byte. A client
# for which a loaded machine or an unlucky path is slower is asked again.
PATIENCE, ASKED_AGAIN = 2.0, 120
MIB = b"behind the name\r\n\0\n" * 52429
MANY = ("sessions 500", "pending 500", "pending-per-source 500",
        "per-source 500")
LIMIT = 60  # seconds, for all clients together


class Client:
    """Sends its request whatever comes back, and reads to the end."""

    def __init__(self, netns, address, request):
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self.unsent, self.received = memoryview(request), []
        self.error, self.at_end, self.answered = None, False, None
        self.sock = netns.socket(family)
        self.sock.setblocking(False)
        self.sock.connect_ex((address, 1))

    @property
    def answer(self):
        return b"".join(self.received)

    @property
    def is_done(self):
        return self.error is not None or (self.at_end and not self.unsent)

    @property
    def was_slow(self):
        return (self.error is not None and self.answered is not None and
                time.monotonic() - self.answered > PATIENCE)

    def events(self):
        return ((0 if self.at_end else select.POLLIN) |
                (select.POLLOUT if self.unsent else 0))

    def _send(self):
        self.unsent = self.unsent[self.sock.send(self.unsent[:1 << 16]):]
        if not self.unsent:
            self.sock.shutdown(socket.SHUT_WR)

    def _receive(self):
        part = self.sock.recv(1 << 16)
        self.answered = self.answered or time.monotonic()
        self.received.append(part)
        self.at_end = not part

    def step(self, events):
        try:
            if not self.at_end and events & ~select.POLLOUT:
                self._receive()
            if self.unsent and events & ~select.POLLIN:
                self._send()
        except BlockingIOError:
            pass
        except OSError as error:
            self.error = error

    def finish(self):
        """The last of what it sent may still be refused, after its end."""
        if self.error is None:
            wait_acknowledged(self.sock, 10)
            number = self.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            self.error = OSError(number, "at the end") if number else None
        self.sock.close()


def run(clients):
    """All of them to their end, at the same time."""
    poll, by_fd = select.poll(), {c.sock.fileno(): c for c in clients}
    end = time.monotonic() + LIMIT
    for fd, client in by_fd.items():
        poll.register(fd, client.events())
    while by_fd and time.monotonic() < end:
        for fd, events in poll.poll(1000):
            by_fd[fd].step(events)
            if by_fd[fd].is_done:
                assert not by_fd[fd].error or by_fd[fd].was_slow
                poll.unregister(fd)
                del by_fd[fd]
            else:
                poll.modify(fd, by_fd[fd].events())
    assert not by_fd, f"{len(by_fd)} clients have not ended in {LIMIT} s"
    for client in clients:
        client.finish()


class UrgentClient(Client):
    """All of it at once, its end too, with an urgent mark behind the line."""

    def _send(self):
        self.sock.send(self.unsent)
        self.sock.send(b"urgent", socket.MSG_OOB)
        self.sock.send(b"behind")
        self.unsent = None
        self.sock.shutdown(socket.SHUT_WR)


@pytest.fixture(scope="module")
def far_away():
    """(the client's namespace, the mux behind the path)"""
    with Netns() as here, Netns() as there:
        text = policy(service("cat", "exec /bin/cat"),
                      service("off", "exec /bin/cat", head="disabled"),
                      service("denied", "exec /bin/cat", allow="192.0.2.1"),
                      listen=("*", "::"), admission=("allow any", *MANY),
                      # A line whose first packets are lost takes seconds.
                      parser=("timeout 30s",),
                      defaults=("sessions 200", "per-source 200"))
        # 10 ms each way is 20 ms there and back.
        with lossy(here, there, delay_ms=10, loss=5) as path:
            with Mux(text, netns=there) as mux:
                yield here, mux
    for counts in path.counts().values():
        assert counts["lost"] > 100, path.report


def ask(far_away, requests, address, kind=Client):
    """So many clients without an error; every other one was slow."""
    here, _ = far_away
    good, slow = [], []
    while len(good) < CLIENTS:
        clients = [kind(here, {4: B4, 6: B6}[address],
                        requests[i % len(requests)])
                   for i in range(AT_ONCE)]
        run(clients)
        good += [client for client in clients if not client.error]
        slow += [client for client in clients if client.error]
        assert all(client.was_slow for client in slow)
        assert len(slow) <= ASKED_AGAIN
    return good + slow


@pytest.mark.parametrize("address", [4, 6])
def test_refusal_before_a_mebibyte_arrives_whole(far_away, address):
    requests = [name + MIB for name in
                (b"unknown\r\n", b"off\r\n", b"denied\r\n", b"\0", b"\n",
                 b"n" * 128)]
    for client in ask(far_away, requests, address):
        assert client.answer == REFUSAL


@pytest.mark.parametrize("kind", [Client, UrgentClient])
@pytest.mark.parametrize("address", [4, 6])
def test_refusal_behind_the_clients_end_arrives_whole(far_away, address, kind):
    """Its end is there when it is looked for first; the answer is under way.

    What it sent is thrown away all the same, on both sides of a mark.
    """
    for client in ask(far_away, [b"unknown\r\n", b"off\r\n"], address, kind):
        assert client.answer == REFUSAL


@pytest.mark.parametrize("address", [4, 6])
def test_service_gets_every_byte(far_away, address):
    """The path loses theirs as well, and half-lines come in pieces."""
    part = MIB[:100000]
    for client in ask(far_away, [b"cat\r\n" + part], address):
        assert client.answer == OK + part
