"""A few seconds of everybody at once: see tests/soak/chaos.py, and `make soak`
for longer."""

import os
import sys

import pytest

from mux import IS_ROOT
from rooms import unsanitized

sys.path.append(os.path.join(os.path.dirname(__file__), "..", "soak"))

import chaos  # noqa: E402

pytestmark = [unsanitized, pytest.mark.skipif(
    not IS_ROOT, reason="services of other users need root")]

SECONDS, SEED = 3, 1078


def test_everybody_sees_what_they_must():
    assert chaos.chaos(SECONDS, SEED) == []
