"""Every Python file compiles, without a warning."""

import pathlib
import sys
import warnings

warnings.simplefilter("error")
bad = 0
for path in sorted(pathlib.Path(".").glob("[a-z]*/**/*.py")):
    if path.parts[0] == "build":
        continue
    try:
        compile(path.read_bytes(), path, "exec")
    except (SyntaxError, ValueError, Warning) as error:
        print(f"{path}: {error}")
        bad = 1
sys.exit(bad)
