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

from shared import measure, peers


def _more_peers(stack, netns, directory):
    program = os.path.join(directory, "greet")  # start_all has put it there
    for server, words in (
            (peers.start_inetd(stack, netns, directory, ["greet"], program),
             launch.NAMED),
            (peers.start_xinetd(stack, netns, 7, directory, ["greet"],
                                program, peers.XINETD_PLUS),
             ("--request", "plus-greet\\r\\n", "--expect",
              peers.XINETD_GO + "+\\r\\n")),
            (peers.start_activate(stack, netns, 6, program),
             launch.UNNAMED)):
        if server is not None:
            server.words = (*words, *server.words)
            yield server


def run(options, log):
    own = types.SimpleNamespace(**vars(options))
    own.count, own.clients = max(100, options.count // 6), 16
    with contextlib.ExitStack() as stack:
        directory = stack.enter_context(
            tempfile.TemporaryDirectory(prefix="tcpmuxd-bench-"))
        pairs = launch.make_cases(
            [*launch.start_all(stack, own.netns, log, directory),
             *_more_peers(stack, own.netns, directory)], own)
        measure.run_rounds([each for pair in pairs for each in pair],
                           own.netns, own)
        part = launch.part_of(pairs)
    part["notes"] += [
        "tcpmuxd confines the program with all it can; the others with the "
        "user at most.",
        "first: median time to the first byte, one client at a time; "
        "TCPMUXPLUS answers before it launches."]
    if peers.INETD in [row["name"] for row in part["rows"]]:
        part["notes"].append(peers.INETD_NOTE)
    return part
