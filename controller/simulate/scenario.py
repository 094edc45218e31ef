"""What a simulated day of production is made of: arrivals, durations, boots. Chance by seed alone.

Facts, from the system that we replace: jobs a day by type (`DAILY`, the middle of the usual range),
1,054 tiles, bursts of 200–500 images after an outage at their source, 30 min of science for an FSC
product and up to 2 h from dispatch to product, servers that take a few minutes and join Nomad in
less than 15, a cap of 210 workers and 920 vCPUs, a turnaround of 3 h.
Assumptions, where nobody measured: the hours of the day (`HOURS`), how many images come together
(`BATCH`), how long types other than FSC take (`BEHAVIOURS`), how often a source fails (`OUTAGES`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum
from random import Random

from controller.simulate.inputs import PARAMETERS, catalogue_options
from models.records import NewJob, Priority
from simulator.behaviour import Behaviour, Spread
from simulator.cloud.options import CloudOptions
from simulator.press import PressOptions
from simulator.systems import Scenario
from simulator.timeline import EPOCH

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
TURNAROUND = timedelta(hours=3)

DAILY: Mapping[str, int] = {
    "fsc_rlie": 500,
    "rlies1": 100,
    "rlies1s2": 115,
    "sws_wds": 225,
    "gfsc": 1000,
}
"""Jobs a day: the usual ranges are 400–600, 80–120, 80–150, 150–300 and 850–1150."""

SPREAD_OF_DAYS = 0.2
"""A type's share of one day is up to this much above or below its usual one."""

HOURS: Mapping[str, tuple[tuple[float, float, float], ...]] = {
    "fsc_rlie": ((0.8, 14.0, 2.5), (0.2, 20.0, 2.0)),
    "rlies1": ((0.5, 7.5, 1.5), (0.5, 18.5, 1.5)),
    "rlies1s2": ((1.0, 21.0, 2.0),),
    "sws_wds": ((0.5, 8.0, 1.5), (0.5, 19.0, 1.5)),
    "gfsc": ((0.6, 22.0, 2.5), (0.4, 16.0, 3.0)),
}
"""When a type's jobs arrive: (share, hour of the day in UTC, standard deviation in hours)."""

BATCH = (1, 12)
"""How many jobs of a type arrive together: the tiles of one overflight."""

OUTAGES = 0.2
"""The chance that a day has an outage of the source, whose images then come all at once."""

OUTAGE_HOURS = (2.0, 5.0)

PRIORITIES: Mapping[Priority, float] = {
    Priority.NRT: 0.75,
    Priority.DELAYED: 0.2,
    Priority.REPROCESSING: 0.05,
}

TILES = "30TYN 32TLR 32TMS 33WWR 33WXS 34WBD 32TLS 32TLT 38SLJ 38SMJ 38TMK".split()


def minutes(least: float, most: float) -> Spread:
    """All durations between two, equally likely."""
    return Spread(least=timedelta(minutes=least), most=timedelta(minutes=most))


BEHAVIOURS: Mapping[str, Behaviour] = {
    "fsc_rlie": Behaviour(pre_processing=minutes(2, 10), processing=minutes(30, 90)),
    "rlies1": Behaviour(pre_processing=minutes(2, 6), processing=minutes(10, 30)),
    "rlies1s2": Behaviour(pre_processing=minutes(0.5, 2), processing=minutes(3, 10)),
    "sws_wds": Behaviour(pre_processing=minutes(3, 10), processing=minutes(15, 50)),
    "gfsc": Behaviour(pre_processing=minutes(0.5, 2), processing=minutes(2, 8)),
}

BOOT = timedelta(minutes=2)
BOOT_SPREAD = 1.0
"""A server is ACTIVE after 2 to 4 minutes, a node a minute later."""
JOIN = timedelta(minutes=1)

VCPUS = 920
QUOTA_SERVERS = 300
WORKERS = 210


class FaultLevel(StrEnum):
    """How much goes wrong."""

    NONE = "none"
    SOME = "some"
    ALL = "all"


