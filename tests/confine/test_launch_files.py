"""`filesystem`: a service sees what the policy opened, and what everyone does.

tests/tools/files tries; the permissions of the files would let it do all of
it, so whatever it cannot do is Landlock's doing. Rulesets are kept ready: a
child that has to make its own can be told by making it lie to itself.
"""

import contextlib
import ctypes
import errno
import os
import pathlib
import re
import shutil
import socket
import subprocess
import time

import pytest

import launchers
from launchers import Launcher, parse_probe
from mux import IS_ROOT, eventually, program
from rooms import unsanitized

pytestmark = [unsanitized, pytest.mark.skipif(
    not IS_ROOT, reason="services of other users need root")]

E = errno
OK = 0
SHUT = E.EACCES
ABI_REFER, ABI_TRUNCATE, ABI_IOCTL_DEV = 2, 3, 5
MKNOD = 1 << 27
# A child whose own rulesets open nothing, and its program neither.
SHUTS_ITSELF_OUT = [("reply", 0), ("exec", SHUT)]
LYING = "landlock_add_rule=0"
FILES = program("tests/tools/files")
SOURCE = pathlib.Path(__file__).resolve().parents[2] / "src/launcher"

abi = launchers.landlock_abi()
if abi == 0:
    pytest.skip("no Landlock here", allow_module_level=True)


def everyone():
    """{path: access} of src/launcher/everyone.c."""
    rows = re.findall(r'\{ "([^"]+)", (READ|WRITE) \}',
                      (SOURCE / "everyone.c").read_text())
    assert len(rows) > 15
    return dict(rows)


def files(acts, grants, **keys):
    """A launcher of the program that tries these acts under these grants."""
    return Launcher(program=FILES, words=[
        "arg=files", *(f"arg={act}" for act in acts), *grants], **keys)


def told(session):
    """{act: errno}"""
    assert session.is_running, session.statuses
    said = parse_probe(session.read().partition(b"\r\n")[2])
    assert said.pop("end") == ["-"]
    return {act: int(error) for act, (error,) in said.items()}


def tried(acts, grants, **keys):
    with files(acts, grants, **keys) as launcher, launcher.launch() as session:
        return told(session)


def check(expected, grants, **keys):
    """expected: {act: errno, or several of which it is one}"""
    result = tried(expected, grants, **keys)
    wrong = {act: result[act] for act, error in expected.items()
             if result[act] not in (error if isinstance(error, tuple)
                                    else (error,))}
    assert not wrong, f"{{act: errno}} {wrong}"


def make_tree(root):
    """For everybody to read, write and execute, in three places."""
    for name in "ro", "rw", "other", "bin":
        folder = root / name
        (folder / "empty").mkdir(parents=True)
        (folder / "sub").mkdir()
        for path in (folder / "file", folder / "sub/file", folder / "spare",
                     folder / "waste"):
            path.write_text("text\n")
            path.chmod(0o666)
        shutil.copy("/bin/true", folder / "true")
        (folder / "true").chmod(0o777)
        for path in folder, folder / "empty", folder / "sub":
            path.chmod(0o777)


@pytest.fixture
def tree():
    with launchers.public_directory() as root:
        make_tree(root)
        yield root


def acts_in(folder):
    """What may be done in a place, each possible once all before are done."""
    return [f"read:{folder}/file", f"read:{folder}/sub/file",
            f"list:{folder}", f"list:{folder}/sub", f"exec:{folder}/true",
            f"write:{folder}/file", f"truncate:{folder}/file",
            f"create:{folder}/new", f"mkdir:{folder}/made",
            f"fifo:{folder}/fifo", f"socket:{folder}/socket",
            f"symlink:/:{folder}/link", f"rename:{folder}/spare:{folder}/a",
            f"unlink:{folder}/waste", f"rmdir:{folder}/empty"]


READING = {"read", "list"}


def expected_in(folder, may):
    return {act: OK if act.partition(":")[0] in may else SHUT
            for act in acts_in(folder)}


EVERYTHING = {act.partition(":")[0] for act in acts_in("/")}


def test_without_it_all_is_open(tree):
    """What is below is no work of the permissions."""
    for name in "ro", "rw", "other", "bin":
        check(expected_in(tree / name, EVERYTHING), [])


