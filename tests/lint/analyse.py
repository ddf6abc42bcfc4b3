"""What four analysers find in C: clang-tidy, cppcheck, gcc -fanalyzer, scan-build.

They are slow, so a file is looked at again only if it, a header of ours that it
includes, an analyser or its configuration has changed: what was clean leaves an
empty file in LINT_SEEN (~/.cache/tcpmuxd-lint), named after a hash of all that.
A finding that is none is silenced where it is, with its reason, by NOLINT(check)
or cppcheck-suppress.
"""

import concurrent.futures
import hashlib
import os
import pathlib
import re
import shlex
import subprocess
import sys
import time

SEEN = pathlib.Path(os.environ.get("LINT_SEEN") or
                    pathlib.Path.home() / ".cache/tcpmuxd-lint")
DAY_S = 86400
FLAGS = ["-std=c11", *shlex.split(os.environ["CPPFLAGS"])]
TIDY = ["clang-tidy", "--quiet", "--warnings-as-errors=*"]
CPPCHECK = ["cppcheck", "--quiet", "--std=c11", "--inline-suppr",
            "--enable=warning,performance,portability", "--error-exitcode=1",
            f"-D__{os.uname().machine}__", "-Derrx(...)=exit(1)",
            "-Dassert_true(claim)=(void)((claim)||(abort(),0))",
            "--template=gcc"]
FANALYZER = ["gcc", "-O2", "-fPIE", "-fanalyzer", "-Werror",
             "-fdiagnostics-plain-output", "-c", "-o", "/dev/null"]
SCAN_BUILD = ["scan-build", "--status-bugs", "gcc", "-c", "-o", "/dev/null"]


def commands(path):
    yield TIDY + [path, "--"] + FLAGS
    yield CPPCHECK + [flag for flag in FLAGS if flag[:2] in ("-I", "-D")] + \
        [path]
    # A test may fall over what cannot be: these two know no assert_true(),
    # nor what fuzz/world, which plays the kernel, may rely on.
    if path.startswith("src/"):
        yield FANALYZER + FLAGS + [path]
        yield SCAN_BUILD + FLAGS + [path]


def with_headers(path, found):
    """The file and all of ours that it includes, in a fixed order."""
    if path in found:
        return found
    found.append(path)
    for name in re.findall(r'^#include "(.+)"', path.read_text(), re.M):
        for header in (path.parent / name, pathlib.Path("src") / name):
            if header.exists():
                with_headers(pathlib.Path(os.path.normpath(header)), found)
                break
    return found


def versions():
    return b"".join(subprocess.run([tool, "--version"], check=True,
                                   capture_output=True).stdout
                    for tool in ("clang-tidy", "cppcheck", "gcc", "clang"))


def stamp(path, tools):
    key = hashlib.sha256(tools + repr(list(commands(path))).encode())
    path = pathlib.Path(path)
    configuration = [config for config in map(pathlib.Path, (
        ".clang-tidy", f"{path.parts[0]}/.clang-tidy")) if config.exists()]
    for part in configuration + with_headers(path, []):
        key.update(str(part).encode() + b"\0" + part.read_bytes())
    return SEEN / key.hexdigest()


def analyse(path, seen):
    """What is found in a file; nothing if it was clean before."""
    if seen.exists():
        seen.touch()
        return ""
    said = ""
    for command in commands(path):
        done = subprocess.run(command, stdin=subprocess.DEVNULL, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if done.returncode != 0:
            said += f"{shlex.join(command)}:\n{done.stdout}"
    if said == "":
        seen.touch()
    return said


SEEN.mkdir(parents=True, exist_ok=True)
for old in SEEN.iterdir():
    if time.time() - old.stat().st_mtime > 30 * DAY_S:
        old.unlink(missing_ok=True)
tools = versions()
files = sorted(str(path) for top in ("src", "tests", "fuzz")
               for path in pathlib.Path(top).rglob("*.c"))
with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
    findings = [said for said in pool.map(
        lambda path: analyse(path, stamp(path, tools)), files) if said]
print("".join(findings), end="")
sys.exit(1 if findings else 0)
