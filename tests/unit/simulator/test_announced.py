"""The judge of publication sees each way in which one is not what it says it is (I8)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from models.announcement import folder_of, thumbnail_of
from models.lifecycle import Status
from models.manifest import digest_of
from models.objects import Place
from models.publication import Publication, PublicationState
from simulator.announced import Announced
from simulator.examples import NOW, a_job, a_run
from simulator.examples.products import a_manifest
from simulator.press import SHOP, PressOptions, SimulatedPress, content_of
from simulator.store.tables import Tables
from simulator.timeline import Timeline
from tests.plugins.pressroom import written

JOB = a_job(status=Status.PROCESSED, attempt=1)
RUN = a_run(claim=1)
MADE = a_manifest(JOB.unique_id, RUN, products=(written("FSC_20220827T130318_S2A_T28WEU_V102_1"),))
(PRODUCT,) = MADE.products


class World:
    """A job whose only product is in the shop, announced and confirmed, and who judges it."""

    def __init__(self) -> None:
        self.told: list[tuple[str, str, str]] = []
        self.tables = Tables()
        self.press = SimulatedPress(PressOptions(), Timeline())
        self.row = Publication(
            id=1,
            job_id=JOB.id,
            run_id=RUN.id,
            product=PRODUCT.name,
            kind=PRODUCT.kind.value,
            digest=digest_of(MADE),
            state=PublicationState.SENDING,
            send=1,
            changed_at=NOW,
            begun_at=NOW,
        )
        for file in PRODUCT.files:
            self.press.buckets.write(self.place(file.key), content_of(file.key), sha256=file.sha256)
        self.press.broker.confirmed.add(self.row.message_id)
        self.tables.jobs.put(JOB.id, JOB)
        self.tables.runs.put(RUN.id, RUN)
        self.tables.manifests.put(RUN.id, MADE)
        self.tables.publications.put(1, self.row)
        Announced(self.tables, self.press, lambda *told: self.told.append(told)).watch()

    def place(self, key: str) -> Place:
        """Where the file of this key is in the shop."""
        last = key.rpartition("/")[2]
        found = (
            thumbnail_of(PRODUCT) if key == PRODUCT.quicklook else f"{folder_of(PRODUCT)}/{last}"
        )
        return Place(bucket=SHOP.bucket, key=found)

    def lose(self, key: str) -> None:
        """Let a file of the shop be gone."""
        place = self.place(key)
        del self.press.buckets.buckets[place.bucket][place.key]

    def become(self, **changes: Any) -> None:
        """Let the publication be as somebody wrote it."""
        self.row = replace(self.row, **changes)
        self.tables.publications.put(1, self.row)

    def publish(self) -> None:
        """Let the job be published."""
        self.become(state=PublicationState.CONFIRMED)
        self.tables.jobs.put(JOB.id, replace(JOB, status=Status.PUBLISHED))

    def finish(self) -> None:
        """Let the job be done without having been published."""
        self.tables.jobs.put(JOB.id, replace(JOB, status=Status.DONE))

    def spoil(self) -> None:
        """Let another content of the same length lie in the shop."""
        file = PRODUCT.files[0]
        self.press.buckets.write(self.place(file.key), bytes(file.size), sha256="0" * 64)


def test_what_is_as_it_should_be_is_not_told() -> None:
    world = World()
    world.publish()
    assert world.told == []


@pytest.mark.parametrize(
    ("wrong", "then", "said"),
    [
        pytest.param(
            lambda w: w.press.broker.confirmed.clear(),
            World.publish,
            "was never confirmed",
            id="no-confirm",
        ),
        pytest.param(
            lambda w: w.lose(PRODUCT.files[0].key), World.publish, "there is no s3://", id="no-file"
        ),
        pytest.param(
            lambda w: w.lose(PRODUCT.files[2].key), World.publish, "Preview/", id="no-thumbnail"
        ),
        pytest.param(
            World.spoil, World.publish, "not the file of the manifest", id="another-content"
        ),
        pytest.param(
            lambda w: w.tables.publications.drop(1), World.finish, "not announced", id="no-message"
        ),
        pytest.param(
            lambda w: None,
            lambda w: w.tables.jobs.put(JOB.id, replace(JOB, status=Status.PUBLISHED)),
            "is not announced",
            id="a-message-under-way",
        ),
        pytest.param(
            lambda w: None,
            lambda w: w.become(send=2),
            "without having been refused",
            id="another-id",
        ),
    ],
)
def test_what_is_not_is_told(
    wrong: Callable[[World], object], then: Callable[[World], object], said: str
) -> None:
    world = World()
    wrong(world)
    then(world)
    assert world.told
    assert {invariant for invariant, _, _ in world.told} == {"I8"}
    assert any(said in what for _, _, what in world.told), world.told


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"state": PublicationState.REFUSED, "refusals": 1}, id="refused"),
        pytest.param({"state": PublicationState.WAITING}, id="made-by-a-new-run"),
    ],
)
def test_a_message_may_become_another_one(changes: dict[str, Any]) -> None:
    world = World()
    world.become(send=2, **changes)
    assert world.told == []
