"""Leaves out one defence after the other, and looks which test sees it.

    run.py [--only TEXT]... [--kind KIND]... [--jobs N] [--units] [--wide]
           [--sample N] [--again] [--control] [--list] [--trees NAME]

Results are appended to BUILD/mutants/results.tsv and belong to what the
mutant's function was then, so that an interrupted run goes on where it was;
report.py writes down what is found. --units: only unit tests, the others
another time. --wide: also those that tests.txt has for the whole file, where
it has some for the function. --again: who survived once more. --control: the
tests with every defence in its place; who fails there kills nothing. Needs
root, for namespaces: nothing that a mutant does is done to this machine.
"""

import argparse
import collections
import hashlib
import os
import pathlib
import queue
import random
import re
import shutil
import signal
import subprocess
import sys
import threading
import time

import sites
import trees

HERE = pathlib.Path(__file__).resolve().parent
REPORT = HERE / "report.txt"
UNIT_CPU_SECONDS = 10
UNIT_SECONDS, NODE_SECONDS, FILE_SECONDS = 200, 120, 400
# Forks until there is no pid left; or belongs to nothing listed.
NEVER = {"e2e/test_intruder.py"}
# As process 1 a shell, which reaps whom nobody waits for.
# /tmp is a folder of the tree's, since some tests look at what is mounted.
INSIDE = ("mount --make-rprivate / && umount -l /proc && "
          "mount -t proc proc /proc && mount --bind tmp /tmp && "
          'ip link set lo up && "$@"; exit $?')
KINDS = ("never", "gone", "call", "row", "pin", "limit", "always")


def alone(command, tree, seconds, output):
    """Runs a command where it can harm nobody; its status, None: time-out."""
    shutil.rmtree(tree / "tmp", ignore_errors=True)
    (tree / "tmp").mkdir()
    (tree / "tmp").chmod(0o1777)
    wrapped = ["unshare", "-m", "-p", "-n", "-f", "--kill-child", "sh", "-c",
               INSIDE, "sh", *command]
    environment = {**os.environ, "TCPMUXD_BUILD": "build",
                   "PYTHONDONTWRITEBYTECODE": "1"}
    with subprocess.Popen(wrapped, cwd=tree, stdin=subprocess.DEVNULL,
                          stdout=output, stderr=subprocess.STDOUT,
                          env=environment, start_new_session=True) as process:
        try:
            return process.wait(seconds)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            return None


def mapped():
    tests = {}
    for line in (HERE / "tests.txt").read_text().splitlines():
        if line and not line.startswith("#"):
            what, names = line.split(": ")
            tests[what] = names.split()
    return tests


def place_hash(site, source):
    """Of the function, table or limit that the site is in, as it is now."""
    name = re.escape(site.name.split(":")[1])
    match = re.search(rf"^{name}\(.*?^}}|^[^\n(]*\b{name}\[.*?^}};|"
                      rf"^#define {name} [^\n]*", source, re.M | re.S)
    return hashlib.sha256(match[0].encode()).hexdigest()[:12]


class Watch:
    """Notices when all of us were stopped, which tests take for slowness."""

    STEP, GAP = 0.2, 1.0

    def __init__(self):
        self.last = time.monotonic()
        threading.Thread(target=self._watch, daemon=True).start()

    def _watch(self):
        before = time.monotonic()
        while True:
            time.sleep(self.STEP)
            now = time.monotonic()
            if now - before > self.STEP + self.GAP:
                self.last = now
            before = now


