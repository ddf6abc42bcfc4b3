"""What SECURITY.md promises and no other file shows: nobody is let in before
the rooms are closed, what the parent has and has not, and what is linked.
"""

import contextlib
import ctypes
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile

import pytest

import groups
import mux as muxes
from faults import run_to_end
from mux import (IS_ROOT, LOCAL4, LOCAL6, OK, Log, children, comm, eventually,
                 free_port, policy, program, service, write_policy)
from netns import Netns
from rooms import unsanitized

CAT = service("cat", "exec /bin/cat")
only_root = pytest.mark.skipif(not IS_ROOT, reason="needs root to look into "
                               "processes that are not dumpable")
NOBODY = "nobody"

# --- nobody is let in before the rooms are closed ---------------------------

LISTEN = "0A"  # of the fourth word in /proc/net/tcp


def sockets(netns, kinds):
    """{inode: (kind, state)} of the sockets in a namespace."""
    found = {}
    with netns.entered() if netns else contextlib.nullcontext():
        for kind in kinds:
            with contextlib.suppress(FileNotFoundError), \
                    open(f"/proc/thread-self/net/{kind}") as file:
                for line in [*file][1:]:
                    words = line.split()
                    inode = words[6] if kind == "unix" else words[9]
                    state = words[5] if kind == "unix" else words[3]
                    found[int(inode)] = (kind, state)
    return found


def inodes(pid):
    """Of the sockets that a process has."""
    found = set()
    for fd in os.listdir(f"/proc/{pid}/fd"):
        with contextlib.suppress(FileNotFoundError):
            match = re.fullmatch(r"socket:\[(\d+)\]",
                                 os.readlink(f"/proc/{pid}/fd/{fd}"))
            if match:
                found.add(int(match[1]))
    return found


class Starting:
    """A tcpmuxd whose parser never says that its room is closed."""

    def __init__(self, stack):
        self.dir = tempfile.mkdtemp(prefix="tcpmuxd-test-")
        stack.callback(shutil.rmtree, self.dir)
        os.chmod(self.dir, 0o755)
        self.netns = stack.enter_context(Netns()) if IS_ROOT else None
        self.port = 1 if IS_ROOT else free_port()
        parser = shutil.copy(program("tests/evil-parser/talker"), self.dir)
        with open(f"{parser}.how", "w") as file:
            file.write("no-greeting\n")
        path = write_policy(self.dir, policy(
            CAT, port=self.port, parser=(f"program {parser}",)))
        with self.entered():
            self.process = subprocess.Popen(
                [program("tcpmuxd"), "-f", path], stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, cwd="/")
        self.log = Log(self.process.stderr)
        stack.callback(self._end)

    def entered(self):
        return self.netns.entered() if self.netns else \
            contextlib.nullcontext()

    def _end(self):
        self.process.kill()
        self.process.wait()
        self.log.finish()


@pytest.fixture(scope="module")
def starting():
    """Its ten seconds pass while the other tests run."""
    with contextlib.ExitStack() as stack:
        yield Starting(stack)


def is_called(pid, name):
    with contextlib.suppress(OSError):  # not even there any more
        return comm(pid).startswith(name)
    return False


def test_nobody_is_let_in_before_the_room_is_closed(starting):
    """The port is ours, and nobody can connect to it: not even to wait."""
    with starting.entered():
        eventually(lambda: any(is_called(pid, "talker")
                               for pid in children(starting.process.pid)),
                   what="the parser that never gets ready")
        for address in LOCAL4, LOCAL6:
            family = socket.AF_INET6 if ":" in address else socket.AF_INET
            with socket.socket(family, socket.SOCK_STREAM) as sock, \
                    pytest.raises(ConnectionRefusedError):
                sock.connect((address, starting.port))
            with socket.socket(family, socket.SOCK_STREAM) as sock, \
                    pytest.raises(OSError, match="in use"):
                sock.bind((address, starting.port))
    assert starting.process.poll() is None
    assert not starting.log.find("ready")


# --- what the parent has -----------------------------------------------------

# SECURITY.md's list, with the numbers of <linux/capability.h>.
PARENT = {"dac_read_search": 2, "kill": 5, "setgid": 6, "setuid": 7,
          "setpcap": 8, "net_bind_service": 10, "sys_chroot": 18,
          "sys_admin": 21, "sys_nice": 23, "sys_resource": 24}
AT_REST = 1 << 12  # net_admin: permitted, and raised only to set a filter
SETS = ("CapInh", "CapPrm", "CapEff", "CapAmb")
PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE = 47, 2
CAPABILITY_VERSION_3 = 0x20080522


