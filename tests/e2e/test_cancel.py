"""What is stopped by a person, all the way: from the command, or from Nomad, to the program on the
worker, and back into the history and the bucket.
"""

import json
import signal
from pathlib import Path
from urllib.parse import quote

import urllib3

from controller import bootstrap
from controller.config_groups import Config
from models.lifecycle import Status
from models.manifest import FILE, folder_of
from models.objects import Shelf
from models.ports import JobFilter, JobStory
from models.records import Job, RunEnd
from tests.plugins.commands import SAID, Run, Start
from tests.plugins.farm import TEST, Farm
from tests.plugins.gates import until
from worker.tidy import WHOSE

PARAMETERS = "processing_parameters.yaml"


def two_long_jobs(farm: Farm, folder: Path) -> list[Job]:
    """Two jobs whose software would run for long; the others are cancelled."""
    settings = folder / "hrsi.toml"
    long = settings.read_text().replace('SECONDS = "1.0"', 'SECONDS = "600"')
    settings.write_text(long)
    first, second, *others = farm.database.reader.jobs(JobFilter(types=("fsc_rlie",)))
    rest = {job.id for job in farm.database.reader.jobs(JobFilter())} - {first.id, second.id}
    assert others
    farm.database.operations.cancel(sorted(rest), TEST)
    return [first, second]


def kept(shelf: Shelf, job: Job) -> set[str]:
    place = folder_of(job.unique_id)
    listed = shelf.store.objects(shelf.bucket, place)
    return {each.place.key.removeprefix(place) for each in listed}


def test_what_a_person_stops_ends_on_its_worker_and_leaves_what_an_operator_needs(
    farm: Farm, start_hrsi: Start, hrsi: Run, folder: Path
) -> None:
    cancelled, stopped = two_long_jobs(farm, folder)

    def story(job: Job) -> JobStory:
        return farm.database.reader.story(str(job.id))

    controller = start_hrsi("controller", **farm.settings)
    both = (cancelled, stopped)
    until(
        lambda: all(story(job).job.status is Status.PROCESSING for job in both),
        "both jobs are in the hands of their software",
    )
    told = hrsi("job", "cancel", str(cancelled.id), "--reason", "wrong tile", **farm.settings)
    assert told.returncode == 0, told.stderr
    child = story(stopped).runs[0].nomad_job_id or ""
    address = f"{farm.settings['NOMAD_ADDR']}/v1/job/{quote(child, safe='')}"
    assert urllib3.request("DELETE", address, retries=False, timeout=120).status == 200

    with bootstrap.results(Config(s3=farm.delivery.settings())) as shelf:
        until(
            lambda: PARAMETERS in kept(shelf, cancelled),
            "the program on the worker has saved what an operator needs",
        )
        until(
            lambda: story(stopped).runs[0].end is not None and PARAMETERS in kept(shelf, stopped),
            "what was stopped in Nomad has saved its own, and is seen to have ended",
        )
        assert not any(key.endswith(FILE) for job in both for key in kept(shelf, job))

    ended = story(cancelled)
    assert [(run.attempt, run.end) for run in ended.runs] == [(1, RunEnd.CANCELLED)]
    newest = ended.history[-1]
    assert (newest.after, newest.message) == (Status.CANCELLED, "wrong tile")
    assert "@" in newest.actor
    again = story(stopped)
    assert again.runs[0].end in {RunEnd.FAILED, RunEnd.LOST}
    been = [row.after for row in again.history]
    assert Status.EXTERNAL_ERROR in been
    assert Status.CANCELLED not in been
    assert not again.job.quarantined, "it runs again, at once or after a while"

    s3 = farm.delivery.settings()
    way = {
        "S3_ENDPOINT_URL": s3.endpoint or "",
        "AWS_ACCESS_KEY_ID": s3.access_key,
        "AWS_SECRET_ACCESS_KEY": s3.secret_key.reveal(),
        "HRSI_RESULTS_BUCKET": s3.results or "",
    }
    fetched = hrsi("job", "fetch", str(cancelled.id), "it", **farm.settings, **way)
    assert fetched.returncode == 0, fetched.stderr
    assert json.loads((folder / "it" / WHOSE).read_text()) == [1, 1]
    assert (folder / "it" / PARAMETERS).exists()

    controller.send_signal(signal.SIGTERM)
    assert controller.wait(timeout=120) == 0, (folder / SAID).read_text()
