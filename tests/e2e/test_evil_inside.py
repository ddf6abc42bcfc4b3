"""What the parser that ships can do once somebody else rides it.

tests/evil-parser/rider starts it, traces it while it builds its room, and then
has it lie, answer twice, keep, hang, spin, die or make other calls: whatever
an attacker can who runs code inside. The table is evil.INSIDE, the checker
the one of all evil parsers.
"""

import platform

import pytest

from evil import (ALL, DEEDS, EXPECTED, INSIDE, MARK, MARKED_S, UNKNOWN, Evil,
                  all_at_once, cases_of, run_deed)
from mux import IS_ROOT
from rooms import unsanitized

pytestmark = [unsanitized, pytest.mark.skipif(
    platform.machine() != "x86_64" or not IS_ROOT,
    reason="injects by x86-64 registers, as root")]

BATCH_MAX = 32


def poison(how, **place):
    """One whose bytes make every parser do it, beside 31 innocents."""
    deed = INSIDE["rider", how]
    beside = (ALL * 4)[:BATCH_MAX - 1]
    with Evil("rider", how, "marked", parser=(f"timeout {MARKED_S}s",),
              **place) as evil:
        evil.ask(*beside[:12], MARK, *beside[12:])
        fate = deed.fate if UNKNOWN in deed.victims else EXPECTED[MARK]
        evil.expect({**EXPECTED, MARK: fate}, MARKED_S)
        evil.assert_clean(deed)
        assert evil.said(deed)[0]["batch"] == str(BATCH_MAX)


POISONS = [("poison", how) for how in (
    "slot", "half", "nothing", "spin", "closed-zero", "write", "smuggle",
    "name-for-unknown")]
# That a lie is told always is the same from inside as by the liar: its bytes.
CASES = [*POISONS, *cases_of(INSIDE, ("once",)),
         *(case for case in cases_of(INSIDE, ("always",))
           if ("liar", case[-1]) not in DEEDS)]


def run(case, **place):
    if case in POISONS:
        poison(case[1], **place)
    else:
        run_deed(case, INSIDE, **place)


@pytest.fixture(scope="module")
def futures(request):
    with all_at_once(request, CASES, run) as started:
        yield started


@pytest.mark.parametrize("case", CASES, ids="-".join)
def test_ridden(futures, case):
    futures[case].result()
