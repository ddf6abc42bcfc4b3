"""An include only goes down, and never into another room.

core < sys < parser, launcher, builtin, loader, client < parent < main.c; rooms
of one layer never include each other. The parent meets the loader in one header, and
the other rooms only through core.
"""

import pathlib
import re
import sys

LAYERS = {"core": 0, "sys": 1, "parser": 2, "launcher": 2, "builtin": 2,
          "loader": 2, "client": 2, "parent": 3, "main.c": 4}
DOORS = {"parent": {"loader/loader.h"},
         "main.c": {"loader/loader.h", "parent/explain.h", "parent/limits.h",
                    "parent/start.h"}}
INCLUDE = re.compile(r'\s*#\s*include\s*"([^"]*)"')


def problem(room, header):
    """What is wrong with this include in this room, or None."""
    target = header.split("/")[0]
    if "/" not in header or target not in LAYERS or ".." in header:
        return "does not say its layer"
    if target == room or LAYERS[target] < 2 and LAYERS[target] < LAYERS[room]:
        return None
    if LAYERS[target] >= LAYERS[room]:
        return "does not go down"
    if header not in DOORS[room]:
        return "is no door of that room"
    return None


bad = 0
for path in sorted(pathlib.Path("src").rglob("*.[ch]")):
    room = path.relative_to("src").parts[0]
    if room not in LAYERS:
        print(f"{path}: in no layer")
        bad = 1
        continue
    for number, line in enumerate(path.read_text().splitlines(), 1):
        include = INCLUDE.match(line)
        wrong = include and problem(room, include[1])
        if wrong:
            print(f"{path}:{number}: {include[1]} {wrong}")
            bad = 1
sys.exit(bad)