class Results:
    """What is known, by mutant and by what its file was."""

    COLUMNS = ("name", "hash", "outcome", "test", "seconds")

    def __init__(self, path):
        self.path, self.known, self.sources = path, {}, {}
        self.lock = threading.Lock()
        # What killed it when the report was written is a likely killer.
        self.before = dict(re.findall(r"^(src/[^\t\n]+)\t(\S.*)$",
                                      REPORT.read_text(), re.M)
                           if REPORT.exists() else ())
        if path.exists():
            for line in path.read_text().splitlines():
                row = dict(zip(self.COLUMNS, line.split("\t")))
                self.known[row["name"]] = row

    def of(self, site):
        row = self.known.get(site.name)
        return row if row and row["hash"] == self.hash(site) else None

    def hash(self, site):
        if site.file not in self.sources:
            self.sources[site.file] = (sites.ROOT / site.file).read_text()
        return place_hash(site, self.sources[site.file])

    def add(self, site, outcome, test, seconds):
        row = dict(zip(self.COLUMNS, (site.name, self.hash(site),
                                      outcome, test, f"{seconds:.1f}")))
        with self.lock:
            self.known[site.name] = row
            with self.path.open("a") as file:
                file.write("\t".join(row.values()) + "\n")

    def killers(self, where):
        """What killed mutants of a file or function, most frequent first."""
        with self.lock:
            kills = {row["name"]: row["test"] for row in self.known.values()
                     if row["outcome"] == "killed"}
        kills = {**self.before, **kills}
        counts = collections.Counter(
            test.removesuffix(" (time-out)") for name, test in kills.items()
            if name.startswith(where + ":"))
        return [test for test, _ in counts.most_common()]


class Units:
    """The unit tests, and which have a file's code in them."""

    def __init__(self, base):
        folder = base / "build/tests/unit"
        self.programs = sorted(
            path.name for path in folder.iterdir()
            if path.is_file() and os.access(path, os.X_OK))
        self.symbols = {name: self._symbols(folder / name)
                        for name in self.programs}
        self.base, self.of_file = base, {}
        # How long each takes; learned as they run.
        self.seconds, self.sound = {}, {}

    @staticmethod
    def _symbols(path):
        out = subprocess.run(["nm", "--defined-only", str(path)], check=True,
                             capture_output=True, text=True).stdout
        return {line.split()[-1] for line in out.splitlines()}

    def _with(self, file):
        if file.endswith(".h"):
            return []
        stem = file.removeprefix("src/").removesuffix(".c")
        out = self._symbols(self.base / f"build/obj/{stem}.o")
        functions = {name for name in out
                     if re.search(rf"^{name}\(", (sites.ROOT / file)
                                  .read_text(), re.M)}
        if file.startswith("src/loader/profile_"):
            return ["test_profile"]
        return [name for name in self.programs
                if functions & self.symbols[name]]

    def tests(self, file):
        if file not in self.of_file:
            self.of_file[file] = self._with(file)
        own = "test_" + pathlib.Path(file).stem
        return sorted(self.of_file[file], key=lambda name: (
            name != own, self.seconds.get(name, 1)))


