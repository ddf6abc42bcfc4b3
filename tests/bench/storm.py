#!/usr/bin/python3
"""How long others wait while 32 clients launch without pause.

Four clients that are refused, in a closed loop, alone and beside the storm;
the p99 of each, medians of the rounds. The load generators may use all cores,
as may tcpmuxd. Fails only if an answer was wrong.
"""

import argparse
import contextlib
import os
import shutil
import statistics
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))

import load as loads  # noqa: E402
import mux as muxes  # noqa: E402
from netns import Netns  # noqa: E402

TARGET_US = 3000
STORM = ("--clients", 32, "--request", "greet\\r\\n", "--expect", "+\\r\\n")


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=4)
    parser.add_argument("--clients", type=int, default=4, help="refused ones")
    return parser.parse_args()


def measure(mux, options, is_stormy):
    with contextlib.ExitStack() as stack:
        storm = None
        if is_stormy:
            storm = stack.enter_context(loads.Load(
                mux, *STORM, "--seconds", options.seconds + 1))
        result = loads.run_load(mux, "--clients", options.clients,
                                "--seconds", options.seconds)
        if storm is not None:
            launched = storm.finish()
            loads.assert_all_answered(launched)
            result["launched"] = launched["ok"]
    loads.assert_all_answered(result)
    return result


def main():
    options = parse_arguments()
    rounds = {False: [], True: []}
    with contextlib.ExitStack() as stack:
        place = stack.enter_context(tempfile.TemporaryDirectory())
        os.chmod(place, 0o755)
        program = os.path.join(place, "greet")
        shutil.copy(muxes.program("tests/bench/greet"), program)
        netns = stack.enter_context(Netns())
        mux = stack.enter_context(muxes.Mux(muxes.policy(
            muxes.service("greet", f"exec {program}", "reply service",
                          "sessions 1000", "per-source 1000", "stderr null"),
            listen=(muxes.LOCAL4,), top=["log {\n\tlimit off\n}"]),
            netns=netns))
        for number in range(options.rounds + 1):
            for is_stormy, results in rounds.items():
                result = measure(mux, options, is_stormy)
                if number > 0:  # the first warms up
                    results.append(result)
                    print(f"round {number}  {result['ok']:7} refused  p50 "
                          f"{result['p50_us']:6.0f} µs  p99 "
                          f"{result['p99_us']:6.0f} µs  beside "
                          f"{result.get('launched', 0)} launches", flush=True)
    alone, beside = (statistics.median(each["p99_us"] for each in results)
                     for results in rounds.values())
    print(f"\np99 alone {alone:.0f} µs, beside the storm {beside:.0f} µs; "
          f"target: under {TARGET_US}: "
          f"{'met' if beside < TARGET_US else 'MISSED'}")


if __name__ == "__main__":
    sys.exit(main())
