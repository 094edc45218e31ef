"""Campaigns: what people ask for, and one transaction for each part of one."""

from __future__ import annotations

from collections.abc import Mapping

from psycopg.types.json import Jsonb
from sqlalchemy import Connection, case, func, insert, select, text, update

from infra.postgres import trail
from infra.postgres.feeds import keep
from infra.postgres.jobs import Note
from infra.postgres.people import add, cancel, rows_of
from infra.postgres.rows import Row
from infra.postgres.sessions import Sessions
from infra.postgres.view import clock
from models.campaigning import TURNS, judged, subject_of
from models.campaigns import (
    OPEN,
    WAITING,
    AdvanceCampaign,
    Begun,
    Campaign,
    CampaignOrder,
    CampaignState,
    Part,
    Tally,
)
from models.errors import NotFound, Superseded
from models.lifecycle import Status
from models.ports import Asked, Receipt, Verdict
from models.records import Lease
from models.tables import campaign_jobs, campaigns, jobs

_MOST = 1000
_COLUMNS = tuple(campaigns.c)

_OPEN_ONES = select(*_COLUMNS).where(campaigns.c.state.in_(OPEN)).order_by(campaigns.c.id)
_ONE_AT_A_TIME = text("lock table campaigns in share row exclusive mode")

_BELONG = text("""
insert into campaign_jobs (campaign, job_id)
  select :campaign, job_id from jsonb_array_elements_text(:ids) as given (id)
  cross join lateral (select cast(id as bigint) as job_id) as numbered
""")


def advance_campaign(connection: Connection, fence: Lease, change: AdvanceCampaign) -> Receipt:
    """See `models.campaigns.AdvanceCampaign`."""
    columns, part, tally = campaigns.c, change.part, change.part.tally
    note = Note(at=change.at, actor=fence.name)
    _hold(connection, change.part)
    added = add(connection, rows_of(part.jobs, change.flavors), note, Status.INITIALIZED)
    if added:
        belong = {"campaign": part.campaign_id, "ids": Jsonb(added)}
        connection.execute(_BELONG, belong)
    keep(connection, part.rejected, change.at)
    is_over = columns.until <= part.reached
    connection.execute(
        update(campaigns)
        .where(columns.id == part.campaign_id)
        .values(
            reached=part.reached,
            listed=columns.listed + tally.listed,
            created=columns.created + len(added),
            existing=columns.existing + tally.existing + len(part.jobs) - len(added),
            left_out=columns.left_out + tally.left_out,
            rejected=columns.rejected + tally.rejected,
            state=case((is_over, CampaignState.DONE), else_=columns.state),
            ended_at=case((is_over, change.at), else_=None),
        )
    )
    return Receipt(created=len(added))


def _hold(connection: Connection, part: Part) -> None:
    """Lock the campaign. Raises `Superseded` when it has moved, or a person has stopped it."""
    columns = campaigns.c
    query = select(columns.id).where(
        columns.id == part.campaign_id,
        columns.state == CampaignState.RUNNING,
        columns.reached == part.expected,
    )
    if connection.execute(query.with_for_update()).one_or_none() is None:
        raise Superseded(
            f"campaign {part.campaign_id} does not run from {part.expected} on any more: "
            "nothing was added"
        )


