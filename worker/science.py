"""The science software of a run: in a container, or as a plain command; its words go to its log.

Its parameters lie in the working directory as `processing_parameters.yaml` (JSON, which is YAML).
In a container the working directory is `/job`; a command has it as its own. It finds `inputs/` and
writes below `outputs/` one folder per product, with `dias_catalog_submit.json` in it. What MAJA is
to begin with next time it leaves in `l2a/`.
"""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from models.containers import ContainerEngine, ContainerOrder, ImageShelf
from models.errors import Malformed, NotFound, Permanent, PortError
from models.objects import ObjectStore, Place
from models.ports import Claim
from worker import l2a
from worker.failures import (
    MISSING_FILE,
    NO_ENGINE,
    NO_IMAGE,
    RunFailed,
    external,
    internal,
    of_buckets,
)
from worker.inputs import Fetching, fetch_whole
from worker.interrupts import News
from worker.patience import Insistence

PARAMETERS = "processing_parameters.yaml"
INPUTS, OUTPUTS, TEMPORARY = "inputs", "outputs", "temp"
INSIDE = "/job"
"""Where a container finds the working directory."""

_SIGNALLED = 128

Say = Callable[[str], None]


def write_parameters(folder: Path, claim: Claim, *, root: str) -> None:
    """Say to the software what it is to do; `root` is the working directory as it sees it."""
    job = claim.job
    document = {
        "job": {
            "id": job.id,
            "unique_id": str(job.unique_id),
            "name": job.name,
            "type": job.type,
            "tile": job.tile,
            "attempt": claim.attempt,
            "claim": claim.number,
        },
        "given": dict(claim.input),
    }
    write_document(folder, document, root=root)


def write_document(folder: Path, document: Mapping[str, Any], *, root: str) -> None:
    """Write the parameters, with the folders where the software finds them."""
    folders = {
        "inputs": f"{root}/{INPUTS}",
        "outputs": f"{root}/{OUTPUTS}",
        "temporary": f"{root}/{TEMPORARY}",
        "l2a": f"{root}/{l2a.FOLDER}",
    }
    text = msgspec.json.format(msgspec.json.encode({**document, **folders}), indent=2)
    (folder / PARAMETERS).write_bytes(text + b"\n")


@dataclass(frozen=True, kw_only=True)
class Images:
    """Brings the image of a job type onto this worker."""

    engine: ImageShelf
    store: ObjectStore
    bucket: Callable[[], str]
    scratch: Path
    say: Say
    insistence: Insistence = field(default_factory=Insistence)

    def ensure(self, image: str) -> None:
        """Present, else pulled from its registry, else loaded from the infra bucket.

        Raises `RunFailed` when none has it, and what the engine and the store raise.
        """
        if self.engine.has(image):
            return
        self.say(f"image {image} is not on this worker: pulling it")
        try:
            self.engine.pull(image)
        except PortError as error:
            # A registry that has it not, lets nobody in or does not answer: the bucket may have it.
            self.say(f"{error}; trying the bucket")
            self._load(image, error)

    def _load(self, image: str, refusal: PortError) -> None:
        place = Place(bucket=self.bucket(), key=archive_of(image))
        archive = self.scratch / "image.tar"
        try:
            self._fetch(place, archive, refusal)
            with archive.open("rb") as content:
                self.engine.load(content)
        except Malformed as error:
            raise internal(NO_IMAGE, f"{place} is no archive of images: {error}") from error
        finally:
            archive.unlink(missing_ok=True)
        if not self.engine.has(image):
            raise internal(NO_IMAGE, f"{place} holds other images, but not {image}")

    def _fetch(self, place: Place, archive: Path, refusal: PortError) -> None:
        """Fetch an archive. What goes wrong here is the bucket's, not the engine's."""
        try:
            stored = self.insistence.on(lambda: self.store.head(place))
            fetch_whole(self.store, Fetching(stored=stored, target=archive), self.insistence)
        except NotFound as error:
            # A registry that has it not will not have it in an hour; one that is away may be back.
            kind = internal if isinstance(refusal, Permanent) else external
            raise kind(NO_IMAGE, f"{refusal}; and there is no {place}") from error
        except PortError as error:
            raise RunFailed(of_buckets(error)) from error


def archive_of(image: str) -> str:
    """The key of an image's archive in the infra bucket."""
    return f"docker/images/{image.replace('/', '_')}.tar"


class TimedOut(Exception):
    """The software ran for longer than its job type may."""


def run_container(
    engine: ContainerEngine, order: ContainerOrder, log: Path, limit: timedelta
) -> int:
    """Run a container to its end; its exit code. Raises `TimedOut`, `RunFailed` when somebody takes
    it away before its exit code is read, and what the engine raises.

    It is removed on every way, by its name, and so is one of this name that an earlier life left;
    where there is no time to wait for that, it is only begun, and the next run here ends it.
    """
    with _removed(engine, order.name):
        engine.start(order)
        following = threading.Thread(
            target=_follow, args=(engine, order.name, log), name="science-log", daemon=True
        )
        following.start()
        try:
            code = _RESTARTS.on(lambda: engine.wait(order.name, limit))
        except NotFound as error:
            raise external(
                NO_ENGINE,
                f"container {order.name} was removed before its exit code was read, by hand or by "
                f"a clean-up of the engine: {error}",
            ) from error
        if code is None:
            raise TimedOut
        following.join(_LAST_WORDS.total_seconds())
        return code


@contextmanager
def _removed(engine: ContainerEngine, name: str) -> Iterator[None]:
    """Remove a container at the end of a block. Whoever is asked to end has seconds for what an
    operator needs, and waits for no engine that is silent.
    """
    remove = engine.remove
    try:
        yield
    except News:
        remove = partial(_remove_in_haste, engine)
        raise
    finally:
        remove(name)


def _remove_in_haste(engine: ContainerEngine, name: str) -> None:
    def removal() -> None:
        with suppress(PortError):
            engine.remove(name)

    under_way = threading.Thread(target=removal, name="remove", daemon=True)
    under_way.start()
    under_way.join(IN_HASTE.total_seconds())


IN_HASTE = timedelta(seconds=3)
"""How long an engine may take to end a container while Nomad waits; a live one needs less."""

_LAST_WORDS = timedelta(seconds=30)
_RESTARTS = Insistence(attempts=5, longest=timedelta(seconds=10))
"""An engine that is restarted leaves its containers alone, where it is set up so."""


def _follow(engine: ContainerEngine, name: str, log: Path) -> None:
    with log.open("ab", buffering=0) as into:
        try:
            engine.follow(name, into)
        except PortError as error:
            into.write(f"\n[the log ends here: {error}]\n".encode())


def run_command(command: Sequence[str], folder: Path, log: Path, limit: timedelta) -> int:
    """Run a program to its end; its exit code, 128 and more for one that a signal ended.

    Raises `TimedOut`. Whatever it has started in its process group ends with it, on every way. It
    stays in the session of the run program, and so ends with that at the latest.
    """
    with log.open("ab") as into:
        try:
            process = subprocess.Popen(  # noqa: S603 - a job type or the settings name the program
                command,
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=into,
                stderr=subprocess.STDOUT,
                process_group=0,
            )
        except FileNotFoundError as error:
            raise internal(MISSING_FILE, f"there is no program {command[0]}") from error
    try:
        code = process.wait(limit.total_seconds())
    except subprocess.TimeoutExpired as error:
        raise TimedOut from error
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    return code if code >= 0 else _SIGNALLED - code
