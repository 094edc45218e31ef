"""Every metric there is, with its labels, help and buckets; docs/metrics.md says the same."""

from __future__ import annotations

from dataclasses import dataclass

PASS_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
CALL_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30)

DELAY_SECONDS = (600, 1800, 3600, 2 * 3600, 3 * 3600, 6 * 3600, 12 * 3600, 86_400, 7 * 86_400)
"""3 h are what products are promised within."""

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
        "hrsi_jobs_oldest_seconds",
        ("type", "status"),
        "How long the open job has stood in this status that has stood there longest.",
    ),
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
        "Time since the source was last read and believed; of the sources of the loops that run.",
    ),
    Metric(
        "hrsi_feed_lag_seconds",
        ("source", "collection", "type"),
        "How long ago everything that the feed listed had been met, by its stored cursor.",
    ),
    Metric(
        "hrsi_jobs_arrived",
        ("type",),
        "Jobs that catalogues brought in the last 24 h, reprocessing left out.",
    ),
    Metric(
        "hrsi_groups_waiting",
        ("type",),
        "Groups of products that wait for more before a job is made of them, and not for ever.",
    ),
    Metric(
        "hrsi_group_wait_seconds",
        ("type",),
        "How long the longest waiting of these groups has waited.",
    ),
    Metric(
        "hrsi_outbox",
        ("type", "state"),
        "Products that are being published, by how far they came.",
    ),
    Metric(
        "hrsi_outbox_age_seconds",
        ("type",),
        "How long the oldest of them has been waiting to be announced.",
    ),
    Metric(
        "hrsi_parked_messages",
        (),
        "Refused messages that nobody could match, kept until a person replays or forgets them.",
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
        "hrsi_products_seen",
        ("source", "collection", "type"),
        "Products that looks at the feed listed, those met before included.",
    ),
    Metric(
        "hrsi_products_rejected",
        ("source", "collection", "type", "reason"),
        "Entries that nobody understood, by what it was: shape, name, type or field.",
    ),
    Metric(
        "hrsi_products",
        ("source", "collection", "type", "outcome"),
        "Products by what became of them: job, cancelled, kept for one, or rejected.",
    ),
    Metric(
        "hrsi_messages",
        ("type", "fate"),
        "Announcements that were sent: confirmed, spooled, returned, rejected or unknown.",
    ),
    Metric(
        "hrsi_turnaround_seconds",
        ("type", "step"),
        "Time that products took at each step of their way to the first confirm; the shares of the "
        "steps say where it goes.",
    ),
    Metric(
        "hrsi_refusals",
        ("outcome",),
        "Messages that the endpoint refused: counted against a product, or parked.",
    ),
    Metric("hrsi_results_removed", (), "Objects that retention deleted in the results bucket."),
    Metric("hrsi_l2a_removed", (), "Objects of L2A that retention deleted in the data bucket."),
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
        "hrsi_confirm_seconds",
        (),
        "How long a confirmed announcement took, from when it left until all of its job were.",
        CALL_SECONDS,
    ),
    Metric(
        "hrsi_product_delay_seconds",
        ("type", "since"),
        "How long after sensing, or publication by a catalogue, a product was first confirmed.",
        DELAY_SECONDS,
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
