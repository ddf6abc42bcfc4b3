"""What a session may use in all, whatever it starts: `limit memory` and `limit
processes`, by its cgroup; and what is said where there is no such thing.

tcpmuxd is started in a cgroup that has been delegated to it, alone, as systemd
does it. That takes the controllers memory and pids in our own cgroup, and that
we may hand them down: in the root of all, or alone.
"""

import contextlib
import os
import pathlib
import pwd
import re
import subprocess

import pytest

import groups
import mux as muxes
from load import status
from mux import (IS_ROOT, OK, converse, eventually, policy, run_tcpmuxd,
                 service)

ROOT = pathlib.Path(__file__).resolve().parents[2]
MEGA = 1 << 20
LACKING = groups.why_no_limits("memory", "pids") if IS_ROOT else "needs root"
limits = pytest.mark.skipif(LACKING is not None, reason=str(LACKING))
pytestmark = pytest.mark.skipif(
    not IS_ROOT or groups.own() is None, reason="needs root and a cgroup v2")

CAT = service("cat", "exec /bin/cat")
FORK = ("exec /bin/sh -c 'i=0; while [ $i -lt 8 ]; do i=$((i + 1)); "
        "sleep 60 & echo $i; done; cat'")
EAT = ("exec /usr/bin/python3 -c 'import sys; n = int(sys.stdin.readline()); "
       "b = b\"x\" * (n << 20); print(len(b) >> 20)'")


@pytest.fixture
def home():
    """A cgroup for one tcpmuxd, with both controllers."""
    with groups.made("home") as path:
        yield path


@pytest.fixture
def start(home, mux_factory):
    """start(service, ...): a tcpmuxd that is alone in there."""
    def started(*services, **how):
        return mux_factory(*services, preexec=lambda: groups.write(home, "0"),
                           **how)
    return started


def limited(mux, home):
    """The groups of its sessions with limits, by path."""
    name = mux.logs("cgroup-limits")[-1]["name"]
    return sorted(entry.path for entry in os.scandir(f"{home}/{name}")
                  if entry.is_dir())


def count_forks(mux, name=b"fork"):
    """How many children it came to, and its connection, still open or not."""
    sock = mux.connect()
    sock.sendall(name + b"\r\n")
    got = b""
    while not got.endswith(b"8\n"):
        more = sock.recv(4096)
        if not more:
            break
        got += more
    assert got.startswith(OK)
    return got.removeprefix(OK).count(b"\n"), sock


def all_is_given_back(mux, home):
    eventually(lambda: status(mux)["running"] == 0, what="the last count")
    assert limited(mux, home) == []


# --- processes --------------------------------------------------------------

@limits
def test_processes_are_limited_in_each_session(start, home):
    """And in none without a limit, which is where no controller is."""
    mux = start(service("fork", FORK, "limit processes 5"),
                service("free", FORK))
    free, free_sock = count_forks(mux, b"free")
    assert free == 8
    for _ in range(3):
        count, sock = count_forks(mux)
        assert count == 4
        sock.close()
    full = [service("fill", "exec /bin/cat", "limit processes 5")]
    mux.reload(policy(*full, service("free", FORK)))
    sock = mux.connect()
    sock.sendall(b"fill\r\n")
    assert sock.recv(9) == OK
    path, = limited(mux, home)
    assert groups.read(path, "pids.max") == ["5"]
    assert not os.path.exists(f"{path}/memory.max")
    plain = groups.of(mux, home)
    numbers = [entry.path for entry in os.scandir(plain)
               if entry.name.isdigit()]
    assert numbers
    assert not any(os.path.exists(f"{number}/pids.max") for number in numbers)
    sock.close()
    free_sock.close()


@limits
def test_limits_of_the_defaults_can_be_taken_back(start):
    mux = start(service("fork", FORK),
                service("free", FORK, "limit processes any"),
                defaults=["limit processes 2"])
    assert count_forks(mux)[0] == 1
    assert count_forks(mux, b"free")[0] == 8


@limits
def test_an_init_is_not_counted(start):
    mux = start(service("fork", FORK, "isolate pid", "limit processes 5"),
                service("one", "exec /bin/cat", "isolate pid",
                        "limit processes 1"))
    assert count_forks(mux)[0] == 4
    assert mux.request("one", b"x") == (OK, b"x")


# --- memory -----------------------------------------------------------------

@limits
def test_memory_is_limited(start, home):
    mux = start(service("eat", EAT, "limit memory 64M"))
    assert mux.request("eat", b"8\n") == (OK, b"8\n")
    assert mux.wait_log("exit")["status"] == "0"
    since = mux.mark()
    assert mux.request("eat", b"128\n") == (OK, b"")
    line = mux.wait_log("exit", since=since)
    assert (line["signal"], line["reason"]) == ("9", "memory")
    all_is_given_back(mux, home)


