"""Private network namespaces for the tests, and paths between them.

    with Netns() as a, Netns() as b, lossy(a, b, delay_ms=10, loss=5):
        with a.entered():                  # this thread only
            sock = socket.create_connection(("10.77.0.2", 1))
        a.run("ss", "-tn")                 # a command inside
        server = a.socket()                # a socket that lives inside

All of it needs root and nothing but iproute2; without them a test is skipped.
A namespace has no name, only a descriptor: it ends with its `with` block and
the last process inside, or with this process, whatever ends that.
"""

import contextlib
import ctypes
import fcntl
import os
import shutil
import socket
import struct
import subprocess

import pytest

import routes

CLONE_NEWNET = 0x40000000
SIOCSIFFLAGS, IFF_UP = 0x8914, 1
A4, B4, A6, B6 = "10.77.0.1", "10.77.0.2", "fd77::1", "fd77::2"
VETH_A4, VETH_B4, VETH_A6, VETH_B6 = ("10.78.0.1", "10.78.0.2",
                                      "fd78::1", "fd78::2")

_libc = ctypes.CDLL(None, use_errno=True)


def why_not():
    """Why namespaces cannot be had here, or None."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    if shutil.which("ip") is None:
        return "network namespaces need ip of iproute2"
    return None


def _checked(call, *arguments):
    if getattr(_libc, call)(*arguments) == -1:
        error = ctypes.get_errno()
        raise OSError(error, f"{call}: {os.strerror(error)}")


def setns(fd):
    """Move the calling thread, and no other, to the namespace of fd."""
    _checked("setns", fd, CLONE_NEWNET)


@contextlib.contextmanager
def _elsewhere(call, *arguments):
    """Where the call brings the calling thread; then back where it was."""
    before = _here()
    try:
        _checked(call, *arguments)
        try:
            yield
        finally:
            setns(before)
    finally:
        os.close(before)


def _here():
    return os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)


class Netns:
    """One namespace: loopback up, IPv6 on, nothing else."""

    def __init__(self, sysctls=None):
        reason = why_not()
        if reason is not None:
            pytest.skip(reason)
        self._owner = os.getpid()
        try:
            with _elsewhere("unshare", CLONE_NEWNET):
                self._fd = _here()
        except OSError as error:
            pytest.skip(f"no network namespaces here: {error}")
        # For the programs that we start, as long as we have it.
        self.path = f"/proc/{self._owner}/fd/{self._fd}"
        try:
            self.sysctl("net.ipv6.conf.all.disable_ipv6", 0)
            self.sysctl("net.ipv6.conf.default.disable_ipv6", 0)
            self.sysctl("net.ipv6.conf.default.accept_dad", 0)
            for key, value in (sysctls or {}).items():
                self.sysctl(key, value)
            with self.socket() as sock:
                fcntl.ioctl(sock, SIOCSIFFLAGS,
                            struct.pack("16sh14x", b"lo", IFF_UP))
        except BaseException:
            self.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        """Forget the namespace; it ends with the last process inside."""
        if self._fd == -1 or self._owner != os.getpid():
            return
        os.close(self._fd)
        self._fd = -1

    def entered(self):
        """Inside for the calling thread: its sockets and its children."""
        return _elsewhere("setns", self._fd, CLONE_NEWNET)

    def ip(self, *words):
        try:
            return self.run("ip", *words, timeout=30).stdout
        except subprocess.CalledProcessError as error:
            raise OSError(f"ip {' '.join(words)}: "
                          f"{error.stderr.strip()}") from None

    def acknowledge_at_once(self):
        """No delayed acknowledgements on loopback.

        A sender may then wait until each small piece has been acknowledged,
        and need not guess; otherwise each takes 40 ms from the 17th on.
        """
        with self.socket(socket.AF_NETLINK, socket.SOCK_RAW,
                         socket.NETLINK_ROUTE) as sock:
            routes.quickack(sock)

    def popen(self, argv, **options):
        with self.entered():
            return subprocess.Popen(argv, **options)

    def run(self, *argv, timeout=60, check=True, **options):
        """Run a command to its end; returns what it wrote as text."""
        with self.entered():
            return subprocess.run(argv, timeout=timeout, check=check,
                                  stdin=subprocess.DEVNULL, text=True,
                                  capture_output=True, **options)

    def socket(self, family=socket.AF_INET, kind=socket.SOCK_STREAM, proto=0):
        """A socket that stays inside, whoever uses it."""
        with self.entered():
            return socket.socket(family, kind, proto)

    def sysctl(self, key, value=None):
        """Read net.*, or write it when a value is given."""
        path = "/proc/sys/" + key.replace(".", "/")
        with self.entered():
            if value is None:
                with open(path) as file:
                    return file.read().strip()
            with open(path, "w") as file:
                file.write(str(value))
        return str(value)


def _address(netns, device, address4, address6):
    # No link-local address: its router solicitations would draw from the
    # generator that decides what is lost.
    netns.ip("link", "set", device, "addrgenmode", "none")
    netns.ip("link", "set", device, "up")
    netns.ip("addr", "add", f"{address4}/24", "dev", device)
    netns.ip("addr", "add", f"{address6}/64", "dev", device, "nodad")


@contextlib.contextmanager
def veth(a, b, device="veth0"):
    """A clean path: 10.78.0.1 and fd78::1 in a, .2 and ::2 in b."""
    a.ip("link", "add", device, "type", "veth", "peer", "name", device,
         "netns", b.path)
    try:
        _address(a, device, VETH_A4, VETH_A6)
        _address(b, device, VETH_B4, VETH_B6)
        yield
    finally:
        with contextlib.suppress(OSError):
            a.ip("link", "del", device)


class Lossy:
    """A running tests/tools/lossy; see lossy()."""

    def __init__(self, program, a, b, words):
        self.report = ""
        self._process = subprocess.Popen(
            [program, *words, a.path, b.path], text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE)
        if self._process.stdout.readline() != "ready\n":
            self.close()
            raise OSError(f"lossy did not start: {self.report}")

    def close(self):
        """End it; report then says what it carried each way."""
        if self._process.returncode is None:
            try:
                _, self.report = self._process.communicate(timeout=10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                _, self.report = self._process.communicate()

    def counts(self):
        """After close: {"a to b": {"passed": n, "lost": n, "refused": n}}."""
        counts = {}
        for line in self.report.splitlines():
            _, way, words = line.split(": ")
            words = words.split()
            counts[way] = dict(zip(words[::2], map(int, words[1::2])))
        return counts


@contextlib.contextmanager
def lossy(a, b, delay_ms=10, loss=0, seed=1, max_seconds=300, losses=None):
    """A bad path: 10.77.0.1 and fd77::1 in a, .2 and ::2 in b.

    delay_ms is one way, loss the percentage lost each way; losses=(x, y)
    tells a to b from b to a.
    """
    build = os.environ.get("TCPMUXD_BUILD", "build")
    program = os.path.abspath(os.path.join(build, "tests/tools/lossy"))
    if not os.path.exists(program):
        raise FileNotFoundError(f"{program}: build it with `make tools`")
    if not os.path.exists("/dev/net/tun"):
        pytest.skip("no /dev/net/tun, so no path with delay and loss")
    words = ["-d", str(delay_ms), "-s", str(seed), "-t", str(max_seconds)]
    words += ["-l", str(loss)] if losses is None else \
        ["-L", f"{losses[0]},{losses[1]}"]
    path = Lossy(program, a, b, words)
    try:
        _address(a, "lossy0", A4, A6)
        _address(b, "lossy0", B4, B6)
        yield path
    finally:
        path.close()
