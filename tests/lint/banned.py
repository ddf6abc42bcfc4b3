"""Functions that nobody calls here, and why."""

import pathlib
import re
import sys

BANNED = {
    "strcpy": "no bound", "strcat": "no bound", "sprintf": "no bound",
    "vsprintf": "no bound", "gets": "no bound", "strncpy": "no end",
    "strtok": "hidden state", "atoi": "no errors", "atol": "no errors",
    "atoll": "no errors", "atof": "no errors", "system": "a shell",
    "popen": "a shell", "alloca": "no failure", "vfork": "shares the stack",
    "tmpnam": "a race", "mktemp": "a race", "rand": "no randomness",
    "getpeername": "the address comes from accept4",
}
WORDS = re.compile(r"(?<![\w.>])(" + "|".join(BANNED) + r")\s*\(")
IGNORED = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:[^"\\\n]|\\.)*"|\'(?:\\.|[^\'])+\'',
                     re.DOTALL)

bad = 0
for path in sorted(p for top in ("src", "tests", "fuzz")
                   for p in pathlib.Path(top).rglob("*.[ch]")):
    code = IGNORED.sub(lambda hit: "\n" * hit[0].count("\n"),
                       path.read_text())
    for number, line in enumerate(code.splitlines(), 1):
        for word in WORDS.findall(line):
            print(f"{path}:{number}: {word}: {BANNED[word]}")
            bad = 1
sys.exit(bad)
