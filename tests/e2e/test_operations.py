"""What who runs tcpmuxd sees of it: the start-up report, signals, services'
standard errors, launches that fail or hang, and descriptors that come back.
"""

import contextlib
import ctypes
import os
import re
import resource
import signal
import socket
import struct
import time

import pytest

from faults import Failing
from mux import (IS_ROOT, LOCAL4, OK, REFUSAL, comm, converse, descendants,
                 eventually, service)

CAT = service("cat", "exec /bin/cat")
KEPT = service("kept", "exec /bin/cat", "leftovers keep")
STUBBORN = service("stubborn",
                   "exec /bin/sh -c 'trap \"\" TERM; echo on; cat; cat'")
COUNTERS = ("accepted shut_out refused helped launched finished evicted "
            "timed_out probes violations workers_started accept_failures "
            "log_lost").split()

only_root = pytest.mark.skipif(not IS_ROOT, reason="needs root to look into "
                               "processes that are not dumpable")


def read(sock, count):
    """So many bytes, or what there is before the end."""
    got = b""
    while len(got) < count:
        more = sock.recv(count - len(got))
        if not more:
            break
        got += more
    return got


def begin(mux, name, **how):
    """A connection to a service that runs: its first line has been read."""
    sock = mux.connect(**how)
    sock.sendall(name + b"\r\n")
    assert read(sock, len(OK)) == OK
    return sock


def echoes(sock, word=b"word"):
    sock.sendall(word)
    return read(sock, len(word)) == word


def ended(sock):
    """Whether there is an end, and nothing before it; waits for it."""
    with contextlib.suppress(ConnectionResetError):
        return sock.recv(1) == b""
    return True


def end(mux):
    """Its orderly end, which has been asked for already."""
    assert mux.process.wait(10) == 0
    mux.assert_no_crash()
    mux._discard()


def is_alive(pid):
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(") ")[2][0] not in "ZX"
    return False


def is_closed(mux):
    """Whether nobody is let in any more."""
    try:
        mux.connect(timeout=5).close()
    except ConnectionRefusedError:
        return True
    return False


# --- the start-up report ----------------------------------------------------

REPORT = {
    "start": ["version", "policy"],
    "kernel": ["release", "landlock", "scopes", "peek_on", "fd_count"],
    "capabilities": ["net_bind_service", "setuid", "setgid", "setpcap",
                     "sys_chroot", "sys_admin", "kill", "sys_nice",
                     "sys_resource", "dac_read_search", "net_admin"],
    "descriptors": ["limit", "needed", "sessions", "pending"],
    "syncookies": ["setting"],
    "cgroup": ["sessions"],  # and what this says about the others
    "room": ["kind"],
    "ready": ["listeners", "services", "workers"],
}
CGROUP = {"yes": ["name", "clone", "left"], "no": ["step", "error"]}
STAMP = re.compile(r"time=\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z level=")


def weaker(mux, *words):
    return [line for line in mux.logs("weaker")
            if all(word in line["text"] for word in words)]


