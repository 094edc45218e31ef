"""What a pass decided: actions and refusals to act, each with a reason.

A `Decision` names its subject, the closed reason code (a metric label), one sentence for people
(`because`) and the numbers behind it (`facts`). `Action`s are carried out by `controller.act`, one
handler per class; `Held` is a decision not to act and is recorded just the same. The action
classes themselves are in `models.actions`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import ClassVar, TypeAlias

from models.errors import System

Fact: TypeAlias = str | int | float | None

REPEAT_AFTER = timedelta(seconds=30)
"""How old the row of a refusal that still holds may be: half of the minute after which every wait
has to have a recorded reason, and less than `models.records.HOLDS_FOR`."""


class SubjectKind(StrEnum):
    """What a decision is about."""

    JOB = "job"
    WORKER = "worker"
    FLAVOR = "flavor"
    TYPE = "type"
    NODE = "node"
    SERVER = "server"
    IMAGE = "image"
    CHILD = "child"
    PARENT = "parent"
    SYSTEM = "system"
    BREAKER = "breaker"
    SOURCE = "source"
    CAMPAIGN = "campaign"
    PRODUCT = "product"
    MESSAGE = "message"
    PRODUCTS = "products"


@dataclass(frozen=True, slots=True)
class Subject:
    """The thing that a decision is about, written `kind:id`."""

    kind: SubjectKind
    id: str

    def __str__(self) -> str:
        return f"{self.kind}:{self.id}"


class Reason(StrEnum):
    """Why something was done or left alone. Closed: documented in docs/reasons.md by a test."""

    # creation
    PRODUCTS_NEW = "PRODUCTS_NEW"
    CURSOR_BEHIND = "CURSOR_BEHIND"
    GROUPS_DUE = "GROUPS_DUE"
    CAMPAIGN_GOES_ON = "CAMPAIGN_GOES_ON"
    FEW_PRODUCTS = "FEW_PRODUCTS"
    # configuration
    CONFIGURED = "CONFIGURED"
    # execution
    PARENT_MISSING = "PARENT_MISSING"
    SLOT_FREE = "SLOT_FREE"
    SLOT_COMING = "SLOT_COMING"
    LEAD = "LEAD"
    NO_SLOT = "NO_SLOT"
    REPROCESSING_SHARE = "REPROCESSING_SHARE"
    NO_ANSWER_YET = "NO_ANSWER_YET"
    DISPATCH_SEEN = "DISPATCH_SEEN"
    DISPATCH_UNCONFIRMED = "DISPATCH_UNCONFIRMED"
    DISPATCH_EXPIRED = "DISPATCH_EXPIRED"
    CHILD_WITHOUT_RUN = "CHILD_WITHOUT_RUN"
    CHILD_TWICE = "CHILD_TWICE"
    CHILD_WITHOUT_EVALUATION = "CHILD_WITHOUT_EVALUATION"
    BACKING_OFF = "BACKING_OFF"
    TYPE_UNKNOWN = "TYPE_UNKNOWN"
    # monitor
    RUN_FAILED = "RUN_FAILED"
    RUN_VANISHED = "RUN_VANISHED"
    RUN_STUCK = "RUN_STUCK"
    WORKER_LOST = "WORKER_LOST"
    STILL_LIVE = "STILL_LIVE"
    NOMAD_RERUNS = "NOMAD_RERUNS"
    ERROR_RETRIED = "ERROR_RETRIED"
    ATTEMPTS_USED_UP = "ATTEMPTS_USED_UP"
    # the pool, identity and admission
    NODE_NEW = "NODE_NEW"
    SERVER_SEEN = "SERVER_SEEN"
    SERVER_ADOPTED = "SERVER_ADOPTED"
    SERVER_PROVED = "SERVER_PROVED"
    BOOTING = "BOOTING"
    OUTSIDE_POOL = "OUTSIDE_POOL"
    NODE_ADMITTED = "NODE_ADMITTED"
    NODE_DOWN = "NODE_DOWN"
    NOT_OURS = "NOT_OURS"
    # the pool, growth
    JOBS_WAITING = "JOBS_WAITING"
    ENOUGH_WORKERS = "ENOUGH_WORKERS"
    MAX_WORKERS = "MAX_WORKERS"
    MAX_VCPUS = "MAX_VCPUS"
    QUOTA_SERVERS = "QUOTA_SERVERS"
    QUOTA_VCPUS = "QUOTA_VCPUS"
    QUOTA_MEMORY = "QUOTA_MEMORY"
    CREATION_RATE = "CREATION_RATE"
    FLAVOR_UNKNOWN = "FLAVOR_UNKNOWN"
    IMAGE_MISSING = "IMAGE_MISSING"
    CREATE_REFUTED = "CREATE_REFUTED"
    # the pool, the image that workers boot from
    TEMPLATE_MISSING = "TEMPLATE_MISSING"
    TEMPLATE_UNFINISHED = "TEMPLATE_UNFINISHED"
    TEMPLATE_FROZEN = "TEMPLATE_FROZEN"
    IMAGE_NEEDED = "IMAGE_NEEDED"
    IMAGE_COMING = "IMAGE_COMING"
    IMAGE_FROZEN = "IMAGE_FROZEN"
    IMAGE_READY = "IMAGE_READY"
    IMAGE_FAILED = "IMAGE_FAILED"
    IMAGE_IN_USE = "IMAGE_IN_USE"
    IMAGE_UNUSED = "IMAGE_UNUSED"
    # the pool, shrinking
    IDLE = "IDLE"
    IDLE_TOO_SHORT = "IDLE_TOO_SHORT"
    ROOM_NEEDED = "ROOM_NEEDED"
    ASKED_BY_PERSON = "ASKED_BY_PERSON"
    INELIGIBLE_BY_PERSON = "INELIGIBLE_BY_PERSON"
    STALE = "STALE"
    SERVER_ERROR = "SERVER_ERROR"
    SERVER_VANISHED = "SERVER_VANISHED"
    DEMAND_RETURNED = "DEMAND_RETURNED"
    MARK_NOT_SEEN = "MARK_NOT_SEEN"
    MARK_SEEN = "MARK_SEEN"
    NODE_CHANGED = "NODE_CHANGED"
    BARRIER = "BARRIER"
    QUARANTINE = "QUARANTINE"
    RUNS_STILL = "RUNS_STILL"
    EMPTY = "EMPTY"
    DELETE_COMMITTED = "DELETE_COMMITTED"
    ABSENCE_UNPROVED = "ABSENCE_UNPROVED"
    SERVER_GONE = "SERVER_GONE"
    NODE_GONE = "NODE_GONE"
    # the pool, breakers
    MANY_REMOVALS = "MANY_REMOVALS"
    SERVERS_MISSING = "SERVERS_MISSING"
    NODES_MISSING = "NODES_MISSING"
    BREAKER_OPEN = "BREAKER_OPEN"
    BREAKER_EXPLAINED = "BREAKER_EXPLAINED"
    # publication
    PRODUCTS_MADE = "PRODUCTS_MADE"
    PUBLICATION_OPEN = "PUBLICATION_OPEN"
    NOTHING_TO_PUBLISH = "NOTHING_TO_PUBLISH"
    ALL_ANNOUNCED = "ALL_ANNOUNCED"
    PRODUCT_REFUSED = "PRODUCT_REFUSED"
    REFUSAL_UNMATCHED = "REFUSAL_UNMATCHED"
    REFUSAL_PAUSE = "REFUSAL_PAUSE"
    # read-back
    PRODUCTS_MISSING = "PRODUCTS_MISSING"
    # retention
    RESULTS_OLD = "RESULTS_OLD"
    L2A_OLD = "L2A_OLD"
    # everywhere
    SOURCE_UNKNOWN = "SOURCE_UNKNOWN"
    INTENT_OPEN = "INTENT_OPEN"
    BAD_PARAMETER = "BAD_PARAMETER"
    PAUSED = "PAUSED"


ALARMS = frozenset(
    {
        Reason.TEMPLATE_MISSING,
        Reason.TEMPLATE_FROZEN,
        Reason.IMAGE_FROZEN,
        Reason.FEW_PRODUCTS,
        Reason.PRODUCTS_MISSING,
    }
)
"""Reasons that do not pass by themselves: a person has to do something."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Decision:
    """One thing decided in one pass: what about, why, in words, and the numbers."""

    subject: Subject
    reason: Reason
    because: str
    facts: tuple[tuple[str, Fact], ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Held(Decision):
    """A decision not to act, with the reason that holds it back."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Action(Decision):
    """A decided effect. `system` says in which bounded pool it is carried out."""

    system: ClassVar[System] = System.STORE


class Next(StrEnum):
    """What becomes of a job whose run failed."""

    REQUEUE = "requeue"
    BACK_OFF = "back_off"
    QUARANTINE = "quarantine"


class Outcome(StrEnum):
    """How one action ended; the label of `hrsi_actions_total`."""

    DONE = "done"
    LATER = "later"
    TEMPORARY = "temporary_failure"
    PERMANENT = "permanent_failure"
    UNKNOWN = "unknown"
    OVERTAKEN = "overtaken"
