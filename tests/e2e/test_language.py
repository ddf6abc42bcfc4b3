"""The manual and the example have every directive, and say what is so.

The table of src/core/policy_table.c, as the compiler sees it, against
man/tcpmuxd.policy.5 and policy/example.policy; and the manual's table of
defaults against what `tcpmuxd -T` prints of a policy that has none of them.
"""

import collections
import pathlib
import re
import shutil
import subprocess

import pytest

from mux import IS_ROOT, PARSER_ID, run_tcpmuxd, service

ROOT = pathlib.Path(__file__).resolve().parents[2]
SECTIONS = {"top level": "TOP LEVEL", "parser": "PARSER",
            "admission": "ADMISSION", "log": "LOG", "service": "SERVICE"}
BLOCKS = {0x01: "top level", 0x04: "service", 0x08: "admission",
          0x10: "parser", 0x20: "log"}
# They hold others, or there is nothing that they could be without.
NO_DEFAULT = {"policy", "net", "defaults", "parser", "admission", "log",
              "service", "include"}

DEFAULTS, SERVICE = 0x02, 0x04

Row = collections.namedtuple("Row", "word block")


@pytest.fixture(scope="module")
def table():
    """[(directive, the bits of the blocks that it may stand in)]"""
    if shutil.which("gcc") is None:
        pytest.skip("not installed: gcc")
    text = subprocess.run(
        ["gcc", "-E", "-P", "-Isrc", "-D_GNU_SOURCE",
         "src/core/policy_table.c"], cwd=ROOT, check=True, timeout=60,
        capture_output=True, text=True).stdout
    table = text[text.index("policy_row rows[] = {"):]
    table = table[:table.index("};")]
    found = re.findall(r'\{\s*"([\w-]+)",\s*([^,]+),', table)
    assert len(found) == len(re.findall(r'\{\s*"[\w-]+",', table)) > 60

    def number(words):
        assert re.fullmatch(r"[\s0-9a-fA-Fxu|()]+", words), words
        return eval(words.replace("u", ""))  # numbers and |, as just seen

    return [(word, number(blocks)) for word, blocks in found]


@pytest.fixture(scope="module")
def rows(table):
    return [Row(word, block) for word, blocks in table
            for bit, block in BLOCKS.items() if blocks & bit]


@pytest.fixture(scope="module")
def manual():
    """{section: its text}."""
    text = (ROOT / "man/tcpmuxd.policy.5").read_text()
    parts = re.split(r"^\.Sh (.*)\n", text, flags=re.M)
    return dict(zip(parts[1::2], parts[2::2]))


def blocks_of(text):
    """{(block, directive)} of a policy's text."""
    block, found = "top level", set()
    for line in text.splitlines():
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        if words[0] == "}":
            block = "top level"
            continue
        found.add((block, words[0]))
        if words[-1] == "{":
            block = words[0]
    return found


def examples(text):
    """Every first word in the displays of a section."""
    shown = re.findall(r"^\.Bd -literal.*?\n(.*?)^\.Ed", text, re.M | re.S)
    return {line.split()[0] for display in shown
            for line in display.splitlines() if line.strip()}


def defaults(manual):
    """[(block, words of the directive, default, values)]."""
    block = None
    for row in re.findall(r"^\.It (.*)$", manual["DEFAULT VALUES"], re.M)[1:]:
        first, directive, default, values = re.split(r" ?Ta ", row)
        if first:
            block = first.replace("Ic ", "")
        assert default and values, row
        for one in directive.split(" , "):
            words = re.sub(r"\b(Ic|Cm|No)\b", "", one).split()
            yield block, words, default, values


def test_the_manual_has_every_directive(rows, manual):
    for row in rows:
        item = rf"^\.It Ic {re.escape(row.word)}( |$)"
        assert re.search(item, manual[SECTIONS[row.block]], re.M), row


def test_the_manual_has_an_example_of_every_directive(rows, manual):
    for row in rows:
        assert row.word in examples(manual[SECTIONS[row.block]]), row


def test_the_manual_names_what_is_not_inherited(table, manual):
    said = re.search(r"every directive of\na service but\n(.*?)\nA list ",
                     manual["TOP LEVEL"], re.S)[1]
    named = re.findall(r"[\w-]{3,}", said.replace("and\n", ""))
    assert sorted(named) == sorted(word for word, blocks in table
                                   if blocks & SERVICE and
                                   not blocks & DEFAULTS)


