#!/usr/bin/python3
"""What a flood of connections costs, of sources that get themselves shut out.

They ask for a name that there is not, 200,000 times, as fast as one core can:
one source; 4,096 /64s of one /48 beside each other; and 4,096 scattered in it.
Ten good clients ask for the names (HELP) meanwhile, each its own source: their
p99 is compared with what it is alone. Then the flood goes on without them, and
tcpmuxd's own time is read: with `drop-in-kernel` on, most of it never comes to
tcpmuxd. The flood is held to one core, tcpmuxd and the good clients to others.
Prints medians; fails only if a good client was not answered exactly.
"""

import argparse
import contextlib
import os
import statistics
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))

import load as loads  # noqa: E402
import mux as muxes  # noqa: E402
from netns import Netns  # noqa: E402

TARGET_RATIO, TARGET_CPU = 2.0, 1.0
# (sources, /64s from one to the next)
KINDS = {"one source": (1, 1), "4,096 of a /48": (4096, 1),
         "4,096 scattered": (4096, 16)}
TARGETED = ("one source", "4,096 of a /48")
ROUTED, BAD, GOOD = "fd7f::/16", "fd7f:1::1", "fd7f:2::1"
HELP = ("--request", "HELP\\r\\n", "--expect", "cat\\r\\n", "--clients", 10,
        "--sources", 10, "--source-base", GOOD, "--step64", 1)


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=4,
                        help="at least, of each flood")
    parser.add_argument("--count", type=int, default=200000,
                        help="connections a flood, at least")
    parser.add_argument("--load-cpu", type=int, default=0)
    parser.add_argument("--penalty", default="1m",
                        help="for a name that there is not")
    return parser.parse_args()


def time_ns(mux):
    """What tcpmuxd and its processes have used."""
    used = 0
    for pid in [mux.pid, *muxes.descendants(mux.pid)]:
        with contextlib.suppress(OSError), \
                open(f"/proc/{pid}/schedstat") as file:
            used += int(file.read().split()[0])
    return used


def hold_to(pid, cpus):
    for each in [pid, *muxes.descendants(pid)]:
        with contextlib.suppress(OSError):
            os.sched_setaffinity(each, cpus)


def start(stack, options, drop, cpus):
    netns = stack.enter_context(Netns())
    netns.ip("-6", "route", "add", "local", ROUTED, "dev", "lo")
    # No rate: good clients ask as fast as they can.
    mux = stack.enter_context(muxes.Mux(
        muxes.policy(muxes.service("cat", "exec /bin/cat"),
                     listen=(muxes.LOCAL6,), exempt=(), admission=(
                         "allow any", "rate 1000000/s burst 1000000",
                         f"penalty unknown {options.penalty}",
                         f"drop-in-kernel {drop}")),
        netns=netns))
    if cpus:
        hold_to(mux.pid, cpus)
    return mux


class Flood:
    """Floods, one behind the other, until there is enough of it."""

    def __init__(self, mux, options, kind):
        sources, step = KINDS[kind]
        self._mux, self._cpu = mux, options.load_cpu
        self._words = ("--clients", 64, "--give-up", "--sources", sources,
                       "--source-base", BAD, "--step64", step)

    def begin(self, count, seconds):
        return loads.Load(self._mux, *self._words, "--count", count,
                          "--seconds", seconds, address=muxes.LOCAL6,
                          cpu=self._cpu)

    def run(self, count, seconds):
        with self.begin(count, seconds) as load:
            return load.finish(seconds + 30)


def measure_good(mux, options, cpu):
    result = loads.run_load(mux, *HELP, "--seconds", options.seconds,
                            address=muxes.LOCAL6, cpu=cpu)
    loads.assert_all_answered(result)
    return result


def measure(options, drop, kind, cpus):
    """One round: p99 alone and beside the flood; what the flood costs."""
    cpu = min(cpus) if cpus else None
    with contextlib.ExitStack() as stack:
        mux = start(stack, options, drop, cpus)
        measure_good(mux, options, cpu)  # so that nothing is new any more
        alone = measure_good(mux, options, cpu)
        flood = Flood(mux, options, kind)
        with flood.begin(0, options.seconds + 2) as load:
            time.sleep(0.5)
            beside = measure_good(mux, options, cpu)
            first = load.finish(options.seconds + 30)
        # By now all sources are shut out, and have come again.
        began, before = time.monotonic(), time_ns(mux)
        count = sent = 0
        while sent < options.count or \
                time.monotonic() - began < options.seconds:
            result = flood.run(options.count, options.seconds)
            sent += result["begun"]
            count += result["given_up"]
        used = time_ns(mux) - before
        wall = time.monotonic() - began
        return {"alone": alone["p99_us"], "beside": beside["p99_us"],
                "ratio": beside["p99_us"] / alone["p99_us"],
                "cpu": used / wall / 1e7, "rate": sent / wall,
                "first": first["begun"], "dropped": 100 * count / sent,
                "lines": len(mux.logs("drop"))}


def main():
    options = parse_arguments()
    cpus = os.sched_getaffinity(0) - {options.load_cpu}
    print(f"{'':16} {'drop':4} {'p99 alone':>9} {'flooded':>8} {'times':>6} "
          f"{'daemon':>8} {'flood':>9} {'dropped':>8}")
    missed = []
    for kind in KINDS:
        for drop in "off", "on":
            rounds = [measure(options, drop, kind, cpus)
                      for _ in range(options.rounds)]
            row = {key: statistics.median(each[key] for each in rounds)
                   for key in rounds[0]}
            print(f"{kind:16} {drop:4} {row['alone']:6.0f} µs "
                  f"{row['beside']:5.0f} µs {row['ratio']:6.2f} "
                  f"{row['cpu']:6.2f} % {row['rate']:7.0f}/s "
                  f"{row['dropped']:6.1f} %", flush=True)
            if kind in TARGETED and row["ratio"] >= TARGET_RATIO:
                missed.append(f"{kind}, {drop}: p99")
            if kind in TARGETED and drop == "on" and row["cpu"] >= TARGET_CPU:
                missed.append(f"{kind}: time")
    print(f"\ntargets: p99 under {TARGET_RATIO} times, with `on` under "
          f"{TARGET_CPU} % of a core: "
          + (f"MISSED: {'; '.join(missed)}" if missed else "met"))


if __name__ == "__main__":
    sys.exit(main())
