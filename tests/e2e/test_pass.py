"""`pass`: sessions that go to servers which run already.

Each way in which such a server can fail is driven by one of our own: away,
somebody else, full, never reading, closing at once, killed. The client gets
the refusal where nothing was said to it yet, and the log names the step.
"""

import os
import pathlib
import pwd
import re
import signal
import socket
import struct
import subprocess
import sys
import time

import pytest

from load import status
from mux import (IS_ROOT, LOCAL4, LOCAL6, OK, REFUSAL, converse, eventually,
                 policy, program, run_tcpmuxd, service)
from passing import (Server, is_answered, is_over, place,  # noqa: F401
                     unmapped_uid)

RECEIVER = pathlib.Path(__file__).resolve().parents[2] / \
    "contrib/pass/receiver.py"
TIMES = 3  # BREAKER_FAILURES
SO_PEEK_OFF = 42


def passed(name, path, *lines, **keywords):
    return service(name, f"pass {path}", *lines, user=False, **keywords)


def another_day():
    days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
    return days[(time.localtime().tm_wday + 3) % 7]


@pytest.fixture(scope="module")
def mux(shared_mux_factory, place):  # noqa: F811
    return shared_mux_factory(
        passed("echo", place / "echo", "alias other", "keepalive 99s",
               "per-source 16"),
        passed("text", place / "echo", 'reply mux "Go ahead"'),
        passed("silent", place / "echo", "reply service", "keepalive off"),
        passed("away", place / "away"),
        passed("two", place / "echo", "sessions 2",
               "per-source 2"),
        passed("off", place / "echo", head="disabled"),
        passed("near", place / "echo", allow="192.0.2.1"),
        passed("closed", place / "echo", f"hours {another_day()} 00:00-24:00"),
        passed("quiet", place / "echo", "log none"))


@pytest.fixture
def server(place):  # noqa: F811
    with Server(place / "echo") as server:
        yield server


def asked(mux, name=b"echo", behind=b"", **how):
    sock = mux.connect(**how)
    sock.sendall(name + b"\r\n" + behind)
    return sock


def read(sock, count=len(OK)):
    return sock.recv(count, socket.MSG_WAITALL)


def idle(mux):
    eventually(lambda: status(mux)["running"] + status(mux)["launching"] == 0)


# --- what the server gets ----------------------------------------------------

@pytest.mark.parametrize("address", [LOCAL4, LOCAL6])
def test_the_message_says_who_asks_for_what(mux, server, address):
    mark = mux.mark()
    client = asked(mux, b"OTHER", b"more", addr=address)
    session = server.take()
    line = mux.wait_log("launch", since=mark)
    assert session.message.decode() == (
        f"service=echo\naddr={address}\nport={client.getsockname()[1]}\n"
        f"local={address}\nsession={line['session']}\n\n")
    assert line["service"] == "echo" and "pid" not in line
    session.client.setblocking(False)
    assert session.client.recv(100) == b"more"
    client.setblocking(False)
    assert client.recv(100) == OK, "it is not said before the message"
    session.end()
    line = mux.wait_log("exit", since=mark)
    assert line["session"] == session.fields["session"]
    assert "status" not in line
    client.settimeout(10)
    assert client.recv(1) == b""


@pytest.mark.parametrize("name, reply", [
    (b"text", b"+Go ahead\r\n"), (b"silent", b"")])
def test_who_says_the_first_word(mux, server, name, reply):
    client = asked(mux, name)
    session = server.take()
    session.client.sendall(b"hello")
    session.end()
    assert converse(client) == reply + b"hello"


def option(sock, level, name):
    return sock.getsockopt(level, name)


@pytest.mark.parametrize("name, keepalive", [(b"echo", 99), (b"silent", 0)])
def test_nothing_of_ours_stays_on_the_socket(mux, server, name, keepalive):
    client = mux.connect()
    client.sendall(name[:2])  # so that the rest is waited for
    eventually(lambda: status(mux)["pending"] == 1)
    client.sendall(name[2:] + b"\r\n")
    session = server.take()
    sock, TCP = session.client, socket.IPPROTO_TCP
    assert session.is_blocking
    assert option(sock, socket.SOL_SOCKET, socket.SO_OOBINLINE) == 0
    assert option(sock, socket.SOL_SOCKET, socket.SO_RCVLOWAT) == 1
    assert option(sock, TCP, socket.TCP_USER_TIMEOUT) == 0
    assert option(sock, socket.SOL_SOCKET, SO_PEEK_OFF) == -1
    assert option(sock, socket.SOL_SOCKET, socket.SO_KEEPALIVE) == bool(
        keepalive)
    if keepalive:
        assert option(sock, TCP, socket.TCP_KEEPIDLE) == keepalive
    session.end()
    client.close()