class Runner:
    """Runs tests against one mutant after the other, in a tree of its own."""

    def __init__(self, what, tree):
        self.what, self.tree = what, tree
        self.said = tree.path.with_suffix(".out")

    def run(self, command, seconds):
        with self.said.open("w") as output:
            return alone(command, self.tree.path, seconds, output)

    def units(self, site, number):
        tests = self.what.units.tests(site.file)
        killers = [test for test in self.what.results.killers(site.file)
                   if test in tests]
        killers = [self.what.results.before.get(site.name)] + killers
        for name in dict.fromkeys(
                test for test in killers + tests if test in tests):
            if not self.is_sound(name):
                continue
            program = f"build/tests/unit/{name}"
            command = self.unit_command(name)
            begin = time.monotonic()
            self.tree.set_number(program, number)
            status = self.run(command, UNIT_SECONDS)
            self.tree.set_number(program, 0)
            if status == 0:
                self.what.units.seconds[name] = time.monotonic() - begin
            elif status is not None:
                return name, ""
            elif self.run(command, UNIT_SECONDS) == 0:
                return name, "time-out"
        return None

    @staticmethod
    def unit_command(name):
        """An endless loop ends by its CPU time, however busy others are."""
        return ["prlimit", f"--cpu={UNIT_CPU_SECONDS}:",
                f"build/tests/unit/{name}"]

    def is_sound(self, name):
        """Does that unit test pass with every defence in its place?"""
        sound = self.what.units.sound
        if name not in sound:
            self.tree.set_number(f"build/tests/unit/{name}", 0)
            sound[name] = self.run(self.unit_command(name),
                                   UNIT_SECONDS) == 0
            if not sound[name]:
                print(f"{name}: fails here anyway", flush=True)
        return sound[name]

    def pytest(self, tests, seconds):
        """The first test that fails, or None; and whether in time."""
        for _ in range(4):
            begin = time.monotonic()
            node, in_time = self.pytest_once(tests, seconds)
            if node is None or self.what.watch.last < begin:
                break
        return node, in_time

    def pytest_once(self, tests, seconds):
        status = self.run(["/usr/bin/pytest-3", "-x", "-v", "-c",
                           "tests/pytest.ini", "--tb=line", *tests], seconds)
        if status == 0 or status == 5:
            return None, True
        text = self.said.read_text(errors="replace")
        failed = self.failed(text)
        if failed:
            return failed[0], True
        # Ended before it could say so: it was at this one.
        begun = re.findall(r"^(\S+\.py::.*?) *$", text, re.M)
        return (begun[-1] if begun else tests[0]), status is not None

    @staticmethod
    def failed(text):
        return re.findall(r"^(\S+\.py::.*) (?:FAILED|ERROR) +\[", text, re.M)

    def nodes(self, site):
        """Tests to try: killers of this one's like, then the mapped files."""
        function = ":".join(site.name.split(":")[:2])
        likely = self.what.tests.get(function, ())
        others = self.what.tests.get(site.file, ())
        if likely and not self.what.is_wide:
            others = ()
        before = self.what.results.before.get(site.name, "")
        known = [test for test in [before,
                                   *self.what.results.killers(function)]
                 if ".py::" in test]
        return [dict.fromkeys(known[:3] + [f"tests/{name}" for name in likely])
                ] + [[f"tests/{name}"] for name in others
                     if name not in NEVER]

    def suites(self, site):
        groups = [list(group) for group in self.nodes(site) if group]
        bad = self.what.bad
        for group in groups:
            skipped = [f"--deselect={node}" for node in sorted(bad)]
            group = [node for node in group if node not in bad]
            while group:
                node, _ = self.pytest([*group, *skipped], FILE_SECONDS)
                if node is None:
                    break
                again, in_time = self.pytest([node], NODE_SECONDS)
                if again is not None and (in_time or self.passes(node)):
                    return self.plain(node), "" if in_time else "time-out"
                # It fails now and then, or by its neighbours: without it.
                skipped.append(f"--deselect={node}")
                group = [other for other in group if other != node]
        return None

    def passes(self, node):
        """With every defence in its place, and in the same time?"""
        self.tree.set_programs(0)
        return self.pytest([node], NODE_SECONDS)[0] is None

    @staticmethod
    def plain(node):
        return node if node.startswith("tests/") else f"tests/{node}"

    def one(self, site):
        number = self.what.numbers[site.name]
        begin = time.monotonic()
        found = None
        if sites.is_built(site):
            problem = self.tree.build_without(site)
            if problem is not None:
                self.tree.restore()
                self.what.results.add(site, "killed", "the compiler",
                                      time.monotonic() - begin)
                return
            number = 0
        found = self.units(site, number)
        if found is None and not self.what.only_units:
            self.tree.set_programs(number)
            found = self.suites(site)
            self.tree.set_programs(0)
        if sites.is_built(site):
            self.tree.restore()
        seconds = time.monotonic() - begin
        if found is not None:
            name, how = found
            self.what.results.add(site, "killed", name + (
                f" ({how})" if how else ""), seconds)
        elif self.is_same_code(site):
            self.what.results.add(site, "same-code", "", seconds)
        elif self.what.only_units:
            self.what.results.add(site, "passed-units", "", seconds)
        else:
            self.what.results.add(site, "survived",
                                  "all" if self.what.is_wide else "likely",
                                  seconds)

    def control(self, name):
        """The tests of a file that fail with every defence in its place."""
        status = self.run(["/usr/bin/pytest-3", "-v", "-c", "tests/pytest.ini",
                           "--tb=short", f"tests/{name}"], 900)
        text = self.said.read_text(errors="replace")
        if status == 0:
            return []
        return self.failed(text) or [f"tests/{name}"]

    def is_same_code(self, site):
        """Does the compiler make the same of it, with and without?"""
        if sites.is_built(site) or not site.file.endswith(".c"):
            return False
        text = sites.with_numbers(site.file, {site.name: 1})
        made = []
        for value in ("0", "1"):
            source = self.tree.path.with_suffix(f".{value}.c")
            source.write_text(text)
            done = subprocess.run(
                ["gcc", "-std=c11", "-O2", "-fPIE", "-w", "-Isrc",
                 "-D_GNU_SOURCE", f"-DMUTANT(n)={value}", "-S", "-o", "-",
                 str(source)], cwd=sites.ROOT, capture_output=True,
                check=False)
            made.append(re.sub(rb"\.file.*|\.string.*\.c\"", b"", done.stdout)
                        if done.returncode == 0 else None)
        return made[0] is not None and made[0] == made[1]


