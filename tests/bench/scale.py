#!/usr/bin/python3
"""What a large policy costs: against a small one, in the same run.

Three tcpmuxds with policies of growing size (services, prefixes in one set)
take the same loads in turn: a name that nobody has, a service that the set
does not allow, and the launch of a program that ends at once. Prints the time
that a connection costs each, medians of the rounds, and the ratio to the
smallest; how long a check of the largest policy takes; and what all processes
of each keep in memory. Then one million sources, each once: the parent's
memory before and after. Writes BUILD/bench/scale.json. Fails only if a client
was not answered exactly.
"""

import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))

import mux  # noqa: E402
import netns as namespaces  # noqa: E402
import run  # noqa: E402

SIZES = ((10, 10), (1000, 10_000), (100_000, 1_000_000))
LOADS = {
    "no such name": ("--request", "no-such-service\\r\\n"),
    "denied by the set": ("--request", "inside\\r\\n"),
    "launched": ("--request", "nothing\\r\\n", "--expect", "+\\r\\n"),
}
TARGETS = {"check_seconds": 2.0, "memory_mb": 150.0, "ratio": 1.1,
           "sources_mb": 1.0}


def prefixes(count):
    """Every other /28 from 16.0.0.0 on, shuffled: none can be merged."""
    step = 7919  # a prime that divides no count of ours
    for i in range(count):
        address = 0x10000000 + (i * step % count) * 32
        yield ".".join(str(address >> shift & 255)
                       for shift in (24, 16, 8, 0)) + "/28"


def large_policy(services, networks, directory, port):
    path = os.path.join(directory, f"{networks}.txt")
    with open(path, "w") as file:
        file.writelines(f"{each}\n" for each in prefixes(networks))
    many = "".join(f"service s{i:06}-of-many {{\n\tallow @large\n"
                   "\tuser nobody\n\texec /bin/true\n}\n"
                   for i in range(services))
    return mux.policy(
        mux.service("inside", "exec /bin/true", allow="@large"),
        mux.service("nothing",
                    "exec " + mux.program("tests/bench/nothing"),
                    "sessions 1000", "per-source 1000", "stderr null"),
        many, port=port, listen=(run.ADDRESS,),
        top=[f"net large file {path}", "log {\n\tlimit off\n}"])


def check_seconds(path):
    begin = time.monotonic()
    subprocess.run([mux.program("tcpmuxd"), "-t", "-f", path], check=True,
                   stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.monotonic() - begin


def memory_kb(pid, key):
    """Of a process and all below it; Pss counts what they share once."""
    total = 0
    for each in [pid, *mux.descendants(pid)]:
        with contextlib.suppress(OSError):
            with open(f"/proc/{each}/smaps_rollup") as file:
                total += sum(int(line.split()[1]) for line in file
                             if line.startswith(key + ":"))
    return total


def start(stack, options, log, number):
    directory = stack.enter_context(
        tempfile.TemporaryDirectory(prefix="tcpmuxd-bench-"))
    services, networks = SIZES[number]
    port = options.first_port + number
    text = large_policy(services, networks, directory, port)
    server = run.start_tcpmuxd(stack, options.netns, port, log, text,
                               name=f"{services} services")
    if number == len(SIZES) - 1:
        path = mux.write_policy(directory, text)
        server.check_seconds = statistics.median(
            check_seconds(path) for _ in range(options.rounds))
    return server


def measure_loads(servers, options):
    figures = {name: {server.name: [] for server in servers}
               for name in LOADS}
    for number in range(options.rounds + 1):
        for name, words in LOADS.items():
            turn = number % len(servers)
            for server in servers[turn:] + servers[:turn]:
                count = options.count // (5 if name == "launched" else 1)
                result = run.run_load(server, options.netns, options, count,
                                      *words)
                server.rounds.append(result)
                if number > 0:  # the first warms up
                    figures[name][server.name].append(result["cpu_us"])
    return {name: {server: statistics.median(each)
                   for server, each in figures[name].items()}
            for name in figures}


def million_sources(server, options):
    before = memory_kb(server.process.pid, "Rss")
    options.sources, options.seconds = options.million, 120
    server.rounds.append(
        run.run_load(server, options.netns, options, options.million))
    return (memory_kb(server.process.pid, "Rss") - before) / 1024


def print_table(medians, results):
    first = f"{SIZES[0][0]} services"
    for name, row in medians.items():
        print(f"{name}:")
        for server, cost in row.items():
            print(f"  {server:18} {cost:8.2f} µs of CPU, "
                  f"{cost / row[first]:.3f} times")
    for key, value in results.items():
        target = TARGETS[key]
        print(f"{key:18} {value:8.2f}; target: at most {target}: "
              f"{'met' if value <= target else 'MISSED'}")


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--count", type=int, default=50000,
                        help="connections a round and server")
    parser.add_argument("--seconds", type=int, default=20)
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--sources", type=int, default=65536)
    parser.add_argument("--million", type=int, default=1_000_000,
                        help="sources for the last part")
    parser.set_defaults(load_cpu=None, netns=None, first_port=1)
    return parser.parse_args()


def measure(stack, options, log):
    if mux.IS_ROOT:
        options.netns = stack.enter_context(namespaces.Netns())
    else:
        options.first_port = 20001
    servers = [start(stack, options, log, i) for i in range(len(SIZES))]
    largest = servers[-1]
    medians = measure_loads(servers, options)
    ratios = [row[largest.name] / row[servers[0].name]
              for row in medians.values()]
    results = {"check_seconds": largest.check_seconds,
               "memory_mb": memory_kb(largest.process.pid, "Pss") / 1024,
               "ratio": max(ratios),
               "sources_mb": million_sources(servers[0], options)}
    problems = [each for server in servers
                for each in run.complaints(server)]
    return medians, results, problems


def main():
    options = parse_arguments()
    directory = os.path.join(os.environ.get("TCPMUXD_BUILD", "build"), "bench")
    os.makedirs(directory, exist_ok=True)
    with contextlib.ExitStack() as stack:
        log = stack.enter_context(
            tempfile.NamedTemporaryFile(dir=directory, prefix="log-"))
        medians, results, problems = measure(stack, options, log)
    print_table(medians, results)
    with open(os.path.join(directory, "scale.json"), "w") as file:
        json.dump({"medians": medians, "results": results,
                   "targets": TARGETS, "problems": problems}, file, indent=1)
        file.write("\n")
    for problem in problems:
        print(f"bench: {problem}", file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