def test_the_ends_of_the_connection_are_the_servers_own(mux, server):
    """FIN and RST come when the server makes them: no copy is kept."""
    client = asked(mux)
    session = server.take()
    assert read(client) == OK
    session.close_client()
    assert client.recv(1) == b""
    assert status(mux)["running"] == 1
    client = asked(mux)
    session = server.take()
    eventually(lambda: status(mux)["launching"] == 0)
    session.client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                              struct.pack("ii", 1, 0))
    session.close_client()
    assert read(client) == OK
    with pytest.raises(ConnectionResetError):
        client.recv(1)


def test_log_none_is_obeyed(mux, server):
    mark = mux.mark()
    asked(mux, b"quiet")
    server.take().end()
    idle(mux)
    assert not mux.logs(None, mark, service="quiet")


# --- for how long it is a session --------------------------------------------

def test_a_session_lasts_while_its_pipe_is_held(mux, server):
    """Whatever becomes of the client; and it counts for as long."""
    first, second = asked(mux, b"two"), asked(mux, b"two")
    sessions = [server.take(), server.take()]
    assert read(first) == read(second) == OK
    mark = mux.mark()
    first.close()
    sessions[0].close_client()
    assert converse(asked(mux, b"two")) == REFUSAL
    mux.wait_log("refuse", since=mark, reason="sessions", service="two")
    assert status(mux)["running"] == 2
    mark = mux.mark()
    sessions[0].end()
    mux.wait_log("exit", since=mark, service="two")
    third = asked(mux, b"two")
    sessions.append(server.take())
    assert read(third) == OK
    for session in sessions:
        session.end()
    idle(mux)


def test_what_is_written_into_the_pipe_is_nobodys(mux, server):
    asked(mux)
    session = server.take()
    with pytest.raises(BlockingIOError):
        while True:
            os.write(session.pipe, b"x" * 4096)
    before = mux.cpu_seconds()
    time.sleep(0.3)
    assert mux.cpu_seconds() - before < 0.2
    assert status(mux)["running"] == 1
    session.end()
    idle(mux)


def test_a_killed_server_ends_its_sessions(mux, place):  # noqa: F811
    receiver = subprocess.Popen([sys.executable, RECEIVER, place / "echo"],
                                stdout=subprocess.DEVNULL)
    try:
        eventually(lambda: is_answered(place / "echo"))
        mark = mux.mark()
        clients = [asked(mux) for _ in range(5)]
        assert [read(client) for client in clients] == [OK] * 5
        mux.wait_log("launch", since=mark, count=5)
    finally:
        receiver.kill()
        receiver.wait()
    mux.wait_log("exit", since=mark, count=5)
    assert [client.recv(1) for client in clients] == [b""] * 5


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGQUIT])
def test_the_end_of_tcpmuxd(mux_factory, place, server, number):  # noqa: F811
    """TERM leaves sessions to their server, QUIT waits for them."""
    mux = mux_factory(passed("echo", place / "echo"))
    client = asked(mux)
    session = server.take()
    mux.wait_log("launch")
    mux.send_signal(number)
    if number == signal.SIGQUIT:
        mux.wait_log("draining")
        assert not is_over(session.pipe, 0.2)
        session.end()
        assert converse(client) == OK
    assert mux.process.wait(10) == 0
    if number == signal.SIGTERM:
        assert is_over(session.pipe), "who polls it can tell"
        session.client.sendall(b"still here")
        session.end()
        assert converse(client) == OK + b"still here"
    mux._discard()
    mux.assert_nothing_counted()


def test_a_reload_leaves_sessions_alone(mux_factory, place, server):  # noqa: F811
    kept = passed("echo", place / "echo", "sessions 2", "per-source 2")
    others = [service("cat", "exec /bin/cat"), passed("away", place / "away")]
    mux = mux_factory(kept, *others)
    port = mux.port
    clients = [asked(mux), asked(mux)]
    sessions = [server.take(), server.take()]
    mux.wait_log("launch", count=2)
    mux.reload(policy(*others, port=port))
    mux.reload(policy(kept, *others, port=port))
    assert converse(asked(mux)) == REFUSAL
    mux.wait_log("refuse", reason="sessions")
    for client, session in zip(clients, sessions):
        session.client.sendall(b"x")
        session.end()
        assert converse(client) == OK + b"x"
    mux.wait_log("exit", count=2)
    asked(mux)
    server.take().end()


