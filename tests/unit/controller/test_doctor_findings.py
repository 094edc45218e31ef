"""What each finding of the doctor means: tables of what was seen and what is said of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from controller.doctor.cloud import image_found, microversion_found, quota_found
from controller.doctor.examine import worst
from controller.doctor.findings import Found, checked, clock_found, version_of
from controller.doctor.nomad import parents_found, rights_found, version_found
from models.checkup import Check, Health, Rights
from models.errors import Unavailable
from models.job_types import DEFAULT_REGISTRY
from models.settings import PoolSettings
from models.world import CloudSnapshot, NomadSnapshot, Quota, World
from simulator.examples import a_machine, a_site, a_world

OK, WARNING, FAILED = Health.OK, Health.WARNING, Health.FAILED


def nomad_of(world: World) -> NomadSnapshot:
    assert world.nomad is not None
    return world.nomad


def cloud_of(world: World) -> CloudSnapshot:
    assert world.cloud is not None
    return world.cloud


@pytest.mark.parametrize(
    ("seconds", "health", "told"),
    [
        (0, OK, "is ours within 2 s"),
        (1.9, OK, "is ours within 2 s"),
        (-2, WARNING, "2.0 s behind ours"),
        (29, WARNING, "29.0 s ahead of ours"),
        (30, FAILED, "30.0 s ahead of ours"),
        (-3600, FAILED, "3600.0 s behind ours"),
    ],
)
def test_clocks_are_told_apart_by_what_it_harms(seconds: float, health: Health, told: str) -> None:
    found = clock_found(timedelta(seconds=seconds), "Nomad")
    assert found.health is health
    assert told in found.what


@pytest.mark.parametrize(
    ("text", "numbers"),
    [("2.0.6-dev", (2, 0, 6)), ("v1.10.1+ent", (1, 10, 1)), ("18", (18,)), ("unknown", ())],
)
def test_the_numbers_of_a_version(text: str, numbers: tuple[int, ...]) -> None:
    assert version_of(text) == numbers


@pytest.mark.parametrize(
    ("version", "health"),
    [
        ("unknown", WARNING),
        ("1.2.9", FAILED),
        ("1.3.0", WARNING),
        ("1.10.0", WARNING),
        ("1.10.1", WARNING),
        ("2.0.2", WARNING),
        ("2.0.3", OK),
        ("2.1.0-beta.1", OK),
    ],
)
def test_versions_of_nomad(version: str, health: Health) -> None:
    found = version_found(version)
    assert found.health is health
    assert (found.remedy == "") is (health is OK)


@pytest.mark.parametrize(
    ("reads", "writes", "health"),
    [
        (True, True, OK),
        (True, False, FAILED),
        (False, True, FAILED),
        (None, None, WARNING),
    ],
)
def test_rights_of_a_token(reads: bool | None, writes: bool | None, health: Health) -> None:
    found = rights_found(Rights(who="token 'x'", everything_read=reads, nodes_written=writes))
    assert found.health is health
    assert "token 'x'" in found.what


def test_parents_that_are_missing_stopped_or_old_are_told_apart() -> None:
    site, snapshot = a_site(), nomad_of(a_world())
    assert parents_found(snapshot, site).health is OK
    first, second, third, *rest = snapshot.jobs
    stopped = replace(second, stopped=True)
    old = replace(third, meta={**third.meta, "fingerprint": "old"})
    found = parents_found(replace(snapshot, jobs=(stopped, old, *rest)), site)
    assert found.health is WARNING
    assert found.what == (
        f"not registered: {first.id}; stopped: {stopped.id}; "
        f"registered in another version: {old.id}"
    )


def test_an_image_is_there_or_nobody_boots() -> None:
    snapshot = cloud_of(a_world())
    image = min(snapshot.images)
    assert image_found(snapshot, a_site(image=image)).health is OK
    assert image_found(snapshot, a_site(image="none")).health is FAILED


@pytest.mark.parametrize(
    ("agreed", "health"), [((2, 1), WARNING), ((2, 68), WARNING), ((2, 69), OK), ((2, 75), OK)]
)
def test_microversions(agreed: tuple[int, int], health: Health) -> None:
    assert microversion_found(agreed).health is health


@pytest.mark.parametrize(
    ("quota", "told"),
    [
        pytest.param({}, "", id="room-for-all"),
        pytest.param({"max_servers": None, "max_vcpus": None}, "", id="unlimited"),
        pytest.param({"max_servers": 9}, "9 servers are left to us", id="few-servers"),
        pytest.param({"used_servers": 5}, "6 servers are left to us", id="others-hold-servers"),
        pytest.param({"max_vcpus": 19}, "19 vCPUs are left to us", id="few-vcpus"),
        pytest.param({"used_vcpus": 8}, "14 vCPUs are left to us", id="others-hold-vcpus"),
        pytest.param(
            {"max_servers": 1, "max_vcpus": 1},
            "1 servers are left to us, pool.max_workers allows 10; 1 vCPUs are left to us",
            id="both",
        ),
    ],
)
def test_the_quota_must_have_room_for_the_caps(quota: dict[str, Any], told: str) -> None:
    """One worker of ours, of 2 vCPUs, is among what is used."""
    world = a_world(a_machine())
    most = Quota(
        max_servers=10,
        used_servers=1,
        max_vcpus=20,
        used_vcpus=2,
        max_memory_mb=None,
        used_memory_mb=0,
    )
    pool = PoolSettings(max_workers=10, max_vcpus=20, vcpu_share=1.0)
    snapshot = replace(cloud_of(world), quota=replace(most, **quota))
    found = quota_found(snapshot, world.site, DEFAULT_REGISTRY, pool)
    assert found.what.startswith(told or "the quota has room")
    assert found.health is (WARNING if told else OK)


def test_what_a_system_refuses_is_a_failed_check_with_its_remedy() -> None:
    def refuse() -> Found:
        raise Unavailable("nobody there")

    check = checked("nomad", "lists", refuse, "look there")
    assert (check.health, check.found, check.remedy) == (FAILED, "nobody there", "look there")


@pytest.mark.parametrize(
    ("parts", "whole"),
    [([], OK), ([OK, OK], OK), ([OK, WARNING], WARNING), ([FAILED, WARNING, OK], FAILED)],
)
def test_the_whole_is_as_well_as_its_worst_part(parts: list[Health], whole: Health) -> None:
    checks = [Check(about="x", name="y", health=health, found="z") for health in parts]
    assert worst(checks) is whole
