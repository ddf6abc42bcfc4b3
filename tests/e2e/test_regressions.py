"""What other servers of RFC 1078 get wrong, each by its name.

The xinetd, BSD, GNU, NetBSD and Debian of a test's name is the server that
has, or had, the fault; the services here are what it would have to run.
Programs that cannot be executed are in test_unexecutable.py.
"""

import contextlib
import itertools
import os
import pathlib
import signal
import socket
import subprocess
import threading

import pytest

from clients import Ask, wave
from load import status
from mux import (IS_ROOT, LOCAL4, LOCAL6, OK, REFUSAL, converse, eventually,
                 run_tcpmuxd, policy, service, splits, traced)

CAT = "exec /bin/cat"
STATUS = "exec /bin/cat /proc/self/status"
MIB = b"\r\nbehind\0\xff" * 116509

only_root = pytest.mark.skipif(not IS_ROOT, reason="only root can become "
                               "another user")
only_in_netns = pytest.mark.skipif(not IS_ROOT, reason="network namespaces "
                                   "need root")


@pytest.fixture(scope="module")
def mux(shared_mux_factory):
    return shared_mux_factory(
        service("cat", CAT, "sessions 4", "per-source 2"),
        service("env", "exec /usr/bin/env", "env OWN=word"),
        service("status", STATUS),
        service("fds", "exec /bin/sh -c 'for fd; do readlink /proc/$$/fd/$fd "
                f"|| echo; done' sh {' '.join(map(str, range(32)))}"),
        service("gone", CAT, head="disabled"),
        service("far", CAT, allow="192.0.2.1"),
        service("tcpmuxd", CAT, head="disabled"),
        admission=("allow any", "pending-per-source 200", "per-source 300"),
        env={"PATH": "/nowhere", "SECRET": "of the daemon", "HOME": "/root",
             "LD_BIND_NOW": "1", "TCPREMOTEIP": "forged"},
        preexec=ignore_signals)


def ignore_signals():
    """What a careless supervisor might start a daemon with."""
    for number in signal.SIGPIPE, signal.SIGHUP, signal.SIGCHLD:
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK,
                           {signal.SIGPIPE, signal.SIGUSR2, signal.SIGALRM})


def fields(answer):
    """/proc/self/status as a dict."""
    return dict(line.split(":\t", 1) for line in answer.decode().splitlines())


# --- xinetd -----------------------------------------------------------------

def test_xinetd_name_in_two_segments(mux):
    for pieces in splits(b"cat\r\n"):
        assert mux.request("", b"x", pieces=pieces) == (OK, b"x")


def test_xinetd_known_name_with_data_behind_it(mux):
    for data in b"x", b"\r\n", b"cat\r\n", MIB:
        assert mux.raw(b"cat\r\n" + data) == OK + data


def test_xinetd_help_is_unknown(mux):
    names = [b"cat", b"env", b"fds", b"status"]
    assert mux.raw(b"HELP\r\n") == b"".join(n + b"\r\n" for n in names)


def test_no_stray_nul(mux):
    """xinetd sends the NUL of its string behind CRLF."""
    for pieces in splits(b"cat\r\n"):
        assert mux.raw(b"", pieces) == OK
    for request in b"cats\r\n", b"\0", b"gone\r\n", b"far\r\n":
        assert mux.raw(request, half_close=False) == REFUSAL
    assert mux.raw(b"help\r\n").count(b"\0") == 0


@contextlib.contextmanager
def holding(mux, name, count, source):
    with contextlib.ExitStack() as stack:
        for _ in range(count):
            sock = stack.enter_context(mux.connect(source=source))
            sock.sendall(name + b"\r\n")
            assert sock.recv(100) == OK
        yield


def test_xinetd_instances_of_a_muxed_service_ignored(mux):
    """xinetd enforces `instances` and `per_source` of direct services only."""
    with holding(mux, b"cat", 2, "127.0.0.2"):
        mux.refused("cat", source="127.0.0.2")
        with holding(mux, b"cat", 2, "127.0.0.3"):
            mux.refused("cat", source="127.0.0.4")
            assert mux.request("status", source="127.0.0.4")[0] == OK
    eventually(lambda: mux.request("cat", source="127.0.0.4")[0] == OK)