def test_the_manual_has_every_default(rows, manual):
    listed = {(block, words[0]) for block, words, _, _ in defaults(manual)}
    wanted = {(row.block, row.word) for row in rows if
              not (row.block == "top level" and row.word in NO_DEFAULT)}
    assert wanted - listed == set()
    assert listed - wanted == set()


def seconds(word):
    """A duration, however it is written, in one way."""
    match = re.fullmatch(r"(\d+)(ms|s|m|h|d)", word)
    units = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
    return f"{int(match[1]) * units[match[2]]}ms" if match else word


def test_the_manual_s_defaults_are_so(manual):
    """Whatever is printed of a policy that does not say it is in the table."""
    user = "nobody" if IS_ROOT else "self"
    accounts = f"user {PARSER_ID}\n\tgroup {PARSER_ID}\n" if IS_ROOT else ""
    done = run_tcpmuxd(
        "policy 1\nlisten *\nadmission {\n\tallow any\n}\nparser {\n\t"
        f"{accounts}}}\n" + service("a", "exec /bin/cat", user=user), "-T")
    assert (done.returncode, done.stderr) == (0, "")
    said = {(block, *words): [seconds(word) for word in default.split()]
            for block, words, default, _ in defaults(manual)}
    block, checked = None, 0
    for line in done.stdout.splitlines():
        if line.endswith("{"):
            block = line.split()[0]
        if not line.startswith("\t"):
            continue
        words = [seconds(word) for word in line.split()]
        for count in 2, 1:
            default = said.get((block, *words[:count]))
            if default is not None:
                break
        if words[0] in ("allow", "user", "group", "exec"):
            continue  # what was said
        if default == "an eighth of sessions".split():
            default = ["8"]
        assert default == words[count:], line
        checked += 1
    assert checked > 30


SIZES = {"K": 10, "M": 20, "G": 30, "T": 40}


def around(least, most):
    """The values right below and above: numbers, durations or sizes."""
    if most[-1] in SIZES:
        kilobytes = [int(word[:-1]) << SIZES[word[-1]] >> 10 if word != "0"
                     else 0 for word in (least, most)]
        return f"{kilobytes[0] - 1}K", f"{int(most[:-1]) + 1}{most[-1]}"
    if most.isdigit():
        return str(int(least) - 1), str(int(most) + 1)
    millis = [int(seconds(word)[:-2]) for word in (least, most)]
    return f"{millis[0] - 1}ms", f"{millis[1] // 1000 + 1}s"


def ranges(manual):
    """[(block, directive, its least, most, one less, one more)], of one
    number, duration or size each."""
    for block, words, _, values in defaults(manual):
        match = re.fullmatch(r"(\d+)(\w*) to (\d+)(\w*)(, off)?", values)
        if block == "top level" or match is None or words[0] in (
                "umask", "penalty-threshold", "penalty-max"):
            continue  # other numbers, and two that depend on each other
        least, most = match[1] + match[2], match[3] + match[4]
        beyond = around(least, most)
        if words[1:] == ["exit"]:
            words = [*words, "1"]
        yield block, " ".join(words), least, most, *beyond


def test_the_manual_s_values_are_so(manual):
    checked = 0
    for block, words, least, most, less, more in ranges(manual):
        answers = []
        for value in least, most, less, more:
            lines = {block: [f"{words} {value}"]}
            text = "policy 1\nlisten *\n" + "".join(
                f"{name} {{\n\t" + "\n\t".join(
                    lines.get(name, []) + (
                        ["allow any"] if name == "admission" else [])) +
                "\n}\n" for name in ("parser", "admission")) + service(
                    "a", "exec /bin/cat", *lines.get("service", []),
                    user="web")
            answers.append(run_tcpmuxd(text, "-t", "-s").returncode)
        assert answers == [0, 0, 1, 1], (block, words, answers)
        checked += 1
    assert checked > 15


def test_the_example_has_every_directive(rows):
    text = (ROOT / "policy/example.policy").read_text()
    wanted = {(row.block, row.word) for row in rows}
    assert wanted - blocks_of(text) == set()
    done = run_tcpmuxd(text, "-t", "-s")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
