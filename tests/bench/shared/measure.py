"""One load; many rounds of them, taking turns; and what they come to.

All servers are asked by the same program (load.c) in a closed loop from many
addresses. Servers take turns, another one first in each round, so that what
happens to the machine meanwhile happens to all.
"""

import contextlib
import json
import os
import statistics
import subprocess
import time

import mux

from shared import clock, servers

SETTLE_SECONDS = 0.3  # lingering sockets, lines not yet written
KEYS = ("rate", "p50_us", "p99_us", "p999_us", "cpu_us", "user_us",
        "system_us")
BUSY = 0.05  # of the machine, by others: from here on a part says so
FAULTS = ("bad", "reset", "unfinished", "connect_errors", "send_errors")


def _work_us():
    """What the machine has worked, but for us and those we waited for."""
    times = os.times()
    own = times.user + times.system + times.children_user + \
        times.children_system
    return clock.machine_us() - own * 1e6


def run_load(server, netns, options, count, *words):
    """One load; its result with the server's time for it.

    words: further ones for the load generator.
    """
    clients = min(options.clients, server.clients or options.clients)
    argv = [mux.program("tests/bench/load"),
            "--clients", str(clients), "--count", str(count),
            "--seconds", str(options.seconds),
            "--sources", str(options.sources), *words, server.address,
            str(server.port)]
    if options.load_cpu is not None:
        argv = ["taskset", "-c", str(options.load_cpu), *argv]
    began, before = time.monotonic(), _work_us()
    user_before, system_before = server.time_us()
    with netns.entered() if netns else contextlib.nullcontext():
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, check=True,
                              stdout=subprocess.PIPE,
                              timeout=options.seconds + 30)
    time.sleep(SETTLE_SECONDS)
    user_after, system_after = server.time_us()
    result = json.loads(done.stdout)
    ours = user_after + system_after - user_before - system_before
    others = _work_us() - before - ours
    result["others"] = max(0.0, others / 1e6 / os.cpu_count() /
                           (time.monotonic() - began))
    connections = max(1, result["ok"])
    result["user_us"] = (user_after - user_before) / connections
    result["system_us"] = (system_after - system_before) / connections
    result["cpu_us"] = result["user_us"] + result["system_us"]
    return result


class Case:
    """One row: a server, and what is asked of it.

    size: where on a curve it is. beside: a context in which it is measured.
    """

    def __init__(self, server, count, *words, name=None, size=None,
                 beside=contextlib.nullcontext):
        self.server, self.count, self.words = server, count, words
        self.name, self.size, self.beside = name or server.name, size, beside
        self.rounds = []
        self.histogram = {}
        self.failure = None  # or why there are no more rounds

    def words_of(self, _number):
        """For a round; 0 is the one that warms up."""
        return self.words

    def run(self, netns, options, number):
        count = self.count if number > 0 else max(1, self.count // 4)
        with self.beside():
            result = run_load(self.server, netns, options, count,
                              "--histogram", *self.words_of(number))
        self.server.rounds.append(result)
        histogram = result.pop("histogram")
        if number == 0:  # so that no cache is cold and no page is new
            return
        for end_us, times in histogram:
            self.histogram[end_us] = self.histogram.get(end_us, 0) + times
        self.rounds.append(result)
        print(f"round {number}  {self.name:28} {result['ok']:7} connections "
              f"{result['rate']:8.0f}/s {result['cpu_us']:8.2f} µs of CPU",
              flush=True)

    def try_to_run(self, netns, options, number):
        """One that fails ends nothing but itself."""
        try:
            self.run(netns, options, number)
        except servers.FAILURES as error:
            self.failure = f"{self.name}: round {number}: {error}"
            print(self.failure, flush=True)

    def median(self, key):
        """None if nobody was answered."""
        found = [each[key] for each in self.rounds if each["ok"] > 0]
        return round(statistics.median(found), 3) if found else None

    def row(self):
        row = {key: self.median(key) for key in KEYS}
        return {"name": self.name, "size": self.size,
                "memory_kb": self.server.memory_kb(), **row}


def run_rounds(cases, netns, options):
    for number in range(options.rounds + 1):
        turn = number % len(cases)
        for case in cases[turn:] + cases[:turn]:
            if case.failure is None:
                case.try_to_run(netns, options, number)


def disturbance(measured):
    """What to say of others that used the processors meanwhile."""
    shares = [each["others"] for server in measured
              for each in server.rounds]
    share = statistics.mean(shares) if shares else 0.0
    if share < BUSY:
        return []
    return [f"Others took {100 * share:.0f} % of the processors meanwhile: "
            "the figures are worth less."]


def complaints(server):
    """What must be zero and is not."""
    for key in FAULTS:
        total = sum(each[key] for each in server.rounds)
        if total > 0:
            yield f"{server.name}: {key}: {total}"


def servers_of(cases):
    return list({id(case.server): case.server for case in cases}.values())


def complaints_of(cases):
    return [*(case.failure for case in cases if case.failure is not None),
            *(each for server in servers_of(cases)
              for each in complaints(server))]
