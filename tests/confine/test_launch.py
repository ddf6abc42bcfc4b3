"""What a launched service is given, and all of it, for each kind of base."""

import contextlib
import errno
import os
import resource
import signal
import socket

import pytest

import launchers
from launchers import (CAPABILITIES_ALL, DISABLED, NEW_PRIVILEGES, SELF,
                       Launcher, assert_descriptors, assert_golden, golden,
                       parse_probe, peer_env)
from mux import IS_ROOT
from rooms import unsanitized

pytestmark = [unsanitized, pytest.mark.skipif(
    not IS_ROOT, reason="services of other users need root")]

NET_RAW, SETUID, KILL = 1 << 13, 1 << 7, 1 << 5
E = errno


def everything():
    return int(launchers.own("CapPrm"), 16)


def probed(launcher, **how):
    """(what the probe said, its session), with a mux's reply before it."""
    with launcher.launch(**how) as session:
        assert session.statuses == [("reply", 0)]
        client = session.client.getsockname()
        answer = session.read()
        pid = session.pid
        assert session.ended() == 0
        assert answer.startswith(b"+")
        reply, _, rest = answer.partition(b"\r\n")
        return reply, parse_probe(rest), pid, client


def check(kind, keys=None, words=(), stderr="device", how=None, **expected):
    """Launch it from a base of this kind: all must be as the policy says."""
    with Launcher(kind, words=words, **(keys or {})) as launcher:
        assert launcher.failed is None
        _, said, pid, client = probed(launcher, **(how or {}))
        env = [word[4:] for word in words if word.startswith("env=")]
        argv = [word[4:] for word in words if word.startswith("arg=")]
        assert_golden(said, golden(
            launcher.pid, argv or ["probe"],
            env + peer_env(client, launcher.listener.getsockname()),
            pid, **expected))
        assert_descriptors(said, stderr)


def test_a_service_has_nothing_but_what_its_policy_says():
    check("base", {"umask": "027", "chdir": "/usr/share", "keepalive": 600},
          words=["arg=a name", "arg=", "arg=-x", "env=PATH=/bin", "env=A=",
                 "group=7", "group=100", "group=4000000000"],
          umask=0o027, cwd="/usr/share", keepalive=600,
          groups=[7, 100, 4000000000])


@pytest.mark.parametrize("keepalive", [1, 8, 32767])
def test_keepalive_is_the_service_s(keepalive):
    check("base", {"keepalive": keepalive}, keepalive=keepalive)


def test_as_many_groups_as_there_may_be():
    groups = list(range(1, 4097))
    check("base", words=[f"group={group}" for group in groups], groups=groups)


def test_uid_0_is_nobody_special():
    check("base", {"uid": 0, "gid": 0}, uid=0, gid=0)


def test_a_full_base_gives_a_service_no_more():
    check("full")


def test_capabilities_are_kept_by_name():
    check("full", {"caps": f"{NET_RAW | KILL:x}"}, kept=NET_RAW | KILL,
          bounding=NET_RAW | KILL, securebits=0)


def test_capabilities_of_uid_0_are_those_and_no_more():
    check("full", {"uid": 0, "gid": 0, "caps": f"{NET_RAW:x}"}, uid=0, gid=0,
          kept=NET_RAW, bounding=NET_RAW, securebits=0)


def test_a_service_that_may_setuid_is_not_denied_it():
    check("full", {"caps": f"{SETUID:x}"}, kept=SETUID, bounding=SETUID,
          securebits=0)


@pytest.mark.parametrize("uid", [0, 65534])
def test_all_capabilities_are_those_of_tcpmuxd(uid):
    check("full", {"uid": uid, "gid": uid, "flags": f"{CAPABILITIES_ALL:x}"},
          uid=uid, gid=uid, kept=everything(), bounding=everything(),
          securebits=0)


def test_new_privileges_leave_the_way_to_them_open():
    check("full", {"flags": f"{NEW_PRIVILEGES:x}"}, bounding=everything(),
          securebits=0, no_new_privs=0)


def test_a_login_service_is_as_root_as_tcpmuxd():
    check("full", {"uid": 0, "gid": 0,
                   "flags": f"{NEW_PRIVILEGES | CAPABILITIES_ALL:x}"},
          uid=0, gid=0, kept=everything(), bounding=everything(),
          securebits=0, no_new_privs=0)


