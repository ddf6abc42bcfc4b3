"""Where the measured servers run: namespaces that nobody else is in.

The network is one of its own, so that every port is free and nothing else is
counted. In the mounts, nsswitch.conf says `hosts: files`: the peers ask for
the names of their clients, and where a name server does not answer they would
be measured waiting for it. Names of network namespaces are seen here alone.
"""

import ctypes
import os
import subprocess
import tempfile

import netns as namespaces

CLONE_NEWNS = 0x20000
NSSWITCH = "/etc/nsswitch.conf"
NAMES = "/run/netns"
# Clients come from few addresses where a curve asks for that.
SYSCTLS = {"net.ipv4.ip_local_port_range": "1024 65535"}

_libc = ctypes.CDLL(None, use_errno=True)


def _mount(*words):
    subprocess.run(["mount", *words], check=True, stdin=subprocess.DEVNULL)


def leave_the_others():
    """For this process, which must have one thread, and for its children."""
    if _libc.unshare(CLONE_NEWNS) == -1:
        error = ctypes.get_errno()
        raise OSError(error, f"unshare: {os.strerror(error)}")
    _mount("--make-rprivate", "/")
    with tempfile.NamedTemporaryFile("w") as file:
        os.fchmod(file.fileno(), 0o644)
        file.write("passwd: files\ngroup: files\nhosts: files\n"
                   "services: files\nprotocols: files\n")
        file.flush()
        _mount("--bind", file.name, NSSWITCH)  # outlives its name
    os.makedirs(NAMES, exist_ok=True)
    _mount("-t", "tmpfs", "-o", "mode=0755", "tcpmuxd-bench", NAMES)


def enter(stack):
    """The network namespace, until the stack is left."""
    return stack.enter_context(namespaces.Netns(SYSCTLS))
