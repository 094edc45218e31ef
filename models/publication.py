"""What publication knows: the outbox, what may be written into it, and what came back.

The outbox has one row for each product of a job that is to be announced; it is committed before
anything is copied or sent, so that whoever comes after a crash goes on with it. The message is
written into it once, and sent as it stands there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from uuid import UUID

from models.broker import Fate
from models.changes import Change
from models.lifecycle import Status
from models.records import Job
from models.refusal_reading import product_in

FAILED_ENDPOINT = "Endpoint Publication Failure"
FAILED_MESSAGE = "Publication JSON setting Error"
FAILED_OBJECTS = "Product differs from its manifest"
REFUSED_BY_ENDPOINT = "Refused by the endpoint"


class PublicationState(StrEnum):
    """Where the announcement of one product stands.

    WAITING its objects are to be copied · COPIED they are in the product bucket, verified ·
    SENDING its message is about to be sent, or was, and nothing is known of it: it is sent again
    under the same id · CONFIRMED the broker has it · SPOOLED it is in a file, for there is no
    broker · REFUSED the endpoint could not take it: it is sent again, under a new id, once
    `not_before` has come · FAILED it was refused too often.
    """

    WAITING = "waiting"
    COPIED = "copied"
    SENDING = "sending"
    CONFIRMED = "confirmed"
    SPOOLED = "spooled"
    REFUSED = "refused"
    FAILED = "failed"


ANNOUNCED = frozenset({PublicationState.CONFIRMED, PublicationState.SPOOLED})
"""The job need not wait for it."""

FROM_FILES = "messages.from_files."
"""What the counters are called, each with a kind of products behind it, of messages that people
sent from their files."""

OVER = ANNOUNCED | {PublicationState.FAILED}
"""Nothing will be sent for it unless somebody asks."""

STATE_AFTER: Mapping[Fate, PublicationState] = MappingProxyType(
    {
        Fate.CONFIRMED: PublicationState.CONFIRMED,
        Fate.SPOOLED: PublicationState.SPOOLED,
        Fate.RETURNED: PublicationState.SENDING,
        Fate.REJECTED: PublicationState.SENDING,
        Fate.UNKNOWN: PublicationState.SENDING,
    }
)
"""What a sent message becomes. What was not kept is sent again, and that is no other message."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Publication:
    """The announcement of one product. `send` grows only for a refusal and for a new run's product;
    `refusals` is counted since the newest manifest. It is to be announced since `begun_at`, or, if
    it was refused, again since then. `note` says what happened to it last.
    """

    id: int
    job_id: int
    run_id: UUID
    product: str
    kind: str
    digest: str
    state: PublicationState
    send: int
    begun_at: datetime
    changed_at: datetime
    refusals: int = 0
    not_before: datetime | None = None
    note: str | None = None

    @property
    def message_id(self) -> str:
        """The same for every copy of the same message."""
        return f"{self.product}:{self.digest}:{self.send}"


def product_of(message_id: str) -> str:
    """The product that a message of this id announces."""
    return message_id.partition(":")[0]


