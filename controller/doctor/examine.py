"""All checks, system by system."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from controller.doctor.catalogues import ABOUT as CATALOGUE
from controller.doctor.catalogues import catalogue_checks
from controller.doctor.cloud import ABOUT as CLOUD
from controller.doctor.cloud import cloud_checks
from controller.doctor.nomad import ABOUT as NOMAD
from controller.doctor.nomad import nomad_checks
from controller.doctor.patients import (
    CloudPatient,
    NomadPatient,
    Patients,
    PressPatient,
    StorePatient,
)
from controller.doctor.press import OBJECTS, press_checks
from controller.doctor.store import ABOUT as STORE
from controller.doctor.store import settings_or_defaults, store_checks
from controller.sweeps import Subscriptions
from models.checkup import Check, Health
from models.errors import ConfigurationError

SETTINGS = "settings"


def examine(patients: Patients) -> Iterator[Check]:
    """Look at everything, one check after the other."""
    yield _settings(patients.incomplete)
    store = patients.store
    if isinstance(store, StorePatient):
        yield from store_checks(store, patients)
    else:
        yield _unopened(STORE, store) if store is not None else _unmade()
    if isinstance(patients.nomad, NomadPatient):
        yield from nomad_checks(patients.nomad, patients.site)
    else:
        yield _unopened(NOMAD, patients.nomad)
    if isinstance(patients.cloud, CloudPatient):
        reader = store.reader if isinstance(store, StorePatient) else None
        settings = settings_or_defaults(reader, patients.clock.now())
        yield from cloud_checks(patients.cloud, patients.site, patients.registry, settings.pool)
    else:
        yield _unopened(CLOUD, patients.cloud)
    if isinstance(patients.press, PressPatient):
        outbox = store.outbox if isinstance(store, StorePatient) else None
        yield from press_checks(patients.press, outbox, patients.clock.now())
    elif patients.press is not None:
        yield _unopened(OBJECTS, patients.press)
    if isinstance(patients.catalogues, Subscriptions):
        yield from catalogue_checks(patients.catalogues, patients.clock.now())
    elif patients.catalogues is not None:
        yield _unopened(CATALOGUE, patients.catalogues)


def worst(checks: Iterable[Check]) -> Health:
    """The health of the whole: that of its worst part."""
    found = {check.health for check in checks}
    return max(found, key=list(Health).index, default=Health.OK)


def _settings(incomplete: ConfigurationError | None) -> Check:
    if incomplete is None:
        return Check(
            about=SETTINGS, name="complete", health=Health.OK, found="a controller can start"
        )
    return Check(
        about=SETTINGS,
        name="complete",
        health=Health.FAILED,
        found="; ".join(str(incomplete).splitlines()),
        remedy="set what is missing in hrsi.toml or in the environment",
    )


def _unopened(about: str, error: ConfigurationError) -> Check:
    return Check(
        about=about,
        name="settings",
        health=Health.FAILED,
        found=str(error),
        remedy="correct the setting that is named",
    )


def _unmade() -> Check:
    return Check(
        about=STORE,
        name="version",
        health=Health.WARNING,
        found="there is no embedded database yet",
        remedy="the first command that works on one makes it; or set DATABASE_URL",
    )