def test_report_is_complete_and_before_the_first_client(mux_factory):
    mux = mux_factory(CAT, KEPT, parser=["workers 2"],
                      admission=["allow any", "sessions 70", "pending 30"])
    assert mux.request("cat", b"x") == (OK, b"x")
    before = mux.log.lines[:mux.log.lines.index(mux.logs("ready")[0]) + 1]
    # What the loader says of the policy is not of the log's form.
    before = [line for line in before if ": warning: " not in line[""]]
    events = [line["event"] for line in before]
    assert [event for event in events if event in REPORT] == [*REPORT]
    assert {*events} - {"weaker"} == {*REPORT, "listen"}
    for line in before:
        assert STAMP.match(line[""])
        if line["event"] in REPORT:
            assert [*line][1:] == ["time", "level", "event",
                                   *REPORT[line["event"]],
                                   *CGROUP.get(line.get("sessions"), [])]
        assert not {"", "?"} & {line[key] for key in line if key}, line
    fact = {event: mux.logs(event)[0] for event in REPORT}
    assert fact["start"]["policy"] == mux.policy_path
    assert fact["kernel"]["release"] == os.uname().release
    assert fact["room"]["kind"] == ("full" if IS_ROOT else "user")
    assert fact["descriptors"]["sessions"] == "70"
    assert fact["descriptors"]["pending"] == "30"
    assert fact["descriptors"]["limit"] == str(
        resource.getrlimit(resource.RLIMIT_NOFILE)[1])
    with open("/proc/sys/net/ipv4/tcp_syncookies") as file:
        assert IS_ROOT or fact["syncookies"]["setting"] == file.read().strip()
    assert (fact["ready"]["listeners"], fact["ready"]["services"],
            fact["ready"]["workers"]) == ("2", "2", "2")
    assert [(line["addr"], line["port"]) for line in mux.logs("listen")] == \
        [(LOCAL4, str(mux.port)), ("::1", str(mux.port))]
    assert bool(weaker(mux, "process group")) == (
        fact["cgroup"]["sessions"] == "no")
    assert bool(weaker(mux, "not root")) == (not IS_ROOT)


@only_root
def test_report_of_capabilities_is_what_it_has(mux_factory):
    mux = mux_factory(CAT)
    with open(f"/proc/{mux.pid}/status") as file:
        status = dict(line.split(":\t") for line in file)
    effective, permitted = (int(status[key], 16)
                            for key in ("CapEff", "CapPrm"))
    bits = dict(zip(REPORT["capabilities"],
                    (10, 6, 7, 8, 18, 21, 5, 23, 24, 2, 12)))
    line, = mux.logs("capabilities")
    for name, bit in bits.items():
        assert (line[name] == "yes") == bool(permitted >> bit & 1), name
        # A policy that needs one of the first two is not loaded, and this
        # one does not want the third.
        assert bool(weaker(mux, f"capability {name}:")) == \
            (line[name] == "no" and
             name not in ("sys_nice", "sys_resource", "net_admin"))
    assert permitted & ~sum(1 << bit for bit in bits.values()) == 0
    # net_admin is only raised to set a filter.
    assert effective == permitted & ~(1 << bits["net_admin"])


def test_report_tells_what_is_weaker(mux_factory):
    few = mux_factory(CAT, rlimits={resource.RLIMIT_NOFILE: (400, 400)})
    assert few.logs("descriptors")[0]["limit"] == "400"
    assert weaker(few, "too few descriptors")
    usual = mux_factory(CAT, admission=["allow any", "sessions 8"])
    assert not weaker(usual, "too few descriptors")
    assert not weaker(usual, "no Landlock")
    old = mux_factory(CAT, preexec=Failing("landlock_create_ruleset",
                                           error=95))
    assert old.logs("kernel")[0]["landlock"] == "0"
    assert old.logs("kernel")[0]["scopes"] == "no"
    assert weaker(old, "no Landlock (Linux")
    for mux in few, usual, old:
        assert mux.request("cat", b"x") == (OK, b"x")


@only_root
def test_report_of_syncookies_is_of_its_own_namespace(mux_factory, netns):
    where = netns({"net.ipv4.tcp_syncookies": 0})
    mux = mux_factory(CAT, netns=where)
    assert mux.logs("syncookies")[0]["setting"] == "0"
    assert weaker(mux, "syncookies")


# --- signals ----------------------------------------------------------------

@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_stop_ends_all_but_who_is_to_be_kept(mux_factory, number):
    mux = mux_factory(CAT, KEPT)
    running, kept = begin(mux, b"cat"), begin(mux, b"kept")
    undecided = mux.connect()
    undecided.sendall(b"ca")
    eventually(lambda: mux.send_signal(signal.SIGUSR1) or
               mux.logs("status", pending=1, running=2))
    mux.send_signal(number)
    assert converse(undecided) == REFUSAL
    assert ended(running)
    mux.wait_log("stopping", running=2)
    mux.wait_log("refuse", reason="stopping")
    mux.wait_log("exit", service="cat", signal=15)
    assert mux.process.wait(10) == 0
    assert is_closed(mux)
    stopped = mux.wait_log("stopped")
    assert [key for key in stopped if key in COUNTERS] == COUNTERS
    assert (stopped["accepted"], stopped["launched"]) == ("3", "2")
    # Nobody is its father any more, and it does not mind.
    assert echoes(kept) and echoes(kept)
    kept.shutdown(socket.SHUT_WR)
    assert ended(kept)
    end(mux)


