"""What a real tcpmuxd gives the services of a policy, and what it says and
does when a launch fails."""

import grp
import os
import pwd
import resource
import signal
import socket

import pytest

from launchers import (assert_descriptors, assert_golden, golden,
                       inherited_limits, own, parse_probe, peer_env,
                       public_directory)
from mux import IS_ROOT, LOCAL4, LOCAL6, eventually, program, service

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
NET_RAW, KILL = 1 << 13, 1 << 5
needs_root = pytest.mark.skipif(not IS_ROOT, reason="needs users and root")


@pytest.fixture
def place():
    with public_directory() as directory:
        yield directory


def probe(name, *lines, **keywords):
    return service(name, f"exec {program('tests/tools/probe')}", *lines,
                   **keywords)


def ask(mux, name, addr=LOCAL4):
    """(what the probe said, our address)"""
    with mux.connect(addr) as client:
        client.sendall(name.encode() + b"\r\n")
        answer = b""
        while True:
            more = client.recv(65536)
            if not more:
                break
            answer += more
        reply, _, rest = answer.partition(b"\r\n")
        assert reply == b"+"
        return parse_probe(rest), client.getsockname()


def env_of(name, user, mux, client, *more):
    entry = pwd.getpwuid(user)
    local = (client[0], mux.port)
    return [f"PATH={PATH}", f"HOME={entry.pw_dir}", f"USER={entry.pw_name}",
            f"LOGNAME={entry.pw_name}", "PROTO=TCP", f"TCPMUX_SERVICE={name}",
            *peer_env(client, local), *more]


def check(mux, name, uid, addr=LOCAL4, stderr="pipe", argv=None, env=(),
          **expected):
    mark = mux.mark()
    said, client = ask(mux, name, addr)
    pid, = said["pid"]
    assert_golden(said, golden(
        mux.pid, argv or [program("tests/tools/probe")],
        env_of(name, uid, mux, client, *env), pid, uid=uid,
        **{"keepalive": 600, **expected}))
    assert said["ppid"] == [str(mux.pid)]
    assert_descriptors(said, stderr)
    mux.wait_log("launch", service=name, pid=pid, since=mark)
    mux.wait_log("exit", service=name, status=0, since=mark)


@needs_root
def test_services_get_what_their_policies_grant(mux_factory, monkeypatch):
    monkeypatch.setenv("TCPMUXD_TEST_SECRET", "of the daemon's environment")
    nobody = pwd.getpwnam("nobody")
    daemon = pwd.getpwnam("daemon")
    bounding = int(own("CapBnd"), 16)
    # Its own descriptor limit it raises; its services do not see that.
    limits = inherited_limits("self")
    limits[resource.RLIMIT_NOFILE] = (1000, limits[resource.RLIMIT_NOFILE][1])
    mux = mux_factory(
        probe("plain"),
        probe("dressed", "argv0 other", "umask 027", "chdir /usr/share",
              "env A=1 'B=two words' C=", "keepalive 90s", "stderr null",
              "group tty", "groups bin tty", "alias likewise"),
        probe("silent", "keepalive off", "stderr socket", user="daemon"),
        probe("kept", "capabilities net_raw kill"),
        probe("login", "capabilities all", "new-privileges",
              user="root unsafe\n\tumask 022"),
        probe("sudo", "new-privileges"),
        rlimits={resource.RLIMIT_NOFILE: limits[resource.RLIMIT_NOFILE]})
    gid = nobody.pw_gid
    tty, binary = grp.getgrnam("tty").gr_gid, grp.getgrnam("bin").gr_gid
    for addr in (LOCAL4, LOCAL6):
        check(mux, "plain", nobody.pw_uid, addr, gid=gid, limits=limits)
    check(mux, "dressed", nobody.pw_uid, stderr="device", argv=["other"],
          env=["A=1", "B=two words", "C="], gid=tty, umask=0o027,
          cwd="/usr/share", keepalive=90, groups=sorted({tty, binary}),
          limits=limits)
    check(mux, "silent", daemon.pw_uid, stderr="socket", gid=daemon.pw_gid,
          keepalive=0, limits=limits)
    check(mux, "kept", nobody.pw_uid, gid=gid, kept=NET_RAW | KILL,
          bounding=NET_RAW | KILL, securebits=0, limits=limits)
    check(mux, "login", 0, gid=0, umask=0o022, kept=bounding,
          bounding=bounding, securebits=0, no_new_privs=0, limits=limits)
    check(mux, "sudo", nobody.pw_uid, gid=gid, bounding=bounding,
          securebits=0, no_new_privs=0, limits=limits)


