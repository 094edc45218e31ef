"""What a controller needs of the database, and who works on it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from controller.doctor.findings import Found, checked, clock_found, failed, warning
from controller.doctor.patients import Patients, StorePatient
from models.breakers import BreakerName
from models.checkup import Check, Health
from models.errors import ConfigurationError, HrsiError, System
from models.parameters import newest_by_key, standing
from models.ports import Reader
from models.records import Heartbeat
from models.settings import DEFAULT_SETTINGS, Settings, forgotten_keys, settings_kept
from models.wording import in_utc

ABOUT = System.STORE.value

_REACH = "check DATABASE_URL, or unset it to use the embedded PostgreSQL"
_MIGRATE = "run `hrsi migrate`"
_START = "start `hrsi controller`, on this machine or another"


def store_checks(patient: StorePatient, patients: Patients) -> Iterator[Check]:
    """All checks of the database; those of its tables only when it has the right shape."""
    reached = checked(ABOUT, "version", lambda: _version(patient), _REACH)
    yield reached
    if reached.health is Health.FAILED:
        return
    yield checked(ABOUT, "clock", lambda: clock_found(patient.probe.ahead(), "the database"), "")
    shape = checked(ABOUT, "revision", lambda: _revision(patient), _MIGRATE)
    yield shape
    if shape.health is not Health.OK:
        return
    now = patients.clock.now()
    yield checked(ABOUT, "parameters", lambda: _parameters(patient.reader, now), _MIGRATE)
    for name in BreakerName:
        look = partial(_breaker, patient.reader, name)
        yield checked(ABOUT, f"breaker {name}", look, _MIGRATE)
    for loop in patients.loops:
        yield checked(ABOUT, f"loop {loop}", partial(_loop, patient.reader, loop, now), _MIGRATE)


def _version(patient: StorePatient) -> Found:
    version = patient.probe.version()
    if patient.embedded:
        return Found(what=f"PostgreSQL {version}, embedded: for controllers on this machine alone")
    return Found(what=f"PostgreSQL {version}")


def _revision(patient: StorePatient) -> Found:
    found, newest = patient.probe.revision(), patient.probe.newest_revision()
    if found == newest:
        return Found(what=f"the database is at revision {found}, which this program needs")
    told = f"the database is at revision {found or 'none'}, this program needs {newest}"
    if patient.embedded:
        return warning(told, "any command that works on it brings it there, as `hrsi job list`")
    return failed(told, _MIGRATE)


# ---- parameters ----------------------------------------------------------------------------------


def settings_in_force(reader: Reader, now: datetime) -> Settings:
    """The settings that the history of parameters comes to. Raises `ConfigurationError`."""
    return settings_kept(_in_force(reader, now))


def _in_force(reader: Reader, now: datetime) -> dict[str, Any]:
    stands = (standing(changes, now) for changes in newest_by_key(reader.parameters()).values())
    values = {change.key: change.new for change in stands if change is not None}
    return {key: value for key, value in values.items() if value is not None}


def settings_or_defaults(reader: Reader | None, now: datetime) -> Settings:
    """The settings in force; the defaults when nobody can say, which is a check of its own."""
    try:
        return settings_in_force(reader, now) if reader is not None else DEFAULT_SETTINGS
    except HrsiError:
        return DEFAULT_SETTINGS


def _parameters(reader: Reader, now: datetime) -> Found:
    try:
        settings_in_force(reader, now)
    except ConfigurationError as error:
        return failed(
            f"{error}; controllers go by the last good ones, a new one does not start",
            "put it right with `hrsi param set`; `hrsi param history` says who changed what",
        )
    forgotten = forgotten_keys(_in_force(reader, now))
    if forgotten:
        return warning(
            f"this program has no parameter {', '.join(forgotten)}; what is kept for it counts for "
            "nothing",
            f"take it away with `hrsi param set {forgotten[0]}=default`, once no other version of "
            "the program runs on this database",
        )
    return Found(what="the live parameters are within their bounds and go together")


def _breaker(reader: Reader, name: BreakerName) -> Found:
    found = next((breaker for breaker in reader.breakers() if breaker.name is name), None)
    if found is None:
        return Found(what="closed: nothing is held back by it")
    return failed(
        f"open since {in_utc(found.opened_at)}: {found.because}; deletions, purges "
        "and requeues for absence are held back",
        f"`hrsi breaker list` names the workers, docs/guide.md says what to look at; then "
        f"`hrsi breaker close {name}`",
    )


# ---- who works on it -----------------------------------------------------------------------------


def _loop(reader: Reader, loop: str, now: datetime) -> Found:
    lease = next((lease for lease in reader.leases() if lease.name == loop), None)
    beats = [beat for beat in reader.heartbeats() if beat.loop == loop]
    if lease is None:
        return warning(f"nobody runs it{_last(beats, now)}", _START)
    if lease.expires_at <= now:
        return warning(
            f"{lease.holder} held its lease until {_ago(now - lease.expires_at)} ago and did not "
            f"come back{_last(beats, now)}",
            f"look whether that process hangs or was killed; {_START}",
        )
    standby = sum(beat.holder != lease.holder and now - beat.at < _RECENT for beat in beats)
    others = f", {standby} more stand by" if standby else ""
    return Found(what=f"{lease.holder} runs it, epoch {lease.epoch}{others}")


_RECENT = timedelta(minutes=2)


def _last(beats: list[Heartbeat], now: datetime) -> str:
    newest = max(beats, key=lambda beat: beat.at, default=None)
    return f"; last sign of life {_ago(now - newest.at)} ago" if newest else ""


def _ago(span: timedelta) -> str:
    return str(timedelta(seconds=max(0, round(span.total_seconds()))))