@dataclass(frozen=True, kw_only=True, slots=True)
class Options:
    """What `hrsi simulate` was asked for. `workers` None: as many as the parameters allow (210)."""

    days: float = 1.0
    workers: int | None = None
    jobs_per_day: int = 2000
    seed: int = 0
    faults: FaultLevel = FaultLevel.NONE
    from_catalogue: bool = False

    @property
    def span(self) -> timedelta:
        """How long jobs arrive."""
        return self.days * DAY

    def seeded(self, seed: int) -> Options:
        """The same with another seed."""
        return replace(self, seed=seed)

    def command(self) -> str:
        """The command line that simulates the same."""
        workers = "" if self.workers is None else f" --workers-max {self.workers}"
        return (
            f"hrsi simulate --days {self.days:g}{workers} --jobs-per-day {self.jobs_per_day} "
            f"--faults {self.faults.value}{' --from-catalogue' if self.from_catalogue else ''}"
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Arrival:
    """Jobs that come at the same moment, `at` after the beginning."""

    at: timedelta
    jobs: tuple[NewJob, ...]


def parameters(options: Options) -> dict[str, float]:
    """The live parameters that differ from their defaults. More workers get vCPUs in proportion."""
    found = dict(PARAMETERS) if options.from_catalogue else {}
    if options.workers is not None:
        vcpus = max(VCPUS, VCPUS * options.workers // WORKERS)
        found |= {"pool.max_workers": options.workers, "pool.max_vcpus": vcpus}
    return found


def scenario(
    options: Options,
    behaviours: Mapping[str, Behaviour] = BEHAVIOURS,
    press: PressOptions | None = None,
) -> Scenario:
    """The simulated world: a quota that leaves room for the workers, and boots of minutes. What
    jobs make is published, unless there is no `press`.
    """
    wanted = options.workers or WORKERS
    cloud = CloudOptions(
        max_servers=max(QUOTA_SERVERS, wanted * 3 // 2),
        max_vcpus=max(VCPUS, VCPUS * wanted // WORKERS),
        max_memory_mb=None,
        boot_time=BOOT,
        boot_spread=BOOT_SPREAD,
    )
    catalogue = None
    if options.from_catalogue:
        faulty = options.faults is not FaultLevel.NONE
        catalogue = catalogue_options(options.jobs_per_day, options.span, faulty=faulty)
    return Scenario(
        seed=options.seed,
        cloud=cloud,
        join_delay=JOIN,
        behaviours=behaviours,
        catalogue=catalogue,
        press=press,
    )


def arrivals(options: Options) -> list[Arrival]:
    """All arrivals in their order; exactly `jobs_per_day` on each whole day. None where jobs come
    from the catalogue.
    """
    if options.from_catalogue:
        return []
    chance = Random(f"arrivals:{options.seed}")
    found: list[Arrival] = []
    for day in range(-int(-options.days // 1)):
        found += _of_day(day, options.jobs_per_day, chance)
    kept = (arrival for arrival in found if arrival.at < options.span)
    return sorted(kept, key=lambda arrival: arrival.at)


def _of_day(day: int, count: int, chance: Random) -> list[Arrival]:
    spread = (1 - SPREAD_OF_DAYS, 1 + SPREAD_OF_DAYS)
    weights = [usual * chance.uniform(*spread) for usual in DAILY.values()]
    drawn = chance.choices(list(DAILY), weights, k=count)
    outage = _outage(chance)
    arrivals: list[Arrival] = []
    for kind in DAILY:
        left = drawn.count(kind)
        while left:
            size = min(left, chance.randint(*BATCH))
            at = day * DAY + _held_up(_hour(kind, chance), outage) * HOUR
            names = range(left - size, left)
            jobs = tuple(_job(kind, f"{kind}-{day:03}-{number:05}", at, chance) for number in names)
            arrivals.append(Arrival(at=at, jobs=jobs))
            left -= size
    return arrivals


def _outage(chance: Random) -> tuple[float, float]:
    """The hours between which nothing arrives; no outage is one that ends when it begins."""
    begins = chance.uniform(0, 18)
    lasts = chance.uniform(*OUTAGE_HOURS)
    return (begins, begins + lasts) if chance.random() < OUTAGES else (begins, begins)


def _held_up(hour: float, outage: tuple[float, float]) -> float:
    return outage[1] if outage[0] <= hour < outage[1] else hour


def _hour(kind: str, chance: Random) -> float:
    shares: Sequence[tuple[float, float, float]] = HOURS[kind]
    _, middle, deviation = chance.choices(shares, [share for share, _, _ in shares])[0]
    return chance.gauss(middle, deviation) % 24


def _job(kind: str, name: str, at: timedelta, chance: Random) -> NewJob:
    priority = chance.choices(list(PRIORITIES), list(PRIORITIES.values()))[0]
    return NewJob(
        type=kind,
        key=name,
        name=name,
        tile=chance.choice(TILES),
        priority=priority,
        deadline=EPOCH + at + TURNAROUND if priority is Priority.NRT else None,
    )
