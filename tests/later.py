"""A tcpmuxd whose clock is ahead: tests/tools/preload/later.c.

    later = Later(path)
    mux = mux_factory(..., env=later.env)
    later.be(31)
"""

import os
import pathlib

from mux import program


class Later:
    """By as many seconds as a symbolic link says, from when there is one."""

    def __init__(self, path):
        self._path = pathlib.Path(path)
        self.env = {"LD_PRELOAD": program("tests/tools/preload/later.so"),
                    "LATER": str(path)}

    def be(self, seconds):
        """That much later than it is; "=3": than when it stopped."""
        new = self._path.with_suffix(".new")
        new.symlink_to(str(seconds))
        os.rename(new, self._path)

    def forget(self):
        self._path.unlink(missing_ok=True)