@dataclass(frozen=True, kw_only=True, slots=True)
class Publishing:
    """A job between processed and done. `products` is how many its newest run made (None: it said
    nothing of them).
    """

    job: Job
    products: int | None
    publications: tuple[Publication, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Draft:
    """A product to be announced, with its message."""

    product: str
    kind: str
    body: bytes


@dataclass(frozen=True, kw_only=True, slots=True)
class Outgoing:
    """A publication with its message, as it is to be sent, and which attempt at its job made it.
    `listed_at` is when a catalogue had published what its job was made of, where one told of it;
    then the job was there at `came_at`, and its run went from `started_at` to `ended_at`.
    """

    publication: Publication
    attempt: int
    body: bytes
    came_at: datetime
    started_at: datetime
    ended_at: datetime
    listed_at: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class OpenCount:
    """How many products of a kind are in a state, of jobs whose publication is under way, and since
    when the first of them is to be announced.
    """

    kind: str
    state: PublicationState
    number: int
    oldest_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class OutboxFigures:
    """What the outbox holds that is not announced yet, how many messages are parked, and of how
    many products of each kind people ever sent the message from its file.
    """

    open: tuple[OpenCount, ...] = ()
    parked: int = 0
    from_files: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Parked:
    """A message that nobody could match: its body as it came, why, and how often it was met."""

    id: int
    body: bytes
    why: str
    first_at: datetime
    last_at: datetime
    count: int = 1


# ---- changes: the rules of `models.changes` hold -------------------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True)
class BeginPublication(Change):
    """processed → start_publication, with a publication in WAITING for every draft.

    Guard: the job's seq is `expected_seq` and it is processed. A product that the job announced
    before begins anew, with the next `send` and without refusals.
    """

    job_id: int
    expected_seq: int
    run_id: UUID
    digest: str
    drafts: tuple[Draft, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class NoteCopied(Change):
    """WAITING → COPIED: all objects of these products are in the product bucket, verified.

    Guard: the job's seq is `expected_seq`, and it stands in start_publication. Those that are not
    WAITING any more stay as they are; so it is in `NoteSending` and `NoteSent`.
    """

    job_id: int
    expected_seq: int
    publication_ids: tuple[int, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class NoteSending(Change):
    """COPIED, and REFUSED whose `not_before` is not after `at`, → SENDING. Guard: as `NoteCopied`.

    To be committed before the messages leave.
    """

    job_id: int
    expected_seq: int
    publication_ids: tuple[int, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class NoteSent(Change):
    """SENDING → what `STATE_AFTER` says, with why as its note. Guard: as `NoteCopied`.

    Once every publication of the job is CONFIRMED or SPOOLED, the job goes on to published and done
    with `message`: in this transaction alone does a job become published.
    """

    job_id: int
    expected_seq: int
    fates: tuple[tuple[int, Fate, str], ...]
    message: str


@dataclass(frozen=True, kw_only=True, slots=True)
class FinishJob(Change):
    """processed → done for a job without a product, or published → done.

    Guard: the job's seq is `expected_seq`; it is published, or processed, and then the manifest of
    its newest run names no product, or there is none.
    """

    job_id: int
    expected_seq: int
    message: str


@dataclass(frozen=True, kw_only=True, slots=True)
class FailPublication(Change):
    """processed or start_publication → internal_error, counted in the job's budget.

    Guard: the job's seq is `expected_seq`, and it stands in one of these. `quarantined`: it rests
    until a person acts; else the monitor goes on with it as with any error.
    """

    job_id: int
    expected_seq: int
    subtype: str
    message: str
    quarantined: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class NoteRefusal(Change):
    """The endpoint refused the newest announcement of a product of this name.

    It counts once a send: `message_id` names it, or, where the endpoint does not hand it back, it
    is the newest. Only a publication in SENDING, CONFIRMED or SPOOLED, of that message, can be
    refused; anything else changes nothing. It becomes REFUSED with the next `send` and `not_before`
    = the one of `retries_at` for this refusal (the first, the second, …; the last for all after
    it), and a job that is published or done goes through external_error and error_checked back to
    start_publication. The refusal that makes `most_refusals` makes it FAILED, and its job goes to
    internal_error "Endpoint Publication Failure", quarantined. A job that is elsewhere stays there.
    Guard: there is such a publication (else `Superseded`: the message is parked). The receipt names
    its job if it counted.
    """

    product: str
    message_id: str | None
    retries_at: tuple[datetime, ...]
    most_refusals: int
    message: str


@dataclass(frozen=True, kw_only=True, slots=True)
class ParkMessage(Change):
    """Keep a message that nobody could match. The same body again is counted once more."""

    body: bytes
    why: str


# ---- what both stores do alike -------------------------------------------------------------------


def time_in(text: object) -> datetime | None:
    """The time that a job's input names, as a catalogue wrote it; None: it names none."""
    try:
        at = datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        return None
    return at if at is not None and at.tzinfo is not None else None


_REFUSABLE = ANNOUNCED | {PublicationState.SENDING}


def begun_again(former: Publication, change: BeginPublication) -> Publication:
    """A publication of the same product and job, of what the newest run made of it."""
    return replace(
        former,
        run_id=change.run_id,
        digest=change.digest,
        state=PublicationState.WAITING,
        send=former.send + 1,
        begun_at=change.at,
        changed_at=change.at,
        refusals=0,
        not_before=None,
        note=None,
    )


def why_not_again(former: Publication | None, job: Job | None) -> str | None:
    """Why a person cannot have a product announced again; None: it can be."""
    if former is None or job is None:
        return (
            "it was never announced; check its name: `hrsi publication audit --day` counts what "
            "was made"
        )
    if former.state is PublicationState.FAILED:
        return f"the endpoint refused it too often: relaunch job {job.id}"
    if former.state not in ANNOUNCED:
        return f"it is on its way: {former.state}; `hrsi why job {job.id}` says what it waits for"
    if job.status not in {Status.DONE, Status.START_PUBLICATION}:
        return f"job {job.id}, which made it, is {job.status}"
    return None


def announced_again(former: Publication, at: datetime) -> Publication:
    """What a person's wish makes of it; its objects are looked at before it is sent."""
    return replace(
        former,
        state=PublicationState.WAITING,
        send=former.send + 1,
        begun_at=at,
        changed_at=at,
        refusals=0,
        not_before=None,
        note=None,
    )


def replayed(parked: Parked, most_refusals: int, at: datetime) -> NoteRefusal:
    """A parked message as a refusal that has just come. Raises `Malformed` when it names no product
    of ours. Its product is sent again at once: a person has looked.
    """
    product = product_in(parked.body)
    return NoteRefusal(
        at=at,
        product=product,
        message_id=None,
        retries_at=(at,),
        most_refusals=most_refusals,
        message=f"the endpoint refused {product}; its message had been parked",
    )


def may_be_sent(publication: Publication, now: datetime) -> bool:
    """Its objects are verified and it need not wait: it becomes, or is, SENDING."""
    if publication.state is PublicationState.REFUSED:
        return publication.not_before is None or publication.not_before <= now
    return publication.state in {PublicationState.COPIED, PublicationState.SENDING}


def after_sending(publication: Publication, fate: Fate, why: str, at: datetime) -> Publication:
    """What is known once the broker has said something, or nothing."""
    return replace(publication, state=STATE_AFTER[fate], note=why or None, changed_at=at)


def after_refusal(publication: Publication, change: NoteRefusal) -> Publication | None:
    """What a refusal makes of a publication; None when it counts for nothing."""
    if publication.state not in _REFUSABLE:
        return None
    if change.message_id not in {None, publication.message_id}:
        return None
    refusals = publication.refusals + 1
    given_up = refusals >= change.most_refusals
    retry_at = change.retries_at[min(refusals, len(change.retries_at)) - 1]
    return replace(
        publication,
        state=PublicationState.FAILED if given_up else PublicationState.REFUSED,
        send=publication.send if given_up else publication.send + 1,
        refusals=refusals,
        not_before=None if given_up else retry_at,
        note=change.message,
        begun_at=change.at,
        changed_at=change.at,
    )
