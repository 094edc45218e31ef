"""What people read, over the HTTP API: as whoever reads in the store."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from operator import attrgetter
from urllib.parse import quote
from uuid import UUID

from infra.api.answers import JobPage, Services, WholeJob
from infra.api.transport import Transport
from models.breakers import Breaker
from models.composing import Group
from models.errors import Malformed, NotFound
from models.listing import JobFilter, JobKey, JobSort, Span, key_of_text, text_of_key
from models.ports import AuditLine, JobStory
from models.publication import Publication
from models.records import Heartbeat, Job, Lease, LedgerRow, ParameterChange, Pause, Worker
from models.wording import no_such_job

PAGE = 1_000
"""So many jobs come with one request."""

SUBJECTS = 100
"""About so many one request may ask for decisions."""

CHANGES = 100_000
"""So many changes of parameters come at most."""

_ID = re.compile(r"[0-9A-Za-z-]{1,36}")
_KEY = re.compile(r"([A-Za-z0-9_.-]{1,100})/([^\x00]{1,200})")

_Query = list[tuple[str, object]]


class ApiReader:
    """`models.ports.Reader` over the HTTP API, for whoever has a token."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def jobs(self, wanted: JobFilter) -> tuple[Job, ...]:
        """See `models.ports.Reader.jobs`: as many pages as that takes."""
        found: list[Job] = []
        while (left := wanted.limit - len(found)) > 0:
            query = _query_of(replace(wanted, limit=min(left, PAGE)))
            page = self._transport.get(JobPage, "/jobs", query)
            found += page.jobs
            if page.next is None:
                break
            wanted = replace(wanted, after=_key(page.next, wanted.sort))
        return tuple(found)

    def story(self, reference: str) -> JobStory:
        """See `models.ports.Reader.story`."""
        return self._whole(reference).story()

    def publications(self, job_id: int) -> tuple[Publication, ...]:
        """The publications of a job, by id. Raises `NotFound`."""
        return self._whole(str(job_id)).publications

    def groups(self, job_type: str, about: str) -> tuple[Group, ...]:
        """The groups of products of a type of job that go by that key, or tile and day."""
        query = [("type", job_type), ("about", about)]
        return self._transport.get(tuple[Group, ...], "/sources/groups", query)

    def _whole(self, reference: str) -> WholeJob:
        if _ID.fullmatch(reference):
            return self._transport.get(WholeJob, f"/jobs/{reference}")
        parts = _KEY.fullmatch(reference)
        if parts is None:
            raise NotFound(no_such_job(reference))
        kind, key = parts.groups()
        try:
            return self._transport.get(WholeJob, "/jobs/by-key", [("type", kind), ("key", key)])
        except NotFound as error:
            raise NotFound(no_such_job(reference)) from error

    def of_unique_ids(self, unique_ids: Sequence[UUID]) -> tuple[Job, ...]:
        """See `models.ports.Reader.of_unique_ids`: one request for each."""
        found: list[Job] = []
        for unique_id in dict.fromkeys(unique_ids):
            try:
                found.append(self.story(str(unique_id)).job)
            except NotFound:
                continue
        return tuple(sorted(found, key=attrgetter("id")))

    def workers(self, *, closed: bool = False) -> tuple[Worker, ...]:
        """See `models.ports.Reader.workers`."""
        return self._transport.get(tuple[Worker, ...], "/workers", [("closed", closed)])

    def ledger(
        self, subjects: Sequence[str], limit: int = 50, span: Span | None = None
    ) -> tuple[LedgerRow, ...]:
        """See `models.ports.Reader.ledger`; what is about many comes with several requests."""
        about = list(dict.fromkeys(subjects))
        query: _Query = [("limit", limit)]
        if span is not None and about:
            query += [("since", span.began.isoformat())]
            query += [("until", span.over.isoformat())] if span.over is not None else []
        rows: list[LedgerRow] = []
        for first in range(0, max(1, len(about)), SUBJECTS):
            some = [("about", subject) for subject in about[first : first + SUBJECTS]]
            rows += self._transport.get(tuple[LedgerRow, ...], "/decisions", [*query, *some])
        return tuple(sorted(rows, key=attrgetter("last_at"), reverse=True)[:limit])

    def standing(self, limit: int) -> tuple[LedgerRow, ...]:
        """See `models.ports.Reader.standing`."""
        query = [("limit", limit)]
        return self._transport.get(tuple[LedgerRow, ...], "/decisions/standing", query)

    def totals(self) -> Mapping[str, int]:
        """See `models.ports.Reader.totals`."""
        return self.services().totals

    def heartbeats(self) -> tuple[Heartbeat, ...]:
        """See `models.ports.Reader.heartbeats`."""
        return self.services().heartbeats

    def leases(self) -> tuple[Lease, ...]:
        """See `models.ports.Reader.leases`."""
        return self.services().leases

    def services(self) -> Services:
        """Who leads and who lives, and of which installation."""
        return self._transport.get(Services, "/services")

    def parameters(self) -> tuple[ParameterChange, ...]:
        """See `models.ports.Reader.parameters`. Raises `Malformed` when not all of them came."""
        found = self._transport.get(
            tuple[ParameterChange, ...], "/parameters/history", [("limit", CHANGES)]
        )
        if len(found) >= CHANGES:
            raise Malformed(f"the API tells no more than {CHANGES} changes of parameters")
        return found

    def pauses(self) -> tuple[Pause, ...]:
        """See `models.ports.Reader.pauses`."""
        return self._transport.get(tuple[Pause, ...], "/pauses")

    def audit(self, about: str | None = None, limit: int = 50) -> tuple[AuditLine, ...]:
        """See `models.ports.Reader.audit`."""
        query: _Query = [("about", about), ("limit", limit)]
        return self._transport.get(tuple[AuditLine, ...], "/audit", query)

    def breakers(self, *, closed: bool = False) -> tuple[Breaker, ...]:
        """See `models.ports.Reader.breakers`."""
        return self._transport.get(tuple[Breaker, ...], "/breakers", [("closed", closed)])


def path_of(reference: str) -> str:
    """Where a job is that is named by its id or unique id."""
    return f"/jobs/{quote(reference, safe='')}"


def _query_of(wanted: JobFilter) -> _Query:
    query: _Query = [("type", each) for each in wanted.types]
    query += [("status", each) for each in wanted.statuses]
    query += [("flavor", each) for each in wanted.flavors]
    query += [("priority", each) for each in wanted.priorities]
    query += [("tile", wanted.tile), ("quarantined", wanted.quarantined)]
    after = None if wanted.after is None else text_of_key(wanted.after)
    return [*query, ("sort", wanted.sort), ("after", after), ("limit", wanted.limit)]


def _key(text: str, sort: JobSort) -> JobKey:
    try:
        return key_of_text(text, sort)
    except ValueError as error:
        raise Malformed(f"the API ends a page with a key of another list: {error}") from error
