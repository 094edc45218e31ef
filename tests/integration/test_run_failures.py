"""What goes wrong with a run, and what of it: real processes, killed; real services, broken."""

from __future__ import annotations

import signal
from collections.abc import Callable, Sequence
from urllib.parse import urlsplit

import pytest

from models.lifecycle import Status
from models.objects import Place
from tests.plugins.nomad_agents import wait_until
from tests.plugins.runs import AUX, L1C, Worker
from tests.plugins.tap import tapped

pytestmark = pytest.mark.integration

INTERNAL, EXTERNAL = Status.INTERNAL_ERROR, Status.EXTERNAL_ERROR
PATIENCE = 120.0


def _without(role: str, key: str) -> Callable[[Worker], None]:
    return lambda worker: worker.buckets.delete(worker.names[role], [key])


def _cut_short(worker: Worker) -> None:
    place = Place(bucket=worker.names["aux"], key=AUX)
    worker.buckets.put(place, worker.buckets.read(place)[:600])


def _no_image(worker: Worker) -> None:
    keys = [f"{L1C}MTD_MSIL1C.xml", f"{L1C}GRANULE/B02.jp2"]
    worker.buckets.delete(worker.names["eodata"], keys)


def _no_setting(worker: Worker) -> None:
    worker.settings["AWS_SECRET_ACCESS_KEY"] = ""


def _no_bucket(worker: Worker) -> None:
    worker.settings["HRSI_RESULTS_BUCKET"] = "no-such-bucket-anywhere"


def _science(exit_code: int) -> Callable[[Worker], None]:
    def change(worker: Worker) -> None:
        worker.settings["HRSI_SCIENCE_COMMAND"] = f"sh -c 'exit {exit_code}'"

    return change


def _killed_science(worker: Worker) -> None:
    worker.settings["HRSI_SCIENCE_COMMAND"] = "sh -c 'kill -9 $$'"


@pytest.mark.parametrize(
    ("breaks", "code", "status", "subtype", "message"),
    [
        pytest.param(
            _without("aux", AUX),
            0,
            INTERNAL,
            "S3 object not found",
            f"{AUX}; put it there: until then every attempt ends like this",
            id="no-auxiliary-tile",
        ),
        pytest.param(
            _no_image, 0, INTERNAL, "S3 object not found", f"{L1C}; put it there", id="no-image"
        ),
        pytest.param(
            _cut_short, 0, INTERNAL, "L1C inputs inconsistency", "put a good one", id="corrupt"
        ),
        pytest.param(_no_setting, 0, INTERNAL, "Missing env var", "AWS_SECRET", id="no-key"),
        pytest.param(_no_bucket, 0, INTERNAL, "S3 bucket not found", "no-such", id="no-bucket"),
        pytest.param(_science(3), 0, INTERNAL, "SIP unrecoverable error", "code 3", id="code-3"),
        pytest.param(_science(101), 2, EXTERNAL, "SIP expected error", "no room", id="code-101"),
        pytest.param(
            _science(0), 0, INTERNAL, "SIP unrecoverable error", "no product", id="made-nothing"
        ),
        pytest.param(
            _killed_science, 2, EXTERNAL, "SIP expected error", "SIGKILL", id="killed-science"
        ),
        pytest.param(_science(200), 0, Status.PROCESSED, None, "", id="too-cloudy"),
    ],
)
def test_every_failure_has_its_class_its_word_and_its_sentence(
    worker: Worker,
    breaks: Callable[[Worker], None],
    code: int,
    status: Status,
    subtype: str | None,
    message: str,
) -> None:
    breaks(worker)
    run = worker.queued()
    ended, said = worker.do(run)
    newest = worker.story(run).history[-1]

    assert (ended, newest.after, newest.subtype) == (code, status, subtype), said
    assert message in (newest.message or "")
    assert worker.left() == []
    if status is not Status.PROCESSED:
        assert worker.story(run).manifests == ()


def test_a_failed_run_leaves_what_an_operator_needs_but_not_its_inputs(worker: Worker) -> None:
    worker.settings["HRSI_SCIENCE_COMMAND"] = "sh -c 'echo trace > outputs/trace.txt; exit 3'"
    run = worker.queued()
    worker.do(run)
    kept = set(worker.kept(run))

    assert kept == {"outputs/trace.txt", "processing_parameters.yaml", "run.json", "end.json"}


def test_names_that_are_no_text_keep_nothing_from_operators(worker: Worker) -> None:
    worker.settings["HRSI_SCIENCE_COMMAND"] = (
        r"sh -c 'odd=outputs/$(printf %b FSC_\\0377); mkdir $odd; echo trace > $odd/trace'"
    )
    run = worker.queued()
    code, _ = worker.do(run)
    newest = worker.story(run).history[-1]

    assert (code, newest.after, newest.subtype) == (0, INTERNAL, "SIP unrecoverable error")
    assert r"product FSC_\udcff is not as it must be" in (newest.message or "")
    assert "outputs/FSC_\N{REPLACEMENT CHARACTER}/trace" in worker.kept(run)


def test_a_second_claim_wins_and_the_first_changes_nothing_more(worker: Worker) -> None:
    """The original let two sessions both say `started`, and both went on."""
    run = worker.queued()
    first = worker.start(run, "a1", HRSI_STANDIN_SECONDS="600")
    wait_until(lambda: "stand-in" in worker.science_log("a1"), "the first to be at work", PATIENCE)
    code, said = worker.do(run, "a2")
    assert code == 0, said
    kept = worker.kept(run)
    first.send_signal(signal.SIGTERM)
    first.communicate(timeout=PATIENCE)
    story = worker.story(run)

    assert [made.claim for made in story.manifests] == [2]
    assert story.history[-1].after is Status.PROCESSED
    assert worker.kept(run) == kept
    assert not any(key.startswith("runs/1-1/") for key in kept)


