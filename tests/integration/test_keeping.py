"""The results bucket is kept small, and nothing else is touched."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from prometheus_client import CollectorRegistry

from controller.act.effects import Tools
from controller.act.executor import Executor, Lane
from controller.act.hands import Hands
from controller.crew import Inline
from controller.keeping import Rounds
from controller.loop import Shell, loop_of
from controller.metrics import Metrics
from controller.observe import Observer, Sources
from controller.reconcilers import RECONCILERS
from infra.s3 import Buckets
from models.configuration import ConfigureJobs
from models.errors import System
from models.job_types import DEFAULT_REGISTRY
from models.manifest import folder_of
from models.objects import Shelf
from models.plan import Decision, Held, Reason
from models.ports import Asked, JobFilter
from models.records import IntentKind, IntentState, Job, NewJob
from simulator.buckets import ServedBuckets
from simulator.examples import a_site
from simulator.systems import Scenario, in_memory
from tests.plugins.readiness import a_config, configured

pytestmark = pytest.mark.integration

ASKED = Asked(actor="ada@host")
LATER = timedelta(days=31)
EVERY = timedelta(minutes=2)
[RETENTION] = [each for each in RECONCILERS if each.name == "retention"]


class House:
    """A bucket, jobs, and the loop that keeps the one by the other; its clock is a month ahead."""

    def __init__(self, bucket: str, data: str, buckets: Buckets, server: ServedBuckets) -> None:
        self.bucket, self.data, self.buckets, self._server = bucket, data, buckets, server
        self._systems = in_memory(Scenario())
        self.store = self._systems.store
        self.ahead = LATER
        self.metrics = Metrics(CollectorRegistry(), self)
        self.begin(bucket)

    def begin(self, bucket: str) -> None:
        """Start a process that remembers nothing, with this bucket in its settings."""
        systems, shelf = self._systems, Shelf(store=self.buckets, bucket=bucket)
        tools = Tools(
            store=self.store,
            orchestrator=systems.nomad_port("house"),
            cloud=systems.cloud_port(),
            clock=self,
            ids=systems.ids,
            metrics=self.metrics,
            ending=threading.Event(),
            token_key=b"a key that nobody asks for in here",
            results=shelf,
            data=Shelf(store=self.buckets, bucket=self.data),
        )
        observer = Observer(
            Sources(
                store=self.store,
                orchestrator=tools.orchestrator,
                cloud=tools.cloud,
                rounds=Rounds(shelf=shelf, reader=self.store, clock=self, l2as=self.store),
            ),
            site=a_site(),
            registry=DEFAULT_REGISTRY,
            clock=self,
            crew=Inline(),
            metrics=self.metrics,
        )
        lanes = {system: Lane(crew=Inline(), capacity=100) for system in System}
        hands = Hands(Executor(lanes, self, lambda _: None), self.metrics)
        shell = Shell(tools=tools, observer=observer, hands=hands)
        self._loop = loop_of(RETENTION, shell, "keeper")

    def now(self) -> datetime:
        """The time by which objects that were just written are old."""
        return datetime.now(UTC) + self.ahead

    def monotonic(self) -> float:
        """See `models.ports.Clock`."""
        return self.now().timestamp()

    def set(self, **values: float) -> None:
        """Change parameters of retention, in force from the next look on."""
        for name, value in values.items():
            self.store.set_parameter(f"retention.{name}", value, ASKED)
        self.step()

    def job(self, key: str, *, cancelled: bool = True) -> UUID:
        """A job that is over, or one that is not."""
        self.store.submit([NewJob(type="test", key=key, name=key)], ASKED)
        job = next(j for j in self.store.jobs(JobFilter(limit=1000)) if j.key == key)
        if cancelled:
            self.store.cancel([job.id], ASKED)
        return job.unique_id

    def with_l2a(self, tile: str) -> str:
        """A cancelled job of a tile that has left an L2A; where that is."""
        new = NewJob(type="fsc_rlie", key=tile, name=tile, tile=tile, sensing_at=datetime.now(UTC))
        [job_id] = self.store.submit([new], ASKED).added
        place = f"{tile}/L2A/reference/x/init"
        config = a_config("fsc_rlie", l2a_path_out=place)
        lease = self.store.acquire("configuration", "a test", timedelta(hours=1))
        assert lease is not None
        job = next(j for j in self.store.jobs(JobFilter(limit=1000)) if j.id == job_id)
        ready = configured(job, config=config, overtakes=True)
        self.store.commit(lease, ConfigureJobs(at=datetime.now(UTC), jobs=(ready,)))
        self.store.release(lease)
        self.store.cancel([job_id], ASKED)
        self.put([f"{place}/l2a.json", f"{place}/run-1/a/b"], self.data)
        return place

    def row(self, unique_id: UUID) -> Job:
        """The job of a folder."""
        [job] = self.store.of_unique_ids([unique_id])
        return job

    def fill(self, unique_id: UUID, names: Iterable[str] = ("run.json", "outputs/a")) -> None:
        """Let a run have left files."""
        self.put((f"{folder_of(unique_id)}{name}" for name in names), self.bucket)

    def put(self, keys: Iterable[str], bucket: str) -> None:
        """Objects, past the wire."""
        self._server.fill(bucket, [(key, b"x") for key in keys])

    def left(self, bucket: str | None = None) -> list[str]:
        """The keys that there are."""
        return [each.place.key for each in self.buckets.objects(bucket or self.bucket, "")]

    def step(self) -> tuple[Decision, ...]:
        """A pass, some time after the last; what it decided."""
        self.ahead += EVERY
        report = self._loop.step()
        assert report.error is None, report.error
        assert not report.violations, report.violations
        return report.decisions

    def look(self) -> int:
        """A pass; how many objects went."""
        before = len(self.left())
        self.step()
        return before - len(self.left())

    def round(self) -> int:
        """A whole round and a look beyond it; how many objects went."""
        return sum(self.look() for _ in range(10))


@pytest.fixture
def house(new_bucket: Callable[[str], str], buckets: Buckets, s3_server: ServedBuckets) -> House:
    return House(new_bucket("bucket"), new_bucket("data"), buckets, s3_server)


def test_what_a_job_left_goes_and_that_of_an_open_one_stays(house: House) -> None:
    over, under_way = house.job("over"), house.job("open", cancelled=False)
    house.fill(over)
    house.fill(under_way)
    assert house.look() == 2
    assert house.left() == [f"{folder_of(under_way)}{name}" for name in ("outputs/a", "run.json")]


def test_more_than_a_page_of_objects_goes_in_one_look(house: House) -> None:
    over = house.job("over")
    house.fill(over, (f"temp/{number:04}" for number in range(1_100)))
    assert house.look() == 1_100
    assert house.left() == []


def test_what_was_written_lately_stays(house: House) -> None:
    house.fill(house.job("over"))
    house.ahead = timedelta(days=29)
    assert house.look() == 0
    assert len(house.left()) == 2


def test_what_is_no_jobs_of_ours_stays(house: House) -> None:
    odd = ["work/jobs/readme/a", "work/jobs/a", f"work/{uuid4()}/a", "elsewhere/a"]
    house.put([f"{folder_of(uuid4())}a", *odd], house.bucket)
    assert house.round() == 0
    assert len(house.left()) == 5


def test_no_other_bucket_is_touched(house: House, new_bucket: Callable[[str], str]) -> None:
    products = new_bucket("products")
    over = house.job("over")
    house.put([f"{folder_of(over)}a"], products)
    house.fill(over)
    house.round()
    assert house.left() == []
    assert house.left(products) == [f"{folder_of(over)}a"]


def test_of_one_job_so_many_objects_go_at_once_and_the_rest_in_another_round(house: House) -> None:
    house.set(objects=3)
    house.fill(house.job("over"), "abcd")
    assert [house.look() for _ in range(3)] == [3, 1, 0]
    assert house.left() == []


def test_a_look_removes_what_so_many_jobs_left_and_later_rounds_the_rest(house: House) -> None:
    house.set(jobs=2)
    for key in "abc":
        house.fill(house.job(key))
    assert [house.look() for _ in range(3)] == [4, 2, 0]


def test_a_look_judges_so_many_jobs_and_the_next_ones_the_rest(house: House) -> None:
    house.set(folders=2)
    for key in "abcde":
        house.fill(house.job(key), ["a"])
    assert [house.look() for _ in range(3)] == [2, 2, 1]


def test_a_round_begins_anew_after_the_last(house: House) -> None:
    house.fill(house.job("first"))
    assert house.round() == 2
    house.fill(house.job("second"))
    assert house.round() == 2


def test_a_job_that_is_sent_back_to_work_meanwhile_keeps_the_rest(house: House) -> None:
    house.set(objects=1)
    over = house.job("over")
    house.fill(over)
    assert house.look() == 1
    house.store.relaunch([house.row(over).id], ASKED)
    assert house.round() == 0
    assert len(house.left()) == 1


def test_while_everything_is_paused_nothing_is_deleted(house: House) -> None:
    house.fill(house.job("over"))
    house.store.pause(["everything"], ASKED)
    assert house.round() == 0
    house.store.resume(["everything"], ASKED)
    assert house.round() == 2


def test_a_bucket_that_fails_holds_it_back_and_is_begun_anew(house: House) -> None:
    house.fill(house.job("over"))
    house.begin("no-such-bucket")
    [held] = house.step()
    assert isinstance(held, Held)
    assert held.reason is Reason.SOURCE_UNKNOWN
    house.begin(house.bucket)
    assert house.round() == 2


def test_what_went_is_explained_counted_and_was_meant_before_it_was_tried(house: House) -> None:
    over = house.job("over")
    house.fill(over)
    subject = f"job:{house.row(over).id}"
    assert house.look() == 2
    [row] = house.store.ledger([subject])
    assert (row.loop, row.reason) == ("retention", Reason.RESULTS_OLD)
    assert "longer than 30 days" in row.because
    [intent] = house.store.tables.intents.values()
    assert (intent.kind, intent.subject) == (IntentKind.REMOVE_RESULTS, str(over))
    assert (intent.state, intent.lease) == (IntentState.DONE, "retention")
    assert house.metrics.registry.get_sample_value("hrsi_results_removed_total") == 2
    assert [lease.name for lease in house.store.leases()] == ["retention"]


def test_between_two_looks_the_bucket_is_left_alone(house: House) -> None:
    house.set(every=3600)
    assert house.round() == 0
    house.fill(house.job("over"))
    assert house.look() == 0
    house.ahead += timedelta(hours=1)
    assert house.look() == 2


# ---- L2A -----------------------------------------------------------------------------------------


def kept_of(house: House) -> list[int]:
    return [each.job.id for each in house.store.l2as(0, 100)]


def test_an_l2a_that_nobody_begins_with_goes_from_the_data_bucket_and_says_why(
    house: House,
) -> None:
    place = house.with_l2a("32TLR")
    house.put([f"{place}-2/l2a.json", f"{folder_of(uuid4())}a"], house.data)
    house.step()
    assert len(house.left(house.data)) == 2, "what only begins alike stays"
    [row] = house.store.ledger(["job:1"])
    assert (row.loop, row.reason) == ("retention", Reason.L2A_OLD)
    assert "did not come to a good end" in row.because
    [intent] = house.store.tables.intents.values()
    assert (intent.kind, intent.state) == (IntentKind.REMOVE_L2A, IntentState.DONE)
    assert house.metrics.registry.get_sample_value("hrsi_l2a_removed_total") == 2
    assert kept_of(house) == []


def test_an_l2a_too_large_for_one_look_goes_in_several_and_is_forgotten_with_its_last_file(
    house: House,
) -> None:
    house.set(objects=1, every=1)
    house.with_l2a("32TLR")
    assert [len(house.left(house.data)) for _ in range(2) if house.step()] == [1, 0]
    assert kept_of(house) == []


def test_what_stopped_behind_the_first_step_goes_on_in_another_process(house: House) -> None:
    house.with_l2a("32TLR")
    data, house.data = house.data, "no-such-bucket"
    house.begin(house.bucket)
    house.step()
    assert kept_of(house) == [1], "nothing is deleted yet, and it is not forgotten"
    house.data = data
    house.begin(house.bucket)
    house.step()
    assert (house.left(house.data), kept_of(house)) == ([], [])


def test_every_l2a_has_its_turn(house: House) -> None:
    house.set(folders=2)
    for number in range(5):
        house.with_l2a(f"32TL{number}")
    assert [len(house.left(house.data)) for _ in range(3) if house.step()] == [6, 2, 0]
