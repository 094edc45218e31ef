"""Where the satellites fly: which tiles and slices they see, when, again and again.

Both missions keep the sun: they cross a place at the same local time whenever they come. Orbits of
a repeat cycle are numbered by when they pass, so that number and hour together give the longitude.
Sentinel-2 repeats after 10 days and 143 orbits, at 10:30 going down; Sentinel-1 after 12 days and
175 orbits, at 6:00 going down and at 18:00 going up, in slices of 25 seconds. The units of a
mission share the orbits and follow one another at equal intervals.

Tracks are drawn straight, with the tilt that they have over Europe: places and times are plausible
and the same for ever, not those of a real orbit.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from math import cos, radians

import shapely
from shapely.geometry import Polygon

from models.tiles import tile_polygon

BEGINNING = datetime(2026, 1, 1, tzinfo=UTC)
"""When the first orbit of a cycle of every mission began."""

TILT = 0.28
"""Degrees of longitude that a track moves west per degree of latitude that it goes down."""
MIDDLE = 47.0
"""The latitude at which the local time holds."""
KM_PER_DEGREE = 111.3
SPEED = 0.0597
"""Degrees of latitude that a track passes in a second."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Mission:
    """How the units of a mission fly. `half_swath` is in km; they see as far on either side."""

    units: tuple[str, ...]
    cycle: timedelta
    orbits: int
    hour: float
    half_swath: float
    rising: bool = False

    def longitude(self, orbit: int) -> float:
        """Where an orbit (1 …) crosses the middle latitude, in degrees east."""
        hours = orbit * (self.cycle / self.orbits).total_seconds() / 3600 % 24
        return ((self.hour - hours) * 15 + 180) % 360 - 180

    def reach(self, latitude: float) -> float:
        """Half of the swath in degrees of longitude: ever more of them towards the pole."""
        return self.half_swath / (KM_PER_DEGREE * cos(radians(latitude)))

    def passes(self, orbit: int, since: datetime, until: datetime) -> Iterator[Pass]:
        """When each unit flies an orbit in [since, until), at the middle latitude, in order."""
        interval = self.cycle / len(self.units)
        first = BEGINNING + self.cycle / self.orbits * orbit
        number = -((first - since) // interval)
        while (at := first + interval * number) < until:
            turn, unit = divmod(number, len(self.units))
            yield Pass(unit=self.units[unit], at=at, turn=turn)
            number += 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Pass:
    """A unit on an orbit: when it was over the middle latitude, in which turn of its cycle."""

    unit: str
    at: datetime
    turn: int


SENTINEL_2 = Mission(
    units=("S2B", "S2C"), cycle=timedelta(days=10), orbits=143, hour=10.5, half_swath=145
)
SENTINEL_1 = (
    Mission(units=("S1A", "S1C"), cycle=timedelta(days=12), orbits=175, hour=6.0, half_swath=125),
    Mission(
        units=("S1A", "S1C"),
        cycle=timedelta(days=12),
        orbits=175,
        hour=18.0,
        half_swath=125,
        rising=True,
    ),
)
SLICE = timedelta(seconds=25)
SLICES = range(20, 50)
"""Numbers of slices of an orbit; each is 25 s long, number 0 begins at the equator."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Image:
    """What a unit saw of one tile, or, without tile, in one slice (`number`)."""

    mission: Mission
    seen: Pass
    orbit: int
    start: datetime
    stop: datetime
    footprint: Polygon
    tile: str | None = None
    number: int | None = None


def optical(tiles: Iterable[str], since: datetime, until: datetime) -> Iterator[Image]:
    """Every image of these tiles by Sentinel-2, tile by tile, orbit by orbit."""
    for tile in tiles:
        polygon = tile_polygon(tile)
        west, south, east, north = polygon.bounds
        middle = (south + north) / 2
        for orbit in range(1, SENTINEL_2.orbits + 1):
            track = SENTINEL_2.longitude(orbit) + (middle - MIDDLE) * TILT
            wide = SENTINEL_2.reach(middle)
            if west <= track + wide and track - wide <= east:
                for seen in SENTINEL_2.passes(orbit, since, until):
                    # All tiles of a data take carry the time of its beginning.
                    yield Image(
                        mission=SENTINEL_2,
                        seen=seen,
                        orbit=orbit,
                        start=seen.at,
                        stop=seen.at,
                        footprint=polygon,
                        tile=tile,
                    )


def radar(tiles: Iterable[str], since: datetime, until: datetime) -> Iterator[Image]:
    """Every slice by Sentinel-1 that meets one of these tiles, orbit by orbit, slice by slice."""
    wanted = shapely.union_all([tile_polygon(tile) for tile in tiles])
    for mission in SENTINEL_1:
        for orbit in range(1, mission.orbits + 1):
            for number in SLICES:
                footprint = _slice(mission, orbit, number)
                if footprint.intersects(wanted):
                    yield from _slices(mission, orbit, number, footprint, (since, until))


def _slices(
    mission: Mission, orbit: int, number: int, footprint: Polygon, span: tuple[datetime, datetime]
) -> Iterator[Image]:
    from_middle = SLICE * number - timedelta(seconds=MIDDLE / SPEED)
    if not mission.rising:
        from_middle = -from_middle - SLICE
    for seen in mission.passes(orbit, *span):
        start = seen.at + from_middle
        yield Image(
            mission=mission,
            seen=seen,
            orbit=orbit,
            start=start,
            stop=start + SLICE,
            footprint=footprint,
            number=number,
        )


@lru_cache(maxsize=20_000)
def _slice(mission: Mission, orbit: int, number: int) -> Polygon:
    """A slanted strip across the track, counter-clockwise."""
    south, north = (SPEED * SLICE.total_seconds() * each for each in (number, number + 1))
    tilt = -TILT if mission.rising else TILT
    tracks = [mission.longitude(orbit) + (each - MIDDLE) * tilt for each in (south, north)]
    (low, high), wide = tracks, mission.reach((south + north) / 2)
    return Polygon(
        [(low - wide, south), (low + wide, south), (high + wide, north), (high - wide, north)]
    )