def test_all_is_closed_but_what_the_policy_opens(tree):
    grants = [f"read={tree}/ro", f"write={tree}/rw", f"exec={tree}/bin"]
    check({**expected_in(tree / "ro", READING),
           **expected_in(tree / "rw", EVERYTHING - {"exec"}),
           **expected_in(tree / "bin", READING | {"exec"}),
           **expected_in(tree / "other", set()),
           f"list:{tree}": SHUT, "list:/": SHUT}, grants)
    assert sorted(os.listdir(tree / "ro")) == [
        "empty", "file", "spare", "sub", "true", "waste"]


def test_one_path_may_be_opened_for_several_acts(tree):
    check(expected_in(tree / "rw", EVERYTHING),
          [f"write={tree}/rw", f"exec={tree}/rw"])


def test_a_single_file(tree):
    check({f"read:{tree}/ro/file": OK, f"write:{tree}/ro/file": SHUT,
           f"read:{tree}/ro/spare": SHUT, f"list:{tree}/ro": SHUT,
           f"write:{tree}/rw/file": OK, f"truncate:{tree}/rw/file": OK,
           f"create:{tree}/rw/new": SHUT, f"unlink:{tree}/rw/file": SHUT,
           f"exec:{tree}/bin/true": OK, f"exec:{tree}/bin/file": SHUT},
          [f"read={tree}/ro/file", f"write={tree}/rw/file",
           f"exec={tree}/bin/true"])


def test_a_path_where_only_the_user_may_look(tree):
    """The common launcher keeps the right to look there for this."""
    private = tree / "private"
    (private / "sub").mkdir(parents=True)
    os.chown(private, 65534, 65534)
    private.chmod(0o700)
    check({f"list:{private}/sub": OK, f"list:{private}": SHUT},
          [f"read={private}/sub"])


@pytest.mark.skipif(abi < ABI_REFER, reason="Linux before 5.19")
def test_nothing_gets_out_of_or_into_what_is_closed(tree):
    """Nor is anything opened further by being moved."""
    away = SHUT, E.EXDEV
    check({f"rename:{tree}/rw/file:{tree}/rw/sub/moved": OK,
           f"link:{tree}/rw/sub/moved:{tree}/rw/back": OK,
           f"rename:{tree}/rw/back:{tree}/other/out": away,
           f"link:{tree}/rw/back:{tree}/ro/out": away,
           f"rename:{tree}/other/file:{tree}/rw/in": away,
           f"link:{tree}/ro/file:{tree}/rw/in": away,
           f"link:{tree}/rw/true:{tree}/bin/true2": away},
          [f"read={tree}/ro", f"write={tree}/rw", f"exec={tree}/bin"])


def test_devices(tree):
    """Nobody makes one, be it allowed to by all else."""
    check({"write:/dev/null": OK, "read:/dev/null": OK, "read:/dev/zero": OK,
           "read:/dev/urandom": OK, "read:/dev/random": OK,
           "write:/dev/zero": SHUT, "write:/dev/urandom": SHUT,
           "read:/dev/full": SHUT, "list:/dev": SHUT, "read:/dev/tty": SHUT,
           f"device:{tree}/rw/device": SHUT}, [f"write={tree}/rw"],
          kind="full", caps=f"{MKNOD:x}")
    if abi >= ABI_IOCTL_DEV:
        check({"ioctl:/dev/urandom": SHUT}, [f"read={tree}/ro"])
        check({"ioctl:/dev/urandom": OK}, ["write=/dev/urandom"])


def test_etc_and_proc_are_closed_to_root_too(tree):
    """But what is looked up."""
    closed = ["read:/etc/shadow", "list:/etc", "read:/etc/debian_version",
              "list:/etc/ssl", "list:/proc", "read:/proc/self/status",
              f"read:/proc/{os.getpid()}/environ", "list:/root", "list:/tmp",
              "list:/usr/share", "list:/var", "exec:/bin/true",
              "write:/etc/passwd", "write:/usr/lib/os-release"]
    check({**{act: SHUT for act in closed}, "read:/etc/passwd": OK,
           "list:/usr/lib": OK, "exec:/usr/lib": SHUT,
           "read:/usr/lib/os-release": OK}, [f"read={tree}/ro"],
          uid=0, gid=0)


