"""Real, unmodified programs through port 1: rsync, git, ssh, distcc, NRPE, and
scripts of Python and Perl.

Each is served by its file of policy/policy.d, in which a test changes nothing
but who may, users and places; and its own client comes in by tcpmux, as that
file says: as RSYNC_CONNECT_PROG, core.gitProxy, ProxyCommand, DISTCC_SSH, or
from a socket. Without root they take a high port, and have no namespaces; ssh
needs root. BitlBee has no file there, and no client but us.
"""

import contextlib
import json
import os
import pathlib
import random
import re
import shutil
import socket
import subprocess
import tempfile
import threading

import pytest

from mux import (IS_ROOT, LOCAL4, LOCAL6, OK, REFUSAL, eventually, policy,
                 program, run_tcpmuxd, service)

TREE_FILES, TREE_BYTES = 2000, 200_000_000
COMMITS = 300


def needs(*names):
    """The programs' paths; skips unless all are there."""
    paths = [shutil.which(name, path=os.environ.get("PATH", "") +
                          ":/usr/sbin:/sbin:/usr/lib/nagios/plugins") for name in names]
    missing = [name for name, path in zip(names, paths) if path is None]
    if missing:
        pytest.skip(f"not installed: {' '.join(missing)}")
    return paths


def run(mux, *argv, env=None, check=True, **options):
    """A client where the mux is; it knows nothing of whose test it is."""
    clean = {"PATH": os.environ["PATH"], "HOME": mux.dir, "LC_ALL": "C",
             **(env or {})}
    with mux._inside():
        done = subprocess.run([str(word) for word in argv], env=clean,
                              stdin=options.pop("stdin", subprocess.DEVNULL),
                              capture_output=True, timeout=60, **options)
    assert done.returncode == 0 or not check, (
        f"{argv}: {done.returncode}\n{done.stderr.decode()}\n"
        f"{mux.log.tail()}")
    return done


def tcpmux(mux):
    """What to put before HOST SERVICE."""
    return f"{program('tcpmux')} -p {mux.port}"


ROOT = pathlib.Path(__file__).resolve().parents[2]
POLICIES = ROOT / "policy/policy.d"
SCRIPTS = ROOT / "contrib/services"
# A user that nobody else runs anything as: files limit how much it may.
UID = 61100 + os.getpid() % 800 if IS_ROOT else os.getuid()
USER = f"{UID}\n\tgroup 65534" if IS_ROOT else "self"
CLIENTS = re.compile(r"^net (\S+-clients) .*$", re.M)


def shipped(home, name, user=None, changes=()):
    """policy.d's file for our clients, as a directory that is included.

    user: who runs its service, and is somebody there is here. changes: pairs
    of what it says and what it says here; every one has to be there. Without
    root there are no namespaces, and our user runs more than the service.
    """
    text = (POLICIES / f"{name}.policy").read_text()
    text, count = CLIENTS.subn(rf"net \1 {LOCAL4} {LOCAL6}", text)
    assert count == 1
    changes = [*changes]
    if user is not None:
        changes += [(f"\tuser        {user}\n", f"\tuser        {USER}\n")]
    for old, new in changes:
        assert old in text, f"{name}.policy has no {old!r}"
        text = text.replace(old, str(new))
    if not IS_ROOT:
        text = re.sub(r"^\t(isolate|limit +user-processes) .*\n", "", text,
                      flags=re.M)
    directory = home / "policy.d"
    directory.mkdir(mode=0o755, exist_ok=True)
    (directory / f"{name}.policy").write_text(text)
    return f"include {directory}\n"


def given(path):
    """A folder, made if it is not there, of the services' user."""
    path.mkdir(exist_ok=True)
    os.chown(path, UID, -1)
    return path


