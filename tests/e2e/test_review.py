"""Orderings that a review of the parent found it took wrongly: who ends
before it is heard, a launcher that dies with words unread, a service that
hides from its signals.
"""

import os
import signal

from load import status
from mux import OK, REFUSAL, converse, eventually, service

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


def script(mux_dir, text):
    """A Python service's exec line; the file is readable to everybody."""
    path = mux_dir / "script.py"
    path.write_text(text)
    for folder in (mux_dir, *mux_dir.parents[:2]):
        folder.chmod(0o755)
    path.chmod(0o644)
    return f"exec /usr/bin/python3 {path}"


# --- a child that ends while others are reaped ------------------------------

LOUD = 24


def test_who_says_its_name_and_ends_while_others_are_reaped(mux_factory):
    """Long stderrs make a long round of reaping, in which one more child
    announces itself, becomes its service and ends: it is not forgotten."""
    loud = "read go; yes | head -c 60000 >&2"
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
os.setpgid(0, child)
os.write(1, b"away")
time.sleep(60)
"""


def test_a_service_in_another_process_group_is_ended(mux_factory, tmp_path):
    mux = mux_factory(service("away", script(tmp_path, AWAY)))
    with mux.connect() as sock:
        sock.sendall(b"away\r\n")
        said = b""
        while not said.endswith(b"away"):
            said += sock.recv(100)
        pid = int(mux.wait_log("launch")["pid"])
        group = os.getpgid(pid)
        try:
            assert group != pid
            mux.stop()
        finally:
            os.killpg(group, signal.SIGKILL)
