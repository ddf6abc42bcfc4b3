#!/usr/bin/python3
"""What a crowd at the door costs a good client: its p99, loaded and not.

Good clients ask for the names (HELP) in a closed loop, alone and while 5,000
half-open and 1,000 one-byte-a-second clients come and wait, from many sources
and from one. Of one source most are turned out as they come; that they come
again at once, as fast as a core can connect, is shown too: it is a flood of
connections, of which the good clients' own core is full. All take turns; the
load generators are held to one core, tcpmuxd to the others. Prints the median
of each figure and the ratios; fails only if an answer was wrong.
"""

import argparse
import contextlib
import os
import statistics
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))

import load as loads  # noqa: E402
import mux as muxes  # noqa: E402
from netns import Netns  # noqa: E402

TARGET = 2.0
SLOW, DRIP = 5000, 1000
# (sources of the crowd, whether it comes again)
KINDS = {"unloaded": None, "many sources": (SLOW + DRIP, False),
         "one source": (1, False), "one source, again": (1, True)}
TARGETED = ("many sources", "one source")
GOOD = ("--request", "HELP\\r\\n", "--expect", "cat\\r\\n")


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=4,
                        help="of measuring, each")
    parser.add_argument("--clients", type=int, default=4, help="good ones")
    parser.add_argument("--load-cpu", type=int, default=0)
    return parser.parse_args()


def hold_to(pid, cpus):
    for each in [pid, *muxes.descendants(pid)]:
        with contextlib.suppress(OSError):
            os.sched_setaffinity(each, cpus)


def measure(mux, options, crowd):
    """One figure: good clients, with or without a crowd at the door."""
    good = (*GOOD, "--clients", options.clients, "--seconds",
            options.seconds)
    with contextlib.ExitStack() as stack:
        if crowd is not None:
            sources, again = crowd
            stack.enter_context(loads.Load(
                mux, "--slow", SLOW, "--slow-text", "ca", "--drip", DRIP,
                "--held-sources", sources, "--clients", 0, "--seconds",
                options.seconds + 20, *(["--hold-again"] if again else []),
                cpu=options.load_cpu))
            muxes.eventually(lambda: loads.status(mux)["pending"] > 0,
                             what="the crowd")
        result = loads.run_load(mux, *good, cpu=options.load_cpu)
    loads.assert_all_answered(result)
    muxes.eventually(lambda: loads.status(mux)["pending"] == 0, timeout=20,
                     what="the end of the crowd")
    return result


def start(stack, options):
    netns = stack.enter_context(Netns()) if muxes.IS_ROOT else None
    port = 1 if muxes.IS_ROOT else muxes.free_port()
    cpus = os.sched_getaffinity(0) - {options.load_cpu}
    mux = stack.enter_context(muxes.Mux(
        muxes.policy(muxes.service("cat", "exec /bin/cat"), port=port,
                     listen=(muxes.LOCAL4,),
                     admission=("allow any", f"pending {SLOW + DRIP + 500}")),
        netns=netns, port=port))
    if cpus:
        hold_to(mux.pid, cpus)
    return mux


def main():
    options = parse_arguments()
    rounds = {kind: [] for kind in KINDS}
    with contextlib.ExitStack() as stack:
        mux = start(stack, options)
        measure(mux, options, None)  # so that nothing is new any more
        for number in range(options.rounds):
            for kind, crowd in KINDS.items():
                result = measure(mux, options, crowd)
                rounds[kind].append(result)
                print(f"round {number + 1}  {kind:17} {result['ok']:7} "
                      f"answers  p50 {result['p50_us']:7.0f} µs  p99 "
                      f"{result['p99_us']:7.0f} µs", flush=True)
    medians = {kind: statistics.median(each["p99_us"] for each in results)
               for kind, results in rounds.items()}
    print()
    for kind, p99 in medians.items():
        ratio = p99 / medians["unloaded"]
        verdict = "" if kind not in TARGETED else (
            f"; target: under {TARGET}: " +
            ("met" if ratio < TARGET else "MISSED"))
        print(f"{kind:17} p99 {p99:7.0f} µs, {ratio:.2f} times{verdict}")


if __name__ == "__main__":
    sys.exit(main())
