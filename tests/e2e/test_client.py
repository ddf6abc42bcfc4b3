"""tcpmux(1) against small servers of this file, on loopback only."""

import contextlib
import ctypes
import fcntl
import hashlib
import os
import pathlib
import pty
import re
import shutil
import signal
import socket
import struct
import subprocess
import threading

import pytest

TCPMUX = os.environ.get("TCPMUXD_BUILD", "build") + "/tcpmux"
REQUEST = b"echo\r\n"
SECONDS = 60  # the bound of every wait here


class Server:
    """Accepts one connection, reads the request line, runs a script on it."""

    def __init__(self, script, family=socket.AF_INET):
        host = "::1" if family == socket.AF_INET6 else "127.0.0.1"
        self.host = host
        self.listener = socket.create_server((host, 0), family=family)
        self.listener.settimeout(SECONDS)
        self.port = self.listener.getsockname()[1]
        self.request = b""
        self.error = None
        self.result = None
        self.script = script
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        try:
            peer, _ = self.listener.accept()
            with peer:
                peer.settimeout(SECONDS)
                while not self.request.endswith(b"\n"):
                    byte = peer.recv(1)
                    if not byte:
                        break
                    self.request += byte
                self.result = self.script(peer)
        except Exception as error:  # told by finish(), in the test's thread
            self.error = error
        finally:
            self.listener.close()

    def finish(self):
        self.thread.join(SECONDS)
        assert not self.thread.is_alive()
        if self.error:
            raise self.error
        return self.result


def command(server, *words, service="echo"):
    line = [TCPMUX, "-p", str(server.port), *words, server.host]
    return line + ([service] if service else [])


def run(server, *words, service="echo", **options):
    options.setdefault("input", b"")
    if "stdin" in options:
        del options["input"]
    options.setdefault("stdout", subprocess.PIPE)
    options.setdefault("stderr", subprocess.PIPE)
    return subprocess.run(command(server, *words, service=service),
                          timeout=SECONDS, **options)


def plain(*words):
    return subprocess.run([TCPMUX, *words], stdin=subprocess.DEVNULL,
                          capture_output=True, timeout=SECONDS)


def read_all(peer):
    received = b""
    while piece := peer.recv(1 << 16):
        received += piece
    return received


def sends(*pieces):
    def script(peer):
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for piece in pieces:
            peer.sendall(piece)
        peer.shutdown(socket.SHUT_WR)
        return read_all(peer)
    return script


# The answer line

def test_sends_the_name_and_crlf():
    server = Server(sends(b"+\r\n"))
    assert run(server).returncode == 0
    server.finish()
    assert server.request == REQUEST


def test_longest_and_strangest_names():
    for name in ["a" * 127, "9418", "acme-sync/2", "~!@#$%^&*()", "-x"]:
        server = Server(sends(b"+\r\n"))
        assert run(server, service=name).returncode == 0
        server.finish()
        assert server.request == name.encode() + b"\r\n"


@pytest.mark.parametrize("answer", [b"+\r\n", b"+Go\r\n", b"+ text here\r\n",
                                    b"+\n", b"+a\rb\r\n", b"+" + b"t" * 1000
                                    + b"\r\n"])
@pytest.mark.parametrize("tail", [b"", b"x", b"+\r\n-\r\n\0\xff", b"\n\n",
                                  b"y" * 100000])
def test_strips_the_line_and_nothing_else(answer, tail):
    server = Server(sends(answer + tail))
    result = run(server)
    assert (result.returncode, result.stdout, result.stderr) == (0, tail, b"")
    server.finish()


def test_answer_byte_by_byte():
    whole = b"+Go ahead\r\nthe data\n"
    server = Server(sends(*[bytes([byte]) for byte in whole]))
    result = run(server)
    assert (result.returncode, result.stdout) == (0, b"the data\n")
    server.finish()


def test_answer_in_every_split():
    whole = b"+Go\r\nD"
    for at in range(1, len(whole)):
        server = Server(sends(whole[:at], whole[at:]))
        result = run(server)
        assert (result.returncode, result.stdout) == (0, b"D")
        server.finish()


@pytest.mark.parametrize("at", range(8))
def test_urgent_byte_stays_in_its_place(at):
    whole = b"+Go\r\nDATA"

    def script(peer):
        peer.sendall(whole[:at])
        peer.send(whole[at:at + 1], socket.MSG_OOB)
        peer.sendall(whole[at + 1:])
        peer.shutdown(socket.SHUT_WR)

    server = Server(script)
    result = run(server)
    assert (result.returncode, result.stdout) == (0, b"DATA")
    server.finish()