def test_stop_does_not_wait_for_who_does_not_listen(mux_factory):
    """SIGKILL, five seconds after SIGTERM, and not before."""
    mux = mux_factory(STUBBORN)
    sock = begin(mux, b"stubborn")
    assert read(sock, 3) == b"on\n"
    begun = time.monotonic()
    mux.send_signal(signal.SIGTERM)
    mux.wait_log("stopping", running=1)
    assert is_closed(mux)
    assert echoes(sock)
    mux.stop()
    assert 4.9 < time.monotonic() - begun < 9
    assert [line["signal"] for line in mux.logs("exit")] == ["9"]


def test_quit_lets_everybody_finish(mux_factory):
    mux = mux_factory(CAT, KEPT)
    running, kept = begin(mux, b"cat"), begin(mux, b"kept")
    undecided = mux.connect()
    undecided.sendall(b"ca")
    eventually(lambda: mux.send_signal(signal.SIGUSR1) or
               mux.logs("status", pending=1))
    mux.send_signal(signal.SIGQUIT)
    mux.wait_log("draining", running=2)
    assert is_closed(mux)
    # Who was in already is decided, and served.
    undecided.sendall(b"t\r\nmore")
    assert read(undecided, 7) == OK + b"more"
    assert echoes(running) and echoes(kept)
    for sock in undecided, running:
        sock.shutdown(socket.SHUT_WR)
        assert ended(sock)
    mux.wait_log("exit", service="cat", count=2)
    assert mux.process.poll() is None and echoes(kept)
    kept.shutdown(socket.SHUT_WR)
    assert mux.process.wait(10) == 0
    assert mux.logs("exit", service="kept") and mux.logs("stopped")
    end(mux)


def test_term_cuts_quit_short(mux_factory):
    mux = mux_factory(CAT)
    running = begin(mux, b"cat")
    mux.send_signal(signal.SIGQUIT)
    mux.wait_log("draining")
    assert mux.process.poll() is None and echoes(running)
    mux.send_signal(signal.SIGTERM)
    assert ended(running)
    end(mux)
    assert [line["signal"] for line in mux.logs("exit")] == ["15"]


def test_usr1_tells_the_status(mux_factory):
    mux = mux_factory(CAT)
    running = [begin(mux, b"cat") for _ in range(2)]
    waiting = mux.connect()
    waiting.sendall(b"c")
    mux.refused("unknown")
    assert mux.raw(b"help\r\n") == b"cat\r\n"

    def status():
        mark = mux.mark()
        mux.send_signal(signal.SIGUSR1)
        line = mux.wait_log("status", since=mark)
        # A service may answer before the launcher's own word is read.
        settled = {"pending": "1", "lingering": "0", "launching": "0"}
        return line if settled.items() <= line.items() else None

    line = eventually(status)
    waiting.close()
    assert [key for key in line if key in COUNTERS] == COUNTERS
    assert line["running"] == "2"
    counted = {key: line[key] for key in COUNTERS}
    assert counted == {**dict.fromkeys(COUNTERS, "0"), "accepted": "5",
                       "launched": "2", "refused": "1", "helped": "1",
                       "workers_started": "1"}
    assert int(line["free"]) > 1000 and float(line["uptime_s"]) >= 0
    for sock in running:
        assert echoes(sock)


