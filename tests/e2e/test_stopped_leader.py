"""The leader is stopped (SIGSTOP) around an effect, the other takes over, the leader goes on.

Two real processes on one PostgreSQL. Again and again whoever leads is caught at one place of one
effect: with the intent written but not committed, in the commit, with the call on its way, or with
the answer on its way. The other takes over when the lease has run out, and the first one is let go
on. It finds itself deposed: of all that it sends from then on, each call is one that an intent of
its own allows, which was open when it was stopped. Every job is processed once, and nothing is
left over.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from models.records import IntentKind
from tests.plugins.gates import Place, until
from tests.plugins.tap import Hold, Tap
from tests.plugins.twins import Farm, Twin

BY_DAY = os.environ.get("HYPOTHESIS_PROFILE") != "long"

REQUESTS: dict[IntentKind, tuple[Callable[[Twin], Tap], bytes]] = {
    IntentKind.CREATE_SERVER: (lambda twin: twin.cloud, rb"^POST \S*/servers "),
    IntentKind.DELETE_SERVER: (lambda twin: twin.cloud, rb"^DELETE \S*/servers/"),
    IntentKind.DISPATCH: (lambda twin: twin.nomad, rb"^\w+ /v1/job/\S+/dispatch"),
    IntentKind.SET_INELIGIBLE: (lambda twin: twin.nomad, rb'"ineligible"'),
    IntentKind.SET_ELIGIBLE: (lambda twin: twin.nomad, rb'"eligible"'),
    IntentKind.PURGE_NODE: (lambda twin: twin.nomad, rb"^\w+ /v1/node/\S+/purge"),
}
"""On which wire each effect goes out, and how it begins."""


class InTheStore:
    """The transaction of the intent has not come to its end."""

    def __init__(self, farm: Farm, kind: IntentKind, place: Place) -> None:
        self._gates = farm.gates
        self._gates.shut(kind, place)

    def is_reached(self, _leader: Twin) -> bool:
        return self._gates.somebody_waits

    def let_go(self) -> None:
        self._gates.open()


class OnTheWire:
    """The call, or its answer, has left and not arrived."""

    def __init__(self, leader: Twin, kind: IntentKind, *, answer: bool) -> None:
        tap, begins = REQUESTS[kind]
        self._hold: Hold = tap(leader).hold(begins, answer=answer)

    def is_reached(self, _leader: Twin) -> bool:
        return self._hold.reached.is_set()

    def let_go(self) -> None:
        self._hold.let_go()


@dataclass(frozen=True)
class Stop:
    """Where the leader is stopped. What was held goes on before the other takes over, if `early`:
    a commit that was sent is carried out, whatever became of who sent it.
    """

    kind: IntentKind
    place: str

    def catch(self, farm: Farm, leader: Twin) -> InTheStore | OnTheWire:
        if self.place in list(Place):
            return InTheStore(farm, self.kind, Place(self.place))
        return OnTheWire(leader, self.kind, answer=self.place == "answered")

    @property
    def early(self) -> bool:
        return self.place in list(Place)

    def __str__(self) -> str:
        return f"{self.kind} {self.place}"


WORK = {IntentKind.CREATE_SERVER: 2, IntentKind.DISPATCH: 1}
"""How many jobs more than there are workers bring the effect about at once."""

PLACES = (Place.BEFORE_THE_COMMIT, Place.IN_THE_COMMIT, "sent", "answered")
SOME = (
    (IntentKind.CREATE_SERVER, Place.BEFORE_THE_COMMIT),
    (IntentKind.CREATE_SERVER, "sent"),
    (IntentKind.CREATE_SERVER, "answered"),
    (IntentKind.DISPATCH, Place.IN_THE_COMMIT),
    (IntentKind.DISPATCH, "sent"),
    (IntentKind.SET_INELIGIBLE, "answered"),
    (IntentKind.DELETE_SERVER, Place.IN_THE_COMMIT),
    (IntentKind.DELETE_SERVER, "sent"),
)
"""Each place at least once, and what cannot be undone at its worst. The long run tries them all."""

ALL = tuple((kind, place) for place in PLACES for kind in REQUESTS)
STOPS = [Stop(kind, str(place)) for kind, place in (SOME if BY_DAY else ALL)]


TRIES = 20


def test_whoever_is_stopped_around_an_effect_does_nothing_wrong_when_it_goes_on(
    twin_farm: Farm,
) -> None:
    twins = twin_farm.pair()
    for stop in STOPS:
        deposed = any(is_deposed(twin_farm, twins, stop) for _ in range(TRIES))
        assert deposed, f"whoever led was never deposed at {stop}"
    until(twin_farm.is_quiet, "everything is processed and taken down")
    for twin in twins:
        twin.end()
    twin_farm.nothing_went_wrong()
    twin_farm.nothing_is_left()


def is_deposed(farm: Farm, twins: tuple[Twin, Twin], stop: Stop) -> bool:
    """Depose the leader there and judge it. False: on a busy machine leases changed hands at other
    times, too, so that what it sent is not to be judged by the intents that it had.
    """
    leader = farm.sole_leader(twins)
    other = next(twin for twin in twins if twin is not leader)
    epochs = farm.epochs()
    caught = caught_at(stop, farm, leader)
    if caught is None:
        return False
    stopped = datetime.now(UTC)
    if stop.early:
        caught.let_go()
    assert farm.leader((other,)) is other
    allowed, sent = farm.gates.allowed(epochs, since=stopped), len(leader.writes)
    caught.let_go()
    leader.go_on()
    farm.until_it_passed(leader)
    writes = leader.writes[sent:]
    if farm.epochs() != {loop: epoch + 1 for loop, epoch in epochs.items()}:
        return False
    for kinds in writes:
        kind = next((kind for kind in kinds if allowed[kind]), None)
        assert kind is not None, f"{stop}: deposed, it sent {kinds[0]} without an intent of its own"
        allowed[kind] -= 1
    status, text = other.page("metrics")
    assert status == 200
    assert 'hrsi_failover_seconds{loop="worker-pool"}' in text
    return True


def caught_at(stop: Stop, farm: Farm, leader: Twin) -> InTheStore | OnTheWire | None:
    """Stop the leader there; None when it lost a lease before. A transaction that waits too long is
    given up: then once more.
    """
    caught = stop.catch(farm, leader)
    if stop.kind in WORK:
        farm.submit(WORK[stop.kind] + len(farm.database.reader.workers()))

    def is_decided() -> bool:
        if farm.is_quiet():
            farm.submit(2)  # every effect there is, one after the other, until all is quiet again
        return caught.is_reached(leader) or not farm.is_led_by(leader)

    for _ in range(TRIES):
        until(is_decided, f"the leader is at {stop}")
        leader.stop()
        if caught.is_reached(leader):
            return caught
        leader.go_on()
        if not farm.is_led_by(leader):
            break
    caught.let_go()
    return None
