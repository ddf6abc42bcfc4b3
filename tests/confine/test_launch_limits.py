"""Root directory, priority and resource limits of a launched service: as the
policy says, from inside and from outside, and nothing to be done about it."""

import contextlib
import os
import resource
import shutil
import signal
import subprocess

import pytest

import launchers
from launchers import Launcher, parse_probe
from mux import IS_ROOT, program
from rooms import unsanitized

pytestmark = [unsanitized, pytest.mark.skipif(
    not IS_ROOT, reason="services of other users need root")]

INSIDER = "tests/tools/insider"
# enum image_rlimit of core/image.h
KINDS = {"address-space": (0, resource.RLIMIT_AS),
         "user-processes": (1, resource.RLIMIT_NPROC),
         "open-files": (2, resource.RLIMIT_NOFILE),
         "cpu": (3, resource.RLIMIT_CPU),
         "file-size": (4, resource.RLIMIT_FSIZE),
         "core": (5, resource.RLIMIT_CORE),
         "stack": (6, resource.RLIMIT_STACK)}
# As /proc/PID/limits has them.
OUTSIDE = {"address-space": "Max address space",
           "user-processes": "Max processes", "open-files": "Max open files",
           "cpu": "Max cpu time", "file-size": "Max file size",
           "core": "Max core file size", "stack": "Max stack size"}
MEGA = 1 << 20
UID = 64321  # nobody else's: the kernel counts processes by user


def words_of(limits):
    return [f"rlimit={KINDS[name][0]}:{value}"
            for name, value in limits.items()]


@contextlib.contextmanager
def inside(*acts, limits=None, **keys):
    """A session of the insider, that does these acts."""
    words = [f"arg={act}" for act in ("insider", *acts)]
    with Launcher(program=keys.pop("program", program(INSIDER)),
                  words=[*words, *words_of(limits or {})],
                  **{"uid": UID, "gid": UID, **keys}) as launcher:
        assert launcher.failed is None
        with launcher.launch() as session:
            assert session.statuses == [("reply", 0)]
            yield session


def said(*acts, **how):
    with inside(*acts, **how) as session:
        answer = session.read()
        assert session.ended() == 0
    assert answer.startswith(b"+\r\n")
    return parse_probe(answer[3:])


# --- limits ------------------------------------------------------------------

def test_limits_are_soft_and_hard_and_no_others_change():
    limits = {"address-space": 1 << 40, "user-processes": 7, "open-files": 64,
              "cpu": 3600, "file-size": 5 * MEGA, "core": 3 * 4096,
              "stack": MEGA}
    with Launcher(words=["arg=probe", "arg=wait",
                         *words_of(limits)]) as launcher:
        with launcher.launch() as session:
            answer = parse_probe(session.read_until(b"end -\n")[3:])
            expected = {KINDS[name][1]: (value, value)
                        for name, value in limits.items()}
            everything = {**launchers.limits_of("self"), **expected}
            assert answer["limit"] == [
                f"{number} {soft} {hard}"
                for number, (soft, hard) in everything.items()]
            with open(f"/proc/{session.pid}/limits") as file:
                seen = {line[:26].strip(): line[26:].split()[:2]
                        for line in file}
            assert {name: seen[OUTSIDE[name]] for name in limits} == {
                name: [str(value)] * 2 for name, value in limits.items()}


def test_core_dumps_are_off_unless_written():
    """Whatever tcpmuxd may have: the loader sets it for every service."""
    with Launcher() as launcher:
        with launcher.launch() as session:
            answer = parse_probe(session.read()[3:])
    assert f"{resource.RLIMIT_CORE} 0 0" in answer["limit"]


def test_no_limit_can_be_raised_again():
    answer = said("raise", limits={
        name: 9 if name in ("user-processes", "open-files") else 8 * MEGA
        for name in KINDS if name != "address-space"})
    assert len(answer["raise"]) >= 6
    assert all(line.endswith(" EPERM") for line in answer["raise"]), answer


@pytest.mark.parametrize("limit, value, act, expected", [
    ("open-files", 8, "files", "8 EMFILE"),
    ("user-processes", 3, "forks", "2 EAGAIN"),
    ("user-processes", 0, "forks", "0 EAGAIN"),
    ("address-space", 64 * MEGA, f"map={64 * MEGA}", "ENOMEM"),
    ("file-size", 8192, "file=/tmp/", "8192 EFBIG"),
    ("file-size", 0, "file=/tmp/", "0 EFBIG"),
])
def test_a_limit_holds(limit, value, act, expected, tmp_path):
    if act == "file=/tmp/":
        with launchers.public_directory() as directory:
            os.chown(directory, UID, UID)
            answer = said(f"file={directory}/new", limits={limit: value})
            assert answer["file"] == [expected]
        return
    answer = said(act, limits={limit: value})
    assert answer[act.partition("=")[0]] == [expected]


