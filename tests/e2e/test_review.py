"""Orderings that a review of the parent found it took wrongly: who ends
before it is heard, a launcher that dies with words unread, a service that
hides from its signals.
"""

import contextlib
import ctypes
import json
import os
import re
import signal
import socket
import subprocess
import tempfile
import time

import pytest

from faults import Failing
from load import status
from mux import (IS_ROOT, LOCAL4, OK, REFUSAL, children, converse, eventually,
                 free_port, policy, program, service, sleeps_ms, state,
                 write_policy)

needs_root = pytest.mark.skipif(not IS_ROOT, reason="needs root to mount, or "
                                "to look into a parser")

MANY = ("sessions 400", "per-source 400")
CROWD = ("allow any", "pending-per-source 200", *MANY)


def open_many(mux, name, count):
    socks = [mux.connect() for _ in range(count)]
    for sock in socks:
        sock.sendall(name + b"\r\n")
    return socks


def wait_launching(mux, count):
    eventually(lambda: status(mux)["launching"] == count)


def is_zombie_or_gone(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(") ")[2][0] == "Z"
    except FileNotFoundError:
        return True


def script(open_path, text):
    """A Python service's exec line; the file is readable to everybody."""
    path = open_path / "script.py"
    path.write_text(text)
    path.chmod(0o644)
    return f"exec /usr/bin/python3 {path}"


# --- a child that ends while others are reaped ------------------------------

LOUD = 24


def test_who_says_its_name_and_ends_while_others_are_reaped(mux_factory):
    """Long stderrs make a long round of reaping, in which one more child
    announces itself, becomes its service and ends: it is not forgotten."""
    loud = "read go; yes | head -c 4000 >&2"
    mux = mux_factory(
        service("loud", f"exec /bin/sh -c '{loud}'", *MANY),
        service("true", "exec /bin/true"), admission=CROWD)
    launcher, = mux.launchers()
    socks = open_many(mux, b"loud", LOUD)
    for sock in socks:
        assert sock.recv(len(OK)) == OK
    loud_pids = [int(line["pid"]) for line in
                 (mux.wait_log("launch", count=i + 1) for i in range(LOUD))]
    os.kill(launcher, signal.SIGSTOP)
    last = mux.connect()
    last.sendall(b"true\r\n")
    wait_launching(mux, 1)
    mux.send_signal(signal.SIGSTOP)
    for sock in socks:
        sock.sendall(b"go\n")
    eventually(lambda: all(map(is_zombie_or_gone, loud_pids)))
    mux.send_signal(signal.SIGCONT)
    # The first is reaped: the round has begun.
    while all(os.path.exists(f"/proc/{pid}") for pid in loud_pids):
        pass
    os.kill(launcher, signal.SIGCONT)
    assert converse(last) == OK
    # Any line may be lost among those of stderr.
    eventually(lambda: mux.send_signal(signal.SIGUSR1) or
               mux.logs("status", finished=LOUD + 1, running=0), 15)
    mux.stop()


# --- a launcher that dies with launches in it -------------------------------

def test_who_was_launched_before_its_launcher_died_is_heard(mux_factory):
    """Nobody is refused behind `+`, and no service runs unknown."""
    mux = mux_factory(service("cat", "exec /bin/cat", *MANY), admission=CROWD)
    were_both = False
    for _ in range(20):
        launcher, = eventually(mux.launchers)
        before = len(mux.children())
        os.kill(launcher, signal.SIGSTOP)
        socks = open_many(mux, b"cat", 100)
        wait_launching(mux, 100)
        mux.send_signal(signal.SIGSTOP)
        os.kill(launcher, signal.SIGCONT)
        while len(mux.children()) <= before:
            pass
        os.kill(launcher, signal.SIGKILL)
        eventually(lambda: is_zombie_or_gone(launcher))
        mux.send_signal(signal.SIGCONT)
        answers = [converse(sock) for sock in socks]
        assert set(answers) <= {OK, REFUSAL}
        counters = eventually(
            lambda: (now := status(mux))["launching"] == 0 and now)
        assert counters["launched"] + counters["refused"] == \
            counters["accepted"]
        were_both = len(set(answers)) == 2
        if were_both:
            break
    assert were_both
    eventually(lambda: status(mux)["running"] == 0)


# --- a service that hides from its signals ----------------------------------

AWAY = """
import os, signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
ready, told = os.pipe()
child = os.fork()
if child == 0:
    os.setpgid(0, 0)
    os.write(told, b".")
    time.sleep(60)
    os._exit(0)
os.read(ready, 1)
try:
    os.setpgid(0, child)
    os.write(1, b"away\\n")
except PermissionError:
    os.write(1, b"kept\\n")
time.sleep(60)
"""


def lines_of(sock, count):
    """What is behind the reply, once it is so many lines."""
    with sock.makefile("rb") as file:
        found = [file.readline() for _ in range(count + 1)]
    assert found[0] == OK
    return found[1:]


def test_a_service_stays_in_its_process_group_and_is_ended(mux_factory,
                                                           open_path):
    mux = mux_factory(service("away", script(open_path, AWAY)))
    with mux.connect() as sock:
        sock.sendall(b"away\r\n")
        assert lines_of(sock, 1) == [b"kept\n"]
        pid = int(mux.wait_log("launch")["pid"])
        child, = children(pid)
        try:
            assert os.getpgid(pid) == os.getsid(pid) == pid
            mux.stop()
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)


