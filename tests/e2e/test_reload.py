"""Another policy by SIGHUP: all of it or nothing, and nobody is the worse."""

import contextlib
import errno
import os
import signal
import socket
import time

import mux as muxes
import pytest
from faults import Failing
from hanging import Hanging, hanging
from later import Later
from mux import IS_ROOT, LOCAL4, OK, REFUSAL, eventually, policy, service
from rooms import unsanitized

CAT, DOG = service("cat", "exec /bin/cat"), service("dog", "exec /bin/cat")
ALIVE = service("alive", "exec /bin/cat")
root_only = pytest.mark.skipif(not IS_ROOT, reason="needs root")


def begin(mux, name, **how):
    """A connection to a service that runs: its first line has been read."""
    sock = mux.connect(**how)
    sock.sendall(name + b"\r\n")
    assert read(sock, len(OK)) == OK
    return sock


def read(sock, length):
    return sock.recv(length, socket.MSG_WAITALL)


def echoes(sock, word=b"word"):
    sock.sendall(word)
    return read(sock, len(word)) == word


def end(sock):
    """The service has ended, and its counts have been given back."""
    sock.shutdown(socket.SHUT_WR)
    assert sock.recv(1) == b""
    sock.close()


def text_of(mux, *services, **how):
    return policy(*services, port=mux.port, **how)


# --- good and bad -----------------------------------------------------------

def claims_bytes(workers):
    """Of what a worker's word is written down in: struct claim's, in
    src/core/claim.h, CLAIMS_MAX for each of WORKERS_A_SEAT."""
    return 24 * 4096 * 4 * (workers + 1)


def test_without_memory_for_more_workers_nothing_changes(mux_factory):
    mux = mux_factory(CAT, preexec=Failing(
        "mmap", error=errno.ENOMEM, equal={1: claims_bytes(3)}))
    since = mux.ask_to_reload(text_of(mux, DOG, parser=("workers 3",)))
    failed = mux.wait_log("reload-failed", since=since)
    assert (failed["reason"], failed["error"]) == ("tables", "ENOMEM")
    assert mux.request("cat", b"x") == (OK, b"x")
    mux.reload(text_of(mux, DOG, parser=("workers 2",)))
    assert mux.request("dog", b"x") == (OK, b"x")


def test_a_good_policy_is_swapped_whole(mux_factory):
    mux = mux_factory(CAT, ALIVE)
    running = begin(mux, b"cat")
    mux.reload(text_of(mux, DOG, ALIVE))
    line = mux.wait_log("reloaded")
    assert (line["services"], line["workers"]) == ("2", "1")
    assert float(line["duration_s"]) < 10
    assert mux.request("dog", b"x") == (OK, b"x")
    mux.refused("cat")
    assert mux.raw(b"help\r\n") == b"alive\r\ndog\r\n"
    assert echoes(running)
    end(running)
    assert mux.wait_log("exit", service="cat", status=0)


def test_a_bad_policy_is_told_whole_and_changes_nothing(mux_factory):
    mux = mux_factory(CAT)
    running = begin(mux, b"cat")
    mux.wait_log("launch")
    children, count = mux.children(), mux.fd_count()
    lines = [f"nonsense{i}" for i in range(200)]
    since = mux.ask_to_reload(
        "policy 1\n" + "\n".join(lines) + "\n" + text_of(mux, DOG)[9:])
    failed = mux.wait_log("reload-failed", since=since)
    assert (failed["reason"], failed["level"]) == ("policy", "error")
    told = [line["text"] for line in mux.logs("reload-problem", since)]
    assert len(told) == len(lines)
    for number, text in enumerate(told):
        assert text.startswith(f"{mux.policy_path}:{number + 2}:1: ")
    assert not mux.logs("reloaded") and not mux.logs("log-lost")
    assert mux.request("cat", b"x") == (OK, b"x")
    mux.refused("dog")
    assert echoes(running)
    eventually(lambda: mux.children() == children, what="the same processes")
    eventually(lambda: mux.fd_count() == count, what="the same descriptors")
    mux.reload(text_of(mux, CAT, DOG))
    assert mux.request("dog", b"x") == (OK, b"x")


def test_what_cannot_be_bound_changes_nothing(mux_factory):
    mux = mux_factory(CAT)
    since = mux.ask_to_reload(
        text_of(mux, DOG, listen=("127.0.0.9", "192.0.2.77")))
    assert mux.wait_log("listen-failed", since=since, addr="192.0.2.77")
    bound, = mux.logs("listen", since, addr="127.0.0.9")
    assert bound["level"] == "notice" and "interface" not in bound
    assert mux.wait_log("reload-failed", since=since)["reason"] == "listen"
    assert mux.request("cat", b"x") == (OK, b"x")
    with pytest.raises(ConnectionRefusedError):
        mux.connect("127.0.0.9")
    mux.reload(text_of(mux, DOG, listen=(LOCAL4, "127.0.0.9")))
    assert mux.request("dog", b"x", addr="127.0.0.9") == (OK, b"x")


