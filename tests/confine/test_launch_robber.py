"""Two sessions under one uid: neither can trace, signal or rob the other."""

import subprocess

import pytest

from launchers import (NEW_PRIVILEGES, Launcher, landlock_abi, parse_probe,
                       public_directory)
from mux import IS_ROOT, program
from rooms import unsanitized

pytestmark = [unsanitized, pytest.mark.skipif(
    not IS_ROOT, reason="services of other users need root")]

UID = 61079  # nobody else's
ABI_SCOPES = 6

# What ptrace's permission guards, and what only a scope does.
TRACED = ("pidfd_getfd", "readv", "writev", "mem", "environ", "maps",
          "readlink", "ptrace")
UNSTOPPED = ("limits", "priority")  # by a uid's own, domain or not
SCOPED = ("kill", "continue", "pidfd_signal", "tgkill", "abstract")


def robber(kind="full", words=(), syscalls="any", **keys):
    """With the domain alone around it, unless more is asked for."""
    return Launcher(kind, syscalls=syscalls, program=program("tests/tools/robber"), uid=UID,
                    gid=UID, words=["arg=robber", *words], **keys)


@pytest.fixture
def victim():
    """What a robber needs to know of a running session."""
    with robber(words=["arg=victim"], first="service") as launcher:
        with launcher.launch() as session:
            line = session.read_until(b"\n")
            yield line
            assert session.pid == int(line.split()[0])
            session.client.shutdown(1)
            assert session.ended() == 0, "the victim was harmed"


def acts(session, victim):
    session.client.sendall(victim)
    answer = session.read_until(b"end -\n").partition(b"\r\n")[2]
    said = {act: how[0] for act, how in parse_probe(answer).items()}
    del said["end"]
    assert set(said) == {*TRACED, *SCOPED, *UNSTOPPED}
    return said


@pytest.mark.skipif(landlock_abi() == 0, reason="a kernel without Landlock")
def test_sessions_cannot_rob_each_other(victim):
    with robber() as launcher, launcher.launch() as session:
        said = acts(session, victim)
    assert {act: said[act] for act in TRACED} == {
        act: "EACCES" if act in ("mem", "environ", "maps", "readlink")
        else "EPERM" for act in TRACED}
    if landlock_abi() >= ABI_SCOPES:
        assert {said[act] for act in SCOPED} == {"EPERM"}


def test_the_same_acts_outside_a_domain_succeed(victim):
    """Or the test above would show nothing: the uid alone stops none."""
    done = subprocess.run(
        ["setpriv", "--reuid", str(UID), "--regid", str(UID),
         "--clear-groups", program("tests/tools/robber"), "try",
         *victim.decode().split()],
        check=True, stdin=subprocess.DEVNULL, capture_output=True)
    said = parse_probe(done.stdout)
    assert {act: said[act] for act in (*TRACED, *SCOPED)} == {
        act: ["done"] for act in (*TRACED, *SCOPED)}


def test_a_domain_does_not_stop_a_change_of_limits(victim):
    """As SECURITY.md says: prlimit and setpriority ask for the uid alone. One
    session can end another of its uid by a limit on processor time.
    """
    with robber() as launcher, launcher.launch() as session:
        said = acts(session, victim)
    assert {said[act] for act in UNSTOPPED} == {"done"}


@pytest.mark.parametrize("kind", ["base", "full"])
def test_the_default_filter_stops_it(kind, victim):
    with robber(kind, syscalls="default") as launcher, \
            launcher.launch() as session:
        said = acts(session, victim)
    assert {said[act] for act in (*UNSTOPPED, "pidfd_getfd", "readv", "writev",
                                  "ptrace")} == {"EPERM"}


def test_new_privileges_are_without_a_domain(victim):
    """As SECURITY.md says: a login service may do what its user may."""
    with robber("full", flags=f"{NEW_PRIVILEGES:x}") as launcher, \
            launcher.launch() as session:
        assert set(acts(session, victim).values()) == {"done"}


def test_sessions_can_still_rename_and_link():
    """A domain takes nothing away but the way into other sessions."""
    with public_directory() as place:
        for directory in (place / "a", place / "b"):
            directory.mkdir()
            directory.chmod(0o777)
        script = ("cd '%s'; echo x >a/f; ln a/f b/g; mv a/f b/h; mkdir a/d; "
                  "mv a/d b; ls b" % place)
        with Launcher(program="/bin/sh", uid=UID, gid=UID, stderr="socket",
                      words=["arg=sh", "arg=-c", f"arg={script}"]) as launcher:
            with launcher.launch() as session:
                assert session.read() == b"+\r\nd\ng\nh\n"
