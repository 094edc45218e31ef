"""Short hard lives: small installations that come and go in an hour, one for each seed.

A life is drawn whole from its seed: how the systems are set up, the parameters, how many
controllers there are, who asks for what, and everything that goes wrong. Jobs are short and come
in waves, workers are small, boot fast and go after seconds of idleness, so that most of a life is
spent deleting workers just as work, people or mishaps come in between. After half an hour it is
left in peace and has to come to rest within the time that its parameters allow, and stay there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from random import Random
from types import MappingProxyType

from controller.simulate.mishaps import TROUBLES, Mishaps, Trouble, Wear, leave_in_peace
from controller.simulation import InvariantBroken, Plan, Simulation, Unrest
from models.ports import Asked
from models.records import NewJob, Priority
from models.settings import Settings
from simulator.behaviour import Behaviour, Ending, Spread
from simulator.cloud.options import CloudOptions
from simulator.faults import Fault, Faults
from simulator.nomad.rows import Options as NomadOptions
from simulator.systems import Scenario

PERSON = Asked(actor="operator", reason="drawn")
TYPES = ("test", "gfsc", "fsc_rlie")
SPAN = timedelta(minutes=30)
"""How long jobs come and things go wrong."""

AT_REST = 5
"""How many rounds in a row nothing may be done once all is quiet (I5)."""

RACES = MappingProxyType(
    {
        "placement_late": 12,
        "allocation_lost": 4,
        "node_opened_by_others": 6,
        "node_closed_by_others": 2,
        "node_drained_by_others": 2,
        "node_purged_by_others": 3,
        "node_silent_for_a_while": 3,
        "machine_reboots": 2,
        "agent_forgets": 2,
        "delete_fails": 2,
        "delete_comes_late": 2,
        "leader_changes": 2,
        "garbage_collected": 3,
        "controller_dies": 4,
    }
)
"""What comes between a worker's mark and its deletion, and how often against one another."""

EVERYTHING = MappingProxyType(dict.fromkeys(TROUBLES, 1))

KINDS: Mapping[str, Mapping[str, int]] = MappingProxyType(
    {"races": RACES, "storm": EVERYTHING, "fair": {}}
)
"""What goes wrong in a life of each kind."""

SHARES = MappingProxyType({"races": 6, "storm": 3, "fair": 1})


@dataclass(frozen=True, kw_only=True, slots=True)
class Lived:
    """What a life came to. `faults` are failed calls by kind, `mishaps` and `asked` what else
    happened, by name. `broken` tells of the invariant that ended it, if one did.
    """

    seed: int
    kind: str
    steps: int
    deletions: int
    dispatches: int
    crashes: int
    faults: Counter[str]
    mishaps: Counter[str]
    asked: Counter[str]
    broken: str | None = None


