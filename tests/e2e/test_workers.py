"""Workers of the parser come and go; no client notices.

They are killed from outside while they hold a batch, stopped until they are
given up, and recycled by count and by age: whoever asks gets its answer.
"""

import contextlib
import ctypes
import os
import signal
import time

import pytest

from later import Later
from load import Load, assert_all_answered, run_load, status
from mux import (IS_ROOT, OK, PARSER_COMM, REFUSAL, comm, converse, eventually,
                 service, state)

NAMES = "cat\\r\\ntrue\\r\\n"  # what HELP tells, for the load generator
ASK_HELP = ("--request", "HELP\\r\\n", "--expect", NAMES)
CAT = service("cat", "exec /bin/cat")
TRUE = service("true", "exec /bin/true", "sessions 500", "per-source 500")


def workers(mux):
    """As mux.parsers(), but without looking at every process there is."""
    found = []
    with open(f"/proc/{mux.pid}/task/{mux.pid}/children") as file:
        for pid in file.read().split():
            with contextlib.suppress(OSError):
                if comm(pid) == PARSER_COMM:
                    found.append(int(pid))
    return found


def worker(mux):
    return eventually(lambda: workers(mux), what="a worker")[0]


def kill_with_batch(mux):
    """Kill a worker that was handed something while it could not move."""
    pid = worker(mux)
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGSTOP)
        time.sleep(0.004)  # under load: dozens of requests have come by now
        os.kill(pid, signal.SIGKILL)


def kill_any(mux):
    with contextlib.suppress(ProcessLookupError):
        os.kill(worker(mux), signal.SIGKILL)


def deaths(mux):
    """(all by SIGKILL, those of them with a batch open)."""
    died = mux.logs("worker-died", signal=int(signal.SIGKILL))
    return len(died), sum(int(line["batch"]) > 0 for line in died)


def test_a_hundred_kills_lose_nobody(mux_factory):
    """20,000 requests in halves, none sent twice, and services beside."""
    # Each kill makes up to 32 suspects, who are asked about alone: on a busy
    # machine that may take longer than the usual five seconds, and for ever
    # if the next kill did not wait for some answers.
    mux = mux_factory(CAT, TRUE, parser=("timeout 30s",))
    with Load(mux, *ASK_HELP, "--clients", 64, "--count", 20000,
              "--split", 2, "--gap", 12, "--seconds", 300) as load, \
        Load(mux, "--request", "true\\r\\n", "--expect", "+\\r\\n",
             "--clients", 4, "--count", 500, "--split", 2, "--gap", 20,
             "--source-base", "127.64.0.0", "--seconds", 300) as launches:
        while load.is_running and deaths(mux)[0] < 160:
            answers = mux.mark() + 100  # lines of them, most
            kill_with_batch(mux)
            kill_any(mux)
            eventually(lambda: mux.mark() > answers or not load.is_running,
                       timeout=60)
        assert_all_answered(load.finish(), 20000)
        assert_all_answered(launches.finish(), 500)
    killed, with_batch = deaths(mux)
    assert killed >= 100 and with_batch >= 50, (killed, with_batch)
    eventually(lambda: status(mux)["finished"] == 500)
    counted = status(mux)
    assert counted["helped"] == 20000
    assert counted["launched"] == 500
    assert counted["workers_started"] >= killed
    # From outside: nobody is blamed, and a replacement comes at once.
    assert counted["refused"] == counted["violations"] == 0


@pytest.mark.parametrize("seats, recycle, least", [
    (1, "100 60s", 100), (3, "100 60s", 100), (1, "1000000 1s", 3)])