@pytest.fixture
def home():
    """A folder that services may look into, gone at once: it may be big.

    Not in /tmp, where `isolate` would put an empty one over it.
    """
    with tempfile.TemporaryDirectory(
            prefix="tcpmuxd-test-", dir="/var/lib" if IS_ROOT else
            None) as directory:
        os.chmod(directory, 0o755)
        yield pathlib.Path(directory)


# --- rsync ------------------------------------------------------------------

def plant(root, count=TREE_FILES, total=TREE_BYTES, seed=1078):
    """Files of all sizes, from none to megabytes, in nested folders."""
    rng = random.Random(seed)
    weights = [rng.paretovariate(1.2) for _ in range(count - 1)]
    weights = [min(weight, 40.0) for weight in weights]
    scale = total / sum(weights)
    with open("/dev/urandom", "rb") as noise:
        for i, weight in enumerate([0.0, *weights]):
            folder = root / f"d{i % 13}" / f"with blank {i % 7}"
            folder.mkdir(parents=True, exist_ok=True)
            size = int(weight * scale)
            (folder / f"file-{i}").write_bytes(noise.read(size))
    (root / "link").symlink_to("d0/nowhere")
    files = [path for path in root.rglob("*") if path.is_file()]
    assert len(files) == count
    assert abs(sum(f.stat().st_size for f in files) - total) < total / 100


def rsync_service(home):
    config = home / "rsyncd.conf"
    config.write_text(
        "use chroot = no\nmunge symlinks = no\nreverse lookup = no\n"
        f"[tree]\npath = {home}/tree\nread only = yes\n"
        f"[upload]\npath = {home}/upload\nread only = no\n")
    (home / "tree").mkdir()
    (home / "upload").mkdir()
    needs("rsync")
    return shipped(home, "rsync", "rsync-ro",
                   [("/etc/rsyncd-mux.conf", config),
                    ("limit       file-size 0", "limit file-size 1G"),
                    (f"/srv/mirror {config}\n", f"{home}/tree {config}\n"
                     f"\tfilesystem write {home}/upload\n")])


def rsync_env(mux):
    return {"RSYNC_CONNECT_PROG": f"{tcpmux(mux)} %H rsync"}


def same(mux, one, other):
    """diff -r finds nothing; links are compared, not followed."""
    done = run(mux, "diff", "-r", "--no-dereference", one, other)
    assert done.stdout == b""


def test_rsync_2000_files_and_200_mb(mux_factory, home):
    rsync_is = rsync_service(home)
    mux = mux_factory(rsync_is)
    plant(home / "tree")
    listing = run(mux, "rsync", f"rsync://{LOCAL4}/", env=rsync_env(mux))
    assert listing.stdout.split() == [b"tree", b"upload"]
    run(mux, "rsync", "-rl", "--whole-file", f"rsync://{LOCAL4}/tree/",
        home / "copy", env=rsync_env(mux))
    same(mux, home / "tree", home / "copy")
    mux.wait_log("exit", service="rsync", status=0)


