#!/usr/bin/python3
"""How often a second a service can be launched, and how soon it speaks.

The service is a static program without a C library that says + and ends, so
that the launching is what is measured. Who launches it: tcpserver, with no
confinement at all; a bare fork and exec; xinetd's TCPMUX; and tcpmuxd, with
everything that its policy can take away from it, once without and once with a
cgroup for each session, to end what it leaves behind. All run in one network
namespace, on all cores, and take the same closed loop of clients in turn.
Prints medians of the rounds and the ratios, and writes them, with each round,
to BUILD/bench/launch.json. A server that is not installed is left out.
"""

import argparse
import contextlib
import os
import shutil
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))

import mux  # noqa: E402
import netns as namespaces  # noqa: E402
from shared import measure, peers, report, targets  # noqa: E402
from shared.servers import ADDRESS, start_tcpmuxd  # noqa: E402

TCPMUXD, BARE = "tcpmuxd", "bare fork+exec"
WITH_CGROUPS = "tcpmuxd, cgroups"
# (of what, the least of tcpmuxd's rate in times of that one's)
TARGETS = ((peers.TCPSERVER, 1.0), (peers.XINETD, 2.0))
NAMED = ("--request", "greet\\r\\n")
UNNAMED = ("--request", "")
LIMITS = ("limit open-files 64", "limit core 0", "limit file-size 0",
          "limit stack 1M", "limit address-space 64M")


def confined(port, program, leftovers="kill"):
    """The service with all that can be taken away from one."""
    return mux.policy(
        mux.service("greet", f"exec {program}", "reply service",
                    "sessions 1000", "per-source 1000", "stderr null",
                    f"leftovers {leftovers}", "syscalls default",
                    "network none",
                    f"filesystem exec {program}", *LIMITS),
        port=port, listen=(ADDRESS,), top=["log {\n\tlimit off\n}"])


def start_all(stack, netns, log, directory):
    program = os.path.join(directory, "greet")
    shutil.copy(mux.program("tests/bench/greet"), program)
    os.chmod(directory, 0o755)
    for port, name, leftovers in ((1, TCPMUXD, "keep"),
                                  (5, WITH_CGROUPS, "kill")):
        server = start_tcpmuxd(stack, netns, port, log,
                               confined(port, program, leftovers), name)
        server.words = NAMED
        yield server
    for server, words in (
            (peers.start(stack, BARE, [
                mux.program("tests/bench/bare-fork"), ADDRESS, "2", program],
                2, netns), UNNAMED),
            (peers.start_tcpserver(stack, netns, 3, program), UNNAMED),
            (peers.start_xinetd(stack, netns, 4, directory, ["greet"],
                                program), NAMED)):
        if server is not None:
            server.words = words
            yield server


def make_cases(servers, options):
    """[(many clients', one client's)] of each server."""
    def case(server, count, *words, **keywords):
        return measure.Case(server, max(1, count), "--expect", "+\\r\\n",
                            *server.words, *words, **keywords)

    return [(case(server, options.count),
             case(server, options.count // 10, "--clients", "1",
                  name=f"{server.name}, one client")) for server in servers]


def rows_of(pairs):
    return [{**many.row(), "first_us": one.median("first_byte_p50_us")}
            for many, one in pairs]


def judge(rows, ours):
    by_name = {row["name"]: row for row in rows}

    def ratio(key, other):
        return targets.ratio(by_name[ours][key], by_name[other][key])

    for name, least in TARGETS:
        claim = f"rate of launches against {name}"
        if name in by_name:
            yield targets.at_least(claim, ratio("rate", name), least)
        else:
            yield targets.not_comparable(
                claim, f"at least {least:g} times", "not there")
    if BARE in by_name:
        yield targets.at_most(f"first byte against {BARE}",
                              ratio("first_us", BARE), 1.0)


def part_of(pairs):
    """What the parts of the bench are made of: see run.py."""
    cases = [each for pair in pairs for each in pair]
    rows = rows_of(pairs)
    return {"title": "Launching a static program that greets and ends.",
            "kind": "servers", "rows": rows, "ours": TCPMUXD,
            "targets": list(judge(rows, TCPMUXD)),
            "notes": measure.disturbance(measure.servers_of(cases)),
            "problems": measure.complaints_of(cases),
            "rounds": {case.name: case.rounds for case in cases},
            "histograms": {case.name: sorted(case.histogram.items())
                           for case in cases}}


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--count", type=int, default=10000,
                        help="launches a round and server")
    parser.add_argument("--clients", type=int, default=16)
    parser.set_defaults(load_cpu=None, sources=65536, seconds=20)
    return parser.parse_args()


def main():
    options = parse_arguments()
    directory = os.path.join(os.environ.get("TCPMUXD_BUILD", "build"), "bench")
    os.makedirs(directory, exist_ok=True)
    with contextlib.ExitStack() as stack:
        netns = stack.enter_context(namespaces.Netns())
        log = stack.enter_context(
            tempfile.NamedTemporaryFile(dir=directory, prefix="log-"))
        place = stack.enter_context(
            tempfile.TemporaryDirectory(prefix="tcpmuxd-bench-"))
        pairs = make_cases(start_all(stack, netns, log, place), options)
        measure.run_rounds([each for pair in pairs for each in pair], netns,
                           options)
        part = part_of(pairs)
    part["targets"] += [{**target, "claim": f"{WITH_CGROUPS}: "
                         + target["claim"]}
                        for target in judge(part["rows"], WITH_CGROUPS)]
    part["problems"] += peers.take_failed()
    report.show("launch", part)
    report.write(os.path.join(directory, "launch.json"),
                 {**part, "when": time.time()})
    for problem in part["problems"]:
        print(f"bench: {problem}", file=sys.stderr)
    return 1 if part["problems"] else 0


if __name__ == "__main__":
    sys.exit(main())