class Work:
    """What all runners share."""

    def __init__(self, arguments):
        build = pathlib.Path(os.environ.get("BUILD", "build"))
        self.folder = (sites.ROOT / build / "mutants").resolve()
        self.folder.mkdir(parents=True, exist_ok=True)
        self.only_units, self.is_wide = arguments.units, arguments.wide
        self.prefix = arguments.trees
        self.watch = Watch()
        self.all = sites.all_sites()
        self.numbers = {site.name: index + 1
                        for index, site in enumerate(self.all)}
        self.results = Results(self.folder / "results.tsv")
        self.tests = mapped()
        # What fails here with every defence in its place kills nothing.
        self.bad, self.bad_path = set(), self.folder / "bad.txt"
        if self.bad_path.exists():
            self.bad = set(self.bad_path.read_text().splitlines())

    def wanted(self, arguments):
        chosen = [site for site in self.all
                  if (not arguments.only or
                      any(text in site.name for text in arguments.only))
                  and (not arguments.kind or site.kind in arguments.kind)]
        if arguments.sample:
            chosen = random.sample(chosen, min(arguments.sample, len(chosen)))
        left = []
        for site in chosen:
            row = self.results.of(site)
            state = row["outcome"] if row else None
            if state in ("killed", "same-code"):
                continue
            if state == "survived" and not arguments.again:
                continue
            if state == "passed-units" and arguments.units and \
                    not arguments.again:
                continue
            left.append(site)
        return sorted(left, key=lambda site: KINDS.index(site.kind))

    def run(self, chosen, jobs, work):
        base = trees.build(self.folder, self.numbers)
        self.units = Units(base)
        todo = queue.Queue()
        for one in chosen:
            todo.put(one)
        threads = [threading.Thread(target=self._work, args=(
            work, todo, base, self.folder / f"{self.prefix}{index}"))
            for index in range(jobs)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _work(self, work, todo, base, path):
        runner = Runner(self, trees.Tree(base, path))
        while True:
            try:
                one = todo.get_nowait()
            except queue.Empty:
                return
            work(runner, one)
            print(todo.qsize(), end=" left: ", flush=True)

    def leave_out(self, runner, site):
        runner.one(site)
        row = self.results.known[site.name]
        print(row["outcome"], site.name, row["test"], flush=True)

    def control(self, runner, name):
        begin = time.monotonic()
        failed = runner.control(name)
        print(f"{name}: {time.monotonic() - begin:.0f} s", *failed, flush=True)
        with self.results.lock, self.bad_path.open("a") as file:
            file.write("".join(f"{node}\n" for node in failed))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--only", action="append", default=[])
    parser.add_argument("--kind", action="append", default=[])
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--sample", type=int)
    parser.add_argument("--trees", default="tree")
    for flag in ("--units", "--wide", "--again", "--list", "--control"):
        parser.add_argument(flag, action="store_true")
    arguments = parser.parse_args()
    work = Work(arguments)
    chosen = work.wanted(arguments)
    if arguments.list:
        for site in chosen:
            print(f"{site.name}\t{site.text}")
        return 0
    if os.geteuid() != 0 or shutil.which("unshare") is None:
        raise SystemExit("mutants: needs root, for namespaces")
    if arguments.control:
        names = dict.fromkeys(name for site in chosen for name in
                              work.tests.get(site.file, ()))
        work.run([name for name in names if name not in NEVER],
                 arguments.jobs, work.control)
        return 0
    work.run(chosen, arguments.jobs, work.leave_out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