# Who joins a group of its session and is left there by its parent, stopped,
# has the kernel end all of that group: with HUP, and asking nobody's leave.
ORPHANS = """
import os, signal, sys, time
for victim in map(int, sys.stdin.readline().split()):
    child = os.fork()
    if child == 0:
        if os.fork() == 0:
            try:
                os.setpgid(0, victim)
            except PermissionError:
                print("refused", flush=True)
                os._exit(0)
            print("joined", flush=True)
            os.kill(os.getpid(), signal.SIGSTOP)
            os._exit(0)
        time.sleep(0.2)
        os._exit(0)
    os.waitpid(child, 0)
print("done", flush=True)
time.sleep(0.2)
"""


@needs_root
@pytest.mark.parametrize("has_root", [True, False])
def test_no_service_ends_others_by_leaving_orphans_in_their_groups(
        mux_factory, open_path, has_root):
    users = ("daemon", "games") if has_root else ("self", "self")
    mux = mux_factory(
        service("orphans", script(open_path, ORPHANS), user=users[0]),
        service("cat", "exec /bin/cat", user=users[1]),
        **({} if has_root else {"user": "nobody", "root": False,
                                "port": free_port()}))
    with mux.connect() as victim, mux.connect() as sock:
        victim.sendall(b"cat\r\n")
        assert victim.recv(len(OK), socket.MSG_WAITALL) == OK
        launcher, = mux.launchers()
        pid = int(mux.wait_log("launch", service="cat")["pid"])
        sock.sendall(b"orphans\r\n%d %d\n" % (pid, launcher))
        assert lines_of(sock, 3) == [b"refused\n", b"refused\n", b"done\n"]
        assert converse(victim, b"x") == b"x"
        assert mux.launchers() == [launcher]


# PTRACE_TRACEME. In a word of the policy: with `isolate pid` /tmp is another.
TRACED = ("exec /usr/bin/python3 -c \"import ctypes, signal, time; "
          "ctypes.CDLL(None).ptrace(0, 0, None, None); "
          "print('traced', flush=True); signal.raise_signal(signal.SIGUSR1); "
          "time.sleep(60)\"")


@pytest.mark.parametrize("lines, fate", [
    (["leftovers keep"], {"signal": "9"}),
    pytest.param(["isolate pid"], {"status": "137"}, marks=needs_root),
], ids=["alone", "below-init"])
def test_a_service_that_stops_for_its_parent_has_not_ended_and_does(
        mux_factory, lines, fate):
    """Or it would go on beyond its limits: no session any more, but there."""
    mux = mux_factory(service("traced", TRACED, "syscalls any", *lines))
    with mux.connect() as sock:
        sock.sendall(b"traced\r\n")
        assert lines_of(sock, 1) == [b"traced\n"]
        ended = mux.wait_log("exit", service="traced")
        assert {key: ended[key] for key in ("signal", "status")
                if key in ended} == fate
        pid = int(mux.wait_log("launch")["pid"])
        assert not os.path.exists(f"/proc/{pid}")


@needs_root
def test_who_stops_and_cannot_be_killed_is_told_of_once(mux_factory):
    """As without root, if it got another uid: or tcpmuxd would not sleep."""
    mux = mux_factory(service("traced", TRACED, "syscalls any"),
                      preexec=Failing("kill"))
    with mux.connect() as sock:
        sock.sendall(b"traced\r\n")
        assert lines_of(sock, 1) == [b"traced\n"]
        pid = int(mux.wait_log("launch")["pid"])
        eventually(lambda: state(pid) == "t")
        eventually(lambda: sleeps_ms(mux), what="its sleep")
        os.kill(pid, signal.SIGKILL)
        mux.wait_log("exit", service="traced", signal=9)


