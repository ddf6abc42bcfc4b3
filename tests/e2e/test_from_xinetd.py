"""contrib/from-xinetd: what it writes loads, and lets in who was let in."""

import importlib.machinery
import importlib.util
import ipaddress
import os
import pathlib
import random
import re
import subprocess
import sys

import pytest

from mux import IS_ROOT, PARSER_ID, converse, program

SCRIPT = pathlib.Path(__file__).resolve().parents[2] / "contrib/from-xinetd"
BASE = {"type": "TCPMUXPLUS UNLISTED", "socket_type": "stream",
        "protocol": "tcp", "wait": "no", "user": "nobody",
        "server": "/bin/cat"}
MUX = """service tcpmux
{
	type = INTERNAL
	socket_type = stream
	protocol = tcp
	wait = no
	user = root
}
"""


def entry(*lines, name="demo", without=(), **changed):
    """A service of xinetd: BASE, what is changed of it, and more lines."""
    attributes = {key: value for key, value in {**BASE, **changed}.items()
                  if key not in without}
    body = [f"{key} = {value}" for key, value in attributes.items()]
    return "\n".join([f"service {name}", "{",
                      *(f"\t{line}" for line in [*body, *lines]), "}", ""])


def run(*words, timeout=30):
    done = subprocess.run([SCRIPT, *words], stdin=subprocess.DEVNULL,
                          capture_output=True, timeout=timeout)
    assert b"Traceback" not in done.stderr, done.stderr
    return (done.returncode, done.stdout.decode(), done.stderr.decode())


def check(path, *words):
    """tcpmuxd -t of the policy; what it says but that users are shared."""
    done = subprocess.run([program("tcpmuxd"), "-t", *words, "-f", path],
                          stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, timeout=30)
    lines = done.stderr.splitlines()
    said = [line for line in lines if "share" not in line]
    return done.returncode, "\n".join(said)


@pytest.fixture(scope="module")
def script():
    """The program as a module: a hundred Pythons take their time."""
    loader = importlib.machinery.SourceFileLoader("from_xinetd", str(SCRIPT))
    module = importlib.util.module_from_spec(
        importlib.util.spec_from_loader("from_xinetd", loader))
    loader.exec_module(module)
    return module


@pytest.fixture
def convert(tmp_path, script, capsys, monkeypatch):
    """(policy, what is said): of an xinetd.conf or inetd.conf, checked."""
    def converting(text, status=0):
        given = tmp_path / "given.conf"
        given.write_text(text)
        monkeypatch.setattr(sys, "argv", [str(SCRIPT), str(given)])
        found = script.main()
        policy, said = capsys.readouterr()
        assert found == status, said
        if status == 0:
            path = tmp_path / "made.policy"
            path.write_text(policy)
            assert check(path, "-s") == (0, ""), policy
        return policy, said.replace(str(tmp_path), "DIR")
    return converting


def block(policy, head):
    """The lines of one block."""
    found = re.search(rf"^{re.escape(head)} {{\n(.*?)^}}$", policy,
                      re.M | re.S)
    assert found, policy
    return [line.strip() for line in found[1].splitlines()]


def notes(policy):
    return re.findall(r"^# from-xinetd: \S+:(\d+): (.*)$", policy, re.M)


def notes_hold(policy, *fragments):
    """Every fragment is in a comment, and there are no other comments."""
    texts = [text for _, text in notes(policy)]
    for fragment in fragments:
        assert any(fragment in text for text in texts), (fragment, texts)
    left = [text for text in texts
            if not any(fragment in text for fragment in fragments)]
    assert left == []


# --- one attribute after the other -------------------------------------------

PLAIN = ["allow any", "user nobody", "umask 022", "exec /bin/cat",
         'reply mux "Go"']


def changed(**lines):
    """PLAIN with the line of a directive replaced, or one added behind."""
    left = dict(lines)
    result = []
    for line in PLAIN:
        key = line.split()[0]
        value = left.pop(key, line)
        result += value if isinstance(value, list) else [value]
    for value in left.values():
        result += value if isinstance(value, list) else [value]
    return result


CARRIED = {
    "nothing else": (entry(), PLAIN),
    "TCPMUX": (entry(type="TCPMUX UNLISTED"), changed(reply="reply service")),
    "arguments": (entry('server_args = -u "a b" {x} #y \\'),
                  changed(exec=r'exec /bin/cat -u "\"a" "b\"" "{x}" "#y" '
                               r'"\\"')),
    "argv0": (entry("flags = NAMEINARGS", "server_args = dog -u"),
              changed(exec=["exec /bin/cat -u", "argv0 dog"])),
    "argv0 of the same name": (entry("flags = NAMEINARGS",
                                     "server_args = cat -u"),
                               changed(exec="exec /bin/cat -u")),
    "group": (entry("group = daemon", "groups = no"),
              changed(user=["user nobody", "group daemon"])),
    "groups": (entry("groups = yes"),
               changed(user=["user nobody", "groups user"])),
    "user by number": (entry(user="61001"),
                       changed(user=["user 61001", "group 61001"])),
    "umask": (entry("umask = 27"), changed(umask="umask 027")),
    "environment": (entry("env = A=1 B=2", "env += A=3 C={}"),
                    changed(exec=["exec /bin/cat", "env A=3", "env B=2",
                                 'env "C={}"'])),
    "environment replaced": (entry("env = A=1", "env = B=2"),
                             changed(exec=["exec /bin/cat", "env B=2"])),
    "hours": (entry("access_times = 9:00-17:29 12:05-13:00 22:00-23:59"),
              changed(hours=["hours mon-sun 09:00-17:30",
                             "hours mon-sun 22:00-24:00"])),
    "always": (entry("access_times = 0:00-11:59 12:00-23:59"), PLAIN),
    "limits": (entry("instances = 12", "per_source = 3"),
               changed(counts=["sessions 12", "per-source 3"])),
    "limits of defaults": ("defaults\n{\ninstances = 12\numask = 077\n}\n"
                           + entry(),
                           changed(umask="umask 077", counts="sessions 12")),
    "only_from": (entry("only_from = 10.1.2.3 10.2.0.0 192.0.2.0/25 ::1"),
                  changed(allow="allow 10.1.2.3 192.0.2.0/25 10.2.0.0/16 "
                                "::1")),
    "no_access": (entry("no_access = 10.0.0.0 2001:db8::/32"),
                  changed(allow=["deny 10.0.0.0/8 2001:db8::/32",
                                 "allow any"])),
    "factorized": (entry("only_from = 10.1.{1,3,5} 192.{2}"),
                   changed(allow="allow 10.1.1.0/24 10.1.3.0/24 10.1.5.0/24 "
                                 "192.2.0.0/16")),
    "all of IPv4": (entry("only_from = 0.0.0.0"),
                    changed(allow="allow 0.0.0.0/0")),
    "all": (entry("only_from = ::/0"),
            changed(allow="allow 0.0.0.0/0 ::/0")),
    "mapped": (entry("only_from = ::ffff:10.1.2.3 ::ffff:10.2.0.0/112"),
               changed(allow="allow 10.1.2.3 10.2.0.0/16")),
    "localhost": (entry("only_from = localhost"),
                  changed(allow="allow 127.0.0.1 ::1")),
    "better match": (entry("no_access = 10.1.2.0 10.1.2.3/32",
                           "only_from = 10.1.0.0 10.9.9.9"),
                     changed(allow=["deny 10.1.2.3",
                                    "allow 10.9.9.9",
                                    "deny 10.1.2.0/24",
                                    "allow 10.1.0.0/16"])),
    "added and taken away": (
        "defaults\n{\nonly_from = 10.1.1.1 10.1.1.2\n}\n"
        + entry("only_from += 10.1.1.3", "only_from -= 10.1.1.2/32"),
        changed(allow="allow 10.1.1.1 10.1.1.3")),
    "set anew": ("defaults\n{\nonly_from = 10.1.1.1\nno_access = 10.1.1.2\n}\n"
                 + entry("only_from = 10.1.1.3", "no_access ="),
                 changed(allow="allow 10.1.1.3")),
}