def test_signals_of_the_terminal_are_not_for_services(mux_factory):
    """Parsers, launchers and services are in groups of their own."""
    mux = mux_factory(CAT)
    running = begin(mux, b"cat")
    groups = {os.getpgid(pid) for pid in mux.children()}
    assert len(groups) == len(mux.children()) == 3
    assert os.getpgid(mux.pid) not in groups
    launch = mux.wait_log("launch")
    assert os.getpgid(int(launch["pid"])) == int(launch["pid"])
    assert os.getsid(int(launch["pid"])) != os.getsid(0)
    assert echoes(running)


@pytest.mark.parametrize("number, name", [(signal.SIGTERM, b"cat"),
                                          (signal.SIGKILL, b"kept")])
def test_rooms_end_with_the_parent(mux_factory, number, name):
    """Even those that hang; sessions stay if it is killed, for as long as no
    tcpmuxd starts that ends what others left in cgroups: another test's may."""
    mux = mux_factory(CAT, KEPT)
    running = begin(mux, name)
    mux.wait_log("launch")
    rooms = mux.parsers() + mux.launchers()
    assert len(rooms) == 2
    for pid in rooms:
        os.kill(pid, signal.SIGSTOP)
    mux.send_signal(number)
    assert mux.process.wait(10) == (0 if number == signal.SIGTERM else -9)
    try:
        eventually(lambda: not any(is_alive(pid) for pid in rooms),
                   what="their end")
    except AssertionError:
        for pid in filter(is_alive, rooms):
            os.kill(pid, signal.SIGKILL)
        raise
    if number == signal.SIGKILL:
        assert echoes(running)
        running.shutdown(socket.SHUT_WR)
    assert ended(running)
    mux._discard()


# --- standard error ---------------------------------------------------------

def shell(words):
    return f"exec /bin/sh -c '{words}'"


def test_stderr_is_escaped_a_line_an_event(mux_factory):
    """No service can forge a line, or lend its words to another session."""
    hostile = ('plain\\na b="c" \\\\ \\033[31m\\001\\r\\177\\200\\377\\n'
               'time=2026-01-01T00:00:00.000Z level=error event=forged\\n'
               '\\n\\0nul')
    mux = mux_factory(service("loud", shell(f"printf \"{hostile}\" >&2"
                                            .replace('b="c"', 'b=\\"c\\"'))),
                      service("other", shell("echo other >&2")))
    assert mux.request("loud") == mux.request("other") == (OK, b"")
    mux.wait_log("exit", count=2)
    session = mux.logs("launch", service="loud")[0]["session"]
    lines = mux.logs("stderr", session=session)
    assert {line["service"] for line in lines} == {"loud"}
    assert {line["level"] for line in lines} == {"notice"}
    assert [re.search(r"text=(.*)$", line[""])[1] for line in lines] == [
        "plain",
        r'"a b=\"c\" \\ \u001b[31m\u0001\u000d\u007f\u0080\u00ff"',
        '"time=2026-01-01T00:00:00.000Z level=error event=forged"',
        r'"\u0000nul"']
    other, = mux.logs("stderr", service="other")
    assert other["text"] == "other" and other["session"] != session
    assert other["session"] == mux.logs("launch",
                                        service="other")[0]["session"]
    assert not mux.logs("forged")


def test_stderr_is_bounded_and_whole(mux_factory):
    """Long lines are cut, none is joined to the next, the last has no end."""
    mux = mux_factory(service("long", shell(
        "head -c 3000 /dev/zero | tr \"\\000\" x >&2; echo >&2; "
        "for i in 1 2 3; do echo line $i >&2; done; printf last >&2")))
    assert mux.request("long") == (OK, b"")
    mux.wait_log("exit")
    texts = [line["text"] for line in mux.logs("stderr")]
    assert set("".join(texts[:-4])) == {"x"} and len(texts[0]) <= 1024
    assert texts[-4:] == ["line 1", "line 2", "line 3", "last"]


def test_stderr_elsewhere(mux_factory):
    words = "echo to the client; echo aside >&2"
    mux = mux_factory(service("null", shell(words), "stderr null"),
                      service("socket", shell(words), "stderr socket"))
    assert mux.request("null") == (OK, b"to the client\n")
    assert mux.request("socket") == (OK, b"to the client\naside\n")
    mux.wait_log("exit", count=2)
    assert not mux.logs("stderr")