@root_only
def test_what_cannot_be_listened_on_changes_nothing(mux_factory):
    """Without root two can be bound of which one can be listened on. The
    tables are no larger then, none of them."""
    cat, dog = (service(name, "exec /bin/cat", user="self")
                for name in ("cat", "dog"))
    mux = mux_factory(cat, user="nobody", listen=("::1",),
                      admission=("allow any", "pending 4"))
    free = status(mux)["free"]
    since = mux.ask_to_reload(
        text_of(mux, dog, root=False, listen=("::1", "127.0.0.9", "0.0.0.0"),
                admission=("allow any", "pending 400")))
    assert mux.wait_log("reload-failed", since=since)["reason"] == "listen"
    assert mux.logs("listen", since, addr="0.0.0.0")
    assert status(mux)["free"] == free
    assert mux.request("cat", b"x", addr="::1") == (OK, b"x")


def test_a_parser_that_cannot_start_changes_nothing(mux_factory):
    mux = mux_factory(CAT)
    since = mux.ask_to_reload(
        text_of(mux, DOG, parser=("program /bin/true",)))
    assert mux.wait_log("reload-failed", since=since)["reason"] == "worker"
    assert mux.request("cat", b"x") == (OK, b"x")
    mux.refused("dog")
    mux.reload(text_of(mux, DOG))


def test_no_reload_when_it_is_about_to_end(mux_factory):
    mux = mux_factory(CAT)
    running = begin(mux, b"cat")
    mux.send_signal(signal.SIGQUIT)
    mux.wait_log("draining")
    since = mux.ask_to_reload(text_of(mux, DOG))
    assert mux.wait_log("reload-failed", since=since)["reason"] == "stopping"
    assert echoes(running)


def test_the_log_changes_with_the_policy(mux_factory):
    mux = mux_factory(CAT)
    mux.ask_to_reload(text_of(mux, CAT, top=["log {\n\tformat json\n}"]))
    eventually(lambda: any('"event":"reloaded"' in line[""]
                           for line in mux.log.lines), what="a JSON line")
    since = mux.ask_to_reload(text_of(mux, CAT))
    mux.wait_log("reloaded", since=since)


# --- who is undecided -------------------------------------------------------

def test_half_a_line_is_decided_by_the_new_policy(mux_factory):
    mux = mux_factory(CAT, ALIVE)
    socks = []
    for name in b"cat", b"dog", b"alive":
        socks.append(mux.connect())
        socks[-1].sendall(name[:2])
    eventually(lambda: int(status(mux)["pending"]) == 3, what="the three")
    mux.reload(text_of(mux, DOG, ALIVE))
    for sock, name in zip(socks, (b"cat", b"dog", b"alive")):
        answer = muxes.converse(sock, name[2:] + b"\r\n")
        assert answer == (REFUSAL if name == b"cat" else OK), name


def status(mux):
    since = mux.mark()
    mux.send_signal(signal.SIGUSR1)
    return mux.wait_log("status", since=since)


def test_the_undecided_have_the_new_policy_s_time(mux_factory):
    mux = mux_factory(CAT, parser=("timeout 1m",))
    sock = mux.connect()
    sock.sendall(b"ca")
    eventually(lambda: status(mux)["pending"] == "1", what="the half line")
    mux.reload(text_of(mux, CAT, parser=("timeout 100ms",)))
    assert muxes.converse(sock, half_close=False) == REFUSAL
    sock.close()
    assert mux.wait_log("refuse", reason="timeout")


@unsanitized
def test_a_parser_s_word_by_old_names_is_no_word(late_mux):
    """It says `unknown`, or a number that is another name's by now."""
    mux, set_clock = late_mux(CAT, service("zebra", "exec /bin/echo zebra"))
    parser, = mux.parsers()
    set_clock("=0")  # or another would be asked in its place
    os.kill(parser, signal.SIGSTOP)
    socks = []
    for name in b"dog", b"zebra":
        socks.append(mux.connect())
        socks[-1].sendall(name + b"\r\n")
    eventually(lambda: int(status(mux)["pending"]) == 2, what="the two")
    mux.reload(text_of(
        mux, service("a", "exec /bin/cat"), service("b", "exec /bin/cat"),
        service("dog", "exec /bin/echo dog"), service("zebra", "exec /bin/cat")
    ))
    os.kill(parser, signal.SIGCONT)
    assert muxes.converse(socks[0]) == OK + b"dog\n"
    assert muxes.converse(socks[1], b"x") == OK + b"x"
    assert not mux.logs("refuse") and not mux.logs("violation")
    eventually(lambda: parser not in mux.parsers(), what="its end")