def test_without_root_a_service_is_who_tcpmuxd_is(mux_factory):
    user = "nobody" if IS_ROOT else None
    mux = mux_factory(probe("plain", user="self"), user=user)
    entry = pwd.getpwnam(user) if user else pwd.getpwuid(os.getuid())
    keys = {} if user else {"groups": sorted(os.getgroups())}
    keys["limits"] = inherited_limits("self")
    check(mux, "plain", entry.pw_uid, gid=entry.pw_gid, securebits=0,
          bounding=int(own("CapBnd"), 16), **keys)


def test_stderr_goes_to_the_log(mux_factory):
    mux = mux_factory(service("sh", "exec /bin/sh -c 'echo a word >&2'"))
    assert mux.request("sh") == (b"+\r\n", b"")
    line = mux.wait_log("stderr", service="sh")
    assert line["text"] == "a word"


@pytest.mark.parametrize("content, mode, step, error", [
    (b"\x7fELF", 0o755, "program", "ENOEXEC"),
    (b"#!/nonexistent/interpreter\n", 0o755, "program", "ENOENT"),
    (b"no program at all", 0o755, "program", "ENOEXEC"),
])
def test_a_failed_launch_gets_the_refusal(mux_factory, place, content, mode,
                                          step, error):
    path = place / "program"
    path.write_bytes(content)
    path.chmod(mode)
    mux = mux_factory(service("broken", f"exec {path}"),
                      service("cat", "exec /bin/cat"))
    # Who is not root may not look into them, not even into its own.
    watched = [mux.pid, *mux.launchers()] if IS_ROOT else []
    before = [mux.fd_count(pid) for pid in watched]
    for _ in range(5):
        mux.refused("broken", b"data behind the name")
    line = mux.wait_log(service="broken", step=step, count=5)
    assert line["error"] == error
    assert mux.request("cat", b"still here") == (b"+\r\n", b"still here")
    eventually(lambda: [mux.fd_count(pid) for pid in watched] == before, 10,
               "the end of the failed launches' descriptors")


def test_a_program_that_goes_away_and_comes_back(mux_factory, place):
    path = place / "program"
    path.write_text("#!/bin/echo one\n")
    path.chmod(0o755)
    mux = mux_factory(service("changing", f"exec {path}"))
    assert mux.request("changing") == (b"+\r\n", f"one {path}\n".encode())
    path.unlink()
    mux.refused("changing")
    assert mux.wait_log(service="changing", step="program")["error"] == "ENOENT"
    path.write_text("#!/bin/echo two\n")
    path.chmod(0o755)
    assert mux.request("changing") == (b"+\r\n", f"two {path}\n".encode())


def test_a_killed_launcher_is_replaced(mux_factory):
    mux = mux_factory(service("cat", "exec /bin/cat"))
    running = mux.connect()
    running.sendall(b"cat\r\n")
    assert running.recv(3, socket.MSG_WAITALL) == b"+\r\n"
    # Behind `+` it still has the launcher's name, until it has executed.
    mux.wait_log("launch")
    for _ in range(3):
        launcher, = mux.launchers()
        os.kill(launcher, signal.SIGKILL)
        mux.wait_log("launcher-died", launcher=launcher)
        assert mux.request("cat", b"again") == (b"+\r\n", b"again")
    running.sendall(b"still")
    assert running.recv(5, socket.MSG_WAITALL) == b"still"


def test_no_byte_of_a_client_s_reaches_argv_or_environment(mux_factory):
    mux = mux_factory(service(
        "plain", f"exec {program('tests/tools/probe')} wait"))
    _, answer = mux.request(
        "pLaIn", b"TCPREMOTEIP=203.0.113.9\nLD_PRELOAD=/evil\n")
    said = parse_probe(answer)
    assert f"TCPREMOTEIP={LOCAL4}" in said["env"]
    assert "TCPMUX_SERVICE=plain" in said["env"]
    assert not any("203.0.113.9" in word or "evil" in word
                   for word in said["env"] + said["argv"])


def test_sessions_of_one_user_cannot_rob_each_other(mux_factory):
    robber = program("tests/tools/robber")
    mux = mux_factory(service("victim", f"exec {robber} victim"),
                      service("robber", f"exec {robber}"))
    victim = mux.connect()
    victim.sendall(b"victim\r\n")
    lines = b""
    while lines.count(b"\n") < 2:
        lines += victim.recv(4096)
    _, rest = mux.request("robber", lines.split(b"\n")[1] + b"\n")
    said = parse_probe(rest)
    del said["end"]
    if mux.logs("kernel")[0]["landlock"] == "0":
        pytest.skip("a kernel without Landlock")
    assert said["pidfd_getfd"] == said["ptrace"] == ["EPERM"]
    assert said["mem"] == said["readlink"] == ["EACCES"]
    if mux.logs("kernel")[0]["scopes"] == "yes":
        assert not any("done" in how for how in said.values()), said
