"""Many clients at once, each sending its request piece by piece.

    asks = [Ask(pieces, tail=b"x") for pieces in splits(b"cat\\r\\n")]
    for ask, answer in wave(mux, asks): ...

A wave goes on in step: every client sends its first piece, then every client
its second, so that one daemon has them all half-read at the same time.
"""

import os
import socket
import time

from mux import converse

WAVE = 150  # connections at once; a source may have 256 lingering
ARRIVES = 0.002  # seconds: more than the daemon takes to look at a piece


class Urgent(bytes):
    """A piece whose last byte is sent as urgent data."""


class Ask:
    """One client's part: pieces one by one, then the tail, then the answer.

    ends: whether our side is ended once all is sent. at_once: the pieces
    follow each other without a pause, so that several may be read together.
    """

    def __init__(self, pieces, tail=b"", ends=True, at_once=False, label=""):
        self.pieces, self.tail, self.ends = list(pieces), tail, ends
        self.at_once, self.label = at_once, label

    @property
    def request(self):
        return b"".join(self.pieces)

    def __repr__(self):
        ways = "at once" if self.at_once else "one by one"
        shown = self.pieces if len(self.pieces) < 9 else \
            [*self.pieces[:4], "...", *self.pieces[-4:]]
        return (f"{self.label} {shown} {ways}, {len(self.tail)} behind, "
                f"{'then FIN' if self.ends else 'no FIN'}")


def send_piece(sock, piece):
    flags = socket.MSG_OOB if isinstance(piece, Urgent) else 0
    assert sock.send(piece, flags) == len(piece)


def _step(socks, asks, index):
    """The index-th piece of everyone; True while somebody has more.

    Loopback delivers before send returns; nobody waits for acknowledgements.
    """
    for sock, ask in zip(socks, asks):
        if ask.at_once and index == 0:
            for piece in ask.pieces:
                send_piece(sock, piece)
        elif not ask.at_once and index < len(ask.pieces):
            send_piece(sock, ask.pieces[index])
    if any(index + 1 < len(ask.pieces) for ask in asks if not ask.at_once):
        time.sleep(ARRIVES)
        return True
    return False


def _answers(mux, asks, how):
    socks = [mux.connect(**how) for _ in asks]
    try:
        for sock in socks:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        index = 0
        while _step(socks, asks, index):
            index += 1
        for sock, ask in zip(socks, asks):
            try:
                yield ask, converse(sock, ask.tail, ask.ends)
            except OSError as error:
                raise AssertionError(f"{ask}: {error!r}") from error
    finally:
        for sock in socks:
            sock.close()


def wave(mux, asks, **how):
    """Every ask with its answer, at most WAVE at once. how: mux.connect's."""
    asks = list(asks)
    for first in range(0, len(asks), WAVE):
        yield from _answers(mux, asks[first:first + WAVE], how)


def urgent_at(line, offset):
    """The line in pieces, its byte at this offset urgent."""
    pieces = [line[:offset], Urgent(line[offset:offset + 1]),
              line[offset + 1:]]
    return [piece for piece in pieces if piece]


def descriptors(mux):
    """How many it has open. Not by listing them: that takes root, of whom
    it keeps its own to itself. Linux 6.2 tells the number to all."""
    return os.stat(f"/proc/{mux.pid}/fd").st_size or mux.fd_count()
