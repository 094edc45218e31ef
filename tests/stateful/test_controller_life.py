"""The life of an installation: the real loops against whatever may happen, judged at each step.

Hypothesis draws the history: jobs come, loops make passes in any order and in the middle of one
another's, time passes, any call suffers any fault, whatever can go wrong outside and with the
controllers does, people drain, delete, cancel, relaunch, order and pause. The simulation checks
I1-I4, I6 and I9-I12 after every step. At the end the world is left in peace and has to come to
rest: nothing is stranded, nothing is left over (I3, I5).
"""

from datetime import timedelta
from random import Random

from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from controller.cli.drain import to_drain
from controller.simulate.mishaps import TROUBLES, leave_in_peace
from controller.simulation import Plan, Simulation, Unrest
from models.images import ACTIVE
from models.ports import Asked
from models.records import NewJob, Priority
from simulator.behaviour import Behaviour, Ending, Spread
from simulator.cloud.options import CloudOptions, SnapshotFailure
from simulator.cloud.servers import CloudServer
from simulator.faults import WRITES, Fault
from simulator.systems import Scenario

PERSON = Asked(actor="operator", reason="drawn")
TEMPLATE = "tf-titi"
TYPES = ("test", "gfsc", "fsc_rlie")
PAUSABLE = ("everything", "loop:execution", "loop:monitor", "loop:worker-pool", "type:gfsc")
LOOPS = ("configuration", "execution", "monitor", "worker-pool")
CALLS = WRITES | {
    "store.view",
    "nomad.snapshot",
    "nomad.modify_index",
    "nomad.identify",
    "nomad.exit_code",
    "cloud.exists",
    "cloud.snapshot",
    "cloud.worker_images",
    "cloud.console",
}
SHORT = Spread(least=timedelta(seconds=5), most=timedelta(seconds=90))
MIXED = Behaviour(
    starting=SHORT,
    pre_processing=SHORT,
    processing=SHORT,
    post_processing=SHORT,
    winding_down=SHORT,
    endings={
        Ending.INTERNAL_ERROR: 0.05,
        Ending.EXTERNAL_ERROR: 0.05,
        Ending.SILENT_EXIT: 0.05,
        Ending.HANG: 0.03,
    },
)
TIGHT = {
    "pool.max_workers": 6,
    "pool.max_vcpus": 8,
    "monitor.limit_processing": 300,
    "monitor.external_backoff": 10,
    "pool.backoff": 10,
}
RESTLESS = Unrest(latency=timedelta(seconds=2), overtaken=0.05, frozen=0.002)


