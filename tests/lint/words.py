"""Checks what the documents say of the tree (`make lint`).

Every [tests/FILE::NAME] names a test that there is, and every row of the threat
table has one, and a file; every event, key and reason of the log stands in
man/tcpmuxd.8; every path in src/README.md's tables is there.
"""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
DOCUMENTS = ("README.md", "SECURITY.md", "src/README.md")
REASONS = {"src/parent/settle.c": r'\[REFUSAL_\w+\] = "([\w-]+)"',
           "src/core/verdict.c": r'\[VIOLATION_\w+\] = "([\w-]+)"',
           "src/parent/admit.c": r'"(denied|full|penalty|rate|[\w-]*per-source)"'}
STEPS = {"src/core/step.c": r'\[STEP_\w+\] = "([\w-]+)"'}
# Steps of rooms, not of a launch: the manual need not explain them.
NOT_OF_A_LAUNCH = {"arguments", "names", "image", "scheduling", "rlimits",
                   "user-namespace", "namespaces", "root", "process-limit",
                   "dumpable", "filter", "keyring"}


def read(path):
    return (ROOT / path).read_text()


def references():
    for document in DOCUMENTS:
        for path, name in re.findall(r"\[(tests/[\w./-]+)::(\w+)\]",
                                     read(document)):
            file = ROOT / path
            pattern = rf"^(def |static void\n|){name}\("
            if not file.exists() or not re.search(pattern, file.read_text(),
                                                  re.M):
                yield f"{document}: there is no test {path}::{name}"


def threats():
    """The rows of SECURITY.md's table: attack, defence, file, test."""
    table = read("SECURITY.md").partition("\n## Threats\n")[2]
    rows = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in
            re.findall(r"^\|.*\|$", table.partition("\n## ")[0], re.M)][2:]
    for row in rows:
        attack = row[0]
        if re.fullmatch(r"\*\*.*\*\*(\s*\|)*", "|".join(row)):
            continue  # who attacks, in the rows below
        files = re.findall(r"`([^`]+)`", row[2]) if len(row) == 4 else []
        if not files or not re.fullmatch(r"(\[tests/\S+::\w+\] ?)+", row[-1]):
            yield f"SECURITY.md: no attack, defence, file and test: {attack}"
        for file in files:
            if not (ROOT / file).is_file():
                yield f"SECURITY.md: there is no {file}: {attack}"
    if len(rows) < 30:
        yield f"SECURITY.md: the threat table has {len(rows)} rows"


def quoted(pattern, paths):
    return {word for path in paths for word in re.findall(pattern, read(path))}


def log_words():
    sources = [path.relative_to(ROOT) for path in ROOT.glob("src/parent/*.c")]
    sources.append("src/sys/log.c")
    keys = quoted(r'log_(?:word|bytes|text|number|duration|place)\(\s*"(\w+)"',
                  sources)
    keys |= quoted(r'CAP_\w+, "(\w+)", "', ["src/parent/report.c"])
    events = {word for path in sources for call in
              re.findall(r"(?:log|noise)_begin\((.*?)\);", read(path),
                         re.S)
              for word in re.findall(r'"([\w-]+)"', call)}
    events |= quoted(r'PHASE_\w+, "([\w-]+)"\)', ["src/parent/signals.c"])
    reasons = {word for path, pattern in REASONS.items()
               for word in quoted(pattern, [path])}
    steps = {word for path, pattern in STEPS.items()
             for word in quoted(pattern, [path])} - NOT_OF_A_LAUNCH
    return events | keys | reasons | steps


def undescribed():
    lines = re.findall(r"^\.(?:It )?Cm .*", read("man/tcpmuxd.8"), re.M)
    manual = set(re.findall(r"[\w-]+", " ".join(lines)))
    for word in sorted(log_words() - manual):
        yield f"man/tcpmuxd.8: the log says '{word}', and the manual does not"


def unmapped():
    for folder, table in re.findall(r"^### (\w+)/\n(.*?)\n\n(?=#)",
                                    read("src/README.md"), re.M | re.S):
        rows = re.findall(r"^\| (`.*?) \|", table, re.M)
        named = [name for row in rows for name in re.findall(r"`([^`]+)`", row)]
        for name in named:
            if not list((ROOT / "src" / folder).glob(f"{name}.[ch]")):
                yield f"src/README.md: there is no src/{folder}/{name}"
        for path in (ROOT / "src" / folder).glob("*.[ch]"):
            if not any(path.match(f"{name}.[ch]") for name in named):
                yield f"src/README.md: src/{folder}/{path.name} is not in it"


problems = sorted({*references(), *threats(), *undescribed(), *unmapped()})
print("\n".join(problems), end="\n" if problems else "")
sys.exit(1 if problems else 0)
