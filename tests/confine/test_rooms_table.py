"""Directives, kinds of services, and what comes of them: one table.

Each row is launched by a running tcpmuxd, as `exec` and as `builtin` (whose
program is replaced by the one that looks around), and is seen from inside,
where the service tries what it must not be able to do, and from outside, by
/proc. For the other kinds the row is a mistake in the policy, or nothing.
"""

import contextlib
import ctypes
import dataclasses
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile

import pytest

import apart
import groups
from launchers import landlock_abi, libraries_of, own
from mux import (IS_ROOT, OK, comm, eventually, policy, program,
                 run_tcpmuxd, service)
from passing import Server
from rooms import unsanitized

pytestmark = [unsanitized, pytest.mark.skipif(
    not IS_ROOT, reason="services of other users need root")]

EXEC, BUILTIN = "exec", "builtin"
UID = 64400  # and as many above as there are sessions: each has its own
OTHER, READERS = UID - 1, UID - 2
QUEUE = 0x7C9
NONE, NET_RAW = "0" * 16, f"{1 << 13:016x}"
ALL = f"{int(own('CapBnd'), 16):016x}"
INSIDER = program("tests/tools/insider")
RAW, INET, UNIX = "socket=2,3,1", "socket=2,1", "socket=1,1"
INET6, PACKET = "socket=10,1", "socket=17,3"
MEGA = 1 << 20
HAS_GROUPS = groups.own() is not None
TMP = {"/tmp", "/var/tmp", "/dev/shm"}

# --- the table ---------------------------------------------------------------


@dataclasses.dataclass
class Row:
    """What is written, and what is then so. {words} are of the World.

    directives: split at `;`. inside: {act of the insider: what it says}, a
    set where the order is nobody's. outside: {what: value}, see Outside.
    fatal: the act that the session dies of, at last; stays: processes that
    outlive it; logged: what it writes to the log; needs: a reason to skip it.
    """
    directives: str
    inside: dict
    outside: dict
    kinds: tuple = (EXEC, BUILTIN)
    fatal: str = ""
    stays: int = 0
    logged: tuple = ()
    needs: str = ""

    @property
    def words(self):
        return [line.split()[0] for line in self.lines]

    @property
    def lines(self):
        return [line.strip() for line in self.directives.split(";")
                if line.strip()]


NO_GROUPS = "" if HAS_GROUPS else "there is no cgroup v2"
NO_LIMITS = (IS_ROOT and groups.why_no_limits("memory", "pids")) or ""
NO_LANDLOCK = "" if landlock_abi() >= 4 else "a kernel without these rules"

