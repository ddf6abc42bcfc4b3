#!/usr/bin/python3
"""How often a second a service can be launched, and how soon it speaks.

The service is a static program without a C library that says + and ends, so
that the launching is what is measured. Who launches it: tcpserver, with no
confinement at all; a bare fork and exec; xinetd's TCPMUX; and tcpmuxd, with
everything that its policy can take away from it, once without and once with a
cgroup for each session, to end what it leaves behind. All run in one network
namespace, on all cores, and take the same closed loop of clients in turn.
Prints medians of the rounds and the ratios, and writes them to
BUILD/bench/launch.json. A server that is not installed is left out.
"""

import argparse
import contextlib
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))

import mux  # noqa: E402
import netns as namespaces  # noqa: E402
from shared.measure import complaints, run_load  # noqa: E402
from shared.servers import ADDRESS, Server, start_tcpmuxd  # noqa: E402

TCPMUXD, BARE, TCPSERVER, XINETD = ("tcpmuxd", "bare fork+exec", "tcpserver",
                                    "xinetd TCPMUX")
WITH_CGROUPS = "tcpmuxd, cgroups"
# (of what, the least of tcpmuxd's rate in times of that one's)
TARGETS = ((TCPSERVER, 1.0), (XINETD, 2.0))
NAMED = ("--request", "greet\\r\\n")
UNNAMED = ("--request", "")
LIMITS = ("limit open-files 64", "limit core 0", "limit file-size 0",
          "limit stack 1M", "limit address-space 64M")
XINETD_CONF = """
defaults
{{
	log_type = FILE /dev/null
	instances = UNLIMITED
	cps = 1000000 1
	per_source = UNLIMITED
	flags = NOLIBWRAP
}}
service tcpmux
{{
	type = INTERNAL UNLISTED
	id = tcpmux-stream
	socket_type = stream
	protocol = tcp
	port = {port}
	user = root
	wait = no
}}
service greet
{{
	type = TCPMUX UNLISTED
	socket_type = stream
	protocol = tcp
	user = nobody
	wait = no
	server = {program}
}}
"""


def confined(port, program, leftovers="kill"):
    """The service with all that can be taken away from one."""
    return mux.policy(
        mux.service("greet", f"exec {program}", "reply service",
                    "sessions 1000", "per-source 1000", "stderr null",
                    f"leftovers {leftovers}", "syscalls default",
                    "network none",
                    f"filesystem exec {program}", *LIMITS),
        port=port, listen=(ADDRESS,), top=["log {\n\tlimit off\n}"])


def wait_for(port, netns):
    def answers():
        with contextlib.suppress(OSError), netns.entered():
            socket.create_connection((ADDRESS, port), 1).close()
            return True
        return False
    mux.eventually(answers, what=f"port {port}")


def start_plain(stack, name, netns, port, argv, words):
    server = Server(name, argv, port, netns, stdout=subprocess.DEVNULL,
                        stderr=subprocess.DEVNULL)
    stack.callback(server.close)
    wait_for(port, netns)
    server.words = words
    return server


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
    yield start_plain(stack, BARE, netns, 2, [
        mux.program("tests/bench/bare-fork"), ADDRESS, "2", program],
        UNNAMED)
    if shutil.which("tcpserver"):
        yield start_plain(stack, TCPSERVER, netns, 3, [
            "tcpserver", "-H", "-R", "-l", "0", "-c", "10000", "-b", "4096",
            ADDRESS, "3", program], UNNAMED)
    if shutil.which("xinetd"):
        conf = os.path.join(directory, "xinetd.conf")
        with open(conf, "w") as file:
            file.write(XINETD_CONF.format(port=4, program=program))
        yield start_plain(stack, XINETD, netns, 4, [
            "xinetd", "-dontfork", "-f", conf, "-pidfile",
            os.path.join(directory, "pid")], NAMED)


def measure(servers, netns, options):
    """[server name][key]: medians of the rounds."""
    rounds = {server.name: [] for server in servers}
    for number in range(options.rounds + 1):
        turn = number % len(servers)
        for server in servers[turn:] + servers[:turn]:
            options.clients = options.many
            many = run_load(server, netns, options, options.count,
                                "--expect", "+\\r\\n", *server.words)
            options.clients = 1
            one = run_load(server, netns, options, options.count // 10,
                               "--expect", "+\\r\\n", *server.words)
            server.rounds += [many, one]
            if number > 0:  # the first warms up
                rounds[server.name].append({
                    "rate": many["rate"], "cpu_us": many["cpu_us"],
                    "p99_us": many["p99_us"],
                    "first_us": one["first_byte_p50_us"]})
                print(f"round {number}  {server.name:16} "
                      f"{many['rate']:7.0f}/s  {many['cpu_us']:6.1f} µs of "
                      f"CPU  first byte {one['first_byte_p50_us']:6.0f} µs",
                      flush=True)
    return {name: {key: statistics.median(each[key] for each in results)
                   for key in results[0]}
            for name, results in rounds.items()}


def print_table(medians):
    print()
    for name, row in medians.items():
        print(f"{name:16} {row['rate']:7.0f}/s {row['cpu_us']:7.1f} µs of CPU "
              f"first byte {row['first_us']:6.0f} µs")
    for ours in (TCPMUXD, WITH_CGROUPS):
        for name, least in TARGETS:
            if name in medians:
                ratio = medians[ours]["rate"] / medians[name]["rate"]
                print(f"{ours}: {ratio:.3f} times {name}; target: at least "
                      f"{least}: {'met' if ratio >= least else 'MISSED'}")
        later = medians[ours]["first_us"] / medians[BARE]["first_us"]
        print(f"{ours}: first byte after {later:.3f} times what {BARE} takes; "
              f"target: at most 1.0: {'met' if later <= 1.0 else 'MISSED'}")


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--count", type=int, default=10000,
                        help="launches a round and server")
    parser.add_argument("--many", type=int, default=16, help="clients")
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
        servers = list(start_all(stack, netns, log, place))
        medians = measure(servers, netns, options)
        problems = [each for server in servers
                    for each in complaints(server)]
    print_table(medians)
    with open(os.path.join(directory, "launch.json"), "w") as file:
        json.dump({"medians": medians, "problems": problems,
                   "time": time.time()}, file, indent=1)
        file.write("\n")
    for problem in problems:
        print(f"bench: {problem}", file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