def test_who_was_taken_over_leaves_quietly_and_frees_its_disk(worker: Worker) -> None:
    waits = "sh -c 'echo stand-in; until [ -e go ]; do sleep 0.1; done'"
    run = worker.queued()
    first = worker.start(run, "a1", HRSI_SCIENCE_COMMAND=waits)
    wait_until(lambda: "stand-in" in worker.science_log("a1"), "the first to be at work", PATIENCE)
    worker.desk.claim(run, "a2")
    (worker.folder / "a1" / "main" / "local" / "work" / "go").touch()
    said, _ = first.communicate(timeout=PATIENCE)

    assert first.returncode == 0, said
    assert "leaving quietly" in said
    assert worker.status(run) is Status.STARTED
    assert worker.left() == []
    assert worker.kept(run) == {}


MOMENTS = {
    "claimed": b"POST /api/v1/runs/[^ ]*/claims ",
    "pre_processing": b'"pre_processing"',
    "processing": b'"processing"',
    "post_processing": b'"post_processing"',
    "ended": b"POST /api/v1/runs/[^ ]*/end ",
}


@pytest.mark.parametrize("answer", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("moment", MOMENTS.values(), ids=MOMENTS)
def test_killed_at_any_word_to_the_api_the_next_allocation_makes_the_one_manifest(
    worker: Worker, moment: bytes, answer: bool
) -> None:
    """Kill -9 before the API heard it, or after it did and before the program knew.

    What was said last may still be heard late, even after the claim that follows: then that one is
    outdated, leaves, and it is the turn of yet another.
    """
    run = worker.queued()
    address = urlsplit(worker.api.url)
    with tapped((address.hostname or "", address.port or 0)) as tap:
        held = tap.hold(moment, answer=answer)
        process = worker.start(run, "a1", HRSI_URL=f"http://127.0.0.1:{tap.port}")
        assert held.reached.wait(PATIENCE)
        process.kill()
        process.communicate(timeout=PATIENCE)
    for allocation in ("a2", "a3"):
        code, said = worker.do(run, allocation)
        assert code == 0, said
        if worker.status(run) is Status.PROCESSED:
            break
    story = worker.story(run)

    assert story.history[-1].after is Status.PROCESSED
    assert len(story.manifests) == 1
    [manifest] = story.manifests
    assert worker.manifest(run, manifest.claim) == manifest
    assert [change.after for change in story.history].count(Status.PROCESSED) == 1


def test_an_api_that_is_away_for_a_while_loses_nothing_and_holds_nothing_up(
    worker: Worker,
) -> None:
    run = worker.queued()
    address = urlsplit(worker.api.url)
    with tapped((address.hostname or "", address.port or 0)) as tap:
        held = tap.hold(MOMENTS["claimed"], answer=True)
        process = worker.start(run, HRSI_URL=f"http://127.0.0.1:{tap.port}")
        assert held.reached.wait(PATIENCE)
        held.let_go()
        wait_until(lambda: worker.status(run) is Status.PRE_PROCESSING, "the run begun", PATIENCE)
        tap.reset()
        place = "runs/1-1/products/manifest.json"
        wait_until(lambda: place in worker.kept(run), "the work to be done meanwhile", PATIENCE)
        tap.heal()
        said, _ = process.communicate(timeout=PATIENCE)

    assert process.returncode == 0, said
    path = worker.desk.path(run.job_id)
    assert path[-3:] == [Status.PROCESSING, Status.POST_PROCESSING, Status.PROCESSED]


@pytest.mark.parametrize(
    "request_of", [b"HEAD /results", b"GET /[^ ]*B02.jp2"], ids=["at-the-first", "in-the-middle"]
)
def test_buckets_that_break_connections_for_a_while_are_asked_again(
    worker: Worker, request_of: bytes
) -> None:
    run = worker.queued()
    address = urlsplit(worker.served.url)
    with tapped((address.hostname or "", address.port or 0)) as tap:
        held = tap.hold(request_of)
        process = worker.start(run, S3_ENDPOINT_URL=f"http://127.0.0.1:{tap.port}")
        assert held.reached.wait(PATIENCE)
        tap.reset()
        held.let_go()
        tap.heal()
        said, _ = process.communicate(timeout=PATIENCE)

    assert process.returncode == 0, said
    assert worker.status(run) is Status.PROCESSED


@pytest.mark.parametrize(
    "asked",
    [
        pytest.param([signal.SIGTERM], id="once"),
        # The other one waits while the first is heard: of one kind only one can wait.
        pytest.param([signal.SIGTERM, signal.SIGINT], id="twice"),
    ],
)
def test_who_is_asked_to_end_saves_what_there_is_and_leaves_the_job_to_the_monitor(
    worker: Worker, asked: Sequence[signal.Signals]
) -> None:
    run = worker.queued()
    process = worker.start(run, HRSI_STANDIN_SECONDS="600")
    wait_until(lambda: "stand-in" in worker.science_log(), "the science to be at work", PATIENCE)
    for each in asked:
        process.send_signal(each)
    said, _ = process.communicate(timeout=PATIENCE)

    assert process.returncode == 2, said
    assert worker.status(run) is Status.PROCESSING
    assert "processing_parameters.yaml" in worker.kept(run)
    assert worker.left() == []