TABLE = [
    Row("", {
        "setuid=0": "EPERM", RAW: "EPERM", INET: "done", "chroot=/": "EPERM",
        "nice=-1": "EACCES", "raise=4": "4 EPERM", "unshare": "EPERM",
        "host=x": "EPERM as it was", "securebits": "0x3", "env=LEAK": "-",
        "open={place}/of-root": "EACCES", "open={place}/of-readers": "EACCES",
        "open={place}/closed/file": "done", "execute={place}/tools/suid":
        "ids {uid} {uid}", "queue={queue}": "done", "keepalive": "600",
        "mode={place}/open/{uid}": "600", "stderr=oops": "-",
        "who": "pid {pid} ppid {mux} pgid {pid} sid {pid}",
    }, {
        "Uid": "{uid} {uid} {uid} {uid}", "Gid": "{uid} {uid} {uid} {uid}",
        "Groups": "", "CapInh": NONE, "CapPrm": NONE, "CapEff": NONE,
        "CapBnd": NONE, "CapAmb": NONE, "NoNewPrivs": "1", "Seccomp": "2",
        "filters": 2, "Umask": "0077", "SigBlk": NONE, "SigIgn": NONE,
        "root": "/", "cwd": "/", "fds": {"0", "1", "2"}, "namespaces": set(),
        "mounts": set(), "nice": 0, "limit core file size": ("0", "0"),
        "fd/2": "pipe:", "fd/0": "socket:", "has cgroup": HAS_GROUPS,
    }, logged=("oops",)),

    # as whom
    Row("user {other}", {"ids": "{other} {uid}", "setuid={uid}": "EPERM",
                         "open={place}/of-other": "done"},
        {"Uid": "{other} {other} {other} {other}", "Groups": ""}),
    Row("user root unsafe; umask 077",
        {"setuid={uid}": "EPERM", RAW: "EPERM", "chroot=/": "EPERM",
         "open={place}/of-root": "done", "securebits": "0x3"},
        {"Uid": "0 0 0 0", "Groups": "", "CapEff": NONE, "CapBnd": NONE}),
    Row("group {other}", {"ids": "{uid} {other}"},
        {"Gid": "{other} {other} {other} {other}", "Groups": ""}),
    Row("groups {readers}", {"open={place}/of-readers": "done",
                             "open={place}/of-root": "EACCES"},
        {"Groups": "{readers}", "Gid": "{uid} {uid} {uid} {uid}"}),
    Row("capabilities net_raw", {RAW: "done", "setuid=0": "EPERM",
                                 "securebits": "0"},
        {"CapInh": NET_RAW, "CapPrm": NET_RAW, "CapEff": NET_RAW,
         "CapBnd": NET_RAW, "CapAmb": NET_RAW, "NoNewPrivs": "1"},
        kinds=(EXEC,)),
    Row("user root unsafe; umask 077; capabilities all",
        {RAW: "done", "chroot=/": "done", "nice=-1": "done"},
        {"CapEff": ALL, "CapPrm": ALL, "CapBnd": ALL, "CapAmb": NONE,
         "NoNewPrivs": "1"}, kinds=(EXEC,)),
    Row("new-privileges",
        {"execute={place}/tools/suid": "ids 0 {uid}", "setuid=0": "EPERM",
         "unshare": "EPERM"},
        {"NoNewPrivs": "0", "CapEff": NONE, "CapBnd": ALL, "filters": 2},
        kinds=(EXEC,)),

    # what it may call
    Row("syscalls default", {"unshare": "EPERM", PACKET: "EPERM",
                             "forks": "16 -"}, {"filters": 2}, kinds=(EXEC,)),
    Row("syscalls stdio", {"unshare": "EPERM", INET: "EPERM",
                           "forks": "0 EPERM", "file={place}/open/{uid}":
                           "0 EPERM"}, {"filters": 1}, kinds=(EXEC,)),
    Row("syscalls any", {"unshare": "done", "forks": "16 -"}, {"filters": 0},
        kinds=(EXEC,)),

    # what it may reach
    Row("network none", {INET: "EAFNOSUPPORT", INET6: "EAFNOSUPPORT",
                         UNIX: "done", "unshare": "EPERM"},
        {"namespaces": {"net"}, "devices": {"lo"}, "filters": 3},
        needs=NO_LANDLOCK),
    Row("network none; syscalls any",
        {INET: "EAFNOSUPPORT", UNIX: "done", "unshare": "done"},
        {"namespaces": {"net"}, "devices": {"lo"}, "filters": 1},
        kinds=(EXEC,), needs=NO_LANDLOCK),
    Row("network none; filesystem read {place}/open",
        {INET: "EAFNOSUPPORT", "open={place}/open/file": "done",
         "open={place}/closed/file": "EACCES"}, {"namespaces": {"net"}},
        needs=NO_LANDLOCK),
    Row("network none; new-privileges",
        {INET: "EAFNOSUPPORT", UNIX: "done",
         "execute={place}/tools/suid": "ids 0 {uid}"},
        {"namespaces": {"net"}, "NoNewPrivs": "0", "filters": 3},
        kinds=(EXEC,), needs=NO_LANDLOCK),
    Row("filesystem read {place}/open",
        {"open={place}/open/file": "done", "file={place}/open/{uid}": "0 EACCES",
         "open={place}/closed/file": "EACCES", "list=/": "EACCES",
         "execute={place}/tools/suid": "EACCES"},
        {"NoNewPrivs": "1", "fds": {"0", "1", "2"}}, needs=NO_LANDLOCK),
    Row("filesystem write {place}/open",
        {"open={place}/open/file": "done", "file={place}/open/{uid}":
         f"{MEGA} -", "open={place}/closed/file": "EACCES",
         "mode={place}/closed/{uid}": "EACCES"}, {}, needs=NO_LANDLOCK),
    Row("filesystem exec {place}/tools/insider",
        {"execute={place}/tools/insider": "ids {uid} {uid}",
         "execute={place}/tools/suid": "EACCES",
         "open={place}/open/file": "EACCES"}, {}, needs=NO_LANDLOCK),

    # where it is
    Row("chroot {place}/jail",
        {"inode=/": "/ {jail}", "inode=/..": "/.. {jail}",
         "inode=..": ".. {jail}", "inode=.": ". {jail}",
         "open=/etc/passwd": "ENOENT", "chroot=/srv": "EPERM"},
        {"root": "{place}/jail", "cwd": "{place}/jail",
         "fds": {"0", "1", "2"}}),
    Row("chdir {place}/open", {"inode=.": ". {open}"},
        {"cwd": "{place}/open", "root": "/"}),
    Row("chroot {place}/jail; chdir /srv", {"inode=..": ".. {jail}"},
        {"root": "{place}/jail", "cwd": "{place}/jail/srv"}),
    Row("umask 027", {"mode={place}/open/{uid}": "640"}, {"Umask": "0027"}),
    Row("umask 000", {"mode={place}/open/{uid}": "666"}, {"Umask": "0000"}),
    Row("nice 7", {"nice=6": "EACCES", "nice=7": "done"}, {"nice": 7}),
    Row("nice -5", {"nice=-6": "EACCES", "nice=-5": "done"}, {"nice": -5}),
    Row("env COLOUR=green", {"env=COLOUR": "green", "env=LEAK": "-"},
        {"env COLOUR": "green", "env LEAK": None, "env TCPMUX_SERVICE":
         "{name}", "env REMOTE_ADDR": "127.0.0.1"}, kinds=(EXEC,)),
    Row("argv0 another", {}, {"cmdline": "another ask"}, kinds=(EXEC,)),
    Row("stderr log", {"stderr=one": "-"}, {"fd/2": "pipe:"},
        logged=("one",)),
    Row("stderr null", {"stderr=two": "-"}, {"fd/2": "/dev/null"}),
    Row("stderr socket", {"stderr=three": "three, -"},
        {"fd/2": "socket:"}),
    Row("keepalive 90s", {"keepalive": "90"}, {}),
    Row("keepalive off", {"keepalive": "0"}, {}),

    # how much
    Row("limit address-space 64M", {f"map={64 * MEGA}": "ENOMEM",
                                    "raise=9": "9 EPERM"},
        {"limit address space": (f"{64 * MEGA}",) * 2}),
    Row("limit user-processes 3", {"forks": "2 EAGAIN", "raise=6": "6 EPERM"},
        {"limit processes": ("3", "3")}),
    Row("limit open-files 8", {"files": "8 EMFILE", "raise=7": "7 EPERM"},
        {"limit open files": ("8", "8")}),
    Row("limit cpu 1h", {"raise=0": "0 EPERM"},
        {"limit cpu time": ("3600", "3600")}),
    Row("limit file-size 8K", {"file={place}/open/{uid}": "8192 EFBIG",
                               "raise=1": "1 EPERM"},
        {"limit file size": ("8192", "8192")}),
    Row("limit core 4K", {"raise=4": "4 EPERM"},
        {"limit core file size": ("4096", "4096")}),
    Row("limit stack 1M", {"raise=3": "3 EPERM"},
        {"limit stack size": (f"{MEGA}",) * 2}),

    # how much, all of a session together
    Row("limit memory 64M", {f"touch={8 * MEGA}": "done"},
        {"group memory.max": f"{64 * MEGA}", "group memory.oom.group": "1",
         "has swap": False, "has cgroup": True},
        fatal=f"touch={128 * MEGA}", needs=NO_LIMITS),
    Row("limit processes 3", {"forks": "2 EAGAIN"},
        {"group pids.max": "3", "has cgroup": True}, needs=NO_LIMITS),
    Row("limit processes 3; isolate pid", {"forks": "2 EAGAIN"},
        {"group pids.max": "4", "parent": "tcpmuxd-init"}, needs=NO_LIMITS),

    # namespaces
    Row("isolate mount",
        {"list=/tmp": "-", "list=/dev/shm": "-", "file=/tmp/new": f"{MEGA} -",
         "unmount=/tmp": "EPERM"}, {"namespaces": {"mnt"}, "mounts": TMP}),
    Row("isolate pid",
        {"who": "pid 2 ppid 1 pgid 1 sid 1", "open=/proc/meminfo": "ENOENT",
         "list=/proc": {"1", "2", "self", "thread-self", "-"},
         "open=/proc/1/environ": "EACCES", "kill": "-", "orphan": "1 gone"},
        {"namespaces": {"mnt", "pid"}, "mounts": {*TMP, "/proc"},
         "parent": "tcpmuxd-init"}),
    Row("isolate ipc", {"queue={queue}": "ENOENT"}, {"namespaces": {"ipc"}}),
    Row("isolate uts", {"host=x": "EPERM as it was"}, {"namespaces": {"uts"}}),
    Row("isolate uts; capabilities sys_admin; syscalls any",
        {"host=x": "done renamed"}, {"namespaces": {"uts"}}, kinds=(EXEC,)),
    Row("isolate mount; capabilities sys_admin; syscalls any",
        {"unmount=/tmp": "done"},
        {"namespaces": {"mnt"}, "mounts": TMP - {"/tmp"}}, kinds=(EXEC,)),
    Row("isolate pid mount ipc uts; network none",
        {"who": "pid 2 ppid 1 pgid 1 sid 1", INET: "EAFNOSUPPORT",
         "queue={queue}": "ENOENT"},
        {"namespaces": {"pid", "mnt", "ipc", "uts", "net"}},
        needs=NO_LANDLOCK),

    # how it ends
    Row("leftovers kill", {"stay": ""}, {"has cgroup": True},
        needs=NO_GROUPS),
    Row("leftovers keep", {"stay": ""}, {"has cgroup": False}, stays=1),
]

