"""tcpmuxd's command line and its exit statuses, each as tcpmuxd(8) has it."""

import os
import re
import shutil
import subprocess
import tempfile

import pytest

from faults import Failing, run_to_end
from mux import IS_ROOT, LOCAL4, free_port, policy, program, service
from rooms import unsanitized

CAT = "exec /bin/cat"
OK, BAD_CHECK, USAGE, ROOM, POLICY = 0, 1, 64, 77, 78
PORT = 1 if IS_ROOT else free_port()
USAGE_LINE = "usage: tcpmuxd [-dtTsvV] [-a FRAGMENT] [-C QUERY] [-f FILE]"
PLACE = re.compile(r"\S+/test\.policy:(\d+):(\d+): ")

only_root = pytest.mark.skipif(not IS_ROOT, reason="needs root to be root")


def texts(lines):
    return [line[""] for line in lines]


def a_policy(*lines, port=PORT, **keywords):
    return policy(service("cat", CAT, *lines), port=port, **keywords)


# --- what it prints and exits with ------------------------------------------

def test_version():
    done = subprocess.run([program("tcpmuxd"), "-V"], capture_output=True,
                          text=True, timeout=30)
    assert (done.returncode, done.stderr) == (OK, "")
    assert re.fullmatch(r"tcpmuxd \d+\.\d+\.\d+"
                        r"( \(sanitizer build: .*\))?\n", done.stdout)


@pytest.mark.parametrize("words, told", [
    (["-x"], None),
    (["-f"], None),
    (["-a", "fragment"], "-a goes with -t or -T"),
    (["-C", "service=a,addr=::1"], "-C goes with -T"),
    (["-s"], "-s goes with -t or -T"),
    (["policy"], "no arguments"),
    (["-t", "policy"], "no arguments"),
    (["--help"], None),
])
def test_usage_is_status_64(words, told):
    status, lines = run_to_end(None, *words)
    assert status == USAGE
    assert texts(lines)[-1] == USAGE_LINE
    assert told is None or told in texts(lines)[-2]


def test_check_of_a_good_policy_prints_nothing():
    assert run_to_end(a_policy(), "-t") == (OK, [])


def test_check_does_not_bind(mux_factory):
    """Nor need it: the port may belong to the one who serves just now."""
    mux = mux_factory(service("cat", CAT))
    assert run_to_end(a_policy(port=mux.port), "-t", netns=mux.netns) == \
        (OK, [])
    if mux.netns is not None:
        refusing = Failing("bind", "listen")
        assert run_to_end(a_policy(), "-t", preexec=refusing) == (OK, [])


MISTAKES = a_policy("umsak 077", "umask 999")


def test_check_of_a_bad_policy_tells_every_mistake():
    status, lines = run_to_end(MISTAKES, "-t")
    assert status == BAD_CHECK
    assert all(PLACE.match(text) for text in texts(lines)), lines
    assert len(lines) == 2
    assert "umsak" in texts(lines)[0] and "umask" in texts(lines)[0]
    assert "999" in texts(lines)[1]


def test_a_bad_policy_is_not_served():
    """The same words as of -t, and a status of its own."""
    assert run_to_end(MISTAKES)[0] == POLICY
    said = [[PLACE.sub("", text) for text in texts(run_to_end(*how)[1])]
            for how in ((MISTAKES, "-t"), (MISTAKES,))]
    assert said[0] == said[1]


@pytest.mark.parametrize("words, status", [((), POLICY),
                                           (("-t",), BAD_CHECK)])
def test_missing_policy(words, status):
    for path in "/nowhere/at/all.policy", "/":
        got, lines = run_to_end(None, *words, "-f", path)
        assert got == status
        assert len(lines) == 1 and texts(lines)[0].startswith(f"{path}: ")


def test_policy_that_others_can_write():
    with tempfile.TemporaryDirectory() as directory:
        path = os.path.join(directory, "open.policy")
        with open(path, "w") as file:
            file.write(a_policy())
        os.chmod(path, 0o666)
        status, lines = run_to_end(None, "-f", path)
    assert status == POLICY and path in texts(lines)[0]


