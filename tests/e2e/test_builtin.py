"""The small services of RFC 862, 863, 864, 867 and 868, byte for byte."""

import calendar
import os
import random
import re
import shutil
import socket
import struct
import tempfile
import threading
import time

import pytest

import mux as muxes
from faults import run_to_end
from load import status
from mux import IS_ROOT, OK, eventually, policy, program, service
from rooms import unsanitized

KINDS = ("echo", "discard", "daytime", "time", "chargen")
DAYTIME = re.compile(rb"(\w+day, \w+ \d{1,2}, \d{4} \d\d:\d\d:\d\d)-UTC\r\n")
FROM_1900 = 2208988800
BAD_CHECK, POLICY = 1, 78
# Where one would be found though there is none beside tcpmuxd.
INSTALLED = ("/usr/local/libexec/tcpmuxd/tcpmuxd-builtin",
             "/usr/libexec/tcpmuxd/tcpmuxd-builtin")
ENDLESS = 64 << 20  # more than any test has on its way


def builtin(kind, *lines, **how):
    return service(kind, f"builtin {kind}", *lines, **how)


@pytest.fixture(scope="module")
def mux(shared_mux_factory):
    return shared_mux_factory(*map(builtin, KINDS))


def begin(mux, name, data=b"", **how):
    """A client that has been told +, and has sent this behind the line."""
    client = mux.connect(**how)
    client.sendall(name.encode() + b"\r\n" + data)
    reply = b""
    while len(reply) < len(OK):
        more = client.recv(len(OK) - len(reply))
        assert more, reply
        reply += more
    assert reply == OK
    return client


def rest(client):
    """All that comes until the end, which is none but a FIN."""
    answer = bytearray()
    while True:
        more = client.recv(65536)
        if not more:
            return bytes(answer)
        answer += more
        assert len(answer) < ENDLESS


def pid_of(mux, client):
    return int(mux.wait_log("launch", port=client.getsockname()[1])["pid"])


def ended(mux, client, **fields):
    """How its session has."""
    return mux.wait_log("exit", port=client.getsockname()[1], **fields)


def chargen_line(number):
    """RFC 864's example: 95 characters, 72 of them from the number-th on."""
    ring = "".join(map(chr, range(32, 127)))
    return (ring + ring)[number % 95:][:72].encode() + b"\r\n"


# --- what they say ----------------------------------------------------------

def test_echo_gives_everything_back_to_a_slow_reader(mux):
    """10 MB, the client's half of the connection closed before it reads on."""
    sent = random.Random(1).randbytes(10 << 20)
    client = mux.connect()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
    client.sendall(b"echo\r\n")
    assert client.recv(3) == OK
    pid = pid_of(mux, client)

    def send():
        client.sendall(sent)
        client.shutdown(socket.SHUT_WR)

    sender = threading.Thread(target=send, daemon=True)
    sender.start()
    received = bytearray()
    while len(received) < 1 << 20:
        received += client.recv(20000)
        if len(received) < 300000:
            time.sleep(0.005)
    assert mux.rss(pid) < 8 << 20  # it is not kept there
    received += rest(client)
    sender.join(10)
    assert received == sent
    assert ended(mux, client)["status"] == "0"


def test_echo_of_what_came_with_the_line_and_of_nothing(mux):
    assert mux.request("echo", b"\r\nx\0\xff") == (OK, b"\r\nx\0\xff")
    assert mux.request("echo") == (OK, b"")


def test_echo_answers_at_once(mux):
    client = begin(mux, "echo")
    for word in b"a", b"bc\r\n":
        client.sendall(word)
        assert client.recv(10) == word


def test_discard_takes_all_and_says_nothing(mux):
    client = begin(mux, "discard")
    client.sendall(bytes(1 << 20))
    client.setblocking(False)
    with pytest.raises(BlockingIOError):
        client.recv(1)
    client.setblocking(True)
    client.shutdown(socket.SHUT_WR)
    assert rest(client) == b""
    assert ended(mux, client)["status"] == "0"


def seconds_of(name, answer):
    if name == "time":
        assert len(answer) == 4
        return struct.unpack("!I", answer)[0] - FROM_1900
    line = DAYTIME.fullmatch(answer)
    assert line, answer
    return calendar.timegm(time.strptime(line[1].decode(),
                                         "%A, %B %d, %Y %H:%M:%S"))


@pytest.mark.parametrize("name", ["daytime", "time"])
def test_the_time(mux, name):
    """Whole and with its end, also for who has sent what nobody reads."""
    for data in b"", bytes(200000):
        before = int(time.time())
        client = begin(mux, name, data)
        answer = rest(client)
        assert before <= seconds_of(name, answer) <= time.time()
        client.close()
        assert mux.wait_log("exit", service=name)["status"] == "0"


def test_who_was_told_the_time_and_stays_is_left(mux):
    clients = [begin(mux, name) for name in ("daytime", "time")]
    for client in clients:
        rest(client)
        line = ended(mux, client)
        assert line["status"] == "0"
        assert 4.5 < float(line["duration_s"]) < 15


