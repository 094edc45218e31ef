"""A run, step by step: what each step does, and what whatever goes wrong in it means.

What comes after a step is in `worker.steps`; this module does the work and reads no table.
"""

from __future__ import annotations

import signal
import traceback
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from time import monotonic

import msgspec

from models.containers import ContainerEngine, ContainerOrder
from models.errors import HrsiError, PortError, Superseded
from models.job_types import DEFAULT_REGISTRY
from models.lifecycle import Status
from models.logs import SCIENCE_FILE
from models.manifest import Manifest
from models.objects import ObjectStore
from models.ports import Claim, RunReports, RunResult
from worker import l2a, tidy
from worker.assignment import Assignment, Settings
from worker.exits import Meaning, describe
from worker.failures import (
    EXTERNAL,
    INTERNAL,
    SOFTWARE_FAILED,
    SOFTWARE_GAVE_UP,
    UNKNOWN,
    Failure,
    RunFailed,
    external,
    internal,
    of_buckets,
    of_engine,
    of_system,
)
from worker.inputs import Inputs
from worker.interrupts import Ended, Interrupts, TakenOver
from worker.patience import Insistence
from worker.products import Delivery, outputs_of
from worker.recipes import Recipe, recipe_of
from worker.science import (
    INPUTS,
    INSIDE,
    OUTPUTS,
    TEMPORARY,
    Images,
    TimedOut,
    run_command,
    run_container,
    write_parameters,
)
from worker.spool import Spool
from worker.steps import (
    STATUSES,
    Done,
    Failed,
    Outcome,
    Outdated,
    Progress,
    Step,
    Terminated,
    after,
)
from worker.uploads import Uploads

CONTAINERS = "hrsi-run-"
"""How the names of our containers begin."""

LAST_WORDS = "end.json"
"""How the run ended, in its working directory: what is left to read if nobody heard it."""

_AT_ONCE = 0.001
"""Of a timer, none at all would be never."""

MOST_TEXT = 4000
"""Characters of a message that the API takes; the whole of it is in the log."""


@dataclass(frozen=True, kw_only=True)
class Parts:
    """What a run works with. The buckets and the engine are reached when they are needed."""

    assignment: Assignment
    settings: Settings
    reports: RunReports
    buckets: Callable[[], ObjectStore]
    engine: Callable[[], ContainerEngine]
    interrupts: Interrupts
    say: Callable[[str], None]
    insistence: Insistence = field(default_factory=Insistence)