def test_everyone_has_what_is_listed(tree):
    acts = {}
    for path, access in everyone().items():
        if os.path.exists(path):
            acts["list:" + path if os.path.isdir(path) else
                 "read:" + path] = OK
        if access == "WRITE":
            acts["write:" + path] = OK
    check(acts, [f"read={tree}/ro"])


def test_the_manual_lists_what_everyone_has():
    manual = (SOURCE.parents[1] / "man/tcpmuxd.policy.5").read_text()
    text = manual[manual.index("These stay open besides"):]
    text = text[:text.index(".El")].partition(".Pq Pa ld-linux")[2]
    listed = re.findall(r"(?:\.Pa|Pa) (/\S+)", text)
    assert sorted(listed) == sorted(everyone())
    assert [path for path, access in everyone().items()
            if access != "READ"] == ["/dev/null"]


def test_what_landlock_does_not_know(tree):
    """As the manual says."""
    check({f"stat:{tree}/other/file": OK, "stat:/etc/shadow": OK},
          [f"read={tree}/ro"])


def test_the_root_itself_may_be_opened(tree):
    """Then there is nothing to find closed after the domain is entered."""
    check(expected_in(tree / "ro", READING), ["read=/"])
    os.symlink("/", tree / "root")
    check({**expected_in(tree / "rw", EVERYTHING), "list:/": OK},
          [f"write={tree}/root/", f"exec={tree}/bin/..", "exec=//"])


def test_its_own_process_s_directory(tree):
    """What a path leads to is seen by who is going to use it."""
    with files(["read:/proc/self/status", f"read:/proc/{os.getpid()}/status"],
               ["read=/proc/self"]) as launcher:
        for _ in range(3):
            with launcher.launch() as session:
                assert list(told(session).values()) == [OK, SHUT]


def test_a_service_has_no_descriptor_of_it():
    for grants in (["read=/"], ["read=/proc", "exec=/usr"]):
        with Launcher(words=grants) as launcher:
            for _ in range(3):
                with launcher.launch() as session:
                    launchers.assert_descriptors(parse_probe(session.read()))


# --- programs -----------------------------------------------------------------

@contextlib.contextmanager
def launches(path, grants, words=(), **keys):
    """launch() returns what the client gets of the program."""
    with Launcher(program=path, stderr="socket", words=[
            f"arg={path}", *words, *grants], **keys) as launcher:
        def launch():
            with launcher.launch() as session:
                return session.statuses, session.read()
        launch.launcher = launcher
        yield launch


def make(path, content, mode=0o755):
    path.write_bytes(content)
    path.chmod(mode)
    return path


def test_scripts_have_their_interpreters(tree):
    """And theirs: as many as execve follows."""
    script = make(tree / "one", b"#!/bin/sh\nread line </etc/passwd\n"
                  b"echo said $line\n")
    with launches(script, [f"read={tree}/ro"]) as launch:
        statuses, answer = launch()
        assert statuses == [("reply", 0)]
        assert answer.startswith(b"+\r\nsaid root:")
    os.symlink("/bin/sh", tree / "shell")
    make(tree / "two", b"#!" + bytes(tree / "shell") + b"\nexit 0\n")
    three = make(tree / "three", b"#!" + bytes(tree / "two") + b"\n")
    with launches(three, [f"read={tree}/ro"]) as launch:
        assert launch() == ([("reply", 0)], b"+\r\n")


def test_what_a_script_starts_is_not_its_interpreter(tree):
    script = make(tree / "one", b"#!/bin/sh\n/bin/echo started\n")
    with launches(script, [f"read={tree}/ro"]) as launch:
        assert b"ermission denied" in launch()[1]
    with launches(script, ["exec=/bin/echo"]) as launch:
        assert launch()[1] == b"+\r\nstarted\n"


def test_a_static_program_gets_no_loader(tree):
    """tcpmuxd-launcher ends at once: it is no service, but it runs."""
    with Launcher(program=program("tcpmuxd-launcher"),
                  words=[f"read={tree}/ro"]) as launcher:
        with launcher.launch() as session:
            assert session.is_running
            assert session.ended() == 1


