"""200 short hard lives: whatever happens to them, no invariant breaks and all come to rest.

`hrsi simulate --lives` lives through as many as one likes; `make test-long` through 10,000.
"""

from __future__ import annotations

from collections import Counter

import pytest

from controller.simulate.lives import Life, Lived
from simulator.faults import Fault

LIVES = 200
SHARES = 20
"""Parts that run side by side."""


def share_of(number: int) -> list[Lived]:
    size = LIVES // SHARES
    return [Life(seed).live() for seed in range(number * size, (number + 1) * size)]


@pytest.mark.parametrize("share", range(SHARES))
def test_no_life_breaks_an_invariant_and_each_comes_to_rest(share: int) -> None:
    lived = share_of(share)
    assert [life.broken for life in lived if life.broken] == []
    # They are lives: work is done, workers go, and something goes wrong meanwhile.
    assert sum(life.dispatches for life in lived) > 100
    assert sum(life.deletions for life in lived) > 50
    assert sum((life.mishaps for life in lived), Counter()).total() > 50
    assert set(sum((life.faults for life in lived), Counter())) <= {f.value for f in Fault}


def test_what_failed_to_boot_goes_while_its_flavor_may_not_create() -> None:
    """In this life creations waited for a probe that had failed, and what had failed waited for the
    creations of its flavor, which go first.
    """
    assert Life(488).live().broken is None