class Life:
    """One life, drawn from its seed. The same seed is the same life."""

    def __init__(self, seed: int) -> None:
        chance = self._chance = Random(f"life:{seed}")
        self.kind = chance.choices(list(SHARES), list(SHARES.values()))[0]
        self.seed = seed
        self.asked: Counter[str] = Counter()
        self._made = 0
        fair = self.kind == "fair"
        calls = {} if fair else _calls(chance)
        plan = Plan(
            scenario=_scenario(seed, chance, fair=fair),
            faults=lambda: Faults(rates=calls, seed=seed),
            parameters=_parameters(chance),
            controllers=chance.choice([1, 1, 2]),
            unrest=_unrest(chance),
            on_call=_span(chance, 60, 600),
            skipping=True,
            command=f"hrsi simulate --lives {seed}",
        )
        self.sim = Simulation(plan)
        often = chance.uniform(500, 4000)
        troubles = KINDS[self.kind]
        each = often / sum(troubles.values()) if troubles else 0
        wear = Wear(troubles={name: weight * each for name, weight in troubles.items()})
        self.mishaps = Mishaps(self.sim, wear, SPAN)
        self._every((15, 240), self._jobs_come)
        self._every((60, 600), self._somebody_asks)

    def live(self, until: int | None = None) -> Lived:
        """Live to the end, or to a step."""
        try:
            self._turns(until)
        except InvariantBroken as broken:
            return self._lived(str(broken))
        return self._lived(None)

    def story_at(self, step: int) -> str:
        """What had happened at a step that was lived to; where none is so late, at the end."""
        return self.sim.story_at(step)

    # ---- its course ------------------------------------------------------------------------------

    def _turns(self, until: int | None) -> None:
        sim = self.sim
        began, timeline = sim.systems.timeline.now(), sim.systems.timeline
        bound = settling_time(sim.truth.settings(), sim.plan.on_call or timedelta(0))
        still = 0
        while still < AT_REST:
            done = sim.actions
            for _ in sim.turns():
                if until is not None and sim.steps >= until:
                    return
            lived = timeline.now() - began
            if lived >= SPAN:
                self._leave_in_peace()
                still = still + 1 if sim.is_quiet() and sim.actions == done else 0
            if lived >= SPAN + bound:
                message = f"I3, I5: not at rest {bound} after all calmed down"
                raise sim.broken(f"{message}\n{self.left_over()}")

    def _leave_in_peace(self) -> None:
        if self.sim.systems.faults.before_call is not None or not self.sim.systems.faults.is_calm:
            self.sim.systems.faults.before_call = None
            leave_in_peace(self.sim)

    def left_over(self) -> str:
        """What has not come to rest."""
        tables = self.sim.systems.store.tables
        jobs = [f"{j.id} {j.status}" for j in tables.jobs.values()]
        workers = [f"{w.name} {w.state} {w.retirement}" for w in tables.open_workers.of(True)]
        return "\n".join([f"jobs: {', '.join(jobs)}", *workers])

    def _lived(self, broken: str | None) -> Lived:
        sim = self.sim
        return Lived(
            seed=self.seed,
            kind=self.kind,
            steps=sim.steps,
            deletions=sim.truth.deletions,
            dispatches=len(sim.systems.store.tables.runs),
            crashes=sim.crashes,
            faults=Counter(fault.value for _, fault in sim.systems.faults.taken),
            mishaps=self.mishaps.happened,
            asked=self.asked,
            broken=broken,
        )

    # ---- who asks for what -----------------------------------------------------------------------

    def _every(self, wait: tuple[float, float], happen: Callable[[], None]) -> None:
        timeline = self.sim.systems.timeline
        end = timeline.now() + SPAN

        def event() -> None:
            if timeline.now() < end:
                happen()
                self._every_again(wait, event)

        self._every_again(wait, event)

    def _every_again(self, wait: tuple[float, float], event: Callable[[], None]) -> None:
        span = timedelta(seconds=self._chance.uniform(*wait))
        self.sim.systems.timeline.after(span, event)

    def _jobs_come(self) -> None:
        chance, kind = self._chance, self._chance.choice(TYPES)
        count = chance.randint(1, 6)
        names = [f"{kind}-{self._made + number}" for number in range(count)]
        self._made += count
        priority = chance.choice(list(Priority))
        jobs = [NewJob(type=kind, key=name, name=name, priority=priority) for name in names]
        self.sim.systems.store.submit(jobs, PERSON)

    def _somebody_asks(self) -> None:
        name = self._chance.choice(list(WISHES))
        if WISHES[name](self.sim, self._chance):
            self.asked[name] += 1


# ---- people --------------------------------------------------------------------------------------


def _retires(sim: Simulation, chance: Random) -> bool:
    workers = sim.systems.store.workers()
    if workers:
        forced = chance.random() < 0.2
        sim.systems.store.retire([chance.choice(workers).name], PERSON, forced=forced)
    return bool(workers)


def _drains_all(sim: Simulation, _: Random) -> bool:
    names = [worker.name for worker in sim.systems.store.workers()]
    sim.systems.store.retire(names, PERSON, forced=False)
    return bool(names)


def _of_a_job(sim: Simulation, chance: Random) -> list[int]:
    jobs = list(sim.systems.store.tables.jobs)
    return [chance.choice(jobs)] if jobs else []


def _cancels(sim: Simulation, chance: Random) -> bool:
    return bool(sim.systems.store.cancel(_of_a_job(sim, chance), PERSON))


def _relaunches(sim: Simulation, chance: Random) -> bool:
    return bool(sim.systems.store.relaunch(_of_a_job(sim, chance), PERSON))


def _orders(sim: Simulation, chance: Random) -> bool:
    keep = timedelta(seconds=chance.uniform(0, 600))
    sim.systems.store.order(chance.choice(["eo1.xsmall", "hm.medium"]), 1, keep, PERSON)
    return True


def _pauses(sim: Simulation, chance: Random) -> bool:
    target = chance.choice(["everything", "loop:execution", "loop:worker-pool", "type:gfsc"])
    lasts = timedelta(seconds=chance.uniform(1, 300))
    sim.systems.store.pause([target], PERSON, lasts=lasts)
    return True


