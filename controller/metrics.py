"""Every metric there is, with its help and buckets; docs/metrics.md says the same, by a test.

All counters exist from the start, at 0, so that a rate over them sees the first event too. The
registry is handed in: two controllers in one process (tests, simulation) do not meet.
"""

from __future__ import annotations

import platform
import re
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from importlib import metadata

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from controller.figures import Labels, figures, oldest_waits
from controller.invariants import INVARIANTS, Violation
from models import actions
from models.actions import AddJobs
from models.creation import Cursor
from models.errors import PortError, System
from models.plan import ALARMS, Action, Decision, Outcome, Reason
from models.ports import Clock
from models.records import Lease
from models.settings import PoolSettings
from models.world import Source, World

PASS_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
CALL_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30)

AGE_SECONDS = (5, 10, 30, 60, 300, 900, 3600, 3 * 3600, 86_400, 7 * 86_400)


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric: its name without the `_total` of counters, its labels and its help."""

    name: str
    labels: tuple[str, ...]
    help: str
    buckets: tuple[float, ...] = ()


GAUGES = (
    Metric("hrsi_jobs", ("type", "status", "priority"), "Open jobs."),
    Metric(
        "hrsi_jobs_quarantined",
        ("type",),
        "Jobs that used up their attempts and rest until a person acts.",
    ),
    Metric("hrsi_jobs_waiting", ("flavor",), "Ready jobs that are due."),
    Metric(
        "hrsi_oldest_wait_seconds",
        ("loop", "reason"),
        "How long the oldest job has waited that is held back for this reason.",
    ),
    Metric("hrsi_runs_unplaced", ("flavor",), "Runs handed to Nomad that hold no worker."),
    Metric(
        "hrsi_workers",
        ("flavor", "state"),
        "Open workers, from the committed wish for one to the 404 of its server.",
    ),
    Metric("hrsi_workers_free", ("flavor",), "Workers that can take a run now."),
    Metric("hrsi_workers_coming", ("flavor",), "Workers wished for or booting."),
    Metric("hrsi_workers_needed", ("flavor",), "Workers to create for the jobs that wait."),
    Metric(
        "hrsi_intents_open",
        ("kind",),
        "Effects that were committed and are neither seen nor refuted yet.",
    ),
    Metric("hrsi_paused", ("target",), "1 while a person has paused this."),
    Metric(
        "hrsi_breaker_open",
        ("breaker",),
        "1 while the breaker is open: deletions, purges and requeues for absence are held back.",
    ),
    Metric("hrsi_breaker_suspects", ("breaker",), "Workers that an open breaker names."),
    Metric(
        "hrsi_alarms",
        ("loop", "reason"),
        "What the last pass found that does not pass by itself.",
    ),
    Metric("hrsi_pass_age_seconds", ("loop",), "Time since a pass of the loop last ended."),
    Metric("hrsi_loop_hung", ("loop",), "1 while the watchdog reports the loop as hung."),
    Metric("hrsi_lease_held", ("loop",), "1 while this process leads the loop."),
    Metric("hrsi_lease_epoch", ("loop",), "Epoch of the lease that this process last held."),
    Metric(
        "hrsi_failover_seconds",
        ("loop",),
        "How long nobody had renewed the lease when this process last took it after another.",
    ),
    Metric(
        "hrsi_source_age_seconds",
        ("source",),
        "Time since the source was last read and believed.",
    ),
    Metric(
        "hrsi_feed_lag_seconds",
        ("source", "collection", "type"),
        "How long ago everything that the feed listed had been met, by its stored cursor.",
    ),
    Metric("hrsi_requests_under_way", ("system",), "Calls that were sent and not answered yet."),
    Metric("hrsi_build_info", ("version", "python"), "Always 1; the labels say what runs."),
)

COUNTERS = (
    Metric(
        "hrsi_passes",
        ("loop", "result"),
        "Passes: done, standby (another process leads) or failed.",
    ),
    Metric(
        "hrsi_source_failures",
        ("source",),
        "Reads of a source that failed or that the gate did not believe.",
    ),
    Metric("hrsi_requests", ("system", "method"), "Calls that actions sent."),
    Metric(
        "hrsi_http_requests",
        ("system", "purpose", "outcome"),
        "Requests on the wire, reads included, by status or by why there was none.",
    ),
    Metric(
        "hrsi_request_errors",
        ("system", "method", "failure"),
        "Calls that failed, by the class of the failure.",
    ),
    Metric("hrsi_actions", ("action", "outcome"), "Actions, by how they ended."),
    Metric("hrsi_decisions", ("loop", "reason"), "Decisions by reason, refusals included."),
    Metric(
        "hrsi_products",
        ("source", "collection", "type", "outcome"),
        "Products by what became of them: job, cancelled, kept for one, or rejected.",
    ),
    Metric(
        "hrsi_invariant_violations",
        ("invariant",),
        "Invariants seen broken. Each is a defect; alert on any.",
    ),
)

HISTOGRAMS = (
    Metric("hrsi_pass_seconds", ("loop",), "How long a leading pass took.", PASS_SECONDS),
    Metric(
        "hrsi_source_read_seconds",
        ("source",),
        "How long one whole read of a source took.",
        PASS_SECONDS,
    ),
    Metric(
        "hrsi_product_age_seconds",
        ("source", "collection", "type"),
        "How long a product had been published when its job was created.",
        AGE_SECONDS,
    ),
    Metric(
        "hrsi_http_request_seconds",
        ("system", "purpose"),
        "How long a request on the wire took.",
        CALL_SECONDS,
    ),
    Metric(
        "hrsi_request_seconds",
        ("system", "method"),
        "How long a call took, failed ones included.",
        CALL_SECONDS,
    ),
)

RESULTS = ("done", "standby", "failed")


def kind_of(action: type[Decision]) -> str:
    """The name of an action class in labels and log fields: `CreateServer` is `create_server`."""
    return _snake_case(action.__name__)


@cache
def _snake_case(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


ACTION_KINDS = tuple(
    kind_of(found)
    for found in vars(actions).values()
    if isinstance(found, type) and issubclass(found, Action) and found is not Action
)


class Metrics:
    """The metrics of one process, on the registry that it is given."""

    def __init__(self, registry: CollectorRegistry, clock: Clock) -> None:
        self.registry = registry
        self._clock = clock
        self._began = clock.monotonic()
        self._shown: datetime | None = None
        self._pass_ended: dict[str, float] = {}
        self._read_ended: dict[str, float] = {}
        self._filled: dict[str, frozenset[Labels]] = {}
        self._lock = threading.Lock()
        self._gauges = {m.name: Gauge(m.name, m.help, m.labels, registry=registry) for m in GAUGES}
        self._counters = {
            m.name: Counter(m.name, m.help, m.labels, registry=registry) for m in COUNTERS
        }
        self._histograms = {
            m.name: Histogram(m.name, m.help, m.labels, buckets=m.buckets, registry=registry)
            for m in HISTOGRAMS
        }
        self._begin()

    def _begin(self) -> None:
        """Let everything whose labels are known be there, at 0."""
        build = self._gauges["hrsi_build_info"]
        build.labels(metadata.version("hrsi-controller"), platform.python_version()).set(1)
        for invariant in INVARIANTS:
            self._counters["hrsi_invariant_violations"].labels(invariant)
        for kind in ACTION_KINDS:
            for outcome in Outcome:
                self._counters["hrsi_actions"].labels(kind, outcome.value)
        for source in Source:
            self._counters["hrsi_source_failures"].labels(source.value)
            self._show_age("hrsi_source_age_seconds", source.value, self._read_ended)
        for system in (System.NOMAD, System.CLOUD):
            self._gauges["hrsi_requests_under_way"].labels(system.value)

    def _show_age(self, gauge: str, label: str, ended: Mapping[str, float]) -> None:
        def age() -> float:
            return self._clock.monotonic() - ended.get(label, self._began)

        self._gauges[gauge].labels(label).set_function(age)

    def add_loop(self, loop: str) -> None:
        """Let the metrics of a loop be there before its first pass."""
        for result in RESULTS:
            self._counters["hrsi_passes"].labels(loop, result)
        for reason in Reason:
            self._counters["hrsi_decisions"].labels(loop, reason.value)
        for gauge in ("hrsi_loop_hung", "hrsi_lease_held", "hrsi_lease_epoch"):
            self._gauges[gauge].labels(loop)
        self._histograms["hrsi_pass_seconds"].labels(loop)
        self._show_age("hrsi_pass_age_seconds", loop, self._pass_ended)

    # ---- what happened ---------------------------------------------------------------------------

    def pass_ended(self, loop: str, result: str, seconds: float) -> None:
        """Count a pass. Only those that led tell how long a pass takes."""
        self._counters["hrsi_passes"].labels(loop, result).inc()
        self._pass_ended[loop] = self._clock.monotonic()
        if result == "done":
            self._histograms["hrsi_pass_seconds"].labels(loop).observe(seconds)

    def lease(self, loop: str, lease: Lease | None) -> None:
        """Show what is held; None: another process leads."""
        self._gauges["hrsi_lease_held"].labels(loop).set(lease is not None)
        if lease is not None:
            self._gauges["hrsi_lease_epoch"].labels(loop).set(lease.epoch)
        if lease is not None and lease.unled is not None:
            self._gauges["hrsi_failover_seconds"].labels(loop).set(lease.unled.total_seconds())

    def hung(self, loop: str, *, is_hung: bool) -> None:
        """Show what the watchdog says of a loop."""
        self._gauges["hrsi_loop_hung"].labels(loop).set(is_hung)

    def source_read(self, source: Source, seconds: float, *, usable: bool) -> None:
        """Count one read of a source."""
        self._histograms["hrsi_source_read_seconds"].labels(source.value).observe(seconds)
        if usable:
            self._read_ended[source.value] = self._clock.monotonic()
        else:
            self._counters["hrsi_source_failures"].labels(source.value).inc()

    @contextmanager
    def request(self, system: System, method: str) -> Iterator[None]:
        """Count and time one call; its error, if it has one, goes on."""
        began = self._clock.monotonic()
        under_way = self._gauges["hrsi_requests_under_way"].labels(system.value)
        self._counters["hrsi_requests"].labels(system.value, method).inc()
        under_way.inc()
        try:
            yield
        except PortError as error:
            labels = (system.value, method, error.failure.value)
            self._counters["hrsi_request_errors"].labels(*labels).inc()
            raise
        finally:
            under_way.dec()
            seconds = self._clock.monotonic() - began
            self._histograms["hrsi_request_seconds"].labels(system.value, method).observe(seconds)

    def http_request(self, system: System, purpose: str, outcome: str, seconds: float) -> None:
        """Count one request on the wire."""
        self._counters["hrsi_http_requests"].labels(system.value, purpose, outcome).inc()
        timer = self._histograms["hrsi_http_request_seconds"].labels(system.value, purpose)
        timer.observe(seconds)

    def action_ended(self, action: Action, outcome: Outcome) -> None:
        """Count one action by how it ended."""
        self._counters["hrsi_actions"].labels(kind_of(type(action)), outcome.value).inc()

    def jobs_created(self, action: AddJobs, created: int, at: datetime) -> None:
        """Count what a look at a feed came to; a job that was there already is no new one."""
        feed = action.cursor.feed
        labels = (feed.source, feed.collection.value, feed.type.value)
        counts = {"job": created, "cancelled": len(action.cancelled)}
        counts |= {"rejected": len(action.rejected), "kept": len(action.ingredients)}
        for outcome, count in counts.items():
            self._counters["hrsi_products"].labels(*labels, outcome).inc(count)
        age = self._histograms["hrsi_product_age_seconds"].labels(*labels)
        for job in action.jobs:
            published = datetime.fromisoformat(job.input["published_at"])
            age.observe((at - published).total_seconds())

    def feeds(self, cursors: Iterable[Cursor], now: datetime) -> None:
        """Show how far behind the stored cursors are."""
        lags: dict[Labels, float] = {
            (c.feed.source, c.feed.collection.value, c.feed.type.value): (
                now - c.until
            ).total_seconds()
            for c in cursors
        }
        self._fill("hrsi_feed_lag_seconds", lags)

    def violated(self, violations: Iterable[Violation]) -> None:
        """Count what the invariants found."""
        for violation in violations:
            self._counters["hrsi_invariant_violations"].labels(violation.invariant).inc()

    # ---- what is ---------------------------------------------------------------------------------

    def decided(
        self, loop: str, world: World, decisions: Iterable[Decision], now: datetime
    ) -> None:
        """Count decisions and show the longest waits behind the refusals."""
        decisions = tuple(decisions)
        for decision in decisions:
            self._counters["hrsi_decisions"].labels(loop, decision.reason.value).inc()
        waits = oldest_waits(world, decisions, now)
        self._fill(
            "hrsi_oldest_wait_seconds",
            {(loop, reason.value): seconds for reason, seconds in waits.items()},
            among=loop,
        )
        found = [decision.reason for decision in decisions]
        alarms: dict[Labels, float] = {(loop, r.value): found.count(r) for r in ALARMS}
        self._fill("hrsi_alarms", alarms, among=loop)

    def show(self, world: World, pool: PoolSettings) -> None:
        """Show the figures of a world; those of one that was shown already stay."""
        if self._shown == world.store.requested_at:
            return
        self._shown = world.store.requested_at
        shown = figures(world, pool)
        demand = shown.demand
        gauges: tuple[tuple[str, Mapping[Labels, float]], ...] = (
            ("hrsi_jobs", shown.jobs),
            ("hrsi_jobs_quarantined", shown.quarantined),
            ("hrsi_workers", shown.workers),
            ("hrsi_intents_open", shown.intents),
            ("hrsi_paused", shown.pauses),
            ("hrsi_breaker_open", shown.breakers),
            ("hrsi_breaker_suspects", shown.suspects),
            ("hrsi_jobs_waiting", shown.waiting),
            ("hrsi_runs_unplaced", {(f,): d.unplaced for f, d in demand.items()}),
            ("hrsi_workers_free", {(f,): d.free for f, d in demand.items()}),
            ("hrsi_workers_coming", {(f,): d.coming for f, d in demand.items()}),
            ("hrsi_workers_needed", {(f,): d.need for f, d in demand.items()}),
        )
        for name, values in gauges:
            self._fill(name, values)

    def forget(self) -> None:
        """Show no world: this process leads nothing, and another shows what there is."""
        self._shown = None
        for name in tuple(self._filled):
            self._fill(name, {})

    def _fill(self, name: str, values: Mapping[Labels, float], *, among: str | None = None) -> None:
        """Set a gauge to these values and drop its others, or those whose first label is `among`.

        Never cleared first: a scrape in between would see nothing.
        """
        gauge = self._gauges[name]
        with self._lock:
            before = self._filled.get(name, frozenset())
            mine = {labels for labels in before if among is None or labels[0] == among}
            for labels in mine - values.keys():
                gauge.remove(*labels)
            for labels, value in values.items():
                gauge.labels(*labels).set(value)
            self._filled[name] = (before - mine) | values.keys()
