"""Logs over the API: through a Nomad, and out of a bucket once that is all there is."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest
import urllib3

from controller import bootstrap
from controller.cli import joblog
from controller.config_groups import Config, WebConfig
from controller.config_values import Secret
from infra.nomad import NomadAccess, NomadFiles, connect_files
from infra.postgres import Postgres
from infra.s3 import Buckets
from models.access import Role
from models.lifecycle import Status
from models.logs import Stream, chunk_key, logs_prefix
from models.objects import Place, Shelf
from models.records import Job, Run
from simulator.nomad.cluster import Boot, NomadCluster
from simulator.nomad.jobs import DispatchOrder
from simulator.nomad.rows import Options
from simulator.nomad.tasks import Sleepers
from simulator.nomad.web import serve_nomad
from simulator.timeline import Timeline
from tests.plugins.stores import Desk, postgres_doors
from tests.plugins.terminal import Hrsi
from tests.plugins.web import Api, serving
from web.log_reader import LogReader
from web.places import Places

pytestmark = pytest.mark.integration

SERVER = "11111111-2222-3333-4444-555555555555"
FORGOTTEN = "5456bd7a-9fc0-c0dd-6131-cbee77f57577"
SPEC = {
    "ID": "parent",
    "Type": "batch",
    "ParameterizedJob": {},
    "TaskGroups": [
        {
            "Name": "main",
            "RestartPolicy": {"Attempts": 0},
            "ReschedulePolicy": {"Attempts": 0},
            "Tasks": [{"Name": "main", "Driver": "raw_exec", "Config": {"command": "true"}}],
        }
    ],
}


@dataclass(frozen=True, kw_only=True)
class Scene:
    """An API with a job whose allocation runs in a Nomad, and a bucket."""

    api: Api
    desk: Desk
    cluster: NomadCluster
    allocation: str
    run: Run
    folder: Path
    store: Buckets
    bucket: str
    token: str

    @property
    def job(self) -> Job:
        return self.desk.job(self.run.job_id)

    def says(self, text: str, file: str = "main.stdout.0") -> None:
        """The run says more."""
        logs = self.folder / self.allocation / "alloc/logs"
        logs.mkdir(parents=True, exist_ok=True)
        with (logs / file).open("a") as log:
            log.write(text)

    def ships(self, start: int, text: str, allocation: str | None = None) -> None:
        """A chunk is in the bucket."""
        prefix = logs_prefix(self.job.unique_id, allocation or self.allocation)
        key = chunk_key(prefix, Stream.STDOUT, start)
        self.store.put(Place(bucket=self.bucket, key=key), text.encode())

    def loses_its_worker(self) -> None:
        """The server is deleted: nobody has the files any more."""
        with self.cluster.lock:
            self.cluster.node_dies(SERVER)
            self.cluster.timeline.advance(timedelta(minutes=5))

    def path(self, allocation: str | None = None, stream: str = "main.stdout") -> str:
        return f"/api/v1/jobs/{self.run.job_id}/logs/{allocation or self.allocation}/{stream}"

    def read(self, query: str = "", allocation: str | None = None) -> tuple[int, str, str]:
        """Status, text, and which bytes they are of how many."""
        answer = urllib3.request(
            "GET",
            f"{self.api.url}{self.path(allocation)}?{query}",
            headers={"Authorization": f"Bearer {self.token}"},
            retries=False,
            timeout=120,
        )
        where = [answer.headers.get(f"X-Log-{name}", "-") for name in ("Start", "Next", "Size")]
        return answer.status, answer.data.decode(), " ".join(where)

    def listed(self) -> list[tuple[str, int, str]]:
        found = self.api.ask("GET", f"/jobs/{self.run.job_id}/logs", self.token).body
        return [(each["stream"], each["size"], each["where"]) for each in found]


@pytest.fixture
def scene(
    own_database: Postgres, tmp_path: Path, buckets: Buckets, new_bucket: Callable[[str], str]
) -> Iterator[Scene]:
    desk = Desk(postgres_doors(own_database))
    timeline, lock = Timeline(), threading.RLock()
    options = Options(default_ineligible=False)
    cluster = NomadCluster(timeline, Sleepers(), options=options, lock=lock)
    boot = Boot(server_id=SERVER, name="os-worker-001", node_class="c", memory_mb=9_000)
    cluster.node_boots(boot)
    with lock:
        cluster.jobs.register(SPEC)
        timeline.advance(timedelta(seconds=10))
        cluster.jobs.dispatch("parent", DispatchOrder(meta={}, payload=b""))
        timeline.advance(timedelta(seconds=10))
    [allocation] = [row.id for row in cluster.state.allocs.by_creation()]
    run = desk.queued()
    desk.claim(run, allocation=allocation)
    bucket = new_bucket("results")
    with ExitStack() as opened:
        served = opened.enter_context(
            serve_nomad(cluster, folder_of=lambda alloc_id: tmp_path / alloc_id)
        )
        live: NomadFiles = opened.enter_context(
            closing(connect_files(NomadAccess(address=served.url, deployment="test")))
        )
        reader = LogReader(live, Shelf(store=buckets, bucket=bucket))
        places = Places(
            nomad_ui="https://nomad.example",
            bucket_ui="https://cloud.example/{bucket}?folder={folder}",
            bucket=bucket,
            rclone_remote="hrsi",
        )
        api = opened.enter_context(serving(own_database, logs=reader, live=live, places=places))
        yield Scene(
            api=api,
            desk=desk,
            cluster=cluster,
            allocation=allocation,
            run=run,
            folder=tmp_path,
            store=buckets,
            bucket=bucket,
            token=api.token(Role.VIEWER),
        )


def test_a_log_is_read_up_to_its_last_byte_while_its_worker_lives(scene: Scene) -> None:
    scene.says("one two ")
    scene.says("three", "main.stdout.1")
    scene.ships(0, "one ")
    assert scene.listed() == [("main.stdout", 13, "nomad")]
    assert scene.read() == (200, "one two three", "0 13 13")
    assert scene.read("length=5") == (200, "three", "8 13 13")
    assert scene.read("start=4&length=6") == (200, "two th", "4 10 13")
    assert scene.read("start=13") == (200, "", "13 13 13")


def test_it_is_read_from_the_bucket_once_the_worker_is_gone(scene: Scene) -> None:
    scene.says("one two three")
    scene.ships(0, "one two ")
    scene.loses_its_worker()
    assert scene.listed() == [("main.stdout", 8, "bucket")]
    assert scene.read() == (200, "one two ", "0 8 8")


def test_what_nobody_kept_is_passed_over(scene: Scene) -> None:
    scene.ships(0, "begin ", FORGOTTEN)
    scene.ships(100, "end", FORGOTTEN)
    assert scene.read("start=2", FORGOTTEN) == (200, "gin end", "2 103 103")
    assert scene.read("start=50&length=2", FORGOTTEN) == (200, "en", "100 102 103")


def test_whoever_may_read_a_job_reads_nothing_else_that_nomad_runs(scene: Scene) -> None:
    scene.says("one two three")
    other = scene.desk.claimed()
    answer = scene.api.ask(
        "GET", f"/jobs/{other.job_id}/logs/{scene.allocation}/main.stdout", scene.token
    )
    assert (answer.status, answer.body["type"]) == (404, "urn:hrsi:problem:not-found")
    assert "nobody has a log" in answer.body["detail"]
    assert scene.read("", FORGOTTEN)[0] == 404


def test_a_log_is_followed_until_its_run_is_over(scene: Scene) -> None:
    """What is said while somebody follows comes to them; the last words come from the bucket."""
    scene.says("one ")
    answer = urllib3.request(
        "GET",
        f"{scene.api.url}{scene.path()}/follow",
        headers={"Authorization": f"Bearer {scene.token}"},
        preload_content=False,
        retries=False,
        timeout=120,
    )
    assert answer.read(4) == b"one "
    scene.says("two ")
    assert answer.read(4) == b"two "
    scene.loses_its_worker()
    scene.ships(0, "one two three")
    assert answer.read(5) == b"three"
    scene.desk.end(scene.run, Status.EXTERNAL_ERROR)
    assert answer.read() == b""
    answer.release_conn()


def test_links_lead_to_what_there_is_and_say_what_is_forgotten(scene: Scene) -> None:
    ask = partial(scene.api.ask, "GET", f"/jobs/{scene.run.job_id}/links", scene.token)
    found = ask().body
    assert found["allocation"] == {
        "allocation_id": scene.allocation,
        "attempt": 1,
        "url": f"https://nomad.example/ui/allocations/{scene.allocation}",
        "because": None,
    }
    folder = f"work/jobs/{scene.job.unique_id}/"
    assert found["folder"] == {
        "url": f"https://cloud.example/{scene.bucket}?folder={folder}",
        "s3": f"s3://{scene.bucket}/{folder}",
        "rclone": f"rclone copy hrsi:{scene.bucket}/{folder} {scene.job.unique_id}/",
    }
    with scene.cluster.lock:
        [row] = scene.cluster.state.allocs.by_creation()
        scene.cluster.jobs.stop(row.job_id)
        scene.cluster.timeline.advance(timedelta(minutes=1))
        scene.cluster.gc.collect_all()
    forgotten = ask().body["allocation"]
    assert forgotten["url"] is None
    assert forgotten["because"].startswith("forgotten by Nomad")


def test_the_command_shows_the_last_lines_and_says_of_what(scene: Scene, typed: Hrsi) -> None:
    way = {"HRSI_URL": scene.api.url, "HRSI_TOKEN": scene.token}
    log = ("job", "log", str(scene.run.job_id))
    assert typed(*log, **way)[0] == 1
    scene.says("one\ntwo\tthree\r\n\x1b[2Jfo")
    told = f"job {scene.run.job_id}, attempt 1 on os-worker-001: main.stdout, 21 bytes, read on its"
    status, out, err = typed(*log, "--lines", "1", **way)
    assert (status, out) == (0, "two     three\n\\x1b[2Jfo\n")
    assert err.startswith(told)
    assert typed(*log, "--whole", **way)[1] == "one\ntwo     three\n\\x1b[2Jfo\n"
    assert typed(*log, "--list", **way)[1].split()[-5:] == [
        *("1", "main.stdout", "21", "nomad", scene.allocation)
    ]
    for option in (("--stream", "science"), ("--attempt", "2")):
        status, out, err = typed(*log, *option, **way)
        assert (status, out) == (1, "")
        assert f"job {scene.run.job_id} " in err


def test_the_command_follows_a_log_from_its_worker_into_the_bucket(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(joblog, "LOOK_SECONDS", 0.01)
    scene.says("one\n")
    config = Config(web=WebConfig(url=scene.api.url, token=Secret(scene.token)))
    with bootstrap.office(config) as office:
        logs, reference = office.logs(), str(scene.run.job_id)
        [log] = logs.logs(reference)
        reading = joblog.Reading(logs, reference, log, 0)
        assert list(reading.lines()) == ["one"]
        grows = joblog.growing(office, reading)
        scene.says("two\nthr")
        assert next(grows) == "two"
        scene.loses_its_worker()
        scene.ships(0, "one\ntwo\nthree\nfour")
        assert next(grows) == "three"
        scene.desk.end(scene.run, Status.EXTERNAL_ERROR)
        assert list(grows) == []
        assert list(reading.rest()) == ["four"]