def test_a_reload_while_a_server_is_waited_for(mux_factory, place,  # noqa: F811
                                               server):
    kept = passed("echo", place / "echo")
    mux = mux_factory(kept)
    clients = [asked(mux) for _ in range(3)]
    eventually(lambda: status(mux)["launching"] == 3)
    mux.reload(policy(service("cat", "exec /bin/cat"), port=mux.port))
    mux.reload(policy(kept, port=mux.port))
    for client in clients:
        server.take().end()
        assert converse(client) == OK
    mux.wait_log("exit", count=3)
    client = asked(mux)
    server.take().end()
    assert converse(client) == OK, "none is waited for any more"


@pytest.mark.skipif(not IS_ROOT, reason="root makes it nobody's")
def test_without_root(mux_factory, place):  # noqa: F811
    """Then a server is the user's own, unless the policy names another."""
    nobody = pwd.getpwnam("nobody").pw_uid
    path = place / "nobodys"
    mux = mux_factory(passed("echo", path), user="nobody", port=10078)
    with Server(path, uid=nobody) as server:
        client = asked(mux)
        session = server.take()
        session.client.sendall(b"x")
        session.end()
        assert converse(client) == OK + b"x"
    with Server(path, mode=0o666):
        refused(mux, 0, b"echo", "server", "EPERM")


# --- the one way -------------------------------------------------------------

@pytest.mark.parametrize("name, reason", [
    (b"off", "disabled"), (b"near", "denied"), (b"closed", "hours")])
def test_it_is_rechecked_like_any_other(mux, server, name, reason):
    mark = mux.mark()
    assert converse(asked(mux, name)) == REFUSAL
    mux.wait_log("refuse", since=mark, reason=reason, service=name.decode())


def test_help_lists_it(mux):
    names = mux.raw(b"HELP\r\n").split(b"\r\n")
    assert b"echo" in names and b"off" not in names and b"other" not in names


# --- servers that are away, or not who they should be ------------------------

def refused(mux, mark, name, step, error):
    assert converse(asked(mux, name)) == REFUSAL
    line = mux.wait_log("refuse", since=mark, reason="launch")
    assert (line["step"], line["error"]) == (step, error)


def test_a_server_that_is_away_is_not_tried_for_a_while(mux, place):  # noqa: F811
    """Then one at a time, until it is there: one line each of this."""
    path = place / "away"
    mark = mux.mark()
    refused(mux, mark, b"away", "connect", "ENOENT")
    for _ in range(TIMES):
        assert converse(asked(mux, b"away")) == REFUSAL
    line = mux.wait_log("pass-suspended", since=mark, service="away")
    assert (line["step"], line["error"]) == ("connect", "ENOENT")

    def is_suspended():
        assert converse(asked(mux, b"away")) == REFUSAL
        return mux.logs("refuse", mark, reason="suspended", service="away")

    eventually(is_suspended)
    with Server(path) as server:
        def comes_back():
            client = asked(mux, b"away")
            answer = read(client)
            return answer == OK
        eventually(comes_back)
        server.take().end()
        mux.wait_log("pass-resumed", since=mark, service="away")
        client = asked(mux, b"away")
        server.take().end()
        assert converse(client) == OK
    assert len(mux.logs("pass-suspended", mark)) == 1
    assert len(mux.logs("pass-resumed", mark)) == 1
    idle(mux)


def test_a_socket_that_nobody_listens_on(mux_factory, place):  # noqa: F811
    path = place / "deaf"
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(path))
    mux = mux_factory(passed("echo", path))
    refused(mux, 0, b"echo", "connect", "ECONNREFUSED")


def test_who_is_suspended_stays_so_over_a_reload(mux_factory, place):  # noqa: F811
    text = passed("away", place / "away")
    mux = mux_factory(text)

    def wait_is_long():
        assert converse(asked(mux, b"away")) == REFUSAL
        return len(mux.logs("refuse", reason="launch")) > TIMES + 6

    eventually(wait_is_long, 20)  # the next try is 640 ms away
    mark = mux.mark()
    mux.reload(policy(text, port=mux.port))
    assert converse(asked(mux, b"away")) == REFUSAL
    line = mux.wait_log("refuse", since=mark)
    assert line["reason"] == "suspended"