def test_xinetd_one_source_does_not_close_the_port(mux_factory):
    """xinetd's cps stops the listener; here the source is shed."""
    mux = mux_factory(service("cat", CAT), admission=(
        "allow any", "pending 64", "pending-per-source 8"))
    greedy = [mux.connect(source="127.0.0.66") for _ in range(100)]
    for i, sock in enumerate(greedy):
        with contextlib.suppress(OSError):
            sock.sendall(b"c")
        if i % 5 == 0:
            assert mux.request("cat", b"x") == (OK, b"x")
    mux.wait_log("shut-out", reason="pending-per-source", count=92)
    for sock in greedy:
        sock.close()
    for i in range(300):
        with mux.connect(source="127.0.0.66") as sock:
            with contextlib.suppress(ConnectionResetError):  # shed
                sock.sendall(b"no\r\n")
                sock.recv(100)
        if i % 10 == 0:
            assert mux.request("cat", b"x") == (OK, b"x")
    assert mux.request("cat", b"x", source="127.0.0.66") == (OK, b"x")


# CVE-2013-4342: xinetd ran a muxed service as root whatever its `user` said.

CONFIGURATIONS = {
    "plain": (),
    "reply-service": ("reply service",),
    "reply-text": ('reply mux "hello"',),
    "alias": ("alias other-KEY",),
    "unlisted": ("unlisted",),
    "stderr-log": ("stderr log",),
    "stderr-null": ("stderr null",),
    "stderr-socket": ("stderr socket",),
    "chdir": ("chdir /tmp",),
    "umask": ("umask 022",),
    "argv0": ("argv0 -login",),
    "env": ("env USER=root HOME=/root UID=0",),
    "keepalive": ("keepalive off",),
    "leftovers": ("leftovers keep",),
    "capabilities": ("capabilities net_bind_service",),
    "new-privileges": ("new-privileges",),
    "from-defaults": None,
}
USERS = ["daemon", "nobody", "2001"]
USER_IDS = {"daemon": 1, "nobody": 65534, "2001": 2001, "2003": 2003}


def ids(uid, gid, groups=()):
    return (f"{uid}\t{uid}\t{uid}\t{uid}", f"{gid}\t{gid}\t{gid}\t{gid}",
            " ".join(map(str, groups)))


@pytest.fixture(scope="module")
def identities(shared_mux_factory):
    if not IS_ROOT:
        pytest.skip("only root can become another user")
    services = [service(f"{key}.{user}", STATUS, "group 2002", user=user,
                        *(line.replace("KEY", user) for line in lines))
                for key, lines in CONFIGURATIONS.items() if lines is not None
                for user in USERS]
    services += [service("from-defaults.2003", STATUS, "group 2002",
                         user=False),
                 service("groups.2001", STATUS, "group 2002",
                         "groups 2004 2005 0", user="2001"),
                 service("default-group.daemon", STATUS, user="daemon")]
    return shared_mux_factory(
        *services, defaults=("user 2003", "sessions 100",
                             "per-source 100"),
        admission=("allow any", "pending-per-source 200", "per-source 200"),
        preexec=lambda: os.setgroups([0, 4, 27]))


def identity(mux, name, **how):
    """Who the service says it is, whatever was said before."""
    how.setdefault("pieces", [name.encode() + b"\r\n"])
    answer = mux.raw(b"", **how)
    status = fields(answer[answer.index(b"Name:\t"):])
    return status["Uid"], status["Gid"], status["Groups"].strip()


@only_root
@pytest.mark.parametrize("addr", [LOCAL4, LOCAL6])
@pytest.mark.parametrize("key", CONFIGURATIONS)
def test_cve_2013_4342_muxed_service_runs_as_its_own_user(identities, key,
                                                          addr):
    users = ["2003"] if CONFIGURATIONS[key] is None else USERS
    for user, name in [(user, f"{key}.{user}") for user in users]:
        right = ids(USER_IDS[user], 2002)
        assert identity(identities, name.upper(), addr=addr) == right
        for pieces in list(splits(name.encode() + b"\r\n"))[::7]:
            assert identity(identities, name, addr=addr,
                            pieces=pieces) == right
        if key == "alias":
            assert identity(identities, f"other-{user}", addr=addr) == right