def test_without_root_ids_stay_and_capabilities_go():
    with Launcher("self", user=1234, uid=1, gid=1, flags=f"{SELF:x}") as one:
        assert one.failed is None
        _, said, pid, client = probed(one)
        assert_golden(said, golden(
            one.pid, ["probe"], peer_env(client, one.listener.getsockname()),
            pid, uid=1234, gid=1234, securebits=0,
            bounding=int(launchers.own("CapBnd"), 16)))
        assert_descriptors(said)


def test_without_root_groups_stay():
    """Nobody may change them, nor tries."""
    under = ["setpriv", "--reuid=1234", "--regid=1234", "--groups=7,8"]
    with Launcher("self", under=under, flags=f"{SELF:x}") as one:
        assert one.failed is None
        _, said, _, _ = probed(one)
        assert said["groups"] == ["7 8"]


@pytest.mark.parametrize("where, kind", [("null", "device"),
                                         ("socket", "socket")])
def test_stderr(where, kind):
    check("base", {"stderr": where}, stderr=kind)


def test_stderr_by_a_pipe_of_the_session_s_own():
    check("base", {"stderr": "log"}, stderr="pipe", how={"stderr": True})
    with Launcher(stderr="log", program="/bin/cat",
                  words=["arg=cat", "arg=/nonexistent"]) as launcher:
        with launcher.launch(stderr=True) as session:
            said = launchers.read_all(session.stderr)
            assert said == b"cat: /nonexistent: No such file or directory\n"
            assert session.read() == b"+\r\n"
            assert session.ended() == 1


def spoil(sock):
    """Everything that the mux may have left on a socket, and more."""
    sock.setblocking(False)
    for option, value in ((socket.SO_OOBINLINE, 1), (socket.SO_RCVLOWAT, 99),
                          (socket.SO_KEEPALIVE, 1)):
        sock.setsockopt(socket.SOL_SOCKET, option, value)
    with contextlib.suppress(OSError):  # Linux 6.8 and older
        sock.setsockopt(socket.SOL_SOCKET, launchers.SO_PEEK_OFF, 3)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 12345)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 77)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3)


@pytest.mark.parametrize("keepalive", [0, 90])
def test_nothing_of_the_mux_stays_on_the_socket(keepalive):
    check("base", {"keepalive": keepalive}, keepalive=keepalive,
          how={"prepare": spoil})


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6])
def test_addresses_in_the_environment(family):
    with Launcher(family=family) as launcher:
        _, said, _, client = probed(launcher)
        assert said["env"] == peer_env(client, launcher.listener.getsockname())


def test_a_link_local_address_names_its_interface():
    with Launcher() as launcher:
        _, said, _, _ = probed(launcher, peer=("fe80::1", 65535, 0, 1),
                               local=("::1", 1))
        assert "REMOTE_ADDR=fe80::1%1" in said["env"]
        assert "TCPREMOTEPORT=65535" in said["env"]
        assert "TCPLOCALPORT=1" in said["env"]


def test_who_speaks_first():
    with Launcher(reply="Go ahead ä") as launcher:
        assert probed(launcher)[0] == "+Go ahead ä".encode()
    with Launcher(first="service", program="/bin/echo",
                  words=["arg=echo", "arg=hello"]) as launcher:
        with launcher.launch() as session:
            assert session.is_running
            assert session.read() == b"hello\n"


def test_the_bytes_behind_the_line_are_the_service_s():
    with Launcher(program="/bin/cat", words=["arg=cat"]) as launcher:
        with launcher.launch() as session:
            session.client.sendall(b"data" * 1000)
            session.client.shutdown(socket.SHUT_WR)
            assert session.read() == b"+\r\n" + b"data" * 1000


def test_what_tcpmuxd_was_started_with_is_kept():
    """Affinity, nice, oom_score_adj and limits; not ignored signals."""
    cpu = min(os.sched_getaffinity(0))

    def prepare():
        os.sched_setaffinity(0, {cpu})
        os.nice(3)
        with open("/proc/self/oom_score_adj", "w") as file:
            file.write("123")
        resource.setrlimit(resource.RLIMIT_NOFILE, (777, 888))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        for number in set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP}:
            signal.signal(number, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())

    with Launcher(preexec=prepare) as launcher:
        _, said, pid, client = probed(launcher)
        assert_golden(said, golden(
            launcher.pid, ["probe"],
            peer_env(client, launcher.listener.getsockname()), pid))
        assert said["Cpus_allowed_list"] == [str(cpu)]
        assert said["nice"] == [str(os.nice(0) + 3)]
        assert said["oom_score_adj"] == ["123"]
        assert f"{resource.RLIMIT_NOFILE} 777 888" in said["limit"]


