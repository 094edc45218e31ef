"""What `hrsi plan` prints, decision by decision and as a whole."""

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from controller.cli.output import plain
from controller.plan_text import (
    PHRASES,
    action_in_words,
    counts,
    line_of,
    plan_as_json,
    plan_lines,
    summary,
)
from models import actions
from models.lifecycle import Status
from models.plan import Action, Decision, Held, Next, Reason, Subject, SubjectKind
from models.records import RetireCause, RunEnd
from simulator.examples import an_id

WORKER = Subject(SubjectKind.WORKER, "os-worker-004")

CREATE = actions.CreateServer(
    subject=WORKER,
    reason=Reason.JOBS_WAITING,
    because="3 jobs wait for hm.medium, 1 worker is free or coming",
    facts=(("waiting", 3), ("coming", 1)),
    name="os-worker-004",
    flavor="hm.medium",
    image="os-worker-template",
)
DISPATCH = actions.DispatchRun(
    subject=Subject(SubjectKind.JOB, "17"),
    reason=Reason.SLOT_FREE,
    because="a worker is free",
    job_id=17,
    parent="hrsi-demo-si-processing-hm.medium",
    nomad_priority=80,
)
DELETE = actions.CommitDelete(
    subject=WORKER,
    reason=Reason.EMPTY,
    because="idle for 130 s, nothing of Nomad's is on it",
    worker_id=4,
    server_id="5e",
    cause=RetireCause.IDLE,
    by="pool",
    node_id="0d",
    modify_index=40,
)
FAIL = actions.FailRun(
    subject=Subject(SubjectKind.JOB, "9"),
    reason=Reason.RUN_VANISHED,
    because="Nomad lists no child of run 3 for 2 passes",
    job_id=9,
    run_id=an_id("run", 9),
    expected_seq=6,
    end=RunEnd.LOST,
    status=Status.EXTERNAL_ERROR,
    subtype="Worker lost",
    then=Next.REQUEUE,
    retry_at=datetime(2026, 1, 1, tzinfo=UTC),
)
REFUSAL = Held(
    subject=Subject(SubjectKind.FLAVOR, "hm.large"),
    reason=Reason.QUOTA_VCPUS,
    because="3 jobs wait, none created: 872 of 874 vCPUs are used",
)
PLAN: dict[str, list[Decision]] = {
    "execution": [DISPATCH],
    "monitor": [],
    "pool": [CREATE, DELETE, REFUSAL],
}


def test_every_action_has_its_words() -> None:
    defined = {
        found
        for found in vars(actions).values()
        if isinstance(found, type) and issubclass(found, Action) and found is not Action
    }
    assert defined == set(PHRASES)


@pytest.mark.parametrize(
    ("decision", "text"),
    [
        pytest.param(
            CREATE,
            "+ create server os-worker-004 (hm.medium): "
            "3 jobs wait for hm.medium, 1 worker is free or coming",
            id="create",
        ),
        pytest.param(
            DISPATCH,
            "+ dispatch job 17 to hrsi-demo-si-processing-hm.medium: a worker is free",
            id="dispatch",
        ),
        pytest.param(
            DELETE,
            "- delete server of os-worker-004: idle for 130 s, nothing of Nomad's is on it",
            id="delete",
        ),
        pytest.param(
            FAIL,
            "~ end the run of job 9 as lost: Nomad lists no child of run 3 for 2 passes",
            id="fail",
        ),
        pytest.param(
            REFUSAL,
            "! flavor hm.large (QUOTA_VCPUS): 3 jobs wait, none created: 872 of 874 vCPUs are used",
            id="refusal",
        ),
    ],
)
def test_a_decision_reads_as_one_line(decision: Decision, text: str) -> None:
    assert str(line_of(decision)) == text


def test_what_a_cloud_answers_cannot_move_the_cursor() -> None:
    forged = replace(REFUSAL, because="no valid host\x1b[2J\n+ all is well")
    assert str(line_of(forged)).endswith(r"no valid host\x1b[2J\n+ all is well")


def test_a_plan_is_told_loop_by_loop_and_summed_up() -> None:
    assert list(plan_lines(PLAN)) == [
        "execution:",
        f"  {line_of(DISPATCH)}",
        "",
        "pool:",
        f"  {line_of(CREATE)}",
        f"  {line_of(DELETE)}",
        f"  {line_of(REFUSAL)}",
        "",
        "Plan: 1 to create, 1 to delete, 1 to dispatch; 1 held back.",
    ]


@pytest.mark.parametrize(
    ("decisions", "sentence"),
    [
        pytest.param([], "Plan: nothing to do; the world is as it should be.", id="quiet"),
        pytest.param(
            [REFUSAL, REFUSAL],
            "Plan: 0 to create, 0 to delete, 0 to dispatch; 2 held back.",
            id="only-refusals",
        ),
        pytest.param(
            [CREATE, CREATE, CREATE, FAIL],
            "Plan: 3 to create, 0 to delete, 0 to dispatch, 1 other step; 0 held back.",
            id="other-steps-are-not-hidden",
        ),
    ],
)
def test_the_summary_is_one_sentence(decisions: list[Decision], sentence: str) -> None:
    assert summary(counts(decisions)) == sentence


def test_the_json_says_the_same_as_the_lines() -> None:
    told = json.loads(json.dumps(plain(plan_as_json(PLAN))))
    assert told["summary"] == counts([DISPATCH, CREATE, DELETE, REFUSAL])
    assert [row["loop"] for row in told["decisions"]] == ["execution", "pool", "pool", "pool"]
    assert told["decisions"][1] == {
        "loop": "pool",
        "sign": "+",
        "action": "CreateServer",
        "subject": "worker:os-worker-004",
        "what": "create server os-worker-004 (hm.medium)",
        "reason": "JOBS_WAITING",
        "because": "3 jobs wait for hm.medium, 1 worker is free or coming",
        "facts": {"waiting": 3, "coming": 1},
    }


@pytest.mark.parametrize(
    ("action", "words"),
    [
        pytest.param("CreateServer", "create server", id="an-action"),
        pytest.param("Held", "held back", id="a-refusal"),
        pytest.param("OfAnOlderProgram", "of an older program", id="one-that-is-no-more"),
    ],
)
def test_a_recorded_action_is_told_in_words(action: str, words: str) -> None:
    assert action_in_words(action) == words