# How each kind takes a directive that is not for it; else it does nothing.
MISTAKES = {
    "builtin": ("a builtin has no use for it",
                {"argv0", "env", "capabilities", "new-privileges",
                 "syscalls"}),
    "pass": ("'pass' starts no program",
             {word for row in TABLE for word in row.words} - {"keepalive"}),
    "trap": ("a trap runs nothing", {word for row in TABLE
                                     for word in row.words}),
}
WHAT = {"builtin": "builtin discard", "pass": "pass /run/tcpmuxd-test.sock",
        "trap": "trap"}


# --- the world ---------------------------------------------------------------

class World:
    """A place with files, and a mux with a service for each row and kind."""

    def __init__(self, place, mux_factory, home):
        """home: a cgroup for the mux, which is to be alone in one that has
        limits.
        """
        self.place, self.home = place, home
        self._make_files()
        self.names = {}
        services = [self._service(kind, number)
                    for number, row in enumerate(TABLE) for kind in row.kinds
                    if not row.needs]
        environment = os.environ.get("TCPMUXD_BUILD")
        os.environ["TCPMUXD_BUILD"] = str(place / "bin")
        try:
            self.mux = mux_factory(
                *services, preexec=self._leave,
                env={**os.environ, "LEAK": "a secret"})
        finally:
            os.environ["TCPMUXD_BUILD"] = environment or "build"
        self.before = self.outer_mounts()

    def _leave(self):
        if self.home is not None:
            groups.write(self.home, "0")
        apart.leave()

    def _make_files(self):
        for name in ("bin", "closed", "open", "tools", "jail/srv"):
            (self.place / name).mkdir(parents=True)
        for name in ("tcpmuxd", "tcpmuxd-parser", "tcpmuxd-launcher"):
            shutil.copy(program(name), self.place / "bin")
        builtin = self.place / "bin/tcpmuxd-builtin"
        for path in (builtin, self.place / "tools/insider",
                     self.place / "tools/suid"):
            shutil.copy(INSIDER, path)
        (self.place / "tools/suid").chmod(0o4755)
        for source, path in ((INSIDER, builtin),
                             (INSIDER, self.place / "tools/insider"),
                             *((path, path) for path in
                               libraries_of(INSIDER))):
            to = self.place / f"jail{path}"
            to.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, to)
        for name, owner, group, mode in (
                ("of-root", 0, 0, 0o600), ("of-other", OTHER, 0, 0o400),
                ("of-readers", 0, READERS, 0o640), ("open/file", 0, 0, 0o644),
                ("closed/file", 0, 0, 0o644)):
            (self.place / name).write_text("text\n")
            os.chown(self.place / name, owner, group)
            (self.place / name).chmod(mode)
        for name in "open", "closed":
            (self.place / name).chmod(0o777)

    def _service(self, kind, number):
        row, uid = TABLE[number], UID + len(self.names)
        name = f"{kind}-{number}"
        self.names[kind, number] = name, uid
        lines = [self.fill(line, uid=uid) for line in row.lines]
        if "group" not in row.words:
            lines.append(f"group {uid}")
        lines.append(f"exec {self.place}/tools/insider ask" if kind == EXEC
                     else "builtin discard")
        return service(name, *lines,
                       user=False if "user" in row.words else uid)

    def fill(self, text, **more):
        def inode(path):
            status = os.stat(path)
            return f"{status.st_dev}:{status.st_ino}"

        if not isinstance(text, str):
            return text
        return text.format(
            place=self.place, other=OTHER, readers=READERS, queue=QUEUE,
            jail=inode(self.place / "jail"), open=inode(self.place / "open"),
            **more)

    def outer_mounts(self):
        return mounts_of(self.mux.pid)

    def host_name(self):
        return subprocess.run(
            ["nsenter", "-t", str(self.mux.pid), "-u", "uname", "-n"],
            capture_output=True, text=True, check=True).stdout