def _lowers_the_cap(sim: Simulation, chance: Random) -> bool:
    lasts = timedelta(seconds=chance.uniform(1, 300))
    sim.systems.store.set_parameter("pool.max_workers", chance.randint(0, 6), PERSON, lasts=lasts)
    return True


WISHES: Mapping[str, Trouble] = MappingProxyType(
    {
        "retire": _retires,
        "drain_all": _drains_all,
        "cancel": _cancels,
        "relaunch": _relaunches,
        "order": _orders,
        "pause": _pauses,
        "lower_the_cap": _lowers_the_cap,
    }
)
"""What people do to an installation, by name."""


# ---- what a life is drawn from -------------------------------------------------------------------


def _span(chance: Random, least: float, most: float) -> timedelta:
    return timedelta(seconds=chance.uniform(least, most))


def _scenario(seed: int, chance: Random, *, fair: bool) -> Scenario:
    short = Spread(least=timedelta(seconds=1), most=_span(chance, 10, 60))
    failing = 0 if fair else chance.choice([0, 0, 0.05])
    behaviour = Behaviour(
        starting=short,
        pre_processing=short,
        processing=short,
        post_processing=short,
        winding_down=short,
        endings=dict.fromkeys(list(Ending)[1:], failing),
    )
    late = timedelta(0) if chance.random() < 0.5 else _span(chance, 1, 100)
    cloud = CloudOptions(
        boot_time=_span(chance, 5, 30),
        boot_spread=chance.choice([0, 1, 4]),
        delete_time=_span(chance, 1, 20),
        late_effect=late,
        max_microversion=chance.choice(["2.93", "2.93", "2.60"]),
    )
    nomad = NomadOptions(
        default_ineligible=chance.random() < 0.7,
        scheduling_delay=_span(chance, 0.01, 4),
        ready_delay=_span(chance, 0, 10),
        start_delay=_span(chance, 0, 3),
        late_effect=late,
    )
    return Scenario(
        seed=seed,
        cloud=cloud,
        nomad=nomad,
        join_delay=_span(chance, 1, 20),
        behaviours=dict.fromkeys(TYPES, behaviour),
    )


def _parameters(chance: Random) -> dict[str, float]:
    """Waits of minutes instead of hours; what guards a deletion is as it is by default."""
    return {
        "pool.max_workers": chance.randint(3, 12),
        "pool.max_vcpus": chance.randint(8, 60),
        "pool.idle_for": chance.randint(0, 20),
        "pool.boot_limit": chance.randint(150, 400),
        "pool.backoff": 10,
        "pool.backoff_max": 60,
        "pool.refute_after": chance.randint(120, 300),
        "execution.resend_for": 600,
        "execution.wind_down": 60,
        "monitor.limit_started": 200,
        "monitor.limit_pre_processing": 200,
        "monitor.limit_processing": 200,
        "monitor.limit_post_processing": 200,
        "monitor.external_backoff": 10,
        "monitor.external_backoff_max": 60,
    }


def _calls(chance: Random) -> dict[Fault, float]:
    """Shares of calls that fail, each kind as likely as the others but crashes."""
    rate = chance.choice([0, 0.001, 0.004])
    crashes = {Fault.CRASH: rate / 20, Fault.CRASH_AFTER: rate / 20}
    return {**dict.fromkeys(Fault, rate), **crashes} if rate else {}


def _unrest(chance: Random) -> Unrest:
    return Unrest(
        latency=_span(chance, 0, 2),
        overtaken=chance.choice([0, 0.02, 0.1]),
        frozen=chance.choice([0, 0, 0.005]),
    )


def settling_time(settings: Settings, on_call: timedelta) -> timedelta:
    """Within what time a world that is left in peace is at rest, whatever happened before (I5).

    Every job uses up its attempts, each for as long as its limits allow and each on a worker of its
    own that comes as late as it may, or waits for a person to close a breaker, one after another;
    then the workers go.
    """
    monitor, execution, pool = settings.monitor, settings.execution, settings.pool
    attempt = (
        execution.resend_for
        + monitor.limit_started
        + monitor.limit_pre_processing
        + monitor.limit_processing
        + monitor.limit_post_processing
        + 2 * monitor.stop_again_after
        + max(monitor.external_backoff_max, execution.wind_down)
    )
    worker = (
        pool.boot_limit
        + pool.refute_after
        + pool.backoff_max
        + pool.absence_for
        + pool.idle_for
        + pool.barrier_for
        + pool.quarantine_for
        + 2 * pool.redelete_after
        + on_call
    )
    attempts = monitor.internal_attempts + monitor.external_attempts + monitor.lost_attempts
    return attempts * (attempt + worker)