def test_stderr_that_floods_holds_nobody_up(mux_factory):
    """Lines may be lost, and then are counted; clients are not."""
    mux = mux_factory(CAT, service("flood", shell(
        "word=$(printf %0900d 0); exec yes $word >&2"), "leftovers kill"))
    floods = [begin(mux, b"flood") for _ in range(3)]
    mux.wait_log("stderr", count=20)
    mark = mux.mark()
    for i in range(100):
        word = b"%d" % i
        assert mux.request("cat", word) == (OK, word)
    for i in range(20):
        mux.refused("unknown")
    assert len(mux.logs("stderr", since=mark)) > 100
    for sock in floods:
        sock.close()
    flooding = mux.named("yes", "sh")
    assert len(flooding) == 3
    for pid in flooding:
        os.kill(pid, signal.SIGKILL)
    # Its own line may be lost, too, while the rest of the flood runs off.
    status = eventually(lambda: mux.send_signal(signal.SIGUSR1) or
                        mux.logs("status", running=0), 30)[0]
    assert (status["accepted"], status["refused"]) == ("123", "20")
    told = len([line for line in mux.log.lines
                if line.get("reason") == "unknown"])
    lost = sum(int(line["lines"]) for line in mux.logs("log-lost"))
    assert told == 20 or lost > 0


# --- launches that fail or hang ---------------------------------------------

def counts(mux):
    """Open descriptors of parent, parsers and launchers."""
    return [mux.fd_count(pid) for pid in
            [mux.pid, *mux.parsers(), *mux.launchers()]]


def test_directory_is_gone(mux_factory, open_path):
    place = open_path / "place"
    place.mkdir()
    mux = mux_factory(service("here", "exec /bin/cat", f"chdir {place}"), CAT)
    assert mux.request("here", b"x") == (OK, b"x")
    place.rmdir()
    mux.refused("here")
    line = mux.wait_log("refuse", reason="launch", service="here")
    assert (line["step"], line["error"]) == ("chdir", "ENOENT")
    place.write_text("no directory")
    mux.refused("here")
    line = mux.wait_log("refuse", reason="launch", service="here", count=2)
    assert (line["step"], line["error"]) == ("chdir", "ENOTDIR")
    assert len(mux.logs("launch")) == 1
    assert mux.request("cat", b"x") == (OK, b"x")


@only_root
def test_a_directory_is_entered_with_the_rights_of_the_service(mux_factory,
                                                               open_path):
    """Its user may put a link there, or be the only one to get in."""
    uid = 61998
    place, secret = open_path / "place", open_path / "secret"
    place.mkdir(0o700)
    os.chown(place, uid, uid)
    mux = mux_factory(service("here", "exec /bin/cat", f"chdir {place}",
                              f"group {uid}", user=uid),
                      service("room", "exec /bin/cat", f"chdir {place}",
                              f"group {uid}", "isolate ipc", user=uid))
    for name in ("here", "room"):
        assert mux.request(name, b"x") == (OK, b"x")
    place.rmdir()
    secret.mkdir(0o700)
    (secret / "open").mkdir(0o755)
    place.symlink_to(secret / "open")
    for name in ("here", "room"):
        mux.refused(name)
        line = mux.wait_log("refuse", reason="launch", service=name)
        assert (line["step"], line["error"]) == ("chdir", "EACCES")