@pytest.fixture(scope="module")
def world(shared_mux_factory):
    """Not in /tmp: some rows hide that."""
    libc = ctypes.CDLL(None, use_errno=True)
    queue = libc.msgget(QUEUE, 0o1666)
    assert queue != -1
    with contextlib.ExitStack() as stack:
        path = stack.enter_context(tempfile.TemporaryDirectory(
            prefix="tcpmuxd-test-", dir="/var/lib"))
        os.chmod(path, 0o755)
        home = None if NO_LIMITS else stack.enter_context(
            groups.made("rooms"))
        try:
            world = World(pathlib.Path(path), shared_mux_factory, home)
            yield world
            world.mux.stop()
        finally:
            libc.msgctl(queue, 0, None)


# --- inside and outside ------------------------------------------------------

def mounts_of(pid):
    with open(f"/proc/{pid}/mountinfo") as file:
        return sorted(line.split()[4] for line in file)


def processes_of(uid):
    found = []
    for name in os.listdir("/proc"):
        with contextlib.suppress(OSError):
            if (name.isdigit() and os.stat(f"/proc/{name}").st_uid == uid
                    and own("State", name)[0] not in "ZX"):
                found.append(int(name))
    return found


class Outside:
    """What /proc tells of a session's main process."""

    def __init__(self, world, pid):
        self.world, self.pid = world, pid
        if comm(pid) == "tcpmuxd-init":
            with open(f"/proc/{pid}/task/{pid}/children") as file:
                self.pid = int(file.read())

    def read(self, name):
        with open(f"/proc/{self.pid}/{name}") as file:
            return file.read()

    def see(self, what):
        if what[0].isupper():
            return " ".join(own(what, self.pid).split())
        if what in ("root", "cwd") or what.startswith("fd/"):
            target = os.readlink(f"/proc/{self.pid}/{what}")
            return target.partition("[")[0]
        if what.startswith("limit "):
            words = next(line for line in self.read("limits").splitlines()
                         if line.startswith(f"Max {what[6:]}  "))
            return tuple(words[26:].split()[:2])
        if what.startswith("group "):
            return " ".join(groups.read(self.group(), what[6:]))
        if what.startswith("env "):
            pairs = [word.split("=", 1) for word in
                     self.read("environ").rstrip("\0").split("\0")]
            return dict(pairs).get(what[4:])
        return getattr(self, what.replace(" ", "_"))()

    def fds(self):
        return {*os.listdir(f"/proc/{self.pid}/fd")}

    def cmdline(self):
        return self.read("cmdline").rstrip("\0").replace("\0", " ")

    def filters(self):
        return int(own("Seccomp_filters", self.pid)) - int(
            own("Seccomp_filters"))

    def nice(self):
        return os.getpriority(os.PRIO_PROCESS, self.pid)

    def namespaces(self):
        """Those that are not tcpmuxd's."""
        return {name for name in os.listdir(f"/proc/{self.pid}/ns")
                if not name.endswith("_for_children") and
                os.stat(f"/proc/{self.pid}/ns/{name}").st_ino !=
                os.stat(f"/proc/{self.world.mux.pid}/ns/{name}").st_ino}

    def mounts(self):
        """Those that tcpmuxd has not."""
        more = mounts_of(self.pid)
        for path in self.world.before:
            more.remove(path)
        return {*more}

    def devices(self):
        return {line.split(":")[0].strip()
                for line in self.read("net/dev").splitlines()[2:]}

    def parent(self):
        return comm(int(own("PPid", self.pid)))

    def group(self):
        """Its cgroup."""
        path = next(line[3:] for line in self.read("cgroup").splitlines()
                    if line.startswith("0::"))
        return groups.mount() + path

    def has_cgroup(self):
        """A session's, and its own: one of those with limits, or without."""
        above = os.path.basename(os.path.dirname(self.group()))
        return above in {line.get("name") for event in ("cgroup", "cgroup-limits")
                         for line in self.world.mux.logs(event)}

    def has_swap(self):
        """Where the kernel has none, there is no such file."""
        with contextlib.suppress(FileNotFoundError):
            return groups.read(self.group(), "memory.swap.max") != ["0"]
        return False


