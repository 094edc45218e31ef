"""Lives drawn from seeds: the same each time, and one that breaks tells how to see it again."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
import typer

from controller.cli.lives import conclude, place_of, seeds_of
from controller.cli.output import EXIT_INTERRUPTED
from controller.simulate.lives import KINDS, Life, settling_time
from controller.simulate.many import Tally, live_through
from controller.simulate.mishaps import LEVELS, PRESS_TROUBLES, SOME, TROUBLES, Wear
from controller.simulate.scenario import FaultLevel
from controller.simulation import RECENT
from models.errors import ConfigurationError
from models.ports import Asked
from models.settings import DEFAULT_SETTINGS
from simulator.faults import Fault
from simulator.mishaps import MISHAPS


def test_the_same_seed_is_the_same_life() -> None:
    assert Life(5).live() == Life(5).live()
    assert Life(5).live() != replace(Life(6).live(), seed=5)


def test_a_life_may_be_lived_up_to_a_step() -> None:
    life = Life(5)
    life.live(until=100)
    assert life.sim.steps == 100
    assert life.story_at(100).startswith("seed 5, step 100, ")


def test_a_story_of_a_step_that_never_came_says_so() -> None:
    life = Life(5)
    steps = life.live(10**6).steps
    head, first, *_ = life.story_at(10**6).splitlines()
    assert head.startswith(f"There is no step 1000000: all was over after step {steps}.")
    assert first.startswith(f"seed 5, step {steps}, ")


def test_ctrl_c_leaves_what_was_lived_by_then() -> None:
    def stop(tally: Tally) -> None:
        if tally.upto >= 10:
            raise KeyboardInterrupt

    tally = live_through(range(20), 1, stop)
    assert (tally.interrupted, tally.upto, tally.lives) == (True, 10, 10)


def test_a_command_that_is_interrupted_says_what_broke_and_where_to_go_on(
    capsys: pytest.CaptureFixture[str],
) -> None:
    broken = replace(Life(3).live(until=1), broken="I1: made up\nseed 3, step 1")
    tally = Tally(upto=10, interrupted=True, broken=[broken])
    with pytest.raises(typer.Exit) as ended:
        conclude(tally, range(40), as_json=False)
    assert ended.value.exit_code == EXIT_INTERRUPTED
    assert capsys.readouterr().err.splitlines() == [
        "I1: made up",
        "seed 3, step 1",
        "Only the seeds below 10 were lived: go on with --lives 10..40",
    ]


def test_every_level_and_the_storms_draw_from_everything_that_can_go_wrong() -> None:
    assert set(SOME.calls) == set(Fault)
    assert set(SOME.troubles) == {*TROUBLES, *PRESS_TROUBLES}
    assert set(KINDS["storm"]) == set(TROUBLES), "nothing is published in these lives"
    assert set(MISHAPS) < set(TROUBLES)
    assert LEVELS[FaultLevel.ALL] == SOME.times(10)
    assert LEVELS[FaultLevel.NONE] == Wear()


def test_the_time_to_settle_grows_with_the_waits_that_it_is_made_of() -> None:
    slow = replace(
        DEFAULT_SETTINGS, pool=replace(DEFAULT_SETTINGS.pool, boot_limit=timedelta(hours=9))
    )
    usual, nobody = settling_time(DEFAULT_SETTINGS, timedelta(0)), timedelta(days=1)
    assert settling_time(DEFAULT_SETTINGS, nobody) > settling_time(slow, timedelta(0)) > usual
    assert usual > timedelta(days=1)


# ---- a planted defect ----------------------------------------------------------------------------

NOBODY = Asked(actor="somebody in a hurry")


def without_a_guard(seed: int) -> Life:
    """A life whose pool waits neither for evaluations nor for late placements."""
    life = Life(seed)
    for key in ("pool.barrier_for", "pool.quarantine_for"):
        life.sim.systems.store.set_parameter(key, 0, NOBODY)
    life.sim.systems.store.set_parameter("pool.quarantine_lists", 1, NOBODY)
    return life


def test_a_planted_defect_is_found_and_the_report_says_how_to_see_it_again() -> None:
    found = next(lived for seed in range(60) if (lived := without_a_guard(seed).live()).broken)
    lines = (found.broken or "").splitlines()
    assert lines[0].startswith("I1 ")
    head = next(line for line in lines if line.startswith("seed "))
    assert head.startswith(f"seed {found.seed}, step {found.steps}, ")
    decisions = [line for line in lines if line.startswith("  step ")]
    assert len(decisions) == RECENT
    place = f"{found.seed}@{found.steps}"
    assert lines[-1] == f"Replay it: hrsi simulate --lives {found.seed} --replay {place}"
    assert without_a_guard(found.seed).live(until=found.steps).broken == found.broken


# ---- many of them --------------------------------------------------------------------------------


def test_lives_are_tallied_in_the_order_of_their_seeds() -> None:
    seen: list[int] = []
    tally = live_through(range(3, 15), 1, lambda tally: seen.append(tally.upto))
    assert seen == [13, 15]
    lived = [Life(seed).live() for seed in range(3, 15)]
    assert tally.lives == 12
    assert tally.deletions == sum(life.deletions for life in lived)
    assert tally.dispatches == sum(life.dispatches for life in lived)
    assert tally.crashes == sum(life.crashes for life in lived)
    assert tally.mishaps.total() == sum(life.mishaps.total() for life in lived)
    assert tally.broken == []


@pytest.mark.parametrize(
    ("text", "seeds"),
    [
        pytest.param("0..200", range(200), id="many"),
        pytest.param("7", range(7, 8), id="one"),
        pytest.param("4000..10000", range(4000, 10_000), id="from-where-it-was-left"),
    ],
)
def test_seeds_are_read(text: str, seeds: range) -> None:
    assert seeds_of(text) == seeds


@pytest.mark.parametrize("text", ["", "a", "5..5", "9..3", "1-5", "-1"])
def test_what_is_no_range_of_seeds_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ConfigurationError, match=r"A\.\.B, such as 0\.\.200"):
        seeds_of(text)


def test_a_place_is_seed_and_step() -> None:
    assert place_of("7@1203") == (7, 1203)
    with pytest.raises(ConfigurationError, match="SEED@STEP"):
        place_of("7")
