"""The launch part: launch.py's servers, and two peers more.

systemd-socket-activate starts the program for each connection as tcpserver
does; GNU inetd and xinetd's TCPMUXPLUS do it by name. TCPMUXPLUS answers
before it starts anything, so its first byte tells nothing of the launch.
"""

import contextlib
import os
import tempfile
import types

import launch

from shared import measure, peers, targets

KEYS = ("rate", "cpu_us", "p99_us", "first_us")


def _more_peers(stack, netns, directory):
    program = os.path.join(directory, "greet")  # start_all has put it there
    for server, words in (
            (peers.start_inetd(stack, netns, directory, ["greet"], program),
             launch.NAMED),
            (peers.start_xinetd(stack, netns, 5, directory, ["greet"],
                                program, peers.XINETD_PLUS),
             ("--request", "plus-greet\\r\\n", "--expect",
              peers.XINETD_GO + "+\\r\\n")),
            (peers.start_activate(stack, netns, 6, program),
             launch.UNNAMED)):
        if server is not None:
            server.words = (*words, *server.words)
            yield server


def _judge(medians):
    ours = medians[launch.TCPMUXD]
    for name, least in launch.TARGETS:
        claim = f"rate of launches against {name}"
        if name in medians:
            yield targets.at_least(claim, ours["rate"] /
                                   medians[name]["rate"], least)
        else:
            yield targets.not_comparable(
                claim, f"at least {least:g} times", "not installed")
    yield targets.at_most(f"first byte against {launch.BARE}",
                          ours["first_us"] / medians[launch.BARE]["first_us"],
                          1.0)


def run(options, log):
    own = types.SimpleNamespace(**vars(options))
    own.count, own.many = max(100, options.count // 6), 16
    with contextlib.ExitStack() as stack:
        directory = stack.enter_context(
            tempfile.TemporaryDirectory(prefix="tcpmuxd-bench-"))
        servers = [*launch.start_all(stack, own.netns, log, directory),
                   *_more_peers(stack, own.netns, directory)]
        medians = launch.measure(servers, own.netns, own)
        rows = [{"name": server.name, "size": None,
                 "memory_kb": server.memory_kb(),
                 **{key: round(medians[server.name][key], 3)
                    for key in KEYS}} for server in servers]
        problems = [each for server in servers
                    for each in measure.complaints(server)]
        notes = measure.disturbance(servers)
    notes += ["tcpmuxd confines the program with all it can; the others with "
              "the user at most.",
              "first: median time to the first byte, one client at a time; "
              "TCPMUXPLUS answers before it launches."]
    if peers.INETD in medians:
        notes.append(peers.INETD_NOTE)
    return {"title": "Launching a static program that greets and ends.",
            "kind": "servers", "rows": rows, "ours": launch.TCPMUXD,
            "targets": list(_judge(medians)), "problems": problems,
            "notes": notes}