@limits
def test_it_is_the_session_that_ends_not_the_largest_of_it(start):
    """Or one would be shot after the other, until what is left makes no
    sense any more."""
    eat = ("exec /bin/sh -c 'python3 -c \"b = b\\\"x\\\" * (128 << 20)\"; "
           "echo $?'")
    mux = start(service("eat", eat, "limit memory 64M"))
    assert mux.request("eat") == (OK, b"")
    assert mux.wait_log("exit")["reason"] == "memory"


@limits
def test_only_who_ran_out_is_said_to(start):
    mux = start(service("suicide", "exec /bin/sh -c 'kill -9 $$'",
                        "limit memory 64M"))
    assert mux.request("suicide") == (OK, b"")
    line = mux.wait_log("exit")
    assert line["signal"] == "9" and "reason" not in line


@limits
def test_files_of_the_session(start, home):
    mux = start(service("cat", "exec /bin/cat", "limit memory 5001K",
                        "limit processes 7"))
    with mux.connect() as sock:
        sock.sendall(b"cat\r\n")
        assert sock.recv(9) == OK
        path, = limited(mux, home)
        # Whole pages.
        assert groups.read(path, "memory.max") == [str(5000 << 10)]
        assert groups.read(path, "memory.oom.group") == ["1"]
        if os.path.exists(f"{path}/memory.swap.max"):
            assert groups.read(path, "memory.swap.max") == ["0"]
        assert groups.read(path, "pids.max") == ["7"]
        assert len(groups.read(path)) == 1
    all_is_given_back(mux, home)


@limits
def test_the_least_is_enough_to_begin_with(start):
    mux = start(service("true", "exec /bin/true", "limit memory 1M",
                        "limit processes 1"))
    for _ in range(5):
        assert mux.request("true") == (OK, b"")
        assert mux.wait_log("exit")["status"] == "0"


@limits
def test_nobody_pays_for_what_another_session_left(start):
    """What is in files in memory is on the account of who wrote it, until it
    is removed: no other session gets that account."""
    left = f"/dev/shm/tcpmuxd-test-{os.getpid()}"
    leave = f"exec /usr/bin/dd if=/dev/zero of={left} bs=1M count=40"
    mux = start(service("leave", leave, "limit memory 64M", "stderr null"),
                service("eat", EAT, "limit memory 64M"))
    try:
        mux.request("leave")
        assert mux.wait_log("exit", service="leave")["status"] == "0"
        assert os.path.getsize(left) == 40 * MEGA
        assert mux.request("eat", b"40\n") == (OK, b"40\n")
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(left)


# --- where the groups are ---------------------------------------------------

@limits
def test_tcpmuxd_steps_aside_and_comes_back(start, home):
    mux = start(CAT, service("few", "exec /bin/cat", "limit processes 3"))
    assert groups.read(home) == []
    assert str(mux.pid) in groups.read(groups.of(mux, home) + "/self")
    assert mux.request("few", b"x") == (OK, b"x")
    assert groups.read(home, "cgroup.subtree_control") == ["pids"]
    mux.stop()
    assert groups.read(home, "cgroup.subtree_control") == []
    assert not [entry for entry in os.scandir(home) if entry.is_dir()]


@limits
def test_what_no_service_needs_is_not_switched_on(start, home):
    mux = start(CAT)
    assert mux.request("cat", b"x") == (OK, b"x")
    assert groups.read(home, "cgroup.subtree_control") == []
    assert mux.logs("cgroup-limits") == []


@limits
def test_a_reload_brings_limits(start, home):
    """Which takes no other start, and does nothing to who is there."""
    mux = start(service("fork", FORK))
    count, sock = count_forks(mux)
    assert count == 8
    mux.reload(policy(service("fork", FORK, "limit processes 5")))
    again, more = count_forks(mux)
    assert again == 4
    sock.sendall(b"still here\n")
    assert sock.recv(99) == b"still here\n"
    mux.reload(policy(service("fork", FORK)))
    last, third = count_forks(mux)
    assert last == 8
    for one in (sock, more, third):
        one.close()


@limits
def test_what_cannot_be_limited_is_not_launched(start, home):
    mux = start(CAT, service("few", "exec /bin/cat", "limit processes 3"))
    assert mux.request("few", b"x") == (OK, b"x")
    all_is_given_back(mux, home)
    name = mux.logs("cgroup-limits")[0]["name"]
    # As if somebody had: the files that it writes to are not there then.
    groups.write(f"{home}/{name}", "-pids", "cgroup.subtree_control")
    mux.refused("few")
    line = mux.wait_log("refuse", service="few")
    assert (line["step"], line["error"]) == ("cgroup", "ENOENT")
    assert mux.request("cat", b"x") == (OK, b"x")
    all_is_given_back(mux, home)


