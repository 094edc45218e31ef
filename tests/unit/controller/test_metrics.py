"""The metrics, and the page that explains them."""

import re
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from controller.act import HANDLERS
from controller.metric_list import COUNTERS, GAUGES, HISTOGRAMS, Metric
from controller.metrics import ACTION_KINDS, Metrics, kind_of
from controller.reconcilers import RECONCILERS
from models.actions import AddJobs, CommitDelete
from models.catalogue import Collection, RejectedEntry, RejectReason
from models.creation import Cursor, Feed
from models.errors import Refused, System, Unavailable
from models.plan import Outcome, Reason, Subject, SubjectKind
from models.product_names import ProductType
from models.world import Source
from simulator.examples import NOW
from simulator.timeline import Timeline
from tests.unit.controller.rig import EVERYTHING, SOMEBODY, Rig

PAGE = Path(__file__).parents[3] / "docs" / "metrics.md"
ROW = re.compile(r"^\| `(hrsi_\w+)` \| (\w+) \| (.*?) \| (.*) \|$", re.MULTILINE)


def described(metric: Metric, kind: str) -> tuple[str, str, str, str]:
    name = f"{metric.name}_total" if kind == "counter" else metric.name
    return name, kind, ", ".join(f"`{label}`" for label in metric.labels), metric.help


def test_the_page_describes_every_metric_as_the_code_does() -> None:
    known = {
        described(metric, kind)
        for kind, metrics in (("gauge", GAUGES), ("counter", COUNTERS), ("histogram", HISTOGRAMS))
        for metric in metrics
    }

    assert set(ROW.findall(PAGE.read_text(encoding="utf-8"))) == known


def test_the_page_names_every_loop() -> None:
    (told,) = re.findall(r"^- `loop` is a reconciler: (.*?)\.", PAGE.read_text(), re.MULTILINE)
    assert re.findall(r"`([\w-]+)`", told) == [reconciler.name for reconciler in RECONCILERS]


def test_the_registry_holds_what_the_tables_say() -> None:
    registry = CollectorRegistry()
    Metrics(registry, Timeline())

    names = {family.name for family in registry.collect()}

    assert names == {metric.name for metric in (*GAUGES, *COUNTERS, *HISTOGRAMS)}


def test_every_outcome_of_every_action_is_counted_from_the_start() -> None:
    registry = CollectorRegistry()
    Metrics(registry, Timeline())

    for action in HANDLERS:
        for outcome in Outcome:
            labels = {"action": kind_of(action), "outcome": outcome.value}
            assert registry.get_sample_value("hrsi_actions_total", labels) == 0
    assert set(ACTION_KINDS) == {kind_of(action) for action in HANDLERS}


def test_a_kind_is_the_name_of_its_class_in_small_letters() -> None:
    assert kind_of(CommitDelete) == "commit_delete"


def test_two_controllers_in_one_process_do_not_meet() -> None:
    one, other = (Metrics(CollectorRegistry(), Timeline()) for _ in range(2))

    one.add_loop("pool", [Source.NOMAD])
    other.add_loop("pool", [])
    one.pass_ended("pool", "done", 0.1)

    assert other.registry.get_sample_value(
        "hrsi_passes_total", {"loop": "pool", "result": "done"}
    ) == 0  # fmt: skip


@pytest.mark.parametrize(
    ("error", "failure"),
    [
        pytest.param(None, None, id="answered"),
        pytest.param(Unavailable("away"), "unavailable", id="away"),
        pytest.param(Refused("no"), "authorisation", id="refused"),
    ],
)
def test_a_request_is_counted_with_the_class_of_its_failure(
    error: Exception | None, failure: str | None
) -> None:
    rig = Rig()

    def ask() -> None:
        if error is not None:
            raise error

    def call() -> None:
        with rig.metrics.request(System.NOMAD, "stop"):
            ask()

    if error is None:
        call()
    else:
        with pytest.raises(type(error)):
            call()

    assert rig.counted("hrsi_requests_total") == {("nomad", "stop"): 1}
    expected = {("nomad", "stop", failure): 1} if failure else {}
    assert rig.counted("hrsi_request_errors_total") == expected
    assert not rig.counted("hrsi_requests_under_way")


def test_a_world_is_shown_and_what_is_no_more_disappears() -> None:
    rig = Rig()
    (job, _) = rig.submit(2)
    rig.act()
    assert rig.counted("hrsi_jobs") == {(job.type, "ready", "delayed"): 2}
    assert rig.counted("hrsi_jobs_waiting") == {(job.flavor,): 2}

    rig.store.cancel([1, 2], SOMEBODY)
    rig.time.advance(rig.observer.parameters.settings.passes.resync)
    rig.act()

    assert b'status="ready"' not in generate_latest(rig.metrics.registry)


def test_the_age_of_a_source_grows_until_it_is_believed_again() -> None:
    rig = Rig()
    rig.time.advance(rig.observer.parameters.settings.passes.resync)
    age = {"source": Source.NOMAD.value}
    rig.real_loops()

    before = rig.metrics.registry.get_sample_value("hrsi_source_age_seconds", age)
    rig.act()

    assert before == 5
    assert rig.metrics.registry.get_sample_value("hrsi_source_age_seconds", age) == 0


def test_the_age_of_a_source_that_no_loop_reads_is_not_there() -> None:
    rig = Rig()
    rig.real_loops()
    registry = rig.metrics.registry
    ages = {
        source
        for source in Source
        if registry.get_sample_value("hrsi_source_age_seconds", {"source": source.value})
        is not None
    }
    assert ages == EVERYTHING


def test_rejected_entries_are_counted_by_what_was_odd_about_them() -> None:
    registry = CollectorRegistry()
    feed = Feed(source="creodias", collection=Collection.SENTINEL_2, type=ProductType.L1C)
    reasons = (RejectReason.NAME, RejectReason.NAME, RejectReason.SHAPE)
    rejected = tuple(
        RejectedEntry(
            source=feed.source,
            collection=feed.collection,
            entry=f"{number}",
            why="odd",
            text="odd",
            reason=reason,
        )
        for number, reason in enumerate(reasons)
    )
    action = AddJobs(
        subject=Subject(SubjectKind.SOURCE, str(feed)),
        reason=Reason.PRODUCTS_NEW,
        because="odd ones",
        cursor=Cursor(feed=feed, until=NOW, deep_at=NOW),
        expected=None,
        rejected=rejected,
    )

    Metrics(registry, Timeline()).jobs_created(action, 0, NOW)

    labels = {"source": "creodias", "collection": "SENTINEL-2", "type": "S2MSI1C"}
    counts = {
        reason: registry.get_sample_value(
            "hrsi_products_rejected_total", {**labels, "reason": reason.value}
        )
        for reason in RejectReason
    }
    assert counts == {
        RejectReason.SHAPE: 1,
        RejectReason.NAME: 2,
        RejectReason.TYPE: 0,
        RejectReason.FIELD: 0,
    }