def test_check_without_the_system():
    """-s: for a machine that has neither the user nor the program."""
    text = policy(service("cat", "exec /nowhere/bin/cat", user="no-such-user"),
                  port=PORT)
    assert run_to_end(text, "-t", "-s") == (OK, [])
    status, lines = run_to_end(text, "-t")
    assert status == BAD_CHECK and len(lines) == 2
    status, lines = run_to_end(MISTAKES, "-t", "-s")
    assert status == BAD_CHECK and len(lines) == 2


def test_check_of_a_fragment(tmp_path):
    """-a: as if it stood in the directory, told of by its own path."""
    included = tmp_path / "policy.d"
    included.mkdir(mode=0o755)
    fragment = tmp_path / "b.policy"
    text = a_policy() + f"include {included}\n"
    (included / "a.policy").write_text(service("taken", CAT))
    for file in included / "a.policy", fragment:
        file.touch(mode=0o644)
    os.chmod(tmp_path, 0o755)
    fragment.write_text(service("mine", CAT))
    assert run_to_end(text, "-t", "-a", str(fragment))[0] == OK
    fragment.write_text(service("taken", CAT))
    status, lines = run_to_end(text, "-t", "-a", str(fragment))
    assert status == BAD_CHECK and len(lines) == 1
    assert texts(lines)[0].startswith(f"{fragment}:1:9: the name 'taken' is "
                                      f"taken: {included}/a.policy:1 ")
    status, lines = run_to_end(a_policy(), "-t", "-a", str(fragment))
    assert status == BAD_CHECK and "includes no directory" in texts(lines)[0]


def test_an_included_service_is_served(mux_factory, tmp_path):
    """And what decides is told by the file that it stands in."""
    os.chmod(tmp_path, 0o755)
    file = tmp_path / "more.policy"
    file.write_text("net nobody file " + str(tmp_path / "list") + "\n" +
                    service("yes", CAT) +
                    service("no", CAT, allow="@nobody") +
                    service("not", CAT, "deny any"))
    (tmp_path / "list").write_text("# none\n203.0.113.0/24 ; far away\r\n")
    for name in "more.policy", "list":
        os.chmod(tmp_path / name, 0o644)
    mux = mux_factory(service("cat", CAT), f"include {tmp_path}")
    assert mux.request("yes", b"x") == (b"+\r\n", b"x")
    for name in "no", "not":
        assert mux.request(name)[0].startswith(b"-")
    assert mux.log.wait("refuse", service="not", reason="denied")["rule"] \
        .startswith(f"{file}:")


def test_notes_only_with_v():
    text = policy(service("ssh", CAT), port=PORT)
    assert run_to_end(text, "-t") == (OK, [])
    status, lines = run_to_end(text, "-t", "-v")
    assert status == OK and len(lines) == 1
    assert ": note: 'ssh' is registered" in texts(lines)[0]


def test_warnings_do_not_keep_it_from_serving(mux_factory):
    mux = mux_factory(service("cat", CAT, "allow any", allow="192.0.2.1"))
    assert ": warning: " in mux.log.lines[0][""]
    assert mux.request("cat", b"x") == (b"+\r\n", b"x")


def test_debug(mux_factory):
    quiet = mux_factory(service("cat", CAT))
    loud = mux_factory(service("cat", CAT), args=["-d"])
    for event in "worker-ready", "launcher-ready":
        assert loud.wait_log(event)["level"] == "debug"
        assert quiet.logs(event) == []
    assert quiet.logs(level="debug") == []


# --- 77: it could not bind, or not confine ----------------------------------

def served_nothing(lines):
    return not [line for line in lines
                if line.get("event") in ("ready", "launch", "refuse")]


def test_port_is_taken(mux_factory):
    first = mux_factory(service("cat", CAT))
    text = a_policy(port=first.port, listen=(LOCAL4,))
    status, lines = run_to_end(text, netns=first.netns)
    assert status == ROOM and served_nothing(lines)
    failed = lines[-1]
    assert (failed["event"], failed["level"]) == ("listen-failed", "error")
    assert (failed["addr"], failed["port"]) == (LOCAL4, str(first.port))
    assert failed["error"] == "EADDRINUSE"
    assert failed["rule"].endswith("/test.policy:2")
    assert first.request("cat", b"x") == (b"+\r\n", b"x")


