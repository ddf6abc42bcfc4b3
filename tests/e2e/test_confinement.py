"""`syscalls` and `network none`, from the policy to the service."""

import ctypes
import os
import socket
import subprocess

import pytest

from launchers import own, public_directory
from mux import IS_ROOT, OK, policy, run_tcpmuxd, service
from rooms import unsanitized

pytestmark = unsanitized
only_root = pytest.mark.skipif(not IS_ROOT, reason="of root; below without")

CAP_NET_RAW, CAP_SYS_ADMIN = 13, 21
PR_CAPBSET_DROP = 24
USER_NAMESPACES = subprocess.run(
    ["setpriv", "--reuid", "65534", "unshare", "-Un", "true"] if IS_ROOT
    else ["unshare", "-Un", "true"], capture_output=True).returncode == 0

TELL = """
import errno, os, socket, sys
try:
    socket.socket()
    said = "socket"
except OSError as error:
    said = errno.errorcode[error.errno]
print(said, os.readlink("/proc/self/ns/net"), flush=True)
sys.stdin.read()
"""


@pytest.fixture
def script():
    """What makes a service say (a socket's errno, its namespace)."""
    with public_directory() as directory:
        path = directory / "tell.py"
        path.write_text(TELL)
        path.chmod(0o644)
        yield f"exec /usr/bin/python3 {path}"


def tell(mux, name):
    with mux.connect() as sock:
        sock.sendall(name.encode() + b"\r\n")
        stream = sock.makefile("rb")
        assert stream.readline() == OK
        said = stream.readline().decode().split()
        sock.shutdown(socket.SHUT_WR)
        return said


def without_sys_admin():
    """As in a container: root, but for making namespaces."""
    done = ctypes.CDLL(None).prctl(PR_CAPBSET_DROP, CAP_SYS_ADMIN, 0, 0, 0)
    assert done == 0


@only_root
def test_services_without_a_network(mux_factory, script):
    """One namespace for all of them, whichever launcher they come from, also
    after a reload; who has a network has the same as ever.
    """
    none = [service("none", script, "network none"),
            service("also", script, "network none", "syscalls any")]
    there = service("any", script)
    mux = mux_factory(there)
    ours = tell(mux, "any")
    assert ours == ["socket", os.readlink(f"/proc/{mux.pid}/ns/net")]
    mux.reload(policy(there, *none, port=mux.port))
    first = tell(mux, "none")
    assert first[0] == "EAFNOSUPPORT" and first[1] != ours[1]
    assert tell(mux, "also") == first
    assert tell(mux, "any") == ours
    mux.reload(policy(there, *none, port=mux.port))
    assert tell(mux, "none") == first


@only_root
def test_the_report_says_what_there_is(mux_factory):
    mux = mux_factory(service("cat", "exec /bin/cat", "network none"))
    assert mux.wait_log("network-none")["namespace"] == "yes"
    mux = mux_factory(service("cat", "exec /bin/cat"))
    assert mux.logs("network-none") == []


def check(script, *lines, **how):
    text = policy(service("s", script, *lines))
    return run_tcpmuxd(text, "-t", **how)


@only_root
def test_a_machine_without_namespaces_is_told(script):
    under = ["setpriv", "--bounding-set", "-sys_admin"]
    done = check(script, "network none", under=under)
    assert done.returncode == 1
    assert "'network none' needs an empty network namespace" in done.stderr
    assert "Operation not permitted" in done.stderr
    done = check(script, "network none if-available", under=under)
    assert (done.returncode, done.stderr) == (0, "")


@only_root
def test_a_machine_without_namespaces_does_without(mux_factory, script):
    """If the policy says so: the filter is what is left."""
    mux = mux_factory(
        service("none", script, "network none if-available"),
        service("also", script, "network none if-available", "syscalls any"),
        parser=("room reduced",), preexec=without_sys_admin)
    there = os.readlink(f"/proc/{mux.pid}/ns/net")
    assert tell(mux, "none") == ["EAFNOSUPPORT", there]
    assert tell(mux, "also") == ["EAFNOSUPPORT", there]
    weaker = " ".join(line["text"] for line in mux.logs("weaker"))
    assert "no network namespace" in weaker
    assert "no Landlock rules for TCP" in weaker


NOT_GAINED = ("tcpmuxd was started with no_new_privs (systemd: "
              "'NoNewPrivileges=')")


