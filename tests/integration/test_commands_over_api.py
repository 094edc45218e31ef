"""The command line with a token instead of the database: the same words, and no more rights."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import date
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from infra.postgres import Postgres
from models.access import Role
from models.breakers import BreakerName
from models.catalogue import Collection
from models.changes import TripBreaker
from models.composing import ComposeJobs, Group, Made
from models.creation import CreateJobs, Cursor, Feed
from models.lifecycle import Status
from models.listing import JobFilter
from models.plan import Held, Reason, Subject, SubjectKind
from models.product_names import ProductType
from models.records import Heartbeat, NewJob
from simulator.examples import FLAVOR, SENTINEL_2_NAMES
from tests.plugins.stores import ASKED, HOUR, Desk, postgres_doors
from tests.plugins.terminal import Hrsi, Said
from tests.plugins.web import Api, serving

pytestmark = pytest.mark.integration


@pytest.fixture
def lived_in(postgres: Postgres, tmp_path: Path) -> Desk:
    """A store with a little of everything that commands show."""
    (tmp_path / "jobs.jsonl").write_text(
        f'{{"type": "fsc_rlie", "product": "{SENTINEL_2_NAMES[3]}"}}\n{{"type": "none"}}\n'
    )
    desk = Desk(postgres_doors(postgres))
    desk.claimed()
    desk.failed()
    desk.submit(2)
    desk.ready(), desk.marking(), desk.closed()
    at, flavor = desk.now(), Subject(SubjectKind.FLAVOR, FLAVOR)
    desk.do(TripBreaker(at=at, name=BreakerName.NODES, because="2 of 3", suspects={"s-1": "w-1"}))
    held = Held(subject=flavor, reason=Reason.QUOTA_VCPUS, because="872 of 874 used", facts=())
    # It still holds when `status` is asked, however long that takes on a busy machine.
    desk.doors.jobs.record("worker-pool", [held], at + HOUR)
    desk.doors.jobs.beat(Heartbeat(loop="execution", holder="one", at=at, passes=7, leading=True))
    desk.doors.operations.set_parameter("pool.max_workers", 50, ASKED, lasts=HOUR)
    desk.doors.operations.set_parameter("pool.idle_for", 90.5, ASKED)
    desk.doors.operations.pause(["type:gfsc"], ASKED)
    feed = Feed(source="hrsi", collection=Collection.HRSI, type=ProductType.FSC)
    group = Group(
        job_type="gfsc",
        key="32TLR-2026-01-10",
        day=date(2026, 1, 10),
        tiles=("32TLR",),
        due_at=at,
    )
    cursor = Cursor(feed=feed, until=at, deep_at=at)
    desk.do(CreateJobs(at=at, cursor=cursor, expected=None, flavors={}, groups=(group,)))
    snow = NewJob(type="gfsc", key=f"{group.key}-5", name=group.key, tile="32TLR", sensing_at=at)
    made = replace(group, due_at=None, made=(Made(key=snow.key, covers=()),))
    desk.do(ComposeJobs(at=at, groups=(made,), flavors={"gfsc": FLAVOR}, jobs=(snow,)))
    return desk


@pytest.fixture
def api(lived_in: Desk, postgres: Postgres) -> Iterator[Api]:
    with serving(postgres) as made:
        yield made


def way(api: Api, role: Role) -> Mapping[str, str]:
    return {"HRSI_URL": api.url, "HRSI_TOKEN": api.token(role)}


ALIKE = """\
job list
job list --status ready --type fsc_rlie --json
job list --quarantined
job list --limit 2
job show {running}
job show {key} --json
job show nothing/at-all
job submit jobs.jsonl --dry-run
why group gfsc/32TLR-2026-01-10
why group gfsc/32TLR-2026-01-10 --json
why job gfsc/32TLR-2026-01-10-5
why job gfsc/32TLR-2026-01-10
why group gfsc/32TLR-2026-01-11
why group nothing
job cancel {running} 4711 nothing --dry-run --reason wrong
job relaunch --errors --dry-run
job log {ready}
why job {running}
why job {failed} --json
why worker os-worker-001
why flavor hm.medium
why flavor hm.medium --json
worker list
worker list --all --json
worker drain os-worker-001 nobody --dry-run
worker delete os-worker-001 --force --dry-run
worker create hm.large --count 2 --outside-pool --dry-run
drain-all --dry-run
paused
paused --json
resume --type gfsc --dry-run
resume worker-pool --dry-run
breaker list
breaker list --all --json
breaker close nodes --dry-run
breaker close servers --dry-run
param list --changed
param list --json
param show pool.max_workers
param set pool.max_workers=60 --dry-run
param set pool.max_workers=-1 --reason no
param set passes.lease=5 --reason no
param history
param rollback pool.max_workers --dry-run
param rollback execution.lead
audit
audit --about parameter:pool.idle_for --json
status
token list
token revoke nobody --dry-run
"""

MOVING = {"status", "job show {running}"}
"""What says how long ago something was: compared without its figures."""


def test_every_verb_says_the_same_over_the_api_as_at_the_database(
    typed: Hrsi, api: Api, lived_in: Desk, database_url: str
) -> None:
    admin = way(api, Role.ADMIN)
    running, failed, ready, *_ = lived_in.doors.reader.jobs(JobFilter())
    names = {"running": running.id, "failed": failed.id, "ready": ready.id}
    for line in ALIKE.splitlines():
        words = line.format(key=f"fsc_rlie/{running.key}", **names).split()
        there = typed(*words, DATABASE_URL=database_url, HRSI_DEPLOYMENT="test")
        here = typed(*words, **admin)
        if line in MOVING:
            here, there = (without_figures(said) for said in (here, there))
        assert here == there, line


def without_figures(said: Said) -> Said:
    status, out, err = said
    return (status, re.sub(r"[0-9]+", "#", re.sub(r" +", " ", out)), err)


def test_what_is_ordered_over_the_api_happens_in_the_name_of_the_token(
    typed: Hrsi, api: Api, lived_in: Desk
) -> None:
    [job_id] = lived_in.submit()
    words = ["job", "cancel", str(job_id), "--reason", "wrong"]
    status, out, _ = typed(*words, **way(api, Role.OPERATOR))
    assert (status, out.startswith(f"job:{job_id}: cancelled")) == (0, True)
    assert lived_in.job(job_id).status is Status.CANCELLED
    newest = lived_in.doors.reader.audit()[0]
    assert (newest.actor, newest.reason) == ("operator (api)", "wrong")
    assert newest.subjects == (f"job:{job_id}",)


@pytest.mark.parametrize(
    "words",
    [
        pytest.param(("why", "group", "gfsc/32TLR-2026-01-10"), id="its-key"),
        pytest.param(("why", "job", "gfsc/32TLR-2026-01-10"), id="no-job-but-its-group"),
        pytest.param(("why", "job", "gfsc/32TLR-2026-01-10-5"), id="the-job-that-came-from-it"),
    ],
)
def test_why_tells_of_the_group_of_a_job(typed: Hrsi, api: Api, words: tuple[str, ...]) -> None:
    status, out, _ = typed(*words, **way(api, Role.VIEWER))
    assert status == 0
    assert "Group gfsc/32TLR-2026-01-10: waits for nothing" in out
    assert "Made of it: gfsc/32TLR-2026-01-10-5" in out


def test_why_of_neither_job_nor_group_says_where_to_look(typed: Hrsi, api: Api) -> None:
    status, _, told = typed("why", "job", "gfsc/32TLR-2026-01-11", **way(api, Role.VIEWER))
    assert status != 0
    assert "no group of products of that name" in told
    assert "hrsi source groups --type gfsc" in told


def test_the_database_goes_before_the_token(typed: Hrsi, api: Api, database_url: str) -> None:
    both = {"DATABASE_URL": database_url, "HRSI_URL": api.url, "HRSI_TOKEN": "hrsi_of-nobody"}
    assert typed("paused", **both)[0] == 0


REFUSED = [
    pytest.param(
        ["resume", "worker-pool"],
        Role.VIEWER,
        "answered 403: token viewer has the role viewer; this needs operator",
        id="too-small-a-role",
    ),
    pytest.param(
        ["param", "set", "pool.idle_for=60", "--reason", "x"],
        Role.OPERATOR,
        "this needs admin",
        id="not-an-admin",
    ),
    pytest.param(["job", "list"], None, "answered 401: the token is not known", id="no-such-token"),
]


@pytest.mark.parametrize(("words", "role", "why"), REFUSED)
def test_a_token_opens_what_its_role_may_and_nothing_else(
    typed: Hrsi, api: Api, lived_in: Desk, words: list[str], role: Role | None, why: str
) -> None:
    settings = {"HRSI_URL": api.url, "HRSI_TOKEN": api.token(role) if role else "hrsi_of-nobody"}
    before = lived_in.everything()
    status, out, err = typed(*words, **settings)
    assert (status, out) == (1, "")
    assert f"hrsi: the API at {api.url} " in err
    assert why in err
    assert lived_in.everything() == before


NEED_THE_DATABASE = [
    "source list",
    "campaign list",
    "publication parked",
    "migrate",
    "plan",
    "record",
]


@pytest.mark.parametrize("line", NEED_THE_DATABASE)
def test_a_verb_that_needs_the_database_says_so_and_makes_none(
    typed: Hrsi, tmp_path: Path, line: str
) -> None:
    before = sorted(tmp_path.rglob("*"))
    status, out, err = typed(*line.split(), HRSI_URL="http://127.0.0.1:9", HRSI_TOKEN="hrsi_x")
    assert (status, out) == (2, "")
    assert "HRSI_TOKEN" in err or "is not set" in err
    assert sorted(tmp_path.rglob("*")) == before


def test_an_api_that_is_away_is_named(typed: Hrsi) -> None:
    away = {"HRSI_URL": "http://127.0.0.1:9", "HRSI_TOKEN": "hrsi_x"}
    status, out, err = typed("job", "list", **away)
    assert (status, out) == (1, "")
    assert err.startswith("hrsi: the API at http://127.0.0.1:9 gave no answer: ")


def test_a_token_without_an_address_is_no_way(typed: Hrsi) -> None:
    status, _, err = typed("job", "list", HRSI_TOKEN="hrsi_x")
    assert status == 2
    assert "HRSI_URL" in err


class Greeting(BaseHTTPRequestHandler):
    """Whatever else may listen where somebody thinks the API is."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"<html>hello</html>")

    def log_message(self, *_: object) -> None:
        """Tests say enough."""


def test_what_answers_and_is_no_api_is_told_as_such(typed: Hrsi) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), Greeting) as server:
        serves = Thread(target=server.serve_forever, daemon=True)
        serves.start()
        url = f"http://127.0.0.1:{server.server_port}"
        status, _, err = typed("job", "list", HRSI_URL=url, HRSI_TOKEN="hrsi_x")
        server.shutdown()
        serves.join()
    assert status == 1
    assert "is HRSI_URL right" in err
