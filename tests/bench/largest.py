"""The largest policy, and a million sources: how long a check takes, and what
is kept in memory. 100,000 services and a set of 1,000,000 prefixes."""

import contextlib
import os
import statistics
import subprocess
import tempfile
import time

import mux

import curves
from shared import clock, measure, servers, targets

CHECK_SECONDS, MEMORY_MB, SOURCES_MB = 2.0, 150.0, 1.0
MILLION = 1_000_000


def _check_seconds(path):
    begin = time.monotonic()
    subprocess.run([mux.program("tcpmuxd"), "-t", "-f", path], check=True,
                   stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.monotonic() - begin


def _growth_mb(server, options):
    """What a million sources, each once, leave behind."""
    before = clock.memory_kb(server.pid, "Rss")
    case = measure.Case(server, options.million, *curves.REFUSED, "--sources",
                        str(options.million), "--seconds", "120",
                        name=f"{options.million:,} sources")
    case.run(options.netns, options, 1)
    return (clock.memory_kb(server.pid, "Rss") - before) / 1024


def run(options, log):
    with contextlib.ExitStack() as stack:
        directory = stack.enter_context(
            tempfile.TemporaryDirectory(prefix="tcpmuxd-bench-"))
        text = curves.large_policy(directory, 1, curves.SERVICES[-1],
                                   curves.PREFIXES[-1])
        path = mux.write_policy(directory, text)
        seconds = statistics.median(_check_seconds(path)
                                    for _ in range(options.rounds))
        large = servers.start_tcpmuxd(stack, options.netns, 1, log, text,
                                      "largest")
        measure.Case(large, 1000, *curves.DENIED).run(options.netns, options,
                                                      1)
        memory_mb = large.memory_kb() / 1024
        small = servers.start_tcpmuxd(stack, options.netns, 2, log,
                                      curves.large_policy(directory, 2),
                                      "smallest")
        measure.Case(small, 20000, *curves.REFUSED).run(options.netns,
                                                        options, 0)
        growth_mb = _growth_mb(small, options)
        problems = [*measure.complaints(large), *measure.complaints(small)]
    return {"title": "The largest policy: 100,000 services, a set of "
                     "1,000,000 prefixes.",
            "kind": "figures", "notes": [], "problems": problems,
            "targets": [
                targets.at_most("tcpmuxd -t", seconds, CHECK_SECONDS, " s"),
                targets.at_most("memory of all processes (PSS)", memory_mb,
                                MEMORY_MB, " MB"),
                targets.at_most(
                    f"memory that {options.million:,} sources leave",
                    growth_mb, SOURCES_MB, " MB")]}
