"""How the installed programs are compiled and linked: what `make install` puts
in place is looked at with readelf, our objects with nm. And that its texts
name the places where it was put.

Two tools that are made for this are asked as well, where they are installed.
"""

import json
import os
import pathlib
import re
import shutil
import subprocess

import pytest

from mux import program
from rooms import unsanitized

pytestmark = unsanitized  # its build is another, and not for use

ROOT = pathlib.Path(__file__).resolve().parents[2]
# On aarch64 the canaries' value is the loader's, which is there in any case.
LOADER = {"aarch64": {"ld-linux-aarch64.so.1"}}.get(os.uname().machine, set())
# Whatever else one of them came to load is a way in that nobody decided on.
LIBRARIES = {
    "tcpmuxd": {"libcap-ng.so.0", "libbsd.so.0", "libseccomp.so.2",
                "libc.so.6"} | LOADER,
    "tcpmuxd-parser": set(),
    "tcpmuxd-launcher": set(),
    "tcpmuxd-builtin": set(),
    "tcpmux": {"libseccomp.so.2", "libc.so.6"} | LOADER,
}
IS_INTEL = os.uname().machine == "x86_64"
# How it is asked of a compiler that jumps and returns only lead where they
# should, and what objects then say of themselves.
BRANCHES, MARKS = {
    "x86_64": ("-fcf-protection=full", "IBT, SHSTK"),
    "aarch64": ("-mbranch-protection=standard", "BTI, PAC"),
}.get(os.uname().machine, (None, None))
COMPILED = {"-O2", "-fPIE", "-fstack-protector-strong",
            "-fstack-clash-protection", "-ftrivial-auto-var-init=zero",
            *([BRANCHES] if BRANCHES else [])}
each_program = pytest.mark.parametrize("name", LIBRARIES)


def said(*command):
    return subprocess.run(command, check=True, text=True, errors="replace",
                          stdin=subprocess.DEVNULL, capture_output=True).stdout


@pytest.fixture(scope="module")
def top(tmp_path_factory):
    """Below it all is installed, some in other folders than usual."""
    path = tmp_path_factory.mktemp("installed")
    build = os.environ.get("TCPMUXD_BUILD", "build")
    said("make", "-C", ROOT, "install", f"BUILD={os.path.abspath(build)}",
         f"DESTDIR={path}", "SBINDIR=/chosen/sbin", "DOCDIR=/chosen/doc")
    return path


@pytest.fixture(scope="module")
def installed(top):
    """{name: path} of the programs that are installed."""
    found = [path for path in top.rglob("*") if path.is_file() and
             path.read_bytes()[:4] == b"\x7fELF"]
    assert sorted(path.name for path in found) == sorted(LIBRARIES)
    return {path.name: str(path) for path in found}


def test_manuals_and_unit_name_the_folders_that_were_chosen(top):
    """All that they name there is there, and no mark is left unfilled."""
    paths = [*top.rglob("man/man?/*"), *top.rglob("*.service")]
    assert sorted(path.name for path in paths) == [
        "tcpmux.1", "tcpmuxd.8", "tcpmuxd.policy.5", "tcpmuxd.service"]
    text = "".join(path.read_text() for path in paths)
    named = set(re.findall(r"/chosen/[\w./-]*\w", text))
    assert {"/chosen/sbin/tcpmuxd", "/chosen/doc/policy.d",
            "/chosen/doc/example.policy"} <= named
    assert [name for name in named if not (top / name[1:]).exists()] == []
    assert re.findall(r"@[A-Z]+@|/usr/local/s[\w/]*", text) == []


def dynamic(path):
    """[(tag, its words)] of the dynamic section."""
    return re.findall(r"^ 0x[0-9a-f]+ \((\w+)\)\s+(.*?)\s*$",
                      said("readelf", "-dW", path), re.M)


def segments(path):
    """{type: [its flags, such as "R E"]} of the program headers."""
    found = {}
    for kind, flags in re.findall(
            r"^  (\w+) +(?:0x[0-9a-f]+ +){5}([R ][W ][E ])",
            said("readelf", "-lW", path), re.M):
        found.setdefault(kind, []).append(flags.strip())
    return found


