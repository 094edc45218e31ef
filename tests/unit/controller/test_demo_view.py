"""The demo's picture of one moment: from records to counts, from counts to text."""

import io
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from controller.cli.demo import LINE_EVERY, REPEAT_AFTER, Lines
from controller.demo.report import Products, report_of
from controller.demo.scene import Duty, Scene, Stage, duties_of, progress_line, stages_of
from controller.demo.view import DUTY_SIGNS, view
from models.lifecycle import Status
from models.plan import Reason
from models.records import LedgerRow, WorkerState
from models.world import StoreView
from simulator.examples import (
    NOW,
    a_booting_worker,
    a_claimed_run,
    a_creating_worker,
    a_retirement,
    a_worker,
    in_flight,
)

AT = datetime(2026, 1, 1, 12, 0, 5, tzinfo=UTC)
FLAVORS = ("hm.medium", "hm.large", "hm.xlarge", "eo2.medium", "eo1.xsmall")


def test_every_duty_has_a_sign_of_its_own_for_those_who_see_no_colour() -> None:
    assert len({sign for sign, _ in DUTY_SIGNS.values()}) == len(Duty)


def a_row(subject: str, action: str, reason: Reason, because: str, count: int = 1) -> LedgerRow:
    return LedgerRow(
        subject=subject,
        reason=reason,
        action=action,
        because=because,
        facts={},
        loop="worker-pool",
        first_at=AT,
        last_at=AT,
        count=count,
    )


SCENE = Scene(
    elapsed=timedelta(seconds=102.5),
    submitted=40,
    jobs={
        Stage.WAITING: 8,
        Stage.QUEUED: 4,
        Stage.PROCESSING: 7,
        Stage.DONE: 20,
        Stage.IN_ERROR: 1,
    },
    workers={
        **{flavor: {} for flavor in FLAVORS},
        "hm.medium": {Duty.CREATING: 1, Duty.BOOTING: 2, Duty.BUSY: 6, Duty.DELETING: 1},
        "hm.large": {Duty.BUSY: 1, Duty.FREE: 1, Duty.RETIRING: 1},
    },
    decisions=(
        a_row(
            "worker:os-worker-004",
            "CreateServer",
            Reason.JOBS_WAITING,
            "3 hm.medium jobs wait for a worker",
        ),
        a_row(
            "flavor:hm.large",
            "Held",
            Reason.QUOTA_VCPUS,
            "2 hm.large jobs wait, none created: 872 of 874 vCPUs are used",
            17,
        ),
        a_row("job:17", "DispatchRun", Reason.SLOT_FREE, "os-worker-003 is [bold]free[/bold]"),
    ),
    notes=("Metrics: http://127.0.0.1:9150/metrics",),
)

WIDE = """\
╭─ HR-S&I controller, demo ────────────────────────────────────────────────────────────────────────╮
│ 01:42  20 of 40 jobs done  ━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━    │
╰──────────────────────────────────────────────────────────────────────────────────────────────────╯
╭─ Jobs by status ──────────────────────────────────────────╮╭─ Workers by flavor ─────────────────╮
│ waiting             8 ━━━━━━                              ││ hm.medium     10 ·○○●●●●●●×         │
│ queued              4 ━━━                                 ││ hm.large       3 ●◇◐                │
│ started             0                                     ││ hm.xlarge      0                    │
│ pre_processing      0                                     ││ eo2.medium     0                    │
│ processing          7 ━━━━━                               ││ eo1.xsmall     0                    │
│ post_processing     0                                     ││ all           13                    │
│ processed           0                                     ││                                     │
│ done               20 ━━━━━━━━━━━━━━                      ││                                     │
│ in error            1 ━                                   ││ · creating  ○ booting  ● busy       │
│ cancelled           0                                     ││ ◇ free  ◐ retiring  × deleting      │
╰───────────────────────────────────────────────────────────╯╰─────────────────────────────────────╯
╭─ Last decisions ─────────────────────────────────────────────────────────────────────────────────╮
│ 12:00:05 + os-worker-004: 3 hm.medium jobs wait for a worker                                     │
│ 12:00:05 ! 2 hm.large jobs wait, none created: 872 of 874 vCPUs are used                         │
│ 12:00:05 + job 17: os-worker-003 is [bold]free[/bold]                                            │
╰──────────────────────────────────────────────────────────────────────────────────────────────────╯
Metrics: http://127.0.0.1:9150/metrics
"""


def drawn(scene: Scene, width: int, height: int) -> str:
    console = Console(width=width, height=height, force_terminal=False, color_system=None)
    with console.capture() as captured:
        console.print(view(scene, width, height))
    return captured.get()


def test_a_wide_terminal_shows_everything_side_by_side() -> None:
    assert drawn(SCENE, 100, 21) == WIDE


def test_a_long_note_is_shown_to_its_end_and_costs_decisions_their_room() -> None:
    long = replace(SCENE, notes=("From another terminal: " + "DATABASE_URL=" * 12 + " hrsi why",))
    picture = drawn(long, 100, 24).splitlines()
    assert len(picture) == 24
    assert picture[-1].rstrip().endswith("hrsi why")


