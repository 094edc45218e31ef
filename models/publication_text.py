"""How the announcement of a product stands, in a sentence for people. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from models.lifecycle import Status
from models.publication import Publication, PublicationState
from models.records import Job
from models.wording import counted, in_utc


def standing_of(job: Job, publications: Iterable[Publication], sends: int) -> Iterator[str]:
    """A sentence about each product of a job that is being published, or gave up over it.

    `sends` is how often the endpoint may refuse one.
    """
    if job.status is Status.PROCESSED:
        yield "Its publication has not begun: that is what the publication loop does next"
        return
    if job.status is Status.START_PUBLICATION or job.quarantined:
        yield from (f"{each.product} {_stands(each, sends)}" for each in publications)


def _stands(found: Publication, sends: int) -> str:
    told = f": {found.note}" if found.note else ""
    since = f"since {in_utc(found.changed_at)}"
    match found.state:
        case PublicationState.WAITING:
            return f"waits {since} for its objects to be copied into the product bucket"
        case PublicationState.COPIED:
            return f"lies in the product bucket {since}; its message waits to be sent"
        case PublicationState.SENDING:
            return (
                f"waits {since} for the broker to confirm send {found.send}; until then it is sent "
                f"again under the same id{told}"
            )
        case PublicationState.REFUSED:
            again = f" at {in_utc(found.not_before)}" if found.not_before else ""
            return (
                f"was refused {found.refusals} of {sends} times; it is sent again{again}, as send "
                f"{found.send}{told}"
            )
        case PublicationState.FAILED:
            return (
                f"was refused {counted(found.refusals, 'time')} and given up; once the endpoint is "
                f"mended, `hrsi job relaunch {found.job_id}` announces it again{told}"
            )
        case PublicationState.CONFIRMED:
            return f"is confirmed {since}"
        case _:
            return f"is written to a file {since}, for no broker is set"
