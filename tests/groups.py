"""The cgroups of a tcpmuxd's sessions, as cgroups(7) has them."""

import contextlib
import ctypes
import os

NEWNS, RDONLY, REMOUNT, BIND, PRIVATE, REC = (
    0x20000, 1, 32, 4096, 1 << 18, 16384)


def _mount():
    with open("/proc/self/mountinfo") as file:
        for line in file:
            if " - cgroup2 " in line:
                return line.split()[4]
    return None


def own():
    """Where our own cgroup is, and that of what we start; or None."""
    mount = _mount()
    with open("/proc/self/cgroup") as file:
        for line in file:
            if line.startswith("0::") and mount is not None:
                return mount + line[3:].rstrip("\n").rstrip("/")
    return None


def of(mux):
    """The one that all groups of its sessions are in; None: there is none."""
    said = mux.logs("cgroup")
    if not said or said[0]["sessions"] != "yes":
        return None
    return os.path.join(own(), said[0]["name"])


def numbers(mux):
    """Of the groups that there are, in use or not."""
    with contextlib.suppress(FileNotFoundError):
        if of(mux) is None:
            return []
        return sorted(int(entry.name) for entry in os.scandir(of(mux))
                      if entry.name.isdigit())
    return []


def members(mux):
    """{number: pids} of those with a process in them."""
    found = {}
    for number in numbers(mux):
        with open(f"{of(mux)}/{number}/cgroup.procs") as file:
            pids = [int(line) for line in file]
        if pids:
            found[number] = pids
    return found


def read_only():
    """For preexec=: in mount namespaces of its own, cgroups cannot be made."""
    libc = ctypes.CDLL(None, use_errno=True)
    where = own().encode()
    for call, *words in (
            (libc.unshare, NEWNS),
            (libc.mount, b"none", b"/", None, PRIVATE | REC, None),
            (libc.mount, where, where, None, BIND, None),
            (libc.mount, None, where, None, BIND | REMOUNT | RDONLY, None)):
        if call(*words) != 0:
            raise OSError(ctypes.get_errno(), "read_only")
