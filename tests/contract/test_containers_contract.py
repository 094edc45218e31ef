"""What `models.containers.ContainerEngine` promises, of the adapter before a real engine."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from werkzeug.wrappers import Response

from infra.containers import Engine, connect
from models.containers import ContainerOrder
from models.errors import Malformed, NotFound, PortError, Refused, Throttled, Unavailable, Unknown
from simulator.http.server import HttpServer
from tests.plugins.engine import IMAGE, image_archive
from tests.plugins.nomad_agents import wait_until

pytestmark = pytest.mark.integration

LONG = timedelta(seconds=60)


@pytest.fixture
def with_image(engine: Engine) -> Engine:
    """The engine with the stand-in's image."""
    if not engine.has(IMAGE):
        engine.load(io.BytesIO(image_archive()))
    return engine


@pytest.fixture
def name(engine: Engine) -> Iterator[str]:
    """A name for a container that is gone after the test."""
    chosen = f"hrsi-test-{uuid4()}"
    yield chosen
    engine.remove(chosen)


def an_order(name: str, script: str, **mounts: str) -> ContainerOrder:
    return ContainerOrder(
        name=name,
        image=IMAGE,
        command=("/bin/sh", "-c", script),
        mounts=tuple((here, f"/{inside}") for inside, here in mounts.items()),
        environment=(("WHO", "a test"),),
    )


def test_an_image_comes_from_an_archive(engine: Engine) -> None:
    named = f"localhost/hrsi/new-{uuid4().hex[:8]}:1"
    assert not engine.has(named)
    engine.load(io.BytesIO(image_archive(named)))

    assert engine.has(named)


def test_what_is_no_archive_is_refused(engine: Engine) -> None:
    with pytest.raises((Malformed, PortError)):
        engine.load(io.BytesIO(b"no archive" * 100))


def test_a_container_writes_where_it_may_and_what_it_says_is_kept(
    with_image: Engine, name: str, tmp_path: Path
) -> None:
    said = io.BytesIO()
    script = 'echo "by $WHO"; echo "and this" >&2; echo made > /here/file; exit 7'
    with_image.start(an_order(name, script, here=str(tmp_path)))
    with_image.follow(name, said)

    assert with_image.wait(name, LONG) == 7
    assert sorted(said.getvalue().split(b"\n")) == [b"", b"and this", b"by a test"]
    assert (tmp_path / "file").read_text() == "made\n"


def test_one_that_takes_long_still_runs_and_ends_when_it_is_removed(
    with_image: Engine, name: str, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    with_image.start(an_order(name, "echo working; sleep 600"))
    with log.open("wb", buffering=0) as into:
        following = threading.Thread(target=with_image.follow, args=(name, into))
        following.start()
        wait_until(lambda: log.stat().st_size > 0, "the container to say something")
        assert with_image.wait(name, timedelta(0)) is None
        assert name in with_image.names("hrsi-test-")
        with_image.remove(name)
        following.join(60)
        assert not following.is_alive()

    assert name not in with_image.names("hrsi-test-")
    with pytest.raises(NotFound):
        with_image.wait(name, LONG)


def test_another_of_the_same_name_takes_its_place(with_image: Engine, name: str) -> None:
    with_image.start(an_order(name, "sleep 600"))
    with_image.start(an_order(name, "exit 3"))

    assert with_image.wait(name, LONG) == 3


def test_what_is_not_there_is_removed_already(engine: Engine) -> None:
    engine.remove("hrsi-test-never-there")


def test_an_image_that_nobody_has_cannot_be_started_or_pulled(engine: Engine, name: str) -> None:
    missing = ContainerOrder(name=name, image="localhost/hrsi/none:1", command=())
    with pytest.raises(NotFound):
        engine.start(missing)
    with pytest.raises(PortError):
        engine.pull("localhost:1/hrsi/none:1")


def test_an_engine_that_is_away_is_said_to_be() -> None:
    nobody = connect("tcp://127.0.0.1:1")
    with closing(nobody), pytest.raises(Unavailable, match="does not answer"):
        nobody.has(IMAGE)


@pytest.mark.parametrize(
    ("status", "kind"),
    [(401, Refused), (403, Refused), (404, NotFound), (429, Throttled), (500, Unknown)],
)
def test_what_a_registry_answers_is_handed_on_by_the_engine(
    status: int, kind: type[PortError]
) -> None:
    with (
        HttpServer(
            lambda _: Response('{"message": "the registry says"}', status), name="engine"
        ) as server,
        closing(connect(server.url)) as asked,
        pytest.raises(kind, match="the registry says"),
    ):
        asked.pull(IMAGE)
