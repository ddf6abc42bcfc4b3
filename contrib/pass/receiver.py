#!/usr/bin/python3
"""An echo server that tcpmuxd passes sessions to; see receiver.c beside it.

    receiver.py /run/echo.sock

Each session is served by a thread of its own.
"""

import contextlib
import os
import socket
import sys
import threading


def receive(connection):
    """The message as a dict, the client's socket and the session's pipe."""
    message, fds, _, _ = socket.recv_fds(connection, 4096, 2, socket.MSG_CMSG_CLOEXEC)
    if len(fds) != 2:
        for fd in fds:
            os.close(fd)
        raise OSError("no session")
    lines = message.decode().splitlines()
    return (dict(line.split("=", 1) for line in lines if line),
            socket.socket(fileno=fds[0]), fds[1])


def serve(session, client, pipe):
    """`+` has been said already: what comes now is between the two of us."""
    print(session, flush=True)
    try:
        with client, contextlib.suppress(OSError):
            while received := client.recv(4096):
                client.sendall(received)
    finally:
        os.close(pipe)  # the session is over


def main(path):
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
    os.umask(0o077)  # only its owner, and so tcpmuxd, can connect
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen(4096)
        while True:
            connection, _ = listener.accept()
            # Closing it, with all of the message read, takes the session.
            with connection, contextlib.suppress(OSError):
                threading.Thread(target=serve, args=receive(connection),
                                 daemon=True).start()


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: receiver.py SOCKET")
    main(sys.argv[1])
