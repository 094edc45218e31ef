"""The simulated program on a worker keeps to the protocol of claims, whatever its store says."""

from collections import deque
from datetime import timedelta
from random import Random
from uuid import UUID, uuid4

import pytest

from models.errors import HrsiError, IllegalTransition, NotFound, Superseded, Unavailable, Unknown
from models.lifecycle import Status
from models.ports import Claim, Placement, RunResult
from simulator.behaviour import Behaviour, Ending, ScriptedTasks, Spread
from simulator.examples import a_job
from simulator.nomad.cluster import Boot, NomadCluster
from simulator.nomad.jobs import DispatchOrder
from simulator.nomad.rows import AllocRow, Options
from simulator.timeline import Timeline


class Heard:
    """Implements `RunReports`: takes everything down, and refuses what the test put in line."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.claims = 0
        self.placement: Placement | None = None
        self.refusals: deque[HrsiError | None] = deque()

    def claim(self, run_id: UUID, placement: Placement) -> Claim:
        """A new claim number for every allocation."""
        self._say("claim")
        self.claims += 1
        self.placement = placement
        return Claim(run_id=run_id, number=self.claims, attempt=1, job=a_job(), input={})

    def report(self, run_id: UUID, claim: int, status: Status, message: str = "") -> None:
        """Take down a step."""
        self._say(f"{status} by {claim}")

    def end(self, run_id: UUID, claim: int, result: RunResult) -> None:
        """Take down the end."""
        self._say(f"{result.status} ends {claim}")

    def _say(self, what: str) -> None:
        refusal = self.refusals.popleft() if self.refusals else None
        if refusal is not None:
            self.said.append(f"{what}: {type(refusal).__name__}")
            raise refusal
        self.said.append(what)


class Worker:
    """One worker of a simulated Nomad, on which one run is played."""

    def __init__(self, heard: Heard, behaviour: Behaviour | None = None, seed: int = 0) -> None:
        self.timeline = Timeline()
        self.tasks = ScriptedTasks(
            self.timeline,
            heard,
            behaviours={a_job().type: behaviour} if behaviour else None,
            seed=seed,
        )
        self.cluster = NomadCluster(
            self.timeline, self.tasks, options=Options(default_ineligible=False)
        )
        task = {"Name": "main", "Driver": "raw_exec", "KillTimeout": 30_000_000_000}
        group = {
            "Tasks": [task],
            "RestartPolicy": {"Attempts": 0},
            "ReschedulePolicy": {"Attempts": 0},
        }
        spec = {"ID": "parent", "Type": "batch", "TaskGroups": [group]}
        self.cluster.jobs.register({**spec, "ParameterizedJob": {"MetaRequired": ["run"]}})
        self.node_id = self.boot(1)
        self.wait(10)
        order = DispatchOrder(meta={"run": str(uuid4())})
        self.child = self.cluster.jobs.dispatch("parent", order).job_id

    def boot(self, number: int) -> str:
        """Let one more worker join."""
        boot = Boot(server_id=f"s{number}", name=f"w{number}", node_class="c", memory_mb=9_000)
        return self.cluster.node_boots(boot)

    def wait(self, seconds: float) -> None:
        """Let virtual time pass."""
        self.timeline.advance(timedelta(seconds=seconds))

    def allocation(self) -> AllocRow:
        """The newest allocation of the child."""
        return self.cluster.state.allocs_of(self.child)[-1]


DAY = 86_400
WHOLE = ["claim", "pre_processing by 1", "processing by 1", "post_processing by 1"]


def only(ending: Ending) -> Behaviour:
    """A behaviour of which every run ends so."""
    return Behaviour(endings={ending: 1.0})


@pytest.mark.parametrize(
    ("ending", "said", "status", "code"),
    [
        pytest.param(Ending.PROCESSED, [*WHOLE, "processed ends 1"], "complete", 0, id="processed"),
        pytest.param(
            Ending.INTERNAL_ERROR,
            [*WHOLE[:3], "internal_error ends 1"],
            "complete",
            0,
            id="internal-error",
        ),
        pytest.param(
            Ending.EXTERNAL_ERROR,
            [*WHOLE[:2], "external_error ends 1"],
            "complete",
            0,
            id="external-error",
        ),
        pytest.param(Ending.SILENT_EXIT, WHOLE[:3], "failed", 1, id="silent-exit"),
        pytest.param(Ending.HANG, WHOLE[:3], "running", None, id="hang"),
    ],
)
def test_a_run_goes_out_as_its_script_says(
    ending: Ending, said: list[str], status: str, code: int | None
) -> None:
    heard = Heard()
    worker = Worker(heard, only(ending))
    worker.wait(DAY / 8)
    assert heard.said == said
    assert (worker.allocation().client_status, worker.allocation().exit_code) == (status, code)
    assert bool(worker.tasks.playing) is (ending is Ending.HANG)


def test_the_claim_says_where_the_program_runs() -> None:
    heard = Heard()
    worker = Worker(heard)
    worker.wait(5)
    assert heard.placement == Placement(
        allocation_id=worker.allocation().id, node_id=worker.node_id, node_name="w1", address=""
    )


@pytest.mark.parametrize("step", range(5))
def test_an_outdated_claim_exits_0_without_another_word(step: int) -> None:
    heard = Heard()
    heard.refusals.extend([None] * step + [Superseded("another has claimed")])
    worker = Worker(heard)
    worker.wait(DAY / 8)
    assert len(heard.said) == step + 1
    assert (worker.allocation().client_status, worker.allocation().exit_code) == ("complete", 0)


@pytest.mark.parametrize(
    "refusal", [IllegalTransition("no"), NotFound("no such run")], ids=["illegal", "unknown-run"]
)
def test_what_makes_no_sense_ends_the_program_with_an_error(refusal: HrsiError) -> None:
    heard = Heard()
    heard.refusals.append(refusal)
    worker = Worker(heard)
    worker.wait(60)
    assert (worker.allocation().client_status, worker.allocation().exit_code) == ("failed", 2)


@pytest.mark.parametrize("step", range(5))
def test_what_the_store_did_not_hear_is_said_again(step: int) -> None:
    heard = Heard()
    heard.refusals.extend([None] * step + [Unavailable("down"), Unknown("no answer")])
    worker = Worker(heard)
    worker.wait(DAY / 8)
    assert [what for what in heard.said if ": " not in what] == [*WHOLE, "processed ends 1"]
    assert len(heard.said) == 7


def test_a_program_that_is_told_to_stop_lives_on_for_a_moment() -> None:
    heard = Heard()
    worker = Worker(heard)
    worker.wait(60)
    worker.cluster.jobs.stop(worker.child)
    worker.wait(0.06)
    assert worker.allocation().client_status == "running"
    worker.wait(31)
    assert (worker.allocation().client_status, worker.allocation().exit_code) == ("complete", 137)
    before = list(heard.said)
    worker.wait(DAY / 8)
    assert heard.said == before


def test_a_replacement_claims_the_same_run_anew() -> None:
    heard = Heard()
    worker = Worker(heard)
    worker.wait(60)
    worker.boot(2)
    worker.cluster.node_dies("s1")
    worker.wait(DAY / 8)
    assert heard.claims == 2
    assert heard.said[-1] == "processed ends 2"
    assert worker.allocation().node_name == "w2"


def test_the_same_run_behaves_the_same_in_any_world() -> None:
    behaviour = Behaviour(
        endings={Ending.INTERNAL_ERROR: 0.3, Ending.HANG: 0.2, Ending.SILENT_EXIT: 0.1}
    )
    claims = [
        Claim(run_id=UUID(int=n), number=1, attempt=1, job=a_job(), input={}) for n in range(300)
    ]
    scripts = []
    for order in (1, -1):
        tasks = ScriptedTasks(Timeline(), Heard(), behaviours={a_job().type: behaviour}, seed=7)
        scripts.append({claim.run_id: tasks.script_of(claim) for claim in claims[::order]})
    assert scripts[0] == scripts[1]
    endings = [script.ending for script in scripts[0].values()]
    assert 60 < endings.count(Ending.INTERNAL_ERROR) < 120
    assert 35 < endings.count(Ending.HANG) < 85


def test_a_duration_stays_within_its_bounds() -> None:
    spread = Spread(least=timedelta(seconds=3), most=timedelta(seconds=5))
    drawn = [spread.draw(Random(seed)) for seed in range(50)]
    assert spread.least <= min(drawn) < max(drawn) <= spread.most