def test_a_program_that_may_only_be_executed(tree):
    """The launcher can read it, and so knows its loader."""
    with open("/bin/true", "rb") as file:
        path = make(tree / "unread", file.read(), 0o711)
    with launches(path, [f"read={tree}/ro"]) as launch:
        assert launch() == ([("reply", 0)], b"+\r\n")


def test_a_program_that_is_not_there_is_named(tree):
    with launches(tree / "missing", [f"read={tree}/ro"]) as launch:
        assert launch() == ([("program", E.ENOENT)], b"")
    with launches(make(tree / "odd", b"#!/nonexistent\n"),
                  [f"read={tree}/ro"]) as launch:
        assert launch() == ([("program", E.ENOENT)], b"")
    with launches(make(tree / "text", b"text\n"),
                  [f"read={tree}/ro"]) as launch:
        assert launch() == ([("program", E.ENOEXEC)], b"")


SWAP = """
import ctypes, sys
call = ctypes.CDLL(None).renameat2
one, other = (path.encode() for path in sys.argv[1:])
while call(-100, one, -100, other, 2) == 0:  # AT_FDCWD, RENAME_EXCHANGE
    pass
"""
IN_OPEN = 0x20


@contextlib.contextmanager
def opens_of(path):
    """count() of who has opened the file, wherever it was by then."""
    libc = ctypes.CDLL(None, use_errno=True)
    fd = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
    assert libc.inotify_add_watch(fd, bytes(path), IN_OPEN) > 0

    def count():
        """Those that were not told yet; equal ones in a row are one."""
        with contextlib.suppress(BlockingIOError):
            return len(os.read(fd, 65536)) // 16
        return 0
    try:
        yield count
    finally:
        os.close(fd)


def test_what_takes_a_program_s_place_is_not_opened(tree):
    """By root, when a user's directory has a FIFO or device there: it opens
    what it has found to be a file."""
    make(tree / "bin/one", b"#!/bin/sh\n")
    os.mkfifo(tree / "bin/fifo")
    with launches("/bin/true", [f"exec={tree}/bin/one"]) as launch, \
            opens_of(tree / "bin/fifo") as count:
        os.close(os.open(tree / "bin/fifo", os.O_RDONLY | os.O_NONBLOCK))
        assert count() == 1
        swapper = subprocess.Popen(
            ["/usr/bin/python3", "-c", SWAP, tree / "bin/one",
             tree / "bin/fifo"])
        try:
            for _ in range(300):
                assert launch() == ([("reply", 0)], b"+\r\n")
            assert swapper.poll() is None
        finally:
            swapper.kill()
            swapper.wait()
        assert count() == 0


WITHOUT_PROC = ["unshare", "-m", "sh", "-ec", 'umount -l /proc; exec "$@"',
                "sh"]


def test_without_proc_no_program_is_looked_at(tree):
    """The loader would have said so."""
    with launches("/bin/true", [f"exec={tree}/bin/true"],
                  under=WITHOUT_PROC) as launch:
        assert launch() == ([("landlock", E.ENOENT)], b"")
    with launches("/bin/true", [f"exec={tree}/bin/true"],
                  in_launcher=[f"openat@1={E.ENOENT}"]) as launch:
        assert launch() == ([("landlock", E.ENOTDIR)], b"")
    with launches("/bin/true", [], under=WITHOUT_PROC) as launch:
        assert launch() == ([("reply", 0)], b"+\r\n")


def test_paths_are_those_inside_the_root(tree):
    """And everyone's, too; what they are outside does not matter."""
    root = tree / "root"
    for path in FILES, *launchers.libraries_of(FILES):
        (root / path[1:]).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, root / path[1:])
    for name in "etc", "secret", "srv":
        (root / name).mkdir(exist_ok=True)
        make(root / name / "file", b"text\n", 0o644)
    make(root / "etc/passwd", b"text\n", 0o644)
    os.symlink("/secret", root / "srv/link")
    for path in [root, *root.rglob("*")]:
        if path.is_dir():
            path.chmod(0o755)
    (tree / "srv").mkdir()
    acts = {"read:/srv/file": OK, "list:/srv": OK, "list:/srv/link": SHUT,
            "read:/secret/file": SHUT, "list:/": SHUT, "read:/etc/file": SHUT,
            "read:/etc/passwd": OK, "list:/..": SHUT, "create:/srv/new": SHUT}
    with files(acts, ["read=/srv"], chroot=root) as launcher:
        for _ in range(3):
            with launcher.launch() as session:
                assert told(session) == acts
        assert rulesets_of(launcher) == {4}
    with files(["list:/"], [f"read={tree}/srv"], chroot=root) as launcher:
        with launcher.launch() as session:
            assert session.statuses == [("landlock", E.ENOENT)]