def test_rsync_uploads_and_updates(mux_factory, home):
    """The other direction; then a second run, which sends differences."""
    mux = mux_factory(rsync_service(home))
    plant(home / "tree", count=200, total=10_000_000)
    given(home / "upload")
    target = f"rsync://{LOCAL4}/upload/"
    run(mux, "rsync", "-rl", f"{home}/tree/", target, env=rsync_env(mux))
    same(mux, home / "tree", home / "upload")
    biggest = max((home / "tree").rglob("file-*"),
                  key=lambda path: path.stat().st_size)
    with open(biggest, "r+b") as file:
        file.seek(biggest.stat().st_size // 2)
        file.write(b"in the middle")
    (home / "tree/d1/new").write_bytes(b"\0new\r\n")
    done = run(mux, "rsync", "-rl", "--checksum", "--stats",
               f"{home}/tree/", target, env=rsync_env(mux))
    same(mux, home / "tree", home / "upload")
    assert b"Number of regular files transferred: 2" in done.stdout
    assert {path.lstat().st_uid for path in (home / "upload").rglob("*")} == \
        {UID}


def test_rsync_clients_at_once(mux_factory, home):
    mux = mux_factory(rsync_service(home))
    plant(home / "tree", count=100, total=5_000_000)
    clients = []
    with mux._inside():
        for i in range(4):  # as many as the policy grants one source
            clients.append(subprocess.Popen(
                ["rsync", "-rl", f"rsync://{LOCAL4}/tree/",
                 f"{home}/copy-{i}"], stdin=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                env={"PATH": os.environ["PATH"], **rsync_env(mux)}))
    for i, client in enumerate(clients):
        assert client.wait(30) == 0, client.stderr.read()
        client.stderr.close()
        same(mux, home / "tree", home / f"copy-{i}")


# --- git --------------------------------------------------------------------

def write_history(git, repository, seed=1078):
    """A bare repository with 300 commits, a tag and a merge."""
    rng = random.Random(seed)
    stream = []

    def data(content):
        stream.append(b"data %d\n%s\n" % (len(content), content))

    for i in range(1, COMMITS + 1):
        branch = b"topic" if 100 <= i < 120 else b"main"
        stream.append(b"commit refs/heads/%s\nmark :%d\n" % (branch, i))
        stream.append(b"committer A Person <a@example.org> %d +0000\n" %
                      (1_700_000_000 + i))
        data(b"commit %d" % i)
        if i == 100:
            stream.append(b"from :99\n")
        if i == 120:
            stream.append(b"from :99\nmerge :119\n")
        stream.append(b"M 100644 inline folder-%d/file-%d\n" % (i % 9, i))
        data(rng.randbytes(rng.randrange(1, 20000)))
    stream.append(b"tag v1\nfrom :250\ntagger A <a@example.org> 1 +0000\n")
    data(b"a tag")
    run_git = [git, "-C", str(repository)]
    subprocess.run([git, "init", "-q", "--bare", "-b", "main",
                    str(repository)], check=True, timeout=60)
    subprocess.run([*run_git, "fast-import", "--quiet"], timeout=60,
                   input=b"".join(stream), check=True)
    return subprocess.run([*run_git, "show-ref"], check=True,
                          capture_output=True, timeout=60).stdout


def git_proxy(mux, home):
    """core.gitProxy takes a command without arguments."""
    if mux.port == 1:
        return program("tcpmux")
    proxy = home / "proxy"
    proxy.write_text(f'#!/bin/sh\nexec {tcpmux(mux)} "$@"\n')
    proxy.chmod(0o755)
    return proxy


def test_git_clone_of_300_commits(mux_factory, home):
    [git] = needs("git")
    base = home / "git"
    base.mkdir()
    refs = write_history(git, base / "project.git")
    (base / "project.git/git-daemon-export-ok").touch()
    (base / "secret.git").mkdir()
    mux = mux_factory(shipped(home, "git", "git-ro", [
        ("/srv/git", base), ("--inetd", "--inetd --verbose")]))
    client = [git, "-c", f"core.gitProxy={git_proxy(mux, home)}"]
    clone = home / "clone"
    run(mux, *client, "clone", "-q", f"git://{LOCAL4}/project.git", clone)
    fsck = run(mux, git, "-C", clone, "fsck", "--full", "--strict")
    assert (fsck.stdout + fsck.stderr).strip() == b""
    count = run(mux, git, "-C", clone, "rev-list", "--all", "--count")
    assert int(count.stdout) == COMMITS
    listed = run(mux, *client, "ls-remote", f"git://{LOCAL4}/project.git",
                 "refs/*").stdout.replace(b"\t", b" ").splitlines()
    assert set(refs.splitlines()) <= set(listed)
    head = run(mux, git, "-C", clone, "rev-parse", "HEAD").stdout.split()[0]
    assert head + b" refs/heads/main" in refs.splitlines()
    assert run(mux, git, "-C", clone, "status", "--porcelain").stdout == b""
    # What git daemon says of it on stderr goes to the log.
    eventually(lambda: any("Request upload-pack for '/project.git'"
                           in line["text"] for line in mux.logs("stderr")))
    # Who asks for what is not there hears it from git, not from the mux.
    for name in "none", "secret":
        done = run(mux, *client, "ls-remote", f"git://{LOCAL4}/{name}.git",
                   check=False)
        assert done.returncode == 128
        assert f"/{name}.git".encode() in done.stderr


# --- ssh --------------------------------------------------------------------

@pytest.fixture
def privsep():
    """sshd's own empty folder; a running sshd has made it already."""
    path = pathlib.Path("/run/sshd")
    made = IS_ROOT and not path.exists()
    if made:
        path.mkdir(mode=0o755)
    yield
    if made:
        path.rmdir()


@pytest.fixture
def ssh(mux_factory, home, privsep):
    """A function that runs ssh with these words behind its options."""
    if not IS_ROOT:
        pytest.skip("sshd lets others in only as root")
    client, keygen, _ = needs("ssh", "ssh-keygen", "sshd")
    for key in "host", "user":
        subprocess.run([keygen, "-q", "-t", "ed25519", "-N", "", "-f",
                        str(home / key)], check=True, timeout=60)
    (home / "authorized").write_text((home / "user.pub").read_text())
    (home / "known").write_text(
        f"{LOCAL4} {(home / 'host.pub').read_text()}")
    config = home / "sshd_config"
    config.write_text(
        f"HostKey {home}/host\nAuthorizedKeysFile {home}/authorized\n"
        "StrictModes no\nUsePAM no\nPermitRootLogin prohibit-password\n"
        "PidFile none\nUseDNS no\n")
    mux = mux_factory(shipped(home, "ssh", changes=[
        ("sshd -i\n", f"sshd -i -f {config}\n")]))

    def connect(*words, **options):
        return run(mux, client, "-F", "none", "-i", home / "user",
                   "-o", f"UserKnownHostsFile={home}/known",
                   "-o", "StrictHostKeyChecking=yes", "-o", "BatchMode=yes",
                   "-o", f"ProxyCommand={tcpmux(mux)} {LOCAL4} ssh",
                   f"root@{LOCAL4}", *words, **options)

    connect.mux = mux
    return connect


def test_ssh_runs_a_command(ssh):
    """With the full run of root: groups, capabilities, a shell, a status."""
    done = ssh("echo hello; id -u; umask; "
               "grep -E '^(CapBnd|NoNewPrivs)' /proc/self/status; exit 7",
               check=False)
    out = done.stdout.decode().split()
    assert out[:3] == ["hello", "0", "0022"], done.stderr
    assert done.returncode == 7
    facts = dict(zip(out[3::2], out[4::2]))
    with open("/proc/self/status") as file:
        own = dict(line.split(":\t") for line in file)
    assert facts["NoNewPrivs:"] == "0"
    assert int(facts["CapBnd:"], 16) == int(own["CapBnd"], 16)
    ssh.mux.wait_log("exit", service="ssh")


def test_ssh_carries_bytes_both_ways(ssh, home):
    noise = random.Random(22).randbytes(5_000_000)
    (home / "noise").write_bytes(noise)
    with open(home / "noise", "rb") as file:
        done = ssh("cat", stdin=file)
    assert done.stdout == noise


def test_ssh_keeps_what_a_login_leaves_behind(ssh, home):
    """`leftovers keep`: as after any login, a job in the background stays."""
    ssh(f"mkfifo {home}/fifo; (read line <{home}/fifo; "
        f"echo $line >{home}/told) >/dev/null 2>&1 </dev/null &")
    ssh.mux.wait_log("exit", service="ssh")
    with open(home / "fifo", "w") as fifo:
        fifo.write("still here\n")
    eventually((home / "told").exists, what="the job")
    eventually(lambda: (home / "told").read_text() == "still here\n")


# --- distcc -----------------------------------------------------------------

def distcc_wrapper(mux, home):
    """The two lines that the policy's comment tells people to write."""
    [line] = re.findall(r"printf '(.*?)'", (POLICIES / "distcc.policy")
                        .read_text())
    wrapper = home / "tcpmux-distcc"
    wrapper.write_text(line.replace("\\n", "\n").replace(
        "tcpmux ", tcpmux(mux) + " "))
    wrapper.chmod(0o755)
    return wrapper


def test_distcc_compiles_here(mux_factory, home):
    distcc, gcc, _ = needs("distcc", "gcc", "distccd")
    mux = mux_factory(shipped(home, "distcc", "distccd", [
        ("/var/spool/distcc-mux", given(home / "work"))]))
    (home / "hello.c").write_text(
        '#include <stdio.h>\nint main(void) { puts("compiled"); }\n')
    (home / "wrong.c").write_text("int main(void) { return nothing; }\n")
    (home / "state").mkdir()
    # Where no other compiles for it: it fails rather than do it itself.
    env = {"DISTCC_HOSTS": f"@{LOCAL4}", "DISTCC_FALLBACK": "0",
           "DISTCC_SSH": str(distcc_wrapper(mux, home)),
           "DISTCC_DIR": str(home / "state")}
    run(mux, distcc, "gcc", "-c", home / "hello.c", "-o", home / "hello.o",
        env=env)
    mux.wait_log("exit", service="distcc", status=0)
    run(mux, gcc, home / "hello.o", "-o", home / "hello")
    assert run(mux, home / "hello").stdout == b"compiled\n"
    done = run(mux, distcc, "gcc", "-c", home / "wrong.c", "-o",
               home / "wrong.o", env=env, check=False)
    assert done.returncode == 1 and b"nothing" in done.stderr
    mux.wait_log("exit", service="distcc", count=2)


# --- NRPE -------------------------------------------------------------------

@contextlib.contextmanager
def socket_of(mux, name):
    """A port whose every connection is handed to tcpmux, as systemd's
    Accept=yes does: yields the port."""
    def serve():
        with contextlib.suppress(OSError):
            while True:
                sock, _ = listener.accept()
                with sock:
                    subprocess.run([*tcpmux(mux).split(), LOCAL4, name],
                                   stdin=sock, stdout=sock, timeout=60)

    with mux._inside():  # where a thread is begun, it stays
        listener = socket.create_server((LOCAL4, 0))
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(10)


def test_nrpe_tells_what_it_is_asked(mux_factory, home):
    _, check = needs("nrpe", "check_nrpe")
    config = home / "nrpe.cfg"
    config.write_text(
        "allowed_hosts=127.0.0.1,::1\ndont_blame_nrpe=0\n"
        "command[check_fine]=/bin/echo FINE as can be\n"
        "command[check_bad]=/bin/sh -c 'echo BAD; exit 2'\n")
    mux = mux_factory(shipped(home, "nrpe", "nagios",
                              [("/etc/nagios/nrpe.cfg", config),
                               ("/etc/nagios /proc\n", f"{config} /proc\n"),
                               ("/usr/lib/nagios/plugins", "/bin/echo")]))
    with socket_of(mux, "nrpe") as port:
        ask = [check, "-H", LOCAL4, "-p", port, "-c"]
        assert run(mux, *ask, "check_fine").stdout == b"FINE as can be\n"
        done = run(mux, *ask, "check_bad", check=False)
        assert (done.returncode, done.stdout) == (2, b"BAD\n")
        # Only what its configuration names.
        assert run(mux, *ask, "check_id", check=False).returncode != 0
    mux.wait_log("exit", service="nrpe", count=3)


# --- BitlBee ----------------------------------------------------------------

def test_bitlbee_registers_helps_and_remembers(mux_factory, home):
    """An IRC server: what one session has registered the next one knows."""
    [bitlbee] = needs("bitlbee")
    config, state = home / "bitlbee.conf", home / "state"
    config.write_text("[settings]\nHostName = irc.example.org\n")
    given(state)
    mux = mux_factory(service(
        "irc", f"exec {bitlbee} -I -c {config} -d {state}/",
        "syscalls default", f"filesystem read {config} /usr/share/bitlbee",
        f"filesystem write {state}", user=USER))

    def talk(*lines):
        told = b"".join(b"PRIVMSG &bitlbee :%s\r\n" % line for line in lines)
        return mux.request("irc", b"NICK tester\r\nUSER tester 0 * :Tester\r\n"
                           + told + b"QUIT :bye\r\n")

    reply, said = talk(b"register secret", b"help quickstart")
    assert reply == OK and b" 001 tester :Welcome" in said, said
    assert b":Account successfully created\r\n" in said
    assert b"help quickstart2\x02 to continue." in said, said
    assert b"ERROR :Closing link: Quit: bye\r\n" in said
    assert b":Incorrect password" in talk(b"identify wrong")[1]
    assert b":Password accepted" in talk(b"identify secret")[1]
    mux.wait_log("exit", service="irc", status=0, count=3)


# --- scripts ----------------------------------------------------------------

PYTHON = """#!/usr/bin/python3
import json, os, pwd, re, socket, sys, threading
said = []
thread = threading.Thread(target=lambda: said.append(sys.stdin.readline()))
thread.start()
thread.join()
for path in ("/etc/debian_version", "/proc/self/status", "/tmp", __file__):
    try:
        os.close(os.open(path, os.O_RDONLY))
        said.append("open")
    except PermissionError:
        said.append("shut")
print(json.dumps([*said, pwd.getpwuid(0).pw_name,
                  socket.getservbyname("ssh")]), flush=True)
"""
PERL = """#!/usr/bin/perl
use strict; use warnings; use POSIX; use Socket; use List::Util qw(sum);
$| = 1;
my $line = <STDIN>;
my $shut = grep { !open(my $file, "<", $_) && $! == EACCES }
    ("/etc/debian_version", "/proc/self/status", "/etc/perl/none", $0);
print "$line$shut ", sum(1, 2), " ", (getpwuid(0))[0], "\\n";
"""


@pytest.mark.parametrize("name, text, answer", [
    ("python3", PYTHON,
     b'["hello\\n", "shut", "shut", "shut", "open", "root", 22]\n'),
    ("perl", PERL, b"hello\n2 3 root\n")])
def test_a_script_lives_with_nothing_but_itself(mux_factory, home, name, text,
                                                answer):
    """Its modules are of /usr/lib; it opens no other file."""
    needs(name)
    script = home / "script"
    script.write_text(text)
    script.chmod(0o755)
    empty = home / "empty"
    empty.mkdir()
    mux = mux_factory(service("script", f"exec {script}",
                              f"filesystem read {empty}", "stderr socket"))
    for _ in range(3):
        done = run(mux, *tcpmux(mux).split(), LOCAL4, "script",
                   stdin=None, input=b"hello\n")
        assert done.stdout == answer


def served_script(home, name, file, user, path, changes=()):
    """Its policy, for a copy that stands where services may look."""
    needs(name)
    script = home / file
    shutil.copy(SCRIPTS / file, script)
    return shipped(home, name, user, [(path + " ", f"{script} "), *changes])


def test_python3_tells_how_the_machine_is(mux_factory, home):
    mux = mux_factory(served_script(
        home, "python3", "health.py", "tcpmux-health",
        "/usr/local/sbin/tcpmux-health"))
    done = run(mux, *tcpmux(mux).split(), LOCAL4, "health")
    told = json.loads(done.stdout)
    there_is = os.statvfs("/var")
    assert told["memory"]["total"] == \
        os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    assert told["host"] == os.uname().nodename and len(told["load"]) == 3
    assert [*told["disks"]] == ["/", "/var"]
    assert told["disks"]["/var"]["total"] == \
        there_is.f_blocks * there_is.f_frsize
    mux.wait_log("exit", service="health", status=0)


def test_perl_keeps_what_it_is_sent(mux_factory, home):
    """Whole or not at all, each in a file of its own, and no more than many."""
    box = given(home / "box")
    mux = mux_factory(served_script(
        home, "perl", "drop.pl", "tcpmux-drop",
        "/usr/local/sbin/tcpmux-drop", [
            ("/var/spool/tcpmux-drop 200", f"{box} 3"),
            ("/var/spool/tcpmux-drop\n", f"{box}\n"),
            ("limit       file-size 64M", "limit file-size 1M")]))

    def drop(what):
        return run(mux, *tcpmux(mux).split(), LOCAL4, "drop", stdin=None,
                   input=what).stdout.decode()

    noise, kept = random.Random(7).randbytes(1 << 20), {}
    for what in noise, b"small", b"small":
        said, name, size = drop(what).split()
        assert said == "kept" and int(size) == len(what)
        assert re.fullmatch(rf"\d{{8}}T\d{{6}}Z-{LOCAL4}(-\d)?", name)
        kept[name] = what
        if what == noise:
            assert drop(b"") == "lost: nothing was sent\n"
            assert drop(noise + b"x") == "lost: File too large\n"
    assert drop(b"more") == "lost: no room for more\n"
    assert {path.name: path.read_bytes() for path in box.iterdir()} == kept
    assert {(path.stat().st_uid, path.stat().st_mode & 0o777)
            for path in box.iterdir()} == {(UID, 0o600)}


# --- what is around them ----------------------------------------------------

PROBE = """#!/usr/bin/python3 -IS
import errno, json, os, resource, socket, sys
def tried(act, *words):
    try:
        act(*words)
    except OSError as error:
        return errno.errorcode[error.errno]
    return "done"
print(json.dumps({
    "talk": tried(socket.socket, socket.AF_INET),
    "read": tried(os.open, "/etc/shells", os.O_RDONLY),
    "list": tried(os.listdir, sys.argv[1]),
    "write": tried(os.open, sys.argv[1] + "/new", os.O_CREAT | os.O_WRONLY),
    "start": tried(os.posix_spawn, "/usr/bin/id", ["id"], {}),
    "namespaces": [os.readlink("/proc/self/ns/" + name)
                   for name in ("net", "ipc", "uts")],
    "limits": [resource.getrlimit(kind) for kind in
               (resource.RLIMIT_CORE, resource.RLIMIT_NOFILE)]}))
"""
CONFINED = {
    "distcc": ("distccd", [("/var/spool/distcc-mux", "{work}")]),
    "git": ("git-ro", [("read /srv/git", "read {work}")]),
    "nrpe": ("nagios", [("/etc/nagios /proc\n", "/proc\n"),
                        ("/usr/lib/nagios/plugins", "/bin/echo")]),
    "perl": ("tcpmux-drop", [("/var/spool/tcpmux-drop", "{work}")]),
    "python3": ("tcpmux-health", []),
    "rsync": ("rsync-ro", [("/srv/mirror /etc/rsyncd-mux.conf", "{work}")])}


@pytest.fixture
def probes(home):
    """All files of programs that are confined, but each runs a probe: an
    include line, and {file: its service}."""
    needs("python3", "gcc", "as")
    probe, work, outside = home / "probe", home / "work", home / "outside"
    probe.write_text(PROBE)
    probe.chmod(0o755)
    given(work)
    given(outside)
    services = {}
    for name, (user, changes) in CONFINED.items():
        text = (POLICIES / f"{name}.policy").read_text()
        [program_line] = re.findall(r"^\texec .*\n", text, re.M)
        [services[name]] = re.findall(r"^service (\S+)", text, re.M)
        line = shipped(home, name, user, [
            (program_line, f"\texec {probe} {outside}\n"),
            *((old, new.format(work=work)) for old, new in changes)])
    return line, services


def test_what_is_shipped_has_no_way_out(mux_factory, probes):
    """Whatever takes over one of these programs is left with what it serves."""
    line, services = probes
    mux = mux_factory(line)
    own = [os.readlink(f"/proc/self/ns/{name}") for name in ("ipc", "uts")]
    for file, name in services.items():
        reply, said = mux.request(name)
        assert reply == OK and said, mux.log.tail()
        found = json.loads(said)
        refused = {"EACCES"} if file != "python3" else {"EACCES", "EPERM"}
        for deed in "read", "list", "write", "start":
            assert found[deed] in refused, (file, deed, found)
        assert found["talk"] in {"EAFNOSUPPORT", "EPERM"}, (file, found)
        core, files = found["limits"]
        assert core == [0, 0] and files[1] <= 1024, (file, found)
        if IS_ROOT:
            assert not {*found["namespaces"]} & {*own}, (file, found)


def test_what_is_shipped_loads_on_an_older_kernel(probes):
    """Landlock as of Linux 5.19 has no rules for TCP and no scopes."""
    if not IS_ROOT:
        pytest.skip("only root can trace an undumpable process")
    needs("strace")
    done = run_tcpmuxd(policy(probes[0]), "-t", under=[
        "strace", "-f", "-qq", "-o", "/dev/null", "-e",
        "inject=landlock_create_ruleset:retval=2"])
    lines = done.stderr.splitlines()
    assert done.returncode == 0
    assert [each for each in lines if ": warning: " not in each] == []


# --- the honeypot -----------------------------------------------------------

def test_the_honeypot_shuts_out_who_asks(mux_factory):
    text = (POLICIES / "honeypot.policy").read_text()
    mux = mux_factory(service("cat", "exec /bin/cat"),
                      f"include {POLICIES}/honeypot.policy", exempt=())
    names = re.findall(r"^service (\S+)", text, re.M)
    for line in re.findall(r"^\talias +(.*)$", text, re.M):
        names += line.split()
    assert len(names) == len(set(names)) > 20
    for i, name in enumerate(names):
        assert mux.raw(name.encode() + b"\r\n",
                       source=f"127.0.1.{i + 1}") == REFUSAL
    mux.wait_log("refuse", reason="trap", count=len(names))
    assert mux.raw(b"HELP\r\n") == b"cat\r\n"
    with contextlib.suppress(ConnectionError):
        assert mux.raw(b"cat\r\n", half_close=False,
                       source="127.0.1.1") == b""
    mux.wait_log("shut-out", reason="penalty", addr="127.0.1.1")
    assert mux.request("cat", b"x", source="127.0.2.1") == (OK, b"x")


# --- the files themselves ---------------------------------------------------

def test_shipped_files_let_in_nobody_by_themselves():
    """But for traps: until somebody writes who may, these are examples. They
    stand beside each other in a directory."""
    done = run_tcpmuxd(policy(f"include {POLICIES}"), "-t", "-s")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    names = sorted(path.stem for path in POLICIES.glob("*.policy"))
    assert names == ["distcc", "git", "honeypot", "nrpe", "perl",
                     "python3", "rsync", "ssh"]
    documentation = {"192.0.2.0/24", "192.0.2.7", "2001:db8::/32",
                     "2001:db8::7"}
    for name in names:
        text = (POLICIES / f"{name}.policy").read_text()
        directives = [line.split() for line in text.splitlines()
                      if line.strip() and not line.strip().startswith("#")]
        for words in directives:
            if words[0] == "net":
                assert set(words[2:]) <= documentation
            elif words[0] == "allow":
                assert name == "honeypot" or words[1].startswith("@")
        first = {words[0] for words in directives}
        # Logins alone are not confined.
        if "exec" in first and name != "ssh":
            assert {"filesystem", "network", "isolate", "syscalls", "limit",
                    "lifetime"} <= first
            assert "new-privileges" not in first
