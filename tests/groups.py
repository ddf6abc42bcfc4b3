"""The cgroups of a tcpmuxd's sessions, as cgroups(7) has them."""

import contextlib
import ctypes
import os

NEWNS, RDONLY, REMOUNT, BIND, PRIVATE, REC = (
    0x20000, 1, 32, 4096, 1 << 18, 16384)


def mount():
    """Where they are mounted, or None."""
    with open("/proc/self/mountinfo") as file:
        for line in file:
            if " - cgroup2 " in line:
                return line.split()[4]
    return None


def own():
    """Where our own cgroup is, and that of what we start; or None."""
    where = mount()
    with open("/proc/self/cgroup") as file:
        for line in file:
            if line.startswith("0::") and where is not None:
                return where + line[3:].rstrip("\n").rstrip("/")
    return None


def of(mux, home=None):
    """The one that all groups of its sessions are in; None: there is none.

    home: where it was started, if not where we are.
    """
    said = mux.logs("cgroup")
    if not said or said[0]["sessions"] != "yes":
        return None
    return os.path.join(home or own(), said[0]["name"])


def read(path, file="cgroup.procs"):
    """The words of one of its files."""
    with open(os.path.join(path, file)) as text:
        return text.read().split()


def write(path, text, file="cgroup.procs"):
    with open(os.path.join(path, file), "w") as opened:
        opened.write(text)


def why_no_limits(*controllers):
    """Why we cannot make groups that have these controllers, or None."""
    path = own()
    if path is None:
        return "there is no cgroup v2"
    for name in controllers:
        if name not in read(path, "cgroup.controllers"):
            return (f"{path} has no controller '{name}' (under version 1 "
                    "elsewhere, or not delegated)")
        try:
            write(path, f"+{name}", "cgroup.subtree_control")
        except OSError as error:
            return (f"{path} cannot hand down '{name}': {error.strerror}; "
                    "the tests have to be alone in it, or in the root of all")
    return None


@contextlib.contextmanager
def made(name, *controllers):
    """A group that has these, if we are to ask; removed, with those in it."""
    path = os.path.join(own(), f"tcpmuxd-test-{os.getpid()}-{name}")
    os.mkdir(path)
    try:
        yield path
    finally:
        for below, _, _ in os.walk(path, topdown=False):
            os.rmdir(below)


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