@only_root
def test_exec_that_fails_behind_the_plus(mux_factory):
    """RLIMIT_NPROC is asked only then; the log tells, the client sees the
    end. The steps before are asked in the launcher's own tests."""
    mux = mux_factory(service("one", "exec /bin/cat", "group 61999",
                            user=61999),
                      rlimits={resource.RLIMIT_NPROC: (1, 1)})
    # Kernels do not agree on whether the newcomer itself is counted.
    running = [begin(mux, b"one")]
    while len(running) < 4 and not mux.logs("launch-failed"):
        running.append(begin(mux, b"one"))
        eventually(lambda: len(mux.logs("launch")) == len(running) or
                   mux.logs("launch-failed"))
    line = mux.wait_log("launch-failed")
    assert (line["step"], line["error"]) == ("exec", "EAGAIN")
    assert line["level"] == "warning" and line["service"] == "one"
    assert ended(running.pop())
    for sock in running:
        assert echoes(sock)
        sock.close()
    mux.wait_log("exit", count=len(running))
    assert mux.request("one", b"x") == (OK, b"x")


def test_launcher_that_hangs(mux_factory):
    """Refused in its five seconds, the launcher replaced, all come back."""
    mux = mux_factory(CAT)
    before = counts(mux) if IS_ROOT else None
    hanging, = mux.launchers()
    os.kill(hanging, signal.SIGSTOP)
    begun = time.monotonic()
    socks = [mux.connect() for _ in range(5)]
    for sock in socks:
        sock.sendall(b"cat\r\nbehind")
    for sock in socks:
        assert converse(sock) == REFUSAL
    assert 4.5 < time.monotonic() - begun < 9
    mux.wait_log("refuse", service="cat", reason="launch", count=5)
    refused = mux.logs("refuse")
    assert (refused[0]["step"], refused[0]["error"]) == ("deadline",
                                                         "ETIMEDOUT")
    mux.wait_log("launcher-died", launcher=hanging)
    assert mux.request("cat", b"again") == (OK, b"again")
    assert mux.launchers() != [hanging]
    assert not IS_ROOT or eventually(lambda: counts(mux) == before)


def test_launcher_that_is_killed_with_launches_in_it(mux_factory):
    """What it had not launched is refused at once; running sessions stay."""
    mux = mux_factory(CAT)
    before = counts(mux) if IS_ROOT else None
    running = begin(mux, b"cat")
    for _ in range(5):
        launcher, = eventually(mux.launchers)
        os.kill(launcher, signal.SIGSTOP)
        socks = [mux.connect() for _ in range(4)]
        for sock in socks:
            sock.sendall(b"cat\r\n")
        mark = mux.mark()
        mux.send_signal(signal.SIGUSR1)
        eventually(lambda: mux.send_signal(signal.SIGUSR1) or
                   mux.logs("status", since=mark, launching=4))
        os.kill(launcher, signal.SIGKILL)
        for sock in socks:
            assert converse(sock) == REFUSAL
        line = mux.wait_log("refuse", since=mark, reason="launch",
                            step="none", count=4)
        assert "error" not in line
        assert mux.request("cat", b"again") == (OK, b"again")
    assert echoes(running)
    running.close()
    assert not IS_ROOT or eventually(lambda: counts(mux) == before)


def test_launches_wait_for_a_launcher(mux_factory):
    """Dead when they come, there when they are due: nobody notices."""
    mux = mux_factory(CAT)
    for _ in range(5):
        launcher, = eventually(mux.launchers)
        os.kill(launcher, signal.SIGKILL)
        mux.wait_log("launcher-died", launcher=launcher)
        assert mux.request("cat", b"x") == (OK, b"x")


# --- whose the connection is ------------------------------------------------

def test_connection_ends_with_the_service_not_with_the_session(mux_factory):
    """Nobody holds a copy: what a service closes is closed, also while its
    process, or the standard error of one that it left behind, goes on."""
    mux = mux_factory(
        service("closes", shell("echo bye; exec 0<&- 1>&-; sleep 60")),
        service("leaves", shell("setsid sleep 60 <&- >&- & echo $!"),
                "leftovers keep"))
    assert mux.request("closes", half_close=False) == (OK, b"bye\n")
    left = int(mux.request("leaves", half_close=False)[1])
    mux.wait_log("exit", service="leaves")
    assert not mux.logs("exit", service="closes")
    closes, = mux.logs("launch", service="closes")
    for pid in int(closes["pid"]), left:
        os.kill(pid, signal.SIGKILL)