def test_chargen_turns(mux):
    """Two whole turns and more, while what the client sends is dropped."""
    client = begin(mux, "chargen", b"x" * 100000)
    client.sendall(b"y" * 100000)
    expected = b"".join(map(chargen_line, range(200)))
    received = b""
    while len(received) < len(expected):
        received += client.recv(len(expected) - len(received))
    assert received == expected
    client.close()
    assert mux.wait_log("exit", service="chargen")["status"] == "0"


def test_chargen_ends_with_the_client_s_stream(mux):
    client = begin(mux, "chargen")
    client.recv(1000)
    client.shutdown(socket.SHUT_WR)
    tail = rest(client)
    ring = b"".join(map(chargen_line, range(95)))
    # In the order of the ring to the last byte, wherever that is.
    assert tail[-50:] in ring + ring
    assert ended(mux, client)["status"] == "0"


# --- what they are ----------------------------------------------------------

def status_of(pid):
    with open(f"/proc/{pid}/status") as file:
        return dict(line.rstrip("\n").split(":\t", 1) for line in file)


@unsanitized  # there no filter is loaded
@pytest.mark.parametrize("name", KINDS)
def test_it_has_nothing_but_its_connection(mux, name):
    client = begin(mux, name)
    pid = pid_of(mux, client)
    filters = 2 if IS_ROOT else 1

    eventually(lambda: int(status_of(pid)["Seccomp_filters"]) > filters,
               what="a filter of its own")
    status = status_of(pid)
    with open(f"/proc/{pid}/cmdline", "rb") as file:
        assert file.read() == f"tcpmuxd-builtin\0{name}\0".encode()
    assert status["NoNewPrivs"] == "1"
    for which in "Inh", "Prm", "Eff", "Amb":
        assert int(status[f"Cap{which}"], 16) == 0, which
    if not IS_ROOT:
        return
    assert int(status["CapBnd"], 16) == 0
    assert status["Groups"].strip() == ""
    assert set(status["Uid"].split()) == {"65534"}
    assert set(status["Gid"].split()) == {"65534"}
    assert sorted(os.listdir(f"/proc/{pid}/fd")) == ["0", "1", "2"]
    assert os.readlink(f"/proc/{pid}/fd/0").startswith("socket:")
    assert os.readlink(f"/proc/{pid}/exe") == program("tcpmuxd-builtin")


def test_it_inherits_no_rights(mux_factory):
    """What is for other services of the policy is not for it."""
    if not IS_ROOT:
        pytest.skip("services that keep capabilities need root")
    mux = mux_factory(builtin("echo"), defaults=[
        "capabilities all", "new-privileges", "syscalls any", "env A=b"])
    client = begin(mux, "echo")
    status = status_of(pid_of(mux, client))
    assert status["NoNewPrivs"] == "1"
    assert int(status["CapPrm"], 16) == int(status["CapBnd"], 16) == 0
    assert [line["mode"] for line in mux.logs("launcher-ready")] in \
        ([], ["base"])


def test_limits_hold(mux_factory):
    mux = mux_factory(builtin("echo", "sessions 2", "per-source 2"),
                      builtin("chargen", "per-source 1"))
    first, second = begin(mux, "echo"), begin(mux, "echo")
    mux.refused("echo")
    mux.wait_log("refuse", service="echo", reason="sessions")
    other = begin(mux, "chargen")
    mux.refused("chargen")
    mux.wait_log("refuse", service="chargen", reason="per-source")
    for client in first, other:
        client.close()
    mux.wait_log("exit", service="echo")
    mux.wait_log("exit", service="chargen")
    assert mux.request("echo", b"again") == (OK, b"again")
    begin(mux, "chargen")
    second.close()


@unsanitized  # it wants terabytes of addresses
def test_under_the_tightest_policy(mux_factory):
    """All that can be taken away from a service: it needs none of it."""
    tight = ["filesystem read /dev/null", "limit open-files 8",
             "limit file-size 0", "limit address-space 16M", "limit cpu 10s",
             "limit stack 256K", "stderr null", "nice 5"]
    if IS_ROOT:
        tight += ["network none", "limit user-processes 0"]
    mux = mux_factory(*(builtin(kind, *tight) for kind in KINDS))
    assert mux.request("echo", b"abc") == (OK, b"abc")
    assert mux.request("discard", b"abc") == (OK, b"")
    assert DAYTIME.fullmatch(mux.request("daytime")[1])
    assert len(mux.request("time")[1]) == 4
    client = begin(mux, "chargen")
    assert client.recv(74, socket.MSG_WAITALL) == chargen_line(0)
    client.close()
    for kind in KINDS:
        mux.wait_log("exit", service=kind, status=0)


def reset(client):
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                      struct.pack("ii", 1, 0))
    client.close()


