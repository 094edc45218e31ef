"""Scarce capacity is shared turn by turn: each flavor in need one first, then by what is left."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.job_types import DEFAULT_REGISTRY, Flavor
from models.plan import Reason
from reconcilers.pool.capacity import Claim, Limit, Share, share

LETTERS = "ABCDE"
FLAVORS = tuple(DEFAULT_REGISTRY.flavors)

claim_lists = st.lists(
    st.builds(
        lambda flavor, want: Claim(flavor=DEFAULT_REGISTRY.flavors[flavor], want=want),
        st.sampled_from(FLAVORS),
        st.integers(1, 40),
    ),
    unique_by=lambda claim: claim.flavor.name,
    max_size=len(FLAVORS),
)


def _caps(workers: int, vcpus: int, rate: int = 10_000) -> tuple[Limit, ...]:
    return (
        Limit(reason=Reason.MAX_WORKERS, cap=workers, ours=0),
        Limit(reason=Reason.MAX_VCPUS, cap=vcpus, ours=0),
        Limit(reason=Reason.QUOTA_MEMORY, cap=66_560 * 200, ours=0),
        Limit(reason=Reason.CREATION_RATE, cap=rate, ours=0),
    )


limit_lists = st.builds(_caps, st.integers(1, 60), st.integers(1, 200), st.integers(1, 60))


def _letters(*needs: int) -> list[Claim]:
    return [
        Claim(flavor=Flavor(name=letter, vcpus=1, memory_mb=1, disk_gb=1), want=need)
        for letter, need in zip(LETTERS, needs, strict=False)
    ]


def _granted(shares: tuple[Share, ...]) -> list[int]:
    return [part.granted for part in shares]


@pytest.mark.parametrize(
    ("needs", "room", "granted"),
    [
        pytest.param((3,), 10, [3], id="everything-fits"),
        pytest.param((), 10, [], id="nothing-is-wanted"),
        pytest.param((100, 100, 1), 10, [5, 4, 1], id="the-small-one-is-not-starved"),
        pytest.param((40, 30, 20, 10, 5), 10, [3, 3, 2, 1, 1], id="the-original-gave-the-last-0"),
        pytest.param((2, 9, 9), 2, [1, 1, 0], id="one-each-in-dispatch-order"),
        pytest.param((9, 9), 3, [2, 1], id="a-tie-goes-to-the-better-job"),
        pytest.param((1, 50), 4, [1, 3], id="the-rest-goes-where-need-is"),
        pytest.param((5, 5), 0, [0, 0], id="no-room-at-all"),
    ],
)
def test_the_rest_after_one_each_follows_what_is_left_of_need(
    needs: tuple[int, ...], room: int, granted: list[int]
) -> None:
    limits = (Limit(reason=Reason.CREATION_RATE, cap=max(room, 1), ours=max(room, 1) - room),)

    assert _granted(share(_letters(*needs), limits)) == granted


def test_a_flavor_whose_turn_does_not_fit_keeps_its_claim_from_smaller_ones() -> None:
    large, small = (DEFAULT_REGISTRY.flavors[f] for f in ("hm.xlarge", "eo2.medium"))
    limits = (Limit(reason=Reason.MAX_VCPUS, cap=20, ours=16),)

    shares = share([Claim(flavor=large, want=1), Claim(flavor=small, want=3)], limits)

    assert _granted(shares) == [0, 0]
    assert {part.limit for part in shares} == set(limits)


def test_a_flavor_that_can_never_fit_claims_nothing() -> None:
    large, small = (DEFAULT_REGISTRY.flavors[f] for f in ("hm.xlarge", "eo2.medium"))
    limits = (Limit(reason=Reason.QUOTA_VCPUS, cap=20, ours=0, others=13),)

    shares = share([Claim(flavor=large, want=1), Claim(flavor=small, want=3)], limits)

    assert _granted(shares) == [0, 3]
    assert [part.limit for part in shares] == [*limits, None]


def test_the_first_limit_that_a_flavor_meets_is_named() -> None:
    flavor = DEFAULT_REGISTRY.flavors["hm.large"]
    rate, vcpus = (
        Limit(reason=Reason.CREATION_RATE, cap=3, ours=0),
        Limit(reason=Reason.MAX_VCPUS, cap=10, ours=0),
    )

    (part,) = share([Claim(flavor=flavor, want=9)], (rate, vcpus))

    assert part.granted == 2
    assert part.limit == vcpus


def test_a_limit_lowered_below_its_use_has_no_room() -> None:
    assert Limit(reason=Reason.MAX_WORKERS, cap=5, ours=9).room == 0


@given(claims=claim_lists, limits=limit_lists)
def test_what_is_granted_is_wanted_and_fits_every_limit(
    claims: list[Claim], limits: tuple[Limit, ...]
) -> None:
    shares = share(claims, limits)

    assert [part.claim for part in shares] == claims
    assert all(0 <= part.granted <= part.claim.want for part in shares)
    for limit in limits:
        taken = sum(part.granted * limit.cost(part.claim.flavor) for part in shares)
        assert taken <= limit.room


@given(claims=claim_lists, limits=limit_lists)
def test_whoever_gets_less_than_it_wants_is_told_the_limit(
    claims: list[Claim], limits: tuple[Limit, ...]
) -> None:
    for part in share(claims, limits):
        assert (part.limit is None) == (part.granted == part.claim.want)


@given(claims=claim_lists, limits=limit_lists)
def test_nobody_gets_a_second_before_all_that_can_fit_have_a_first(
    claims: list[Claim], limits: tuple[Limit, ...]
) -> None:
    shares = share(claims, limits)
    possible = [p for p in shares if not any(li.never_fits(p.claim.flavor) for li in limits)]

    if any(part.granted > 1 for part in possible):
        assert all(part.granted >= 1 for part in possible)


@given(claims=claim_lists, limits=limit_lists, data=st.data())
def test_more_need_never_gets_a_flavor_fewer(
    claims: list[Claim], limits: tuple[Limit, ...], data: st.DataObject
) -> None:
    if not claims:
        return
    which = data.draw(st.integers(0, len(claims) - 1))
    more = data.draw(st.integers(1, 30))
    grown = list(claims)
    grown[which] = Claim(flavor=claims[which].flavor, want=claims[which].want + more)

    before, after = share(claims, limits), share(grown, limits)

    assert after[which].granted >= before[which].granted


@given(claims=claim_lists, workers=st.integers(1, 40), vcpus=st.integers(8, 99))
def test_more_capacity_never_gets_anybody_fewer(
    claims: list[Claim], workers: int, vcpus: int
) -> None:
    before = share(claims, _caps(workers, vcpus))
    after = share(claims, _caps(workers + 1, vcpus + 3))

    assert all(a.granted >= b.granted for a, b in zip(after, before, strict=True))
