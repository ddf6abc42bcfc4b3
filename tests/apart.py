"""What is started apart cannot mount anything, or rename anything, for us."""

import ctypes
import os

NEWNS, NEWUTS = 0x20000, 0x4000000
PRIVATE, SHARED, REC = 1 << 18, 1 << 20, 1 << 14


def _call(call, *words):
    if call(*words) != 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))


def leave():
    """For preexec=: mounts and a host name of its own.

    Whatever a build that is broken mounts stays in there. But there it shows:
    namespaces that are made in there share their mounts, unless they say no.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    _call(libc.unshare, NEWNS | NEWUTS)
    _call(libc.mount, None, b"/", None, REC | PRIVATE, None)
    _call(libc.mount, None, b"/", None, REC | SHARED, None)