def test_recycling_loses_nobody(mux_factory, seats, recycle, least):
    by_count = least >= 100
    mux = mux_factory(CAT, TRUE, parser=(f"workers {seats}",
                                         f"recycle {recycle}"))
    result = run_load(mux, *ASK_HELP, "--clients", 64, "--split", 2,
                      "--gap", 2, "--count", 12000 if by_count else 0,
                      "--seconds", 20 if by_count else 3)
    assert_all_answered(result)
    counted = status(mux)
    assert counted["helped"] == result["ok"]
    # However slow it went: one goes on until the next is ready, which takes
    # long on a busy machine, and answers a whole batch at a time.
    if by_count:
        least = min(least, result["ok"] // 100 // 4)
    assert counted["workers_started"] >= least >= 3
    assert counted["violations"] == counted["refused"] == 0
    assert not mux.logs("worker-died")
    # Those that were told to leave have left.
    eventually(lambda: len(workers(mux)) == seats,
               what="as many workers as seats")


def test_nobody_waits_for_a_parser_that_hangs_but_its_batch(mux_factory):
    """What is seen is an order: another parser is there before this one's
    second is over. On a busy machine it may not be, once."""
    mux = mux_factory(CAT, parser=("workers 1",))

    def is_served_first():
        hangs, = eventually(lambda: len(workers(mux)) == 1 and workers(mux))
        os.kill(hangs, signal.SIGSTOP)
        with mux.connect() as asked, mux.connect() as behind:
            asked.sendall(b"cat\r\n")
            eventually(lambda: status(mux)["pending"] >= 1)
            behind.sendall(b"cat\r\n")
            assert converse(behind, b"x") == OK + b"x"
            was_first = not mux.logs("violation", worker=hangs)
            assert converse(asked, b"x") == OK + b"x"
            mux.wait_log("violation", worker=hangs, reason="silence")
            return was_first
    assert any(is_served_first() for _ in range(5))


HARSH = ("allow any", "penalty timeout 1m", "penalty-threshold 1s")


def test_the_word_of_a_worker_that_has_left_is_none(mux_factory):
    """It was replaced, and there is nobody who could be found to lie."""
    mux = mux_factory(CAT, parser=("timeout 1500ms", "recycle 1000000 1s"),
                      exempt=(), admission=HARSH)
    with mux.connect() as half:
        half.sendall(b"ca")
        assert half.recv(100) == REFUSAL
    mux.wait_log("refuse", reason="timeout")
    assert status(mux)["workers_started"] == 2
    assert mux.request("cat", b"x") == (OK, b"x")


def test_an_answer_about_who_is_gone_is_heeded_by_nobody(mux_factory):
    """Its deadline comes while a worker looks at it, which is stopped then:
    that is nothing to penalise it for."""
    mux = mux_factory(CAT, parser=("timeout 1s",), exempt=(),
                      admission=HARSH)
    pid = worker(mux)
    with mux.connect() as sock:
        sock.sendall(b"ca")
        time.sleep(0.5)
        os.kill(pid, signal.SIGSTOP)
        sock.sendall(b"t\r\nhello")
        assert sock.recv(100) == REFUSAL
        # On a busy machine it may have been killed for being stopped.
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)
        assert mux.request("cat", b"x") == (OK, b"x")
    mux.wait_log("refuse", reason="timeout")
    mux.wait_log("exit")
    assert len(mux.logs("launch")) == 1 and not mux.logs("launch-failed")
    # For being stopped longer than meant, at most.
    assert not mux.logs("violation", reason="mismatch")


PTRACE_SEIZE, WALL = 0x4206, 0x40000000


@pytest.mark.skipif(not IS_ROOT, reason="traces a worker")
def test_a_worker_that_was_killed_is_believed_nothing(mux_factory):
    """Not while it is not reaped either: whoever traces it keeps it so long."""
    mux = mux_factory(CAT, parser=("timeout 2s",), exempt=(),
                      admission=HARSH)
    pid = worker(mux)
    with mux.connect(source="127.0.0.2") as half:
        half.sendall(b"ca")
        eventually(lambda: status(mux)["pending"] == 1)
        time.sleep(0.2)  # so it has been looked at, and waits
        libc = ctypes.CDLL(None, use_errno=True)
        assert libc.ptrace(PTRACE_SEIZE, pid, None, None) == 0
        try:
            os.kill(pid, signal.SIGSTOP)
            assert mux.request("cat", b"x") == (OK, b"x")
            mux.wait_log("violation", reason="silence")
            assert half.recv(100) == REFUSAL
        finally:
            while not os.WIFSIGNALED(os.waitpid(pid, WALL)[1]):
                pass
    mux.wait_log("refuse", reason="timeout")
    assert mux.request("cat", b"x", source="127.0.0.2") == (OK, b"x")