# --- what is replaced -----------------------------------------------------------

@pytest.fixture
def reader(tree):
    """launch() of a script that copies tree/data/file to the client."""
    script = make(tree / "reader", b"#!/bin/cat\n# one\n")
    (tree / "data").mkdir()
    make(tree / "data/file", b"first\n")
    with launches(script, [f"read={tree}/data"],
                  [f"arg={tree}/data/file"]) as launch:
        def read():
            statuses, answer = launch()
            assert statuses == [("reply", 0)], statuses
            return answer.partition(b"\r\n")[2]
        for _ in range(3):
            assert read() == b"#!/bin/cat\n# one\nfirst\n"
        yield read


def test_a_replaced_program_runs_from_the_next_connection(tree, reader):
    for i in range(3):
        text = b"#!/bin/cat\n# %d\n" % i
        os.rename(make(tree / "next", text), tree / "reader")
        for _ in range(3):
            assert reader() == text + b"first\n"


def test_a_program_written_over_runs_with_its_other_interpreter(tree, reader):
    """The same inode, which now needs another file to be executed."""
    inode = os.stat(tree / "reader").st_ino
    (tree / "reader").write_bytes(b"#!/bin/echo echoed\n")
    assert os.stat(tree / "reader").st_ino == inode
    for _ in range(3):
        assert reader() == b"echoed %s %s\n" % (
            bytes(tree / "reader"), bytes(tree / "data/file"))


def test_a_replaced_interpreter_is_the_one_that_runs(tree):
    os.symlink("/bin/echo", tree / "interpreter")
    script = make(tree / "script", b"#!%s one\n" % bytes(tree / "interpreter"))
    with launches(script, [f"read={tree}/ro"]) as launch:
        for _ in range(3):
            assert launch()[1] == b"+\r\none %s\n" % bytes(script)
        os.symlink("/usr/bin/basename", tree / "other-one")
        os.rename(tree / "other-one", tree / "interpreter")
        for _ in range(3):
            assert launch()[1] == b"+\r\none\n"


def test_a_directory_made_anew_is_seen(tree, reader):
    for i in range(3):
        shutil.rmtree(tree / "data")
        (tree / "data").mkdir()
        make(tree / "data/file", b"again\n")
        for _ in range(3):
            assert reader().endswith(b"again\n")
    (tree / "elsewhere").mkdir()
    make(tree / "elsewhere/file", b"elsewhere\n")
    os.rename(tree / "data", tree / "gone")
    os.symlink(tree / "elsewhere", tree / "data")
    for _ in range(3):
        assert reader().endswith(b"elsewhere\n")


def test_what_has_to_be_there_is_waited_for(tree):
    """Nobody hears `+` of a service that would lack what it was given."""
    path = tree / "spool"
    with files([f"list:{path}"], [f"read={path}"]) as launcher:
        for _ in range(2):
            with launcher.launch() as session:
                assert session.statuses == [("landlock", E.ENOENT)]
                assert session.read() == b""
        path.mkdir()
        for _ in range(3):
            with launcher.launch() as session:
                assert told(session) == {f"list:{path}": OK}
        path.rmdir()
        with launcher.launch() as session:
            assert session.statuses == [("landlock", E.ENOENT)]


def test_what_need_not_be_there_may_come_and_go(tree):
    path = tree / "spool"
    with files([f"list:{path}"], [f"read?={path}"]) as launcher:
        for _ in range(2):
            for _ in range(3):
                with launcher.launch() as session:
                    assert told(session) == {f"list:{path}": E.ENOENT}
            path.mkdir()
            for _ in range(3):
                with launcher.launch() as session:
                    assert told(session) == {f"list:{path}": OK}
            path.rmdir()


# --- rulesets that are ready --------------------------------------------------

def rulesets_of(launcher):
    return {fd for fd, what in launcher.fds().items()
            if what == "anon_inode:[landlock-ruleset]"}