def test_a_session_s_group_and_session_are_its_own():
    with Launcher(words=["arg=probe", "arg=wait"]) as launcher:
        with launcher.launch() as one, launcher.launch() as other:
            for session in (one, other):
                session.read_until(b"end -\n")
                assert os.getpgid(session.pid) == session.pid
                assert os.getsid(session.pid) == session.pid
            assert os.getsid(launcher.pid) == launcher.pid


def test_the_child_is_the_parent_s_own():
    """Not the launcher's: or waiting for it here would fail."""
    with Launcher(program="/bin/false", words=["arg=false"]) as launcher:
        with launcher.launch() as session:
            assert session.ended() == 1


# --- the launcher itself -----------------------------------------------------

def test_the_launcher_holds_no_client():
    with Launcher(words=["arg=probe", "arg=wait"]) as launcher:
        before = launcher.fds()
        assert {fd: before.get(fd) for fd in (0, 4, 5)} == {
            0: "/dev/null", 4: "anon_inode:[landlock-ruleset]", 5: "/proc"}
        assert set(before) == {*range(6)}
        with launcher.launch() as session:
            session.read_until(b"end -\n")
            assert launcher.fds() == before


def test_the_launcher_is_in_no_directory_of_who_started_it():
    with Launcher(preexec=lambda: os.chdir("/usr")) as launcher:
        assert os.readlink(f"/proc/{launcher.pid}/cwd") == "/"


def test_the_common_launcher_keeps_a_few_capabilities():
    with Launcher() as launcher:
        status = {key: launchers.own(key, launcher.pid)
                  for key in ("CapPrm", "CapEff", "CapInh", "CapBnd", "CapAmb")}
        kept = sum(1 << number for number in (2, 6, 7, 18, 23, 24))
        needed = f"{kept & everything():016x}"
        nothing = "0" * 16
        assert status == {"CapPrm": needed, "CapEff": needed,
                          "CapInh": nothing, "CapBnd": nothing,
                          "CapAmb": nothing}


@pytest.mark.parametrize("kind, ids, flags", [
    ("base", [], 0), ("full", [], 0),
    ("self", ["--reuid", "1234", "--regid", "1234", "--clear-groups"], SELF)])
def test_capabilities_that_it_was_started_with_are_not_passed_on(kind, ids,
                                                                 flags):
    """Inheritable and ambient ones outlive an exec."""
    under = ["setpriv", *ids, "--inh-caps", "+net_raw", "--ambient-caps",
             "+net_raw"]
    with Launcher(kind, under=under, flags=f"{flags:x}") as launcher:
        assert launcher.failed is None
        for key in ("CapInh", "CapAmb"):
            assert launchers.own(key, launcher.pid) == "0" * 16
        if kind == "self":
            assert launchers.own("CapPrm", launcher.pid) == "0" * 16
        _, said, _, _ = probed(launcher)
        for key in ("CapInh", "CapAmb", "CapPrm", "CapEff"):
            assert said[key] == ["0" * 16]


def test_its_standard_input_and_output_are_nothing():
    """Whatever it was started with; only standard error is for it."""
    def prepare():
        for fd in 0, 1:
            os.dup2(os.open("/etc/passwd", os.O_RDONLY), fd)

    with Launcher(preexec=prepare) as launcher:
        fds = launcher.fds()
        assert fds[0] == fds[1] == "/dev/null"
        assert fds[2].startswith("pipe:")


def test_the_rootless_launcher_keeps_none():
    with Launcher("self", user=1234, flags=f"{SELF:x}") as launcher:
        assert launchers.own("CapPrm", launcher.pid) == "0" * 16


def test_the_launcher_ends_with_its_parent():
    with Launcher() as launcher:
        assert launcher.ended() == (0, "")


GOOD = launchers.encode(1, 0, 0, ("127.0.0.1", 5), ("127.0.0.1", 1))
WITH_STDERR = launchers.encode(1, 0, 1, ("127.0.0.1", 5), ("127.0.0.1", 1))