@root_only
def test_the_list_of_names_is_one_policy_s(mux_factory):
    names = [f"{number:05}-" + "x" * 100 for number in range(1200)]
    mux = mux_factory(*(service(name, "exec /bin/cat") for name in names))
    mux.netns.sysctl("net.ipv4.tcp_wmem", "4096 16384 16384")
    wanted = b"".join(name.encode() + b"\r\n" for name in names)
    with mux.connect() as slow:
        slow.sendall(b"HELP\r\n")
        got = read(slow, 1000)
        mux.reload(text_of(mux, ALIVE))
        assert not mux.logs("help")
        assert mux.raw(b"help\r\n") == b"alive\r\n"
        assert got + muxes.converse(slow) == wanted
    mux.reload(text_of(mux, DOG))


def test_who_was_promised_a_service_gets_it(mux_factory):
    """It is with the launcher of the policy before, which then leaves."""
    mux = mux_factory(CAT)
    launcher, = mux.launchers()
    os.kill(launcher, signal.SIGSTOP)
    sock = mux.connect()
    sock.sendall(b"cat\r\n")
    eventually(lambda: status(mux)["launching"] == "1", what="the launch")
    mux.reload(text_of(mux, DOG))
    assert mux.request("dog", b"x") == (OK, b"x")
    assert launcher in mux.launchers()
    os.kill(launcher, signal.SIGCONT)
    assert read(sock, len(OK)) == OK and echoes(sock)
    eventually(lambda: not os.path.exists(f"/proc/{launcher}"), what="its end")
    status(mux)  # whatever was said before is there
    assert not mux.logs("launcher-died")


@root_only
def test_a_reload_without_root(mux_factory):
    mux = mux_factory(service("cat", "exec /bin/cat", user="self"),
                      user="nobody")
    running = begin(mux, b"cat")
    dog = service("dog", "exec /bin/cat", user="self")
    mux.reload(text_of(mux, dog, root=False, listen=(LOCAL4, "127.0.0.2")))
    assert mux.request("dog", b"x", addr="127.0.0.2") == (OK, b"x")
    assert echoes(running)
    # What would have to be bound beside what goes: not without root.
    since = mux.ask_to_reload(text_of(mux, dog, root=False, listen=("*",)))
    assert mux.wait_log("reload-failed", since=since)["reason"] == "listen"
    assert mux.request("dog", b"x") == (OK, b"x")


def refusal(mux, name):
    """Why it is refused."""
    since = mux.mark()
    mux.refused(name)
    return mux.wait_log("refuse", since=since)["reason"]


# --- what is counted --------------------------------------------------------

def test_sessions_are_counted_through_reloads(mux_factory):
    limited = service("cat", "exec /bin/cat", "sessions 2", "per-source 2")
    mux = mux_factory(limited)
    socks = [begin(mux, b"cat") for _ in range(2)]

    assert refusal(mux, "cat") == "sessions"
    mux.reload(text_of(mux, limited, DOG))
    assert refusal(mux, "cat") == "sessions"
    # Gone, and back again: these two are still its sessions.
    mux.reload(text_of(mux, DOG))
    assert refusal(mux, "cat") == "unknown"
    mux.reload(text_of(mux, ALIVE, limited))
    assert refusal(mux, "cat") == "sessions"
    mux.reload(text_of(mux, service("cat", "exec /bin/cat", "sessions 9",
                                    "per-source 3")))
    third = begin(mux, b"cat")
    assert refusal(mux, "cat") == "per-source"
    end(socks.pop())
    mux.wait_log("exit")
    socks.append(begin(mux, b"cat"))
    for sock in [*socks, third]:
        assert echoes(sock)


