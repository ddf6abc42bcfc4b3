"""Others' servers, with a configuration that lets them be as fast as they can.

Each function starts one; none if it is not installed, which LEFT_OUT then
says, or if it does not listen, which FAILED does. Two cannot be installed
beside each other: contrib/deps unpacks them below BUILD/bench/peers, where
add_unpacked finds them.
"""

import contextlib
import glob
import os
import shutil
import socket
import subprocess
import urllib.parse

import mux

from shared import servers

XINETD, XINETD_PLUS = "xinetd TCPMUX", "xinetd TCPMUXPLUS"
INETD, TCPSERVER = "GNU inetd", "tcpserver"
ACTIVATE = "systemd-socket-activate"
LEFT_OUT = {}
FAILED = []  # what the part that is measured has not told yet
_PACKAGES = {"xinetd": "xinetd", "inetutils-inetd": "inetutils-inetd",
             "tcpserver": "ucspi-tcp", ACTIVATE: "systemd"}

# What they refuse with; xinetd sends the string's end as well.
XINETD_REFUSAL = "-Service name not found\\r\\n\\x00"
XINETD_GO = "+Go\\r\\n\\x00"
# It says listen(10): more clients would measure lost SYNs. And its handler of
# SIGCHLD changes errno, so that it sleeps for a second when a child ends while
# it waits: what a connection costs it can be measured, its rate is that flaw's.
INETD_CLIENTS, INETD_ADDRESS = 8, "127.0.0.6"
INETD_NOTE = (f"GNU inetd has {INETD_CLIENTS} clients, as its backlog is 10; "
              "it sleeps for a second whenever a child ends while it waits, "
              "so its rate and its times are no measure.")

# NOLIBWRAP: else it looks up every client's name. cps: else it stops serving
# for a while when many come.
_XINETD_DEFAULTS = """
defaults
{
	log_type = FILE /dev/null
	instances = UNLIMITED
	cps = 1000000 1
	per_source = UNLIMITED
	flags = NOLIBWRAP
}
"""
_XINETD_SERVICE = """
service %s
{
	type = %s UNLISTED
	id = %s
	socket_type = stream
	protocol = tcp
	user = %s
	wait = no
	%s
}
"""


def _xinetd_conf(port, names, program):
    text = _XINETD_DEFAULTS + _XINETD_SERVICE % (
        "tcpmux", "INTERNAL", "tcpmux-stream", "root", f"port = {port}")
    for name in names:
        for kind, prefix in (("TCPMUX", ""), ("TCPMUXPLUS", "plus-")):
            text += _XINETD_SERVICE % (prefix + name, kind, prefix + name,
                                       "nobody", f"server = {program}")
    return text


def _inetd_conf(names, program):
    head = f"{INETD_ADDRESS}:tcpmux"
    return f"{head} stream tcp nowait root internal\n" + "".join(
        f"{head}/{name} stream tcp nowait nobody {program} {name}\n"
        for name in names)


def add_unpacked(build):
    """Where contrib/deps puts what it only unpacks."""
    path = os.path.abspath(os.path.join(build, "bench/peers/usr/sbin"))
    os.environ["PATH"] += os.pathsep + path


def is_there(command):
    if shutil.which(command):
        return True
    LEFT_OUT[command] = f"{_PACKAGES[command]} is not installed"
    return False


def _version_of(command):
    """Which of Debian's it is, for the report."""
    package, path = _PACKAGES[command], shutil.which(command)
    unpacked = glob.glob(os.path.join(path.removesuffix(
        f"/usr/sbin/{command}"), f"{package}_*.deb"))
    if unpacked:
        return urllib.parse.unquote(unpacked[0].split("_")[-2])
    done = subprocess.run(["dpkg-query", "-W", "-f", "${Version}", package],
                          capture_output=True, text=True)
    return done.stdout or "?"


def versions():
    return {command: _version_of(command) for command in _PACKAGES
            if shutil.which(command)}


@contextlib.contextmanager
def may_fail(name):
    """What fails in here is told, and the others go on."""
    try:
        yield
    except servers.FAILURES as error:
        FAILED.append(f"{name}: {error}")


def take_failed():
    failed = list(FAILED)
    FAILED.clear()
    return failed


def start(stack, name, argv, port, netns, **options):
    with may_fail(name):
        server = servers.Server(name, argv, port, netns,
                                stdout=subprocess.DEVNULL,
                                stderr=subprocess.DEVNULL, **options)
        stack.callback(server.close)
        server.wait_until_it_listens()
        return server
    return None


def start_xinetd(stack, netns, port, directory, names, program,
                 name=XINETD):
    if not is_there("xinetd"):
        return None
    conf = os.path.join(directory, f"xinetd-{port}.conf")
    with open(conf, "w") as file:
        file.write(_xinetd_conf(port, names, program))
    return start(stack, name, ["xinetd", "-dontfork", "-f", conf,
                               "-pidfile", f"{conf}.pid"], port, netns)


def start_inetd(stack, netns, directory, names, program):
    """On port 1, which its name for the service means."""
    if not is_there("inetutils-inetd"):
        return None
    conf = os.path.join(directory, "inetd.conf")
    with open(conf, "w") as file:
        file.write(_inetd_conf(names, program))
    server = start(stack, INETD,
                   ["inetutils-inetd", "-R", "100000000",
                    f"--pidfile={conf}.pid", conf], 1, netns,
                   address=INETD_ADDRESS, pidfile=f"{conf}.pid")
    if server is not None:
        server.clients, server.words = INETD_CLIENTS, ("--seconds", "1")
    return server


def start_tcpserver(stack, netns, port, program):
    if not is_there(TCPSERVER):
        return None
    return start(stack, TCPSERVER, [
        TCPSERVER, "-H", "-R", "-l", "0", "-c", "10000", "-b", "4096",
        servers.ADDRESS, str(port), program], port, netns)


def start_activate(stack, netns, port, program):
    if not is_there(ACTIVATE):
        return None
    return start(stack, ACTIVATE, [
        ACTIVATE, "--accept", "--inetd", "-l",
        f"{servers.ADDRESS}:{port}", program], port, netns)


def ask(server, netns, line):
    """What one client gets to read."""
    with netns.entered():
        sock = socket.create_connection((server.address, server.port), 10)
    with sock:
        sock.sendall(line)
        return mux.converse(sock, half_close=False)