@pytest.mark.parametrize("case", CARRIED)
def test_xinetd_carries(convert, case):
    given, expected = CARRIED[case]
    policy, said = convert(MUX + given)
    assert block(policy, "service demo") == expected
    assert (notes(policy), said) == ([], "")


# Carried over with a comment: lines that are there, and pieces of comments.
NOTED = {
    "root": (entry(user="root"), ["user root unsafe", "umask 022"],
             ["it runs as root"]),
    "cps": (entry("cps = 25 30"), ["rate 25/s burst 25"], ["for 30 seconds"]),
    "unlimited": (entry("instances = UNLIMITED"), ["sessions 1000000"],
                  ["instances UNLIMITED"]),
    "not UNLISTED": (entry(type="TCPMUX"), [], ["without UNLISTED"]),
    "no wait": (entry(without=["wait"]), [], ["it has no wait"]),
    "names": (entry("only_from = 10.1.1.1 .example.org host.example.org"),
              ["allow 10.1.1.1"], ["only_from .example.org",
                                   "only_from host.example.org"]),
    "better match": (entry("no_access = 10.1.0.0", "only_from = 10.1.2.0"),
                     ["allow 10.1.2.0/24", "deny 10.1.0.0/16"],
                     ["10.1.2.0/24 of only_from is inside"]),
    "short forms": (entry("only_from = 10.1 128.138.0.0"),
                    ["allow 10.0.0.1 128.138.0.0/16"],
                    ["10.1: to xinetd that is 10.0.0.1"]),
    "the same in both": (entry("no_access = 10.1.2.0",
                               "only_from = 10.1.2.0/24 10.0.0.0"),
                         ["deny 10.1.2.0/24", "allow 10.0.0.0/8"],
                         ["10.1.2.0/24 is in only_from, too"]),
    "environment": (entry("env = PROTO=x 1=2 A=b", "passenv = TZ"),
                    ["env A=b"], ["env PROTO", "env 1=2", "passenv TZ"]),
    "given twice": (entry("umask = 077", "umask = 000"), ["umask 077"],
                    ["umask: is given already"]),
    "not for it": (entry("umask += 077", "cps = 3", "colour = red"),
                   ["umask 022"], ["umask: xinetd ignores it with '+='",
                                   "cps: takes 2 values", "colour: xinetd"]),
    "on two addresses": (entry("bind = 0.0.0.0", "interface = 10.1.1.1"),
                         ["on ipv4"], ["interface 10.1.1.1: it is given"]),
    "not here": (entry("max_load = 2.5", "banner = /b", "banner_success = /s",
                       "banner_fail = /f", "rlimit_data = 1M",
                       "rlimit_rss = 1M", "log_type = FILE /l",
                       "log_on_success = PID", "log_on_failure += HOST",
                       "libwrap = x", "deny_time = 5", "v6only = yes", "port = 1234",
                       "flags = NODELAY INTERCEPT LABELED REUSE"), [],
                 ["max_load 2.5", "banner /b", "banner_success /s",
                  "banner_fail /f", "rlimit_data 1M", "rlimit_rss 1M",
                  "log_type FILE /l", "log_on_success PID",
                  "log_on_failure HOST", "libwrap x", "deny_time 5",
                  "v6only yes", "port 1234",
                  "flags NODELAY", "flags INTERCEPT", "flags LABELED"]),
    "odd limits": (entry("nice = 40", "rlimit_files = 3", "rlimit_as = x",
                         "rlimit_stack = UNLIMITED"), [],
                   ["nice: ", "rlimit_files: ", "rlimit_as: ",
                    "rlimit_stack UNLIMITED"]),
}


@pytest.mark.parametrize("case", NOTED)
def test_xinetd_carries_with_a_comment(convert, case):
    given, expected, fragments = NOTED[case]
    policy, _ = convert(MUX + given)
    lines = block(policy, "service demo")
    assert [line for line in lines if line in expected] == expected
    notes_hold(policy, *fragments)


def test_limits_of_the_process(convert):
    policy, _ = convert(MUX + entry("nice = 5", "rlimit_as = 64M",
                                    "rlimit_stack = 1048577",
                                    "rlimit_files = 100", "rlimit_cpu = 20"))
    assert block(policy, "service demo") == PLAIN + [
        "limit address-space 64M", "limit stack 1024K",
        "limit open-files 100", "limit cpu 20s", "nice 5"]
    notes_hold(policy, "rlimit_stack: rounded down")


@pytest.mark.parametrize("given, made", [
    ("0", "0"), ("-20", "-20"), ("19", "19"), ("20", "19"), ("-5", "-5")])
def test_nice(convert, given, made):
    policy, _ = convert(MUX + entry(f"nice = {given}"))
    assert f"nice {made}" in block(policy, "service demo")


# What kept people out and is not carried over, or xinetd would not serve.
DISABLED = {
    "disable": (entry("disable = yes"), "it was disabled"),
    "disabled": ("defaults\n{\ndisabled = demo\n}\n" + entry(),
                 "it was disabled"),
    "not enabled": ("defaults\n{\nenabled = other tcpmux\n}\n" + entry(),
                    "it was disabled"),
    "by its id": ("defaults\n{\ndisabled = x\n}\n" + entry("id = x"),
                  "it was disabled"),
    "denied name": (entry("no_access = 10.1.1.1 host.example.org"),
                    "no_access host.example.org"),
    "denied ::": (entry("no_access = ::"), "all of IPv6 is ::/0"),
    "nobody": (entry("only_from ="), "only_from leaves nobody"),
    "nobody left": (entry("only_from = .example.org"), "leaves nobody"),
    "night": (entry("access_times = 22:00-6:00"), "no time of one day"),
    "hour": (entry("access_times = 2:00-24:00"), "no time of one day"),
    "identified": (entry("flags = IDONLY"), "IDONLY"),
    "flag": (entry("flags = WHAT"), "no such flag"),
    "bound": (entry("bind = 10.1.1.1"), "bound to 10.1.1.1, for which"),
    "bound to a name": (entry("interface = host.example.org"),
                        "bound to host.example.org: nobody's name"),
    "bound to a link": (entry("bind = fe80::1"), "has its link behind"),
    "comma": (entry("only_from = 10.1.1.1,10.1.1.2 10.1.1.3"), "no commas"),
    "waits": (entry(wait="yes"), "wait yes"),
    "datagrams": (entry(socket_type="dgram", protocol="udp"),
                  "socket_type dgram"),
    "remote procedures": (entry(type="RPC TCPMUX UNLISTED"), "type RPC"),
    "no instance": (entry("instances = 0"), "instances 0"),
    "instances": (entry("instances = many"), "'many' is not a number"),
    "rate": (entry("cps = a b"), "'a' is not a number"),
    "umask": (entry("umask = 8"), "umask: '8'"),
    "no blank": (entry("nice=5"), "'nice=5' is not an attribute"),
    "an open brace": (entry("{"), "'{' is not an attribute"),
}


