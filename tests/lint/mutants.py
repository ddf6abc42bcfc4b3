"""tests/mutants/list.txt is what the code says: a new defence is on it. And
reasons.txt gives a reason for what is on it, once.
"""

import collections
import pathlib
import subprocess
import sys

MUTANTS = pathlib.Path(__file__).resolve().parents[1] / "mutants"


def names(file):
    return [line.partition("\t")[0]
            for line in (MUTANTS / file).read_text().splitlines()
            if line and not line.startswith("#")]


listed = set(names("list.txt"))
wrong = [name for name, count in collections.Counter(
    names("reasons.txt")).items() if count > 1 or name not in listed]
for name in wrong:
    print(f"reasons.txt: {name}: not in list.txt, or there twice")
status = subprocess.run([sys.executable, "-B", MUTANTS / "sites.py", "--check"],
                        check=False).returncode
sys.exit(status or bool(wrong))