@pytest.mark.parametrize("name", KINDS)
def test_a_reset_at_any_time_leaves_nothing(mux_factory, name):
    """Before +, right behind it, with bytes in both directions, at the end."""
    mux = mux_factory(builtin(name, "sessions 100", "per-source 100"))
    line = name.encode() + b"\r\n"
    for turn in range(6):
        client = mux.connect()
        client.sendall(line)
        reset(client)
        reset(begin(mux, name))
        client = begin(mux, name, b"z" * 50000)
        if name != "discard":
            client.recv(1)
        reset(client)
        client = mux.connect()
        client.sendall(line[:turn])
        reset(client)
    eventually(lambda: set(mux.children()) <=
               {*mux.parsers(), *mux.launchers()}, what="the sessions' end")
    eventually(lambda: {*map(status(mux).get, ("pending", "launching",
                                               "running"))} == {0})
    for end in mux.logs("exit"):
        # One may be gone before the launch is over.
        assert end.get("status") == "0", end
    assert len(mux.logs("exit")) >= 12


def test_without_root(mux_factory):
    how = {"user": "nobody", "port": 10078} if IS_ROOT else {}
    mux = mux_factory(service("echo", "builtin echo", user="self"),
                      root=False, **how)
    assert mux.request("echo", b"abc") == (OK, b"abc")


def test_it_takes_a_reload(mux_factory):
    """A policy that is read again finds it again, and sessions go on."""
    mux = mux_factory(builtin("echo"))
    client = begin(mux, "echo")
    mux.reload(policy(builtin("echo"), builtin("time"), port=mux.port))
    client.sendall(b"still")
    assert client.recv(9) == b"still"
    assert len(mux.request("time")[1]) == 4


# --- where it is ------------------------------------------------------------

def own_tcpmuxd(directory, *, with_builtin):
    """A tcpmuxd in a folder of its own, and others beside it."""
    for name in ("tcpmuxd", "tcpmuxd-parser", "tcpmuxd-launcher",
                 *["tcpmuxd-builtin"] * with_builtin):
        shutil.copy(program(name), os.path.join(directory, name))
    os.chmod(directory, 0o755)
    return os.path.join(directory, "tcpmuxd")


def test_a_missing_program_is_a_mistake_that_says_where_it_was_sought(netns):
    if any(map(os.path.exists, INSTALLED)):
        pytest.skip("a tcpmuxd-builtin is installed here")
    text = policy(builtin("echo"), port=muxes.free_port())
    where = netns() if IS_ROOT else None
    with tempfile.TemporaryDirectory(prefix="tcpmuxd-test-") as directory:
        own = own_tcpmuxd(directory, with_builtin=False)
        for words, status in ((("-t",), BAD_CHECK), ((), POLICY)):
            got, lines = run_to_end(text, *words, netns=where, argv0=own)
            assert got == status
            assert re.search(
                r": the program that serves 'echo' is missing: there is "
                rf"neither {directory}/tcpmuxd-builtin nor "
                r"/\S+/libexec/tcpmuxd/tcpmuxd-builtin$", lines[-1][""]), lines
        assert run_to_end(text, "-t", "-s", argv0=own) == (0, [])
        assert run_to_end(text, "-t", argv0=own_tcpmuxd(
            directory, with_builtin=True)) == (0, [])
        os.chmod(f"{directory}/tcpmuxd-builtin", 0o644)
        got, lines = run_to_end(text, "-t", argv0=own)
        assert got == BAD_CHECK
        assert lines[-1][""].endswith("/tcpmuxd-builtin: not executable")


def test_the_kind_is_told():
    text = policy(builtin("time"), port=muxes.free_port())
    done = muxes.run_tcpmuxd(text, "-T", "-C", "service=time,addr=1.2.3.4")
    assert "\nbuiltin: time\n" in done.stdout
    assert "program: " not in done.stdout
    printed = muxes.run_tcpmuxd(text, "-T").stdout
    assert "\n\tbuiltin time\n" in printed
    assert muxes.run_tcpmuxd(printed, "-T").stdout == printed


@unsanitized  # there it is not static
def test_inside_a_chroot_it_has_to_be(mux_factory):
    if not IS_ROOT:
        pytest.skip("chroot needs root")
    with tempfile.TemporaryDirectory(prefix="tcpmuxd-test-") as jail:
        os.chmod(jail, 0o755)
        caged = builtin("echo", f"chroot {jail}")
        path = program("tcpmuxd-builtin")
        done = muxes.run_tcpmuxd(policy(caged), "-t")
        assert done.returncode == BAD_CHECK
        assert f"cannot use program {path} inside {jail}: " in done.stderr
        os.makedirs(os.path.dirname(jail + path))
        shutil.copy(path, jail + path)
        mux = mux_factory(caged)
        client = begin(mux, "echo")
        assert os.readlink(f"/proc/{pid_of(mux, client)}/root") == jail
        client.sendall(b"x")
        assert client.recv(1) == b"x"
        client.close()
        mux.wait_log("exit", status=0)
