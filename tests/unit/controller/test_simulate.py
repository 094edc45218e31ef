"""`hrsi simulate` on small worlds: the same seed tells the same, and the figures are true."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from itertools import count
from pathlib import Path

import pytest
from typer.testing import CliRunner

from controller.cli.app import app
from controller.cli.simulate_course import LINE_EVERY, lines
from controller.simulate.inputs import listed_by
from controller.simulate.mishaps import LEVELS
from controller.simulate.plot import draw
from controller.simulate.report import STATES, percentile, share_in_time, state_of
from controller.simulate.run import Outcome, Run, replay
from controller.simulate.scenario import DAILY, DAY, FaultLevel, Options, arrivals, parameters
from models.errors import ConfigurationError
from models.lifecycle import Status
from models.settings import settings_from
from simulator.examples import NOW, a_job
from simulator.truth import Breach

SMALL = Options(days=0.04, jobs_per_day=300, workers=8, seed=4)


def figures(outcome: Outcome) -> str:
    return json.dumps({**outcome.report.as_json(), "wall_s": 0})


@pytest.fixture(scope="module")
def ended() -> tuple[Run, Outcome]:
    run = Run(SMALL)
    return run, run.until_quiet()


# ---- what arrives --------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [1, 7, 2000], ids=["one", "a-few", "a-usual-day"])
def test_each_day_has_exactly_its_number_of_jobs_each_once(count: int) -> None:
    coming = arrivals(Options(days=2, jobs_per_day=count, seed=3))
    keys = [(job.type, job.key) for arrival in coming for job in arrival.jobs]
    assert len(keys) == len(set(keys)) == 2 * count
    assert [a.at for a in coming] == sorted(a.at for a in coming)
    per_day = Counter(arrival.at // DAY for arrival in coming for _ in arrival.jobs)
    assert per_day == {0: count, 1: count}


def test_types_arrive_in_the_shares_of_production() -> None:
    coming = arrivals(Options(days=10, jobs_per_day=2000))
    shares = Counter(job.type for arrival in coming for job in arrival.jobs)
    for kind, daily in DAILY.items():
        usual = daily / sum(DAILY.values())
        assert shares[kind] / shares.total() == pytest.approx(usual, rel=0.15), kind


def test_another_seed_is_another_day() -> None:
    assert arrivals(Options(seed=1)) != arrivals(Options(seed=2))
    assert arrivals(Options(seed=1)) == arrivals(Options(seed=1))


def test_half_a_day_has_the_first_half_of_the_same_day() -> None:
    whole = arrivals(Options(days=1))
    half = arrivals(Options(days=0.5))
    assert half == [arrival for arrival in whole if arrival.at < DAY / 2]


@pytest.mark.parametrize("workers", [None, 1, 210, 5000], ids=str)
def test_the_parameters_of_a_simulation_are_possible(workers: int | None) -> None:
    pool = settings_from(parameters(Options(workers=workers))).pool
    assert pool.max_workers == (workers or 210)
    assert pool.vcpu_budget >= 874


# ---- one seed, one history -----------------------------------------------------------------------


@pytest.mark.parametrize("level", FaultLevel)
def test_the_same_seed_and_options_give_the_same_report(level: FaultLevel) -> None:
    options = replace(SMALL, days=0.02, jobs_per_day=150, faults=level)
    first, second = Run(options).until_quiet(), Run(options).until_quiet()
    assert figures(first) == figures(second)
    assert first.samples == second.samples
    assert figures(Run(options.seeded(5)).until_quiet()) != figures(first)


def test_leaving_passes_out_changes_no_figure_but_their_number(
    ended: tuple[Run, Outcome],
) -> None:
    whole = Run(SMALL, skipping=False).until_quiet().report
    report = ended[1].report
    assert report.passes < whole.passes
    assert replace(report, passes=0, wall_s=0) == replace(whole, passes=0, wall_s=0)


def test_what_goes_wrong_is_part_of_the_levels_and_grows_with_them() -> None:
    some, everything = LEVELS[FaultLevel.SOME], LEVELS[FaultLevel.ALL]
    assert not any(LEVELS[FaultLevel.NONE].calls.values())
    assert all(everything.calls[fault] > rate > 0 for fault, rate in some.calls.items())
    assert sum(everything.endings.values()) < 1


# ---- the figures ---------------------------------------------------------------------------------


def reached_by(values: list[float], share: float) -> float:
    """The first value by which that share of all has come."""
    return next(v for v in values if sum(each <= v for each in values) >= share * len(values))


def test_the_report_agrees_with_a_count_by_hand(ended: tuple[Run, Outcome]) -> None:
    run, report = ended[0], ended[1].report
    tables = run.sim.systems.store.tables
    ends = {
        change.job_id: change.at
        for history in tables.history.values()
        for change in history
        if change.after is Status.DONE
    }
    taken = sorted(
        (at - tables.jobs[job_id].created_at).total_seconds() for job_id, at in ends.items()
    )
    assert report.jobs_created == len(tables.jobs) > 10
    assert report.jobs_done == len(taken)
    stand = Counter(job.status for job in tables.jobs.values())
    assert (report.cancelled, report.quarantined) == (stand[Status.CANCELLED], 0)
    made = {p.name for manifest in tables.manifests.values() for p in manifest.products}
    assert report.products_made == report.products_published == len(made)
    assert len(made) == sum(
        len(tables.registry.types[job.type].products) for job in tables.jobs.values()
    )
    assert report.turnaround_p50_s == round(reached_by(taken, 0.5), 1)
    assert report.turnaround_p95_s == round(reached_by(taken, 0.95), 1)
    in_time = [each for each in taken if each <= 3 * 3600]
    assert report.share_within_3h == round(len(in_time) / len(tables.jobs), 4)
    busy = sum(
        (r.ended_at - r.claimed_at).total_seconds()
        for r in tables.runs.values()
        if r.ended_at and r.claimed_at
    )
    assert report.vm_hours_busy == round(busy / 3600, 2)
    assert report.servers_created == run.sim.systems.outside.cloud.created
    lives = [w.gone_at - w.created_at for w in tables.workers.values() if w.gone_at]
    # The store learns a little later than the cloud that a machine is gone.
    noticed = sum(lives, timedelta()) / timedelta(hours=1)
    late = len(lives) * timedelta(seconds=15) / timedelta(hours=1)
    assert noticed - late <= report.vm_hours <= noticed
    assert (report.invariant_violations, report.quarantined) == (0, 0)


def test_it_ends_when_all_is_quiet(ended: tuple[Run, Outcome]) -> None:
    run, outcome = ended
    assert run.sim.is_quiet()
    assert outcome.samples[-1].workers == {}
    assert max(sum(sample.workers.values()) for sample in outcome.samples) <= 8


@pytest.mark.parametrize(
    ("values", "share", "expected"),
    [
        pytest.param([], 0.5, None, id="nothing"),
        pytest.param([3.0], 0.95, 3.0, id="one"),
        pytest.param([4.0, 1.0, 3.0, 2.0], 0.5, 2.0, id="half-of-four"),
        pytest.param([float(n) for n in range(1, 101)], 0.95, 95.0, id="a-hundred"),
    ],
)
def test_a_percentile_is_a_value_that_was_there(
    values: list[float], share: float, expected: float | None
) -> None:
    assert percentile(values, share) == expected


@pytest.mark.parametrize(
    ("hours", "status", "ago", "expected"),
    [
        pytest.param(2.9, Status.DONE, 5, 1.0, id="in-time"),
        pytest.param(3.1, Status.DONE, 5, 0.0, id="too-late"),
        pytest.param(2.9, Status.PROCESSED, 5, 0.0, id="not-announced"),
        pytest.param(0.1, Status.PROCESSING, 3.1, 0.0, id="under-way-for-too-long"),
        pytest.param(0.1, Status.PROCESSING, 2.9, None, id="cannot-be-told-yet"),
        pytest.param(0.1, Status.CANCELLED, 9, None, id="nobody-wants-it"),
    ],
)
def test_a_job_is_in_time_or_late_as_soon_as_that_can_be_told(
    hours: float, status: Status, ago: float, expected: float | None
) -> None:
    created = NOW - timedelta(hours=ago)
    moved = created + timedelta(hours=hours)
    job = a_job(status=status, created_at=created, status_at=moved)
    assert share_in_time([job], NOW) == expected


def test_every_status_of_an_open_job_is_drawn() -> None:
    publishing = {Status.PROCESSED, Status.START_PUBLICATION, Status.PUBLISHED}
    closed = publishing | {Status.DONE, Status.CANCELLED}
    assert {s for s in Status if state_of(s) is None} == closed
    assert {state_of(s) for s in Status} - {None} == set(STATES)


# ---- when an invariant breaks --------------------------------------------------------------------


def break_after(run: Run, steps: int) -> None:
    if run.sim.steps == steps:
        breach = Breach(invariant="I1", subject="worker:os-worker-001", what="made up")
        run.sim.truth.violations.append(breach)


def test_a_broken_invariant_ends_it_and_tells_where() -> None:
    outcome = Run(SMALL).until_quiet(lambda run: break_after(run, 500))
    assert outcome.report.invariant_violations == 1
    assert outcome.broken is not None
    assert outcome.broken.startswith("I1 worker:os-worker-001: made up\nseed 4, step 501")
    assert outcome.steps == 501


def test_a_replay_of_a_step_that_never_came_says_so() -> None:
    options = Options(days=0.01, jobs_per_day=100, seed=1)
    steps = Run(options).until_quiet().steps
    head, first, *_ = replay(options, steps + 1).splitlines()
    assert head.startswith(f"There is no step {steps + 1}: all was over after step {steps}.")
    assert first.startswith(f"seed 1, step {steps}, ")
    assert replay(options, steps).startswith(f"seed 1, step {steps}, ")


def test_a_replay_tells_what_had_been_decided_at_that_step() -> None:
    story = replay(SMALL, 600)
    head, *decisions = story.splitlines()
    assert head.startswith("seed 4, step 600, 0 crashes")
    assert 0 < len(decisions) <= 50
    assert story == replay(SMALL, 600)
    steps = [int(line.split()[1]) for line in decisions]
    assert steps == sorted(steps)
    assert steps[-1] <= 600


# ---- the picture and the command -----------------------------------------------------------------


def test_the_picture_is_svg_that_names_what_it_shows(ended: tuple[Run, Outcome]) -> None:
    outcome = ended[1]
    root = ET.fromstring(draw(SMALL, outcome))  # noqa: S314 - drawn a moment ago
    words = [text.text or "" for text in root.iter("{http://www.w3.org/2000/svg}text")]
    for title in ("Open jobs by state", "Workers by flavor", "at most 8", "eo2.medium", "3 h"):
        assert title in words
    assert any(word.startswith("22 jobs in 0.04 days") for word in words)
    assert all(
        0 <= float(value) <= 1090
        for line in root.iter("{http://www.w3.org/2000/svg}line")
        for value in (line.attrib["x1"], line.attrib["x2"], line.attrib["y1"], line.attrib["y2"])
    )


def test_a_simulation_without_a_job_can_be_drawn() -> None:
    options = Options(days=0.01, jobs_per_day=1, seed=1)
    outcome = Run(options).until_quiet()
    assert outcome.report.jobs_created == 0
    assert outcome.report.turnaround_p50_s is None
    assert ET.fromstring(draw(options, outcome)) is not None  # noqa: S314 - drawn a moment ago


def test_the_command_says_that_no_job_arrived() -> None:
    result = CliRunner().invoke(
        app, ["simulate", "--days", "0.01", "--jobs-per-day", "1", "--json"]
    )
    assert (result.exit_code, json.loads(result.stdout)["jobs_created"]) == (0, 0)
    assert result.stderr.startswith("No job arrived")


def test_the_command_prints_one_json_object_and_draws(tmp_path: Path) -> None:
    picture = tmp_path / "day.svg"
    words = ["simulate", "--days", "0.02", "--jobs-per-day", "200", "--json", "--plot", picture]
    result = CliRunner().invoke(app, [str(word) for word in words])
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    assert report["jobs_done"] == report["jobs_created"]
    assert "wall_s" in report
    assert picture.read_text(encoding="utf-8").startswith("<svg")


def test_the_command_replays_what_it_names() -> None:
    options = replace(SMALL, faults=FaultLevel.ALL)
    words = [*options.command().split()[1:], "--replay", "4@300"]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.output
    assert result.stdout.rstrip("\n") == replay(options, 300)


def test_where_nobody_looks_at_a_screen_a_line_now_and_then_tells_how_far_it_is() -> None:
    told: list[str] = []
    seconds = count(step=LINE_EVERY / 60)
    run = Run(SMALL)
    outcome = run.until_quiet(lines(SMALL, told.append, lambda: next(seconds)))
    assert len(told) == outcome.steps // 60 > 5
    assert told[0].startswith("30 s: ")
    assert "%, day 1 00:" in told[0]
    made = outcome.report.jobs_created
    assert "until all is quiet, day 1 0" in told[-1]
    assert f", {made} jobs, " in told[-1]
    left = [int(line.split(" of them open")[0].rsplit(" ", 1)[1]) for line in told]
    assert max(left) > left[-1]


def test_a_replay_tells_how_far_it_is() -> None:
    seen: list[int] = []
    replay(SMALL, 50, lambda run: seen.append(run.sim.steps))
    assert seen == list(range(1, 51))


@pytest.mark.parametrize(
    ("words", "told"),
    [
        pytest.param(["--replay", "seven"], "SEED@STEP", id="a-place-that-is-none"),
        pytest.param(["--plot", "nowhere/day.svg"], "No such file", id="a-file-nowhere"),
    ],
)
def test_what_makes_no_sense_is_refused_before_anything_is_simulated(
    words: list[str], told: str
) -> None:
    result = CliRunner().invoke(app, ["simulate", *words])
    assert isinstance(result.exception, ConfigurationError)
    assert told in str(result.exception)


# ---- from the catalogue on -----------------------------------------------------------------------

CATALOGUE = Options(days=0.4, jobs_per_day=120, workers=8, seed=3, from_catalogue=True)


def test_every_image_that_a_catalogue_lists_is_processed() -> None:
    run = Run(CATALOGUE)
    outcome = run.until_quiet()
    assert outcome.broken is None
    assert outcome.report.invariant_violations == 0
    assert outcome.report.jobs_done == outcome.report.jobs_created > 0
    tables = run.sim.systems.store.tables
    assert run.sim.systems.catalogue is not None
    listed = listed_by(run.sim.systems.catalogue, run.began + CATALOGUE.span)
    seen = {known.acquisition for known in tables.acquired.values()}
    assert listed <= seen
    assert {other.job_type for other in seen - listed} <= {"rlies1s2", "sws_wds", "gfsc"}
    assert run._is_over()
    # Neither a product that nobody met is overlooked, nor an image without a job.
    assert run.sim.systems.products is not None
    names = {each.product.name for each in run.sim.systems.products.entries()}
    met = next(each for each in tables.ingredients.values() if each.name in names)
    tables.ingredients.drop(met.identity)
    assert not run._is_over()
    tables.ingredients.put(met.identity, met)
    assert run._is_over()
    tables.acquired.drop(next(iter(tables.acquired)))
    assert not run._is_over()


def test_nobody_hands_jobs_in_where_they_come_from_the_catalogue() -> None:
    assert arrivals(CATALOGUE) == []
    assert "--from-catalogue" in CATALOGUE.command()
    assert parameters(CATALOGUE)["creation.period"] == 60
