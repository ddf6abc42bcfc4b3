#!/usr/bin/python3
"""What others notice of a parser that does evil, deed by deed (tests/evil.py).

Ten clients ask for the names (HELP) as fast as they can: alone, and while every
so often somebody sends what makes each parser that sees it do its deed. Their
p99 beside it is compared with what it is alone, with the same parser; and the
longest that one of them had to wait, which a parser that hangs makes a second
each time it is not alone. Rounds are interleaved; medians are printed, and the
target beside them: under twice; BUILD/bench/evil.json has each round. Fails
only if an answer was wrong, or if something was left: the other deeds are
measured all the same.
"""

import argparse
import contextlib
import os
import statistics
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))

import load as loads  # noqa: E402
import mux as muxes  # noqa: E402
from evil import (DEEDS, EXPECTED, HELP, REQUESTS, UNKNOWN,  # noqa: E402
                  Evil)
from netns import Netns  # noqa: E402
from shared import report  # noqa: E402

TARGET_RATIO = 2.0
CLIENTS = 10
# One of each kind.
CHOSEN = [("liar", how) for how in ("slot", "name-for-unknown", "say-unknown",
                                    "claim-garbage")] + \
         [("talker", how) for how in ("twice", "flood", "half", "late",
                                      "nothing", "spin")] + \
         [("keeper", how) for how in ("keep-one", "back-many", "set-linger")] + \
         [("mortal", how) for how in ("asked-fault", "answered-zero")]


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--seconds", type=int, default=1)
    parser.add_argument("--every", type=float, default=0.5,
                        help="seconds from one deed to the next")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--chosen", action="store_true",
                        help="one deed of each kind, instead of all")
    parser.add_argument("--only", action="append", metavar="DEED",
                        help="by its last word; may be given again")
    return parser.parse_args()


def chosen(options):
    can_be = [key for key, deed in DEEDS.items()
              if deed.can_be_marked and not deed.is_unasked]
    if options.only:
        return [key for key in can_be if key[1] in options.only]
    return CHOSEN if options.chosen else can_be


def beside(deed):
    """What has to be in a batch with a mark, for the deed to be done to."""
    is_there = not deed.victims or {UNKNOWN, HELP} & {*deed.victims}
    return () if is_there else (REQUESTS[deed.victims[-1]],)


class Poisoner:
    """Sends a mark every so often, and does not wait for what comes of it."""

    def __init__(self, mux, every, *texts):
        self._mux, self._every, self._texts = mux, every, texts
        self.sent = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def _run(self):
        socks = []
        with self._mux._inside():
            while not self._stop.is_set():
                for text in (b"!now\r\n", *self._texts):
                    socks.append(self._mux.connect(source="127.9.9.9"))
                    socks[-1].sendall(text)
                self.sent += 1
                self._stop.wait(self._every)
        for sock in socks:
            sock.close()

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join()


def measure_good(mux, seconds):
    answer = EXPECTED[HELP].answer.decode().replace("\r\n", "\\r\\n")
    result = loads.run_load(
        mux, "--request", "HELP\\r\\n", "--expect", answer, "--clients",
        CLIENTS, "--sources", CLIENTS, "--seconds", seconds)
    return result


def measure(options, key, netns, port):
    """Medians of the rounds; told: how often the log named the deed."""
    policy, deed = {"exempt": muxes.EVERYBODY}, DEEDS[key]
    rounds = []
    with Evil(*key, "marked", netns=netns, port=port, parser=(
            f"workers {options.workers}", "timeout 5s"), **policy) as evil:
        measure_good(evil.mux, 1)
        for _ in range(options.rounds):
            # Nobody is left who was asked about in the round before.
            muxes.eventually(lambda: evil.status()["pending"] == "0", 20)
            alone = measure_good(evil.mux, options.seconds)
            loads.assert_all_answered(alone)
            with Poisoner(evil.mux, options.every, *beside(deed)) as poisoner:
                time.sleep(options.every)
                found = measure_good(evil.mux, options.seconds)
            # In a batch with a mark, what this parser says is believed.
            if not deed.is_believed:
                loads.assert_all_answered(found)
            rounds.append({
                "alone": alone["p99_us"], "beside": found["p99_us"],
                "ratio": found["p99_us"] / alone["p99_us"],
                "longest": found["max_us"] / 1000, "deeds": poisoner.sent,
                "wrong": found["bad"] + found["reset"],
                "rate": found["ok"] / options.seconds})
        muxes.eventually(lambda: evil.status()["pending"] == "0", 20)
        muxes.eventually(
            lambda: evil.mux.fd_count() <= evil.descriptors, 20,
            "the baseline of descriptors")
        told = len(evil.said(deed)) if deed.said is not None else None
    return {**{name: statistics.median(each[name] for each in rounds)
               for name in rounds[0]}, "told": told, "rounds": rounds}


def show(name, row):
    told = "-" if row["told"] is None else row["told"]
    print(f"{name:26} {row['alone']:7.0f} µs {row['beside']:7.0f} µs "
          f"{row['ratio']:6.2f} {row['longest']:5.0f} ms "
          f"{row['rate']:6.0f}/s {row['deeds']:5.0f} {told:>5} "
          f"{row['wrong']:7.0f}", flush=True)


def try_to_measure(options, key, netns, port, results):
    """What goes wrong with one deed is told, and the next one done."""
    name = " ".join(key)
    try:
        row = measure(options, key, netns, port)
    except (AssertionError, OSError) as error:
        results["problems"].append(f"{name}: {error}")
        print(f"bench: {name}: {error}", file=sys.stderr)
        return
    show(name, row)
    results["deeds"][name] = row


def tell(rows):
    missed = [name for name, row in rows.items()
              if row["ratio"] >= TARGET_RATIO]
    undone = [name for name, row in rows.items() if row["told"] == 0]
    print(f"target: p99 under {TARGET_RATIO:g} times what it is alone; "
          f"missed by {len(missed)} of {len(rows)}"
          f"{': ' if missed else ''}{', '.join(missed)}")
    if undone:
        print(f"never done: {', '.join(undone)}")


def main():
    options = parse_arguments()
    directory = os.path.join(os.environ.get("TCPMUXD_BUILD", "build"), "bench")
    os.makedirs(directory, exist_ok=True)
    results = {"when": time.time(), "machine": report.machine(),
               "options": vars(options), "target": TARGET_RATIO,
               "deeds": {}, "problems": []}
    print(f"{'parser, deed':26} {'p99 alone':>10} {'beside':>10} {'times':>6} "
          f"{'longest':>8} {'rate':>8} {'deeds':>5} {'told':>5} "
          f"{'refused':>7}")
    with contextlib.ExitStack() as stack:
        netns = stack.enter_context(Netns())
        for number, key in enumerate(chosen(options)):
            try_to_measure(options, key, netns, 1000 + number, results)
            report.write(os.path.join(directory, "evil.json"), results)
    tell(results["deeds"])
    return 1 if results["problems"] else 0


if __name__ == "__main__":
    sys.exit(main())
