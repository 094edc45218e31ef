"""The metrics of a process, as `controller.metric_list` lists them: counted, timed and shown.

All counters exist from the start, at 0, so that a rate over them sees the first event too. The
registry is handed in: two controllers in one process (tests, simulation) do not meet.
"""

from __future__ import annotations

import platform
import re
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from functools import cache
from importlib import metadata

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from controller.figures import Labels, figures, oldest_waits
from controller.invariants import INVARIANTS
from controller.invariants_of_sight import Violation
from controller.metric_list import COUNTERS, GAUGES, HISTOGRAMS
from controller.press_metrics import PressMetrics
from models import actions
from models.actions import AddJobs
from models.catalogue import RejectReason
from models.composing import GroupWaits
from models.creation import Arrivals, Cursor, Feed
from models.errors import PortError, System
from models.manifest import ProductKind
from models.plan import ALARMS, Action, Decision, Outcome, Reason
from models.ports import Clock
from models.publication import OutboxFigures
from models.records import Lease
from models.settings import PoolSettings
from models.world import Source, World
from reconcilers.creation.compositions import COMPOSITIONS

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
        self.press = PressMetrics(self._counters, self._histograms)
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
        for system in (System.NOMAD, System.CLOUD):
            self._gauges["hrsi_requests_under_way"].labels(system.value)

    def _show_age(self, gauge: str, label: str, ended: Mapping[str, float]) -> None:
        def age() -> float:
            return self._clock.monotonic() - ended.get(label, self._began)

        self._gauges[gauge].labels(label).set_function(age)

    def add_loop(self, loop: str, sources: Iterable[Source]) -> None:
        """Let the metrics of a loop, and of what it reads, be there before its first pass."""
        for source in sources:
            self._show_age("hrsi_source_age_seconds", source.value, self._read_ended)
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

    def results_removed(self, objects: int) -> None:
        """Count what was deleted in the results bucket."""
        self._counters["hrsi_results_removed"].inc(objects)

    def l2a_removed(self, objects: int) -> None:
        """Count what was deleted of L2A."""
        self._counters["hrsi_l2a_removed"].inc(objects)

    def jobs_created(self, action: AddJobs, created: int, at: datetime) -> None:
        """Count what a look at a feed came to; a job that was there already is no new one."""
        feed = action.cursor.feed
        labels = (feed.source, feed.collection.value, feed.type.value)
        counts = {"job": created, "cancelled": len(action.cancelled)}
        counts |= {"rejected": len(action.rejected), "kept": len(action.ingredients)}
        for outcome, count in counts.items():
            self._counters["hrsi_products"].labels(*labels, outcome).inc(count)
        for reason in RejectReason:
            found = sum(entry.reason is reason for entry in action.rejected)
            self._counters["hrsi_products_rejected"].labels(*labels, reason.value).inc(found)
        age = self._histograms["hrsi_product_age_seconds"].labels(*labels)
        for job in action.jobs:
            published = datetime.fromisoformat(job.input["published_at"])
            age.observe((at - published).total_seconds())

    def products_seen(self, feed: Feed, count: int) -> None:
        """Count what one look at a feed listed."""
        labels = (feed.source, feed.collection.value, feed.type.value)
        self._counters["hrsi_products_seen"].labels(*labels).inc(count)

    def arrived(self, arrivals: Arrivals) -> None:
        """Show what the last day brought."""
        counts: dict[Labels, float] = {(name,): n for name, n in arrivals.counts.items()}
        self._fill("hrsi_jobs_arrived", counts)

    def groups_wait(self, waits: Iterable[GroupWaits], now: datetime) -> None:
        """Show which groups of products wait for more; a type of which none waits shows 0."""
        numbers: dict[Labels, float] = {(name,): 0.0 for name in COMPOSITIONS}
        ages = dict(numbers)
        for each in waits:
            numbers[each.job_type,] = each.number
            ages[each.job_type,] = max(0.0, (now - each.since).total_seconds())
        self._fill("hrsi_groups_waiting", numbers)
        self._fill("hrsi_group_wait_seconds", ages)

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

        if world.outbox is not None:
            self._show_outbox(world.outbox, now)

    def _show_outbox(self, outbox: OutboxFigures, now: datetime) -> None:
        numbers: dict[Labels, float] = {(c.kind, c.state.value): c.number for c in outbox.open}
        ages: dict[Labels, float] = {}
        for count in outbox.open:
            age = max(0.0, (now - count.oldest_at).total_seconds())
            ages[count.kind,] = max(age, ages.get((count.kind,), 0.0))
        # What nobody waits for any more is shown at 0: a graph that ends looks like an outage.
        empty: dict[Labels, float] = {(kind.value,): 0.0 for kind in ProductKind}
        self._fill("hrsi_outbox", numbers)
        self._fill("hrsi_outbox_age_seconds", empty | ages)
        self._fill("hrsi_parked_messages", {(): outbox.parked})
        self.press.from_files(outbox.from_files)

    def show(self, world: World, pool: PoolSettings) -> None:
        """Show the figures of a world; those of one that was shown already stay."""
        if self._shown == world.store.requested_at:
            return
        self._shown = world.store.requested_at
        shown = figures(world, pool)
        demand = shown.demand
        gauges: tuple[tuple[str, Mapping[Labels, float]], ...] = (
            ("hrsi_jobs", shown.jobs),
            ("hrsi_jobs_oldest_seconds", shown.standing),
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
        self.press.forget()
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
                if labels:
                    gauge.remove(*labels)
                else:
                    gauge.set(0)
            for labels, value in values.items():
                (gauge.labels(*labels) if labels else gauge).set(value)
            self._filled[name] = (before - mine) | values.keys()