def has_autogroups():
    with contextlib.suppress(FileNotFoundError), \
            open("/proc/sys/kernel/sched_autogroup_enabled") as file:
        return file.read() == "1\n"
    return False


@pytest.mark.skipif(not has_autogroups(), reason="no autogroups, sched(7)")
def test_each_session_has_a_share_of_the_processors_of_its_own(mux_factory):
    """A launcher's sessions in one autogroup could take it from each other."""
    mux = mux_factory(service("cat", "exec /bin/cat"))
    with mux.connect() as one, mux.connect() as other:
        for sock in (one, other):
            sock.sendall(b"cat\r\n")
            assert sock.recv(len(OK), socket.MSG_WAITALL) == OK
        mux.wait_log("launch", count=2)
        pids = [int(line["pid"]) for line in mux.logs("launch")]
        assert len({_autogroup(pid) for pid in
                    [*pids, *mux.launchers(), mux.pid]}) == 4


def _autogroup(pid):
    with open(f"/proc/{pid}/autogroup") as file:
        return file.read()


# --- launchers that have no room, or are gone -------------------------------

libc = ctypes.CDLL(None, use_errno=True)


@contextlib.contextmanager
def hung_file_system(folder):
    """A FUSE mount whose server never says a word."""
    try:
        server = os.open("/dev/fuse", os.O_RDWR)
    except OSError as error:
        pytest.skip(f"needs /dev/fuse: {error}")
    how = (f"fd={server},rootmode=40000,user_id=0,group_id=0,"
           "allow_other").encode()
    try:
        if libc.mount(b"hung", os.fsencode(folder), b"fuse", 0, how) != 0:
            pytest.skip(f"cannot mount: {os.strerror(ctypes.get_errno())}")
        try:
            yield
        finally:
            libc.umount2(os.fsencode(folder), 2)  # MNT_DETACH
    finally:
        os.close(server)


@needs_root
def test_launches_that_hang_make_room_when_their_time_is_up(
        mux_factory, open_path):
    """Who waited behind them is launched then, though nobody else comes."""
    place = open_path / "place"
    place.mkdir()
    mux = mux_factory(service("cat", "exec /bin/cat", *MANY),
                      service("hung", "exec /bin/cat", f"chdir {place}",
                              *MANY), admission=CROWD)
    with hung_file_system(place):
        hung = open_many(mux, b"hung", 128)
        wait_launching(mux, 128)
        # Later than they, or their times would be up together.
        time.sleep(2)
        late = open_many(mux, b"cat", 3)
        wait_launching(mux, 131)
        assert [converse(sock) for sock in late] == [OK] * 3
        assert {converse(sock) for sock in hung} == {REFUSAL}


@needs_root
def test_a_launcher_found_dead_costs_nobody_the_service(mux_factory):
    """Its end and a verdict come in one turn, the verdict first."""
    mux = mux_factory(service("cat", "exec /bin/cat"))
    parser, = mux.parsers()
    launcher, = mux.launchers()

    def blocked_times():
        with open(f"/proc/{parser}/status") as file:
            return int(re.search(r"\nvoluntary_ctxt_switches:\t(\d+)",
                                 file.read())[1])

    os.kill(parser, signal.SIGSTOP)
    sock = mux.connect()
    sock.sendall(b"cat\r\n")
    eventually(lambda: mux.fd_count() > 0 and status(mux)["pending"] == 1)
    mux.send_signal(signal.SIGSTOP)
    before = blocked_times()
    os.kill(parser, signal.SIGCONT)
    eventually(lambda: blocked_times() > before)
    os.kill(launcher, signal.SIGKILL)
    eventually(lambda: is_zombie_or_gone(launcher))
    mux.send_signal(signal.SIGCONT)
    assert converse(sock) == OK


# --- the smallest of houses, full to the last place -------------------------

