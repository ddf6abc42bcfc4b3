#!/usr/bin/python3
"""What a refused connection costs: user and system time of all processes.

The servers share a network namespace; the same load goes to each in turn, for
five rounds: a bare one-process epoll server that only accepts, reads, answers
and closes; the same with answer and FIN in one segment; that with deferred
accept too (as little as it can cost); and tcpmuxd, confined, with every line
written and counted. Prints medians and the ratio of tcpmuxd to each, and
writes them to BUILD/bench/results.json.

The time is that of the server's cgroup where cgroup v2 is there and writable
(microseconds, with all that its children ever used), else that of its process
tree in clock ticks. Fails if any client was not answered exactly, or if the
log does not have one line for each connection; never for being slow.
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

TARGET = 1.05
BARE = "bare epoll"
SETTLE_SECONDS = 0.3  # lingering sockets, lines not yet written
ADDRESS = "127.0.0.1"


# --- how much time a server has used ----------------------------------------

def cgroup_root():
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


class CgroupTime:
    """The time of everything that ever ran in a cgroup of its own."""

    source = "cgroup cpu.stat"

    def __init__(self, root, name):
        self._path = os.path.join(root, f"tcpmux-bench-{os.getpid()}-{name}")
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


class TreeTime:
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


def make_clock(name):
    root = cgroup_root() if mux.IS_ROOT else None
    if root is not None:
        with contextlib.suppress(OSError):
            return CgroupTime(root, name)
    return TreeTime()


# --- the servers ------------------------------------------------------------

class Server:
    """A server and its clock. argv is started inside the namespace."""

    def __init__(self, name, argv, port, netns, **options):
        self.name, self.port = name, port
        self.rounds = []
        self.clock = make_clock(str(port))
        try:
            with netns.entered() if netns else contextlib.nullcontext():
                self.process = subprocess.Popen(
                    argv, stdin=subprocess.DEVNULL,
                    preexec_fn=self.clock.enter, **options)
        except BaseException:
            self.clock.close()
            raise

    def time_us(self):
        return self.clock.read(self.process.pid)

    def close(self):
        if self.process.poll() is None:
            self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.clock.close()


def start_bare(stack, name, netns, port, *words):
    argv = [mux.program("tests/bench/bare-epoll"), *words, "-p", str(port),
            ADDRESS]
    server = Server(name, argv, port, netns, stdout=subprocess.PIPE)
    stack.callback(server.close)
    assert server.process.stdout.readline() == b"ready\n", "no bare server"
    return server


def start_tcpmuxd(stack, netns, port, log, text, name="tcpmuxd"):
    """tcpmuxd with the policy `text`, which listens on `port`."""
    directory = stack.enter_context(
        tempfile.TemporaryDirectory(prefix="tcpmuxd-bench-"))
    path = mux.write_policy(directory, text)
    server = Server(name, [mux.program("tcpmuxd"), "-f", path], port, netns,
                    stderr=log)
    stack.callback(server.close)
    end = time.monotonic() + 20
    while count_lines(log.name, b"event=ready") == 0:
        if server.process.poll() is not None or time.monotonic() > end:
            with open(log.name) as file:
                sys.exit(f"bench: tcpmuxd is not ready:\n{file.read()}")
        time.sleep(0.02)
    return server


def count_lines(path, word):
    with open(path, "rb") as file:
        return sum(word in line for line in file)


# --- the rounds -------------------------------------------------------------

def run_load(server, netns, options, count, *words):
    """One load; its result with the server's time for it.

    words: further ones for the load generator.
    """
    argv = [mux.program("tests/bench/load"),
            "--clients", str(options.clients), "--count", str(count),
            "--seconds", str(options.seconds),
            "--sources", str(options.sources), *words, ADDRESS,
            str(server.port)]
    if options.load_cpu is not None:
        argv = ["taskset", "-c", str(options.load_cpu), *argv]
    user_before, system_before = server.time_us()
    with netns.entered() if netns else contextlib.nullcontext():
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, check=True,
                              stdout=subprocess.PIPE,
                              timeout=options.seconds + 30)
    time.sleep(SETTLE_SECONDS)
    user_after, system_after = server.time_us()
    result = json.loads(done.stdout)
    connections = max(1, result["ok"])
    result["user_us"] = (user_after - user_before) / connections
    result["system_us"] = (system_after - system_before) / connections
    result["cpu_us"] = result["user_us"] + result["system_us"]
    return result


def run_rounds(servers, netns, options):
    for server in servers:  # so that no cache is cold and no page is new
        server.rounds.append(run_load(server, netns, options, 5000))
    for number in range(options.rounds):
        turn = number % len(servers)
        for server in servers[turn:] + servers[:turn]:
            result = run_load(server, netns, options, options.count)
            server.rounds.append(result)
            print(f"round {number + 1}  {server.name:24} "
                  f"{result['ok']:7} connections "
                  f"{result['rate']:8.0f}/s {result['cpu_us']:6.2f} µs",
                  flush=True)


def median(server, key):
    return statistics.median(each[key] for each in server.rounds[1:])


def complaints(server):
    """What must be zero and is not."""
    for key in ("bad", "reset", "unfinished", "connect_errors",
                "send_errors"):
        total = sum(each[key] for each in server.rounds)
        if total > 0:
            yield f"{server.name}: {key}: {total}"


def summarize(servers):
    keys = ("cpu_us", "user_us", "system_us", "rate", "p50_us", "p99_us")
    return {server.name: {key: round(median(server, key), 3) for key in keys}
            for server in servers}


def print_table(summary, ratios, source):
    print(f"\n{'medians':24} {'µs of CPU':>9} {'user':>6} {'system':>6} "
          f"{'per s':>7} {'p50 µs':>7} {'p99 µs':>7} {'tcpmuxd is':>11}")
    for name, row in summary.items():
        times = f"{ratios[name]:.3f} times" if name in ratios else ""
        print(f"{name:24} {row['cpu_us']:9.2f} {row['user_us']:6.2f} "
              f"{row['system_us']:6.2f} {row['rate']:7.0f} "
              f"{row['p50_us']:7.0f} {row['p99_us']:7.0f} {times:>11}")
    verdict = "met" if ratios[BARE] <= TARGET else "MISSED"
    print(f"\n{ratios[BARE]:.3f} times the time of {BARE}; target: at most "
          f"{TARGET}: {verdict} (time from {source})")


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--count", type=int, default=100000,
                        help="connections a round and server")
    parser.add_argument("--seconds", type=int, default=8,
                        help="a round ends after this, whatever its count")
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--sources", type=int, default=65536)
    parser.add_argument("--load-cpu", type=int, default=None,
                        help="hold the load generator to this CPU")
    parser.add_argument("--log-line", action="append", default=[],
                        help="a further top-level line of tcpmuxd's policy")
    return parser.parse_args()


def measure(stack, options, log):
    netns, first_port = None, 1
    if mux.IS_ROOT:
        netns = stack.enter_context(namespaces.Netns())
    else:
        first_port = mux.free_port()
    servers = [
        start_bare(stack, BARE, netns, first_port + 1),
        start_bare(stack, "  one segment", netns, first_port + 2, "-m"),
        start_bare(stack, "  one segment, deferred", netns, first_port + 3,
                   "-dm"),
        start_tcpmuxd(stack, netns, first_port, log, mux.policy(
            mux.service("some-service", "exec /bin/true"), port=first_port,
            listen=(ADDRESS,), top=options.log_line))]
    run_rounds(servers, netns, options)
    return servers


def main():
    options = parse_arguments()
    build = os.environ.get("TCPMUXD_BUILD", "build")
    directory = os.path.join(build, "bench")
    os.makedirs(directory, exist_ok=True)
    with contextlib.ExitStack() as stack:
        log = stack.enter_context(
            tempfile.NamedTemporaryFile(dir=directory, prefix="log-"))
        with contextlib.ExitStack() as running:
            servers = measure(running, options, log)
            source = servers[-1].clock.source
        # It has ended, so all it had to say has been written.
        lines = count_lines(log.name, b"event=refuse")
    *bare, tcpmuxd = servers
    problems = [each for server in servers for each in complaints(server)]
    connections = sum(each["ok"] for each in tcpmuxd.rounds)
    if lines != connections:
        problems.append(f"{connections} connections, {lines} lines")
    summary = summarize(servers)
    ratios = {server.name:
              median(tcpmuxd, "cpu_us") / median(server, "cpu_us")
              for server in bare}
    print_table(summary, ratios, source)
    print(f"{connections} connections, {lines} lines in the log")
    with open(os.path.join(directory, "results.json"), "w") as file:
        json.dump({"ratio": ratios[BARE], "target": TARGET,
                   "ratios": ratios,
                   "time_source": source, "connections": connections,
                   "lines": lines, "problems": problems,
                   "medians": summary, "options": vars(options),
                   "rounds": {server.name: server.rounds[1:]
                              for server in servers}}, file, indent=1)
        file.write("\n")
    for problem in problems:
        print(f"bench: {problem}", file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
