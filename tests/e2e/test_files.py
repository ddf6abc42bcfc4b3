"""`filesystem` from the policy to the service, through a whole tcpmuxd."""

import os
import pathlib
import tempfile

import pytest

from launchers import landlock_abi, parse_probe
from mux import IS_ROOT, policy, program, run_tcpmuxd, service

pytestmark = pytest.mark.skipif(landlock_abi() == 0, reason="no Landlock here")

SERVICES = 300
READY_MAX = 64


@pytest.fixture
def home():
    """A folder that services may look into."""
    with tempfile.TemporaryDirectory(prefix="tcpmuxd-test-") as directory:
        os.chmod(directory, 0o755)
        yield pathlib.Path(directory)


def tried(mux, name):
    _, answer = mux.request(name)
    return {act: int(error) for act, (error,) in parse_probe(answer).items()
            if act != "end"}


def rulesets_of(pid):
    links = (os.readlink(f"/proc/{pid}/fd/{fd}")
             for fd in os.listdir(f"/proc/{pid}/fd"))
    return sum(link == "anon_inode:[landlock-ruleset]" for link in links)


def test_each_of_many_services_sees_its_own(mux_factory, home):
    """A launcher keeps some of their rulesets ready; all of them work."""
    files = program("tests/tools/files")
    services = []
    for i in range(SERVICES):
        (home / str(i)).mkdir()
        (home / str(i) / "file").write_text("text\n")
        services.append(service(
            f"s{i}", f"exec {files} read:{home}/{i}/file "
            f"read:{home}/{(i + 1) % SERVICES}/file",
            f"filesystem read {home}/{i}"))
    mux = mux_factory(*services)
    for _ in range(2):
        for i in range(SERVICES):
            assert [*tried(mux, f"s{i}").values()] == [0, 13]
    if not IS_ROOT:
        return  # only root may look into a launcher
    kept = [rulesets_of(pid) for pid in mux.launchers()]
    assert max(kept) == READY_MAX + 1  # and that of sessions without


def test_what_one_closes_is_open_to_others(mux_factory, home):
    """What one service has closed is its own matter."""
    files = program("tests/tools/files")
    mux = mux_factory(
        service("shut", f"exec {files} list:{home} list:/ list:/etc",
                f"filesystem read {home}"),
        service("later", f"exec {files} list:{home}/later",
                f"filesystem read {home}/later if-available"),
        service("open", f"exec {files} list:/ list:/etc"),
        service("opened", f"exec {files} list:/", "filesystem any"),
        defaults=(f"filesystem read {home}/none if-available",))
    for _ in range(3):
        assert [*tried(mux, "shut").values()] == [0, 13, 13]
        assert [*tried(mux, "open").values()] == [13, 13]
        assert [*tried(mux, "opened").values()] == [0]
        assert [*tried(mux, "later").values()] == [2]
    (home / "later").mkdir(mode=0o755)
    for _ in range(3):
        assert [*tried(mux, "later").values()] == [0]


def test_a_path_that_is_gone_is_a_refusal(mux_factory, home):
    (home / "spool").mkdir()
    mux = mux_factory(service("cat", "exec /bin/cat",
                              f"filesystem read {home}/spool"))
    (home / "spool").rmdir()
    mux.request("cat")
    assert mux.wait_log("refuse", service="cat", reason="launch",
                        step="landlock")["error"] == "ENOENT"


@pytest.mark.skipif(not IS_ROOT, reason="unmounting takes root")
def test_without_proc_it_is_a_problem():
    """By which a program is opened again that was found to be a file."""
    text = policy(service("cat", "exec /bin/cat", "filesystem read /usr"))
    under = ("unshare", "-m", "--propagation", "private", "/bin/sh", "-c",
             'umount -l /proc && exec "$@"', "sh")
    done = run_tcpmuxd(text, "-t", under=under)
    assert done.returncode == 1
    assert ("'filesystem' of service 'cat' needs /proc mounted: No such file"
            in done.stderr)
    assert run_tcpmuxd(text, "-t").returncode == 0
    assert run_tcpmuxd(text, "-t", "-s", under=under).returncode == 0