@only_root
def test_cve_2013_4342_groups_are_the_policys(identities):
    """Those the daemon was started with (0, 4, 27) are nobody else's."""
    assert identity(identities, "groups.2001") == ids(2001, 2002,
                                                      (0, 2004, 2005))
    assert identity(identities, "default-group.daemon") == ids(1, 1)


@only_root
@pytest.mark.parametrize("lines, user", [
    ((), False), (("umask 022",), "root"), (("umask 022",), "0"),
    ((), "root unsafe"), ((), "self")],
    ids=["none", "root", "uid-0", "no-umask", "self"])
def test_cve_2013_4342_nobody_is_root_by_accident(lines, user):
    """Without a user, or with root's, a policy does not load at all."""
    text = policy(service("status", STATUS, *lines, user=user))
    assert run_tcpmuxd(text, "-t").returncode == 1
    ended = run_tcpmuxd(text)
    assert ended.returncode == 78, ended.stderr


# CVE-2012-0862: xinetd offered all its services by way of tcpmux, also those
# that were to be had on their own ports, or not at all.

def known_names():
    names = {"tcpmux", "tcpmuxd", "mux", "gone", "far", "1", "7", "22", "23",
             "root", "default", "defaults", "any", "service", "",
             "/bin/cat", "/bin/sh", "../cat", "./cat", "cat/", "cat\0",
             "*", "%s%n", "$(id)", "`id`", "cat;id", "cat|id",
             # xinetd's own, which need no entry anywhere
             "echo", "discard", "daytime", "time", "chargen", "servers",
             "services", "xadmin", "echo-stream", "echo-dgram"}
    with contextlib.suppress(FileNotFoundError):
        for line in pathlib.Path("/etc/services").read_text().splitlines():
            words = line.partition("#")[0].split()
            names.update(words[:1] + words[2:])
    with contextlib.suppress(FileNotFoundError):
        names.update(os.listdir("/etc/xinetd.d"))
    return sorted(names - {"cat", "env", "status", "fds"})


@pytest.mark.parametrize("addr", [LOCAL4, LOCAL6])
def test_cve_2012_0862_only_what_the_policy_names_is_reachable(mux, addr):
    names = known_names()
    assert len(names) > 40
    eventually(lambda: status(mux)["launching"] == 0)  # nor one of before
    mark = mux.mark()
    asks = [Ask([name.encode() + b"\r\n"], ends=False) for name in names]
    asks += [Ask([name.upper().encode() + b"\r\n"], ends=False)
             for name in names]
    for ask, answer in wave(mux, asks, addr=addr):
        assert answer == REFUSAL, ask
    mux.wait_log("refuse", since=mark, count=len(asks))
    assert not mux.logs("launch", since=mark)


@only_in_netns
def test_cve_2012_0862_nothing_else_listens(mux):
    """And no service has a port of its own."""
    with mux.netns.entered():
        rows = []
        for table in "tcp", "tcp6", "udp", "udp6", "raw", "raw6":
            with open(f"/proc/thread-self/net/{table}") as file:
                rows += [(table, *line.split()[1:4])
                         for line in file.readlines()[1:]]
    listening = [row[:2] for row in rows if row[3] == "0A" or
                 not row[0].startswith("tcp")]
    assert listening == [("tcp", "0100007F:0001"),
                         ("tcp6", "0" * 24 + "01000000:0001")]


# --- BSD and GNU inetd ------------------------------------------------------

def test_bsd_inetd_bytes_after_crlf_are_not_lost(mux):
    """They read the line into a buffer of their own, and leave it there."""
    # A session may be counted for a moment longer than its client sees it.
    sources = itertools.cycle(f"127.0.0.{number}" for number in range(2, 200))
    for data in b"x", b"x" * 4096, MIB:
        for pieces in splits(b"cat\r\n" + data[:3]):
            answer = mux.raw(data[3:], pieces, source=next(sources))
            assert answer == OK + data