class Program:
    """One run, from its claim to the moment at which nothing of it is left on the worker."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._say = parts.say
        self._folder = parts.assignment.folder
        self._claim: Claim | None = None
        self._spool: Spool | None = None
        self._store: ObjectStore | None = None
        self._manifest: Manifest | None = None
        self._no_time_after: float | None = None
        self._must_make = True
        self._science_code: int | None = None
        self._steps: Mapping[Step, Callable[[Progress], None]] = {
            Step.CLAIM: self._do_claim,
            Step.PREPARE: self._prepare,
            Step.PROCESS: self._process,
            Step.DELIVER: self._deliver,
            Step.END: self._end,
            Step.TIDY: self._tidy,
        }

    def run(self) -> int:
        """Go through all steps; the exit code."""
        progress = Progress()
        while progress.step is not Step.GONE:
            progress = after(progress, self._outcome(progress))
        self._say(f"gone with exit code {progress.exit_code}")
        return progress.exit_code

    # ---- the steps -------------------------------------------------------------------------------

    def _do_claim(self, _: Progress) -> None:
        assignment = self._parts.assignment
        place = assignment.placement
        self._say(f"on worker: name = {place.node_name}, IP = {place.address}")
        claim = self._parts.reports.claim(assignment.run_id, place)
        job = claim.job
        self._say(f"job {job.id} ({job.name}), unique id {job.unique_id}, attempt {claim.attempt}")
        self._say(f"run {claim.run_id}, claim {claim.number}, {job.type}")
        self._claim = claim
        self._spool = Spool(self._parts.reports, claim, self._parts.interrupts.take_over)

    def _prepare(self, _: Progress) -> None:
        recipe = self._recipe
        tidy.free(self._folder)
        for name in (INPUTS, OUTPUTS, TEMPORARY, l2a.FOLDER):
            (self._folder / name).mkdir(parents=True)
        self._store = store = self._parts.buckets()
        results = self._parts.settings.bucket("results")
        self._parts.insistence.on(lambda: store.check(results))
        inputs = Inputs(
            store=self._store,
            folder=self._folder / INPUTS,
            bucket_of=self._parts.settings.bucket,
            inconsistent=recipe.inconsistent,
            insistence=self._parts.insistence,
        )
        came = inputs.fetch(recipe.wants(self._held.job.tile, self._held.input))
        self._say(f"inputs are here: {came} bytes")
        root = INSIDE if recipe.image else str(self._folder)
        write_parameters(self._folder, self._held, root=root)

    def _process(self, _: Progress) -> None:
        recipe = self._recipe
        log = self._parts.assignment.logs / SCIENCE_FILE
        log.parent.mkdir(parents=True, exist_ok=True)
        try:
            if recipe.image is None:
                self._say(f"running {recipe.command[0]}; its words are in {log.name}")
                code = run_command(recipe.command, self._folder, log, recipe.time_limit)
            else:
                code = self._in_container(recipe, recipe.image)
        except TimedOut as error:
            raise internal(
                SOFTWARE_GAVE_UP,
                f"the software did not end within {recipe.time_limit} and was ended",
            ) from error
        self._science_code = code
        self._say(describe(recipe.exits, code))
        self._judge(recipe, code)

    def _deliver(self, _: Progress) -> None:
        assert self._store is not None
        outputs = outputs_of(self._folder / OUTPUTS, self._held.job.type, datetime.now(UTC))
        expected = DEFAULT_REGISTRY.types[self._held.job.type].products
        if expected and not outputs and self._must_make:
            raise internal(
                SOFTWARE_GAVE_UP, "the software said success and made no product; see its log"
            )
        if self._must_make:
            self._keep_l2a(self._store)
        uploads = self._uploads(self._store, "results", self._parts.insistence)
        delivery = Delivery(uploads=uploads, claim=self._held)
        self._manifest = delivery.deliver(outputs)
        for product in self._manifest.products:
            self._say(f"{product.name}: {len(product.files)} files, {product.size} bytes")
        self._say(f"manifest is at {delivery.prefix}")

    def _end(self, progress: Progress) -> None:
        assert self._spool is not None
        failure, code = progress.failure, self._science_code
        # What the software said counts: by it others know what it has left.
        code = progress.exit_code if code is None else code
        if failure is None:
            result = RunResult(status=Status.PROCESSED, exit_code=code, manifest=self._manifest)
        else:
            result = RunResult(
                status=failure.status,
                subtype=failure.subtype,
                message=failure.message[:MOST_TEXT],
                exit_code=code,
            )
        if self._folder.is_dir():
            # A disk without room for them is no reason to say nothing.
            with suppress(OSError):
                (self._folder / LAST_WORDS).write_bytes(msgspec.json.encode(result))
        self._spool.end(result)
        self._say(f"the job is {result.status}")

    def _tidy(self, progress: Progress) -> None:
        if progress.hurried:
            self._set_alarm()
        try:
            tidy.drop_bulk(self._folder)
            if self._store is not None and progress.mine and self._folder.is_dir():
                self._save(self._store, hurried=progress.hurried)
        finally:
            tidy.free(self._folder)

    # ---- inside the steps ------------------------------------------------------------------------

    @property
    def _held(self) -> Claim:
        assert self._claim is not None
        return self._claim

    @property
    def _recipe(self) -> Recipe:
        settings = self._parts.settings
        recipe = recipe_of(self._held.job.type, self._held.input, settings.science_command)
        limit = settings.science_limit
        return recipe if limit is None else replace(recipe, time_limit=limit)

    def _in_container(self, recipe: Recipe, image: str) -> int:
        assert self._store is not None
        assignment, engine = self._parts.assignment, self._parts.engine()
        images = Images(
            engine=engine,
            store=self._store,
            bucket=partial(self._parts.settings.bucket, "infra"),
            scratch=self._folder / TEMPORARY,
            say=self._say,
            insistence=self._parts.insistence,
        )
        order = ContainerOrder(
            name=f"{CONTAINERS}{self._held.run_id}-{self._held.number}",
            image=image,
            command=recipe.command,
            mounts=((str(self._folder), INSIDE),),
        )
        try:
            images.ensure(image)
            # Of runs whose program was killed: of those that live none but this has room here.
            for name in engine.names(CONTAINERS):
                engine.remove(name)
            self._say(f"running image {image}; its words are in {SCIENCE_FILE}")
            return run_container(engine, order, assignment.logs / SCIENCE_FILE, recipe.time_limit)
        except PortError as error:
            raise RunFailed(of_engine(error)) from error

    def _uploads(self, store: ObjectStore, role: str, insistence: Insistence) -> Uploads:
        bucket = self._parts.settings.bucket(role)
        return Uploads(store=store, bucket=bucket, insistence=insistence)

    def _keep_l2a(self, store: ObjectStore) -> None:
        """Before the manifest: whoever sees the job processed finds the L2A."""
        path = self._held.input.get(self._recipe.keeps) if self._recipe.keeps else None
        if path is not None:
            uploads = self._uploads(store, "data", self._parts.insistence)
            kept = l2a.keep(uploads, self._held, self._folder / l2a.FOLDER, str(path))
            size = sum(file.size for file in kept.files)
            self._say(f"L2A is at {path}: {len(kept.files)} files, {size} bytes")

    def _judge(self, recipe: Recipe, code: int) -> None:
        """Let an exit code that is no success end the run as its table says."""
        match recipe.exits.row_of(code).meaning:
            case Meaning.PRODUCTS:
                return
            case Meaning.PERHAPS:
                self._must_make = False
            case Meaning.EXTERNAL:
                raise external(SOFTWARE_FAILED, describe(recipe.exits, code))
            case Meaning.INTERNAL:
                raise internal(SOFTWARE_GAVE_UP, describe(recipe.exits, code))

    def _set_alarm(self) -> None:
        """There is as much time as Nomad leaves, less what an end needs; to end the software, and
        its container, may have taken some of it.
        """
        asked_at = self._parts.interrupts.asked_at
        now, hurry = monotonic(), tidy.HURRY.total_seconds()
        killed_at = (now if asked_at is None else asked_at) + (
            self._parts.settings.kill_timeout.total_seconds()
        )
        self._no_time_after = killed_at - hurry
        signal.setitimer(signal.ITIMER_REAL, max(killed_at - hurry / 2 - now, _AT_ONCE))

    def _save(self, store: ObjectStore, *, hurried: bool) -> None:
        insistence = Insistence(attempts=1) if hurried else self._parts.insistence
        remains = tidy.Remains(
            uploads=self._uploads(store, "results", insistence),
            claim=self._held,
            folder=self._folder,
            deadline=self._no_time_after,
        )
        sent, left = remains.upload()
        self._say(f"working directory: {sent} files are in the bucket, {left} stayed behind")

    # ---- what went wrong -------------------------------------------------------------------------

    def _outcome(self, progress: Progress) -> Outcome:
        """Do a step and say how it went."""
        try:
            with self._parts.interrupts.heard():
                if (status := STATUSES.get(progress.step)) is not None and self._spool:
                    self._spool.say(status)
                self._steps[progress.step](progress)
            return Done()
        except Ended:
            self._say(f"asked to end while at {progress.step}: the monitor goes on with the job")
            return Terminated()
        except (TakenOver, Superseded) as error:
            self._say(f"the run is not this program's any more: {error}; leaving quietly")
            return Outdated()
        except (HrsiError, OSError) as error:
            return self._failed(progress.step, _failure_of(error))
        except Exception as error:  # noqa: BLE001 - a defect of ours is told like everything else
            self._say(traceback.format_exc())
            message = f"a defect of the run program: {error!r}"
            return self._failed(
                progress.step, Failure(status=INTERNAL, subtype=UNKNOWN, message=message)
            )

    def _failed(self, step: Step, failure: Failure) -> Failed:
        # The name of a file need not be text, and what is not text can be said to nobody.
        said = failure.message.encode(errors="backslashreplace").decode()
        failure = replace(failure, message=said)
        self._say(f"{step} failed: {failure.status}, {failure.subtype}: {failure.message}")
        return Failed(failure=failure)


def _failure_of(error: HrsiError | OSError) -> Failure:
    failure = getattr(error, "failure", None)
    if isinstance(failure, Failure):
        return failure
    if isinstance(error, OSError):
        return of_system(error)
    if isinstance(error, PortError):
        return of_buckets(error)
    return Failure(status=EXTERNAL, subtype="Request HTTP error", message=str(error))
