"""The store alone: for commands of people, and for migrations."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from controller import bootstrap
from controller.config import Config, through_api
from infra import postgres
from infra.postgres import embedded
from models.access import Tokens
from models.campaigning import Campaigns
from models.composing import GroupPlace
from models.errors import ConfigurationError
from models.feeds import Feeds
from models.office import Office
from models.outbox import Outbox
from models.ports import Operations, Reader
from models.publication import Publication
from web.mint import StoreMint


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


@contextmanager
def at_store(config: Config) -> Iterator[Office]:
    """What people read and order at the database of the settings, for the length of a block."""
    with ExitStack() as opened:
        database = open_database(config, opened)

        def publications(job_id: int) -> tuple[Publication, ...]:
            return tuple(row.publication for row in database.outbox.outgoing(job_id))

        yield Office(
            reader=database.reader,
            operations=database.operations,
            mint=StoreMint(database.tokens),
            publications=publications,
            groups=lambda name, about: database.feeds.groups_about(GroupPlace.named(about), name),
            deployment=lambda: config.deployment,
            logs=lambda: opened.enter_context(bootstrap.job_logs(config, database.reader)),
            preview=lambda changes: bootstrap.previewed(config, changes),
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
    """The database of the settings; an embedded one is started, and ours to migrate.

    Raises `ConfigurationError` where there is a token for the API and no database: nobody who has
    one means an embedded database that knows nothing.
    """
    if through_api(config):
        raise ConfigurationError(
            f"this command works on the database itself, and HRSI_TOKEN leads to the API at "
            f"{config.web.url} only; set DATABASE_URL, or unset HRSI_TOKEN for the embedded "
            "database; docs/guide.md says which commands go through the API"
        )
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