@pytest.mark.parametrize("case", DISABLED)
def test_what_cannot_be_asked_any_more_is_disabled(convert, case):
    given, fragment = DISABLED[case]
    policy, _ = convert(MUX + given)
    assert block(policy, "service demo disabled")
    assert any(fragment in text for _, text in notes(policy)), policy


LOST = {
    "redirect": (entry("redirect = 10.1.1.1 80"), "nothing here connects"),
    "no server": (entry(without=["server"]), "it has no server"),
    "no user": (entry(without=["user"]), "it has no user"),
    "relative": (entry(server="cat"), "'cat' is not an absolute path"),
    "internal": (entry(type="TCPMUX INTERNAL UNLISTED"), "no internal service"),
    "help": (entry(name="HELP"), "is reserved"),
    "name": (entry(name="caf\u00e9"), "not one of RFC 1078"),
    "long": (entry(name="x" * 128), "not one of RFC 1078"),
    "twice": (entry("server_args = 2", name="OTHER"), "taken already"),
    "control": (entry("server_args = a\x07b"), "'a\\x07b' holds a character"),
    "words": (entry("server_args = " + "x " * 256), "more than 256 words"),
    "user": (entry(user="4294967295"), "is not a user"),
}


@pytest.mark.parametrize("case", LOST)
def test_what_cannot_be_written_is_a_comment(convert, case):
    given, fragment = LOST[case]
    policy, _ = convert(MUX + entry(name="other") + given)
    assert policy.count("\nservice ") == 1
    assert any(fragment in text for _, text in notes(policy)), policy


def test_the_first_that_is_served_has_the_name(convert):
    policy, _ = convert(MUX + entry("disable = yes", "server_args = 1")
                        + entry("server_args = 2") + entry("server_args = 3"))
    assert "exec /bin/cat 2" in block(policy, "service demo")
    assert policy.count("\nservice demo") == 1


def test_sensor_is_a_trap(convert):
    policy, _ = convert(MUX + entry("flags = SENSOR", "deny_time = 60"))
    assert block(policy, "service demo") == ["allow any", "trap"]
    assert block(policy, "admission") == ["allow any", "penalty trap 60m",
                                          "penalty-max 60m"]


@pytest.mark.parametrize("time, line", [
    ("NEVER", "penalty trap 0s"), ("5", "penalty trap 5m"),
    ("FOREVER", "penalty trap 1440m")])
def test_sensor_times(convert, time, line):
    policy, _ = convert(MUX + entry("flags = SENSOR", f"deny_time = {time}"))
    assert line in block(policy, "admission")


@pytest.mark.parametrize("kind", ["TCPMUX", "TCPMUXPLUS"])
@pytest.mark.parametrize("user", ["root", "daemon"])
def test_internal_services(convert, kind, user):
    policy, _ = convert(MUX + entry(
        "env = A=b", "nice = 1", name="daytime",
        type=f"{kind} INTERNAL UNLISTED", user=user, without=["server"]))
    assert block(policy, "service daytime") == [
        "allow any", f"user {'nobody' if user == 'root' else user}",
        "umask 022", "builtin daytime", 'reply mux "Go"', "nice 1"]
    notes_hold(policy, "env A=b: an internal service")


# --- what stands before the name is read ------------------------------------

def mux_entry(*lines):
    return MUX.replace("}", "".join(f"\t{line}\n" for line in lines) + "}")


@pytest.mark.parametrize("lines, listens, admission", [
    ([], ["*", "::"], ["allow any"]),
    (["flags = IPv4"], ["*"], ["allow any"]),
    (["v6only = yes"], ["::"], ["allow any"]),
    (["bind = 192.0.2.1", "port = 10001"], ["192.0.2.1 port 10001"],
     ["allow any"]),
    (["interface = ::"], ["*", "::"], ["allow any"]),
    (["bind = 0.0.0.0"], ["*"], ["allow any"]),
    (["bind = fe80::1%lo"], ["fe80::1%lo"], ["allow any"]),
    (["bind = fe80::1"], ["127.0.0.1"], ["allow any"]),
    (["bind = host.example.org"], ["127.0.0.1"], ["allow any"]),
    (["only_from = 10.0.0.0", "no_access = 10.1.1.1"], ["*", "::"],
     ["deny 10.1.1.1", "allow 10.0.0.0/8"]),
    (["instances = 100", "per_source = 5"], ["*", "::"],
     ["allow any", "sessions 100", "per-source 5"]),
    (["no_access = host.example.org"], ["*", "::"], ["deny any"]),
    (["only_from ="], ["*", "::"], ["deny any"]),
    (["port = x"], ["*", "::"], ["deny any"]),
    (["oops"], ["*", "::"], ["deny any"]),
])
def test_the_tcpmux_entry_is_admission(convert, lines, listens, admission):
    policy, _ = convert(mux_entry(*lines) + entry())
    assert re.findall(r"^listen (.*)$", policy, re.M) == listens
    assert block(policy, "admission") == admission


# What the tcpmux entry itself says and cannot be asked any more.
SHUT = {
    "identified": (mux_entry("flags = IDONLY"), "flags IDONLY"),
    "sensor": (mux_entry("flags = SENSOR", "deny_time = 60"), "flags SENSOR"),
    "flag": (mux_entry("flags = IPv4 WHAT"), "flags WHAT"),
    "datagrams": (MUX.replace("= stream", "= dgram"), "socket_type dgram"),
    "waits": (MUX.replace("= no", "= yes"), "wait yes"),
}


@pytest.mark.parametrize("case", SHUT)
def test_the_tcpmux_entry_lets_in_nobody_it_did_not(convert, case):
    given, fragment = SHUT[case]
    policy, _ = convert(given + entry())
    assert block(policy, "admission") == ["deny any"]
    notes_hold(policy, fragment, "nobody is let in")


