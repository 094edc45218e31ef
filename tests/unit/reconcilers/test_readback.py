"""A product that is missing at one of the steps for too long is told of, by name."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.lifecycle import Status
from models.plan import ALARMS, Held, Reason
from models.publication import PublicationState
from models.reckoning import Made, ReadBack, reckon, span_of
from models.settings_readback import ReadbackSettings
from models.world import Source
from reconcilers.readback import MOST_NAMED, decide
from simulator.examples import NOW, a_world

SETTINGS = ReadbackSettings()
LONG_AGO = NOW - SETTINGS.late - timedelta(seconds=1)
CONFIRMED, SENDING = PublicationState.CONFIRMED, PublicationState.SENDING


def a_made(number: int = 1, **changes: Any) -> Made:
    default: dict[str, Any] = {
        "product": f"FSC_20220827T1303{number:02}_S2A_T28WEU_V102_1",
        "kind": "fsc",
        "job_id": number,
        "status": Status.DONE,
        "made_at": LONG_AGO,
        "since": LONG_AGO,
        "state": CONFIRMED,
    }
    return Made(**{**default, **changes})


def decided(*made: Made, **look: Any) -> list[Any]:
    world = a_world(readback=ReadBack(at=NOW, made=made, **look))
    return decide(world, SETTINGS, NOW)


@pytest.mark.parametrize(
    ("made", "found", "step"),
    [
        pytest.param(a_made(), (a_made().product,), None, id="all-is-well"),
        pytest.param(a_made(), (), "found", id="not-listed"),
        pytest.param(a_made(since=NOW), (), None, id="not-listed-yet"),
        pytest.param(a_made(), None, None, id="no-catalogue-to-look-into"),
        pytest.param(a_made(state=SENDING), (), "confirmed", id="not-confirmed"),
        pytest.param(a_made(state=SENDING, since=NOW), (), None, id="just-sent"),
        pytest.param(a_made(state=PublicationState.SPOOLED), None, "confirmed", id="in-a-file"),
        pytest.param(a_made(state=None), (), "published", id="not-in-the-outbox"),
    ],
)
def test_a_product_is_missing_where_it_should_have_come_to(
    made: Made, found: tuple[str, ...] | None, step: str | None
) -> None:
    told = decided(made, found=found)
    assert [each.subject.id for each in told] == (
        [f"fsc/{LONG_AGO:%Y-%m-%d}/{step}"] if step else []
    )
    for each in told:
        assert isinstance(each, Held)
        assert each.reason is Reason.PRODUCTS_MISSING
        assert made.product in each.because


def test_it_is_an_alarm() -> None:
    assert Reason.PRODUCTS_MISSING in ALARMS


def test_a_catalogue_that_does_not_answer_is_told_of() -> None:
    (held,) = decided(unknown="reading ours: no answer")
    assert (str(held.subject), held.reason) == ("system:readback", Reason.SOURCE_UNKNOWN)


def test_a_store_that_does_not_answer_is_told_of() -> None:
    (held,) = decide(a_world(unknown={Source.READBACK: "gone"}), SETTINGS, NOW)
    assert held.reason is Reason.SOURCE_UNKNOWN


def test_of_very_many_the_first_are_named_and_all_are_counted() -> None:
    (held,) = decided(*(a_made(number) for number in range(MOST_NAMED + 7)), found=())
    assert "and 7 more" in held.because
    assert dict(held.facts)["missing"] == MOST_NAMED + 7


@given(
    st.lists(
        st.builds(
            a_made,
            number=st.integers(0, 59),
            state=st.sampled_from([None, *PublicationState]),
            made_at=st.datetimes(
                NOW.replace(tzinfo=None) - timedelta(days=2), NOW.replace(tzinfo=None)
            ).map(lambda at: at.replace(tzinfo=NOW.tzinfo)),
        ),
        unique_by=lambda each: each.product,
    ),
    st.booleans(),
)
def test_every_product_is_counted_once_and_missing_at_one_step_at_most(
    made: list[Made], listed: bool
) -> None:
    found = frozenset(each.product for each in made) if listed else frozenset()
    reckoned = reckon(made, found, NOW)
    assert sum(each.made for each in reckoned) == len(made)
    missing = [name for each in reckoned for _, names in each.missing for name in names]
    assert len(missing) == len(set(missing))
    for each in reckoned:
        assert each.found is not None
        assert each.made >= each.published >= each.confirmed >= each.found
        began, over = span_of(each.day)
        of_day = [m for m in made if began <= m.made_at < over and m.kind == each.kind]
        assert len(of_day) == each.made
        assert each.made - each.found == sum(len(names) for _, names in each.missing)
