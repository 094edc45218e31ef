"""From a catalogue over HTTP to ready jobs in PostgreSQL, and what people see and do about it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from controller.clock import SystemClock
from models.composing import ComposeJobs, Group
from models.creation import CreateJobs, Cursor, Feed
from models.errors import ConfigurationError
from models.lifecycle import Status
from models.ports import JobFilter
from simulator.catalogues.listing import Disorder, Listed, listing
from simulator.catalogues.memory import strangeness
from simulator.catalogues.state import SimulatedCatalogue
from simulator.catalogues.web import serve_catalogue
from simulator.faults import Fault, Faults
from tests.plugins.catalogues import TILES
from tests.plugins.installation import Installation

pytestmark = pytest.mark.integration

OPTICAL = "creodias/SENTINEL-2/S2MSI1C"
RADAR = "creodias/SENTINEL-1/IW_GRDH_1S"
EVERYTHING = JobFilter(limit=1000)
DAYS = timedelta(days=1)


class Reading:
    """An installation that reads a catalogue of the last days."""

    def __init__(self, place: Installation, entries: list[Listed], url: str) -> None:
        self.place = place
        self.entries = entries
        place.environment.update(
            HRSI_CREATION_ODATA=f"creodias={url}", HRSI_CREATION_TILES=",".join(TILES)
        )

    def understood(self) -> set[str]:
        """The names of all products that are there to be understood."""
        return {e.product.name for e in self.entries if strangeness(e) is None}

    def images_of(self, tile: str) -> list[str]:
        """The names of the images of a tile, by when they were taken."""
        return sorted((n for n in self.understood() if f"_T{tile}_" in n), key=lambda n: n[11:26])

    def keys(self) -> list[str]:
        """The keys of all jobs."""
        return [job.key for job in self.place.database.reader.jobs(EVERYTHING)]


@pytest.fixture
def faults() -> Faults:
    """What goes wrong with the catalogue."""
    return Faults()


@pytest.fixture
def reading(installation: Installation, faults: Faults) -> Iterator[Reading]:
    """A catalogue that holds the last four days, in some disorder, and whoever reads it.

    What was seen in those days is another on every date: only what holds on each of them is said.
    """
    now = datetime.now(UTC)
    found = listing(TILES, now - 5 * DAYS, now - DAYS, disorder=Disorder(nonsense=1, doubled=0.3))
    entries = [e for e in found if max(e.visible_at, e.product.published_at) < now]
    with serve_catalogue(SimulatedCatalogue("creodias", SystemClock(), entries), faults) as server:
        yield Reading(installation, entries, server.url)


def test_every_product_of_a_catalogue_is_a_job_once_and_is_configured(reading: Reading) -> None:
    reading.place.one_pass("creation")
    assert sorted(reading.keys()) == sorted(reading.understood())
    jobs = reading.place.database.reader.jobs(EVERYTHING)
    assert {job.status for job in jobs} == {Status.INITIALIZED}
    reading.place.one_pass("configuration")
    jobs = reading.place.database.reader.jobs(EVERYTHING)
    assert {job.type for job in jobs} == {"fsc_rlie", "rlies1"}
    waiting = {job.key for job in jobs if job.status is Status.CONFIGURED}
    assert waiting == {key for tile in TILES for key in reading.images_of(tile)[1:]}
    assert {job.status for job in jobs if job.key not in waiting} == {Status.READY}
    reading.place.one_pass("creation")
    assert len(reading.keys()) == len(reading.understood())
    told = reading.place.type("source", "list", "--json").json
    assert [row["feed"] for row in told] == [RADAR, OPTICAL]
    assert all(row["until"] for row in told)
    assert "looked far back at" in reading.place.type("source", "list").out


def test_a_feed_is_shown_with_what_it_brings_and_why(reading: Reading) -> None:
    place = reading.place
    assert "never read" in place.type("source", "show", OPTICAL).out
    place.one_pass("creation")
    shown = place.type("source", "show", OPTICAL, "--json").json
    optical = [name for name in reading.understood() if "_MSIL1C_" in name]
    assert [(each["type"], each["jobs"]) for each in shown["brought"]] == [
        ("fsc_rlie", len(optical))
    ]
    assert shown["brought"][0]["least"] > 0
    assert shown["rejected"] > 0
    assert 0 <= shown["lag_seconds"] < 3600
    assert [row["reason"] for row in shown["reasons"]] == ["PRODUCTS_NEW"]
    told = place.type("source", "show", OPTICAL).out
    assert f"fsc_rlie: {len(optical)} jobs in the last 24 h; 400 to 600 are ordinary" in told
    assert place.type("source", "show", "creodias").status != 0


def test_groups_of_products_that_wait_are_listed_with_what_for(reading: Reading) -> None:
    store = reading.place.database.store
    lease, now = store.acquire("creation", "test", DAYS), datetime.now(UTC).replace(microsecond=0)
    assert lease is not None
    group = Group(
        job_type="gfsc", key="32TLR-day", day=now.date(), tiles=("32TLR",), due_at=now - DAYS
    )
    cursor = Cursor(feed=Feed.named(OPTICAL), until=now, deep_at=now)
    opened = CreateJobs(at=now, cursor=cursor, expected=None, flavors={}, groups=(group,))
    store.commit(lease, opened)
    waits = replace(group, due_at=now + DAYS, waits="for SWS and WDS", waits_since=now)
    store.commit(lease, ComposeJobs(at=now, groups=(waits,), flavors={}))
    told = reading.place.type("source", "groups", "--json")
    assert told.status == 0, told.refused
    (row,) = told.json
    assert (row["key"], row["waits"]) == ("32TLR-day", "for SWS and WDS")
    shown = reading.place.type("source", "groups", "--type", "gfsc").out
    assert "32TLR-day" in shown
    assert "for SWS and WDS" in shown
    assert reading.place.type("source", "groups", "--type", "sws_wds", "--json").json == []


def test_a_plan_says_what_would_be_added_and_adds_nothing(reading: Reading) -> None:
    told = reading.place.type("plan")
    assert f"+ add what {OPTICAL} lists: " in told.out, told.refused
    assert "to create" in told.out
    assert reading.keys() == []
    assert reading.place.database.feeds.cursors() == ()


def test_what_nobody_understands_is_kept_and_holds_nothing_up(reading: Reading) -> None:
    strange = {e.title for e in reading.entries if strangeness(e) is not None}
    assert strange
    reading.place.one_pass("creation")
    reading.place.one_pass("creation")
    told = reading.place.type("source", "rejects", "--json").json
    assert {row["entry"]["entry"] for row in told} == strange
    assert {row["count"] for row in told} == {1}
    assert all(row["entry"]["entry"] in row["entry"]["text"] for row in told)
    shown = reading.place.type("source", "rejects", "creodias", "--limit", "1").out
    assert "no Sentinel product name" in shown
    assert len(reading.keys()) == len(reading.understood())


def test_a_catalogue_that_is_away_is_told_and_read_when_it_is_back(
    reading: Reading, faults: Faults
) -> None:
    faults.order("catalogue.page", Fault.LOST_REPLY, times=100)
    reading.place.one_pass("creation")
    assert reading.keys() == []
    rows = reading.place.database.reader.ledger((f"source:{OPTICAL}",))
    assert [row.reason for row in rows] == ["SOURCE_UNKNOWN"]
    faults.clear()
    reading.place.one_pass("creation")
    assert sorted(reading.keys()) == sorted(reading.understood())


def test_a_person_rewinds_a_feed_and_nothing_is_made_twice(reading: Reading) -> None:
    place = reading.place
    assert "never read" in place.type("source", "list").out
    refused = place.type("source", "rewind", OPTICAL, "--to", "2026-01-05")
    assert (refused.status, "never read" in refused.out) == (1, True)
    place.one_pass("creation")
    before = reading.keys()
    back = (datetime.now(UTC) - 4 * DAYS).date().isoformat()
    tried = place.type("source", "rewind", OPTICAL, "--to", back, "--dry-run")
    assert "would be rewound" in tried.out
    done = place.type("source", "rewind", OPTICAL, "--to", back, "--reason", "a test")
    assert "met again" in done.out
    rows = place.type("source", "list", "--json").json
    assert next(row for row in rows if row["feed"] == OPTICAL)["until"].startswith(back)
    assert [row["action"] for row in place.type("audit", "--json").json] == ["rewind"]
    place.one_pass("creation")
    assert reading.keys() == before


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        pytest.param(("creodias", "--to", "2026-01-05"), "is no feed", id="half-a-name"),
        pytest.param((OPTICAL, "--to", "yesterday"), "is no time", id="no-time"),
    ],
)
def test_what_makes_no_sense_is_refused(
    installation: Installation, arguments: tuple[str, ...], says: str
) -> None:
    refused = installation.type("source", "rewind", *arguments)
    assert refused.status != 0
    assert says in refused.refused


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        pytest.param({}, "creation.area and creation.tiles", id="no-area"),
        pytest.param({"HRSI_CREATION_TILES": "32TLR,T32TMS"}, "'T32TMS'", id="no-tile"),
        pytest.param({"HRSI_CREATION_AREA": "area.geojson"}, "feature 1 (Alps)", id="a-bad-area"),
        pytest.param(
            {"HRSI_CREATION_TILES": "32TLR", "HRSI_CREATION_RESTO": "a=http://b"},
            "two catalogues are called 'a'",
            id="one-name-twice",
        ),
    ],
)
def test_an_area_that_cannot_be_stops_the_start(
    installation: Installation, settings: dict[str, str], says: str
) -> None:
    (installation.folder / "area.geojson").write_text(
        '{"type": "Feature", "id": "Alps", "geometry": {"type": "Point", "coordinates": [7, 45]}}'
    )
    installation.environment.update({"HRSI_CREATION_ODATA": "a=http://b", **settings})
    with pytest.raises(ConfigurationError, match=r".*") as refused:
        installation.one_pass("creation")
    assert says in str(refused.value)


def test_without_a_catalogue_there_is_no_loop_that_would_read_one(
    installation: Installation,
) -> None:
    with pytest.raises(ConfigurationError, match="no catalogue is set"):
        installation.one_pass("creation")
    installation.one_pass()
    loops = {beat.loop for beat in installation.database.reader.heartbeats()}
    assert loops == {"configuration", "execution", "monitor", "worker-pool"}