def test_a_worker_that_hangs_is_given_up_after_a_second(mux_factory):
    mux = mux_factory(CAT)
    stopped = worker(mux)
    os.kill(stopped, signal.SIGSTOP)
    begun = time.monotonic()
    socks = [mux.connect() for _ in range(5)]
    for sock in socks:
        sock.sendall(b"cat\r\nhello")
    for sock in socks:
        assert converse(sock) == OK + b"hello"
    assert 0.9 < time.monotonic() - begun < 3
    line = mux.wait_log("violation", reason="silence")
    assert line["worker"] == str(stopped)
    eventually(lambda: stopped not in mux.children(), what="its end")
    assert worker(mux) != stopped
    assert status(mux)["violations"] == 1


def test_a_hanging_worker_does_not_stop_its_neighbour(mux_factory):
    mux = mux_factory(CAT, parser=("workers 2",))
    stopped = worker(mux)
    os.kill(stopped, signal.SIGSTOP)
    first = mux.connect()
    first.sendall(b"cat\r\nhello")
    eventually(lambda: status(mux)["pending"] == 1)  # and handed over
    # What is seen is an order: on a busy machine some may come too late.
    served = 0
    for _ in range(5):
        assert mux.request("cat", b"x") == (OK, b"x")
        served += not mux.logs("violation")
    assert served > 0
    assert converse(first) == OK + b"hello"


def test_a_worker_is_not_late_because_we_are(mux_factory, tmp_path):
    """Its answer came in time, behind more than two turns take; when they are
    over, so is the second that it had."""
    later = Later(tmp_path / "later")
    mux = mux_factory(CAT, env=later.env, admission=(
        "allow any", "pending 1000", "per-source 1000",
        "pending-per-source 1000"))
    later.be("=")  # so nobody is late yet, however busy the machine
    status(mux)
    asked = worker(mux)
    with contextlib.ExitStack() as socks:
        others = [socks.enter_context(mux.connect()) for _ in range(600)]
        for sock in others:
            sock.sendall(b"c")
        # Who comes last is looked at last.
        assert mux.request("cat", b"x") == (OK, b"x")
        os.kill(asked, signal.SIGSTOP)
        asker = socks.enter_context(mux.connect())
        asker.sendall(b"cat\r\nhello")
        eventually(lambda: status(mux)["pending"] == 601)
        os.kill(mux.pid, signal.SIGSTOP)
        eventually(lambda: state(mux.pid) == "T")
        later.be("=2")
        for sock in others:
            sock.sendall(b"a")
        os.kill(asked, signal.SIGCONT)
        eventually(lambda: state(asked) == "S", what="its answer")
        os.kill(mux.pid, signal.SIGCONT)
        assert converse(asker) == OK + b"hello"
        counted = status(mux)
        later.forget()
        assert (counted["workers_started"], counted["violations"]) == (1, 0)


def test_idle_workers_may_be_killed_at_any_moment(mux_factory):
    """Also while they are still closing their rooms."""
    mux = mux_factory(CAT)
    for _ in range(20):
        kill_any(mux)
    assert mux.request("cat", b"x") == (OK, b"x")
    assert not mux.logs("violation")


def test_half_a_line_outlives_many_workers(mux_factory):
    mux = mux_factory(CAT)
    sock = mux.connect()
    for byte in b"cat\r\nhello":
        sock.sendall(bytes([byte]))
        time.sleep(0.02)  # a worker has seen it and forgotten it
        kill_any(mux)
    assert converse(sock) == OK + b"hello"


def test_no_worker_no_answer_but_the_refusal(mux_factory):
    """Killed faster than they can start: the deadline still holds."""
    mux = mux_factory(CAT, parser=("timeout 1s",))
    sock = mux.connect()
    os.kill(worker(mux), signal.SIGSTOP)
    begun = time.monotonic()
    sock.sendall(b"cat\r\n")
    while time.monotonic() - begun < 1.2:
        for pid in workers(mux):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
    assert converse(sock) in (REFUSAL, OK)
    assert mux.request("cat", b"x") == (OK, b"x")
