"""The processor time and the memory of a server, with all that it starts.

The time is that of the server's cgroup where cgroup v2 is there and writable
(microseconds, with all that its children ever used), else that of its process
tree in clock ticks.
"""

import contextlib
import itertools
import os

import mux

_numbers = itertools.count(1)


def _cgroup_root():
    """Where a cgroup v2 of our own can be made, or None."""
    with open("/proc/self/mounts") as file:
        mounts = [line.split()[1] for line in file
                  if line.split()[2] == "cgroup2"]
    with open("/proc/self/cgroup") as file:
        own = [line.strip()[3:] for line in file if line.startswith("0::")]
    if not mounts or not own or not os.access(mounts[0], os.W_OK):
        return None
    path = mounts[0] + own[0].rstrip("/")
    return path if os.access(path, os.W_OK) else None


class CgroupClock:
    """The time of everything that ever ran in a cgroup of its own."""

    source = "cgroup cpu.stat"

    def __init__(self, root):
        self._path = os.path.join(
            root, f"tcpmux-bench-{os.getpid()}-{next(_numbers)}")
        os.mkdir(self._path)

    def enter(self):
        with open(os.path.join(self._path, "cgroup.procs"), "w") as file:
            file.write("0")

    def read(self, _pid):
        """(user, system) in microseconds."""
        with open(os.path.join(self._path, "cpu.stat")) as file:
            values = dict(line.split() for line in file)
        return int(values["user_usec"]), int(values["system_usec"])

    def close(self):
        def is_removed():
            with contextlib.suppress(OSError):
                os.rmdir(self._path)
            return not os.path.exists(self._path)
        mux.eventually(is_removed, what=f"the end of {self._path}")


class TreeClock:
    """The time of a process, its descendants and those it has reaped."""

    source = "/proc/PID/stat"

    def enter(self):
        pass

    def read(self, pid):
        tick_us = 1_000_000 // os.sysconf("SC_CLK_TCK")
        user = system = 0
        for each in [pid, *mux.descendants(pid)]:
            with contextlib.suppress(OSError):
                with open(f"/proc/{each}/stat") as file:
                    fields = file.read().rpartition(") ")[2].split()
                user += (int(fields[11]) + int(fields[13])) * tick_us
                system += (int(fields[12]) + int(fields[14])) * tick_us
        return user, system

    def close(self):
        pass


def make_clock():
    root = _cgroup_root()
    if root is not None:
        with contextlib.suppress(OSError):
            return CgroupClock(root)
    return TreeClock()


def memory_kb(pid, key="Pss"):
    """Of a process and all below it; Pss counts what they share once."""
    total = 0
    for each in [pid, *mux.descendants(pid)]:
        with contextlib.suppress(OSError):
            with open(f"/proc/{each}/smaps_rollup") as file:
                total += sum(int(line.split()[1]) for line in file
                             if line.startswith(key + ":"))
    return total


def machine_us():
    """What all processors have worked since the start, each for itself."""
    tick_us = 1_000_000 // os.sysconf("SC_CLK_TCK")
    with open("/proc/stat") as file:
        user, nice, system, _idle, _iowait, irq, softirq, steal = map(
            int, file.readline().split()[1:9])
    return (user + nice + system + irq + softirq + steal) * tick_us
