"""What the HTTP API works with."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager

from controller import bootstrap
from controller.bootstrap.access import nomad_access
from controller.bootstrap.buckets import access
from controller.bootstrap.catalogues import area, library
from controller.bootstrap.store import open_database, token_key
from controller.campaign_reading import offers_of
from controller.campaigning import foretold
from controller.clock import SystemClock
from controller.config import Config, require_for_controller, require_for_web
from controller.reconcilers import RECONCILERS
from infra import nomad, s3
from infra.postgres import Postgres
from models.campaigns import Campaign
from models.errors import ConfigurationError
from models.log_reading import JobLogs
from models.objects import Shelf
from models.parameter_text import standings
from models.ports import Reader
from models.previews import Previewed, Previewer
from models.settings import settings_kept
from web.desk import Desk, Reprocessing
from web.log_reader import LogReader, StoreLogs
from web.places import Places

FORETELL_SECONDS = 20.0
"""How long a request may read a catalogue to say what a campaign would come to."""


@contextmanager
def desk(config: Config, environment: Mapping[str, str] | None = None) -> Iterator[Desk]:
    """What the HTTP API works with, for the length of a block; `environment` is where previews find
    the cloud's credentials, else that of the process.

    Raises `ConfigurationError` for settings that cannot work.
    """
    require_for_web(config)
    with ExitStack() as opened:
        database = open_database(config, opened)
        live = _live(config, opened)
        yield Desk(
            deployment=config.deployment,
            loops=tuple(each.name for each in RECONCILERS),
            reader=database.reader,
            operations=database.operations,
            reports=database.reports,
            tokens=database.tokens,
            feeds=database.feeds,
            campaigns=database.campaigns,
            clock=SystemClock(),
            outbox=database.outbox,
            token_key=token_key(config),
            live=live,
            preview=previewer(config, environment),
            places=_places(config),
            logs=LogReader(live, _shelf(config, opened)),
            reprocessing=_reprocessing(config, database),
        )


@contextmanager
def job_logs(config: Config, reader: Reader) -> Iterator[JobLogs]:
    """The logs of the jobs of a store, from Nomad and the results bucket, for the length of a
    block.
    """
    with ExitStack() as opened:
        shelf = _shelf(config, opened)
        yield StoreLogs(reader, LogReader(_live(config, opened), shelf))


def _live(config: Config, opened: ExitStack) -> nomad.NomadFiles:
    live = nomad.connect_files(nomad_access(config))
    opened.callback(live.close)
    return live


def _reprocessing(config: Config, database: Postgres) -> Reprocessing:
    """What campaigns are made with; nothing where the settings name no catalogue."""
    wanted, clock = config.creation, SystemClock()
    offers = offers_of(wanted)
    if not any(offer.names for offer in offers.values()):
        return Reprocessing(offers=offers)

    def foretell(campaign: Campaign) -> Campaign:
        ends = clock.monotonic() + FORETELL_SECONDS
        live = standings(database.reader.parameters(), clock.now())
        settings = settings_kept({each.parameter.key: each.value for each in live}).creation
        with library(config) as opened:
            reader = opened.reader_of(campaign.order, clock)
            for part in foretold(campaign, reader, database.feeds, settings):
                campaign = part
                if clock.monotonic() >= ends:
                    break
        return campaign

    return Reprocessing(offers=offers, tiles=area(wanted).tiles, foretold=foretell)


def previewer(config: Config, environment: Mapping[str, str] | None = None) -> Previewer | None:
    """What previews parameters, one request after the other: each looks at everything there is.

    None where the settings are not those of a controller.
    """
    try:
        require_for_controller(config)
    except ConfigurationError:
        return None
    turn = threading.Lock()

    def ask(changes: Mapping[str, float | None]) -> Previewed:
        with turn:
            return bootstrap.previewed(config, changes, environment)

    return ask


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
