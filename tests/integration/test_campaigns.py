"""Campaigns from the command line over a catalogue to jobs, and what people do about them."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from controller import bootstrap
from controller.clock import SystemClock
from models.access import Role
from models.areas import area_of_tiles
from models.campaigns import CampaignOrder, CampaignState
from models.lifecycle import Status
from models.ports import Asked, JobFilter
from models.product_names import ProductType
from models.records import Priority
from simulator.catalogues.listing import listing
from simulator.catalogues.state import SimulatedCatalogue
from simulator.catalogues.web import serve_catalogue
from tests.plugins.archive import jobs_of, products_of
from tests.plugins.catalogues import TILES
from tests.plugins.commands import HRSI, clean_environment
from tests.plugins.installation import Installation
from tests.plugins.web import Api, serving

pytestmark = pytest.mark.integration

SINCE = datetime(2024, 3, 1, tzinfo=UTC)
SPAN = timedelta(days=12)
LISTED = listing(TILES, SINCE, SINCE + SPAN)
OPTICAL = {e.product.name for e in LISTED if e.product.type is ProductType.L1C}
WINDOW = ("--from", "2024-03-01", "--to", "2024-03-13")
CREATE = ("campaign", "create", "--type", "fsc_rlie", *WINDOW)
EVERYTHING = JobFilter(limit=1000)


@pytest.fixture
def place(installation: Installation) -> Iterator[Installation]:
    """An installation whose catalogue holds twelve days that no feed looks at any more."""
    with serve_catalogue(SimulatedCatalogue("creodias", SystemClock(), LISTED)) as server:
        installation.environment.update(
            HRSI_CREATION_ODATA=f"creodias={server.url}", HRSI_CREATION_TILES=",".join(TILES)
        )
        yield installation


def passes(place: Installation, campaign: int) -> Any:
    """Controllers that live for one pass each, until the campaign has ended; how it stands."""
    for _ in range(20):
        place.one_pass("creation")
        found = place.type("campaign", "show", str(campaign), "--json").json["campaign"]
        if found["state"] != "running":
            return found
    raise AssertionError(f"campaign {campaign} does not end")


def test_a_campaign_adds_what_its_dry_run_has_counted(place: Installation) -> None:
    told = place.type(*CREATE, "--dry-run", "--json")
    assert told.json["tally"]["created"] == len(OPTICAL), told.refused
    assert place.database.reader.jobs(EVERYTHING) == ()
    begun = place.type(*CREATE, "--reason", "software 1.8")
    assert "campaign:1: begun" in begun.out
    assert "it begins once a controller does" in begun.out
    ended = passes(place, 1)
    assert (ended["state"], ended["tally"]) == ("done", told.json["tally"])
    jobs = place.database.reader.jobs(EVERYTHING)
    assert {job.key for job in jobs} == OPTICAL
    assert len(jobs) == len(OPTICAL)
    assert {job.priority for job in jobs} == {Priority.REPROCESSING}
    shown = place.type("campaign", "show", "1").out
    assert "software 1.8" in shown
    assert "CAMPAIGN_GOES_ON" in shown
    assert "100%" in place.type("campaign", "list", "--all").out
    (line,) = place.type("audit", "--json").json
    assert (line["action"], line["subjects"]) == ("begin_campaign", ["campaign:1"])


def test_jobs_that_are_there_are_told_and_made_again_only_when_asked_for(
    place: Installation,
) -> None:
    place.type(*CREATE, "--detach")
    passes(place, 1)
    again = place.type(*CREATE, "--dry-run").out
    assert f"0 jobs would be created, {len(OPTICAL)} there already" in again
    place.type(*CREATE, "--detach", "--again", "--tiles", TILES[0])
    assert passes(place, 2)["state"] == "done"
    keys = [job.key for job in place.database.reader.jobs(EVERYTHING)]
    mine = {name for name in OPTICAL if f"_T{TILES[0]}_" in name}
    assert {key for key in keys if "@" in key} == {f"{name}@2" for name in mine}
    assert len(keys) == len(OPTICAL) + len(mine)


def test_a_person_pauses_resumes_and_cancels_a_campaign(place: Installation) -> None:
    place.type("param", "set", "creation.campaign_window=4d", "--reason", "a test")
    place.type(*CREATE, "--detach")
    place.one_pass("creation")
    assert place.type("campaign", "pause", "1").status == 0
    before = place.database.reader.jobs(EVERYTHING)
    assert 0 < len(before) < len(OPTICAL)
    place.one_pass("creation")
    assert place.database.reader.jobs(EVERYTHING) == before
    assert place.type("campaign", "pause", "1").status == 1
    assert "resumed" in place.type("campaign", "resume", "1").out
    tried = place.type("campaign", "cancel", "1", "--dry-run").out
    assert f"{len(before)} jobs that no run had begun for would be cancelled" in tried
    kept = place.type("campaign", "cancel", "1", "--keep-jobs", "--reason", "wrong tiles")
    assert f"{len(before)} jobs wait still and will be processed" in kept.out
    ended = place.type("campaign", "cancel", "1", "--reason", "wrong tiles")
    assert f"\n{len(before)} jobs that no run had begun for were cancelled" in ended.out
    assert "0 jobs that no run" in place.type("campaign", "cancel", "1").out
    place.one_pass("creation")
    jobs = place.database.reader.jobs(EVERYTHING)
    assert {job.status for job in jobs} == {Status.CANCELLED}
    assert len(jobs) == len(before)


def test_ctrl_c_ends_the_watching_and_says_that_the_campaign_goes_on(
    place: Installation, tmp_path: Path
) -> None:
    assert place.database.store.acquire("creation", "a controller", SPAN) is not None
    settings = {**place.environment, "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        [*HRSI, *CREATE],
        cwd=tmp_path,
        env=clean_environment(tmp_path, settings),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as watching:
        assert watching.stdout is not None
        try:
            assert watching.stdout.readline() == "campaign:1: begun\n"
            watching.send_signal(signal.SIGINT)
            _, said = watching.communicate(timeout=120)
        finally:
            watching.kill()
    assert watching.returncode == 128 + signal.SIGINT
    assert "campaign:1: the controller goes on with it; `hrsi campaign show 1`" in said
    (left,) = place.database.campaigns.campaigns()
    assert left.state is CampaignState.RUNNING


def test_many_who_order_the_same_at_once_have_one_campaign(place: Installation) -> None:
    campaigns, ada = place.database.campaigns, Asked(actor="ada")
    order = CampaignOrder(
        job_type="fsc_rlie", source="creodias", since=SINCE, until=SINCE + SPAN, tiles=TILES
    )
    with ThreadPoolExecutor(4) as hands:
        asked = [hands.submit(campaigns.begin_campaign, order, ada) for _ in range(8)]
        found = [each.result() for each in asked]
    assert sum(each.is_new for each in found) == 1
    assert {each.campaign.id for each in found} == {each.id for each in campaigns.campaigns()}
    told = place.type(*CREATE, "--detach").out
    assert "no second one is begun" in told
    assert "begun by ada" in told
    assert len(campaigns.campaigns()) == 1


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        pytest.param(("--type", "test", *WINDOW), "no campaigns of 'test'", id="type"),
        pytest.param(("--type", "gfsc", *WINDOW), "set creation.products", id="no-products"),
        pytest.param(
            ("--type", "fsc_rlie", "--from", "2024-02-01", "--to", "2024-02-01"),
            "nothing in between",
            id="no-window",
        ),
        pytest.param(
            ("--type", "fsc_rlie", "--from", "2024-02-01", "--to", "2099-01-01"),
            "yet to come",
            id="future",
        ),
        pytest.param(("--type", "fsc_rlie", *WINDOW, "--tiles", "XX"), "'XX'", id="tile"),
        pytest.param(
            ("--type", "fsc_rlie", *WINDOW, "--source", "esa"), "they name: creodias", id="source"
        ),
    ],
)
def test_what_makes_no_sense_is_refused(
    place: Installation, arguments: tuple[str, ...], says: str
) -> None:
    refused = place.type("campaign", "create", *arguments)
    assert refused.status != 0
    assert says in refused.refused
    assert place.type("campaign", "list", "--all", "--json").json == []


@pytest.fixture
def archive(place: Installation) -> Iterator[Installation]:
    """The same with a catalogue of the products that were made of them."""
    listed = products_of(jobs_of(LISTED, area_of_tiles(TILES)))
    with serve_catalogue(SimulatedCatalogue("hrsi", SystemClock(), listed)) as server:
        place.environment.update(HRSI_CREATION_PRODUCTS=f"hrsi={server.url}")
        yield place


@pytest.mark.parametrize(
    ("job_type", "source"),
    [
        pytest.param("gfsc", "hrsi", id="gfsc"),
        pytest.param("rlies1s2", "hrsi", id="rlies1s2"),
        pytest.param("sws_wds", "creodias", id="sws_wds"),
    ],
)
def test_a_campaign_of_what_is_made_of_products_goes_the_same_way(
    archive: Installation, job_type: str, source: str
) -> None:
    create = ("campaign", "create", "--type", job_type, *WINDOW)
    counted = archive.type(*create, "--dry-run", "--json")
    assert counted.status == 0, counted.refused
    assert counted.json["tally"]["created"] > 0
    archive.type(*create, "--detach")
    ended = passes(archive, 1)
    assert (ended["state"], ended["tally"]) == ("done", counted.json["tally"])
    assert ended["order"]["source"] == source
    jobs = archive.database.reader.jobs(EVERYTHING)
    assert len(jobs) == ended["tally"]["created"]
    assert {(job.type, job.priority) for job in jobs} == {(job_type, Priority.REPROCESSING)}
    archive.one_pass("configuration")
    standing = {job.status for job in archive.database.reader.jobs(EVERYTHING)}
    assert standing <= {Status.READY, Status.CONFIGURED}
    assert (
        f"0 jobs would be created, {len(jobs)} there already"
        in archive.type(*create, "--dry-run").out
    )


# ---- over the API --------------------------------------------------------------------------------

WISH = {
    "type": "fsc_rlie",
    "since": SINCE.isoformat(),
    "until": (SINCE + SPAN).isoformat(),
    "reason": "software 1.8",
}


@pytest.fixture
def api(place: Installation) -> Iterator[Api]:
    """The API with what the settings of the installation name."""
    with (
        bootstrap.desk(place.config) as desk,
        serving(place.database, reprocessing=desk.reprocessing) as made,
    ):
        yield made


def test_the_api_counts_begins_shows_and_turns_a_campaign(place: Installation, api: Api) -> None:
    token = api.token(Role.OPERATOR, "ada")
    counted = api.ask("POST", "/campaigns", token, {**WISH, "dry_run": True}).body
    assert (counted["tally"]["created"], counted["id"]) == (len(OPTICAL), 0)
    assert api.ask("GET", "/campaigns?ended=true", token).body == []
    begun = api.ask("POST", "/campaigns", token, WISH).body
    assert (begun["order"]["source"], set(begun["order"]["tiles"])) == ("creodias", set(TILES))
    assert api.ask("POST", "/campaigns", token, WISH).body["id"] == begun["id"], "said twice"
    assert [each["id"] for each in api.ask("GET", "/campaigns", token).body] == [begun["id"]]
    turn = {"campaign": begun["id"], "reason": "later"}
    assert api.ask("POST", "/campaigns/pause", token, {**turn, "dry_run": True}).body["done"]
    for word in ("pause", "resume"):
        assert api.ask("POST", f"/campaigns/{word}", token, turn).body["done"]
        assert not api.ask("POST", f"/campaigns/{word}", token, turn).body["done"]
    assert passes(place, begun["id"])["tally"] == counted["tally"]
    shown = api.ask("GET", f"/campaigns/{begun['id']}", token).body
    assert shown["campaign"]["state"] == "done"
    assert shown["jobs"] == {"initialized": len(OPTICAL)}
    assert shown["decisions"][0]["reason"] == "CAMPAIGN_GOES_ON"
    kept = api.ask("POST", "/campaigns/cancel", token, {**turn, "keep_jobs": True}).body
    assert (kept["jobs_cancelled"], kept["jobs_waiting"]) == (0, len(OPTICAL))
    for cancelled in (len(OPTICAL), 0):
        ended = api.ask("POST", "/campaigns/cancel", token, turn).body
        assert (ended["jobs_cancelled"], ended["jobs_waiting"]) == (cancelled, 0)
        assert "done already" in ended["because"]
    told = [(row["actor"], row["action"]) for row in place.type("audit", "--json").json]
    assert told == [
        ("ada (api)", "cancel"),
        ("ada (api)", "resume_campaign"),
        ("ada (api)", "pause_campaign"),
        ("ada (api)", "begin_campaign"),
        *told[4:],
    ]
    assert api.ask("GET", "/campaigns/999", token).status == 404


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        pytest.param({"type": "test"}, "there are no campaigns of 'test'", id="type"),
        pytest.param({"type": "gfsc"}, "set creation.products", id="no-products"),
        pytest.param({"source": "other"}, "they name: creodias", id="source"),
        pytest.param({"tiles": ["99XYZ"]}, "99XYZ", id="tile"),
        pytest.param({"until": "2999-01-01T00:00:00Z"}, "in the past", id="future"),
        pytest.param({"until": SINCE.isoformat()}, "a length", id="empty"),
    ],
)
def test_an_order_that_cannot_be_is_refused_by_its_field(
    api: Api, wrong: dict[str, Any], says: str
) -> None:
    answer = api.ask("POST", "/campaigns", api.token(Role.OPERATOR), {**WISH, **wrong})
    assert (answer.status, answer.body["type"]) == (422, "urn:hrsi:problem:malformed")
    assert says in answer.body["detail"]
    assert api.ask("GET", "/campaigns", api.token(Role.VIEWER)).body == []