def settle(launcher, count):
    """Launches until that many rulesets are there; all but the first are
    ready ones. What was changed just now is waited for."""
    def is_settled():
        with launcher.launch() as session:
            return session.is_running and rulesets_of(launcher) == {
                4, *range(6, 5 + count)}

    eventually(is_settled, what=f"{count} rulesets")


def is_let_in(launcher):
    """Whether the launcher, which does not lie, has made it anew."""
    with launcher.launch() as session:
        return session.is_running


def test_a_launch_takes_the_ruleset_that_is_ready(tree):
    """Until a path leads elsewhere; then that one child makes its own."""
    with files([f"read:{tree}/ro/file"], [f"read={tree}/ro"],
               in_child=[LYING]) as launcher:
        assert rulesets_of(launcher) == {4}
        with launcher.launch() as session:
            assert session.statuses == SHUTS_ITSELF_OUT
        settle(launcher, 2)
        assert rulesets_of(launcher) == {4, 6}
        for _ in range(2):
            for _ in range(3):
                with launcher.launch() as session:
                    assert told(session) == {f"read:{tree}/ro/file": OK}
            os.rename(tree / "ro", tree / "gone")
            shutil.copytree(tree / "gone", tree / "ro")
            shutil.rmtree(tree / "gone")
            with launcher.launch() as session:
                assert session.statuses == SHUTS_ITSELF_OUT
            eventually(lambda: is_let_in(launcher))
            settle(launcher, 2)


# /etc of the launcher's own: a link to elsewhere, and a file mounted on one.
OWN_ETC = """
mount -t tmpfs none /etc && cp -a "$0/etc/." /etc &&
ln -s "$0/ro/file" /etc/resolv.conf && mount --bind "$0/rw/file" /etc/services &&
exec "$@"
"""


@pytest.mark.parametrize("change", [
    "mv etc/spare etc/hosts", "rm etc/passwd", "echo x >etc/gai.conf",
    "ln -sf hosts etc/resolv.conf", "mv $TREE/ro/spare $TREE/ro/file",
    "umount $ETC/services"])
def test_what_everyone_has_may_be_replaced_too(tree, change):
    """Whose directories are looked at instead of each file of it."""
    (tree / "etc").mkdir()
    for name in "hosts", "passwd", "services", "spare":
        (tree / "etc" / name).write_text("text\n")
    acts = [f"read:/etc/{name}" for name in (
        "hosts", "passwd", "services", "resolv.conf", "gai.conf")]
    with files(acts, [f"read={tree}/bin"], in_child=[LYING],
               under=["unshare", "-m", "sh", "-ec", OWN_ETC, str(tree)]
               ) as launcher:
        settle(launcher, 2)
        with launcher.launch() as session:
            before = told(session)
        assert [*before.values()] == [OK, OK, OK, OK, E.ENOENT]
        subprocess.run(
            ["nsenter", "-m", "-t", str(launcher.pid), "sh", "-ec",
             f"cd /; ETC=/etc TREE={tree}; {change}"], check=True)
        with launcher.launch() as session:
            assert session.statuses == SHUTS_ITSELF_OUT
        eventually(lambda: is_let_in(launcher))
        with launcher.launch() as session:
            after = told(session)
        assert [*after.values()] == [
            OK, E.ENOENT if "passwd" in change else OK, OK, OK,
            OK if "gai" in change else E.ENOENT]


def test_the_launcher_keeps_nothing_of_what_it_looked_at(tree):
    """Neither the programs of a ruleset that is ready, nor their interpreters."""
    script = make(tree / "one", b"#!/bin/sh\n")
    with launches(script, [f"exec={tree}/bin/true"]) as launch:
        launcher = launch.launcher

        def is_ready():
            """And no launch since, which would close what was left open."""
            assert launch() == ([("reply", 0)], b"+\r\n")
            time.sleep(0.05)
            return rulesets_of(launcher) == {4, 6}

        eventually(is_ready)
        eventually(lambda: set(launcher.fds()) == {*range(7)}, 2,
                   "one ruleset, and nothing else")