def capability_sets(pid):
    with open(f"/proc/{pid}/status") as file:
        words = dict(line.split(":", 1) for line in file)
    return {name: int(words[name], 16) for name in (*SETS, "CapBnd")}


def inherit_all():
    """As an unlucky supervisor would: all of it inheritable and ambient."""
    libc = ctypes.CDLL(None, use_errno=True)
    has = capability_sets("self")["CapPrm"]
    halves = [has & 0xFFFFFFFF, has >> 32]
    header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION_3, 0)
    sets = (ctypes.c_uint32 * 6)(*[half for half in halves for _ in range(3)])
    number = {"x86_64": 126, "aarch64": 91}[os.uname().machine]
    if libc.syscall(number, header, sets) != 0:
        raise OSError(ctypes.get_errno(), "capset")
    for number in range(64):
        if has >> number & 1:
            libc.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, number, 0, 0)


@only_root
@pytest.mark.parametrize("preexec", [None, inherit_all])
def test_the_parent_has_its_few_capabilities(mux_factory, preexec):
    mux = mux_factory(CAT, preexec=preexec)
    had = capability_sets("self")
    few = sum(1 << bit for bit in PARENT.values()) & had["CapPrm"]
    rest = AT_REST & had["CapPrm"]
    wanted = {"CapInh": 0, "CapPrm": few | rest, "CapEff": few, "CapAmb": 0,
              "CapBnd": had["CapBnd"]}
    assert capability_sets(mux.pid) == wanted
    assert mux.request("cat", b"x") == (OK, b"x")
    assert capability_sets(mux.pid) == wanted


ACTS_OF_A_TRACER = ("pidfd_getfd", "readv", "writev", "mem", "environ",
                    "maps", "readlink", "ptrace")
ROBBER = "tests/tools/robber"


def said(lines):
    pairs = dict(line.split() for line in lines.decode().splitlines())
    assert pairs.pop("end") == "-"
    return pairs


def rob(pid, address, user):
    """What a plain process of that user may do to another."""
    done = subprocess.run([program(ROBBER), "try", str(pid), address, "none"],
                          check=True, stdin=subprocess.DEVNULL,
                          capture_output=True, **muxes._identity(user))
    return said(done.stdout)


def assert_nothing_taken(acts):
    taken = {act for act in ACTS_OF_A_TRACER
             if acts[act] not in ("EPERM", "EACCES")}
    assert taken == set(), f"of {acts}"


def test_own_user_may_not_look_into_tcpmuxd(mux_factory):
    """Without root all of it has the uid of its services and of who started
    it; Landlock keeps only services away."""
    user = NOBODY if IS_ROOT else None
    mux = mux_factory(service("robber", f"exec {program(ROBBER)}",
                              user="self"), CAT if not IS_ROOT else
                      service("cat", "exec /bin/cat", user="self"), user=user)
    running = mux.connect()
    running.sendall(b"cat\r\n")
    assert running.recv(16) == OK
    victim = int(mux.wait_log("launch", service="cat")["pid"])
    owned, parsers = [mux.pid, *mux.launchers()], mux.parsers()
    assert len(owned) == 2 and len(parsers) == 1
    owner = os.stat(f"/proc/{victim}").st_uid
    for pid in owned + parsers:
        with open(f"/proc/{pid}/status") as file:
            uids = next(line for line in file if line.startswith("Uid:"))
        assert uids.split()[1:] == [str(owner)] * 4
        words, answer = mux.request(
            "robber", b"%d 1000 none\n" % pid, half_close=False)
        assert words == OK
        assert_nothing_taken(said(answer))
    # A parser's user namespace is its user's: see SECURITY.md.
    for pid in owned:
        acts = rob(pid, "1000", user)
        assert acts["kill"] == "done", "another user's, and no wonder"
        assert_nothing_taken(acts)
    # The same acts on a service, to show that they could succeed. Nothing is
    # at that address, which is found out only by who may read there.
    acts = rob(victim, "1000", user)
    assert {act: acts[act] for act in ACTS_OF_A_TRACER} == {
        act: "EFAULT" if act in ("readv", "writev") else "done"
        for act in ACTS_OF_A_TRACER}


