"""Private copies of the tree, built so that a number leaves out a defence.

One build holds all of them: every site asks whether its number is the one in
force, which is four bytes of each program's data. So a defence is left out by
writing its number there. What a compiler has to see (a table's row) is built
in a copy, and undone afterwards.
"""

import errno
import os
import pathlib
import shutil
import struct
import subprocess
import time

import sites

MARK = b"one defence less"
# In each object, and once in each program: a section that linkers merge.
PRELUDE = r"""
#include <stdint.h>
__asm__(".pushsection .data.mutant,\"awG\",@progbits,mutant,comdat\n"
	".balign 4\n.weak mutant\n.hidden mutant\n"
	"mutant:\n.ascii \"one defence less\"\n.long 0\n.popsection\n");
extern struct mutant { char mark[16]; volatile uint32_t number; } mutant
    __attribute__((visibility("hidden")));
#ifndef REACHED
#define MUTANT(number_) (mutant.number == (number_))
#elif defined(_GNU_SOURCE)
#define MUTANT(number_) \
	(mutant_reached[number_] = 1, mutant.number == (number_))
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>
__attribute__((weak, visibility("hidden")))
unsigned char mutant_nowhere[8192];
__attribute__((weak, visibility("hidden")))
unsigned char *mutant_reached = mutant_nowhere;
__attribute__((weak, visibility("hidden"), constructor))
void mutant_map_reached(void)
{
	int fd = mutant_reached == mutant_nowhere
	    ? open("/tmp/reached", O_RDWR | O_CLOEXEC) : -1;
	void *map = fd == -1 ? MAP_FAILED : mmap(NULL, sizeof(mutant_nowhere),
	    PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (map != MAP_FAILED)
		mutant_reached = map;
	if (fd != -1)
		close(fd);
}
#endif
"""
PROGRAMS = ("tcpmuxd", "tcpmuxd-parser", "tcpmuxd-launcher",
            "tcpmuxd-builtin")
TARGETS = ("all", "unit", "tools")
# What a row's file becomes part of.
RELINKED = {"src/parser": ["build/tcpmuxd-parser"],
            "src/launcher": ["build/tcpmuxd-launcher", "unit"],
            "src/sys": ["all", "unit"],
            "src/parent": ["build/tcpmuxd"],
            "src/loader": ["build/tcpmuxd", "build/tests/unit/test_profile",
                           "build/tests/tools/image"],
            "src/core": ["all", "unit"]}


def make(tree, *targets, jobs=2, flags=""):
    """Builds; returns what was said if that failed, else None.

    As if all trees stood in one place: so what a copy has is not made again,
    but for what has changed.
    """
    done = subprocess.run(
        ["make", f"-j{jobs}", "CURDIR=/mutant", "WARN=-w",
         f"OPT=-O2 -include mutant.h {flags}", "BUILD=build", *targets],
        cwd=tree, stdin=subprocess.DEVNULL, capture_output=True, text=True,
        check=False)
    return None if done.returncode == 0 else (done.stdout + done.stderr)[-2000:]


def _files():
    out = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"],
                         cwd=sites.ROOT, check=True, capture_output=True)
    return out.stdout.decode().split()


def fill(tree, numbers):
    """Writes the tree's sources, those with sites with all of them."""
    for name in _files():
        source, copy = sites.ROOT / name, tree / name
        if not source.is_file():
            continue
        text = source.read_bytes()
        if name in sites.CONDITIONS or name == sites.LIMITS:
            text = sites.with_numbers(name, numbers).encode()
        copy.parent.mkdir(parents=True, exist_ok=True)
        if not copy.exists() or copy.read_bytes() != text:
            copy.write_bytes(text)
            shutil.copymode(source, copy)
    prelude = tree / "mutant.h"
    if not prelude.exists() or prelude.read_text() != PRELUDE:
        prelude.write_text(PRELUDE)


def copy(base, tree):
    """Makes tree the same as base, whatever happened to it."""
    tree.mkdir(parents=True, exist_ok=True)
    subprocess.run(["rsync", "-a", "--delete", "--exclude=__pycache__", "--exclude=/tmp",
                    f"{base}/", f"{tree}/"], check=True)


class Tree:
    """One copy, for one mutant at a time."""

    def __init__(self, base, path):
        self.base, self.path = base, path
        copy(base, path)
        self.programs = {}
        self._number = {}

    def _offset(self, program):
        if program not in self.programs:
            data = (self.path / program).read_bytes()
            at = data.find(MARK)
            if at != -1 and data.find(MARK, at + 1) != -1:
                raise ValueError(f"{program}: two marks")
            self.programs[program] = at
        return self.programs[program]

    def set_number(self, program, number):
        """Which defence that program goes without; 0: none."""
        if self._number.get(program, 0) == number:
            return
        at = self._offset(program)
        if at != -1:
            descriptor = self._open(self.path / program)
            os.pwrite(descriptor, struct.pack("<I", number), at + len(MARK))
            os.close(descriptor)
        self._number[program] = number

    @staticmethod
    def _open(path):
        """Opens a program to be written to, once its last process has gone."""
        for _ in range(300):
            try:
                return os.open(path, os.O_WRONLY | os.O_CLOEXEC)
            except OSError as error:
                if error.errno != errno.ETXTBSY:
                    raise
                time.sleep(0.1)
        raise TimeoutError(f"{path} is still in use")

    def set_programs(self, number):
        for name in PROGRAMS:
            self.set_number(f"build/{name}", number)

    def build_without(self, site):
        """Builds it without that row; what was said if that failed."""
        file = self.path / site.file
        file.write_text(sites.without(
            site, (sites.ROOT / site.file).read_text()))
        targets = RELINKED["/".join(site.file.split("/")[:2])]
        if site.kind == "limit":
            targets = ["all"]
        return make(self.path, *targets)

    def restore(self):
        copy(self.base, self.path)
        self.programs, self._number = {}, {}


def build(folder, numbers, name="base", flags=""):
    """The base of all copies, built as it is now."""
    base = pathlib.Path(folder) / name
    base.mkdir(parents=True, exist_ok=True)
    fill(base, numbers)
    problem = make(base, *TARGETS, flags=flags)
    if problem is not None:
        raise SystemExit(f"{base}: {problem}")
    return base
