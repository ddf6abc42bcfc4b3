#!/usr/bin/python3
"""Reloads among connections: who notices, and what they leave behind.

Many clients connect all the time, to what both policies have, to what only
one has, to what none has, with HELP, and with lines in two pieces, while the
policy changes between the two and every other one is broken. Each answer must
be one policy's, whole; nobody may be reset or refused by TCP. Then a good
client's times, without a reload, and while a reload's name service hangs.

Fails if an answer was wrong, if processes, descriptors or memory are left,
or if one policy was in force too seldom to have been met; never for being slow.
"""

import argparse
import multiprocessing
import os
import random
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))

import mux as muxes  # noqa: E402
from hanging import Hanging, hanging  # noqa: E402
from mux import OK, REFUSAL, policy, service  # noqa: E402
from netns import Netns  # noqa: E402

GROWTH_BYTES = 1024 * 1024
ECHO = "exec /bin/echo"


def services(*names):
    return [service(name, f"{ECHO} {name}", "sessions 400",
                    "per-source 400") for name in names]


TEXTS = {
    "a": policy(*services("aa", "both"), parser=("workers 2",),
                listen=("127.0.0.1", "127.0.0.2"),
                admission=("allow any", "per-source 400",
                           "pending-per-source 200")),
    "b": policy(*services("both", "zz", *(f"m{i}" for i in range(50))),
                listen=("127.0.0.1", "127.0.0.3"),
                admission=("allow any", "per-source 400",
                           "pending-per-source 200")),
}
BROKEN = "policy 1\nnonsense\n" + TEXTS["b"][9:]
LISTS = {
    b"aa\r\nboth\r\n": "a",
    b"".join(name.encode() + b"\r\n" for name in sorted(
        ["both", "zz", *(f"m{i}" for i in range(50))])): "b",
}


def good_answers(name):
    """{answer: whose policy's it is}, None for both's."""
    if name == b"HELP":
        return LISTS
    served = OK + name + b"\n"
    return {b"both": {served: None}, b"none": {REFUSAL: None},
            b"aa": {served: "a", REFUSAL: "b"},
            b"zz": {served: "b", REFUSAL: "a"}}[name]


def ask(mux, name, random_):
    line = name + b"\r\n"
    if random_.random() < 0.2:
        cut = random_.randrange(1, len(line))
        return mux.raw(b"", pieces=[line[:cut], line[cut:]],
                       gap=random_.random() * 0.01)
    return mux.raw(line)


def client(mux, number, total, count, results):
    """Until all together have made so many connections."""
    random_ = random.Random(number)
    seen, wrong = {"a": 0, "b": 0}, []
    while not wrong:
        with count.get_lock():
            if count.value >= total:
                break
            count.value += 1
        name = random_.choices([b"both", b"aa", b"zz", b"none", b"HELP"],
                               [1, 2, 2, 3, 2])[0]
        try:
            answer = ask(mux, name, random_)
        except OSError as error:
            wrong.append((name, repr(error)))
            break
        good = good_answers(name)
        if answer not in good:
            wrong.append((name, answer))
        elif good[answer] is not None:
            seen[good[answer]] += 1
    results.put((seen, wrong))


def change(mux, text):
    since = mux.ask_to_reload(text)
    event = "reload-failed" if text is BROKEN else "reloaded"
    return mux.wait_log(event, since=since, timeout=60)


def settled(mux):
    """(descriptors, memory) when all that left has left."""
    muxes.eventually(lambda: len(mux.parsers()) == 2 and
                     len(mux.launchers()) == 1 and
                     len(mux.children()) == 3, 20, "the end of all others")
    time.sleep(2.5)  # listeners that leave
    return mux.fd_count(), mux.rss()


def measure(mux, options):
    """200 reloads, evenly among the connections of all clients."""
    count = multiprocessing.Value("L", 0)
    results = multiprocessing.Queue()
    clients = [multiprocessing.Process(
        target=client, args=(mux, number, options.connections, count,
                             results)) for number in range(options.clients)]
    texts = [TEXTS["b"], BROKEN, TEXTS["a"], BROKEN]
    durations = []
    for process in clients:
        process.start()
    for number in range(options.reloads):
        while count.value < number * options.connections / options.reloads:
            time.sleep(0.002)
        line = change(mux, texts[number % 4])
        if "duration_s" in line:
            durations.append(float(line["duration_s"]))
    seen, wrong = {"a": 0, "b": 0}, []
    for _ in clients:
        one_seen, one_wrong = results.get()
        seen = {key: seen[key] + one_seen[key] for key in seen}
        wrong += one_wrong
    for process in clients:
        process.join()
    return seen, wrong, sorted(durations)


def latencies(mux, total):
    times = []
    for _ in range(total):
        began = time.perf_counter()
        mux.refused("none")
        times.append(time.perf_counter() - began)
    times.sort()
    return [1e6 * times[int(part * total)] for part in (0.5, 0.99)]


def measure_hang(mux, total):
    """A good client's times, turn by turn, so that noise is both's."""
    rounds = {"quiet": [], "hanging": []}
    for _ in range(5):
        rounds["quiet"].append(latencies(mux, total))
        with hanging(mux):
            since = mux.ask_to_reload(TEXTS["a"])
            mux.wait_log("reload", since=since)
            rounds["hanging"].append(latencies(mux, total))
            assert not mux.logs("reloaded", since), "it did not hang"
        muxes.eventually(
            lambda: mux.logs("reloaded", since) or
            mux.logs("reload-failed", since), 40, "the end of the reload")
    for name, each in rounds.items():
        median, p99 = (sorted(column)[2] for column in zip(*each))
        print(f"good client, {name:8} median {median:6.0f} µs, "
              f"p99 {p99:6.0f} µs")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--reloads", type=int, default=200)
    parser.add_argument("--connections", type=int, default=50000)
    parser.add_argument("--clients", type=int, default=16)
    options = parser.parse_args()
    with Netns() as netns:
        netns.acknowledge_at_once()
        mux = muxes.Mux(TEXTS["a"], netns=netns, preexec=Hanging())
        try:
            for text in [TEXTS["b"], BROKEN, TEXTS["a"]] * 3:
                change(mux, text)
            before = settled(mux)
            began = time.monotonic()
            seen, wrong, durations = measure(mux, options)
            took = time.monotonic() - began
            change(mux, TEXTS["a"])
            after = settled(mux)
            measure_hang(mux, 1000)
            mux.stop()
        finally:
            mux.kill()
    print(f"{options.connections} connections, {options.reloads} reloads, "
          f"{took:.0f} s; answered by the one policy alone {seen['a']}, "
          f"by the other {seen['b']}")
    print(f"good reloads {len(durations)}: median "
          f"{durations[len(durations) // 2]:.3f} s, "
          f"longest {durations[-1]:.3f} s")
    print(f"descriptors {before[0]} -> {after[0]}, "
          f"memory {before[1] >> 10} -> {after[1] >> 10} KiB")
    for each in wrong[:20]:
        print("wrong:", each)
    ok = (not wrong and after[0] <= before[0] and
          after[1] - before[1] < GROWTH_BYTES and min(seen.values()) > 100)
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())