def test_a_very_wide_terminal_shows_reason_codes_too() -> None:
    assert re.search(r"! 2 hm\.large jobs wait.* QUOTA_VCPUS ×17 │", drawn(SCENE, 130, 24))


def test_it_fills_the_height_that_it_is_told() -> None:
    assert len(drawn(SCENE, 100, 30).splitlines()) == 30


@given(width=st.integers(36, 240), height=st.integers(10, 80), count=st.integers(0, 5_000))
def test_no_line_is_wider_than_the_terminal(width: int, height: int, count: int) -> None:
    crowded = Scene(
        elapsed=timedelta(hours=30),
        submitted=count,
        jobs=dict.fromkeys(Stage, count),
        workers={flavor: dict.fromkeys(Duty, count // 7) for flavor in FLAVORS},
        decisions=SCENE.decisions * 40,
        notes=("DATABASE_URL='postgresql://postgres@/hrsi?host=/tmp/x' hrsi why job 1",),
    )
    assert max(map(len, drawn(crowded, width, height).splitlines())) <= width


def test_nothing_moves_while_numbers_change() -> None:
    empty = Scene(
        elapsed=timedelta(0), submitted=0, jobs={}, workers={f: {} for f in FLAVORS}, notes=("x",)
    )
    frames = [len(drawn(scene, 60, 40).splitlines()) for scene in (empty, SCENE)]
    assert frames == [40, 40]


def test_the_progress_line_names_only_what_there_is() -> None:
    assert progress_line(SCENE) == (
        "01:42  20 of 40 jobs done (8 waiting, 4 queued, 7 processing, 20 done, "
        "1 in error); workers: 1 creating, 2 booting, 7 busy, 1 free, 1 retiring, 1 deleting"
    )


def test_lines_come_while_there_is_news_and_now_and_then_when_there_is_none() -> None:
    out = io.StringIO()
    lines = Lines(out)
    said: list[int] = []
    step = timedelta(seconds=1)
    for second in range(130):
        # Something happens for ten seconds; then all is as it was.
        jobs = {Stage.DONE: min(second, 10)}
        before = len(out.getvalue())
        lines.show(replace(SCENE, elapsed=second * step, jobs=jobs, notes=()))
        said += [second] if len(out.getvalue()) > before else []
    assert [at * step for at in said[:5]] == [LINE_EVERY * number for number in range(5)]
    assert [at * step for at in said[5:]] == [said[4] * step + REPEAT_AFTER]


@pytest.mark.parametrize(
    ("totals", "stage", "count"),
    [
        pytest.param(
            {"jobs.ready": 2, "jobs.configured": 1}, Stage.WAITING, 3, id="waiting-is-three"
        ),
        pytest.param(
            {"jobs.processed": 2, "jobs.start_publication": 3, "jobs.done": 1},
            Stage.PROCESSED,
            5,
            id="what-is-being-published-is-not-done",
        ),
        pytest.param(
            {"jobs.external_error": 1, "jobs.error_checked": 1}, Stage.IN_ERROR, 2, id="errors"
        ),
        pytest.param({"servers.created": 9}, Stage.WAITING, 0, id="other-totals-are-no-jobs"),
    ],
)
def test_statuses_come_down_to_stages(totals: dict[str, int], stage: Stage, count: int) -> None:
    assert stages_of(totals)[stage] == count


def test_every_status_has_its_stage() -> None:
    assert sum(stages_of({f"jobs.{status}": 1 for status in Status}).values()) == len(Status)


def test_workers_are_counted_by_what_they_do() -> None:
    flight = in_flight(Status.PROCESSING, run=a_claimed_run())
    view_of_store = StoreView(
        requested_at=NOW,
        in_flight=(flight,),
        workers=(
            a_worker(name=flight.run.node_name),
            a_worker(name="os-worker-002"),
            a_worker(name="os-worker-003", retirement=a_retirement()),
            a_creating_worker(),
            a_booting_worker(),
            a_worker(state=WorkerState.DELETING),
        ),
    )
    duties = duties_of(view_of_store, ("hm.medium", "hm.large"))
    assert duties == {"hm.medium": dict.fromkeys(Duty, 1), "hm.large": {}}


def test_the_report_counts_jobs_and_products_by_how_far_they_came() -> None:
    totals = {"servers.created": 13, "servers.deleted": 0, "decisions": 200}
    report = report_of(
        SCENE,
        totals,
        Products(made=9, in_bucket=8, published=7, runs_logged=6),
        workers_peak=14,
        violations=0,
    ).as_json()
    assert report == {
        "jobs_submitted": 40,
        "jobs_done": 20,
        "jobs_other": 20,
        "workers_peak": 14,
        "workers_left": 13,
        "servers_created": 13,
        "servers_deleted": 0,
        "decisions": 200,
        "products_made": 9,
        "products_in_bucket": 8,
        "products_published": 7,
        "runs_logged": 6,
        "invariant_violations": 0,
        "seconds": 102.5,
    }
