#!/usr/bin/python3
"""How many sessions a second one server can be passed, and what one costs.

A server (taker) takes each session and ends it at once; the load generator
asks for it with many clients, in turn with a name that nobody has. Prints the
rate and the processor time of all of tcpmuxd, of the server and of the
generator for one session, medians of the rounds. On a machine that is shared
the sum says what the rate would be with all processors: it is printed, too.
Fails only if a client was not answered exactly.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))

import mux as muxes  # noqa: E402
import netns as namespaces  # noqa: E402
from load import run_load  # noqa: E402
from passing import is_answered  # noqa: E402

LOADS = {"passed": ("--request", "taken\\r\\n", "--expect", "+\\r\\n"),
         "refused": ("--request", "nobody\\r\\n")}
TARGET = 15000


def processor_us(mux, server):
    own = muxes.descendants(mux.pid)
    times = os.times()
    return {"tcpmuxd": sum(mux.cpu_seconds(pid) for pid in [mux.pid, *own]),
            "server": mux.cpu_seconds(server.pid),
            "generator": times.children_user + times.children_system}


def measure(mux, server, words, options):
    before = processor_us(mux, server)
    result = run_load(mux, *words, "--clients", options.clients, "--count",
                      options.count)
    after = processor_us(mux, server)
    assert result["ok"] == result["begun"] == options.count, result
    return {"rate": result["rate"],
            **{name: (after[name] - before[name]) * 1e6 / options.count
               for name in before}}


def tell(name, rounds):
    medians = {key: statistics.median(each[key] for each in rounds)
               for key in rounds[0]}
    cost = sum(value for key, value in medians.items() if key != "rate")
    shares = ", ".join(f"{key} {value:.1f}" for key, value in medians.items()
                       if key != "rate")
    print(f"{name:8} {medians['rate']:7.0f}/s   {cost:.1f} us ({shares}): "
          f"{os.cpu_count() * 1e6 / cost:.0f}/s of all {os.cpu_count()} "
          "processors")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--count", type=int, default=40000)
    parser.add_argument("--clients", type=int, default=64)
    options = parser.parse_args()
    rounds = {name: [] for name in LOADS}
    with tempfile.TemporaryDirectory(prefix="tcpmuxd-bench-") as directory, \
            namespaces.Netns() as netns:
        path = os.path.join(directory, "taker")
        os.chmod(directory, 0o755)
        server = subprocess.Popen([muxes.program("tests/bench/taker"), path])
        try:
            muxes.eventually(lambda: is_answered(path))
            text = muxes.policy(
                muxes.service("taken", f"pass {path}", "sessions 1000",
                              "per-source 1000", "log none", user=False),
                admission=("allow any", "sessions 2000", "pending 1024",
                           "pending-per-source 1024", "per-source 2000"),
                top=("log {\n\tlimit 1/s burst 1\n}",))
            with muxes.Mux(text, netns=netns) as mux:
                for _ in range(options.rounds):
                    for name, words in LOADS.items():
                        rounds[name].append(
                            measure(mux, server, words, options))
        finally:
            server.kill()
            server.wait()
    for name in LOADS:
        tell(name, rounds[name])
    print(f"the target is {TARGET}/s")


if __name__ == "__main__":
    main()