def test_nothing_of_the_tcpmux_entry_is_left_out_without_a_word(convert):
    policy, _ = convert(mux_entry("flags = LABELED REUSE", "nice = 5",
                                  "rlimit_cpu = 3", "passenv = TZ",
                                  "redirect = 10.1.1.1 80") + entry())
    assert block(policy, "admission") == ["allow any"]
    notes_hold(policy, "flags LABELED", "nice 5", "rlimit_cpu 3",
               "passenv TZ", "redirect 10.1.1.1 80")


def test_a_second_file_with_another_admission_opens_nothing(tmp_path, script):
    paths = []
    for name, lines in (("a", ["only_from = 10.0.0.0"]), ("b", [])):
        paths.append(tmp_path / name)
        paths[-1].write_text(mux_entry(*lines) + entry(name=name))
    policy = script.convert(paths, None)
    assert policy.admission == ["allow 10.0.0.0/8"]
    assert any("second tcpmux" in text for _, text in policy.head_notes)


def test_bound_by_defaults(convert):
    policy, _ = convert("defaults\n{\nbind = 10.1.1.1\n}\n" + MUX + entry())
    assert "\nlisten 10.1.1.1\n" in policy
    assert (block(policy, "service demo"), notes(policy)) == (PLAIN, [])


def test_hours_of_the_tcpmux_entry_are_everyones(convert):
    policy, _ = convert(mux_entry("access_times = 8:00-11:59 14:00-17:59")
                        + entry("access_times = 11:00-14:59")
                        + entry(name="other"))
    assert block(policy, "service demo")[-2:] == [
        "hours mon-sun 11:00-12:00", "hours mon-sun 14:00-15:00"]
    assert block(policy, "service other")[-2:] == [
        "hours mon-sun 08:00-12:00", "hours mon-sun 14:00-18:00"]


def test_no_tcpmux_entry(convert):
    policy, _ = convert(entry())
    notes_hold(policy, "xinetd served none of this")


def test_other_services_are_a_comment_each(convert):
    policy, _ = convert(MUX + entry(name="ftp", type="UNLISTED")
                        + entry() + entry(name="talk", without=["type"]))
    assert [text.partition(":")[0] for _, text in notes(policy)] == [
        "ftp", "talk"]


def test_defaults(convert):
    policy, _ = convert(
        "defaults\n{\nlog_type = SYSLOG local3 info\nlog_on_failure = HOST\n"
        "max_load = 3\nserver = /x\n}\n" + MUX + entry())
    assert block(policy, "log") == ["to syslog local3"]
    notes_hold(policy, "defaults: log_on_failure HOST", "defaults: max_load 3",
               "server: xinetd has no such attribute here")


def test_only_the_first_defaults_of_a_file_count(convert):
    policy, said = convert("defaults\n{\nonly_from = 10.1.1.1\n}\n"
                           "defaults\n{\nonly_from = 0.0.0.0\n}\n" + entry())
    assert block(policy, "service demo")[0] == "allow 10.1.1.1"
    assert "DIR/given.conf:5: defaults: xinetd ignores" in said


# --- files --------------------------------------------------------------------

def test_includes(convert, tmp_path):
    folder = tmp_path / "xinetd.d"
    folder.mkdir()
    for name in ("b", "a", "c.old", "d~"):
        (folder / name).write_text(entry(name=f"of-{name}"))
    (folder / "sub").mkdir()
    single = tmp_path / "single.conf"
    single.write_text(entry(name="single") + f"include {single}\n")
    policy, said = convert(f"includedir {folder}\ninclude {single}\n"
                           f"include {tmp_path}/none\n" + MUX)
    assert re.findall(r"^service (\S+)", policy, re.M) == ["of-a", "of-b",
                                                           "single"]
    assert "single.conf:10: DIR/single.conf: is read already" in said
    assert "given.conf:3: DIR/none: No such file or directory" in said


