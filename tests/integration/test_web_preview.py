"""Parameters previewed over the API, by a service with and without the settings of a controller."""

from __future__ import annotations

from dataclasses import replace

import pytest

from controller.bootstrap.api import previewer
from models.access import Role
from models.ports import Asked
from simulator.examples import NOW, some_new_jobs
from tests.plugins.installation import Installation
from tests.plugins.readiness import make_ready
from tests.plugins.web import Api, serving

pytestmark = pytest.mark.integration

PATH = "/parameters/preview"


def test_a_preview_says_which_decisions_would_be_others_and_changes_nothing(
    installation: Installation,
) -> None:
    place = installation
    place.database.operations.submit(some_new_jobs(5), Asked(actor="test"))
    make_ready(place.database.store, NOW)
    preview = previewer(place.config, place.environment)
    with serving(place.database, preview=preview) as api:
        token = api.token(Role.OPERATOR)
        before = place.database.reader.totals(), place.database.reader.parameters()
        answer = api.ask("POST", PATH, token, {"changes": {"pool.max_workers": 2}})
        after = place.database.reader.totals(), place.database.reader.parameters()
        refused = api.ask("POST", PATH, token, {"changes": {"pool.max_workers": -1}})
    assert answer.status == 200, answer.body
    assert (answer.body["now"]["create"], answer.body["then"]["create"]) == (5, 2)
    gone = [each["now"] for each in answer.body["differences"] if each["then"] is None]
    created = [each for each in gone if each["action"] == "CreateServer"]
    assert [each["what"] for each in created] == [
        f"create server os-worker-00{number} (hm.medium)" for number in (3, 4, 5)
    ]
    assert all(each["reason"] == "JOBS_WAITING" and each["because"] for each in created)
    assert after == before
    assert place.served.outside.cloud.created == 0
    assert (refused.status, "out of bounds" in refused.body["detail"]) == (422, True)


def test_a_service_that_cannot_look_says_so(api: Api) -> None:
    answer = api.ask("POST", PATH, api.token(Role.OPERATOR), {"changes": {"pool.max_workers": 2}})
    assert (answer.status, answer.body["type"]) == (503, "urn:hrsi:problem:not-set-up")
    assert "hrsi param preview" in answer.body["detail"]


def test_a_key_that_is_none_is_refused_by_name(api: Api) -> None:
    answer = api.ask("POST", PATH, api.token(Role.OPERATOR), {"changes": {"pool.most": 2}})
    assert (answer.status, "'pool.most'" in answer.body["detail"]) == (422, True)


def test_without_the_settings_of_a_controller_nothing_looks(installation: Installation) -> None:
    config = installation.config
    assert previewer(config) is not None
    assert previewer(replace(config, openstack=replace(config.openstack, project=None))) is None