@pytest.mark.parametrize("line, told", [
    (b"-Service not available\r\n", b"Service not available"),
    (b"-no\n", b"no"),
    (b"-cut off", b"cut off"),
    (b"-\x1b[31m\x07\\ \xc3\xa9\0\r\n",
     b"\\x1b[31m\\x07\\\\ \\xc3\\xa9\\x00"),
    (b"-\r\n", b""),
])
def test_refusal_is_status_1_and_escaped(line, told):
    server = Server(sends(line))
    result = run(server)
    assert (result.returncode, result.stdout) == (1, b"")
    assert result.stderr == b"tcpmux: echo refused: " + told + b"\n"
    server.finish()


@pytest.mark.parametrize("pieces", [
    [], [b"+"], [b"+Go"], [b"+Go\r"], [b"220 mail ready\r\n"], [b"\r\n"],
    [b"+" + b"x" * 1024 + b"\r\n"],
], ids=["nothing", "plus", "cut", "cut-at-cr", "other-protocol", "empty-line",
        "too-long"])
def test_no_answer_is_status_69(pieces):
    server = Server(sends(*pieces))
    result = run(server)
    assert (result.returncode, result.stdout) == (69, b"")
    assert result.stderr.startswith(b"tcpmux: echo: ")
    try:
        server.finish()
    except ConnectionError:
        pass  # the client left without reading the rest


@pytest.mark.parametrize("piece", [b"", b"+", b"-Serv"])
def test_no_answer_in_time(piece):
    def script(peer):
        peer.sendall(piece)
        return read_all(peer)  # until the client gives up

    server = Server(script)
    result = run(server, "-w", "1")
    assert result.returncode == 69
    assert result.stderr == b"tcpmux: echo: no answer in time\n"
    assert server.finish() == b""