@pytest.mark.parametrize("message, count", [
    (GOOD[:-1], 2), (GOOD + b"\0", 2), (b"x", 0), (GOOD, 0), (GOOD, 1),
    (GOOD, 3), (GOOD, 4), (GOOD, 5), (GOOD, 200), (WITH_STDERR, 2),
    (WITH_STDERR, 4), (GOOD[:12] + b"\2" + GOOD[13:], 2),
    (GOOD[:12] + b"\2" + GOOD[13:], 4), (GOOD[:12] + b"\3" + GOOD[13:], 3),
    (GOOD[:12] + b"\4" + GOOD[13:], 2), (GOOD[:12] + b"\x08" + GOOD[13:], 2),
    (GOOD[:12] + b"\7" + GOOD[13:], 5),
    (GOOD[:13] + b"\5" + GOOD[14:], 2), (b"", 2), (b"x" * 4096, 2),
], ids=str)
def test_what_is_no_launch_ends_the_launcher(message, count):
    with Launcher() as launcher:
        with open("/dev/null") as null:
            launcher.send(message, [null.fileno()] * count)
        assert launcher.process.wait(20) == 1
        assert launcher.ended()[1] == (
            "tcpmuxd-launcher: a message that is no LAUNCH\n")


@pytest.mark.parametrize("kind, keys, how, error", [
    ("base", {}, {"service": 1}, E.EINVAL),
    ("base", {}, {"service": 0xFFFFFFFF}, E.EINVAL),
    ("base", {}, {"stderr": True}, E.EINVAL),
    ("base", {"stderr": "log"}, {}, E.EINVAL),
    ("base", {"flags": f"{DISABLED:x}"}, {}, E.EPERM),
    ("base", {"flags": f"{SELF:x}"}, {}, E.EPERM),
    ("full", {"flags": f"{SELF:x}"}, {}, E.EPERM),
    ("base", {"flags": f"{NEW_PRIVILEGES:x}"}, {}, E.EPERM),
    ("base", {"flags": f"{CAPABILITIES_ALL:x}"}, {}, E.EPERM),
    ("base", {"caps": "400"}, {}, E.EPERM),
    ("base", {"isolate": "8"}, {}, E.EPERM),
    ("base", {"syscalls": "any"}, {}, E.EPERM),
    ("base", {"syscalls": "stdio"}, {}, E.EPERM),
    ("self", {"user": 1234}, {}, E.EPERM),
])
def test_a_launch_that_this_base_is_not_for(kind, keys, how, error):
    with Launcher(kind, **keys) as launcher:
        assert launcher.failed is None
        before = launcher.fds()
        for _ in range(3):
            with launcher.launch(**how) as session:
                assert session.statuses == [("plan", error)]
                assert session.pid is None
                assert session.read() == b""
        assert launcher.fds() == before


def test_a_parent_that_does_not_listen_to_the_status():
    """Nobody reads the pipe: the launcher lives, the child dies unserved."""
    with Launcher() as launcher:
        client, ours = launcher.connect()
        status, status_end = os.pipe()
        os.close(status)
        launcher.send(launchers.encode(9, 0, 0, ("127.0.0.1", 5),
                                       ("127.0.0.1", 1)),
                      [ours.fileno(), status_end])
        ours.close()
        os.close(status_end)
        assert client.recv(1) == b""
        pid, _ = launcher.launched()
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        assert status == -signal.SIGPIPE
        assert probed(launcher)[0] == b"+"


def minor_faults(launcher):
    return int(launcher.proc("stat").rpartition(")")[2].split()[7])


def test_a_launch_writes_to_few_of_the_launcher_s_pages():
    """After each clone, who writes into a page first has to copy it."""
    with Launcher() as launcher:
        probed(launcher)
        before = minor_faults(launcher)
        for _ in range(20):
            probed(launcher)
        assert minor_faults(launcher) - before < 20 * 2.5


@pytest.mark.parametrize("kind, user", [("base", 1234), ("full", 1234),
                                        ("self", None)])
def test_a_base_is_for_root_or_for_others(kind, user):
    with Launcher(kind, user=user) as launcher:
        assert launcher.failed == ("arguments", E.EPERM)
        assert launcher.ended()[0] == 1


def test_a_base_that_is_none():
    with Launcher("basement") as launcher:
        assert launcher.failed == ("arguments", E.EINVAL)


@pytest.mark.parametrize("how, error", [
    ({"seals": 0}, E.EPERM), ({"seals": 0xF & ~0x8}, E.EPERM),
    ({"seals": 0xF & ~0x2}, E.EPERM), ({"block": b"\0" * 4096}, E.EBADMSG),
    ({"block": b""}, E.EINVAL),
])
def test_an_image_that_is_none(how, error):
    with Launcher(**how) as launcher:
        assert launcher.failed == ("image", error)


def test_a_channel_that_keeps_no_messages_apart():
    with Launcher(channel_type=socket.SOCK_STREAM) as launcher:
        assert launcher.failed == ("descriptors", E.EPROTOTYPE)