def test_a_session_that_has_used_its_cpu_time_is_killed():
    """At once, not asked by SIGXCPU: there is no soft limit below."""
    with inside("spin", limits={"cpu": 1}) as session:
        assert session.ended() == -signal.SIGKILL


def test_more_processes_than_allowed_already_still_launch():
    """execve fails if the limit comes before setresuid."""
    others = [subprocess.Popen(["/bin/sleep", "60"], user=UID, group=UID,
                               extra_groups=[]) for _ in range(3)]
    try:
        assert said("forks", limits={"user-processes": 2})["forks"] == [
            "0 EAGAIN"]
    finally:
        for other in others:
            other.kill()
            other.wait()


def test_the_smallest_limits_that_can_be_written_launch():
    static = program("tcpmuxd-launcher")  # ends at once without a channel
    with Launcher(program=static, words=words_of({
            "address-space": 4 * MEGA, "user-processes": 0, "open-files": 8,
            "cpu": 1, "file-size": 0, "stack": 256 * 1024})) as launcher:
        with launcher.launch() as session:
            assert session.statuses == [("reply", 0)]
            assert session.ended() == 1


# --- nice --------------------------------------------------------------------

@pytest.mark.parametrize("nice", [-20, -1, 0, 7, 19])
def test_nice(nice):
    with Launcher(words=["arg=probe", "arg=wait"], nice=nice) as launcher:
        with launcher.launch() as session:
            answer = parse_probe(session.read_until(b"end -\n")[3:])
            assert answer["nice"] == [str(nice)]
            assert os.getpriority(os.PRIO_PROCESS, session.pid) == nice
    assert said("nice=-20", nice=nice)["nice"] == [
        "done" if nice == -20 else "EACCES"]


def test_without_nice_it_is_tcpmuxd_s():
    with Launcher(words=["arg=probe"], preexec=lambda: os.nice(3)) as launcher:
        with launcher.launch() as session:
            assert parse_probe(session.read()[3:])["nice"] == ["3"]


# --- chroot ------------------------------------------------------------------

@pytest.fixture
def jail():
    """A directory with the insider and what it needs to run."""
    with launchers.public_directory() as directory:
        source = program(INSIDER)
        for path in [source, *launchers.libraries_of(source)]:
            to = directory / ("insider" if path == source else path[1:])
            to.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, to)
        (directory / "srv").mkdir()
        os.chmod(directory / "srv", 0o755)
        yield directory


def test_the_root_directory_is_the_one_that_was_asked_for(jail):
    wanted = os.stat(jail)
    inode = f"{wanted.st_dev}:{wanted.st_ino}"
    with inside("inode=/", "inode=/..", "inode=..", "list=/", "inode=/etc",
                "spin", limits={"cpu": 20}, chroot=jail,
                program="/insider") as session:
        answer = parse_probe(session.read_until(b"inode ENOENT\n")[3:])
        outside = os.stat(f"/proc/{session.pid}/root/.")
        assert (outside.st_dev, outside.st_ino) == (wanted.st_dev,
                                                    wanted.st_ino)
        assert os.readlink(f"/proc/{session.pid}/cwd") == str(jail)
        open_files = [os.readlink(f"/proc/{session.pid}/fd/{fd}")
                      for fd in os.listdir(f"/proc/{session.pid}/fd")]
        assert len(open_files) == 3
        assert all(path.startswith("socket:") or path == "/dev/null"
                   for path in open_files), open_files
    assert answer["inode"] == [f"/ {inode}", f"/.. {inode}", f".. {inode}",
                               "ENOENT"]
    assert sorted(answer["list"]) == ["-", *sorted(os.listdir(jail))]


@pytest.mark.parametrize("uid", [UID, 0])
def test_the_root_directory_cannot_be_changed_again(jail, uid):
    answer = said("chroot=/srv", chroot=jail, program="/insider", uid=uid,
                  gid=uid)
    assert answer["chroot"] == ["EPERM"]


def test_the_directory_is_below_the_root(jail):
    wanted = os.stat(jail / "srv")
    answer = said("inode=.", chroot=jail, program="/insider", chdir="/srv")
    assert answer["inode"] == [f". {wanted.st_dev}:{wanted.st_ino}"]


def test_a_program_outside_is_not_there(jail):
    with Launcher(chroot=jail) as launcher:
        with launcher.launch() as session:
            assert session.statuses == [("program", 2)]
            assert session.read() == b""


def test_a_loader_that_is_only_outside_is_none(jail):
    shutil.rmtree(jail / "lib64")
    with Launcher(chroot=jail, program="/insider") as launcher:
        with launcher.launch() as session:
            (step, _), = session.statuses
            assert step == "program"


def test_no_chroot_into_what_is_no_directory(jail):
    for path in jail / "insider", jail / "none":
        with Launcher(chroot=path, program="/insider") as launcher:
            with launcher.launch() as session:
                (step, _), = session.statuses
                assert step == "root"
