"""The load generator of tests/bench, run beside the tests.

    with Load(mux, "--count", 20000, "--split", 2) as load:
        ...                                  # while it goes on
        result = load.finish()               # what it counted, a dict
"""

import json
import signal
import subprocess

from mux import LOCAL4, program


def status(mux):
    """The counters of the status line: they are right where lines get lost."""
    mark = mux.mark()
    mux.send_signal(signal.SIGUSR1)
    return {key: int(value) for key, value in
            mux.wait_log("status", since=mark).items() if value.isdigit()}


class Load:
    """A running load; ended at the latest with its block."""

    def __init__(self, mux, *words, address=LOCAL4, cpu=None):
        argv = [program("tests/bench/load"), *map(str, words), address,
                str(mux.port)]
        if cpu is not None:
            argv = ["taskset", "-c", str(cpu), *argv]
        with mux._inside():
            self._process = subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                text=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        self._process.stdout.close()

    @property
    def is_running(self):
        return self._process.poll() is None

    def finish(self, timeout=60):
        out, _ = self._process.communicate(timeout=timeout)
        assert self._process.returncode == 0
        return json.loads(out)


def run_load(mux, *words, timeout=60, **keywords):
    with Load(mux, *words, **keywords) as load:
        return load.finish(timeout)


def assert_all_answered(result, count=None):
    """Every client got exactly its answer, at its one attempt."""
    for key in ("bad", "reset", "unfinished", "connect_errors",
                "send_errors"):
        assert result[key] == 0, result
    assert result["ok"] == result["begun"], result
    if count is not None:
        assert result["ok"] == count, result