@pytest.mark.parametrize("line", [b"cat\n", b"cat\rX", b"cat\r\r\n",
                                  b"cat\0", b"cat\0\r\n", b"cat", b"cat\r"],
                         ids=repr)
def test_inetd_half_a_line_runs_nothing(mux, line):
    """LF, CR and any byte, NUL, FIN: none of them ends a name."""
    source = "127.0.1.1"  # another's launch may only now be logged
    mark = mux.mark()
    for pieces in splits(line):
        assert mux.raw(b"", pieces, source=source) == REFUSAL
    mux.wait_log("refuse", since=mark, reason="malformed",
                 count=len(list(splits(line))))
    assert not mux.logs("launch", since=mark, addr=source)


def test_inetd_environment_is_from_nothing(mux):
    with mux.connect() as sock:
        sock.sendall(b"env\r\n")
        mine, port = sock.getsockname()[1], mux.port
        answer = converse(sock)
    assert answer.startswith(OK)
    got = dict(line.split("=", 1)
               for line in answer[len(OK):].decode().splitlines())
    assert not {"SECRET", "LD_BIND_NOW", "PWD", "SHLVL"} & set(got)
    assert got["OWN"] == "word"
    assert got["PATH"] == ("/usr/local/sbin:/usr/local/bin:/usr/sbin:"
                           "/usr/bin:/sbin:/bin")
    assert got["TCPREMOTEIP"] == got["REMOTE_ADDR"] == LOCAL4
    assert got["REMOTE_HOST"] == LOCAL4
    assert got["TCPREMOTEPORT"] == got["REMOTE_PORT"] == str(mine)
    assert (got["TCPLOCALIP"], got["TCPLOCALPORT"]) == (LOCAL4, str(port))
    assert (got["PROTO"], got["TCPMUX_SERVICE"]) == ("TCP", "env")
    assert set(got) == {
        "OWN", "PATH", "HOME", "USER", "LOGNAME", "PROTO", "TCPLOCALIP",
        "TCPLOCALPORT", "TCPREMOTEIP", "TCPREMOTEPORT", "REMOTE_ADDR",
        "REMOTE_HOST", "REMOTE_PORT", "TCPMUX_SERVICE"}


def test_inetd_signals_are_reset(mux):
    status = fields(mux.request("status")[1])
    assert int(status["SigIgn"], 16) == 0
    assert int(status["SigBlk"], 16) == 0


def test_inetd_capabilities_are_gone(mux):
    status = fields(mux.request("status")[1])
    kept = ("CapInh", "CapPrm", "CapEff", "CapAmb") + \
        (("CapBnd",) if IS_ROOT else ())
    for key in kept:
        assert int(status[key], 16) == 0, key
    assert status["NoNewPrivs"] == "1"


def test_inetd_descriptors_are_three(mux):
    reply, listing = mux.request("fds")
    places = listing.decode().splitlines()
    assert reply == OK and len(places) == 32
    assert places[0] == places[1] and places[0].startswith("socket:")
    assert places[2].startswith("pipe:")
    assert not any(places[3:])


# --- Debian's xinetd, NetBSD's inetd ----------------------------------------

def datagrams(netns):
    """UDP datagrams sent in it so far."""
    with netns.entered():
        with open("/proc/thread-self/net/snmp") as file:
            rows = [line.split() for line in file if line.startswith("Udp:")]
        with open("/proc/thread-self/net/snmp6") as file:
            six = [line.split()[1] for line in file
                   if line.startswith("Udp6OutDatagrams")]
    return int(rows[1][rows[0].index("OutDatagrams")]) + int(six[0])


@only_in_netns
def test_debian_xinetd_no_reverse_dns(mux_factory):
    """With a route to every name server there is, no datagram goes out."""
    mux = mux_factory(service("cat", CAT), service("gone", CAT,
                                                   head="disabled"))
    mux.netns.ip("route", "add", "default", "dev", "lo")
    before = datagrams(mux.netns)
    for source in "127.0.0.5", "127.9.9.9":
        assert mux.request("cat", b"x", source=source) == (OK, b"x")
        for request in b"help\r\n", b"gone\r\n", b"no\r\n", b"\0":
            mux.raw(request, source=source)
    assert datagrams(mux.netns) == before
    mux.netns.run("/usr/bin/python3", "-c", "import socket; socket.socket("
                  "2, 2).sendto(b'x', ('198.51.100.1', 53))")
    assert datagrams(mux.netns) == before + 1, "the count would not tell"


