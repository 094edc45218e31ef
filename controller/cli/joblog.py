"""`hrsi job log`: what the runs of a job said, as it is said or long afterwards."""

from __future__ import annotations

import codecs
import sys
import time
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from typing import Annotated

import typer

from controller.cli.output import complain, print_json, print_table, say
from controller.cli.session import AsJson, office
from models.errors import NotFound, Temporary, Unknown
from models.log_reading import JobLogs, LogNow, Where, is_over
from models.logs import Stream
from models.office import Office
from models.ports import JobStory
from models.records import Run

STEP_BYTES = 256 * 1024
LOOK_SECONDS = 1.0
"""How often it is looked for more while a log is followed."""

LOOKS_AFTER_THE_END = 3
"""The last words of a run may come a little after it is over."""


def job_log(
    context: typer.Context,
    job: Annotated[str, typer.Argument(metavar="JOB", help="Id, unique id or TYPE/KEY.")],
    stream: Annotated[
        Stream | None,
        typer.Option(help="Which log; else what the science says, or the program that runs it."),
    ] = None,
    attempt: Annotated[
        int | None, typer.Option(min=1, help="Of this attempt; else of the newest run.")
    ] = None,
    lines: Annotated[int, typer.Option(min=1, max=100_000, help="So many of its last lines.")] = 50,
    whole: Annotated[bool, typer.Option("--whole", help="From its first byte on.")] = False,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on until the run is over, or Ctrl-C.")
    ] = False,
    listed: Annotated[bool, typer.Option("--list", help="Only say which logs there are.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show what a run says: its last lines, the whole log, or as it grows, a second behind.

    It is read on the worker while that lives, and afterwards in the results bucket.
    """
    with office(context) as desk:
        story, logs = desk.reader.story(job), desk.logs()
        reference = str(story.job.id)
        found = logs.logs(reference)
        if listed or as_json:
            _tell_list(story, found, as_json=as_json)
            return
        chosen = _chosen(story, found, attempt, stream)
        complain(_heading(story, chosen))
        reading = Reading(logs, reference, chosen, 0 if whole else chosen.size - STEP_BYTES)
        for line in reading.lines() if whole else deque(reading.lines(), lines):
            say(line)
        for line in growing(desk, reading) if follow else ():
            say(line)
            sys.stdout.flush()  # whoever searches it through a pipe wants it as it comes
        for line in reading.rest():
            say(line)


class Reading:
    """A log, read on from a byte to wherever it ends by now; a line that has not ended yet is kept
    back.
    """

    def __init__(self, logs: JobLogs, reference: str, log: LogNow, place: int) -> None:
        self._logs = logs
        self.reference = reference
        self.log = log
        self._place = max(0, place)
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="backslashreplace")
        self._begun = ""

    def lines(self) -> Iterator[str]:
        """The lines that have ended since it was read last. Raises `PortError`."""
        log = self.log
        while True:
            part = self._logs.read(
                self.reference, log.allocation_id, log.stream, self._place, STEP_BYTES
            )
            if not part.content:
                return
            self._place = part.next
            *ended, self._begun = (self._begun + self._decoder.decode(part.content)).split("\n")
            yield from map(_plain, ended)

    def rest(self) -> Iterator[str]:
        """What has not ended, once nothing more comes."""
        if self._begun:
            yield _plain(self._begun)


def _plain(line: str) -> str:
    """A line without what programs write for terminals alone."""
    return line.removesuffix("\r").expandtabs()


def growing(desk: Office, reading: Reading) -> Iterator[str]:
    """What comes, until the run is over. What does not answer now may a moment later."""
    looks = 0
    while looks < LOOKS_AFTER_THE_END:
        time.sleep(LOOK_SECONDS)
        with suppress(Temporary, Unknown, NotFound):
            runs = desk.reader.story(reading.reference).runs
            looks += is_over(runs, reading.log.allocation_id)
            yield from reading.lines()


def _tell_list(story: JobStory, found: tuple[LogNow, ...], *, as_json: bool) -> None:
    if as_json:
        print_json(found)
        return
    attempts = {run.allocation_id: run.attempt for run in story.runs}
    rows = [
        (attempts.get(log.allocation_id), log.stream, log.size, log.where, log.allocation_id)
        for log in found
    ]
    print_table("Logs", ("attempt", "log", "bytes", "read in", "allocation"), rows)


def _chosen(
    story: JobStory, found: tuple[LogNow, ...], attempt: int | None, stream: Stream | None
) -> LogNow:
    """The log that is meant. Raises `NotFound` saying what there is instead."""
    run = _run(story, attempt)
    of_run = {log.stream: log for log in found if log.allocation_id == run.allocation_id}
    wanted = (stream,) if stream else (Stream.SCIENCE, Stream.STDOUT, Stream.STDERR)
    there = [of_run[each] for each in wanted if each in of_run]
    if not there:
        said = stream or "log"
        raise NotFound(
            f"job {story.job.id} has no {said} of attempt {run.attempt}: it has said nothing yet, "
            f"or nobody has kept it. hrsi job log {story.job.id} --list shows what there is"
        )
    return next((log for log in there if log.size), there[0])


def _run(story: JobStory, attempt: int | None) -> Run:
    ran = [run for run in story.runs if run.allocation_id is not None]
    if attempt is not None:
        ran = [run for run in ran if run.attempt == attempt]
    if not ran:
        which = "it has not run yet" if attempt is None else f"attempt {attempt} was never on one"
        raise NotFound(f"job {story.job.id} was on no worker: {which}; nothing was said")
    return ran[-1]


def _heading(story: JobStory, log: LogNow) -> str:
    where = "on its worker" if log.where is Where.NOMAD else "in the results bucket"
    run = next(run for run in story.runs if run.allocation_id == log.allocation_id)
    return (
        f"job {story.job.id}, attempt {run.attempt} on {run.node_name or 'a worker'}: "
        f"{log.stream}, {log.size} bytes, read {where}"
    )
