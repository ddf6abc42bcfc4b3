"""tcpmuxd without root: nobody's, on a high port, with `user self`.

Root starts it as nobody, in a network namespace; nobody is ever asked. Anybody
else starts it as is.
"""

import errno as E
import os
import pwd
import shutil
import subprocess

import pytest

import mux as muxes
from faults import CLONE_NEWUSER, Failing, run_to_end
from mux import IS_ROOT, LOCAL4, LOCAL6, OK, policy, program, service
from rooms import unsanitized

PORT = 10078 if IS_ROOT else muxes.free_port()
USER = "nobody" if IS_ROOT else None
UID = pwd.getpwnam(USER).pw_uid if USER else os.getuid()
ROOM = 77
CAT = service("cat", "exec /bin/cat", user="self")
WHO = service("who", "exec /usr/bin/id", user="self")
STATUS = service("status", "exec /bin/cat /proc/self/status", user="self")

MAY_MAKE_NAMESPACES = subprocess.run(
    ["unshare", "-U", "true"], capture_output=True,
    **muxes._identity(USER)).returncode == 0
needs_namespaces = pytest.mark.skipif(
    not MAY_MAKE_NAMESPACES, reason="this system has no user namespaces for "
    "its users")
only_root = pytest.mark.skipif(not IS_ROOT, reason="needs root to look into "
                               "processes that are not dumpable")


def start(mux_factory, *services, **how):
    port = PORT if IS_ROOT else muxes.free_port()
    return mux_factory(*services, user=USER, port=port, root=False, **how)


@pytest.fixture
def mux(mux_factory):
    if not MAY_MAKE_NAMESPACES:
        pytest.skip("this system has no user namespaces for its users")
    return start(mux_factory, CAT, WHO, STATUS)


def status_of(pid):
    with open(f"/proc/{pid}/status") as file:
        return dict(line.rstrip("\n").split(":\t", 1) for line in file)


def read_status(mux):
    """What a service is, by itself."""
    reply, text = mux.request("status")
    assert reply == OK
    return dict(line.split(":\t", 1) for line in text.decode().splitlines())


@pytest.mark.parametrize("addr", [LOCAL4, LOCAL6])
def test_serves(mux, addr):
    data = os.urandom(300_000)
    assert mux.request("cat", data, addr=addr) == (OK, data)
    assert mux.request("CAT", b"x", addr=addr, pieces=[
        b"C", b"A", b"T\r", b"\n"]) == (OK, b"x")
    mux.refused("unknown", addr=addr)
    assert mux.raw(b"help\r\n", addr=addr) == b"cat\r\nstatus\r\nwho\r\n"


def test_services_are_who_started_it(mux):
    assert mux.request("who")[1].startswith(b"uid=%d(" % UID)
    status = read_status(mux)
    assert status["Uid"].split() == [str(UID)] * 4
    assert status["NoNewPrivs"] == "1"
    for name in "CapInh", "CapPrm", "CapEff", "CapAmb":
        assert int(status[name], 16) == 0
    # The namespace of the parser is the parser's alone.
    for line in mux.logs("launch"):
        assert line["service"] in ("who", "status")
    assert not mux.logs("stderr")


def test_report_says_what_is_weaker(mux):
    assert mux.logs("room", kind="user")
    texts = [line["text"] for line in mux.logs("weaker")]
    assert any(text.startswith("not root:") for text in texts)
    assert any("user namespace" in text for text in texts)
    line, = mux.logs("capabilities")
    assert {line[key] for key in ("setuid", "setgid", "sys_admin")} == {"no"}


@only_root
@unsanitized
def test_parser_is_in_a_user_namespace_with_its_filter_on(mux):
    parser, = mux.parsers()
    status = status_of(parser)
    assert status["Seccomp"] == "2" and status["NoNewPrivs"] == "1"
    assert status["Uid"].split() == [str(UID)] * 4
    for name in "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb":
        assert int(status[name], 16) == 0, name
    for kind in "user", "mnt", "net", "ipc", "uts", "cgroup", "pid":
        assert os.readlink(f"/proc/{parser}/ns/{kind}") != \
            os.readlink(f"/proc/{mux.pid}/ns/{kind}"), kind
    with open(f"/proc/{parser}/uid_map") as file:
        assert file.read().split() == [str(UID), str(UID), "1"]
    assert os.listdir(f"/proc/{parser}/root") == []
    assert len(os.listdir(f"/proc/{parser}/fd")) == 1


@only_root
def test_nobody_else_of_the_user_may_look_in(mux):
    """Parent, parser and launcher are of the services' own uid: not being
    dumpable is what keeps services out."""
    def looks_in(pid, *words):
        return subprocess.run([*words[:-1], f"/proc/{pid}/{words[-1]}"],
                              capture_output=True, timeout=30,
                              **muxes._identity(USER)).returncode == 0

    ways = ["cat", "environ"], ["cat", "auxv"], ["ls", "fd"]
    with subprocess.Popen(["sleep", "60"], **muxes._identity(USER)) as other:
        assert all(looks_in(other.pid, *way) for way in ways)
        other.kill()
    for pid in [mux.pid, *mux.parsers(), *mux.launchers()]:
        assert not any(looks_in(pid, *way) for way in ways)


