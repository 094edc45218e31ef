"""The life of a job: every status and every allowed change, in one table.

Two rules. First: a change that is not in `ALLOWED` is refused, whoever asks; the database trigger
is generated from this table (`transition_pairs`), and so are the diagram in the docs and the
colours of the views. Second: every status that is neither final nor an error has exactly one
owner, and the error statuses belong to the monitor alone.

The statuses and their numbers are those that operators know from the system that we replace.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import StrEnum
from types import MappingProxyType

from models.errors import IllegalTransition


class Status(StrEnum):
    """Where a job stands."""

    INITIALIZED = "initialized"
    CONFIGURED = "configured"
    READY = "ready"
    QUEUED = "queued"
    STARTED = "started"
    PRE_PROCESSING = "pre_processing"
    PROCESSING = "processing"
    POST_PROCESSING = "post_processing"
    PROCESSED = "processed"
    START_PUBLICATION = "start_publication"
    PUBLISHED = "published"
    DONE = "done"
    INTERNAL_ERROR = "internal_error"
    EXTERNAL_ERROR = "external_error"
    ERROR_CHECKED = "error_checked"
    CANCELLED = "cancelled"


LIFE = (
    Status.INITIALIZED,
    Status.CONFIGURED,
    Status.READY,
    Status.QUEUED,
    Status.STARTED,
    Status.PRE_PROCESSING,
    Status.PROCESSING,
    Status.POST_PROCESSING,
    Status.PROCESSED,
    Status.START_PUBLICATION,
    Status.PUBLISHED,
    Status.DONE,
)
"""Where a job goes in turn when nothing goes wrong."""


class Owner(StrEnum):
    """Which reconciler moves a job on from a status."""

    CONFIGURATION = "configuration"
    EXECUTION = "execution"
    MONITOR = "monitor"
    PUBLICATION = "publication"


_ENDS = frozenset({Status.INTERNAL_ERROR, Status.EXTERNAL_ERROR, Status.CANCELLED})

ALLOWED: Mapping[Status, frozenset[Status]] = MappingProxyType(
    {
        Status.INITIALIZED: frozenset({Status.CONFIGURED}) | _ENDS,
        Status.CONFIGURED: frozenset({Status.READY}) | _ENDS,
        Status.READY: frozenset({Status.QUEUED}) | _ENDS,
        # Back to ready: the dispatch was lost and nothing has claimed the run.
        Status.QUEUED: frozenset({Status.STARTED, Status.READY}) | _ENDS,
        Status.STARTED: frozenset({Status.PRE_PROCESSING}) | _ENDS,
        Status.PRE_PROCESSING: frozenset({Status.PROCESSING}) | _ENDS,
        Status.PROCESSING: frozenset({Status.POST_PROCESSING}) | _ENDS,
        Status.POST_PROCESSING: frozenset({Status.PROCESSED}) | _ENDS,
        Status.PROCESSED: frozenset({Status.START_PUBLICATION, Status.DONE}) | _ENDS,
        Status.START_PUBLICATION: frozenset({Status.PUBLISHED}) | _ENDS,
        Status.PUBLISHED: frozenset({Status.DONE, Status.INTERNAL_ERROR, Status.EXTERNAL_ERROR}),
        Status.DONE: frozenset(
            {Status.INTERNAL_ERROR, Status.EXTERNAL_ERROR, Status.ERROR_CHECKED}
        ),
        Status.INTERNAL_ERROR: frozenset(
            {Status.INTERNAL_ERROR, Status.EXTERNAL_ERROR, Status.ERROR_CHECKED}
        ),
        # Straight to started: Nomad re-ran a lost allocation, which claimed the run anew.
        Status.EXTERNAL_ERROR: frozenset(
            {Status.STARTED, Status.INTERNAL_ERROR, Status.EXTERNAL_ERROR, Status.ERROR_CHECKED}
        ),
        Status.ERROR_CHECKED: frozenset(Status),
        Status.CANCELLED: frozenset({Status.INTERNAL_ERROR, Status.ERROR_CHECKED}),
    }
)

FIRST = frozenset({Status.INITIALIZED, Status.STARTED, Status.INTERNAL_ERROR, Status.CANCELLED})
"""What the first history row of a job may say."""

ON_WORKER = frozenset(
    {Status.STARTED, Status.PRE_PROCESSING, Status.PROCESSING, Status.POST_PROCESSING}
)
"""The program on a worker has claimed the run and has not ended it."""

UNREADY = frozenset({Status.INITIALIZED, Status.CONFIGURED})
"""Configuration is not done with the job."""

IN_FLIGHT = ON_WORKER | {Status.QUEUED}
"""The job has a current run that Nomad knows or is about to know."""

ERRORS = frozenset({Status.INTERNAL_ERROR, Status.EXTERNAL_ERROR, Status.ERROR_CHECKED})
"""Statuses that the monitor alone owns."""

FINAL = frozenset({Status.DONE, Status.CANCELLED})
"""Nothing more happens unless a person asks for it."""

OWNER: Mapping[Status, Owner] = MappingProxyType(
    {
        Status.INITIALIZED: Owner.CONFIGURATION,
        Status.CONFIGURED: Owner.CONFIGURATION,
        Status.READY: Owner.EXECUTION,
        Status.QUEUED: Owner.EXECUTION,
        **dict.fromkeys(ON_WORKER | ERRORS, Owner.MONITOR),
        Status.PROCESSED: Owner.PUBLICATION,
        Status.START_PUBLICATION: Owner.PUBLICATION,
        Status.PUBLISHED: Owner.PUBLICATION,
    }
)
"""Who moves a job on; final statuses have no owner."""

RESUME_STATUSES = frozenset({Status.INITIALIZED, Status.CONFIGURED, Status.READY, Status.PROCESSED})
"""Where a job may take up its life again after an error was checked."""


def is_allowed(before: Status | None, after: Status) -> bool:
    """Tell whether a job may go from `before` (None: it has no history yet) to `after`."""
    return after in (FIRST if before is None else ALLOWED[before])


def check(before: Status | None, after: Status, *, of: str) -> None:
    """Raise `IllegalTransition`, naming what `of` is, when the table forbids the change."""
    if not is_allowed(before, after):
        raise IllegalTransition(
            f"{of}: {before or 'no status'} may not become {after}; nothing was written"
        )


def transition_pairs() -> Iterator[tuple[Status | None, Status]]:
    """Every allowed change in a stable order: what the database trigger is generated from."""
    yield from ((None, after) for after in Status if after in FIRST)
    for before in Status:
        yield from ((before, after) for after in Status if after in ALLOWED[before])