@only_root
def test_the_parent_has_no_socket_but_its_listeners(mux_factory):
    """And its channels; nothing that could ask a name server."""
    mux = mux_factory(CAT)
    rooms = mux.parsers() + mux.launchers()
    for _ in range(3):
        assert mux.request("cat", b"x") == (OK, b"x")
        mux.refused("no-such-name")
    mux.wait_log("exit", count=3)

    def kinds():
        known = sockets(mux.netns, ("tcp", "tcp6", "udp", "udp6", "raw",
                                    "raw6", "packet", "netlink", "unix"))
        return sorted(known.get(inode, ("unknown", ""))
                      for inode in inodes(mux.pid))

    # Two channels, to the parser and to the launcher; no datagrams.
    expected = sorted([("tcp", LISTEN), ("tcp6", LISTEN)] +
                      [("unix", "03")] * len(rooms))
    eventually(lambda: kinds() == expected,
               what=f"{expected}, not {kinds()},")


# --- what a session leaves --------------------------------------------------

LEAVER = """exec /bin/sh -c 'trap "" TERM HUP INT; \
sleep 60 <&- >&- 2>&- & echo $!; \
(sleep 60 <&- >&- 2>&- & echo $!); \
setsid sleep 60 <&- >&- 2>&- & echo $!; read line'"""


def is_alive(pid):
    with contextlib.suppress(OSError):
        return muxes._stat(pid)[1][0] not in "ZX"
    return False


def left(mux, name):
    """(pids in the session's process group, the one outside), which are there
    while it runs."""
    sock = mux.connect()
    sock.sendall(name + b"\r\n")
    got = b""
    while got.count(b"\n") < 4:
        more = sock.recv(4096)
        assert more, got
        got += more
    pids = [int(word) for word in got.removeprefix(OK).split()]
    group = int(mux.wait_log("launch", service=name.decode())["pid"])
    eventually(lambda: os.getsid(pids[2]) == pids[2], what="its session")
    assert [os.getpgid(pid) for pid in pids] == [group, group, pids[2]]
    assert all(is_alive(pid) for pid in pids)
    sock.sendall(b"end\n")
    mux.wait_log("exit", service=name.decode())
    sock.close()
    return pids[:2], pids[2]


def test_a_session_s_process_group_is_ended_with_it(mux_factory):
    """Whatever it ignores; `leftovers keep` keeps it. Who has left the group
    is found where sessions have cgroups (test_leftovers.py)."""
    mux = mux_factory(service("ends", LEAVER),
                      service("stays", LEAVER, "leftovers keep"))
    # Who is to stay first: it would be gone when the others are.
    kept, other = left(mux, b"stays")
    ended, outside = left(mux, b"ends")
    there = [] if groups.of(mux) else [outside]
    try:
        eventually(lambda: not any(is_alive(pid) for pid in ended),
                   what="the end of the group")
        assert all(is_alive(pid) for pid in [*there, other, *kept])
    finally:
        for pid in [outside, other, *kept]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


# --- what is linked ---------------------------------------------------------

NAME_SERVICE = re.compile(
    r"\b(get(addr|name)info|get(host|net|proto|serv)by\w+|res_\w+|"
    r"get(pw|gr|sp)(nam|uid|gid|ent)\w*|getgrouplist|initgroups|syslog|"
    r"dlopen|setnetgrent)\b")


@pytest.mark.parametrize("part, expected", [("parent", False),
                                            ("launcher", False),
                                            ("core", False),
                                            ("sys", False),
                                            ("loader", True)])
def test_only_the_loader_can_ask_for_names(part, expected):
    """Nobody else so much as mentions a function that looks names up."""
    folder = program(f"obj/{part}")
    objects = [entry.path for entry in os.scandir(folder)
               if entry.name.endswith(".o")]
    said = subprocess.run(["nm", "-u", *objects], check=True, text=True,
                          capture_output=True).stdout
    assert bool(NAME_SERVICE.findall(said)) == expected


# --- and in the end ---------------------------------------------------------

def test_a_parser_that_dies_at_the_start_ends_it(netns):
    with tempfile.TemporaryDirectory(prefix="tcpmuxd-test-") as directory:
        os.chmod(directory, 0o755)
        parser = shutil.copy(program("tests/evil-parser/mortal"), directory)
        with open(f"{parser}.how", "w") as file:
            file.write("start-three\n")
        text = policy(CAT, parser=(f"program {parser}",),
                      port=1 if IS_ROOT else free_port())
        status, lines = run_to_end(text, netns=netns() if IS_ROOT else None)
    assert status == 77
    events = [line.get("event") for line in lines]
    assert "worker-failed" in events and "ready" not in events


def test_a_parser_that_never_gets_ready_ends_it(starting):
    """Last in this file: it is given ten seconds."""
    assert starting.process.wait(20) == 77
    starting.log.wait("violation", reason="silence")
    assert not starting.log.find("ready")