def test_a_ruleset_too_large_to_be_kept_is_each_child_s_own(tree):
    for i in range(100):
        (tree / f"d{i}").mkdir()
    with files([f"list:{tree}/d{i}" for i in range(100)],
               [f"read={tree}/d{i}" for i in range(100)]) as launcher:
        for _ in range(5):
            with launcher.launch() as session:
                assert set(told(session).values()) == {OK}
        assert rulesets_of(launcher) == {4}


def test_one_that_cannot_be_made_again_is_not_taken_for_the_former(tree):
    """A child asks for a new one, and then the path is gone."""
    with files([f"list:{tree}/ro"], [f"read={tree}/ro"]) as launcher:
        settle(launcher, 2)
        for _ in range(20):
            os.rename(tree / "ro", tree / "gone")
            shutil.copytree(tree / "gone", tree / "ro")
            with launcher.launch() as session:
                assert told(session) == {f"list:{tree}/ro": OK}
            shutil.rmtree(tree / "ro")
            with launcher.launch() as session:
                assert session.statuses == [("landlock", E.ENOENT)]
            os.rename(tree / "gone", tree / "ro")
            with launcher.launch() as session:
                assert told(session) == {f"list:{tree}/ro": OK}
        settle(launcher, 2)


# --- steps ----------------------------------------------------------------------

@pytest.mark.parametrize("call", [
    "landlock_create_ruleset", "landlock_add_rule", "landlock_restrict_self",
    "statx", "openat"])
def test_a_step_that_fails_is_named(tree, call):
    with files([], [f"read={tree}/ro"],
               in_child=[f"{call}={E.EPROTO}"]) as launcher:
        before = set(launcher.fds())
        for _ in range(3):
            with launcher.launch() as session:
                assert session.statuses == [("landlock", E.EPROTO)]
                assert session.read() == b""
                assert session.ended() == 1
        assert set(launcher.fds()) - before <= {6}


def test_a_domain_that_is_not_there_is_found_out(tree):
    with files([], [f"read={tree}/ro"],
               in_child=["landlock_restrict_self=0"]) as launcher:
        with launcher.launch() as session:
            assert session.statuses == [("landlock", E.EPERM)]
            assert session.read() == b""


def test_a_look_at_a_domain_that_fails_tells_nothing_of_it(tree):
    """At /, which has to be shut: the last that is opened before a program."""
    def failed(nth):
        with files([], [f"read={tree}/ro"],
                   in_child=[f"openat@{nth}={E.EPROTO}"]) as launcher:
            with launcher.launch() as session:
                return session.statuses[0]

    nth = next(nth for nth in range(100) if failed(nth)[0] == "program")
    assert failed(nth - 1) == ("landlock", E.EPROTO)


def test_no_landlock_no_launch(tree):
    """The loader would have said so; a launcher never goes on without."""
    with files([], [f"read={tree}/ro"], in_launcher=[
            f"landlock_create_ruleset={E.EOPNOTSUPP}"]) as launcher:
        assert launcher.failed is None
        with launcher.launch() as session:
            assert session.statuses == [("landlock", E.EOPNOTSUPP)]


def test_rootless(tree):
    with files([*expected_in(tree / "ro", READING)], [f"read={tree}/ro"],
               kind="self", user=1234,
               flags=f"{launchers.SELF:x}") as launcher:
        for _ in range(3):
            with launcher.launch() as session:
                assert told(session) == expected_in(tree / "ro", READING)
    with open("/bin/true", "rb") as file:
        path = make(tree / "unread", file.read(), 0o711)
    with launches(path, [f"read={tree}/ro"], kind="self", user=1234,
                  flags=f"{launchers.SELF:x}") as launch:
        assert launch() == ([("landlock", SHUT)], b"")


def test_sessions_are_kept_apart_as_without(tree):
    """A Unix socket of another session's, in the abstract, and its signals."""
    with files(["wait"], [f"read={tree}/ro"]) as launcher:
        with launcher.launch() as one, Launcher(
                program="/bin/sh", uid=65534, stderr="socket", words=[
                    "arg=sh", "arg=-c", f"arg=kill -0 {one.pid}",
                    f"read={tree}/ro"]) as other:
            assert one.is_running
            with other.launch() as session:
                answer = session.read()
            assert (b"ermitted" in answer) == (abi >= 6), answer
            one.client.shutdown(socket.SHUT_WR)
            one.read()