class Asked:
    """One session of the insider's."""

    def __init__(self, world, name):
        self.mux = world.mux
        self.sock = self.mux.connect()
        self.sock.sendall(name.encode() + b"\r\n")
        self.lines = self.sock.makefile("rb")
        assert self.lines.readline() == OK, self.mux.log.tail()
        self.pid = int(self.mux.wait_log(
            "launch", service=name, port=self.sock.getsockname()[1])["pid"])

    def ask(self, act):
        """What it says, or the set of it; after `.` it is done."""
        self.sock.sendall(act.encode() + b"\n")
        said = []
        while True:
            line = self.lines.readline().decode()
            assert line.endswith("\n"), (act, said, self.mux.log.tail())
            if line == ".\n":
                return said
            said.append(line.rstrip("\n").removeprefix(
                act.partition("=")[0] + " "))

    def dies_of(self, act):
        """Whether it has no word to say any more, and no end to its line."""
        self.sock.sendall(act.encode() + b"\n")
        with contextlib.suppress(ConnectionResetError):
            return self.lines.readline() == b""
        return True

    def end(self):
        self.lines.close()
        self.sock.close()


def cases():
    for number, row in enumerate(TABLE):
        for kind in row.kinds:
            yield pytest.param(kind, number, id=f"{kind}-{row.directives}",
                               marks=[pytest.mark.skip(reason=row.needs)]
                               if row.needs else [])


