"""Publication whose connection to PostgreSQL breaks at any statement, and whose process then ends.

Each transaction writes all of it or nothing. Whoever comes after goes on with what is written:
each product is announced at least once, under the id that it had if nobody knows what became of
it, and none is called published without its confirm and its objects.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest
from sqlalchemy import text

from controller.clock import RandomIds, SystemClock
from controller.log import silence
from infra.postgres import Postgres
from models import errors
from models.changes import Change
from models.lifecycle import Status
from models.publication import PublicationState
from models.records import Job
from simulator.broker import MemoryBroker, SimulatedBroker
from simulator.objects import MemoryObjects, SimulatedBuckets
from tests.plugins.pressroom import PRODUCTS, RESULTS, Parts, PressRoom, names
from tests.plugins.publishing import PUBLICATION_CHANGES, processed
from tests.plugins.sessions import Scissors, cut_off_at_each_step
from tests.plugins.stores import ASKED, Desk, postgres_doors

pytestmark = pytest.mark.integration

EACH_CHANGE = pytest.mark.parametrize(
    "kind", PUBLICATION_CHANGES, ids=lambda kind: str(kind.__name__)
)


@pytest.fixture
def desk(postgres: Postgres) -> Desk:
    return Desk(postgres_doors(postgres))


@EACH_CHANGE
def test_a_change_that_is_cut_off_after_any_statement_writes_nothing(
    postgres: Postgres, desk: Desk, kind: type[Change]
) -> None:
    change = PUBLICATION_CHANGES[kind](desk)
    found = desk.everything()
    assert cut_off_at_each_step(postgres, desk, change) >= 2, "the lease, and what is written"
    assert desk.everything() != found


@EACH_CHANGE
def test_a_change_whose_commit_is_not_answered_is_done_once_when_it_is_done_again(
    postgres: Postgres, desk: Desk, kind: type[Change]
) -> None:
    change = PUBLICATION_CHANGES[kind](desk)
    with Scissors(postgres, at_commit=True).watching(), pytest.raises(errors.Unknown):
        desk.doors.jobs.commit(desk.lease, change)
    found = desk.everything()
    desk.do(change)
    assert desk.everything() != found


# ---- a pass --------------------------------------------------------------------------------------


class World:
    """The publication loop on PostgreSQL, before a broker and buckets in memory."""

    def __init__(self, database: Postgres) -> None:
        self.database = database
        self.desk = Desk(postgres_doors(database))
        self.desk.doors.operations.set_parameter("publication.refusal_pause", 0, ASKED)
        self.broker = SimulatedBroker()
        clock = SystemClock()
        buckets = SimulatedBuckets(clock)
        buckets.make(RESULTS, PRODUCTS)
        objects = MemoryObjects(buckets)
        self.room = PressRoom(
            Parts(
                desk=self.desk,
                results=objects,
                products=objects,
                broker=lambda: MemoryBroker(self.broker),
                announced=self._announced,
                clock=clock,
                ids=RandomIds(),
            )
        )

    def cut(self, scissors: Scissors) -> None:
        """A pass that is cut off, and the end of its process; its lease runs out."""
        with scissors.watching():
            self.room.step_unjudged()
        with self.database.sessions.engine.begin() as connection:
            connection.execute(
                text("update leases set expires_at = now() where name <> :ours"),
                {"ours": self.desk.name},
            )
        self.room.begin()
        self.room.judge()

    def sends(self) -> list[str]:
        """The ids of all messages that were ever kept."""
        return [key for key, _ in self._announced()]

    def _announced(self) -> list[tuple[str, bytes]]:
        """Every message that was kept; of none of them may a publication be confirmed of which
        the broker said nothing.
        """
        for job in self.desk.stories():
            for row in self.desk.doors.outbox.outgoing(job.job.id):
                found = row.publication
                confirmed = found.state is PublicationState.CONFIRMED
                assert not confirmed or found.message_id in self.broker.confirmed, found
        return [(each.id, each.body) for each in (*self.broker.taken, *self.broker.announced)]


def begun(world: World) -> list[Job]:
    """One job is to be published, another made nothing."""
    return [world.room.made(*names(0)), processed(world.desk, products=())]


def refused(world: World) -> list[Job]:
    """A product was refused, and something that is no message of ours."""
    job = world.room.made(*names(0))
    world.room.until_done(job)
    first = world.broker.announced.pop(0)
    world.broker.taken.append(first)
    world.broker.refuse(first.body, first.id)
    world.broker.refuse(b"nonsense")
    return [job]


@dataclass(frozen=True)
class Pass:
    """What a pass begins with, under which sends all is announced in the end, and whether one that
    is cut off may have sent what nobody knows of.
    """

    begins: Callable[[World], list[Job]]
    sends: frozenset[str]
    repeats: bool


EACH_PASS = pytest.mark.parametrize(
    "of",
    [
        pytest.param(Pass(begun, frozenset("1"), repeats=True), id="a-publication"),
        pytest.param(Pass(refused, frozenset("12"), repeats=False), id="refusals"),
    ],
)


@EACH_PASS
def test_a_pass_that_is_cut_off_after_any_statement_is_made_good_by_whoever_comes_after(
    postgres: Postgres, of: Pass
) -> None:
    whole = Scissors(postgres)
    survived(postgres, of, whole)
    # What was only looked at has changed nothing yet.
    first = next(n for n, statement in enumerate(whole.seen) if "for share" in statement)
    cut = [Scissors(postgres, after=n) for n in range(first, len(whole.seen) + 1)]
    assert len(cut) > 10
    repeated = [survived(postgres, of, scissors) for scissors in cut]
    assert any(repeated) is of.repeats


@EACH_PASS
def test_a_pass_in_which_any_commit_is_not_answered_is_made_good_by_whoever_comes_after(
    postgres: Postgres, of: Pass
) -> None:
    whole = Scissors(postgres)
    survived(postgres, of, whole)
    cut = [Scissors(postgres, at_commit_number=n) for n in range(1, whole.commits + 1)]
    assert len(cut) > 3
    repeated = [survived(postgres, of, scissors) for scissors in cut]
    assert any(repeated) is of.repeats


def survived(database: Postgres, of: Pass, scissors: Scissors) -> bool:
    """Whether a message was sent more than once because of the scissors; all is announced."""
    world = World(database)
    jobs = of.begins(world)
    with silence():
        world.cut(scissors)
        settled(world, jobs)
    found = world.sends()
    assert {key.rpartition(":")[2] for key in found} == of.sends
    assert {key.partition(":")[0] for key in found} == {*names(0)}
    return len(found) > len(set(found))


def settled(world: World, jobs: list[Job]) -> None:
    """All is done, and nothing is left in the queue of failures."""
    for _ in range(20):
        found = {world.desk.job(job.id).status for job in jobs}
        if found == {Status.DONE} and not world.broker.failures:
            return
        world.room.step()
    raise AssertionError([world.desk.job(job.id) for job in jobs])
