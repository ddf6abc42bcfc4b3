"""What a connection costs as everything grows: the curves of the bench.

Each point of a curve is tcpmuxd with one thing larger than at the point
before; points take turns as servers do. What is compared is the processor
time of all of tcpmuxd for one connection.
"""

import contextlib
import functools
import os
import socket
import subprocess
import tempfile
import time

import mux

import answers
from shared import measure, servers, targets

RATIO = 1.1
SERVICES = (10, 100, 1000, 10_000, 100_000)
PREFIXES = (10, 1000, 10_000, 100_000, 1_000_000)
HALF_OPEN = (0, 1000, 5000, 15_000)
SOURCES = (1, 100, 10_000, 1_000_000)
WORKERS = (1, 2, 3, 4)
REFUSED = ("--request", "no-such-service\\r\\n")
LAUNCHED = ("--request", "nothing\\r\\n", "--expect", "+\\r\\n")
DENIED = ("--request", "inside\\r\\n")
LAUNCH_SHARE = 10  # of the connections of the other curves
FIRST_SOURCE = 0x7F010000  # 127.1.0.0
HELD_BASE = "127.128.0.0"


def prefixes(count):
    """Every other /28 from 16.0.0.0 on, shuffled: none can be merged."""
    step = 7919  # a prime that divides no count of ours
    for i in range(count):
        address = 0x10000000 + (i * step % count) * 32
        yield ".".join(str(address >> shift & 255)
                       for shift in (24, 16, 8, 0)) + "/28"


def large_policy(directory, port, services=1, networks=1, **keywords):
    path = os.path.join(directory, f"{networks}.txt")
    if not os.path.exists(path):
        with open(path, "w") as file:
            file.writelines(f"{each}\n" for each in prefixes(networks))
    many = "".join(f"service s{i:06}-of-many {{\n\tallow @large\n"
                   "\tuser nobody\n\texec /bin/true\n}\n"
                   for i in range(services))
    return answers.policy(
        port,
        mux.service("inside", "exec /bin/true", allow="@large"),
        mux.service("nothing", "exec " + mux.program("tests/bench/nothing"),
                    "sessions 1000", "per-source 1000", "stderr null"),
        many, top=[f"net large file {path}"], **keywords)


def start_each(stack, options, log, directory, key, sizes):
    """{size: tcpmuxd with so much of what key says}."""
    found = {}
    for port, size in enumerate(sizes, 1):
        text = large_policy(directory, port, **{key: size})
        found[size] = servers.start_tcpmuxd(stack, options.netns, port, log,
                                            text, f"{size} {key}")
    return found


# --- the curves: each a dict of lines, each line a list of cases ------------