@only_root
@pytest.mark.parametrize("under, lines, problem", [
    (["--no-new-privs"], ["new-privileges"],
     f"18:2: 'new-privileges': {NOT_GAINED}, which nothing lifts"),
    (["--no-new-privs"], ["capabilities chown"],
     f"18:15: 'capabilities chown': {NOT_GAINED}, and so gives none that it "
     "does not keep for itself"),
    # It does, of this one.
    (["--no-new-privs"], ["capabilities kill"], None),
    (["--bounding-set", "-chown"], ["capabilities kill chown"],
     "18:20: 'capabilities chown': tcpmuxd's bounding set lacks it (systemd: "
     "'CapabilityBoundingSet=')"),
    (["--bounding-set", "-chown"], ["capabilities all"], None),
    (["--bounding-set", "-setuid"], [],
     "18:7: 'user' needs CAP_SETUID, which tcpmuxd does not have"),
], ids=["new-privileges", "gained", "kept", "bounding-set", "all", "user"])
def test_what_tcpmuxd_lacks_does_not_load(under, lines, problem):
    done = run_tcpmuxd(policy(service("s", "exec /bin/cat", *lines)), "-t",
                       under=["setpriv", *under])
    if problem is None:
        assert (done.returncode, done.stderr) == (0, "")
    else:
        assert done.returncode == 1
        assert done.stderr.endswith(f"policy:{problem}\n")


def without_net_raw():
    done = ctypes.CDLL(None).prctl(PR_CAPBSET_DROP, CAP_NET_RAW, 0, 0, 0)
    assert done == 0


@only_root
def test_a_reload_knows_what_tcpmuxd_lacks(mux_factory):
    """And what it gave up itself is still its services' to have."""
    mux = mux_factory(service("cat", "exec /bin/cat"), preexec=without_net_raw)

    def asking_for(capability):
        return policy(service("cat", "exec /bin/cat",
                              f"capabilities {capability}"), port=mux.port)

    since = mux.ask_to_reload(asking_for("net_raw"))
    mux.wait_log("reload-failed", since=since, reason="policy")
    told, = mux.logs("reload-problem", since)
    assert "'capabilities net_raw': tcpmuxd's bounding set " in told["text"]
    mux.reload(asking_for("chown"))
    assert mux.request("cat", b"x") == (OK, b"x")


@pytest.mark.skipif(not USER_NAMESPACES, reason="no user namespaces here")
@pytest.mark.parametrize("user", ["nobody", "daemon"] if IS_ROOT else [None])
def test_without_root(mux_factory, script, user):
    """The launcher is then in a user namespace, which has one user: whoever
    that is, also if it is not who all are there at first (nobody).
    """
    mux = mux_factory(service("none", script, "network none", user="self"),
                      service("any", script, user="self"), user=user)
    assert tell(mux, "any")[0] == "socket"
    said, namespace = tell(mux, "none")
    assert said == "EAFNOSUPPORT" and namespace != tell(mux, "any")[1]


@pytest.mark.parametrize("words, filters", [
    ((), 2), (("syscalls any",), 0), (("syscalls stdio",), 1)])
def test_filters_of_a_session(mux_factory, words, filters):
    mux = mux_factory(service("cat", "exec /bin/cat", *words))
    with mux.connect() as sock:
        sock.sendall(b"cat\r\nx")
        assert sock.recv(3) == OK
        pid = mux.wait_log("launch")["pid"]
        assert (int(own("Seccomp_filters", pid)) ==
                int(own("Seccomp_filters")) + filters)
        assert own("NoNewPrivs", pid) == "1"
        sock.shutdown(socket.SHUT_WR)
        assert sock.recv(1) == b"x"


REAL = [
    ("python3", "/usr/bin/python3 -c 'import threading as t, concurrent."
     "futures as f; p = f.ThreadPoolExecutor(8); print(sum(p.map(lambda x: "
     "x * x, range(100))), t.active_count())'", b"328350 9\n"),
    ("python3-process", "/usr/bin/python3 -c 'import subprocess as s; "
     "print(s.run([\"/bin/echo\", \"x\"], capture_output=True).stdout)'",
     b"b'x\\n'\n"),
    ("python3-names", "/usr/bin/python3 -c 'import socket as s; "
     "print(s.getaddrinfo(\"localhost\", 1, s.AF_INET)[0][4])'",
     b"('127.0.0.1', 1)\n"),
    ("perl", "/usr/bin/perl -e 'print scalar(`echo a | tr a b`), fork() "
     "== 0 ? exit : wait > 0'", b"b\n1"),
    ("bash", "/bin/bash -c 'ulimit -c 0; for i in 1 2; do echo $i & done | "
     "sort; wait; nice -n 1 true && ulimit -c'", b"1\n2\n0\n"),
    ("busybox", "/bin/busybox sh -c 'busybox seq 3 | busybox tac'",
     b"3\n2\n1\n"),
]


@pytest.mark.parametrize("name, words, said", REAL,
                         ids=[name for name, _, _ in REAL])
def test_programs_under_the_default(mux_factory, name, words, said):
    if not os.path.exists(words.split()[0]):
        pytest.skip(f"not installed: {name}")
    mux = mux_factory(service(name, f"exec {words}", "stderr socket"))
    assert mux.request(name) == (OK, said)
