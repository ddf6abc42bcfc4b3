"""Which mutants each test comes to: a plugin of pytest, for run.py --reach.

The programs of a build with REACHED map /tmp/reached, and write there where
they meet a site in whose place its mutant would answer otherwise. What they
meet while fixtures of a whole file begin or end belongs to all of its tests.
"""

import json
import mmap
import os
import time

import pytest

BYTES = 8192
MAP, SAID = "/tmp/reached", "/tmp/reached.json"


class Reached:
    """Is registered as a plugin, too."""

    def __init__(self):
        descriptor = os.open(MAP, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC)
        os.fchmod(descriptor, 0o666)
        os.ftruncate(descriptor, BYTES)
        self.map = mmap.mmap(descriptor, BYTES)
        os.close(descriptor)
        self.nodes, self.said = {}, []
        self.shared, self.passed = {}, True

    def take(self):
        """The numbers since the last time."""
        met = bytes(self.map)
        self.map[:] = bytes(BYTES)
        return {number for number in range(BYTES) if met[number]}

    @pytest.hookimpl(hookwrapper=True)
    def pytest_fixture_setup(self, fixturedef):
        self.said.append(self.take())
        yield
        met = self.take()
        if fixturedef.scope != "function":
            self.shared.setdefault(fixturedef.argname, set()).update(met)
        self.said.append(met)

    def pytest_runtest_logreport(self, report):
        self.passed = self.passed and not report.failed

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_teardown(self):
        self.said.append(self.take())
        yield
        self.said.append(self.take())

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_protocol(self, item, nextitem):
        self.take()
        self.said, self.passed, begin = [], True, time.monotonic()
        yield
        met = set().union(*self.said, *(
            self.shared.get(name, ()) for name in item.fixturenames))
        self.nodes[item.nodeid] = (met, time.monotonic() - begin, self.passed)
        if nextitem is None or nextitem.module is not item.module:
            self.write(self.said[-1])

    def write(self, end):
        """Of all of a file's tests; end: what was met as the file ended."""
        with open(SAID, "a") as file:
            for name, (met, seconds, passed) in self.nodes.items():
                file.write(json.dumps([f"tests/{name}", round(seconds, 3),
                                       passed, sorted(met | end)]) + "\n")
        self.nodes, self.shared = {}, {}


def pytest_configure(config):
    config.pluginmanager.register(Reached())
