"""The run program as a process, before the real API and a real S3: what each ending leaves."""

from __future__ import annotations

import pytest

from models.lifecycle import Status
from models.manifest import ProductKind
from tests.plugins.runs import Worker

pytestmark = pytest.mark.integration

STEPS = [Status.STARTED, Status.PRE_PROCESSING, Status.PROCESSING, Status.POST_PROCESSING]


def test_a_run_goes_from_queued_to_processed_and_leaves_its_products_in_the_bucket(
    worker: Worker,
) -> None:
    run = worker.queued()
    code, said = worker.do(run)
    assert code == 0, said
    story = worker.story(run)
    [manifest] = story.manifests
    kept = worker.kept(run)

    assert worker.desk.path(run.job_id) == [Status.QUEUED, *STEPS, Status.PROCESSED]
    assert manifest == worker.manifest(run)
    assert [product.kind for product in manifest.products] == [ProductKind.FSC, ProductKind.RLIE]
    for product in manifest.products:
        for file in product.files:
            assert kept[f"runs/1-1/products/{file.key}"] == file.size > 0
    assert not any("dias_catalog_submit" in key for key in kept if "products/" in key)
    assert {key for key in kept if not key.startswith("runs/")} >= {
        "processing_parameters.yaml",
        "run.json",
        "end.json",
    }
    assert not any(key.startswith(("inputs/", "temp/")) for key in kept)
    assert worker.left() == []
    assert "stand-in science" in worker.science_log()


def test_the_first_lines_say_who_does_what(worker: Worker) -> None:
    run = worker.queued()
    _, said = worker.do(run)
    job = worker.desk.job(run.job_id)
    first, second, third, *_ = said.splitlines()

    assert first == "on worker: name = os-worker-001, IP = 10.0.0.1"
    assert second == f"job {job.id} ({job.name}), unique id {job.unique_id}, attempt 1"
    assert third == f"run {run.id}, claim 1, fsc_rlie"
