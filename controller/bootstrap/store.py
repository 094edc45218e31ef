"""The store alone: for commands of people, for migrations, and for the HTTP API."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from controller.bootstrap.access import nomad_access
from controller.bootstrap.buckets import access
from controller.clock import SystemClock
from controller.config import Config, require_for_web
from controller.reconcilers import RECONCILERS
from infra import nomad, postgres, s3
from infra.postgres import embedded
from models.access import Tokens
from models.campaigning import Campaigns
from models.feeds import Feeds
from models.objects import Shelf
from models.outbox import Outbox
from models.ports import (
    Operations,
    Reader,
)
from web.desk import Desk
from web.log_reader import LogReader
from web.places import Places


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


@contextmanager
def desk(config: Config) -> Iterator[Desk]:
    """What the HTTP API works with, for the length of a block.

    Raises `ConfigurationError` for settings that cannot work.
    """
    require_for_web(config)
    with ExitStack() as opened:
        database = open_database(config, opened)
        live = nomad.connect_files(nomad_access(config))
        opened.callback(live.close)
        yield Desk(
            deployment=config.deployment,
            loops=tuple(each.name for each in RECONCILERS),
            reader=database.reader,
            operations=database.operations,
            reports=database.reports,
            tokens=database.tokens,
            feeds=database.feeds,
            clock=SystemClock(),
            outbox=database.outbox,
            token_key=token_key(config),
            live=live,
            places=_places(config),
            logs=LogReader(live, _shelf(config, opened)),
        )


def _shelf(config: Config, opened: ExitStack) -> Shelf | None:
    """The results bucket, where one is set."""
    if config.s3.endpoint is None or config.s3.results is None:
        return None
    opens, bucket = access(config)
    store = s3.connect(opens)
    opened.callback(store.close)
    return Shelf(store=store, bucket=bucket)


def _places(config: Config) -> Places:
    """What links are made of."""
    return Places(
        nomad_ui=config.web.nomad_ui or config.nomad.address,
        bucket_ui=config.web.bucket_ui,
        bucket=config.s3.results,
        rclone_remote=config.web.rclone_remote,
    )


def token_key(config: Config) -> bytes:
    """The key of the run tokens."""
    return config.runs.token_key.reveal().encode()
