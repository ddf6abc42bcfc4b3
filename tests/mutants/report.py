"""Writes report.txt: each mutant, and the test that kills it.

Of what run.py found so far (BUILD/mutants/results.tsv), together with
reasons.txt, which says of mutants that nothing can kill which other wall
there is. A report says what was not run, and what nothing killed.
"""

import collections
import os
import pathlib
import subprocess
import sys

import run
import sites

HERE = pathlib.Path(__file__).resolve().parent
REPORT, REASONS = HERE / "report.txt", HERE / "reasons.txt"
HEAD = """\
# What `make mutants` found: a mutant is the program without one defence (see
# list.txt), and a test kills it that fails for it. Written by report.py.
# The results are of {commit}.
#
"""
TITLES = {
    "survived": "No test fails without these, and no reason says why: gaps",
    "passed-units": "Unit tests pass without these; the others were not run",
    "unknown": "Not run yet",
    "excused": "No test can fail without these: reasons.txt says why",
    "same-code": "The compiler makes the same of the program without these",
    "killed": "A test fails without these: which",
}


def reasons():
    """The reason of each mutant that has one."""
    known = {}
    for line in REASONS.read_text().splitlines():
        if line and not line.startswith("#"):
            name, reason = line.split("\t")
            known[name] = reason
    return known


def sorted_out():
    """For each heading, lines: a mutant and what is known of it."""
    build = pathlib.Path(os.environ.get("BUILD", "build"))
    results = run.Results(sites.ROOT / build / "mutants/results.tsv")
    excused = reasons()
    lines = collections.defaultdict(list)
    names = set()
    for site in sites.all_sites():
        names.add(site.name)
        row = results.of(site)
        outcome = row["outcome"] if row else "unknown"
        if outcome != "killed" and site.name in excused:
            outcome, note = "excused", excused[site.name]
        elif outcome == "survived":
            note = f"{row['test']} of its tests; {site.text[:60]}"
            if row["test"] == "none":
                note = f"no test comes to it; {site.text[:60]}"
        else:
            note = row["test"] if row else ""
        lines[outcome].append(f"{site.name}\t{note}".rstrip())
    stale = sorted(excused.keys() - names)
    if stale:
        raise SystemExit(f"reasons.txt: no such mutants: {stale}")
    return lines


def main():
    lines = sorted_out()
    commit = subprocess.run(
        ["git", "describe", "--always"], cwd=sites.ROOT, check=True,
        capture_output=True, text=True).stdout.strip()
    text = HEAD.format(commit=commit)
    for outcome, title in TITLES.items():
        text += f"# {len(lines[outcome]):5} {title}\n"
    for outcome, title in TITLES.items():
        if lines[outcome]:
            text += "\n".join(["", f"# {title}", *lines[outcome], ""])
    REPORT.write_text(text)
    print("".join(text.split("\n\n")[0]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