@limits
def test_after_a_crash_the_unit_s_command_makes_room(home, mux_factory):
    """A group that hands controllers down takes no process, and a killed
    tcpmuxd could not see to it: so the unit does, in a group beside it."""
    few = service("few", "exec /bin/cat", "limit processes 3",
                  "limit memory 64M")

    def started():
        return mux_factory(few, preexec=lambda: groups.write(home, "0"))

    killed = started()
    sock = killed.connect()
    sock.sendall(b"few\r\n")
    assert sock.recv(9) == OK
    killed.process.kill()
    killed.process.wait()
    with pytest.raises((OSError, subprocess.SubprocessError)):
        started()
    unit = (ROOT / "contrib/systemd/tcpmuxd.service").read_text()
    command = re.search(r"^ExecStopPost=-/bin/sh -c '(.*)'$", unit, re.M)[1]
    os.mkdir(f"{home}/.control")
    subprocess.run(["/bin/sh", "-c", command.replace("$$", "$")], check=True,
                   preexec_fn=lambda: groups.write(f"{home}/.control", "0"))
    assert groups.read(home, "cgroup.subtree_control") == []
    os.rmdir(f"{home}/.control")
    mux = started()
    assert converse(sock) == b""
    assert mux.request("few", b"x") == (OK, b"x")
    mux.stop()
    assert not [entry for entry in os.scandir(home) if entry.is_dir()]
    killed._discard()


@limits
def test_without_root(home, mux_factory, monkeypatch):
    """In a group that is the user's, as a user's own systemd has it."""
    nobody = pwd.getpwnam("nobody")
    for name in ("", "cgroup.procs", "cgroup.subtree_control"):
        os.chown(os.path.join(home, name), nobody.pw_uid, -1)

    def enter_and_drop():
        groups.write(home, "0")
        os.setgroups([])
        os.setgid(nobody.pw_gid)
        os.setuid(nobody.pw_uid)

    monkeypatch.setattr(muxes, "_identity", lambda user: {})
    mux = mux_factory(service("fork", FORK, "limit processes 5", user="self"),
                      user="nobody", port=10078, preexec=enter_and_drop)
    count, sock = count_forks(mux)
    assert count == 4
    sock.close()


# --- where there is none ----------------------------------------------------

def with_limits(*ends):
    return policy(service("few", "exec /bin/cat",
                          *(f"limit {line}" for line in ends)))


@pytest.fixture
def bare():
    """A group that has no controllers, below one that hands none down."""
    with groups.made("bare") as path:
        os.mkdir(f"{path}/in")
        yield f"{path}/in"


def run_in(group, text, *args):
    """tcpmuxd that is to end by itself, started there."""
    return run_tcpmuxd(text, *args, under=(
        "/bin/sh", "-c", f'echo 0 >{group}/cgroup.procs && exec "$@"', "sh"))


@pytest.mark.parametrize("args", [(), ("-t",), ("-T",)])
def test_without_the_controllers_a_policy_does_not_load(bare, args):
    done = run_in(bare, with_limits("memory 64M", "processes 8"), *args)
    assert done.returncode in (1, 78)
    for what, controller in (("memory", "memory"), ("processes", "pids")):
        assert re.search(
            rf"^\S+:\d+:\d+: 'limit {what}' needs the controller "
            rf"'{controller}' of cgroup v2 in {bare}: .*Delegate=memory pids"
            r".*; with 'if-available' it does without$", done.stderr, re.M), (
            done.stderr)


def test_if_available_does_without(bare, mux_factory):
    """And says so."""
    mux = mux_factory(
        service("fork", FORK, "limit memory 64M if-available",
                "limit processes 3 if-available"),
        preexec=lambda: groups.write(bare, "0"))
    assert count_forks(mux)[0] == 8
    said = [line["text"] for line in mux.logs("weaker")]
    for what in ("memory", "processes"):
        assert any(f"`limit {what}` does nothing" in text for text in said)
    assert mux.logs("cgroup-limits") == []


def test_a_build_machine_need_not_have_them(bare):
    done = run_in(bare, with_limits("memory 64M", "processes 8"), "-t", "-s")
    assert (done.returncode, done.stderr) == (0, "")


def test_without_a_cgroup_v2():
    """Where none is mounted, as far as tcpmuxd can see."""
    done = run_tcpmuxd(with_limits("processes 8"), "-t", under=(
        "unshare", "-m", "--propagation", "private", "/bin/sh", "-c",
        'mount -t tmpfs none /sys/fs/cgroup && exec "$@"', "sh"))
    assert done.returncode == 1
    assert "there is no cgroup v2 where tcpmuxd runs" in done.stderr


@limits
def test_others_are_in_its_group(home):
    """Who starts can have no limits there; who only asks is no such one."""
    text = with_limits("processes 8")
    other = subprocess.Popen(["/bin/sleep", "60"], preexec_fn=lambda:
                             groups.write(home, "0"))
    try:
        done = run_in(home, text)
        assert done.returncode == 78
        assert (f"'pids' of cgroup v2 in {home}: other processes are in that "
                "group" in done.stderr)
        assert run_in(home, text, "-t").returncode == 0
    finally:
        other.kill()
        other.wait()


@limits
def test_who_asks_beside_the_unit(home):
    """systemd has ExecReload=tcpmuxd -t in UNIT/.control, which has no
    controllers unless UNIT hands some down, and is not where it will serve."""
    os.mkdir(f"{home}/.control")
    done = run_in(f"{home}/.control", with_limits("processes 8"), "-t")
    assert (done.returncode, done.stderr) == (0, "")
