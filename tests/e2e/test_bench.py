"""What `make bench` makes of a part or a server that cannot be measured: it is
named, and the others are kept."""

import contextlib
import json
import os
import socket
import subprocess
import sys

import pytest

from mux import LOCAL4

sys.path.append(os.path.join(os.path.dirname(__file__), "../bench"))

import launch  # noqa: E402
import run  # noqa: E402
from shared import measure, peers, report, servers, world  # noqa: E402


@contextlib.contextmanager
def server(port, *argv, **options):
    started = servers.Server("theirs", argv, port, None, **options)
    try:
        yield started
    finally:
        started.close()


def test_a_part_that_fails_is_named_and_the_others_are_kept(
        tmp_path, monkeypatch):
    def fails(_options, _log):
        raise ZeroDivisionError("of this part")

    def goes(_options, _log):
        return {"title": "It went.", "kind": "figures", "targets": [],
                "notes": [], "problems": []}

    options = run.parse_arguments(["--rounds", "1"])
    monkeypatch.setattr(run, "PARTS", {"first": fails, "second": goes})
    monkeypatch.setattr(world, "enter", lambda stack: None)
    monkeypatch.setattr(run, "version", lambda: "")
    monkeypatch.setattr(peers, "versions", lambda: {})
    assert run.measure_all(["first", "second"], options, tmp_path,
                           {"parts": {}}) == 1
    parts = json.loads((tmp_path / run.RESULTS).read_text())["parts"]
    assert parts["first"]["problems"] == ["ZeroDivisionError: of this part"]
    assert parts["second"]["problems"] == []
    page = (tmp_path / run.PAGE).read_text()
    assert "of this part" in page and "It went." in page


class Deaf:
    """A server of which every client gets nothing."""

    words, rounds = (), ()

    def __init__(self, name):
        self.name, self.rounds = name, []

    @staticmethod
    def memory_kb():
        return 0


def load(server, _netns, _options, count, *_words):
    """What a round comes to, without one."""
    if server.name == "ends":
        raise subprocess.TimeoutExpired("load", 50)
    is_deaf = server.name == "deaf"
    return {**dict.fromkeys((*measure.KEYS, "first_byte_p50_us"),
                            0.0 if is_deaf else 2.0),
            **dict.fromkeys(measure.FAULTS, 0), "others": 0.0,
            "bad": count * is_deaf, "ok": count * (not is_deaf),
            "histogram": [] if is_deaf else [[2.0, count]]}


@pytest.mark.parametrize("name", ["deaf", "ends"])
def test_a_server_that_cannot_be_measured_has_no_figures(
        name, monkeypatch, capsys):
    monkeypatch.setattr(measure, "run_load", load)
    options = run.parse_arguments(["--rounds", "2"])
    pairs = launch.make_cases([Deaf(launch.TCPMUXD), Deaf(name)], options)
    measure.run_rounds([case for pair in pairs for case in pair], None,
                       options)
    monkeypatch.setattr(launch, "TARGETS", ((name, 1.0),))
    part = launch.part_of(pairs)
    ours, theirs = part["rows"]
    assert (ours["rate"], theirs["rate"]) == (2.0, None)
    assert [target["is_met"] for target in part["targets"]] == [None]
    assert all(name in problem for problem in part["problems"])
    assert part["problems"]
    report.show("launch", part)
    assert "n/a" in capsys.readouterr().out


def test_each_round_of_a_launch_is_kept(monkeypatch):
    monkeypatch.setattr(measure, "run_load", load)
    options = run.parse_arguments(["--rounds", "3"])
    pairs = launch.make_cases([Deaf(launch.TCPMUXD)], options)
    for case in pairs[0]:
        measure.run_rounds([case], None, options)
    part = launch.part_of(pairs)
    assert {"rate", "p50_us", "p99_us", "p999_us", "cpu_us",
            "first_us"} <= set(part["rows"][0])
    for name in (launch.TCPMUXD, f"{launch.TCPMUXD}, one client"):
        assert len(part["rounds"][name]) == 3
        assert part["histograms"][name]


def test_a_port_that_somebody_else_has_is_not_a_server_s_own():
    with socket.create_server((LOCAL4, 0)) as ours:
        port = ours.getsockname()[1]
        with server(port, "sleep", "60") as theirs:
            assert not theirs.listens()
        with server(port, "true") as theirs, pytest.raises(AssertionError):
            theirs.wait_until_it_listens()
        inherited = {"pass_fds": [ours.fileno()]}
        with server(port, "sleep", "60", **inherited) as theirs:
            theirs.wait_until_it_listens()


def test_a_peer_that_does_not_start_is_told():
    with contextlib.ExitStack() as stack:
        assert peers.start(stack, "missing", ["/none/such"], 1, None) is None
        assert peers.start(stack, "short", ["true"], 1, None) is None
    missing, short = peers.take_failed()
    assert missing.startswith("missing: ") and short == "short: has ended"
    assert peers.take_failed() == []