@pytest.mark.skipif(not IS_ROOT, reason="only root can be somebody else")
def test_a_server_of_another_uid_gets_nobody(mux_factory, place):  # noqa: F811
    """Its socket is in our folder: so it was tcpmuxd's to trust, until now."""
    path, uid = place / "foreign", unmapped_uid()
    mux = mux_factory(passed("echo", path), passed("theirs", path))
    with Server(path, uid=uid, mode=0o666) as server:
        refused(mux, 0, b"echo", "server", "EPERM")
        with server.accept() as connection:
            assert connection.recv(4096) == b"", "it was sent something"


@pytest.mark.skipif(not IS_ROOT, reason="only root can be somebody else")
def test_a_server_in_a_folder_of_its_own(mux_factory, place):  # noqa: F811
    """With `uid` it is found where only its user can go: also by tcpmuxd,
    which has not the capability to go everywhere."""
    uid, folder = unmapped_uid(), place / "its-own"
    folder.mkdir(mode=0o700)
    os.chown(folder, uid, uid)
    mux = mux_factory(service("echo", f"pass {folder}/echo uid {uid}",
                              user=False))
    with Server(folder / "echo", uid=uid) as server:
        client = asked(mux)
        session = server.take()
        assert read(client) == OK
        session.end()
        with open(f"/proc/{mux.pid}/status") as file:
            uids = re.search(r"^Uid:\s+(.*)$", file.read(), re.M)[1].split()
        assert uids == ["0"] * 4, "it came back from being somebody else"
    with Server(folder / "echo") as server:
        refused(mux, 0, b"echo", "connect", "EACCES")


# --- servers that do not take ------------------------------------------------

def test_a_full_queue_is_a_refusal_at_once(mux_factory, place):  # noqa: F811
    """And a server with none of them taken is not tried for a while."""
    mux = mux_factory(passed("echo", place / "full"))
    with Server(place / "full", backlog=0) as server:
        first = asked(mux)
        assert read(first) == OK
        refused(mux, 0, b"echo", "connect", "EAGAIN")
        for _ in range(TIMES):
            assert converse(asked(mux)) == REFUSAL
        mux.wait_log("pass-suspended", step="connect", error="EAGAIN")
        server.take().end()
        mux.wait_log("pass-resumed")
        assert converse(first) == b""


def test_a_server_that_takes_no_more_is_away_before_long(mux_factory, place):  # noqa: F811
    """That it did take counts for a quarter of a second."""
    mux = mux_factory(passed("echo", place / "full"))
    with Server(place / "full", backlog=0) as server:
        taken = asked(mux)
        assert read(taken) == OK
        server.take().end()
        assert converse(taken) == b""
        first = asked(mux)
        assert read(first) == OK
        time.sleep(0.3)
        for _ in range(TIMES + 1):
            assert converse(asked(mux)) == REFUSAL
        mux.wait_log("pass-suspended", step="connect", error="EAGAIN",
                     timeout=3)
        server.take().end()
        assert converse(first) == b""


def test_more_than_a_server_takes_are_refused_at_once(mux_factory, place):  # noqa: F811
    """However long a queue it asked for: 256 wait for it, and no more."""
    mux = mux_factory(passed("echo", place / "slow", "sessions 400",
                             "per-source 400"),
                      admission=("allow any", "per-source 400",
                                 "pending-per-source 256"))
    with Server(place / "slow", backlog=4096) as server:
        waiting = []
        for _ in range(256):
            waiting.append(asked(mux))
            assert read(waiting[-1]) == OK
        refused(mux, 0, b"echo", "queue", "EAGAIN")
        for client in waiting:
            server.take().end()
        for client in waiting:
            assert converse(client) == b""


def test_servers_that_never_take(mux_factory, place):  # noqa: F811
    """Not accepting, or not reading: after five seconds the client knows."""
    mux = mux_factory(passed("echo", place / "never"),
                      passed("silent", place / "never", "reply service"),
                      passed("other", place / "other"))
    with Server(place / "never") as server, Server(place / "other") as other:
        clients = [asked(mux), asked(mux, b"silent"), asked(mux)]
        assert read(clients[0]) == read(clients[2]) == OK
        held = server.accept()
        held.shutdown(socket.SHUT_WR)  # tells nothing, and spins nobody
        before = mux.cpu_seconds()
        asked(mux, b"other")
        other.take().end()
        mux.wait_log("launch-failed", step="deadline", error="ETIMEDOUT",
                     count=2)
        mux.wait_log("refuse", reason="launch", step="deadline")
        assert converse(clients[1]) == REFUSAL
        for client in clients[0], clients[2]:
            with pytest.raises(ConnectionResetError):
                client.recv(1)
        assert mux.cpu_seconds() - before < 2
        late = server.read(held)  # what it gets now is dead
        assert is_over(late.pipe)
        with pytest.raises(OSError):
            late.client.sendall(b"x")
        held.close()
        mux.wait_log("exit", service="other")


