"""Every Python file compiles, without a warning."""

import pathlib
import sys
import warnings

warnings.simplefilter("error")
bad = 0


def is_python(path):
    """By its name, or by its first line."""
    if path.suffix == ".py":
        return True
    if not path.is_file() or path.parts[0] != "contrib":
        return False
    with path.open("rb") as file:
        return file.readline(80).startswith(b"#!/usr/bin/python3")


for path in sorted(filter(is_python, pathlib.Path(".").glob("[a-z]*/**/*"))):
    if path.parts[0] == "build":
        continue
    try:
        compile(path.read_bytes(), path, "exec")
    except (SyntaxError, ValueError, Warning) as error:
        print(f"{path}: {error}")
        bad = 1
sys.exit(bad)
