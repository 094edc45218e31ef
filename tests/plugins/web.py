"""The HTTP API, listening, on a real PostgreSQL: for tests that speak to it as others do."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import pytest
import urllib3

from controller.clock import SystemClock
from infra.api import ApiReports, connect
from infra.postgres import Postgres
from models.access import Role
from models.lifecycle import Status
from models.payload import run_token
from models.ports import Asked, Claim, Placement, RunResult
from web.desk import Desk as Behind
from web.mint import make
from web.serve import Identity, WebServer

KEY = b"0123456789abcdef0123456789abcdef"
ASKED = Asked(actor="ada@desk", reason="a test")


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What the API answered."""

    status: int
    kind: str
    headers: Mapping[str, str]
    body: Any


class Api:
    """The API at an address, and the database behind it."""

    def __init__(self, server: WebServer, database: Postgres) -> None:
        self.url = server.url
        self.database = database
        self._server = server
        self._pool = urllib3.PoolManager(retries=False, timeout=120)

    def ask(self, method: str, path: str, token: str | None = None, body: Any = None) -> Answer:
        """Send one request below `/api/v1`."""
        return self.ask_raw(method, f"/api/v1{path}", token, body)

    def ask_raw(self, method: str, path: str, token: str | None = None, body: Any = None) -> Answer:
        """Send one request."""
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        given = self._pool.request(method, self.url + path, json=body, headers=headers)
        return Answer(
            status=given.status,
            kind=given.headers.get("Content-Type", ""),
            headers=given.headers,
            body=json.loads(given.data) if given.data else None,
        )

    def token(self, role: Role, name: str | None = None) -> str:
        """A good token of this role."""
        made = make(self.database.tokens, name or role.value, role, ASKED)
        assert made.token is not None, made.verdict.because
        return made.token

    def forgive(self) -> None:
        """Forget the wrong tokens that came from here: a minute passes, as it were."""
        self._server.app.state.failures.forget()

    def close(self) -> None:
        """Close the connections that are kept."""
        self._pool.clear()


class ReportsByApi:
    """`RunReports` of every run over the API, each with the token of its own."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._opened: dict[UUID, ApiReports] = {}

    def claim(self, run_id: UUID, placement: Placement) -> Claim:
        """See `models.ports.RunReports.claim`."""
        return self._of(run_id).claim(run_id, placement)

    def report(self, run_id: UUID, claim: int, status: Status, message: str = "") -> None:
        """See `models.ports.RunReports.report`."""
        self._of(run_id).report(run_id, claim, status, message)

    def end(self, run_id: UUID, claim: int, result: RunResult) -> None:
        """See `models.ports.RunReports.end`."""
        self._of(run_id).end(run_id, claim, result)

    def _of(self, run_id: UUID) -> ApiReports:
        if run_id not in self._opened:
            self._opened[run_id] = connect(self._url, run_token(KEY, run_id))
        return self._opened[run_id]

    def close(self) -> None:
        """Close the connections that are kept."""
        for reports in self._opened.values():
            reports.close()


@contextmanager
def serving(
    database: Postgres, key: bytes = KEY, *, identity: Identity | None = None, **behind: Any
) -> Iterator[Api]:
    """The API over this database, for the length of a block; `behind` is what else its desk has."""
    desk = Behind(
        deployment="test",
        loops=("creation", "execution", "monitor", "worker-pool"),
        reader=database.reader,
        operations=database.operations,
        reports=database.reports,
        tokens=database.tokens,
        feeds=database.feeds,
        campaigns=database.campaigns,
        clock=SystemClock(),
        token_key=key,
        outbox=database.outbox,
        **behind,
    )
    server = WebServer(desk, "127.0.0.1", 0, identity)
    server.start()
    api = Api(server, database)
    yield api
    api.close()
    server.stop()


@pytest.fixture
def api(own_database: Postgres) -> Iterator[Api]:
    """The API over a database of this test's own."""
    with serving(own_database) as made:
        yield made
