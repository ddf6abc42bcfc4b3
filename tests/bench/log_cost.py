"""What a line of the log costs: log-cost.c, as a part of the bench."""

import re
import subprocess

import mux

from shared import targets

TARGET_NS = 1000.0


def run(_options, _log):
    done = subprocess.run([mux.program("tests/bench/log-cost")], check=True,
                          stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, timeout=120)
    found = [float(each) for each in re.findall(r"(\d+) ns a line",
                                                done.stdout)]
    return {"title": "A refusal's line, 32 of them a turn.",
            "kind": "figures", "text": done.stdout, "notes": [],
            "problems": [] if found else ["log-cost told nothing"],
            "targets": [targets.at_most("the most expensive line",
                                        max(found, default=0.0), TARGET_NS,
                                        " ns")]}