def look(world, row, session, words):
    """[(what, is, should be)] of a running session, both views."""
    seen = [(act, session.ask(world.fill(act, **words)), said)
            for act, said in row.inside.items()]
    outside = Outside(world, session.pid)
    seen += [(what, outside.see(what), value)
             for what, value in row.outside.items()]
    if row.fatal:
        seen.append((row.fatal, session.dies_of(row.fatal), True))
    return [*seen, ("tcpmuxd's mounts", world.outer_mounts(), world.before)]


def what_stays(uid, count):
    """Processes that a session has left, once they are as many; killed."""
    with contextlib.suppress(AssertionError):
        eventually(lambda: len(processes_of(uid)) == count, 5)
    stays = processes_of(uid)
    for pid in stays:
        os.kill(pid, signal.SIGKILL)
    return stays


@pytest.mark.parametrize("kind, number", cases())
def test_a_directive_is_seen_from_inside_and_from_outside(world, kind, number):
    row, (name, uid) = TABLE[number], world.names[kind, number]
    session = Asked(world, name)
    words = {"uid": uid, "pid": session.pid, "mux": world.mux.pid,
             "name": name}
    try:
        seen = look(world, row, session, words)
    finally:
        session.end()
    world.mux.wait_log("exit", service=name)
    logged = world.mux.logs("stderr", service=name)
    seen += [("what stays", len(what_stays(uid, row.stays)), row.stays),
             ("the log", [line["text"] for line in logged], [*row.logged])]
    wrong = []
    for what, is_so, should in seen:
        should = world.fill(should, **words)
        if isinstance(is_so, list) and not isinstance(should, list):
            is_so = ({*is_so} if isinstance(should, set)
                     else ", ".join(is_so))
        if is_so != should:
            wrong.append(f"{what}: is {is_so}, should be {should}")
    if wrong:
        pytest.fail("\n".join(wrong), pytrace=False)


# --- those without a network: of one namespace, and of different users -------

OFFLINE = [(EXEC, "network none"), (BUILTIN, "network none"),
           (EXEC, "network none; syscalls any"),
           (EXEC, "network none; filesystem read {place}/open"),
           (EXEC, "isolate pid mount ipc uts; network none")]


@contextlib.contextmanager
def named(world, kind, directives):
    """A session that listens for datagrams at an abstract name."""
    number, = (number for number, row in enumerate(TABLE)
               if row.directives == directives)
    session = Asked(world, world.names[kind, number][0])
    try:
        assert session.ask(f"name=tcpmuxd-{session.pid}") == ["done"]
        yield session
    finally:
        session.end()