def test_a_server_that_closes_without_reading(mux, server):
    for name, event in (b"echo", "launch-failed"), (b"silent", "refuse"):
        mark = mux.mark()
        client = asked(mux, name)
        eventually(lambda: status(mux)["launching"] == 1)
        server.accept().close()
        line = mux.wait_log(event, since=mark)
        assert (line["step"], line["error"]) == ("unread", "ECONNRESET")
        if name == b"silent":
            assert converse(client) == REFUSAL
        else:
            with pytest.raises(ConnectionResetError):
                client.recv(100)
                client.recv(100)
    asked(mux)
    server.take().end()
    idle(mux)


def test_a_server_that_reads_a_part_and_ends_it(mux, server):
    """It had what came with the message: that is its session, and its end."""
    client = asked(mux)
    with server.accept() as connection:
        _, fds, _, _ = socket.recv_fds(connection, 5, 2)
        for fd in fds:
            os.close(fd)
        idle(mux)
    assert converse(client) == OK


# --- the receivers, and many -------------------------------------------------

@pytest.mark.parametrize("argv", [
    [program("contrib/pass/receiver")], [sys.executable, RECEIVER]],
    ids=["c", "python"])
def test_the_receivers_that_we_ship(mux, place, argv):  # noqa: F811
    receiver = subprocess.Popen([*argv, place / "echo"],
                                stdout=subprocess.PIPE, text=True)
    text = os.urandom(300000)
    try:
        eventually(lambda: is_answered(place / "echo"))
        assert mux.request("echo", text) == (OK, text)
        before = mux.fd_count()
        for _ in range(100):
            assert mux.request("echo", b"x") == (OK, b"x")
        idle(mux)
        assert mux.fd_count() < before + 50
        assert "echo" in receiver.stdout.readline()
    finally:
        receiver.kill()
        receiver.communicate()


def test_many_quick_ones_leave_nothing(mux, server):
    """But for what parsers come and go with."""
    before = mux.fd_count()
    for _ in range(125):
        clients = [asked(mux) for _ in range(8)]
        for client in clients:
            server.take().end()
            server.taken.clear()
        assert [converse(client) for client in clients] == [OK] * 8
    idle(mux)
    assert mux.fd_count() < before + 50


# --- what the policy may say -------------------------------------------------

def problems(*lines):
    result = run_tcpmuxd(policy(*lines), "-t")
    return result.returncode, result.stderr


def test_a_socket_must_be_one_where_nobody_can_change_it(place):  # noqa: F811
    assert problems(passed("x", place / "not/there/yet")) == (0, "")
    (place / "file").touch()
    status_, text = problems(passed("x", place / "file"))
    assert status_ == 1
    assert f"cannot use socket {place}/file: not a socket" in text
    (place / "open").mkdir()
    os.chmod(place / "open", 0o777)
    status_, text = problems(passed("x", place / "open/socket"))
    assert status_ == 1
    assert f"cannot use socket {place}/open/socket: {place}/open can be " \
        "written to by others than its owner" in text


@pytest.mark.skipif(not IS_ROOT, reason="only root can be somebody else")
def test_its_folder_is_its_servers_or_roots(place):  # noqa: F811
    folder, uid = place / "theirs", unmapped_uid()
    folder.mkdir()
    os.chown(folder, uid, uid)
    path = folder / "socket"
    assert problems(service("x", f"pass {path} uid {uid}",
                            user=False)) == (0, "")
    for user, needed in ("", "root: "), (f" uid {uid + 1}", f"root or to its "
                                         f"server's uid {uid + 1}"):
        status_, text = problems(service("x", f"pass {path}{user}",
                                         user=False))
        assert status_ == 1
        assert f"{folder} belongs to uid {uid}, who could replace" in text
        assert "it must belong to root" in text and (
            user == "" or needed in text)


def test_an_unknown_user_of_a_server():
    status_, text = problems(service("x", "pass /run/x uid no-such-user-here",
                                     user=False))
    assert status_ == 1 and "no user is called 'no-such-user-here'" in text


def test_it_is_explained(place):  # noqa: F811
    result = run_tcpmuxd(policy(passed("x", place / "x")), "-T", "-C",
                         "service=x,addr=192.0.2.1")
    assert f"passed to: {place}/x\nits server is: uid {os.getuid()}\n" in \
        result.stdout
    assert "verdict: allowed" in result.stdout