class PostgresCampaigns:
    """`models.campaigns.Campaigns` in PostgreSQL."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    def begin_campaign(self, order: CampaignOrder, asked: Asked) -> Begun:
        """See `models.campaigns.Campaigns.begin_campaign`."""
        begun = insert(campaigns).values(
            type=order.job_type,
            source=order.source,
            since=order.since,
            until=order.until,
            tiles=list(order.tiles),
            again=order.again,
            state=CampaignState.RUNNING,
            reached=order.since,
            asked_by=asked.actor,
            reason=asked.reason,
        )
        with self._sessions.write("begin a campaign") as connection:
            # Who asks for the same at the same time has to see this one.
            connection.execute(_ONE_AT_A_TIME)
            for row in connection.execute(_OPEN_ONES):
                if (same := _campaign(row)).order.is_same(order):
                    return Begun(campaign=same, is_new=False)
            made = connection.execute(begun.returning(*_COLUMNS)).one()
            campaign = _campaign(made)
            trail.note(connection, "begin_campaign", asked, [subject_of(campaign.id)])
            return Begun(campaign=campaign, is_new=True)

    def campaigns(self, *, ended: bool = False) -> tuple[Campaign, ...]:
        """See `models.campaigns.Campaigns.campaigns`."""
        newest = select(*_COLUMNS).order_by(campaigns.c.id.desc()).limit(_MOST)
        query = newest if ended else _OPEN_ONES
        with self._sessions.read("list campaigns") as connection:
            return tuple(_campaign(row) for row in connection.execute(query))

    def campaign(self, campaign_id: int) -> Campaign:
        """See `models.campaigns.Campaigns.campaign`."""
        with self._sessions.read(f"read campaign {campaign_id}") as connection:
            found = _find(connection, campaign_id)
        if found is None:
            raise NotFound(f"there is no campaign {campaign_id}; `hrsi campaign list --all`")
        return found

    def jobs_of_campaign(self, campaign_id: int) -> Mapping[Status, int]:
        """See `models.campaigns.Campaigns.jobs_of_campaign`."""
        query = (
            select(jobs.c.status, func.count())
            .join(campaign_jobs, campaign_jobs.c.job_id == jobs.c.id)
            .where(campaign_jobs.c.campaign == campaign_id)
            .group_by(jobs.c.status)
        )
        with self._sessions.read(f"count the jobs of campaign {campaign_id}") as connection:
            found = {row[0]: row[1] for row in connection.execute(query)}
        return {status: found[status] for status in Status if status in found}

    def cancel_waiting_jobs(self, campaign_id: int, limit: int, asked: Asked) -> int:
        """See `models.campaigning.Campaigns.cancel_waiting_jobs`."""
        query = (
            select(jobs.c.id)
            .join(campaign_jobs, campaign_jobs.c.job_id == jobs.c.id)
            .where(campaign_jobs.c.campaign == campaign_id, jobs.c.status.in_(WAITING))
            .order_by(jobs.c.id)
            .limit(limit)
            .with_for_update(of=jobs)
        )
        with self._sessions.write(f"cancel jobs of campaign {campaign_id}") as connection:
            # Locked, they cannot leave the statuses that they were found in.
            ids = tuple(connection.execute(query).scalars())
            verdicts = cancel(connection, ids, asked)
            trail.note(connection, "cancel", asked, trail.done(verdicts))
            return len(ids)

    def turn_campaign(self, campaign_id: int, to: CampaignState, asked: Asked) -> Verdict:
        """See `models.campaigns.Campaigns.turn_campaign`."""
        with self._sessions.write(f"turn campaign {campaign_id}") as connection:
            verdict = judged(campaign_id, _find(connection, campaign_id, lock=True), to)
            if verdict.done and not asked.dry_run:
                ended_at = None if to in OPEN else clock(connection)
                turned = update(campaigns).where(campaigns.c.id == campaign_id)
                connection.execute(turned.values(state=to, ended_at=ended_at))
                trail.note(connection, TURNS[to], asked, [verdict.subject])
            return verdict


def _find(connection: Connection, campaign_id: int, *, lock: bool = False) -> Campaign | None:
    query = select(*_COLUMNS).where(campaigns.c.id == campaign_id)
    row = connection.execute(query.with_for_update() if lock else query).one_or_none()
    return None if row is None else _campaign(row)


def _campaign(row: Row) -> Campaign:
    (
        campaign_id,
        job_type,
        source,
        since,
        until,
        tiles,
        again,
        state,
        reached,
        listed,
        created,
        existing,
        left_out,
        rejected,
        asked_by,
        reason,
        created_at,
        ended_at,
    ) = row
    return Campaign(
        id=campaign_id,
        order=CampaignOrder(
            job_type=job_type,
            source=source,
            since=since,
            until=until,
            tiles=tuple(tiles),
            again=again,
        ),
        state=CampaignState(state),
        reached=reached,
        tally=Tally(
            listed=listed,
            created=created,
            existing=existing,
            left_out=left_out,
            rejected=rejected,
        ),
        asked_by=asked_by,
        reason=reason,
        created_at=created_at,
        ended_at=ended_at,
    )
