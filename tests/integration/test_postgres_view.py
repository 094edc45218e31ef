"""A view makes anew only what has changed; what has not is the very same object."""

from typing import Any

import pytest

from infra.postgres import Postgres
from models.world import StoreView
from tests.plugins.stores import Desk, postgres_doors

pytestmark = pytest.mark.integration

KEPT = (
    "counts",
    "ready",
    "in_flight",
    "errors",
    "ended_runs",
    "workers",
    "orders",
    "intents",
    "identities",
    "backoffs",
    "pauses",
)


@pytest.fixture
def desk(own_database: Postgres) -> Desk:
    return Desk(postgres_doors(own_database))


def parts(view: StoreView) -> dict[str, Any]:
    return {name: getattr(view, name) for name in KEPT}


def changed(before: StoreView, after: StoreView) -> set[str]:
    then, now = parts(before), parts(after)
    return {name for name in KEPT if then[name] is not now[name]}


def test_a_quiet_store_shows_the_very_same_records(desk: Desk) -> None:
    desk.submit(3)
    desk.claimed()
    before = desk.view()
    assert changed(before, desk.view()) == set()


def test_only_what_changed_is_made_anew_and_it_shows_the_change(desk: Desk) -> None:
    desk.submit(2)
    desk.claimed()
    before = desk.view()
    desk.submit(1)
    after = desk.view()
    assert changed(before, after) == {"counts", "ready"}
    assert len(after.ready) == len(before.ready) + 1
