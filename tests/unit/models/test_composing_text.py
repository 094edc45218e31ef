"""A group of products in sentences: what it waits for, until when, and what was made of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest

from models.composing import Group, Made
from models.composing_text import group_told
from simulator.examples import NOW

GROUP = Group(
    job_type="gfsc",
    key="32TLR-2026-01-10",
    day=date(2026, 1, 10),
    tiles=("32TLR",),
    due_at=None,
)
WAITING = replace(
    GROUP, waits="the SWS of that day are waited for", waits_since=NOW, due_at=NOW + timedelta(1)
)
SINCE, DUE = (f"{at:%Y-%m-%d %H:%M:%S} UTC" for at in (NOW, NOW + timedelta(1)))


@pytest.mark.parametrize(
    ("group", "says"),
    [
        pytest.param(
            WAITING,
            f"waits since {SINCE}: the SWS of that day are waited for; at the latest it is looked "
            f"at again at {DUE}. No job was made of it yet",
            id="waits",
        ),
        pytest.param(
            replace(WAITING, due_at=None),
            f"waits since {SINCE}: the SWS of that day are waited for; nothing is waited for but a "
            "new product. No job was made of it yet",
            id="waits-for-ever",
        ),
        pytest.param(
            replace(GROUP, due_at=NOW),
            f"it is looked at again at {SINCE}. No job was made of it yet",
            id="due",
        ),
        pytest.param(
            replace(GROUP, made=tuple(Made(key=f"k{n}", covers=()) for n in range(5))),
            "waits for nothing: it is looked at again when something new is listed. Made of it: "
            "gfsc/k2, gfsc/k3, gfsc/k4, and 2 before",
            id="settled",
        ),
    ],
)
def test_a_group_says_what_it_waits_for_until_when_and_what_was_made(
    group: Group, says: str
) -> None:
    assert group_told(group) == f"Group gfsc/32TLR-2026-01-10: {says}"
