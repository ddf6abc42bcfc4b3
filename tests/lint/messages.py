"""Every message of the language is in a test (`make lint`).

The formats of policy_complain, policy_warn and problems_add are looked for in
what tests/bad-policy announces and in the strings of the tests: one has to be
such a message, or begin like one.
"""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
STRING = r'"((?:[^"\\]|\\.)*)"'
CALL = re.compile(r"\b(?:policy_complain(?:_nearest)?|policy_warn|"
                  r"problems_add)\(([^;]*?)\);", re.S)
DIRECTIVE = r"%(?:\.\*s|%|[zj]?u|d|s)"
PLACE = re.compile(r"^(?:[./\w]*policy[:\d]*: )?(?:warning:? |note:? )?"
                   r"(?:\d+:\d+: )?(?:warning:? )?")
EXPECT = re.compile(r"^# expect(?:-warning)?: \d+:\d+: (.*)", re.M)
ENOUGH = 12  # characters that tell which message it is
# What no test can bring about.
UNREACHABLE = {
    "the image made of this policy is not sound (%s): this is a bug of "
    "tcpmuxd",
    # The parser lets no such word through.
    "a word of %zu bytes is longer than %zu",
    # The name service fails, rather than not knowing.
    "cannot look up %s '%.*s': %s",
}


def without(text):
    """C or Python, its adjacent strings joined."""
    text = text.replace("""'"'""", "''")
    return re.sub(r'(?<!\\)"\s*f?"', "", text)


def formats():
    paths = [*ROOT.glob("src/core/policy*.c"), *ROOT.glob("src/loader/*.c")]
    for path in sorted(paths):
        text = without(path.read_text())
        for call in CALL.finditer(text):
            found = re.search(STRING, call[1])
            if found:
                yield path.name, found[1].replace(r"\"", '"').replace(
                    r"\\", "\\")


def said():
    """What the tests expect, without the places."""
    for path in ROOT.glob("tests/bad-policy/*.policy"):
        yield from EXPECT.findall(path.read_text(errors="replace"))
    for folder in "unit/*.[ch]", "e2e/*.py":
        for path in ROOT.glob(f"tests/{folder}"):
            for string in re.findall(STRING, without(path.read_text())):
                for line in string.replace(r"\"", '"').split(r"\n"):
                    line = PLACE.sub("", line)
                    if len(line) >= ENOUGH:
                        yield line


def beginning(message):
    """Matches how such a message begins, however long."""
    pattern = ""
    for piece in reversed(re.findall(rf"{DIRECTIVE}|.", message)):
        one = "%" if piece == "%%" else \
            ".*?" if len(piece) > 1 else re.escape(piece)
        pattern = f"{one}(?:{pattern})?" if pattern else one
    return re.compile(pattern)


def is_said(message, texts):
    parts = [part for part in re.split(DIRECTIVE, message)
             if len(part) >= ENOUGH]
    if any(part in text for text in texts for part in parts):
        return True
    begins = beginning(message)
    return any(begins.fullmatch(text) for text in texts)


texts = set(said())
messages = {*formats()}
missing = [f"{name}: no test has '{message}'" for name, message in
           sorted(messages) if message not in UNREACHABLE and
           not is_said(message, texts)]
if len(messages) < 100:
    missing.append(f"only {len(messages)} messages were found")
print("\n".join(missing), end="\n" if missing else "")
sys.exit(1 if missing else 0)
