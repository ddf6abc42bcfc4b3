"""Leaves out one defence after the other, and looks which test sees it.

    run.py [--only TEXT]... [--kind KIND]... [--jobs N] [--units] [--wide]
           [--sample N] [--again] [--control] [--reach] [--list] [--trees NAME]

Results are appended to BUILD/mutants/results.tsv and belong to what the
mutant's function was then, so that an interrupted run goes on where it was;
report.py writes down what is found. --reach, first of all, and when
tests have changed: each once, to know which mutants it comes to (reached.py);
then only those that come to a mutant are run for it, quick ones first. --units: only unit tests, the others
another time. --wide: also those that tests.txt has for the whole file, where
it has some for the function. --again: who survived once more. --control: the
tests with every defence in its place; who fails there kills nothing. Needs
root, for namespaces: nothing that a mutant does is done to this machine.
"""

import argparse
import collections
import hashlib
import json
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
# How long tests that come to a mutant take together, in a first run and in
# further ones; a mutant that lives through the last was tried by "likely" ones.
SHARES = (4, 12, 40)
# How much slower than alone they may be.
SLOWNESS = 6
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
                   "PYTHONDONTWRITEBYTECODE": "1", "CMOCKA_TEST_ABORT": "1"}
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


class Reach:
    """Which tests come to which mutants, and how long they take."""

    def __init__(self, path):
        self.path, self.lock = path, threading.Lock()
        self.seconds, self.tests = {}, collections.defaultdict(list)
        self.files, self.unmet = set(), collections.Counter()
        if path.exists():
            for line in path.read_text().splitlines():
                self._know(*json.loads(line))

    @staticmethod
    def file(test):
        """Where a test is written: tests/e2e/..., or a unit test's source."""
        return test.split("::")[0] if test.startswith("tests/") else \
            f"tests/unit/{test}.c"

    def hash(self, test):
        path = sites.ROOT / self.file(test)
        source = path.read_bytes() if path.exists() else b""
        return hashlib.sha256(source).hexdigest()[:12]

    def _know(self, test, hash_, seconds, passed, names):
        if hash_ != self.hash(test):
            return
        self.files.add(self.file(test))
        self.seconds[test] = seconds
        self.unmet[self.file(test)] += -1 if names else 1
        for name in names if passed else ():
            self.tests[name].append(test)

    def add(self, test, seconds, passed, names):
        row = [test, self.hash(test), seconds, passed, names]
        with self.lock, self.path.open("a") as file:
            self._know(*row)
            file.write(json.dumps(row) + "\n")

    def of(self, site):
        """The tests that come to it; None if that is not known."""
        if not self.seconds or sites.is_built(site):
            return None
        return sorted(self.tests[site.name], key=self.seconds.get)

    def is_blind(self, file):
        """Is it not known where a file's tests come? Of most of them, or since
        they run all at once.
        """
        return self.unmet[file] > 0 or \
            "all_at_once" in (sites.ROOT / file).read_text()

    def shares(self, tests):
        """Some that are run together, as many as SHARES allows."""
        tests = list(tests)
        for share in SHARES:
            part, sum_ = [], 0
            while tests and (not part or
                             sum_ + self.seconds[tests[0]] <= share):
                sum_ += self.seconds[tests[0]]
                part.append(tests.pop(0))
            yield sorted(part, key=lambda test: test.split("::")[0]), sum_


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

    def unit_tests(self, site):
        """Those that pass here; to be asked before a defence is left out."""
        tests = self.what.reach.of(site)
        if tests is None:
            tests = self.what.units.tests(site.file)
        before = self.what.results.before.get(site.name)
        return [test for test in sorted(tests, key=lambda test: test != before)
                if "::" not in test and self.is_sound(test)]

    def units(self, tests, number):
        for name in tests:
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
        # Nobody reads how two long texts differ, and with -v it takes minutes.
        status = self.run(["/usr/bin/pytest-3", "-x", "-v", "-c",
                           "tests/pytest.ini", "--tb=line", "--assert=plain",
                           *tests], seconds)
        if status == 0 or status == 5:
            return None, True
        text = self.said.read_text(errors="replace")
        failed = self.failed(text)
        if failed:
            return failed[0], True
        # Ended before it could say so: it was at this one, or behind it.
        begun = re.findall(r"^(\S+\.py::.*?)(?: +[A-Z]+ +\[ *\d+%\])? *$",
                           text, re.M)
        return (begun[-1] if begun else tests[0]), status is not None

    @staticmethod
    def failed(text):
        return re.findall(r"^(\S+\.py::.*) (?:FAILED|ERROR) +\[", text, re.M)

    def reaching(self, site):
        """Tests that come to it, killers of its like first; and how long they
        may take. At last those of the file's of which it is not known.
        """
        tests = [test for test in self.what.reach.of(site) if "::" in test]
        before = self.what.results.before.get(site.name, "")
        function = ":".join(site.name.split(":")[:2])
        killers = [before, *self.what.results.killers(function)]
        likely = [test for test in killers if test in tests][:5]
        ordered = dict.fromkeys(likely + tests)
        groups = [group for group in self.what.reach.shares(ordered)
                  if group[0]]
        self.left = len(ordered) - sum(len(group) for group, _ in groups)
        blind = [f"tests/{name}" for name in self.what.tests.get(site.file, ())
                 if self.what.reach.is_blind(f"tests/{name}")]
        return [(group, 20 + seconds * SLOWNESS) for group, seconds in groups
                ] + [([name], FILE_SECONDS) for name in blind]

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
        if self.what.reach.of(site) is None or self.what.is_wide:
            groups = [(list(group), FILE_SECONDS)
                      for group in self.nodes(site) if group]
            self.left = 0
        else:
            groups = self.reaching(site)
        self.groups = len(groups)
        bad = self.what.bad
        for group, seconds in groups:
            skipped = [f"--deselect={node}" for node in sorted(bad)]
            group = [node for node in group if node not in bad]
            while group:
                node, _ = self.pytest([*group, *skipped], seconds)
                if node is None:
                    break
                again, in_time = self.pytest([node], NODE_SECONDS)
                if again is not None and (
                        in_time or self.passes(site, node)):
                    return self.plain(node), "" if in_time else "time-out"
                # It fails now and then, or by its neighbours: without it.
                skipped.append(f"--deselect={node}")
                group = [other for other in group if other != node]
        return None

    def passes(self, site, node):
        """With every defence in its place, and in the same time?"""
        self.put_back(site)
        passed = self.pytest([node], NODE_SECONDS)[0] is None
        self.leave_out(site)
        return passed

    def leave_out(self, site):
        """In the programs; what was said if they cannot be built so."""
        if sites.is_built(site):
            return self.tree.build_without(site)
        self.tree.set_programs(self.what.numbers[site.name])
        return None

    def put_back(self, site):
        if sites.is_built(site):
            self.tree.restore()
        else:
            self.tree.set_programs(0)

    @staticmethod
    def plain(node):
        return node if node.startswith("tests/") else f"tests/{node}"

    def one(self, site):
        is_built = sites.is_built(site)
        number = 0 if is_built else self.what.numbers[site.name]
        begin = time.monotonic()
        tests = self.unit_tests(site)
        if is_built and self.leave_out(site) is not None:
            self.put_back(site)
            self.what.results.add(site, "killed", "the compiler",
                                  time.monotonic() - begin)
            return
        found = self.units(tests, number)
        if found is None and not self.what.only_units:
            if not is_built:
                self.leave_out(site)
            found = self.suites(site)
        self.put_back(site)
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
            self.what.results.add(site, "survived", self.tried(site), seconds)

    def tried(self, site):
        """Which tests it lived through."""
        if self.groups == 0:
            return "none"
        is_all = self.what.is_wide or \
            self.what.reach.of(site) is not None and self.left == 0
        return "all" if is_all else "likely"

    def reach(self, name):
        """Runs a unit test, or the tests of a file, where they leave a map."""
        names = list(self.what.numbers)
        path = self.tree.path / "tmp/reached"
        if not name.endswith(".py"):
            begin = time.monotonic()
            status = self.run(["sh", "-c", "truncate -s 8192 /tmp/reached && "
                               f"exec build/tests/unit/{name}"], UNIT_SECONDS)
            met = path.read_bytes()
            self.what.reach.add(name, round(time.monotonic() - begin, 3),
                                status == 0, [
                                    one for index, one in enumerate(names)
                                    if met[index + 1]])
            return
        self.run(["env", "PYTHONPATH=tests/mutants", "/usr/bin/pytest-3",
                  "-p", "reached", "-v", "-c", "tests/pytest.ini",
                  "--tb=short", f"tests/{name}"], 1200)
        said = path.with_suffix(".json")
        for line in said.read_text().splitlines() if said.exists() else ():
            node, seconds, passed, met = json.loads(line)
            self.what.reach.add(node, seconds, passed,
                                [names[number - 1] for number in met])

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
        self.reach = Reach(self.folder / "reached.json")
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

    def run(self, chosen, jobs, work, base=None):
        base = base or trees.build(self.folder, self.numbers)
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

    def reach_all(self, jobs):
        """Tests that were not yet, as they are: once, where they leave a map."""
        base = trees.build(self.folder, self.numbers, "reached-base",
                           "-DREACHED")
        tests = sites.ROOT / "tests"
        files = sorted(str(path.relative_to(tests)) for folder in
                       ("confine", "e2e") for path in
                       (tests / folder).glob("test_*.py"))
        self.run([name for name in [*Units(base).programs, *files]
                  if name not in NEVER and f"tests/{name}" not in
                  self.reach.files and f"tests/unit/{name}.c" not in
                  self.reach.files], jobs, self.look_at, base)

    def look_at(self, runner, name):
        begin = time.monotonic()
        runner.reach(name)
        print(f"{name}: {time.monotonic() - begin:.0f} s", flush=True)

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
    for flag in ("--units", "--wide", "--again", "--list", "--control",
                 "--reach"):
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
    if arguments.reach:
        work.prefix = "reached-"
        work.reach_all(arguments.jobs)
        return 0
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
