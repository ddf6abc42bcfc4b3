"""Refusals and HELP: how often a second, and what one costs.

tcpmuxd is as it is shipped: confined, every line written, every source
counted, every client lingered for. The bare epoll servers (bare-epoll.c) are
the physical limit: they accept, read, answer the same bytes and close. xinetd
does not know HELP and refuses it.
"""

import contextlib
import os
import tempfile

import mux

from shared import measure, peers, servers, targets

TCPMUXD, BARE, DEFERRED = ("tcpmuxd", "bare epoll",
                           "bare epoll, deferred accept")
HELP_REFUSED = "xinetd, refusing HELP"
XINETD_TIMES, BARE_TIMES, DEFERRED_TIMES = 15.0, 1.0, 1.5
NAMES = [f"service-{number}" for number in range(8)]
HELP = "".join(f"{name}\r\n" for name in NAMES)
REQUEST = {"refuse": "no-such-service\\r\\n", "help": "HELP\\r\\n"}
ABOUT = {
    "refuse": "Refusing a name that nobody has.",
    "help": "HELP: the names of eight services."}
# Counted and rated like anybody, but never enough of it to be shut out.
ADMISSION = ("allow any", "rate 1000000/s burst 1000000", "penalty unknown 1s",
             "penalty-max 1d", "penalty-threshold 86399s",
             "per-source 100000", "pending-per-source 100000")


def policy(port, *services, top=(), **keywords):
    return mux.policy(*services, port=port, listen=(servers.ADDRESS,),
                      exempt=(), top=top,
                      **{"admission": ADMISSION, **keywords})


def _escape(text):
    return text.replace("\r", "\\r").replace("\n", "\\n")


def _start_tcpmuxd(stack, options, log):
    services = [mux.service(name, "exec /bin/true") for name in NAMES]
    return servers.start_tcpmuxd(
        stack, options.netns, 1, log,
        policy(1, *services, top=options.policy_line), TCPMUXD)


def _bare(stack, options, kind, port):
    answer = HELP if kind == "help" else "-Service not available\r\n"
    for name, words in ((BARE, ()), (DEFERRED, ("-dm",))):
        yield servers.start_bare(stack, name, options.netns, port, *words,
                                 "-a", answer)
        port += 1


def _inetd_help(server, netns):
    """It tells the names in an order of its own."""
    answer = peers.ask(server, netns, b"HELP\r\n").decode()
    assert sorted(answer.split()) == sorted(NAMES), answer
    return answer


def _cases(stack, options, kind, log, directory):
    netns, count = options.netns, options.count
    request = ("--request", REQUEST[kind])
    expect = ("--expect", _escape(HELP)) if kind == "help" else ()
    yield measure.Case(_start_tcpmuxd(stack, options, log), count, *request,
                       *expect)
    for server in _bare(stack, options, kind, 2):
        yield measure.Case(server, count, *request, *expect)
    # They take a tenth of the rounds' connections for the same time.
    few = max(1, count // 10)
    xinetd = peers.start_xinetd(stack, netns, 4, directory, NAMES,
                                "/bin/true")
    if xinetd is not None:
        name = HELP_REFUSED if kind == "help" else peers.XINETD
        yield measure.Case(xinetd, few, *request, "--expect",
                           peers.XINETD_REFUSAL, name=name)
    inetd = peers.start_inetd(stack, netns, directory, NAMES, "/bin/true")
    if inetd is None:
        return
    with peers.may_fail(peers.INETD):
        if kind == "help":
            expect = ("--expect", _escape(_inetd_help(inetd, netns)))
        yield measure.Case(inetd, few, *request, *expect, *inetd.words)


def _judge(kind, rows):
    by_name = {row["name"]: row for row in rows}
    ours = by_name[TCPMUXD]
    what = "HELP" if kind == "help" else "refusals"

    def times(name, key):
        return targets.ratio(ours[key], by_name[name][key])

    yield from (
        targets.at_most(f"CPU of {what} against {BARE}",
                        times(BARE, "cpu_us"), BARE_TIMES),
        targets.at_most(f"CPU of {what} against {DEFERRED}",
                        times(DEFERRED, "cpu_us"), DEFERRED_TIMES))
    if kind == "help":
        least = f"at least {XINETD_TIMES:g} times"
        yield targets.not_comparable("rate of HELP against xinetd's", least,
                                     "xinetd does not know it")
        name, claim = HELP_REFUSED, "rate of HELP against xinetd's refusal"
    else:
        name, claim = peers.XINETD, "rate of refusals against xinetd's"
    if name in by_name:
        yield targets.at_least(claim, times(name, "rate"), XINETD_TIMES)
    else:
        yield targets.not_comparable(claim, f"at least {XINETD_TIMES:g} times",
                                     "not installed")


def run(kind, options, log):
    """One part of the bench: its entry for results.json."""
    before = servers.count_lines(log.name, b"event=refuse")
    with contextlib.ExitStack() as stack:
        directory = stack.enter_context(
            tempfile.TemporaryDirectory(prefix="tcpmuxd-bench-"))
        os.chmod(directory, 0o755)
        cases = list(_cases(stack, options, kind, log, directory))
        measure.run_rounds(cases, options.netns, options)
        rows = [case.row() for case in cases]
    # It has ended, so all it had to say has been written.
    lines = servers.count_lines(log.name, b"event=refuse") - before
    problems = measure.complaints_of(cases)
    connections = sum(each["ok"] for each in cases[0].server.rounds)
    notes = [f"Time from {cases[0].server.clock.source}.",
             *measure.disturbance(measure.servers_of(cases))]
    if peers.INETD in [case.server.name for case in cases]:
        notes.append(peers.INETD_NOTE)
    if kind == "refuse":
        notes.append(f"{connections} refusals by tcpmuxd, {lines} lines in "
                     "its log.")
        if lines != connections:
            problems.append(f"{connections} connections, {lines} lines")
    return {"title": ABOUT[kind], "kind": "servers", "rows": rows,
            "ours": TCPMUXD, "targets": list(_judge(kind, rows)),
            "notes": notes, "problems": problems,
            "rounds": {case.name: case.rounds for case in cases},
            "histograms": {case.name: sorted(case.histogram.items())
                           for case in cases}}
