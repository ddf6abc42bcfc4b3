#!/usr/bin/python3
"""The bench (`make bench`): what tcpmuxd does, against others and the limits.

Parts: refuse and help (how often a second, at what cost), launch, log (a
line's cost), largest (a policy's), and a curve for each thing that can grow.
Each prints a table and its targets; all are kept in BUILD/bench/results.json
and shown, with pictures, in BUILD/bench/report.html. See README.md here.

Fails if any client was not answered exactly, if a line of the log is missing,
or if a server or a part could not be measured: it is named, and the others are
measured and kept all the same. Never fails for being slow.
"""

import argparse
import contextlib
import functools
import os
import subprocess
import sys
import tempfile
import time
import traceback

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, ".."))

import mux  # noqa: E402

import answers  # noqa: E402
import curves  # noqa: E402
import largest  # noqa: E402
import launched  # noqa: E402
import log_cost  # noqa: E402
from shared import peers, plots, report, world  # noqa: E402

RESULTS, PAGE = "results.json", "report.html"
PARTS = {
    "refuse": functools.partial(answers.run, "refuse"),
    "help": functools.partial(answers.run, "help"),
    "launch": launched.run,
    "log": log_cost.run,
    "largest": largest.run,
    **{name: functools.partial(curves.run, name) for name in curves.CURVES},
}


def parse_arguments(words=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--only", action="append", default=[],
                        choices=[*PARTS, "curves"],
                        help="a part, or all curves; may be given again")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quick", action="store_true",
                        help="few connections: does it work?")
    parser.add_argument("--count", type=int, default=60000,
                        help="connections a round and server")
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--sources", type=int, default=65536,
                        help="addresses they come from")
    parser.add_argument("--million", type=int, default=1_000_000,
                        help="sources for the largest part")
    parser.add_argument("--load-cpu", type=int, default=None,
                        help="hold the load generator to this CPU")
    parser.add_argument("--policy-line", action="append", default=[],
                        help="a further top-level line of tcpmuxd's policy")
    # A round ends after so many seconds, whatever its count.
    parser.set_defaults(netns=None, seconds=20)
    options = parser.parse_args(words)
    if options.quick:
        options.count, options.million = 4000, 50_000
    return options


def chosen(only):
    wanted = {name for each in only for name in
              (curves.CURVES if each == "curves" else [each])}
    return [name for name in PARTS if not only or name in wanted]


def measure(name, options, directory):
    with contextlib.ExitStack() as stack:
        log = stack.enter_context(
            tempfile.NamedTemporaryFile(dir=directory, prefix="log-"))
        options.netns = world.enter(stack)
        return PARTS[name](options, log)


def try_to_measure(name, options, directory):
    """Whatever one part dies of, the others' figures are wanted."""
    print(f"--- {name}", flush=True)
    try:
        part = measure(name, options, directory)
    except Exception as error:
        traceback.print_exc()
        part = {"title": "Could not be measured.", "kind": "none",
                "targets": [], "notes": [],
                "problems": [f"{type(error).__name__}: {error}"]}
    part["problems"] += peers.take_failed()
    part.update(when=time.time(), rounds_made=options.rounds,
                version=version(), quick=options.quick)
    return part


def keep(directory, results):
    """After each part: who ends the rest early has these."""
    results["parts"] = {name: results["parts"][name] for name in PARTS
                        if name in results["parts"]}
    results.update(machine=report.machine(), peers=peers.versions(),
                   left_out=peers.LEFT_OUT)
    report.write(os.path.join(directory, RESULTS), results)
    report.write_html(os.path.join(directory, PAGE), results, curves.RATIO)


def version():
    """Of what is measured."""
    done = subprocess.run([mux.program("tcpmuxd"), "-V"],
                          capture_output=True, text=True)
    return done.stdout.strip()


def measure_all(names, options, directory, results):
    for name in names:
        part = try_to_measure(name, options, directory)
        results["parts"][name] = part
        report.show(name, part)
        keep(directory, results)
    return tell(results, names, os.path.join(directory, PAGE))


def main():
    options = parse_arguments()
    if not mux.IS_ROOT:
        sys.exit("bench: needs root, for namespaces and other servers")
    build = os.environ.get("TCPMUXD_BUILD", "build")
    directory = os.path.join(build, "bench")
    os.makedirs(directory, exist_ok=True)
    peers.add_unpacked(build)
    world.leave_the_others()
    results = report.read(os.path.join(directory, RESULTS)) \
        if options.only else {"parts": {}}
    return measure_all(chosen(options.only), options, directory, results)


def tell(results, names, page):
    """The end of what is printed, and the exit status."""
    for name, why in results["left_out"].items():
        print(f"left out: {name}: {why}")
    if not plots.is_there():
        print("no pictures: gnuplot is not installed")
    missed = [f"{name}: {target['claim']}: {target['measured']}"
              for name in names for target in results["parts"][name]["targets"]
              if target["is_met"] is False]
    print("targets: " + ("all met" if not missed else "MISSED:\n  " +
                         "\n  ".join(missed)))
    print(f"report: {page}")
    problems = [f"{name}: {each}" for name in names
                for each in results["parts"][name]["problems"]]
    for problem in problems:
        print(f"bench: {problem}", file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
