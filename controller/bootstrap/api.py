"""What the HTTP API works with."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from controller.bootstrap.access import nomad_access
from controller.bootstrap.buckets import access
from controller.bootstrap.store import open_database, token_key
from controller.clock import SystemClock
from controller.config import Config, require_for_web
from controller.reconcilers import RECONCILERS
from infra import nomad, s3
from models.objects import Shelf
from web.desk import Desk
from web.log_reader import LogReader
from web.places import Places


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
