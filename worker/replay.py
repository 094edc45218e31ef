"""The science of a job once more, on a folder that was fetched: for whoever wants to know why.

`hrsi job fetch` brings the working directory, without the inputs, which nobody keeps; they are put
beside by hand, and what is missing is named with the place where it lies. Neither the database nor
a bucket is asked or told anything: an image that is not on this machine is pulled, and that is all.
What the run had made is set aside, so that both results can be compared; again and again.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import msgspec

from models.containers import ContainerEngine, ContainerOrder
from models.errors import HrsiError, Malformed, NotFound, PortError
from worker import l2a
from worker.exits import Meaning, describe
from worker.recipes import Form, Recipe, Want, recipe_of
from worker.science import (
    INPUTS,
    INSIDE,
    OUTPUTS,
    PARAMETERS,
    TEMPORARY,
    TimedOut,
    archive_of,
    run_command,
    run_container,
    write_document,
)

BEFORE = "outputs.before"
"""What the run had made, as it was fetched."""

LOG = "replay.log"
CONTAINERS = "hrsi-replay-"

EXIT_DONE = 0
EXIT_FAILED = 1


@dataclass(frozen=True, kw_only=True)
class Replay:
    """A folder, and what its software runs on. `instead` takes the place of a container."""

    folder: Path
    engine: Callable[[], ContainerEngine]
    say: Callable[[str], None]
    instead: tuple[str, ...] = ()

    def run(self) -> int:
        """Run the software again; 0 if it said success. Raises `HrsiError` and `OSError`."""
        document = self._document()
        job, given = document["job"], document["given"]
        recipe = recipe_of(str(job["type"]), given, self.instead)
        missing = list(self._missing(recipe, job, given))
        if missing:
            raise NotFound("; ".join(missing))
        engine = None if recipe.image is None else self._with_image(recipe.image)
        self._make_room()
        root = INSIDE if recipe.image else str(self.folder.resolve())
        write_document(self.folder, document, root=root)
        try:
            code = self._run(recipe, engine, str(job["unique_id"]))
        except TimedOut:
            self.say(f"the software did not end within {recipe.time_limit} and was ended")
            return EXIT_FAILED
        self.say(f"{describe(recipe.exits, code)}; its words are in {self.folder / LOG}")
        for sentence in compared(self.folder / BEFORE, self.folder / OUTPUTS):
            self.say(sentence)
        meaning = recipe.exits.row_of(code).meaning
        return EXIT_DONE if meaning in {Meaning.PRODUCTS, Meaning.PERHAPS} else EXIT_FAILED

    def _document(self) -> dict[str, Any]:
        file = self.folder / PARAMETERS
        try:
            document = msgspec.json.decode(file.read_bytes(), type=dict[str, Any])
        except FileNotFoundError as error:
            raise NotFound(
                f"{file} is missing: this is no working directory that `hrsi job fetch` brought, "
                "or its run ended before its software began"
            ) from error
        except msgspec.MsgspecError as error:
            raise Malformed(f"{file} cannot be read: {error}") from error
        if not {"type", "unique_id"} <= set(document.get("job", ())) or "given" not in document:
            raise Malformed(
                f"{file} names no job type, unique id or input; it is not of our making"
            )
        return document

    def _missing(
        self, recipe: Recipe, job: Mapping[str, Any], given: Mapping[str, Any]
    ) -> Iterator[str]:
        for want in recipe.wants(job.get("tile"), given):
            target = self.folder / INPUTS / want.folder
            if not target.exists():
                yield f"{target} is missing: put {want.what} there, {_where(want)}"

    def _make_room(self) -> None:
        outputs, before = self.folder / OUTPUTS, self.folder / BEFORE
        if before.exists():
            shutil.rmtree(outputs, ignore_errors=True)
        elif outputs.exists():
            outputs.rename(before)
        for name in (TEMPORARY, l2a.FOLDER):
            shutil.rmtree(self.folder / name, ignore_errors=True)
        for name in (INPUTS, OUTPUTS, TEMPORARY, l2a.FOLDER):
            (self.folder / name).mkdir(exist_ok=True)
        (self.folder / LOG).unlink(missing_ok=True)

    def _with_image(self, image: str) -> ContainerEngine:
        """An engine that has the image. Raises `HrsiError` when none can be had."""
        engine = self.engine()
        if not engine.has(image):
            self.say(f"image {image} is not on this machine: pulling it")
            try:
                engine.pull(image)
            except PortError as error:
                raise NotFound(
                    f"{error}; workers load it from key {archive_of(image)} of the infra bucket: "
                    "fetch that and `docker load` it"
                ) from error
        return engine

    def _run(self, recipe: Recipe, engine: ContainerEngine | None, unique_id: str) -> int:
        log = self.folder / LOG
        if recipe.image is None or engine is None:
            self.say(f"running {recipe.command[0]}")
            return run_command(recipe.command, self.folder, log, recipe.time_limit)
        order = ContainerOrder(
            name=f"{CONTAINERS}{unique_id}",
            image=recipe.image,
            command=recipe.command,
            mounts=((str(self.folder.resolve()), INSIDE),),
        )
        self.say(f"running image {recipe.image}")
        return run_container(engine, order, log, recipe.time_limit)


def _where(want: Want) -> str:
    return f"from key {want.key} of the {want.role} bucket{_AS.get(want.form, '')}"


_AS: Mapping[Form, str] = MappingProxyType(
    {Form.ARCHIVE: ", unpacked", Form.KEPT: f", from the folder that {l2a.MARKER} names there"}
)


def compared(before: Path, after: Path) -> Iterator[str]:
    """How the products differ from those before, a sentence each, and how many are the same."""
    then, now = _digests(before), _digests(after)
    same = sum(now.get(path) == digest for path, digest in then.items())
    for path in sorted(then.keys() | now.keys()):
        if path not in now:
            yield f"{path}: not made this time"
        elif path not in then:
            yield f"{path}: not made before"
        elif then[path] != now[path]:
            yield f"{path}: differs"
    yield f"{same} of {len(then)} files of the run were made again, byte for byte"


def _digests(folder: Path) -> dict[str, str]:
    found = {}
    for file in sorted(folder.rglob("*")):
        if file.is_file() and not file.is_symlink():
            with file.open("rb") as content:
                digest = hashlib.file_digest(content, "sha256").hexdigest()
            found[file.relative_to(folder).as_posix()] = digest
    return found


def replay(replaying: Replay) -> int:
    """Run it; what cannot be done is told in a sentence. The exit code."""
    try:
        return replaying.run()
    except (HrsiError, OSError) as error:
        replaying.say(f"nothing was replayed: {error}")
        return EXIT_FAILED