class LifeOfAnInstallation(RuleBasedStateMachine):
    """One deployment, one or two controllers, everything that may happen to it."""

    @initialize(
        seed=st.integers(0, 10**6),
        controllers=st.sampled_from([1, 1, 2]),
        template=st.sampled_from([None, TEMPLATE]),
        unrest=st.sampled_from([Unrest(), RESTLESS]),
    )
    def begin(self, seed: int, controllers: int, template: str | None, unrest: Unrest) -> None:
        cloud = CloudOptions(template=template)
        scenario = Scenario(seed=seed, cloud=cloud, behaviours=dict.fromkeys(TYPES, MIXED))
        self.sim = Simulation(
            Plan(scenario=scenario, parameters=TIGHT, controllers=controllers, unrest=unrest)
        )
        self.made = 0

    # ---- work and time ---------------------------------------------------------------------------

    @rule(
        kind=st.sampled_from(TYPES),
        count=st.integers(1, 5),
        priority=st.sampled_from(Priority),
    )
    def jobs_come(self, kind: str, count: int, priority: Priority) -> None:
        names = [f"{kind}-{self.made + number}" for number in range(count)]
        self.made += count
        jobs = [NewJob(type=kind, key=name, name=name, priority=priority) for name in names]
        self.sim.systems.store.submit(jobs, PERSON)

    @rule(process=st.integers(0, 1), loop=st.sampled_from(LOOPS))
    def a_loop_makes_a_pass(self, process: int, loop: str) -> None:
        self.sim.step(process % len(self.sim.processes), loop)

    @rule(rounds=st.integers(1, 12))
    def the_controllers_go_on(self, rounds: int) -> None:
        for _ in range(rounds):
            self.sim.round()

    @rule(seconds=st.integers(1, 600))
    def time_passes_without_anybody(self, seconds: int) -> None:
        self.sim.pass_time(timedelta(seconds=seconds))

    # ---- what goes wrong -------------------------------------------------------------------------

    @rule(
        call=st.sampled_from(sorted(CALLS)), fault=st.sampled_from(Fault), times=st.integers(1, 3)
    )
    def a_call_will_go_wrong(self, call: str, fault: Fault, times: int) -> None:
        self.sim.systems.faults.order(call, fault, times)

    @rule(trouble=st.sampled_from(sorted(TROUBLES)), seed=st.integers(0, 99))
    def something_goes_wrong(self, trouble: str, seed: int) -> None:
        TROUBLES[trouble](self.sim, Random(seed))

    @precondition(lambda self: self.has_template)
    @rule(how=st.sampled_from(SnapshotFailure))
    def an_image_will_go_wrong(self, how: SnapshotFailure) -> None:
        self.sim.systems.outside.cloud.snapshots.fail(how)

    # ---- people ----------------------------------------------------------------------------------

    @rule(pick=st.integers(0, 99), forced=st.booleans())
    def a_person_sends_a_worker_away(self, pick: int, *, forced: bool) -> None:
        workers = self.sim.systems.store.tables.open_workers.of(True)
        if workers:
            name = workers[pick % len(workers)].name
            self.sim.systems.store.retire([name], PERSON, forced=forced)

    @rule()
    def a_person_drains_all_workers(self) -> None:
        store = self.sim.systems.store
        store.retire(to_drain(store.workers()), PERSON, forced=False)

    @rule(pick=st.integers(0, 99))
    def a_person_cancels_a_job(self, pick: int) -> None:
        if self.made:
            self.sim.systems.store.cancel([pick % self.made + 1], PERSON)

    @rule(pick=st.integers(0, 99))
    def a_person_relaunches_a_job(self, pick: int) -> None:
        if self.made:
            self.sim.systems.store.relaunch([pick % self.made + 1], PERSON)

    @rule(flavor=st.sampled_from(["eo1.xsmall", "hm.medium"]), minutes=st.integers(0, 20))
    def a_person_orders_a_worker(self, flavor: str, minutes: int) -> None:
        self.sim.systems.store.order(flavor, 1, timedelta(minutes=minutes), PERSON)

    @rule(
        what=st.sampled_from(PAUSABLE),
        lasts=st.none() | st.integers(1, 600).map(lambda seconds: timedelta(seconds=seconds)),
    )
    def a_person_pauses_something(self, what: str, lasts: timedelta | None) -> None:
        self.sim.systems.store.pause([what], PERSON, lasts=lasts)

    @rule(what=st.sampled_from(PAUSABLE))
    def a_person_resumes_something(self, what: str) -> None:
        self.sim.systems.store.resume([what], PERSON)

    @precondition(lambda self: self.has_template)
    @rule(seconds=st.none() | st.integers(0, 900), deleted=st.booleans())
    def a_person_makes_another_template(self, seconds: int | None, *, deleted: bool) -> None:
        cloud = self.sim.systems.outside.cloud
        if deleted:
            for old in self.templates():
                cloud.vanish(old.id)
        setup = None if seconds is None else timedelta(seconds=seconds)
        cloud.snapshots.add_template(TEMPLATE, setup)

    @precondition(lambda self: self.has_template)
    @rule(pick=st.integers(0, 99))
    def a_person_deletes_an_image(self, pick: int) -> None:
        cloud = self.sim.systems.outside.cloud
        made = [image.id for image in cloud.images.values() if image.made_of]
        if made:
            cloud.remove_image(made[pick % len(made)])

    @property
    def has_template(self) -> bool:
        """Workers boot from an image that the pool makes."""
        return self.sim.systems.scenario.cloud.template is not None

    def templates(self) -> list[CloudServer]:
        return [s for s in self.sim.systems.outside.cloud.servers() if s.name == TEMPLATE]

    # ---- what holds ------------------------------------------------------------------------------

    @invariant()
    def nothing_forbidden_has_happened(self) -> None:
        if hasattr(self, "sim"):
            assert self.sim.truth.violations == [], self.sim.story()

    def teardown(self) -> None:
        """Leave the world in peace: it comes to rest, whatever happened before."""
        if not hasattr(self, "sim"):
            return
        self.sim.systems.faults.before_call = None
        leave_in_peace(self.sim)
        self.sim.systems.store.resume(PAUSABLE, PERSON)
        if self.has_template:
            self.a_person_looks_after_the_template()
        came_to_rest = self.sim.run_until(self.sim.is_quiet, timedelta(hours=24))
        assert came_to_rest, self.left_over()

    def a_person_looks_after_the_template(self) -> None:
        """What the alarms ask for: images that hang are deleted, templates said to be good."""
        cloud = self.sim.systems.outside.cloud
        cloud.snapshots.fail_no_more()
        for image in list(cloud.images.values()):
            if image.made_of and image.status != ACTIVE:
                cloud.remove_image(image.id)
        for broken in [server for server in self.templates() if server.status == "ERROR"]:
            cloud.vanish(broken.id)  # no host or no quota was left when it was made
            cloud.snapshots.add_template(TEMPLATE, timedelta())
        for template in self.templates():
            cloud.snapshots.say_finished(template.id)
            if template.status == "ACTIVE":
                cloud.change(template, task_state=None)

    def left_over(self) -> str:
        tables = self.sim.systems.store.tables
        moving = [(j.id, j.status.value) for j in tables.jobs.values()]
        workers = [(w.name, w.state.value, w.retirement) for w in tables.open_workers.of(True)]
        return f"jobs {moving}\nworkers {workers}\n{self.sim.story()}"


TestLifeOfAnInstallation = LifeOfAnInstallation.TestCase
# A history takes a second, and one that is twice as short tells no more than its printed steps:
# the story in the message names seed, step and the last decisions.
TestLifeOfAnInstallation.settings = settings(
    max_examples=settings().max_examples // 2,
    stateful_step_count=25,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
)