def test_sessions_are_counted_in_larger_tables(mux_factory):
    """Every table is made anew: sources are others, and there is more room."""
    mux = mux_factory(CAT, exempt=(), admission=(
        "allow any", "sessions 4", "pending 4", "sources 16"))
    running = [begin(mux, b"cat", source=f"127.0.0.{i}") for i in (7, 8)]
    waiting = mux.connect(source="127.0.0.7")
    waiting.sendall(b"ca")
    eventually(lambda: status(mux)["pending"] == "1", what="the undecided")
    mux.reload(text_of(mux, CAT, exempt=(), admission=(
        "allow any", "sessions 2000", "pending 300", "sources 5000",
        "count-by /24 /48", "per-source 4", "penalty-max 20m")))
    line = status(mux)
    assert (line["running"], line["pending"]) == ("2", "1")
    assert (line["sources_busy"], line["shares_busy"]) == ("1", "1")
    assert int(line["free"]) > 2300
    running.append(begin(mux, b"cat", source="127.0.0.9"))
    assert shut_out(mux, "127.0.0.10") == "per-source"
    waiting.sendall(b"t\r\n")
    assert read(waiting, len(OK)) == OK
    for sock in [*running, waiting]:
        assert echoes(sock)


def shut_out(mux, source):
    """Why it is shut out; None: it is not."""
    since = mux.mark()
    with mux.connect(source=source) as sock, \
            contextlib.suppress(ConnectionError):
        sock.sendall(b"cat\r\n")
        if sock.recv(1):
            return None
    return mux.wait_log("shut-out", since=since)["reason"]


def test_penalties_survive(mux_factory):
    how = {"exempt": ()}
    mux = mux_factory(CAT, service("trap", "trap", user=False), **how)
    mux.refused("trap", source="127.0.0.7")
    assert shut_out(mux, "127.0.0.7") == "penalty"
    mux.reload(text_of(mux, CAT, **how))
    assert shut_out(mux, "127.0.0.7") == "penalty"
    mux.reload(text_of(mux, CAT, **how, admission=(
        "allow any", "sources 200000", "penalty-max 5m")))
    assert shut_out(mux, "127.0.0.7") == "penalty"
    assert shut_out(mux, "127.0.0.8") is None
    mux.reload(text_of(mux, CAT, **how, admission=(
        "allow any", "count-by /24 /48")))
    assert shut_out(mux, "127.0.0.8") == "penalty"


def test_what_is_spent_of_a_rate_stays_spent(mux_factory):
    def rated(rate):
        return service("cat", "exec /bin/cat", f"rate {rate}")

    mux = mux_factory(rated("3/h burst 3"), exempt=())
    for _ in range(3):
        assert mux.request("cat") == (OK, b"")
    mux.reload(text_of(mux, rated("4/h burst 4"), exempt=()))
    assert mux.request("cat") == (OK, b"")
    assert refusal(mux, "cat") == "rate"


# --- listeners --------------------------------------------------------------

@root_only
def test_listeners_come_stay_and_go(mux_factory):
    stays, goes, comes = LOCAL4, "127.0.0.2", "127.0.0.3"
    mux = mux_factory(CAT, listen=(goes, stays))
    inode = listening(mux)[stays]
    early = mux.connect(goes)  # not accepted yet: it has not sent a byte
    mux.reload(text_of(mux, CAT, listen=(stays, comes)))
    assert mux.request("cat", b"x", addr=comes) == (OK, b"x")
    assert mux.request("cat", b"x", addr=stays) == (OK, b"x")
    with pytest.raises(TimeoutError):  # no SYN is answered any more
        mux.connect(goes, timeout=0.2)
    assert muxes.converse(early, b"cat\r\nearly") == OK + b"early"
    # Wanted back before it has gone, it never went.
    mux.reload(text_of(mux, CAT, listen=(stays, goes)))
    assert mux.request("cat", b"x", addr=goes) == (OK, b"x")
    mux.reload(text_of(mux, CAT, listen=(stays, comes)))
    eventually(lambda: set(listening(mux)) == {stays, comes},
               what="the end of the one that goes")
    assert listening(mux)[stays] == inode
    with pytest.raises(ConnectionRefusedError):
        mux.connect(goes)


def listening(mux):
    """{address: inode} of its IPv4 listeners."""
    rows = mux.netns.run("cat", "/proc/net/tcp").stdout.splitlines()[1:]
    found = {}
    for fields in map(str.split, rows):
        if fields[3] == "0A":
            packed = bytes.fromhex(fields[1].partition(":")[0])[::-1]
            found[socket.inet_ntoa(packed)] = fields[9]
    return found


@root_only
def test_who_came_by_one_of_many_that_left_is_on_none(mux_factory):
    """However many there were, before and after another reload."""
    former = [f"127.9.0.{number}" for number in range(256)]
    doors = ("127.0.0.1", "127.0.0.2", "127.0.0.3")
    mux = mux_factory(CAT, listen=former)
    text = policy(service("cat", "exec /bin/cat", "on one"), listen=(), top=[
        f"listen {door} port {mux.port} name {name}"
        for door, name in zip(doors, ("one", "two", "three"))])
    socks = [mux.connect(door) for door in former[-3:]]
    mux.reload(text)
    for sock in socks:
        sock.sendall(b"ca")
    eventually(lambda: status(mux)["pending"] == "3", what="the half lines")
    mux.reload(text)
    for sock in socks:
        assert muxes.converse(sock, b"t\r\n") == REFUSAL
    mux.wait_log("refuse", reason="listener", count=3)
    assert mux.request("cat", b"x", addr=doors[0]) == (OK, b"x")