def test_debian_xinetd_no_name_service_is_even_there(mux):
    """Nothing that could look a name up is mapped into any of the rooms."""
    for pid in [mux.pid, *mux.parsers(), *mux.launchers()]:
        try:
            maps = pathlib.Path(f"/proc/{pid}/maps").read_text()
        except PermissionError:
            pytest.skip("only root sees the maps of an undumpable process")
        assert not [line for line in maps.splitlines()
                    if "libnss" in line or "libresolv" in line]


def test_debian_xinetd_parent_connects_nowhere(mux, tmp_path):
    """Seen from outside: the parent makes no socket and connects none."""
    with traced(mux.pid, tmp_path / "trace", "-e",
                "trace=socket,connect,sendto,accept4"):
        assert mux.request("cat", b"x") == (OK, b"x")
        mux.refused("no")
    calls = (tmp_path / "trace").read_text()
    assert "accept4(" in calls and "sendto(" in calls
    assert "socket(" not in calls and "connect(" not in calls


RST = b"\1\0\0\0\0\0\0\0"
RESETS = {"nothing": b"", "half": b"ca", "name": b"cat\r\n",
          "name-and-data": b"cat\r\n" + b"x" * 5000, "help": b"help\r\n",
          "unknown": b"no\r\n", "malformed": b"\0", "disabled": b"gone\r\n",
          "a lot": b"no\r\n" + b"x" * 100000}


def reset_all(mux, payload, count):
    for _ in range(count):
        with mux.connect(source="127.0.0.44") as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RST)
            with contextlib.suppress(OSError):
                sock.sendall(payload)


@pytest.mark.parametrize("key", RESETS)
def test_netbsd_rst_does_not_end_daemon(mux, key):
    """There, getpeername fails after a reset, and inetd exits."""
    rooms = mux.parsers() + mux.launchers()
    threads = [threading.Thread(target=reset_all,
                                args=(mux, RESETS[key], 25))
               for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert mux.request("cat", b"x") == (OK, b"x")
    assert mux.process.poll() is None
    assert mux.parsers() + mux.launchers() == rooms
    assert not mux.logs(level="error")


# --- our own ----------------------------------------------------------------

def test_no_session_is_reaped_as_a_stranger(mux_factory, tmp_path):
    """A service that begins and ends while the parent is between reading
    who began and asking who ended was reaped, and its session stayed for
    ever. Made slow there, the parent had that of every other one."""
    mux = mux_factory(service("cat", CAT, "stderr null"),
                      admission=("allow any", "pending-per-source 100"),
                      defaults=("sessions 100", "per-source 100"))
    with traced(mux.pid, tmp_path / "trace", "-e", "trace=waitid", "-e",
                "inject=waitid:delay_enter=10000"):
        for _ in range(4):
            socks = [mux.connect() for _ in range(10)]
            for sock in socks:
                sock.sendall(b"cat\r\nx")
            for sock in socks:
                sock.shutdown(socket.SHUT_WR)
            for sock in socks:
                assert converse(sock, half_close=False) == OK + b"x"
        mux.wait_log("exit", count=40)


def test_daemon_started_with_sigchld_ignored_counts_its_children(mux):
    """As `mux` is: the kernel would reap them, and the parent never hear."""
    mark = mux.mark()
    for _ in range(10):
        assert mux.request("cat", b"x") == (OK, b"x")
    mux.wait_log("exit", since=mark, service="cat", count=10)


def test_program_may_be_a_symbolic_link(mux_factory):
    """/bin/sh is one, and /bin another, on Debian."""
    assert os.path.realpath("/bin/sh") != "/bin/sh"
    mux = mux_factory(service("sh", "exec /bin/sh -c 'exec cat'"))
    assert mux.request("sh", b"x") == (OK, b"x")