@each_program
def test_programs_load_what_they_may_and_are_hardened(name, installed):
    entries = dynamic(installed[name])
    tags = {tag for tag, _ in entries}
    flags = set(" ".join(words for tag, words in entries
                         if tag in ("FLAGS", "FLAGS_1")).split())
    parts = segments(installed[name])
    libraries = {words.partition("[")[2].rstrip("]")
                 for tag, words in entries if tag == "NEEDED"}
    assert libraries == LIBRARIES[name]
    assert ("INTERP" in parts) == bool(libraries)
    assert flags == {"Flags:", "BIND_NOW", "NOW", "PIE"}
    assert not tags & {"RPATH", "RUNPATH", "TEXTREL"}
    assert parts["GNU_STACK"] == ["RW"] and "GNU_RELRO" in parts
    assert "RWE" not in [each for kind in parts.values() for each in kind]


@each_program
def test_every_file_of_ours_is_compiled_hardened(name, installed):
    """Canaries, probed stacks, variables that are zero, marked targets."""
    units = re.findall(r"DW_AT_producer\s.*?: (GNU C.*)\n.*DW_AT_language.*\n"
                       r".*DW_AT_name\s.*?: (src/\S+\.c)\n",
                       said("readelf", "--debug-dump=info", installed[name]))
    assert len(units) > 3
    assert {file: COMPILED - set(flags.split()) for flags, file in units} == \
        {file: set() for _, file in units}
    assert "__stack_chk_fail" in said("readelf", "-sW", installed[name])


def test_calls_are_fortified():
    """But for those of which the compiler knows that nothing can overflow."""
    objects = pathlib.Path(program("obj")).rglob("*.o")
    needed = set(re.findall(r" U (\w+)", said("nm", "-u", *objects)))
    assert not needed & {"vsnprintf", "vfprintf", "vdprintf", "dprintf"}
    assert {"__snprintf_chk", "__vsnprintf_chk", "__dprintf_chk",
            "__memcpy_chk"} <= needed


def marks(*paths):
    """[what each says that it has], such as "IBT, SHSTK"."""
    return re.findall(r"(?:x86|AArch64) feature: ([^\n<]+)",
                      said("readelf", "-nW", *paths))


@pytest.mark.skipif(not MARKS, reason="no such marks on this machine")
def test_every_object_is_marked_for_its_branches():
    """For CET, or for what aarch64 has instead."""
    objects = [*pathlib.Path(program("obj")).rglob("*.o")]
    assert len(objects) > 100
    assert marks(*objects) == [MARKS] * len(objects)


@pytest.mark.skipif(not IS_INTEL, reason="CET is a thing of x86-64")
@each_program
def test_cet_is_marked_if_all_that_is_linked_is(name, installed):
    """The linker's rule; where a C library is not marked, no program is."""
    start = said("gcc", "-print-file-name=" +
                 ("Scrt1.o" if LIBRARIES[name] else "rcrt1.o")).strip()
    marked = marks(installed[name])
    assert marked in ([], marks(start))
    # What has nothing in it but ours and the C library has it if that does.
    if name == "tcpmux":
        assert marked == marks(start)


@pytest.mark.skipif(not shutil.which("checksec"), reason="needs checksec")
@each_program
def test_checksec_finds_nothing(name, installed):
    (found,) = json.loads(said("checksec", "--output=json",
                               f"--file={installed[name]}")).values()
    wanted = {"relro": "full", "canary": "yes", "nx": "yes", "pie": "yes",
              "rpath": "no", "runpath": "no"}
    assert {key: found[key] for key in wanted} == wanted


@pytest.mark.skipif(not shutil.which("hardening-check"),
                    reason="needs hardening-check (devscripts)")
@pytest.mark.parametrize("name", [name for name in LIBRARIES
                                  if LIBRARIES[name]])
def test_hardening_check_finds_nothing(name, installed):
    """It takes static programs for libraries, so it is asked of the others.

    Their stack clash protection it does not see, and CET is not there to see.
    """
    said("hardening-check", "--nocfprotection",
         installed[name])