def test_what_a_session_leaves_is_ended(mux_factory):
    """Its process group; with `leftovers keep` it stays."""
    words = shell("(trap \"\" HUP; exec sleep 60) <&- >&- 2>&- & echo $!")
    mux = mux_factory(service("ends", words),
                      service("stays", words, "leftovers keep"))
    gone, there = (int(mux.request(name)[1]) for name in ("ends", "stays"))
    mux.wait_log("exit", count=2)
    eventually(lambda: not is_alive(gone), what="its end")
    assert is_alive(there)
    os.kill(there, signal.SIGKILL)


@only_root
def test_descriptors_of_a_session(mux_factory):
    """One for a service whose standard error is logged, else none; and all
    of them come back, whatever happened."""
    mux = mux_factory(
        CAT, service("quiet", "exec /bin/cat", "stderr null"),
        service("self", "exec /bin/cat", "stderr socket"),
        service("gone", "exec /bin/cat", "chdir /tmp", head="disabled"))
    before = counts(mux)
    for name, more in (b"cat", 1), (b"quiet", 0), (b"self", 0):
        socks = [begin(mux, name) for _ in range(8)]
        mux.wait_log("launch", service=name.decode(), count=8)
        eventually(lambda: counts(mux) == [before[0] + 8 * more, *before[1:]],
                   what=f"{before} + 8 * {more}")
        for sock in socks:
            assert echoes(sock)
            sock.close()
        mux.wait_log("exit", service=name.decode(), count=8)
        assert counts(mux) == before
    for _ in range(20):
        mux.refused("unknown")
        mux.refused("gone")
        assert mux.raw(b"help\r\n") == b"cat\r\nquiet\r\nself\r\n"
        assert mux.request("cat", b"x") == (OK, b"x")
        mux.connect().close()
        with mux.connect() as sock:
            sock.sendall(b"cat\r\n")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                            b"\1\0\0\0\0\0\0\0")
    eventually(lambda: counts(mux) == before,
               what=f"{before}, not {counts(mux)},")


# --- the processor -----------------------------------------------------------

def slice_ns(pid):
    """What the scheduler was asked for, or its own choice (sched_getattr(2))."""
    size = struct.calcsize("IIQiIQQQ")
    attributes = ctypes.create_string_buffer(size)
    number = {"x86_64": 315, "aarch64": 275}[os.uname().machine]
    if ctypes.CDLL(None).syscall(number, pid, attributes, size, 0) != 0:
        raise OSError(f"sched_getattr of {pid}")
    return struct.unpack("IIQiIQQQ", attributes.raw)[5]


@pytest.mark.skipif(slice_ns(0) == 0,
                    reason="the scheduler has no slices (before Linux 6.12)")
def test_who_is_waited_for_asks_for_short_slices(mux_factory):
    """Beside a flood, or whoever else computes; and no service inherits it."""
    mux = mux_factory(service("cat", "exec /bin/cat", "stderr null"))
    parsers = mux.parsers()
    assert parsers
    for pid in [mux.pid, *parsers]:
        assert slice_ns(pid) == 100_000
    with mux.connect() as sock:
        sock.sendall(b"cat\r\n")
        assert sock.recv(3, socket.MSG_WAITALL) == OK
        pid = int(mux.wait_log("launch")["pid"])
        assert slice_ns(pid) == slice_ns(0) != 100_000


@pytest.mark.skipif(not IS_ROOT, reason="a niceness below 0 needs root")
def test_services_inherit_how_tcpmuxd_was_favoured(mux_factory):
    """A short slice would be taken back from what is forked, with that."""
    mux = mux_factory(service("cat", "exec /bin/cat"),
                      preexec=lambda: os.setpriority(os.PRIO_PROCESS, 0, -5))
    with mux.connect() as sock:
        sock.sendall(b"cat\r\n")
        assert sock.recv(3, socket.MSG_WAITALL) == OK
        pid = int(mux.wait_log("launch")["pid"])
        assert os.getpriority(os.PRIO_PROCESS, pid) == -5
