"""The catalogues that creation reads, and the area that it reads them for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from controller.campaign_reading import Library, library_of
from controller.config import Config
from controller.config_groups import CreationConfig
from controller.metrics import Metrics
from controller.observe import SWEEP_SHARE, Parameters
from controller.sweeps import Subscriptions, feeds_wanted
from infra.catalogues import CatalogueAccess, ODataCatalogue, RestoCatalogue
from models.areas import area_of_tiles, read_area
from models.catalogue import Catalogue
from models.creation import Area
from models.errors import ConfigurationError, System
from models.ports import Clock


def subscriptions(
    config: Config, metrics: Metrics, parameters: Parameters, clock: Clock, opening: ExitStack
) -> Subscriptions | None:
    """The feeds of the settings; None when they name no catalogue.

    Raises `ConfigurationError` for an area that cannot be, naming file and feature.
    """
    wanted = config.creation
    if not feeds_wanted(wanted):
        return None
    return reading(
        config,
        opening,
        call_deadline=lambda: parameters.settings.passes.call_deadline * SWEEP_SHARE,
        on_request=partial(metrics.http_request, System.CATALOGUE),
        now=clock.now,
    )


def reading(config: Config, opening: ExitStack, **how: Any) -> Subscriptions:
    """The catalogues of the settings, and what is read of them; `how` is that of `CatalogueAccess`.

    Raises `ConfigurationError` for an area that cannot be, and for two catalogues of one name.
    """
    return Subscriptions(
        catalogues=_opened(config.creation, opening, **how),
        feeds=feeds_wanted(config.creation),
        area=area(config.creation),
    )


@contextmanager
def catalogue(config: Config, name: str) -> Iterator[Catalogue]:
    """One catalogue of the settings, for the length of a block."""
    with ExitStack() as opening:
        yield _opened(config.creation, opening)[name]


@contextmanager
def library(config: Config) -> Iterator[Library]:
    """The catalogues of the settings, for the length of a block."""
    with ExitStack() as opening:
        yield library_of(reading(config, opening))


def _opened(
    wanted: CreationConfig, opening: ExitStack, **how: Any
) -> dict[str, ODataCatalogue | RestoCatalogue]:
    """The catalogues of the settings by name."""
    catalogues: dict[str, ODataCatalogue | RestoCatalogue] = {}
    for name, address in _distinct(wanted):
        kind: Callable[[CatalogueAccess], ODataCatalogue | RestoCatalogue] = (
            ODataCatalogue if (name, address) in wanted.odata else RestoCatalogue
        )
        catalogues[name] = kind(CatalogueAccess(name=name, address=address, **how))
        opening.callback(catalogues[name].close)
    return catalogues


def area(wanted: CreationConfig) -> Area:
    """The area of interest, with which of its tiles are in the mountains and which have no ice.

    Raises `ConfigurationError` when there is none, or two.
    """
    return replace(
        _tiles(wanted),
        mountains=_listed(wanted.mountains),
        without_rlie=_listed(wanted.without_rlie),
    )


def _listed(path: str | None) -> frozenset[str]:
    return frozenset(read_area(Path(path).read_bytes(), path).tiles if path else ())


def _tiles(wanted: CreationConfig) -> Area:
    if (wanted.area is None) == (not wanted.tiles):
        raise ConfigurationError(
            "creation.area and creation.tiles: set one of them: a file with GeoJSON or a tile per "
            "line, or the tiles themselves"
        )
    if wanted.area is not None:
        return read_area(Path(wanted.area).read_bytes(), wanted.area)
    try:
        return area_of_tiles(wanted.tiles)
    except ValueError as error:
        raise ConfigurationError(f"creation.tiles: {error}") from error


def _distinct(wanted: CreationConfig) -> Iterator[tuple[str, str]]:
    seen: set[str] = set()
    for name, address in (*wanted.odata, *wanted.resto, *wanted.products):
        if name in seen:
            raise ConfigurationError(f"creation: two catalogues are called {name!r}; rename one")
        seen.add(name)
        yield name, address