@root_only
def test_what_a_listener_is_called_and_takes_changes_with_it(mux_factory):
    """Its socket stays, its name, backlog and line ends are the new ones."""
    def text(name, words):
        cat = service("cat", "exec /bin/cat", f"on {name}")
        return policy(cat, listen=(), top=words)

    mux = mux_factory(text=text("one", [
        f"listen {LOCAL4} name one lenient-lf", "listen ::1"]))
    inode = listening(mux)[LOCAL4]
    half = mux.connect()
    half.sendall(b"ca")
    eventually(lambda: status(mux)["pending"] == "1", what="the half line")
    mux.reload(text("two", [
        "listen ::1", f"listen {LOCAL4} name two backlog 7"]))
    assert listening(mux)[LOCAL4] == inode
    assert mux.raw(b"cat\nx") == REFUSAL
    assert muxes.converse(half, b"t\r\nx") == OK + b"x"
    since = mux.mark()
    mux.refused("cat", addr="::1")
    assert mux.wait_log("refuse", since=since)["reason"] == "listener"


@root_only
@pytest.mark.parametrize("before, after", [
    (("*",), (LOCAL4,)), ((LOCAL4,), ("*",))])
def test_an_address_and_all_addresses_change_places(
        mux_factory, before, after):
    mux = mux_factory(CAT, listen=before)
    early = mux.connect()
    mux.reload(text_of(mux, CAT, listen=after))
    assert mux.request("cat", b"x") == (OK, b"x")
    assert muxes.converse(early, b"cat\r\nearly") == OK + b"early"


# --- a name service that hangs ----------------------------------------------

@unsanitized  # its runtime wants to be the first that is preloaded
@root_only
def test_a_loader_that_hangs_is_given_up(mux_factory):
    later = Later(os.path.join("/tmp", f"later-{os.getpid()}"))
    mux = mux_factory(CAT, preexec=Hanging(), env=later.env)
    running = begin(mux, b"cat")
    children = mux.children()
    try:
        with hanging(mux):
            since = mux.ask_to_reload(text_of(mux, DOG))
            mux.wait_log("reload", since=since)
            eventually(lambda: len(mux.children()) == len(children) + 1,
                       what="the loader")
            assert mux.request("cat", b"x") == (OK, b"x")
            mux.ask_to_reload()
            assert mux.wait_log("reload", since=since, queued="yes")
            time.sleep(0.2)
            assert not mux.logs("reload-failed")
            later.be(29)
            assert mux.request("cat", b"x") == (OK, b"x")
            assert not mux.logs("reload-failed")
            later.be(31)
            failed = mux.wait_log("reload-failed", since=since)
            assert failed["reason"] == "timeout"
        # The one that was asked for meanwhile is next.
        mux.wait_log("reload", since=since, count=3)
        mux.wait_log("reloaded", timeout=15)
        assert mux.request("dog", b"x") == (OK, b"x")
        assert echoes(running)
    finally:
        later.forget()


# --- what it costs ----------------------------------------------------------

def test_thirty_reloads_leave_nothing(mux_factory):
    mux = mux_factory(CAT)
    running = begin(mux, b"cat")
    texts = [text_of(mux, CAT, DOG, parser=("workers 2",)),
             text_of(mux, CAT), "policy 1\nnonsense\n"]

    def all_three():
        mux.reload(texts[0])
        assert mux.request("dog", b"x") == (OK, b"x")
        mux.reload(texts[1])
        since = mux.ask_to_reload(texts[2])
        mux.wait_log("reload-failed", since=since)
        eventually(lambda: len(mux.children()) == 3, what="three children")

    for _ in range(3):
        all_three()
    before, memory, size = mux.fd_count(), mux.rss(), mapped(mux)
    for _ in range(10):
        all_three()
    eventually(lambda: mux.fd_count() <= before, what="its descriptors")
    assert mux.rss() - memory < 512 * 1024
    eventually(lambda: mapped(mux) <= size, what="what was mapped")
    assert echoes(running)


def mapped(mux):
    """Pages of its address space."""
    with open(f"/proc/{mux.pid}/statm") as file:
        return int(file.read().split()[0])