@pytest.mark.skipif(landlock_abi() < 6, reason="a kernel without scopes")
@pytest.mark.parametrize("one", OFFLINE, ids=str)
def test_no_abstract_socket_of_another_session_is_reached(world, one):
    """But with new-privileges, which are without a domain: so the others,
    who could hear them, are hidden by nothing else.
    """
    free = EXEC, "network none; new-privileges"
    with contextlib.ExitStack() as stack:
        mine = stack.enter_context(named(world, *one))
        mine_name = f"reach=tcpmuxd-{mine.pid}"
        assert mine.ask(mine_name) == ["done done"]
        for other in OFFLINE:
            its = stack.enter_context(named(world, *other))
            assert its.ask(mine_name) == ["EPERM EPERM"], other
            assert mine.ask(f"reach=tcpmuxd-{its.pid}") == ["EPERM EPERM"]
        its = stack.enter_context(named(world, *free))
        assert its.ask(mine_name) == ["done done"]
        assert mine.ask(f"reach=tcpmuxd-{its.pid}") == ["EPERM EPERM"]


# --- the kinds that start nothing, and what a builtin cannot have ------------

@pytest.fixture(scope="module")
def complaints():
    """{(kind, number): [the words that have no meaning, and why]}."""
    text, expected = policy(), {}
    places = {}
    for kind in MISTAKES:
        for number, row in enumerate(TABLE):
            lines = [line.format(place="/srv", other=1, readers=2)
                     for line in row.lines]
            block = service(f"{kind}-{number}", WHAT[kind], *lines, user=False
                            if kind != "builtin" or "user" in row.words
                            else "nobody")
            first = text.count("\n") + 1
            text += block
            for line in range(first, text.count("\n") + 1):
                places[line] = kind, number
            expected[kind, number] = []
    done = run_tcpmuxd(text, "-t", "-s")
    for line in done.stderr.splitlines():
        _, number, _, what = line.split(":", 3)
        expected[places[int(number)]].append(what.strip())
    return expected


@pytest.mark.parametrize("kind, number", [
    pytest.param(kind, number, id=f"{kind}-{row.directives}")
    for kind in MISTAKES for number, row in enumerate(TABLE)])
def test_a_directive_that_is_not_for_a_kind_is_a_mistake(complaints, kind,
                                                         number):
    reason, words = MISTAKES[kind]
    said = complaints[kind, number]
    assert sorted(said) == sorted(
        f"{reason}: '{word}' has no meaning here"
        for word in TABLE[number].words if word in words)


def test_what_is_inherited_confines_no_server_and_no_trap(mux_factory):
    """A launched service has all of it; a server gets the client, as it is,
    and nobody is started for it, nor for a trap.
    """
    defaults = ["umask 027", "nice 7", "limit open-files 8", "network none",
                "isolate mount", "filesystem read /usr", "stderr null",
                "chdir /usr", "keepalive 90s", "syscalls stdio",
                "leftovers keep"]
    with tempfile.TemporaryDirectory(prefix="tcpmuxd-test-",
                                     dir="/var/lib") as path:
        os.chmod(path, 0o755)
        path = pathlib.Path(path) / "socket"
        mux = mux_factory(
            service("launched", "exec /bin/cat"),
            service("passed", f"pass {path}", user=False),
            service("trapped", "trap", user=False),
            defaults=defaults, preexec=apart.leave)
        with Server(path) as server, mux.connect() as client:
            children = mux.children()
            client.sendall(b"passed\r\nhello")
            taken = server.take()
            assert client.recv(3) == OK
            assert taken.client.recv(5) == b"hello"
            assert taken.client.getsockopt(socket.SOL_SOCKET,
                                           socket.SO_KEEPALIVE) == 1
            assert taken.client.getsockopt(socket.IPPROTO_TCP,
                                           socket.TCP_KEEPIDLE) == 90
            mux.refused("trapped")
            assert mux.children() == children
            assert mux.logs("launch", service="trapped") == []
            taken.end()
        with mux.connect() as client:
            client.sendall(b"launched\r\n")
            assert client.recv(3) == OK
            pid = int(mux.wait_log("launch", service="launched")["pid"])
            assert os.getpriority(os.PRIO_PROCESS, pid) == 7
