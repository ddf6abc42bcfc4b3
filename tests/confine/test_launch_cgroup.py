"""A launch into the session's cgroup: a descriptor of it comes with LAUNCH."""

import contextlib
import errno as E
import os
import socket

import pytest

import groups
from launchers import CGROUP, CGROUP_BORN, Launcher

pytestmark = pytest.mark.skipif(
    groups.own() is None, reason="there is no cgroup v2")


@pytest.fixture
def group():
    """One of our own; removed once nothing is in it any more."""
    path = os.path.join(groups.own(), f"tcpmuxd-test-{os.getpid()}")
    os.mkdir(path)
    yield path
    os.rmdir(path)


@contextlib.contextmanager
def opened(path):
    fd = os.open(path, os.O_PATH | os.O_DIRECTORY)
    try:
        yield fd
    finally:
        os.close(fd)


@pytest.mark.parametrize("kind", ["base", "full"])
@pytest.mark.parametrize("flags", [CGROUP, CGROUP_BORN],
                         ids=["goes", "born"])
def test_a_service_is_in_it(kind, flags, group):
    with Launcher(kind, words=["arg=probe", "arg=wait"]) as launcher, \
            opened(group) as fd:
        before = launcher.fds()
        with launcher.launch(flags=flags, cgroup=fd) as session:
            session.read_until(b"end -\n")
            with open(f"{group}/cgroup.procs") as file:
                assert file.read() == f"{session.pid}\n"
            fds = os.listdir(f"/proc/{session.pid}/fd")
            assert sorted(map(int, fds)) == [0, 1, 2]
            session.client.shutdown(socket.SHUT_WR)
            assert session.ended() == 0
        assert launcher.fds() == before


@pytest.mark.parametrize("flags", [CGROUP, CGROUP_BORN],
                         ids=["goes", "born"])
def test_who_keeps_its_leftovers_is_in_none(flags, group):
    with Launcher(leftovers="keep") as launcher, opened(group) as fd:
        with launcher.launch(flags=flags, cgroup=fd) as session:
            assert session.statuses == [("plan", E.EINVAL)]
            assert session.pid is None


@pytest.mark.parametrize("flags, failed", [
    (CGROUP, ("cgroup", E.ENOENT)), (CGROUP_BORN, ("clone", E.EBADF))])
def test_what_is_no_cgroup_is_not_entered(flags, failed, tmp_path):
    with Launcher() as launcher, opened(tmp_path) as fd:
        with launcher.launch(flags=flags, cgroup=fd) as session:
            assert session.statuses == [failed]
            assert session.read() == b""


def test_a_group_that_only_says_it_was_entered_is_found_out(tmp_path):
    (tmp_path / "cgroup.procs").write_text("")
    (tmp_path / "cgroup.events").write_text("populated 0\nfrozen 0\n")
    with Launcher() as launcher, opened(tmp_path) as fd:
        with launcher.launch(flags=CGROUP, cgroup=fd) as session:
            assert session.statuses == [("cgroup", E.EPERM)]
    assert (tmp_path / "cgroup.procs").read_text() == "0"
