"""Which snapshots are believed."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.gate import Mark, Trust, behind, judge, mark_of
from simulator.examples import NOW, a_cloud, a_node, a_nomad


def mark(index: int = 0, *, later: float = 0, node: int | None = None) -> Mark:
    modified = {} if node is None else {"n": node}
    return Mark(requested_at=NOW + timedelta(seconds=later), index=index, modified=modified)


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        pytest.param(mark(5), mark(5), None, id="same"),
        pytest.param(mark(5), mark(6), None, id="onwards"),
        pytest.param(mark(5), mark(0), None, id="an-index-that-is-not-told"),
        pytest.param(mark(5), mark(4), "index 4 after 5", id="index-fell"),
        pytest.param(mark(later=1), mark(), "asked at", id="asked-earlier"),
        pytest.param(mark(node=7), mark(node=6), "modify index of node n", id="a-node-fell"),
        pytest.param(mark(node=7), mark(), None, id="a-node-is-gone"),
    ],
)
def test_a_mark_is_behind_when_something_fell_that_can_only_grow(
    before: Mark, after: Mark, told: str | None
) -> None:
    found = behind(before, after)

    assert (found is None) if told is None else (found is not None and told in found)


def verdicts(marks: Sequence[tuple[Mark, float]]) -> list[bool]:
    """Whether each of these marks, with the moment at which it came, is believed."""
    trust, believed = Trust(), []
    for each, at in marks:
        verdict = judge(trust, each, at)
        trust = verdict.trust
        believed.append(verdict.doubt is None)
    return believed


@pytest.mark.parametrize(
    ("marks", "believed"),
    [
        pytest.param([(mark(9), 0)], [True], id="the-first-is-believed"),
        pytest.param([(mark(9), 0), (mark(4), 5), (mark(10), 10)], [True, False, True],
                     id="one-stale-answer-is-thrown-away"),
        pytest.param([(mark(9), 0), (mark(4), 5), (mark(5), 65), (mark(6), 125)],
                     [True, False, False, True], id="restored-three-reads-over-two-minutes"),
        pytest.param([(mark(9), 0), (mark(4), 5), (mark(5), 10), (mark(6), 15)],
                     [True, False, False, False], id="three-reads-but-too-soon"),
        pytest.param([(mark(9), 0), (mark(4), 5), (mark(5), 200)],
                     [True, False, False], id="long-enough-but-two-reads"),
        pytest.param([(mark(9), 0), (mark(6), 5), (mark(4), 65), (mark(5), 130), (mark(6), 190)],
                     [True, False, False, False, True], id="back-again-begins-anew"),
        pytest.param([(mark(9), 0), (mark(4), 5), (mark(5), 65), (mark(6), 125), (mark(7), 130)],
                     [True, False, False, True, True], id="believed-from-then-on"),
    ],
)  # fmt: skip
def test_a_source_that_went_backwards_has_to_prove_itself(
    marks: list[tuple[Mark, float]], believed: list[bool]
) -> None:
    assert verdicts(marks) == believed


@given(st.lists(st.integers(1, 50), min_size=1))
def test_whatever_only_grows_is_always_believed(steps: list[int]) -> None:
    totals = [sum(steps[: number + 1]) for number in range(len(steps))]

    assert all(verdicts([(mark(total, later=total), float(total)) for total in totals]))


@given(st.lists(st.tuples(st.integers(1, 9), st.integers(1, 100)), min_size=1, max_size=30))
def test_nothing_older_is_believed_before_two_minutes_of_proof(
    reads: list[tuple[int, int]],
) -> None:
    trust, now, proving_since = Trust(), 0.0, None
    for index, pause in reads:
        now += pause
        before = trust.accepted
        verdict = judge(trust, mark(index), now)
        trust = verdict.trust
        fell = before is not None and index < before.index
        if fell and proving_since is None:
            proving_since = now
        if fell and verdict.doubt is None:
            assert proving_since is not None
            assert now - proving_since >= 120
        if verdict.doubt is None:
            proving_since = None


def test_the_doubt_says_what_fell_and_what_is_wanted() -> None:
    verdict = judge(Trust(accepted=mark(9)), mark(4), 50.0)

    assert verdict.doubt == (
        "went backwards: index 4 after 9; believed again after 2 more consistent answers and 120 s"
    )


def test_a_mark_of_nomad_holds_what_can_only_grow() -> None:
    node = a_node(1)
    nomad = replace(a_nomad(nodes=(node,)), index=12)

    found = mark_of(nomad)

    assert (found.index, found.modified) == (12, {node.id: node.modify_index})
    assert mark_of(a_cloud()).index == 0
