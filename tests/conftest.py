"""Fixtures of all the tests. See mux.py and netns.py for what they give."""

import contextlib
import pathlib
import tempfile

import pytest

import mux as muxes
from later import Later
from load import status
from netns import Netns


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """A failure tells what the muxes that were there had logged."""
    del item, call
    report = (yield).get_result()
    if report.failed:
        for mux in muxes.Mux.running:
            report.sections.append((f"last lines of {mux.policy_path}",
                                    mux.log.tail(40)))


class MuxFactory:
    """Makes muxes; ends them, and their namespaces, with the fixture.

        mux = mux_factory(service("cat", "exec /bin/cat"), defaults=["..."])

    Services and keywords are those of mux.policy (text=: the whole policy
    instead); the keywords in MUX are Mux's. As root each mux has a namespace
    of its own (netns=: that one) and the real port 1; else a high port. With
    user= it runs rootless, and its services need user="self".
    """

    MUX = ("netns", "args", "env", "user", "rlimits", "preexec",
           "start_timeout")

    def __init__(self, stack):
        self._stack = stack
        self._muxes = []

    def __call__(self, *services, text=None, port=None, **keywords):
        how = {key: keywords.pop(key) for key in self.MUX if key in keywords}
        if muxes.IS_ROOT and how.get("netns") is None:
            how["netns"] = self._stack.enter_context(Netns())
            how["netns"].acknowledge_at_once()
            if how.get("user") is not None:
                how["netns"].sysctl("net.ipv4.ip_unprivileged_port_start", 0)
        if port is None:
            port = 1 if muxes.IS_ROOT else muxes.free_port()
        if text is None:
            if how.get("user") is not None:
                keywords.setdefault("root", False)
            text = muxes.policy(*services, port=port, **keywords)
        mux = muxes.Mux(text, port=port, **how)
        self._muxes.append(mux)
        return mux

    def end(self):
        """Stop all, then say what was wrong with the first that was."""
        errors = []
        for mux in self._muxes:
            try:
                mux.stop()
            except AssertionError as error:
                errors.append(error)
        if errors:
            raise errors[0]


@contextlib.contextmanager
def _factory():
    with contextlib.ExitStack() as stack:
        factory = MuxFactory(stack)
        try:
            yield factory
        finally:
            factory.end()


@pytest.fixture
def mux_factory():
    """A MuxFactory for one test."""
    with _factory() as factory:
        yield factory


@pytest.fixture(scope="module")
def shared_mux_factory():
    """A MuxFactory whose muxes serve all the tests of one file."""
    with _factory() as factory:
        yield factory


@pytest.fixture
def open_path(tmp_path):
    """A tmp_path that services find the way to: others may pass through it and
    what is above it, not look into it."""
    for folder in tmp_path, *tmp_path.parents:
        if folder == pathlib.Path(tempfile.gettempdir()):
            break
        folder.chmod(folder.stat().st_mode | 0o011)
    return tmp_path


@pytest.fixture
def late_mux(mux_factory, tmp_path):
    """Makes (a mux, a function that sets its clock: see later.py)."""
    later = Later(tmp_path / "later")

    def make(*services, **how):
        mux = mux_factory(*services, **how, env=later.env)

        def set_clock(seconds):
            later.be(seconds)
            status(mux)  # a turn of it, by that clock
        return mux, set_clock
    yield make
    later.forget()  # it has to come to an end


@pytest.fixture
def netns():
    """Makes namespaces for one test: netns() is a Netns."""
    with contextlib.ExitStack() as stack:
        yield lambda *args, **keywords: stack.enter_context(
            Netns(*args, **keywords))