@needs_root
def test_a_newcomer_comes_into_a_house_full_to_the_last_place(mux_factory):
    """Each place taken by another source: still somebody else has to go."""
    mux = mux_factory(service("cat", "exec /bin/cat"),
                      admission=("allow any", "sessions 1", "pending 32",
                                 "pending-per-source 1"))
    sources = (f"127.1.{i // 250}.{i % 250 + 1}" for i in range(2000))

    def come(line):
        sock = mux.connect(source=next(sources))
        sock.sendall(line)
        return sock

    running = come(b"cat\r\n")
    assert running.recv(len(OK)) == OK
    lingering = []
    for _ in range(32):
        some = [come(b"unknown\r\n") for _ in range(32)]
        for sock in some:
            assert sock.recv(len(REFUSAL)) == REFUSAL
        lingering += some
    waiting = [come(b"unknow") for _ in range(32)]
    full = status(mux)
    assert (full["running"], full["lingering"], full["pending"]) == \
        (1, 1024, 32), "they are only waited for for two seconds"
    assert converse(come(b"unknown\r\n")) == REFUSAL
    mux.wait_log("evict")
    assert converse(waiting[0], half_close=False) == REFUSAL
    assert len(mux.logs("evict")) == 1 and not mux.logs("shut-out")


# --- how it is started, and how it ends -------------------------------------

def converse_once(port, name):
    with socket.create_connection((LOCAL4, port), timeout=10) as sock:
        sock.sendall(name.encode() + b"\r\n")
        return converse(sock)


def test_every_line_is_json_whatever_a_service_is_called():
    names = ['a"b', "c\\d", "e=f"]
    port = free_port()
    text = policy(
        *(service(f"'{name}'", "exec /bin/sh -c 'echo e >&2'")
          for name in names),
        service("'g\"h'", "exec /bin/cat", head="disabled"),
        port=port, listen=[LOCAL4], top=["log {\n\tformat json\n\tlimit off\n}"])
    with tempfile.TemporaryDirectory() as directory:
        process = subprocess.Popen(
            [program("tcpmuxd"), "-f", write_policy(directory, text)],
            stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
        try:
            while b'"event":"ready"' not in process.stderr.readline():
                pass
            assert [converse_once(port, name) for name in names] == [OK] * 3
            assert converse_once(port, 'g"h') == REFUSAL
            process.terminate()
            lines = [json.loads(line) for line in process.stderr]
            assert process.wait() == 0
        finally:
            process.kill()
            process.wait()
            process.stderr.close()
    for event in "launch", "stderr", "exit":
        assert [line["service"] for line in lines
                if line["event"] == event] == names
    assert [line["service"] for line in lines
            if line["event"] == "refuse"] == ['g"h']


def test_started_without_standard_descriptors(mux_factory):
    """Nothing of its own is where standard error was to be."""
    mux = mux_factory(service("cat", "exec /bin/cat"),
                      preexec=lambda: os.closerange(0, 2))
    assert mux.request("cat", b"x") == (OK, b"x")
    if IS_ROOT:
        assert [os.readlink(f"/proc/{mux.pid}/fd/{fd}") for fd in (0, 1)] == \
            ["/dev/null"] * 2


def test_started_with_the_alarm_blocked(mux_factory):
    """It is what bounds a close that a service made slow."""
    mux = mux_factory(
        service("cat", "exec /bin/cat"),
        preexec=lambda: signal.pthread_sigmask(signal.SIG_BLOCK,
                                               {signal.SIGALRM}))
    with open(f"/proc/{mux.pid}/status") as file:
        blocked = int(re.search(r"\nSigBlk:\t(\w+)", file.read())[1], 16)
    assert blocked & 1 << (signal.SIGALRM - 1) == 0


def test_a_list_of_names_is_not_ended_by_a_refusal(mux_factory):
    """What a reader of HELP has when tcpmuxd stops is the list's beginning."""
    names = [f"{i:0>5}-{'x' * 120}" for i in range(3000)]
    mux = mux_factory(*(service(name, "exec /bin/cat") for name in names))
    with mux._inside():
        sock = socket.socket()
    with sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 536)
        sock.settimeout(15)
        sock.connect((LOCAL4, mux.port))
        sock.sendall(b"HELP\r\n")
        got = sock.recv(100)
        assert not mux.logs("help")
        mux.send_signal(signal.SIGTERM)
        mux.wait_log("refuse", reason="stopping")
        got += converse(sock, half_close=False)
    listing = "".join(name + "\r\n" for name in names).encode()
    assert len(got) < len(listing) and listing.startswith(got)
    assert mux.process.wait(10) == 0
    mux.assert_no_crash()
    mux._discard()
