"""What of the parameters is in force, told by the rows kept and by the history, which agree."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from models.errors import ConfigurationError
from models.parameters import UNSET, Kept, admit, in_force, newest_by_key, standing
from models.records import ParameterChange
from simulator.examples import NOW

KEY = "pool.max_workers"
MINUTE = timedelta(minutes=1)


def a_change(new: Any, at: int = 0, lasts: int | None = None, key: str = KEY) -> ParameterChange:
    made = NOW + at * MINUTE
    until = None if lasts is None else made + lasts * MINUTE
    return ParameterChange(
        key=key, at=made, author="ada", reason="", old=None, new=new, expires_at=until
    )


@pytest.mark.parametrize(
    ("changes", "minute", "expected"),
    [
        pytest.param([], 0, None, id="never-set"),
        pytest.param([a_change(5)], 99, 5, id="for-good"),
        pytest.param([a_change(5), a_change(None, 1)], 2, None, id="put-back"),
        pytest.param([a_change(5), a_change(6, 1, lasts=10)], 10, 6, id="for-a-while"),
        pytest.param([a_change(5), a_change(6, 1, lasts=10)], 11, 5, id="a-while-that-is-over"),
        pytest.param([a_change(6, 1, lasts=10)], 11, None, id="back-to-the-default"),
        pytest.param(
            [a_change(5), a_change(6, 1, lasts=90), a_change(7, 2, lasts=1)],
            4,
            5,
            id="a-while-within-a-while",
        ),
        pytest.param([a_change(6, 1, lasts=10), a_change(5, 2)], 50, 5, id="for-good-meanwhile"),
    ],
)
def test_the_last_that_holds_is_in_force(
    changes: list[ParameterChange], minute: int, expected: Any
) -> None:
    kept = UNSET
    for change in changes:
        kept = kept.changed(change)
    assert kept.at(NOW + minute * MINUTE) == expected


moments = st.integers(0, 30)
drawn_changes = st.lists(
    st.tuples(st.none() | st.integers(0, 9), moments, st.none() | st.integers(1, 20)), max_size=6
)


@example(drawn=[(1, 0, 20), (2, 0, 1)], later=5)
@given(drawn=drawn_changes, later=moments)
def test_the_history_tells_the_same_as_the_rows(drawn: Any, later: int) -> None:
    made = [
        a_change(new, at, None if new is None else lasts)
        for new, at, lasts in sorted(drawn, key=lambda each: each[1])
    ]
    kept: dict[str, Kept] = {}
    for change in made:
        kept[KEY] = admit(kept, change)
    now = max((change.at for change in made), default=NOW) + later * MINUTE
    stands = standing(newest_by_key(reversed(made)).get(KEY, ()), now)
    assert in_force(kept, now).get(KEY) == (stands.new if stands else None)


def test_a_change_is_checked_against_what_will_be_in_force_later() -> None:
    kept = {"passes.lease": admit({}, a_change(200, lasts=60, key="passes.lease"))}
    admit(kept, a_change(60, lasts=30, key="passes.call_deadline"))
    with pytest.raises(ConfigurationError, match="is over"):
        admit(kept, a_change(60, lasts=61, key="passes.call_deadline"))


def test_a_key_of_another_program_keeps_nobody_from_changing_the_others() -> None:
    kept = {"pool.of_old": Kept(value=7), KEY: Kept(value=5)}
    assert admit(kept, a_change(6)).value == 6
    assert admit(kept, a_change(None, key="pool.of_old")).value is None
    with pytest.raises(ConfigurationError, match=r"'pool\.of_old' does not exist"):
        admit(kept, a_change(8, key="pool.of_old"))
    with pytest.raises(ConfigurationError, match=r"'pool\.of_others' does not exist"):
        admit(kept, a_change(None, key="pool.of_others"))
