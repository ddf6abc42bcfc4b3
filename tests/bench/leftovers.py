#!/usr/bin/python3
"""What is left of many sessions of a service that hides what it starts.

Each session's main process ignores SIGTERM, and starts processes that fork
twice, have sessions of their own and ignore every signal that can be. Most sessions are
ended by their clients; the last are still there when tcpmuxd is told to stop.
Prints how long that took and what there is afterwards: processes, cgroups,
counts, descriptors. Fails if anything is left, or a client was not served.
"""

import argparse
import concurrent.futures
import contextlib
import os
import socket
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))

import groups  # noqa: E402
import mux as muxes  # noqa: E402
import netns as namespaces  # noqa: E402
from load import status  # noqa: E402

HIDER = "forker"


class Hidden:
    """Every process that a session told of: its pid, and when it began."""

    def __init__(self):
        self._began = {}
        self._lock = threading.Lock()

    def add(self, pids):
        began = {(pid, muxes._start_time(pid)) for pid in pids}
        assert (None not in {start for _, start in began}), pids
        with self._lock:
            self._began.update(dict.fromkeys(began))

    def __len__(self):
        return len(self._began)

    def alive(self):
        return [pid for pid, start in self._began
                if muxes._start_time(pid) == start]


def begin(mux, hidden, count):
    """A session that has hidden its processes; still open."""
    with mux._inside():
        sock = socket.create_connection((muxes.LOCAL4, mux.port), 60)
    sock.sendall(b"hider\r\n")
    got = b""
    while got.count(b"\n") < count + 1:
        more = sock.recv(4096)
        assert more, got
        got += more
    assert got.startswith(muxes.OK), got
    hidden.add([int(word) for word in got.removeprefix(muxes.OK).split()])
    return sock


def one_session(mux, hidden, count):
    with contextlib.closing(begin(mux, hidden, count)) as sock:
        sock.shutdown(socket.SHUT_WR)
        assert sock.recv(1) == b""


def running(name):
    """Processes of that name, of whatever session; dead ones are init's."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError), open(f"/proc/{pid}/comm") as file:
            if (file.read() == name + "\n" and
                    muxes._start_time(int(pid)) is not None):
                found.append(int(pid))
    return found


def descriptors(mux):
    return len(os.listdir(f"/proc/{mux.pid}/fd"))


def group_paths(mux):
    """All groups of sessions, with limits or without."""
    names = [line["name"] for event in ("cgroup", "cgroup-limits")
             for line in mux.logs(event) if "name" in line]
    return [entry.path for name in names
            if os.path.isdir(f"{groups.own()}/{name}")
            for entry in os.scandir(f"{groups.own()}/{name}")
            if entry.name.isdigit()]


def with_processes(paths):
    return [path for path in paths if groups.read(path)]


class Report:
    def __init__(self):
        self.has_failed = False

    def tell(self, what, found, wanted=None):
        note = "" if wanted is None else (
            "" if found == wanted else f"   WANTED: {wanted}")
        self.has_failed |= note != ""
        print(f"{what:50} {found}{note}", flush=True)


def run_sessions(mux, hidden, options, report):
    began = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(options.clients) as pool:
        done = [pool.submit(one_session, mux, hidden, options.hidden)
                for _ in range(options.count)]
        for future in done:
            future.result()
    seconds = time.monotonic() - began
    report.tell("sessions, ended by their clients", options.count)
    report.tell("seconds", f"{seconds:.1f} ({options.count / seconds:.0f}/s)")
    muxes.eventually(lambda: status(mux)["running"] == 0, timeout=60,
                     what="the last count")
    report.tell("seconds until the last was given back",
                f"{time.monotonic() - began - seconds:.2f}")


def check_served(mux, hidden, fds_before, report):
    counts = status(mux)
    report.tell("processes that were hidden", len(hidden))
    report.tell("of these, still there", len(hidden.alive()), 0)
    report.tell("processes of the service, of any session",
                len(running(HIDER)), 0)
    paths = group_paths(mux)
    report.tell("cgroups with a process in them", len(with_processes(paths)),
                0)
    report.tell("empty cgroups, kept for who comes next (at most 256)",
                len(paths))
    for key in ("running", *muxes.COUNTS):
        report.tell(f"{key} in the status line", counts[key], 0)
    report.tell("descriptors of the parent, before", fds_before)
    report.tell("descriptors of the parent, after", descriptors(mux),
                fds_before)


def stop_with_some(mux, hidden, options, report):
    socks = [begin(mux, hidden, options.hidden) for _ in range(options.last)]
    report.tell("sessions that tcpmuxd is stopped with", len(socks))
    began = time.monotonic()
    mux.stop(timeout=60)
    report.tell("seconds", f"{time.monotonic() - began:.1f}")
    for sock in socks:
        sock.close()
    report.tell("processes that were hidden, all in all", len(hidden))
    report.tell("of these, still there", len(hidden.alive()), 0)
    report.tell("processes of the service, of any session",
                len(running(HIDER)), 0)
    report.tell("cgroups of sessions", len(group_paths(mux)), 0)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--count", type=int, default=10000)
    parser.add_argument("--last", type=int, default=100)
    parser.add_argument("--hidden", type=int, default=2)
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--line", action="append", default=[],
                        help="one more of the service's policy")
    options = parser.parse_args()
    assert not running(HIDER), "another run goes on, or left something"
    text = muxes.policy(
        muxes.service("hider", f"exec {muxes.program('tests/tools/' + HIDER)} "
                      f"{options.hidden} deaf", "sessions 1000",
                      "per-source 1000", "log none", *options.line),
        admission=("allow any", "sessions 1000", "per-source 1000",
                   "pending 256", "pending-per-source 256"))
    hidden, report = Hidden(), Report()
    with namespaces.Netns() as netns, \
            muxes.Mux(text, netns=netns) as mux:
        one_session(mux, hidden, options.hidden)
        muxes.eventually(lambda: status(mux)["running"] == 0)
        fds_before = descriptors(mux)
        run_sessions(mux, hidden, options, report)
        check_served(mux, hidden, fds_before, report)
        stop_with_some(mux, hidden, options, report)
    return 1 if report.has_failed else 0


if __name__ == "__main__":
    sys.exit(main())
