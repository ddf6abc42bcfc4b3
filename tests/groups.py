"""The cgroups of a tcpmuxd's sessions, as cgroups(7) has them."""

import contextlib
import os


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
