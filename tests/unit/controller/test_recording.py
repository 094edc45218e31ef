"""A recorded world is decided about as the world was, byte for byte, and tells no secret."""

import gzip
import json
from dataclasses import replace
from datetime import timedelta

import msgspec
import pytest
from hypothesis import given, settings

from controller.cli.output import plain
from controller.plan_text import plan_as_json, plan_lines
from controller.planning import Look, decided
from controller.reconcilers import RECONCILERS
from controller.recording import FORMAT, Recording, decode, encode, without_secrets
from models.actions import AddJobs
from models.areas import area_of_tiles
from models.catalogue import Collection, RejectedEntry
from models.creation import Feed, Known, KnownJob, Sweep, acquisition_of
from models.errors import FailureClass, Malformed
from models.fleet import DEPLOYMENT_METADATA
from models.job_types import DEFAULT_REGISTRY, TaskCommand
from models.product_names import ProductType
from models.records import Backoff
from models.world import Source, World
from simulator.catalogues.listing import listing
from simulator.catalogues.orbits import BEGINNING
from simulator.examples import DEPLOYMENT, NOW, a_machine, a_server, a_site, a_world
from simulator.examples.worlds import parents_in_nomad
from simulator.strategies import worlds

SECRET = "hunter2"


def text_of(look: Look) -> str:
    plan = decided(look, RECONCILERS)
    return "\n".join([*plan_lines(plan), json.dumps(plain(plan_as_json(plan)))])


def read_back(world: World) -> Look:
    return Look.at(decode(encode(Recording(now=NOW, world=world))))


@settings(max_examples=25)
@given(world=worlds())
def test_the_plan_of_a_recorded_world_is_recomputed_byte_identically(world: World) -> None:
    seen = Look.at(Recording(now=NOW, world=world))
    again = read_back(world)
    assert decided(again, RECONCILERS) == decided(seen, RECONCILERS)
    assert text_of(again) == text_of(seen)
    assert encode(again.recording()) == encode(seen.recording())


def test_the_parameters_in_force_are_part_of_the_recording() -> None:
    world = a_world(store={"parameters": {"pool.max_workers": 3, "pool.vcpu_share": 0.5}})
    seen = read_back(world)
    assert (seen.settings.pool.max_workers, seen.settings.pool.vcpu_share) == (3, 0.5)


def test_what_was_unknown_is_unknown_again() -> None:
    world = replace(a_world(), nomad=None, unknown={Source.NOMAD: "no answer"})
    seen = read_back(world)
    assert (seen.world.nomad, seen.world.unknown) == (None, {Source.NOMAD: "no answer"})


def test_looks_at_catalogues_are_part_of_the_recording() -> None:
    entries = listing(("32TLR",), BEGINNING, BEGINNING + timedelta(days=12))
    products = tuple(e.product for e in entries if e.product.type is ProductType.L1C)
    acquisitions = [acquisition_of(product, "fsc_rlie") for product in products[:2]]
    odd = RejectedEntry(
        source="a", collection=Collection.SENTINEL_2, entry="odd", why="no name", text="{}"
    )
    sweep = Sweep(
        feed=Feed(source="a", collection=Collection.SENTINEL_2, type=ProductType.L1C),
        cursor=None,
        since=BEGINNING,
        at=NOW,
        reached=NOW,
        products=products,
        rejected=(odd,),
        known=Known(
            jobs=tuple(
                KnownJob(key=product.name, acquisition=acquisition)
                for product, acquisition in zip(products, acquisitions, strict=False)
            ),
            rejected=(("a", "SENTINEL-2", "other"),),
        ),
    )
    world = replace(a_world(), area=area_of_tiles(["32TLR"]), sweeps=(sweep,))
    seen = Look.at(Recording(now=NOW, world=world))
    again = read_back(world)
    plan = decided(again, RECONCILERS)
    (action,) = plan["creation"]
    assert isinstance(action, AddJobs)
    assert [job.key for job in action.jobs] == [product.name for product in products[2:]]
    assert plan == decided(seen, RECONCILERS)
    assert encode(again.recording()) == encode(seen.recording())


# ---- secrets -------------------------------------------------------------------------------------


def a_world_with_secrets() -> World:
    """Secrets wherever people or other systems could have put one."""
    command = TaskCommand(
        driver="raw_exec",
        command="/usr/local/bin/hrsi-worker",
        args=("--token", f"--password={SECRET}"),
        environment=(("S3_SECRET_KEY", SECRET), ("URL", f"https://ada:{SECRET}@host/")),
    )
    parents = DEFAULT_REGISTRY.parents(DEPLOYMENT, command, log_shipper=command)
    site = a_site(parents=parents)
    backoff = Backoff(
        subject="flavor:hm.medium",
        failure=FailureClass.AUTHORISATION,
        failures=1,
        until=NOW,
        message=f"X-Auth-Token: {SECRET} is no good",
    )
    world = a_world(a_machine(), store={"backoffs": (backoff,)}, site=site)
    assert world.nomad is not None
    assert world.cloud is not None
    jobs = tuple(replace(job, meta={**job.meta, "note": SECRET}) for job in parents_in_nomad(site))
    strange = replace(
        a_server(7), name="os-worker-900", metadata={"user-data": SECRET, "owner": SECRET}
    )
    return replace(
        world,
        nomad=replace(world.nomad, jobs=jobs),
        cloud=replace(world.cloud, servers=(*world.cloud.servers, strange)),
    )


def test_no_secret_is_written() -> None:
    written = gzip.decompress(encode(Recording(now=NOW, world=a_world_with_secrets())))
    assert SECRET.encode() in msgspec.json.encode(a_world_with_secrets(), enc_hook=dict)
    assert SECRET.encode() not in written


def test_what_is_struck_out_changes_no_decision() -> None:
    world = a_world_with_secrets()
    whole = Look.at(Recording(now=NOW, world=world))
    bare = replace(whole, world=without_secrets(world))
    assert text_of(bare) == text_of(whole)
    assert "register" not in text_of(bare)


def test_a_parent_that_does_not_fit_does_not_fit_afterwards_either() -> None:
    world = a_world_with_secrets()
    assert world.nomad is not None
    older = replace(world.nomad.jobs[0], meta={**world.nomad.jobs[0].meta, "fingerprint": "old"})
    world = replace(world, nomad=replace(world.nomad, jobs=(older, *world.nomad.jobs[1:])))
    assert f"register {older.id}" in text_of(read_back(world))


def test_whose_a_server_is_is_kept() -> None:
    world = without_secrets(a_world(a_machine()))
    assert world.cloud is not None
    assert world.cloud.servers[0].metadata[DEPLOYMENT_METADATA] == DEPLOYMENT


# ---- what is no recording ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        pytest.param(b"", "no recording", id="empty"),
        pytest.param(b"{}", "no recording", id="not-compressed"),
        pytest.param(gzip.compress(b"[]"), "no recording", id="other-json"),
        pytest.param(gzip.compress(b"no json"), "no recording", id="no-json"),
        pytest.param(encode(Recording(now=NOW, world=a_world()))[:-20], "no recording", id="cut"),
        pytest.param(
            gzip.compress(b'{"format": 99, "other": 1}'),
            f"is of format 99, this program reads format {FORMAT}",
            id="of-another-format",
        ),
        pytest.param(
            gzip.compress(json.dumps({"format": FORMAT, "now": "soon"}).encode()),
            "is damaged",
            id="damaged",
        ),
    ],
)
def test_what_is_no_recording_is_refused(content: bytes, complaint: str) -> None:
    with pytest.raises(Malformed, match=complaint):
        decode(content)