BROKEN = {
    "no brace": ("service x\nfoo\n}\n", 2, "the next line has to be {"),
    "joined brace": ("service x {\ntype = TCPMUX\n}\n", 2, "has to be {"),
    "no end": (entry(name="x") + "service y\n{\ntype = TCPMUX\n", 12,
               "has no line with } alone"),
    "word": ("hello\n}\n" + entry(name="x"), 1, "'hello' is not service"),
    "no name": ("service\n{\n}\n", 1, "'service' is not service"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_broken_input_has_its_place(convert, case):
    given, line, fragment = BROKEN[case]
    policy, said = convert(MUX + entry() + given)
    line += (MUX + entry()).count("\n")
    assert f"DIR/given.conf:{line}: " in said and fragment in said
    assert any(fragment in text for _, text in notes(policy))
    assert block(policy, "service demo")


@pytest.mark.parametrize("text", ["", "# nothing\n", MUX, "service x\n{\n}\n",
                                  "ftp stream tcp nowait root /f f\n"])
def test_nothing_to_convert(convert, text):
    policy, said = convert(text, status=1)
    assert policy == ""
    assert "no service of TCPMUX that can be carried over" in said


def test_exit_statuses(tmp_path):
    given, made = tmp_path / "given", tmp_path / "made"
    given.write_text(MUX + entry())
    assert run()[0] == 2
    assert run("--what", given)[0] == 2
    assert run("--listen", "", given)[0] == 2
    assert run(tmp_path / "none")[0] == 1
    assert run(tmp_path)[0] == 1
    assert run("-o", tmp_path / "none/made", given)[0] == 1
    assert run("-o", made, given) == (0, "", "")
    assert check(made, "-s") == (0, "")
    status, policy, _ = run("--listen", "192.0.2.1 port 10001",
                            "--listen", "::1", given)
    assert status == 0
    assert re.findall(r"^listen (.*)$", policy, re.M) == [
        "192.0.2.1 port 10001", "::1"]
    assert run("--help")[0] == 0


def test_output_that_cannot_be_written(tmp_path):
    given = tmp_path / "given"
    given.write_text(MUX + entry())
    with open("/dev/full", "wb") as full:
        done = subprocess.run([SCRIPT, given], stdout=full,
                              stderr=subprocess.PIPE, timeout=30)
    assert done.returncode == 1
    assert b"standard output: No space left" in done.stderr


# --- inetd.conf ---------------------------------------------------------------

INETD = {
    "FreeBSD": ("tcpmux/+demo stream tcp nowait/4/10/2 nobody:daemon/staff "
                "/bin/cat cat -u \"a b\"",
                ["allow any", "user nobody", "group daemon", "groups user",
                 "umask 022", 'exec /bin/cat -u "a b"', 'reply mux "Go"',
                 "sessions 4", "per-source 2", "source-rate 10/min burst 10"],
                ["login class staff"]),
    "NetBSD": ("tcpmux/demo\tstream\ttcp\tnowait:30\troot\t/bin/cat\tdog",
               ["allow any", "user root unsafe", "groups user", "umask 022",
                "exec /bin/cat", "argv0 dog", "reply service",
                "rate 30/min burst 30"],
               ["it runs as root", "closed to nobody for ten minutes"]),
    "GNU": ("tcpmux/+demo stream tcp6 nowait.40 nobody.daemon\n"
            "\t/bin/cat cat\n",
            ["allow any", "user nobody", "group daemon", "groups user",
             "umask 022", "exec /bin/cat", 'reply mux "Go"',
             "rate 40/min burst 40"],
            ["closed to nobody for ten minutes"]),
    "unlimited": ("tcpmux/+demo stream tcp nowait/0 nobody /bin/cat cat",
                  ["allow any", "user nobody", "groups user", "umask 022",
                   "exec /bin/cat", 'reply mux "Go"'], []),
}
INETD_MUX = "tcpmux stream tcp nowait root internal\n"


@pytest.mark.parametrize("case", INETD)
def test_inetd_carries(convert, case):
    given, expected, fragments = INETD[case]
    policy, said = convert(INETD_MUX + given + "\n")
    assert block(policy, "service demo") == expected
    assert re.findall(r"^listen (.*)$", policy, re.M) == ["*"]
    notes_hold(policy, *fragments)
    assert said == ""


@pytest.mark.parametrize("line, listens, admission", [
    ("tcpmux stream tcp46 nowait/30/60/3 root internal", ["*", "::"],
     ["allow any", "sessions 30", "per-source 3", "rate 60/min burst 60"]),
    ("192.0.2.1:tcpmux stream tcp nowait root internal", ["192.0.2.1"],
     ["allow any"]),
    ("[2001:db8::1]:\ntcpmux stream tcp6 nowait root internal",
     ["2001:db8::1"], ["allow any"]),
    ("host.example.org:tcpmux stream tcp nowait root internal",
     ["127.0.0.1"], ["allow any"]),
    (INETD_MUX + "::1:tcpmux stream tcp6 nowait root internal",
     ["*", "::1"], ["allow any"]),
    (INETD_MUX + "::1:tcpmux stream tcp6 nowait/30 root internal", ["*"],
     ["allow any"]),
    ("127.0.0.1:" + INETD_MUX + INETD_MUX, ["*"], ["allow any"]),
    ("[::]:tcpmux stream tcp6 nowait root internal", ["::"], ["allow any"]),
    ("tcpmux stream tcp nowait/x root internal", ["*"], ["deny any"]),
    ("tcpmux stream tcp nowait root", ["*"], ["deny any"]),
])
def test_the_tcpmux_line_of_inetd(convert, line, listens, admission):
    policy, _ = convert(f"{line}\ntcpmux/x stream tcp nowait nobody /b b\n")
    assert re.findall(r"^listen (.*)$", policy, re.M) == listens
    assert block(policy, "admission") == admission


AT = "127.0.0.1:"
BOUND = "tcpmux/+demo stream tcp nowait nobody /bin/cat cat\n"
PLAIN_INETD = ["allow any", "user nobody", "groups user", "umask 022",
               "exec /bin/cat", 'reply mux "Go"']
# The file, where is listened, and what the service is on.
HOSTS = {
    "the same": (AT + INETD_MUX + AT + BOUND, ["127.0.0.1"], []),
    "in a line of its own": (AT + "\n" + INETD_MUX + BOUND, ["127.0.0.1"],
                             []),
    "no more": (AT + "\n*:\n" + INETD_MUX + BOUND, ["*"], []),
    "everywhere": (AT + "\n" + INETD_MUX + "*:" + BOUND, ["127.0.0.1"], []),
    "apart": (AT + " " + INETD_MUX + AT + " " + BOUND, ["127.0.0.1"], []),
    "one of two": (AT + INETD_MUX + "::1:" + INETD_MUX + AT + BOUND,
                   ["127.0.0.1 name 127.0.0.1", "::1"], ["127.0.0.1"]),
    "two of three": (AT + INETD_MUX + "::1:" + INETD_MUX + "[::2]:" + INETD_MUX
                     + "::2,127.0.0.1:" + BOUND,
                     ["127.0.0.1 name 127.0.0.1", "::1", "::2 name --2"],
                     ["127.0.0.1", "--2"]),
    "all of IPv4": (INETD_MUX + "::1:" + INETD_MUX + "0.0.0.0:" + BOUND,
                    ["* name ipv4", "::1"], ["ipv4"]),
}


@pytest.mark.parametrize("case", HOSTS)
def test_inetd_hosts(convert, case):
    given, listens, names = HOSTS[case]
    policy, _ = convert(given)
    assert re.findall(r"^listen (.*)$", policy, re.M) == listens
    on = [" ".join(["on", *names])] if names else []
    assert block(policy, "service demo") == PLAIN_INETD + on
    assert notes(policy) == []


@pytest.mark.parametrize("given, fragment", [
    (INETD_MUX + AT + BOUND, "bound to 127.0.0.1, for which"),
    (INETD_MUX + AT + INETD_MUX + AT + BOUND, "bound to 127.0.0.1, for which"),
    ("::1:" + INETD_MUX + AT + BOUND, "bound to 127.0.0.1, for which"),
    (INETD_MUX + AT + "\n" + BOUND, "bound to 127.0.0.1, for which"),
    (INETD_MUX + "host.example.org:" + BOUND, "nobody's name is looked up"),
])
def test_inetd_hosts_that_cannot_be_said(convert, given, fragment):
    policy, _ = convert(given)
    assert block(policy, "service demo disabled")
    notes_hold(policy, fragment)


def test_bound_without_tcpmux_is_no_wider(convert):
    policy, _ = convert(AT + BOUND)
    assert re.findall(r"^listen (.*)$", policy, re.M) == ["127.0.0.1"]


@pytest.mark.parametrize("listens, head, on", [
    (["*"], "service demo disabled", []),
    (["127.0.0.1 port 99"], "service demo", []),
    (["::1", "127.0.0.1 name x"], "service demo", ["on x"]),
])
def test_listen_of_ones_own_opens_nothing_that_was_bound(
        tmp_path, script, listens, head, on):
    given = tmp_path / "given"
    given.write_text(AT + INETD_MUX + AT + BOUND)
    policy = script.convert([str(given)], None, listens).text([str(given)])
    assert block(policy, head) == PLAIN_INETD + on


def test_inetd_what_is_not_carried_over(convert):
    policy, said = convert(
        INETD_MUX + "ftp stream tcp nowait root /bin/ftpd ftpd\n"
        "tcpmux/a stream tcp wait nobody /bin/a a\n"
        "tcpmux/g dgram udp nowait nobody /bin/g g\n"
        "tcpmux/b stream tcp nowait nobody b b\n"
        "tcpmux/c stream tcp nowait\n"
        "tcpmux/+finger stream tcp nowait root internal\n"
        "tcpmux/echo stream tcp nowait root internal\n"
        "tcpmux/e stream tcp nowait :daemon /bin/e e\n"
        "#tcpmux/f stream tcp nowait nobody /bin/f f\n")
    assert re.findall(r"^service .*$", policy, re.M) == [
        "service a disabled {", "service g disabled {", "service echo {"]
    assert block(policy, "service echo") == [
        "allow any", "user nobody", "umask 022", "builtin echo",
        'reply mux "Go"']
    assert [line for line, _ in notes(policy)] == list(
        map(str, [2, 3, 4, 5, 5, 6, 6, 7, 7, 9, 9]))
    assert said == ""


# --- inetd.conf of NetBSD: KEY = VALUE ---------------------------------------

KEYED_MUX = "tcpmux on protocol = tcp4, wait = no, user = root;\n"


def keyed(*options, name="tcpmux/+demo", switch="on", without=(), **changed):
    """An entry of NetBSD's: what every one needs, and more."""
    every = {"protocol": "tcp4", "socktype": "stream", "wait": "no",
             "user": "nobody", "exec": "/bin/cat", "args": "cat", **changed}
    body = [f"{key} = {value}" for key, value in every.items()
            if key not in without]
    return f"{name} {switch}\n\t" + ",\n\t".join([*body, *options]) + ";\n"


def keyed_plain(**lines):
    left = dict(lines)
    result = [left.pop(line.split()[0], line) for line in PLAIN_INETD]
    return result + list(left.values())


KEYED = {
    "no more": (keyed(), keyed_plain(), []),
    "all in a line": (
        "tcpmux/demo on protocol=tcp4,socktype=stream,wait=no,user=nobody,"
        "exec=/bin/cat,args=cat;", keyed_plain(reply="reply service"), []),
    "group": (keyed("group = wheel", "group = daemon"),
              ["allow any", "user nobody", "group daemon",
               *PLAIN_INETD[2:]], []),
    "limits": (keyed("service_max = 30", "ip_max = 5", "accept_max = 7"),
               [*PLAIN_INETD, "sessions 7", "source-rate 5/min burst 5",
                "rate 30/min burst 30"], ["closed to nobody for ten minutes"]),
    "no args": (keyed(without=["args"]), PLAIN_INETD, []),
    "argv0": (keyed(args="dog -u"),
              keyed_plain(exec="exec /bin/cat -u", reply="argv0 dog")
              + [PLAIN_INETD[-1]], []),
    "quotes": (keyed(args="""cat "a, b;" 'c"#'d=e "\\x2du\\\\\\"" "\\xc3\\xa9"
                     -- # no; word, of = it
                     """),
               keyed_plain(exec='exec /bin/cat "a, b;" "c\\"#d=e" '
                                '"-u\\\\\\"" \u00e9 --'), []),
    "internal": (keyed(name="tcpmux/echo", exec="internal", args=""),
                 ["allow any", "user nobody", "umask 022", "builtin echo",
                  'reply mux "Go"'], []),
    "internal without a word": (
        keyed(name="tcpmux/+echo", without=["exec", "args"]),
        ["allow any", "user nobody", "umask 022", "builtin echo",
         'reply mux "Go"'], ["it has no exec"]),
    "no socktype": (keyed(without=["socktype"]), PLAIN_INETD,
                    ["stumbles over wait"]),
    "filter": (keyed("acceptfilter = dataready", "ipsec ="), PLAIN_INETD,
               ["acceptfilter: no connection"]),
    "IPsec for others": ("#@ in ipsec esp/transport//require\n#@\n" + keyed(),
                         PLAIN_INETD, []),
    "IPsec, but not here": (
        "#@ in ipsec esp/transport//require\n" + keyed("ipsec ="),
        PLAIN_INETD, []),
    "SCCS": ("#@(#)inetd.conf 5.4\n" + keyed(), PLAIN_INETD, []),
    "bound as tcpmux is": (
        keyed("bind = 127.0.0.1", name="tcpmux", protocol="tcp",
              without=["exec", "args"])
        + keyed("bind = 127.0.0.1", protocol="tcp") + "::1:", PLAIN_INETD, []),
    "among others": ("ftp on protocol = tcp4, user = root; " + keyed().strip()
                     + "# more\n  tcpmux/+b stream tcp nowait nobody /b b",
                     PLAIN_INETD, ["ftp: is not muxed"]),
}


@pytest.mark.parametrize("case", KEYED)
def test_keyed_entries_carry(convert, case):
    given, expected, fragments = KEYED[case]
    mux = "" if "tcpmux on" in given else KEYED_MUX
    policy, said = convert(mux + given)
    name = "echo" if "internal" in case else "demo"
    assert block(policy, f"service {name}") == expected
    assert block(policy, "admission") == ["allow any"]
    notes_hold(policy, *fragments)
    assert said == ""


# The entry, the line of it that is at fault, and what is told of it.
KEYED_OFF = {
    "off": (keyed(switch="off"), 1, "it was off"),
    "unknown": (keyed("colour = red"), 8, "'colour': is no option"),
    "no key": (keyed("= red"), 8, "'': is no option"),
    "twice": (keyed("user = root"), 8, "user: is given already"),
    "two values": (keyed("service_max = 1 2"), 8, "service_max: has 2 values"),
    "no value": (keyed("ip_max ="), 8, "ip_max: has 0 values"),
    "empty": (keyed('bind = ""'), 8, "bind: is empty"),
    "no protocol": (keyed(without=["protocol", "wait"]), 1,
                    "it has no protocol"),
    "which IP": (keyed(protocol="tcp"), 2, "it has to be tcp4 or tcp6"),
    "datagrams": (keyed(protocol="udp4", without=["socktype"]), 1,
                  "'stream udp4'"),
    "no stream": (keyed(socktype="dgram"), 1, "'dgram tcp4'"),
    "no wait": (keyed(without=["wait"]), 1, "it has no wait"),
    "waits": (keyed(wait="yes"), 4, "wait yes"),
    "wait": (keyed(wait="maybe"), 4, "wait maybe"),
    "nobody": (keyed("service_max = 0"), 8, "0: nobody may use it"),
    "number": (keyed("ip_max = many"), 8, "'many' is not a number"),
    "buffers": (keyed("sndbuf = 64k"), 8, "sndbuf: is not for a muxed"),
    "IPsec": (keyed('ipsec = "in ipsec esp/transport//require"'), 8,
              "IPsec 'in ipsec esp"),
    "IPsec of a line": ("#@ in ipsec ah/transport//require\n" + keyed(), 1,
                        "IPsec 'in ipsec ah"),
    "bound": (keyed("bind = 127.0.0.1"), 8, "bound to 127.0.0.1, for which"),
    "bound before": (keyed(name="127.0.0.1:tcpmux/+demo"), 1,
                     "bound to 127.0.0.1, for which"),
    "bound twice": (keyed("bind = ::1", name="127.0.0.1:tcpmux/+demo"), 8,
                    "bind: is given already"),
}


@pytest.mark.parametrize("case", KEYED_OFF)
def test_keyed_entries_that_inetd_does_not_serve_are_disabled(convert, case):
    given, line, fragment = KEYED_OFF[case]
    policy, _ = convert(KEYED_MUX + given)
    assert block(policy, "service demo disabled")
    assert [int(at) - 1 for at, text in notes(policy)
            if fragment in text] == [line]


@pytest.mark.parametrize("given, fragment", [
    (keyed(without=["user"]), "it has no user; inetd"),
    (keyed(exec="cat"), "'cat' is not an absolute path"),
    (keyed(exec="internal"), "there is no internal service"),
    (keyed(args='"\\x07"'), "holds a character"),
])
def test_keyed_entries_that_cannot_be_written(convert, given, fragment):
    policy, _ = convert(KEYED_MUX + keyed(name="tcpmux/other") + given)
    assert policy.count("\nservice ") == 1
    assert any(fragment in text for _, text in notes(policy)), policy


@pytest.mark.parametrize("options, listens, admission", [
    (["accept_max = 9", "ip_max = 3"], ["*"],
     ["allow any", "sessions 9", "rate 3/min burst 3"]),
    (["protocol = tcp6"], ["::"], ["allow any"]),
    (["bind = 192.0.2.1", "protocol = tcp"], ["192.0.2.1"], ["allow any"]),
    (["bind = ::1, protocol = tcp, recvbuf = 64k"], ["::1"], ["allow any"]),
    (["protocol = tcp"], ["*"], ["deny any"]),
    (["ipsec = 'in ipsec esp/transport//require'"], ["*"], ["deny any"]),
    (["ip_max = 0"], ["*"], ["deny any"]),
    (["what = 1"], ["*"], ["deny any"]),
])
def test_the_keyed_entry_of_tcpmux(convert, options, listens, admission):
    policy, _ = convert(keyed(*options, name="tcpmux", exec="internal",
                              without=["args"]) + BOUND)
    assert re.findall(r"^listen (.*)$", policy, re.M) == listens
    assert block(policy, "admission") == admission


@pytest.mark.parametrize("given", [
    "tcpmux off protocol = tcp4, wait = no, user = root;\n",
    "tcpmux on protocol = tcp4, wait = no, user = root, exec = /bin/mux;\n"])
def test_no_keyed_entry_of_tcpmux_that_serves(convert, given):
    policy, _ = convert(given + keyed())
    assert "inetd served none of this" in policy


KEYED_BROKEN = {
    "quote": (keyed(args='"a'), 7, "a quote is not closed"),
    "escape": (keyed(args=r'"\q"'), 7, "'\\q' is no escape"),
    "no equals": (keyed("user nobody"), 8, "'=' is missing behind 'user'"),
    "no option": (keyed(""), 8, "an option is missing"),
    "no options": ("tcpmux/+demo on;\ntcpmux/+demo on ;\n", 2,
                   "an option is missing"),
    "no end": (keyed().replace(";", ""), 7, "';' is missing at its end"),
    "include": (".include\n", 1, ".include: a file is missing"),
}


@pytest.mark.parametrize("case", KEYED_BROKEN)
def test_keyed_entries_end_where_inetd_reads_no_further(convert, case):
    given, line, fragment = KEYED_BROKEN[case]
    first = KEYED_MUX + keyed(name="tcpmux/a")
    after = keyed(name="tcpmux/b") if case != "no end" else ""
    policy, said = convert(first + given + after)
    line += first.count("\n")
    assert re.findall(r"^service .*", policy, re.M) == ["service a {"]
    assert f"DIR/given.conf:{line}: " in said and fragment in said
    assert "inetd reads no further" in said
    assert any(fragment in text for _, text in notes(policy))


@pytest.mark.parametrize("given, fragment", [
    (";\n", "';': is no entry"), (".what /x\n", ".what: is no directive"),
    ("hello\n", "'hello': is no entry")])
def test_what_is_no_entry_has_its_place(convert, given, fragment):
    policy, said = convert(INETD_MUX + given + BOUND)
    assert block(policy, "service demo") == PLAIN_INETD
    assert f"given.conf:2: {fragment}" in said
    notes_hold(policy, fragment)


def test_inetd_includes(convert, tmp_path):
    folder = tmp_path / "inetd.d"
    folder.mkdir()
    (folder / "a").write_text(keyed(name="tcpmux/a") + "::1:\n#@ in ipsec x\n")
    (folder / "b").write_text(keyed(name="tcpmux/b") + '.include "../last"')
    (folder / ".hidden").write_text(keyed(name="tcpmux/hidden"))
    (tmp_path / "last").write_text(f".include {folder}/b\n"
                                   ".include given.conf\n" + BOUND)
    (tmp_path / "folder").mkdir()
    policy, said = convert(
        AT + "\n" + INETD_MUX + '.include "inetd.d/*" and no more\n'
        ".include none*\n.include folder\n" + keyed(name="tcpmux/z"))
    assert re.findall(r"^service (.*) {$", policy, re.M) == [
        "a", "b", "demo", "z"]
    assert re.findall(r"^listen (.*)$", policy, re.M) == ["127.0.0.1"]
    notes_hold(policy, "/b: is read already", "/given.conf: is read already",
               "none*: there is no such file", "folder: is not a file")
    assert "DIR/given.conf:5: DIR/folder: is not a file" in said


def test_inetd_includes_are_bounded(convert, tmp_path, script, monkeypatch):
    for at in range(60):
        (tmp_path / f"deep{at}").write_text(
            keyed(name=f"tcpmux/d{at}") + f".include deep{at + 1}\n")
    policy, said = convert(INETD_MUX + ".include deep0\n")
    assert policy.count("\nservice ") == script.DEPTH_MAX - 1
    assert "50 inside each other" in said
    monkeypatch.setattr(script, "FILES_MAX", 3)
    policy, said = convert(INETD_MUX + ".include deep*\n")
    assert policy.count("\nservice ") == 3
    assert "more than 3 files" in said
    policy, said = convert(INETD_MUX + f".include {'*/' * 999}\n" + BOUND)
    assert "is not a path" in said


# --- as it is loaded ----------------------------------------------------------

def with_parser(policy):
    return policy.replace(
        "policy 1\n", "policy 1\nparser {\n\tuser "
        f"{PARSER_ID}\n\tgroup {PARSER_ID}\n}}\n", 1)


@pytest.mark.skipif(not IS_ROOT, reason="users are taken by root alone")
def test_it_is_served(convert, mux_factory):
    policy, _ = convert(
        MUX + entry(name="plus", server="/bin/echo", server_args="a b")
        + entry(name="own", server="/bin/echo", server_args="+mine",
                type="TCPMUX UNLISTED")
        + entry("only_from = 10.0.0.0", name="closed")
        + entry(name="echo", type="TCPMUX INTERNAL UNLISTED", user="root")
        + entry("groups = yes", "group = daemon", "env = A=b",
                "access_times = 0:00-23:59", "nice = 2", name="more",
                user="root"))
    mux = mux_factory(text=with_parser(policy))
    for name, answer in ((b"plus", b"+Go\r\na b\n"), (b"own", b"+mine\n"),
                         (b"closed", b"-Service not available\r\n")):
        assert converse(mux.connect(), name + b"\r\n") == answer
    assert converse(mux.connect(), b"MORE\r\nx",
                    half_close=True) == b"+Go\r\nx"
    assert converse(mux.connect(), b"echo\r\nx",
                    half_close=True) == b"+Go\r\nx"


# --- who may, against a model -------------------------------------------------

def allowed_by_model(address, only, none):
    """The better match: how many bits of the address the best entry fixes."""
    def best(entries):
        fixed = [-1]
        for kind, value, bits in entries:
            mask = ((1 << bits) - 1) << (32 - bits)
            if kind == 4 and address & mask == value & mask:
                fixed.append(bits)
        return max(fixed)
    if best(none) >= 0 and best(none) >= best(only):
        return False
    return best(only) >= 0 or not only


def an_entry(chance):
    """(text, its meaning): close together, so that they cover each other."""
    value = 0x0A000000 | chance.choice([0, 1, 2, 0x10000]) << 8 \
        | chance.randrange(4)
    dotted = str(ipaddress.IPv4Address(value))
    shape = chance.randrange(4)
    if shape == 0:
        bits = chance.choice([8, 15, 16, 23, 24, 30, 31, 32])
        return f"{dotted}/{bits}", [(4, value, bits)]
    if shape == 1:
        tail = [chance.randrange(4) for _ in range(2)]
        head = dotted.rpartition(".")[0]
        return f"{head}.{{{tail[0]},{tail[1]}}}", [
            (4, value & ~0xFF | last, 32) for last in tail]
    if shape == 2:
        value &= chance.choice([0xFFFFFF00, 0xFFFF0000, 0xFF000000])
    bits = 32
    while bits > 0 and value & 0xFF << (32 - bits) == 0:
        bits -= 8
    return str(ipaddress.IPv4Address(value)), [(4, value, bits)]


def an_acl(chance):
    picked = [an_entry(chance) for _ in range(chance.randrange(1, 5))]
    return (" ".join(text for text, _ in picked),
            [meaning for _, found in picked for meaning in found])


def test_access_is_what_the_better_match_says(tmp_path):
    """40 services, 12 addresses each, as the daemon itself explains them."""
    chance = random.Random(1078)
    given, path = tmp_path / "given", tmp_path / "made.policy"
    text, models = MUX, {}
    for at in range(40):
        only = an_acl(chance) if at % 4 != 1 else ("", [])
        none = an_acl(chance) if at % 4 != 2 else ("", [])
        lines = [f"only_from = {only[0]}"] * bool(only[1])
        lines += [f"no_access = {none[0]}"] * bool(none[1])
        text += entry(*lines, name=f"s{at}")
        models[f"s{at}"] = only[1], none[1]
    given.write_text(text)
    assert run("-o", path, given)[0] == 0
    assert check(path, "-s") == (0, "")
    disabled = re.findall(r"^service (\S+) disabled", path.read_text(), re.M)
    seen = {True: 0, False: 0}
    for name, (only, none) in models.items():
        for _ in range(12):
            value = 0x0A000000 | chance.choice([0, 1, 2, 3, 0x10000]) << 8 \
                | chance.randrange(5)
            wanted = allowed_by_model(value, only, none)
            assert explained(path, name, value) == wanted, (
                name, hex(value), only, none)
            assert not (wanted and name in disabled)
            seen[wanted] += 1
    assert min(seen.values()) > 100


def explained(path, name, value):
    address = ipaddress.IPv4Address(value)
    done = subprocess.run(
        [program("tcpmuxd"), "-T", "-s", "-C",
         f"service={name},addr={address}", "-f", path],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30)
    verdict = re.search(r"^verdict: (.*)$", done.stdout, re.M)
    assert verdict, done
    return verdict[1].startswith("allowed")


# --- whatever comes -----------------------------------------------------------

RICH = (MUX + "defaults\n{\nonly_from = 10.0.0.0\ninstances = 5\n}\n"
        + entry("server_args = -a \"b", "env = A=1 B={", "no_access += 10.1.1.1"
                " 10.{1,2} ::1 ::/3", "access_times = 1:00-2:00", "nice = -3",
                "cps = 3 4", "flags = NAMEINARGS", "rlimit_as = 8M",
                "umask = 022", "group = 4")
        + entry("flags = SENSOR", "deny_time = 3", name="bait")
        + "include \0/none\n")
RICH_INETD = (INETD_MUX + AT + INETD_MUX + "".join(
    given + "\n" for given, _, _ in INETD.values()) + "::1:\n" + BOUND
    + "".join(given + "\n" for given, _, _ in KEYED.values())
    + ".include \"*\"\n")
NASTY = [b"\0", b"{", b"}", b"\n", b"\n}\n", b"\xff\xfe", b"\"", b"\\", b"=",
         b" += ", b"#", b"/", b"%", b",", b"-", b":", b".", b"\r",
         "\u0664\u202e\u00a0\u2028".encode(), b"9" * 400, b"x" * 5000,
         b" y" * 300, b"service ", b"defaults\n{\n", b"include /dev/null\n",
         b"includedir /dev\n", b"tcpmux/", b"self", b"root", b"::/0",
         b";", b"\n.include *\n", b" on "]


def mangled(chance, content):
    for _ in range(chance.randrange(1, 5)):
        at, end = sorted(chance.randrange(len(content) + 1) for _ in "ab")
        end = min(end, at + 40)
        content = content[:at] + chance.choice([b"", *NASTY]) + content[end:]
    return content


@pytest.mark.parametrize("whole", [RICH, RICH_INETD], ids=["xinetd", "inetd"])
def test_hostile_input_is_never_a_traceback(script, tmp_path, capsys, whole):
    chance = random.Random(whole)
    given, path = tmp_path / "given", tmp_path / "made.policy"
    loaded = 0
    for _ in range(100):
        content = mangled(chance, whole.encode())
        given.write_bytes(content)
        for kind in ("xinetd", "inetd"):
            try:
                policy = script.convert([str(given)], kind)
            except script.Trouble:
                continue
            if not policy.kept():
                continue
            path.write_bytes(policy.text([str(given)]).encode())
            assert check(path, "-s") == (0, ""), content
            loaded += 1
    assert loaded > 50
    capsys.readouterr()


def test_a_file_that_never_ends():
    status, _, said = run("/dev/zero")
    assert (status, said) == (1, "from-xinetd: /dev/zero: is not a file\n")


# --- what Debian ships ------------------------------------------------------

SHIPPED = sorted(pathlib.Path("/etc/xinetd.d").glob("*"))


@pytest.mark.skipif(not SHIPPED, reason="xinetd is not installed")
def test_what_debian_ships(convert, tmp_path):
    status, policy, said = run("/etc/xinetd.conf")
    assert (status, policy) == (1, "")
    assert "/etc/xinetd.d/echo:" in said
    text = "".join(path.read_text() for path in SHIPPED)
    muxed = text.replace("INTERNAL", "INTERNAL TCPMUX").replace(
        "= yes", "= no") + entry()
    policy, _ = convert(muxed)
    for name in ("echo", "discard", "daytime", "time", "chargen"):
        assert f"builtin {name}" in block(policy, f"service {name}")
    assert "servers: could not be carried over" in policy
