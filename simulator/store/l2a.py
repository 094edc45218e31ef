"""L2A in the data bucket: which there are, and how one is given up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from models.configuration import REFERENCE, REFERENCE_AGE
from models.errors import Superseded
from models.l2a import ForgetL2a, GiveUpL2a, L2a, L2aState
from models.lifecycle import FINAL, UNREADY
from models.ports import Receipt
from models.records import Lease
from simulator.store.configuration import Member, made_l2a, members
from simulator.store.tables import Tables


def l2as(tables: Tables, after: int, most: int) -> tuple[L2a, ...]:
    """See `models.l2a.L2as.l2as`."""
    there = sorted(place.job_id for place in tables.l2as.of(True) if place.job_id > after)
    return tuple(_l2a(tables, job_id) for job_id in there[:most])


def _l2a(tables: Tables, job_id: int) -> L2a:
    place, found = tables.series[job_id], members(tables, tables.series[job_id])
    [own] = (at for at, each in enumerate(found) if each.place.job_id == job_id)
    later = next((each for each in found[own + 1 :] if is_begun_with(each)), None)
    assert place.l2a is not None
    return L2a(
        job=tables.jobs[job_id],
        sensing_at=place.sensing_at,
        path=str(tables.configs[job_id]["l2a_path_out"]),
        state=place.l2a,
        made=made_l2a(found[own].made),
        later=later.place.job_id if later is not None else None,
        wanted_by=_wanted_by(tables, found[own], found, later),
    )


def is_begun_with(each: Member) -> bool:
    """Others may begin with what it made."""
    return each.place.l2a is L2aState.KEPT and made_l2a(each.made)


def _wanted_by(
    tables: Tables, own: Member, found: Sequence[Member], later: Member | None
) -> int | None:
    begin, end = own.place.sensing_at, own.place.sensing_at + REFERENCE_AGE
    for each in found:
        job = tables.jobs[each.place.job_id]
        if not begin < each.place.sensing_at <= end or job.status in FINAL or job.quarantined:
            continue
        first = later is None or each.place.sensing_at <= later.place.sensing_at
        would = made_l2a(own.made) and job.status in UNREADY and first
        if would or each.made.config.get(REFERENCE) == own.place.job_id:
            return job.id
    return None


def give_up_l2a(tables: Tables, fence: Lease, change: GiveUpL2a) -> Receipt:
    """See `models.l2a.GiveUpL2a`."""
    place = tables.series.get(change.job_id)
    there = place is not None and place.l2a is not None
    if place is None or not there or not _l2a(tables, change.job_id).may_go(change.before):
        raise Superseded(f"the L2A of job {change.job_id} is not to go any more; it stays")
    tables.open_intent(change.intent, fence)
    tables.series.put(place.job_id, replace(place, l2a=L2aState.GOING))
    return Receipt()


def forget_l2a(tables: Tables, _fence: Lease, change: ForgetL2a) -> Receipt:
    """See `models.l2a.ForgetL2a`."""
    place = tables.series.get(change.job_id)
    if place is not None and place.l2a is L2aState.GOING:
        tables.series.put(place.job_id, replace(place, l2a=None))
    return Receipt()