def services(stack, options, log, directory):
    found = start_each(stack, options, log, directory, "services", SERVICES)
    few = max(1, options.count // LAUNCH_SHARE)
    return {"refused": [measure.Case(server, options.count, *REFUSED,
                                     size=size)
                        for size, server in found.items()],
            "launched": [measure.Case(server, few, *LAUNCHED, size=size)
                         for size, server in found.items()]}


def networks(stack, options, log, directory):
    found = start_each(stack, options, log, directory, "networks", PREFIXES)
    return {"denied by the set": [
        measure.Case(server, options.count, *DENIED, size=size)
        for size, server in found.items()]}


def workers(stack, options, log, directory):
    cases = []
    for port, size in enumerate(WORKERS, 1):
        text = large_policy(directory, port, parser=(f"workers {size}",))
        server = servers.start_tcpmuxd(stack, options.netns, port, log, text,
                                       f"{size} workers")
        cases.append(measure.Case(server, options.count, *REFUSED, size=size))
    return {"refused": cases}


class SourcesCase(measure.Case):
    """Each round has the next addresses, until all have come.

    A single one is another each round: it would be shut out for what it was
    refused in all of them (answers.ADMISSION).
    """

    def words_of(self, number):
        first = FIRST_SOURCE + (number if self.size == 1 else
                                number * self.count % self.size)
        fits = max(1, min(self.size, self.count))
        address = socket.inet_ntoa(first.to_bytes(4, "big"))
        return (*self.words, "--sources", str(fits), "--source-base", address)


def sources(stack, options, log, directory):
    server = servers.start_tcpmuxd(stack, options.netns, 1, log,
                                   large_policy(directory, 1), "sources")
    # The most come once each, in all the rounds together.
    return {"refused": [
        SourcesCase(server, max(options.count, -(-size // options.rounds))
                    if not options.quick else options.count, *REFUSED,
                    name=f"{size} sources", size=size) for size in SOURCES]}


def wait_until_idle(server):
    """Whoever was accepted is looked at once more, by a parser."""
    def has_nothing_to_do():
        before = sum(server.time_us())
        time.sleep(0.2)
        return sum(server.time_us()) - before < 1000
    mux.eventually(has_nothing_to_do, 20, "the end of all work")


@contextlib.contextmanager
def held(server, options, count, before):
    """So many clients who have said half a line, and wait.

    before: the descriptors that the server has while nobody is there.
    """
    if count == 0:
        yield
        return
    fds = f"/proc/{server.pid}/fd"
    with options.netns.entered():
        load = subprocess.Popen(
            [mux.program("tests/bench/load"), "--clients", "0", "--slow",
             str(count), "--slow-text", "ser", "--seconds", "55",
             "--held-sources", str(count), "--held-base", HELD_BASE,
             server.address, str(server.port)],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    try:
        mux.eventually(lambda: os.stat(fds).st_size >= before + count, 30,
                       f"{count} clients who wait")
        wait_until_idle(server)
        yield
        assert os.stat(fds).st_size >= before + count, "they did not wait"
    finally:
        load.kill()
        load.wait()
        mux.eventually(lambda: os.stat(fds).st_size <= before, 30,
                       "the end of those who waited")


def half_open(stack, options, log, directory):
    admission = (*answers.ADMISSION, "pending 20000", "sessions 25000")
    text = large_policy(directory, 1, admission=admission,
                        parser=("timeout 1m",))
    server = servers.start_tcpmuxd(stack, options.netns, 1, log, text,
                                   "half-open")
    idle = os.stat(f"/proc/{server.pid}/fd").st_size
    few = max(1, options.count // LAUNCH_SHARE)

    def case(size, count, *words):
        return measure.Case(server, count, *words, size=size,
                            name=f"{size} half-open",
                            beside=functools.partial(held, server, options,
                                                     size, idle))
    return {"refused": [case(size, options.count, *REFUSED)
                        for size in HALF_OPEN],
            "launched": [case(size, few, *LAUNCHED)
                         for size in (HALF_OPEN[0], HALF_OPEN[-1])]}


CURVES = {
    "services": (services, "services in the policy"),
    "prefixes": (networks, "prefixes in a set that the service allows"),
    "half-open": (half_open, "clients that have said half a line"),
    "sources": (sources, "addresses that clients come from"),
    "workers": (workers, "parsers"),
}


def _judge(kind, lines):
    for name, rows in lines.items():
        first, last = rows[0], rows[-1]
        yield targets.at_most(
            f"CPU, {name}, {last['size']:,} {kind} against {first['size']:,}",
            targets.ratio(last["cpu_us"], first["cpu_us"]), RATIO)


def run(kind, options, log):
    make, what = CURVES[kind]
    with contextlib.ExitStack() as stack:
        directory = stack.enter_context(
            tempfile.TemporaryDirectory(prefix="tcpmuxd-bench-"))
        os.chmod(directory, 0o755)
        lines = make(stack, options, log, directory)
        for cases in lines.values():
            measure.run_rounds(cases, options.netns, options)
        rows = {name: [case.row() for case in cases]
                for name, cases in lines.items()}
        all_cases = [case for cases in lines.values() for case in cases]
        problems = measure.complaints_of(all_cases)
        notes = measure.disturbance(measure.servers_of(all_cases))
    return {"title": f"Growing: {what}.", "kind": "curve", "what": what,
            "lines": rows, "targets": list(_judge(kind, rows)),
            "notes": notes, "problems": problems,
            "rounds": {f"{name}, {case.size}": case.rounds
                       for name, cases in lines.items() for case in cases}}