def test_only_self_can_be_served(tmp_path):
    """What needs root is an error of the policy, not a surprise later."""
    for line in ("groups 1", "capabilities setuid", "new-privileges"):
        status, lines = run_to_end(
            policy(service("cat", "exec /bin/cat", line, user="self"),
                   port=PORT, root=False), "-t", user=USER)
        assert status == 1 and len(lines) == 1, lines
    for user in "root unsafe", "daemon":
        status, lines = run_to_end(
            policy(service("cat", "exec /bin/cat", "umask 022", user=user),
                   port=PORT, root=False), "-t", user=USER)
        assert status == 1, lines
    if IS_ROOT:
        status, lines = run_to_end(policy(CAT, port=PORT), "-t")
        assert status == 1, lines


@needs_namespaces
def test_rsync(mux_factory, open_path):
    rsync = shutil.which("rsync") or pytest.skip("not installed: rsync")
    tree, copy = open_path / "tree", open_path / "copy"
    for i in range(100):
        (tree / f"d{i % 7}").mkdir(parents=True, exist_ok=True)
        (tree / f"d{i % 7}/f{i}").write_bytes(os.urandom(i * 1000))
    config = open_path / "rsyncd.conf"
    config.write_text("use chroot = no\nreverse lookup = no\n"
                      f"[tree]\npath = {tree}\n")
    mux = start(mux_factory, service(
        "rsync", f"exec {rsync} --daemon --config={config}", user="self"))
    with mux._inside():
        subprocess.run(
            [rsync, "-r", f"rsync://{LOCAL4}/tree/", str(copy)], check=True,
            stdin=subprocess.DEVNULL, timeout=60,
            env={"PATH": os.environ["PATH"], "RSYNC_CONNECT_PROG":
                 f"{program('tcpmux')} -p {mux.port} %H rsync"})
    assert subprocess.run(["diff", "-r", tree, copy]).returncode == 0
    mux.wait_log("exit", service="rsync", status=0)


# --- no user namespaces -----------------------------------------------------

FORBIDDEN = {
    # By a filter or a security module, by user.max_user_namespaces, and
    # where there are some, but good for nothing.
    "forbidden": (Failing("clone", bits=(0, CLONE_NEWUSER)),
                  "clone", "EPERM"),
    "used-up": (Failing("clone", bits=(0, CLONE_NEWUSER), error=E.ENOSPC),
                "clone", "ENOSPC"),
    "useless": (Failing("mount"), "root", "EPERM"),
}


@needs_namespaces
@pytest.mark.parametrize("how", FORBIDDEN)
def test_no_user_namespaces_no_start(netns, how):
    """It does not start with less, and says what it is that it lacks."""
    preexec, step, error = FORBIDDEN[how]
    status, lines = run_to_end(
        policy(CAT, port=PORT, root=False), user=USER, preexec=preexec,
        netns=netns() if IS_ROOT else None)
    assert status == ROOM
    failed = [line for line in lines if line.get("event") == "worker-failed"]
    assert len(failed) == 1 and failed[0]["level"] == "error"
    assert (failed[0]["step"], failed[0]["error"]) == (step, error)
    assert lines[-1]["event"] == "failed" and "parser" in lines[-1]["text"]
    assert not [line for line in lines if line.get("event") == "ready"]


@pytest.mark.parametrize("how", [*FORBIDDEN, "allowed"])
def test_reduced_room_has_to_be_written(mux_factory, how):
    mux = start(mux_factory, CAT, STATUS, parser=["room reduced"],
                preexec=FORBIDDEN[how][0] if how in FORBIDDEN else None)
    assert mux.logs("room", kind="reduced")
    assert any("room reduced" in line["text"] for line in mux.logs("weaker"))
    for addr in LOCAL4, LOCAL6:
        assert mux.request("cat", b"x", addr=addr) == (OK, b"x")
    assert int(read_status(mux)["CapEff"], 16) == 0
    if not IS_ROOT:
        return
    parser, = mux.parsers()
    for kind in "user", "mnt", "net":
        assert os.readlink(f"/proc/{parser}/ns/{kind}") == \
            os.readlink(f"/proc/{mux.pid}/ns/{kind}")


@only_root
@unsanitized
def test_reduced_room_still_has_its_filter(mux_factory):
    mux = start(mux_factory, CAT, parser=["room reduced"])
    parser, = mux.parsers()
    status = status_of(parser)
    assert status["Seccomp"] == "2" and status["NoNewPrivs"] == "1"
    assert int(status["CapEff"], 16) == int(status["CapPrm"], 16) == 0
    assert len(os.listdir(f"/proc/{parser}/fd")) == 1


def test_client_speaks_to_it(mux):
    for words, sent, got in (
            (["-l", LOCAL4], b"", b"cat\nstatus\nwho\n"),
            ([LOCAL6, "cat"], b"x" * 100_000, b"x" * 100_000)):
        with mux._inside():
            done = subprocess.run(
                [program("tcpmux"), "-p", str(mux.port), *words],
                input=sent, capture_output=True, timeout=30)
        assert (done.returncode, done.stdout) == (0, got)
