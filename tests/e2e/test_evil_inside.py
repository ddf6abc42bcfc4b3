"""What the parser that ships can do once somebody else rides it.

tests/evil-parser/rider starts it, traces it while it builds its room, and then
has it lie, answer twice, keep, hang, spin, die or make other calls: whatever
an attacker can who runs code inside. The table is evil.INSIDE, the checker
the one of all evil parsers.
"""

import platform

import pytest

from evil import INSIDE, all_at_once, cases_of, run_deed
from mux import IS_ROOT
from rooms import unsanitized

pytestmark = [unsanitized, pytest.mark.skipif(
    platform.machine() != "x86_64" or not IS_ROOT,
    reason="injects by x86-64 registers, as root")]

CASES = cases_of(INSIDE, ("always", "once"))


def run(case, **place):
    run_deed(case, INSIDE, **place)


@pytest.fixture(scope="module")
def futures(request):
    with all_at_once(request, CASES, run) as started:
        yield started


@pytest.mark.parametrize("case", CASES, ids="-".join)
def test_ridden(futures, case):
    futures[case].result()