def test_address_is_not_ours(netns):
    text = a_policy(listen=("192.0.2.77",))
    status, lines = run_to_end(text, netns=netns() if IS_ROOT else None)
    assert status == ROOM and lines[-1]["error"] == "EADDRNOTAVAIL"


@only_root
def test_port_1_is_not_for_everybody(netns):
    text = policy(service("cat", CAT, user="self"), root=False)
    status, lines = run_to_end(text, netns=netns(), user="nobody")
    assert status == ROOM and served_nothing(lines)
    assert lines[-1]["event"] == "listen-failed"
    assert lines[-1]["error"] == "EACCES"


def copy_programs(directory, **instead):
    """All of them in a folder of their own; instead: NAME=path, or None."""
    for name in ("tcpmuxd", "tcpmuxd-parser", "tcpmuxd-launcher",
                 "tcpmuxd-builtin"):
        path = instead.get(name.replace("-", "_"), program(name))
        if path is not None:
            shutil.copy(path, os.path.join(directory, name))
    return os.path.join(directory, "tcpmuxd")


@pytest.mark.parametrize("missing", ["tcpmuxd-parser", "tcpmuxd-launcher"])
def test_other_program_is_missing(netns, missing):
    """They are found beside tcpmuxd, wherever that is; or not at all."""
    if os.path.exists(f"/usr/local/libexec/tcpmuxd/{missing}"):
        pytest.skip(f"a {missing} is installed here")
    where = netns() if IS_ROOT else None
    with tempfile.TemporaryDirectory() as directory:
        own = copy_programs(directory, **{missing.replace("-", "_"): None})
        status, lines = run_to_end(a_policy(), netns=where, argv0=own)
    assert status == ROOM and served_nothing(lines)
    told = [line for line in lines if line["event"] == "program-missing"]
    assert [(line["program"], line["error"]) for line in told] == \
        [(missing, "ENOENT")]


@pytest.mark.parametrize("broken, event, text", [
    ("tcpmuxd_parser", "worker-failed", "the parser's room cannot be closed"),
    ("tcpmuxd_launcher", "launcher-died", "the launcher cannot be started"),
])
def test_other_program_does_not_start(netns, broken, event, text):
    where = netns() if IS_ROOT else None
    with tempfile.TemporaryDirectory() as directory:
        own = copy_programs(directory, **{broken: "/bin/false"})
        # What is heard first of its end differs from time to time.
        for _ in range(8):
            status, lines = run_to_end(a_policy(), netns=where, argv0=own,
                                       timeout=10)
            assert status == ROOM and served_nothing(lines)
            assert [line for line in lines if line.get("event") == event]
            assert lines[-1]["event"] == "failed"
            assert lines[-1]["text"] == text


ROOM_STEPS = {
    "unshare": ("start-failed", "room"),
    "mount": ("start-failed", "room"),
    "pivot_root": ("start-failed", "room"),
    "setsid": ("worker-failed", "process-group"),
    "setns": ("worker-failed", "namespaces"),
    "setgroups": ("worker-failed", "groups"),
    "setresgid": ("worker-failed", "gid"),
    "setresuid": ("worker-failed", "uid"),
    "getgroups": ("worker-failed", "verify"),
    "landlock_restrict_self": ("worker-failed", "landlock"),
    "seccomp": ("worker-failed", "filter"),
}


@only_root
@unsanitized
@pytest.mark.parametrize("call", ROOM_STEPS)
def test_room_that_cannot_be_closed(netns, call):
    """Rather than run a parser with less around it, it does not start."""
    event, step = ROOM_STEPS[call]
    # Nothing to launch: a launcher could fail of it, and be told of, first.
    status, lines = run_to_end(
        policy(service("bait", "trap", user=False), port=PORT),
        netns=netns(), preexec=Failing(call))
    assert status == ROOM and served_nothing(lines)
    failed = [line for line in lines if line.get("event") == event]
    assert failed and failed[0]["level"] == "error", texts(lines)
    assert failed[0]["step"] == step
    # libseccomp has a word of its own for a kernel that does not want to.
    assert failed[0]["error"] in ("EPERM", "ENOSYS")