def test_the_wait_ends_with_the_answer():
    """A relay that is silent for longer than -w goes on."""
    release = threading.Event()

    def script(peer):
        peer.sendall(b"+\r\n")
        assert release.wait(SECONDS)
        peer.sendall(b"late")

    server = Server(script)
    client = subprocess.Popen(command(server, "-w", "1"),
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    with pytest.raises(subprocess.TimeoutExpired):
        client.wait(1.5)
    release.set()
    assert client.communicate(timeout=SECONDS)[0] == b"late"
    assert client.returncode == 0
    server.finish()


# The relay

def echo(peer):
    peer.sendall(b"+\r\n")
    while piece := peer.recv(1 << 20):
        peer.sendall(piece)
    peer.shutdown(socket.SHUT_WR)


def test_half_close_of_standard_input():
    def script(peer):
        peer.sendall(b"+\r\n")
        received = read_all(peer)  # ends by the half-close alone
        peer.sendall(b"got " + received)

    server = Server(script)
    result = run(server, input=b"some words")
    assert (result.returncode, result.stdout) == (0, b"got some words")
    server.finish()


def test_ends_with_the_server_though_input_goes_on():
    server = Server(sends(b"+\r\nbye"))
    reading, writing = os.pipe()
    try:
        result = run(server, stdin=reading)
    finally:
        os.close(reading)
        os.close(writing)
    assert (result.returncode, result.stdout) == (0, b"bye")
    server.finish()


BLOCK = hashlib.sha256(b"tcpmux").digest() * 2048  # 64 KiB
BLOCKS = 1600  # 100 MiB


def digest_of_blocks():
    digest = hashlib.sha256()
    for _ in range(BLOCKS):
        digest.update(BLOCK)
    return digest.hexdigest()


def pump_blocks(write):
    for _ in range(BLOCKS):
        view = memoryview(BLOCK)
        while view:
            view = view[write(view):]


def digest_until_eof(read):
    digest = hashlib.sha256()
    while piece := read(1 << 20):
        digest.update(piece)
    return digest.hexdigest()


def both_ways(peer):
    """100 MiB down while 100 MiB come up: neither may wait for the other."""
    peer.sendall(b"+\r\n")
    sender = threading.Thread(target=pump_blocks, args=(peer.send,))
    sender.start()
    received = digest_until_eof(peer.recv)
    sender.join(SECONDS)
    return received


def ends_of(kind):
    """(client's stdin, ours to write), (client's stdout, ours to read)."""
    if kind == "pipe":
        (stdin, into), (out, stdout) = os.pipe(), os.pipe()
        return stdin, into, stdout, out
    mine, theirs = socket.socketpair()
    theirs_fd = theirs.detach()
    return theirs_fd, mine, os.dup(theirs_fd), mine


@pytest.mark.parametrize("is_blocking", [True, False])
@pytest.mark.parametrize("kind", ["pipe", "socketpair"])
def test_100_mib_both_ways_at_once(kind, is_blocking):
    server = Server(both_ways)
    stdin, into, stdout, out = ends_of(kind)
    os.set_blocking(stdin, is_blocking)
    os.set_blocking(stdout, is_blocking)
    client = subprocess.Popen(command(server), stdin=stdin, stdout=stdout)

    def write_all():
        if kind == "pipe":
            pump_blocks(lambda view: os.write(into, view))
            os.close(into)
        else:
            pump_blocks(into.send)
            into.shutdown(socket.SHUT_WR)

    writer = threading.Thread(target=write_all, daemon=True)
    writer.start()
    os.close(stdout)
    flags = fcntl.fcntl(stdin, fcntl.F_GETFL)
    assert bool(flags & os.O_NONBLOCK) != is_blocking
    os.close(stdin)
    read = (lambda n: os.read(out, n)) if kind == "pipe" else out.recv
    received = digest_until_eof(read)
    assert client.wait(SECONDS) == 0
    writer.join(SECONDS)
    assert received == digest_of_blocks()
    assert server.finish() == digest_of_blocks()
    if kind == "pipe":
        os.close(out)
    else:
        out.close()


def test_files_both_ways(tmp_path):
    source, sink = tmp_path / "source", tmp_path / "sink"
    with source.open("wb", buffering=0) as file:
        pump_blocks(file.write)
    server = Server(both_ways)
    with source.open("rb") as stdin, sink.open("wb") as stdout:
        result = run(server, stdin=stdin, stdout=stdout)
    assert result.returncode == 0
    assert server.finish() == digest_of_blocks()
    with sink.open("rb") as file:
        assert digest_until_eof(file.read) == digest_of_blocks()


@pytest.mark.parametrize("first", ["output", "input"])
def test_one_blocked_direction_does_not_hold_the_other(first):
    """Output that nobody reads must not stop input, nor the reverse."""
    enough = 16 << 20

    def script(peer):
        peer.sendall(b"+\r\n")
        if first == "input":
            peer.sendall(bytes(enough))  # while nothing is read here
            return read_all(peer)
        flood = threading.Thread(target=peer.sendall, args=(bytes(enough),))
        flood.start()
        received = 0
        while received < enough:
            received += len(peer.recv(1 << 20))
        done.set()
        flood.join(SECONDS)
        return received

    done = threading.Event()
    server = Server(script)
    client = subprocess.Popen(command(server), stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE)
    if first == "output":
        client.stdin.write(bytes(enough))  # while stdout is not read
        client.stdin.close()
        assert done.wait(SECONDS)
        assert len(client.stdout.read()) == enough
        assert server.finish() == enough
    else:
        blocked = threading.Thread(target=client.stdin.write,
                                   args=(bytes(enough),), daemon=True)
        blocked.start()  # the server does not read before it has sent all
        received = 0
        while received < enough:
            received += len(client.stdout.read1(1 << 20))
        blocked.join(SECONDS)
        client.stdin.close()
        assert len(server.finish()) == enough
    assert client.wait(SECONDS) == 0
    client.stdout.close()


def test_terminal_as_standard_output():
    lines = b"".join(b"line %d\n" % i for i in range(2000))
    server = Server(sends(b"+\r\n" + lines))
    ours, theirs = pty.openpty()
    client = subprocess.Popen(command(server), stdin=subprocess.DEVNULL,
                              stdout=theirs)
    os.close(theirs)
    received = b""
    try:
        while piece := os.read(ours, 1 << 16):
            received += piece
    except OSError:
        pass  # EIO: the terminal's last user has left
    os.close(ours)
    assert client.wait(SECONDS) == 0
    assert received == lines.replace(b"\n", b"\r\n")
    server.finish()


@pytest.mark.parametrize("size", [0, 1, 32 << 10, 1 << 20])
def test_service_that_closes_early(size):
    """It answers and closes while input still comes.

    What has reached this host must come out. What had not when our input
    met a closed socket is lost to TCP's reset, which must then be told.
    """
    data = os.urandom(size)
    server = Server(lambda peer: peer.sendall(b"+\r\n" + data))
    reading, writing = os.pipe()
    client = subprocess.Popen(command(server), stdin=reading,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    os.close(reading)
    server.finish()  # closed; its FIN is behind the data
    try:
        os.write(writing, b"nobody reads this")
    except BrokenPipeError:
        pass
    out, err = client.communicate(timeout=SECONDS)
    os.close(writing)
    if size < 1 << 20:
        assert (client.returncode, err, out) == (0, b"", data)
    elif client.returncode == 0:
        assert out == data
    else:
        assert client.returncode == 74 and b"the connection broke" in err
        assert data.startswith(out)


def test_reset_is_told():
    def script(peer):
        peer.sendall(b"+\r\n")
        assert peer.recv(1) == b"x"
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                        struct.pack("ii", 1, 0))

    server = Server(script)
    client = subprocess.Popen(command(server), stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    client.stdin.write(b"x")
    client.stdin.flush()
    client.wait(SECONDS)
    out, err = client.communicate(timeout=SECONDS)
    assert client.returncode == 74
    assert b"the connection broke" in err
    server.finish()


@pytest.mark.parametrize("kind", ["pipe", "socketpair"])
def test_output_nobody_reads_is_told(kind):
    server = Server(sends(b"+\r\n" + b"x" * 100))
    if kind == "pipe":
        out, stdout = os.pipe()
        os.close(out)
    else:
        ours, theirs = socket.socketpair()
        stdout = theirs.detach()
        ours.close()
    result = run(server, stdout=stdout)
    os.close(stdout)
    assert result.returncode == 74
    assert result.stderr == b"tcpmux: standard output: Broken pipe\n"


@pytest.mark.parametrize("kind", ["pipe", "socketpair"])
def test_who_has_read_all_may_close_before_the_end(kind):
    """As git does: it has its answer, closes both its ends and waits for us.
    That nothing more can be written is no failure where nothing comes."""
    server = Server(lambda peer: (peer.sendall(b"+\r\nx"), read_all(peer)))
    ours, theirs = os.pipe() if kind == "pipe" else \
        [end.detach() for end in socket.socketpair()]
    client = subprocess.Popen(command(server), stdin=subprocess.PIPE,
                              stdout=theirs, stderr=subprocess.PIPE)
    os.close(theirs)
    assert os.read(ours, 10) == b"x"
    os.close(ours)
    _, err = client.communicate(timeout=SECONDS)
    assert (client.returncode, err) == (0, b"")
    server.finish()


def test_full_disk_is_told():
    server = Server(sends(b"+\r\n" + b"x" * 100))
    with open("/dev/full", "wb") as full:
        result = run(server, stdout=full)
    assert result.returncode == 74
    assert b"No space left" in result.stderr


@pytest.mark.parametrize("closing, status, told", [
    ("<&-", 0, b""),
    (">&-", 74, b"tcpmux: standard output: Bad file descriptor\n"),
    ("<&- >&- 2>&-", 74, b""),
])
def test_closed_standard_descriptors(closing, status, told):
    """The socket must not take the number of one of them."""
    server = Server(sends(b"+\r\nnever into a socket"))
    result = subprocess.run(
        ["sh", "-c", f'exec "$@" {closing}', "sh", *command(server)],
        stdin=subprocess.DEVNULL, capture_output=True, timeout=SECONDS)
    assert (result.returncode, result.stderr) == (status, told)
    assert server.finish() == b""


def test_directory_as_standard_input():
    server = Server(lambda peer: (peer.sendall(b"+\r\n"), read_all(peer)))
    directory = os.open("/", os.O_RDONLY)
    result = run(server, stdin=directory)
    os.close(directory)
    assert result.returncode == 74
    assert result.stderr == b"tcpmux: standard input: Is a directory\n"


# -l

def test_list_prints_names():
    server = Server(sends(b"echo\r\ngit\r\n-odd\r\nrsync\r\n"))
    result = run(server, "-l", service=None)
    assert (result.returncode, result.stderr) == (0, b"")
    assert result.stdout == b"echo\ngit\n-odd\nrsync\n"
    server.finish()
    assert server.request == b"HELP\r\n"


def test_list_escapes_and_takes_a_last_line_without_end():
    server = Server(sends(b"a\x1b]0;x\x07\r\n", b"caf\xc3\xa9\n", b"last"))
    result = run(server, "-l", service=None)
    assert result.returncode == 0
    assert result.stdout == b"a\\x1b]0;x\\x07\ncaf\\xc3\\xa9\nlast\n"
    server.finish()


def test_list_may_be_empty_or_refused_or_never_end():
    server = Server(sends())
    assert run(server, "-l", service=None).returncode == 0
    server = Server(sends(b"-Service not available\r\n"))
    result = run(server, "-l", service=None)
    assert (result.returncode, result.stdout) == (1, b"")
    assert result.stderr == b"tcpmux: refused: Service not available\n"
    server = Server(lambda peer: (peer.sendall(b"echo\r\n"), read_all(peer)))
    result = run(server, "-l", "-w", "1", service=None)
    assert (result.returncode, result.stdout) == (69, b"echo\n")


def test_list_that_never_ends_is_given_up():
    def flood(peer):
        with contextlib.suppress(OSError):
            while True:
                peer.sendall(b"echo\r\n" * 1000)

    server = Server(flood)
    result = run(server, "-l", "-w", "1", service=None)
    assert result.returncode == 69
    assert result.stderr == b"tcpmux: no answer in time\n"


# The command line and the connection

@pytest.mark.parametrize("words", [
    [], ["host"], ["-l"], ["-l", "host", "echo"], ["host", "a", "b"],
    ["-x", "host", "echo"], ["-p"], ["-p", "0", "host", "echo"],
    ["-p", "65536", "host", "echo"], ["-p", "1x", "host", "echo"],
    ["-p", "", "host", "echo"], ["-w", "0", "host", "echo"],
    ["-w", "-1", "host", "echo"], ["-w", "99999999999", "host", "echo"],
])
def test_usage_is_status_64(words):
    result = plain(*words)
    assert (result.returncode, result.stdout) == (64, b"")
    assert result.stderr


@pytest.mark.parametrize("name", ["", "two words", "a\tb", "caf\u00e9",
                                  "a\r\nb", "x" * 128, "\x7f"])
def test_invalid_names_are_never_sent(name):
    result = plain("192.0.2.1", name)
    assert result.returncode == 64
    assert b"not a service's name" in result.stderr


@pytest.mark.parametrize("name", ["HELP", "help", "hElP"])
def test_help_is_reserved(name):
    result = plain("192.0.2.1", name)
    assert result.returncode == 64
    assert b"use -l" in result.stderr


def closed_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return str(listener.getsockname()[1])


def test_refused_connection_is_status_69():
    port = closed_port()
    result = plain("-p", port, "127.0.0.1", "echo")
    assert result.returncode == 69
    assert result.stderr == (b"tcpmux: 127.0.0.1 port %s: "
                             b"Connection refused\n" % port.encode())


def test_unanswered_connection_is_status_69():
    """A full backlog drops the SYN: connect itself must time out."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(0)
    port = listener.getsockname()[1]
    fillers = []
    for _ in range(4):
        filler = socket.socket()
        filler.setblocking(False)
        filler.connect_ex(("127.0.0.1", port))
        fillers.append(filler)
    result = plain("-w", "1", "-p", str(port), "127.0.0.1", "echo")
    for filler in fillers:
        filler.close()
    listener.close()
    assert result.returncode == 69
    assert b"Connection timed out" in result.stderr \
        or b"no answer in time" in result.stderr


def test_host_that_does_not_exist():
    result = plain("-w", "20", "-4", "::1", "echo")
    assert result.returncode == 69
    assert result.stderr.startswith(b"tcpmux: ::1: ")


def test_ipv6():
    server = Server(echo, socket.AF_INET6)
    result = run(server, "-6v", input=b"six")
    assert (result.returncode, result.stdout) == (0, b"six")
    assert b"::1 port %d: connected" % server.port in result.stderr
    server.finish()


def test_next_address():
    families = {entry[0] for entry in
                socket.getaddrinfo("localhost", 1, type=socket.SOCK_STREAM)}
    if families != {socket.AF_INET, socket.AF_INET6}:
        pytest.skip("localhost has not both addresses here")
    server = Server(echo)  # IPv4 only; localhost is ::1 first
    server.host = "localhost"
    result = run(server, "-v", input=b"four")
    assert (result.returncode, result.stdout) == (0, b"four")
    assert b"127.0.0.1 port %d: connected" % server.port in result.stderr
    server.finish()


def test_verbose_tells_the_answer_escaped():
    server = Server(sends(b"+Go \x1b[2J\r\n"))
    result = run(server, "-v")
    assert result.returncode == 0
    assert b"tcpmux: echo: answer: +Go \\x1b[2J\n" in result.stderr
    server.finish()


def test_version():
    result = plain("-V")
    assert result.returncode == 0
    assert re.fullmatch(rb"tcpmux [0-9.]+( \(sanitizer build: sandbox "
                        rb"relaxed\))?\n", result.stdout)


# The sandbox

def status_of(pid):
    text = pathlib.Path(f"/proc/{pid}/status").read_text()
    return dict(line.split(":\t", 1) for line in text.splitlines())


def test_confined_before_the_first_byte_of_the_server():
    """The request is sent from inside; the server looks before it answers."""
    def script(peer):
        assert started.wait(SECONDS)
        status = status_of(pid[0])
        peer.sendall(b"+\r\n")
        return status["Seccomp"].strip(), status["NoNewPrivs"].strip()

    started, pid = threading.Event(), []
    server = Server(script)
    client = subprocess.Popen(command(server), stdin=subprocess.DEVNULL)
    pid.append(client.pid)
    started.set()
    assert client.wait(SECONDS) == 0
    assert server.finish() == ("2", "1")


def test_uses_no_call_outside_the_table():
    if not shutil.which("strace"):
        pytest.skip("strace is not installed")
    server = Server(echo)
    traced = subprocess.run(["strace", *command(server)], input=b"data",
                            capture_output=True, timeout=SECONDS)
    if b"ptrace" in traced.stderr.lower():
        pytest.skip("strace may not trace here")
    assert (traced.returncode, traced.stdout) == (0, b"data")
    calls = re.findall(r"^([a-z_0-9]+)\(", traced.stderr.decode(), re.M)
    confined = calls[calls.index("seccomp"):]
    while "seccomp" in confined:
        confined = confined[confined.index("seccomp") + 1:]
    if b"sanitizer" in plain("-V").stdout:
        pytest.skip("a sanitizer has calls of its own")
    assert set(confined) <= {"recvfrom", "sendto", "splice", "read", "write",
                             "shutdown", "ppoll", "clock_gettime",
                             "exit_group"}
    assert "splice" in confined
    server.finish()


def refuse_seccomp():
    """In the child: seccomp(2) and prctl(PR_SET_SECCOMP) fail with EPERM."""
    libc = ctypes.CDLL(None, use_errno=True)
    number = {"x86_64": 317, "aarch64": 277}[os.uname().machine]
    prctl = {"x86_64": 157, "aarch64": 167}[os.uname().machine]
    rules = [(0x20, 0, 0, 0),  # the call's number
             (0x15, 3, 0, number),
             (0x15, 0, 3, prctl),
             (0x20, 0, 0, 16),  # its first argument
             (0x15, 0, 1, 22),  # PR_SET_SECCOMP
             (0x06, 0, 0, 0x00050001),  # EPERM
             (0x06, 0, 0, 0x7FFF0000)]
    code = ctypes.create_string_buffer(
        b"".join(struct.pack("HBBI", *rule) for rule in rules))
    program = struct.pack("HxxxxxxP", len(rules), ctypes.addressof(code))
    buffer = ctypes.create_string_buffer(program)
    if libc.prctl(38, 1, 0, 0, 0) or libc.prctl(22, 2, buffer):
        raise OSError(ctypes.get_errno(), "seccomp")


def test_does_not_run_unconfined():
    if os.uname().machine not in ("x86_64", "aarch64"):
        pytest.skip("system call numbers of this machine not known here")
    server = Server(lambda peer: None)
    result = run(server, preexec_fn=refuse_seccomp)
    assert (result.returncode, result.stdout) == (71, b"")
    assert result.stderr.startswith(b"tcpmux: cannot enter the sandbox: ")
    server.finish()
    assert server.request == b""  # not even asked


def test_continues_after_a_stop():
    """A stopped and continued wait is resumed without a new system call."""
    server = Server(echo)
    client = subprocess.Popen(command(server), stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE)
    client.stdin.write(b"a")
    client.stdin.flush()
    assert client.stdout.read(1) == b"a"
    os.kill(client.pid, signal.SIGSTOP)
    os.waitpid(client.pid, os.WUNTRACED)
    os.kill(client.pid, signal.SIGCONT)
    assert client.communicate(b"b", timeout=SECONDS)[0] == b"b"
    assert client.returncode == 0
    server.finish()
