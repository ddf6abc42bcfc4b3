"""A function has at most 60 lines, a file 450, a line 80 columns.

A test may list what it expects for longer: 100 lines, and any file.
"""

import pathlib
import sys

FUNCTION_LINES, TEST_LINES, FILE_LINES, COLUMNS, TAB = 60, 100, 450, 80, 8

bad = 0


def complain(path, number, text):
    global bad
    print(f"{path}:{number}: {text}")
    bad = 1


for path in sorted(p for top in ("src", "tests", "fuzz")
                   for p in pathlib.Path(top).rglob("*.[ch]")):
    lines = path.read_text().splitlines()
    is_test = path.parts[0] == "tests"
    limit = TEST_LINES if is_test else FUNCTION_LINES
    if not is_test and len(lines) > FILE_LINES:
        complain(path, len(lines), f"more than {FILE_LINES} lines")
    begin = None
    for number, line in enumerate(lines, 1):
        # A format string is not broken for its length.
        if len(line.expandtabs(TAB)) > COLUMNS and '"' not in line:
            complain(path, number, f"more than {COLUMNS} columns")
        if line == "{":
            begin = number
        elif line == "}" and begin is not None:
            if number - begin - 1 > limit:
                complain(path, begin,
                         f"a function of {number - begin - 1} lines")
            begin = None
sys.exit(bad)
