"""Configuration over random arrivals: order in every series, and nobody waits for ever."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.actions import Configure
from models.configuration import Backlog, ConfigureJobs, Unready
from models.errors import Malformed
from models.job_configs import CONFIGS, JobConfig, checked, schema_of
from models.job_types import DEFAULT_REGISTRY
from models.lifecycle import Status
from models.ports import Asked
from models.records import NewJob, Priority
from models.settings_configuration import ConfigurationSettings
from reconcilers import configuration
from simulator.examples import NOW, a_job, a_world
from simulator.ids import SeededIds
from simulator.store import MemoryStore
from simulator.store.tables import Note
from simulator.timeline import Timeline

SETTINGS = ConfigurationSettings()
PERSON = Asked(actor="test")
DAY = timedelta(days=1)
END = {"made": Status.PROCESSED, "cancelled": Status.CANCELLED, "failed": Status.INTERNAL_ERROR}


class Arrival(NamedTuple):
    """An image, and whether it is for reprocessing."""

    tile: str
    day: int
    again: bool

    def follows(self, other: Arrival) -> bool:
        """Whether the other one has to be settled first."""
        early = other.tile == self.tile and other.day < self.day
        return early and (self.again or not other.again)


class Series:
    """A store with images of two tiles, and passes of configuration over it."""

    def __init__(self) -> None:
        self.clock = Timeline(NOW)
        self.store = MemoryStore(self.clock, SeededIds())
        self.lease = self.store.acquire("configuration", "test", 100 * DAY)
        self.arrived: dict[int, Arrival] = {}

    def arrive(self, arrival: Arrival) -> None:
        key = f"{arrival.tile}-{len(self.arrived)}"
        new = NewJob(
            type="fsc_rlie",
            key=key,
            name=key,
            tile=arrival.tile,
            priority=Priority.REPROCESSING if arrival.again else Priority.DELAYED,
            sensing_at=NOW + arrival.day * DAY,
        )
        (job_id,) = self.store.submit([new], PERSON).added
        self.arrived[job_id] = arrival

    def look(self) -> int:
        """A pass; how many jobs it looked at. Whatever becomes ready is in order."""
        backlog = self.store.backlog(DEFAULT_REGISTRY.types)
        world = replace(a_world(), backlog=backlog)
        open_before = self.open()
        for action in configuration.decide(world, SETTINGS, self.clock.now()):
            assert isinstance(action, Configure)
            assert self.lease is not None
            change = ConfigureJobs(at=self.clock.now(), jobs=action.jobs, unfit=action.unfit)
            assert self.store.commit(self.lease, change).created == len(action.jobs)
            for job in action.jobs:
                mine = self.arrived[job.job_id]
                early = [n for n in open_before if mine.follows(self.arrived[n])]
                assert job.wait is not None or job.overtakes or not early
                assert job.wait is None or job.wait.for_job in early
        return len(backlog.jobs)

    def open(self) -> list[int]:
        series = self.store.tables.series.values()
        return [place.job_id for place in series if place.is_open]

    def ready(self) -> list[int]:
        jobs = self.store.tables.jobs.values()
        return [job.id for job in jobs if job.status is Status.READY]

    def settle(self, job_id: int, how: str) -> None:
        """The end of a ready job, as its run or a person brings it about."""
        tables, note = self.store.tables, Note(at=self.clock.now(), actor="test")
        with tables.journal:
            job = tables.jobs[job_id]
            if how != "made":
                tables.move(job, END[how], note, quarantined=how == "failed")
                return
            for status in list(Status)[3:9]:
                job = tables.move(job, status, note)


ARRIVALS = st.builds(
    Arrival, tile=st.sampled_from(["32TLR", "32TLS"]), day=st.integers(0, 6), again=st.booleans()
)


ENDS = st.sampled_from(["arrive", *END])


@given(st.lists(ARRIVALS, min_size=1, max_size=8), st.lists(ENDS, max_size=24))
def test_whatever_arrives_when_runs_in_order_and_comes_to_its_end(
    arrivals: list[Arrival], steps: list[str]
) -> None:
    series, left = Series(), list(arrivals)
    # As it comes; then whatever is left, each made as soon as it is ready.
    for step in (*steps, *("arrive" for _ in arrivals), *("made" for _ in arrivals)):
        if step == "arrive" and left:
            series.arrive(left.pop())
        series.look()
        ready = series.ready()
        if step != "arrive" and ready:
            series.settle(ready[0], step)
    assert not series.open(), "all came to their end"
    assert not len(series.store.tables.waits)


@given(st.lists(ARRIVALS, min_size=2, max_size=8))
def test_when_nothing_ever_ends_everybody_goes_on_at_last(arrivals: list[Arrival]) -> None:
    series = Series()
    for arrival in arrivals:
        series.arrive(arrival)
    series.look()
    series.clock.advance(SETTINGS.wait_most)
    series.look()
    assert len(series.ready()) == len(arrivals)


@given(st.lists(ARRIVALS, min_size=1, max_size=8))
def test_a_second_pass_finds_nothing_to_do(arrivals: list[Arrival]) -> None:
    series = Series()
    for arrival in arrivals:
        series.arrive(arrival)
    assert series.look() == len(arrivals)
    assert series.look() == 0


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=6,
)
MOMENTS = st.sampled_from(
    (
        "2026-01-05T10:24:21Z",
        "2026-01-05T10:24:21",
        "9999-12-31T23:59:59Z",
        "9999-12-31T23:59:59-14:00",
        "0001-01-01T00:00:00Z",
        "0001-01-01T00:00:00+14:00",
        "nul \0",
    )
)
INPUTS = st.dictionaries(
    st.sampled_from(["product", "path", "origin_at", "published_at", "campaign", "master", "x"]),
    JSON | MOMENTS,
)


@given(INPUTS, st.sampled_from(sorted(DEFAULT_REGISTRY.types)))
def test_whatever_a_job_is_handed_in_with_it_is_configured_to_its_schema_or_put_aside(
    found: dict[str, Any], job_type: str
) -> None:
    job = a_job(type=job_type, status=Status.INITIALIZED, seq=1)
    world = replace(a_world(), backlog=Backlog(jobs=(Unready(job=job, input=found),)))
    (action,) = configuration.decide(world, SETTINGS, NOW)
    assert isinstance(action, Configure)
    assert len(action.jobs) + len(action.unfit) == 1
    for made in action.jobs:
        assert checked(job_type, made.config) == made.config
    for unfit in action.unfit:
        assert any(f"$.{name}" in unfit.why for name in found), unfit.why


@given(st.dictionaries(st.sampled_from(["output", "maja_mode", "order", "y"]), JSON))
def test_what_does_not_fit_a_schema_is_refused_by_name(found: dict[str, Any]) -> None:
    # Nothing of this fits: there is no path for the L2A.
    with pytest.raises(Malformed, match=r"fsc_rlie.*nothing was written"):
        checked("fsc_rlie", found)


@pytest.mark.parametrize("job_type", [*CONFIGS, "test"])
def test_every_schema_is_closed_and_says_what_it_needs(job_type: str) -> None:
    document = schema_of(job_type)
    (schema,) = (each for each in document["$defs"].values() if each.get("type") == "object")
    assert schema["additionalProperties"] is False
    assert "output" in schema["required"]
    assert schema["properties"].keys() >= set(JobConfig.__struct_fields__)
