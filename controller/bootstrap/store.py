"""The store alone: for commands of people, and for migrations."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from controller.config import Config
from infra import postgres
from infra.postgres import embedded
from models.access import Tokens
from models.campaigning import Campaigns
from models.feeds import Feeds
from models.outbox import Outbox
from models.ports import Operations, Reader


@dataclass(frozen=True, kw_only=True, slots=True)
class People:
    """The store as people use it."""

    operations: Operations
    reader: Reader
    tokens: Tokens
    feeds: Feeds
    campaigns: Campaigns
    outbox: Outbox


@contextmanager
def people(config: Config) -> Iterator[People]:
    """The store for people, for the length of a block."""
    with ExitStack() as opened:
        database = open_database(config, opened)
        yield people_of(database)


def people_of(database: postgres.Postgres) -> People:
    """A database as people use it."""
    return People(
        operations=database.operations,
        reader=database.reader,
        tokens=database.tokens,
        feeds=database.feeds,
        campaigns=database.campaigns,
        outbox=database.outbox,
    )


def migrate(config: Config, revision: str = "head", *, down: bool = False) -> str:
    """Bring the database to the shape of a revision; with `down` undo what came after it.

    The revision that it is at now.
    """
    with ExitStack() as opened:
        database = open_database(config, opened)
        return database.downgrade(revision) if down else database.migrate(revision)


def open_database(
    config: Config, opened: ExitStack, live_deadline: Callable[[], timedelta] | None = None
) -> postgres.Postgres:
    """The database of the settings; an embedded one is started, and ours to migrate."""
    url = config.database.url.reveal()
    server = None
    if not url:
        server = embedded.start(Path(config.database.directory))
        opened.callback(server.stop)
        url = server.url
    database = postgres.connect(
        url, pool_size=config.database.connections, live_deadline=live_deadline
    )
    opened.callback(database.dispose)
    if server is not None:
        database.migrate()
    return database


def token_key(config: Config) -> bytes:
    """The key of the run tokens."""
    return config.runs.token_key.reveal().encode()
