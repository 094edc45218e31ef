"""The table that the benchmarks fill: printed at the end, and written to docs/benchmarks.md."""

import os
import platform
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest

from controller import log

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "benchmarks.md"

HEAD = """\
# What the controller costs

Written by `make bench`; change the benchmarks in `tests/bench/`, not this page.

Ratios compare two things measured in the same run, in CPU time where nothing else is said; they are
what we hold ourselves to. Times in seconds are those of one machine at one moment, and nobody
should expect to see them elsewhere. A *pass* is one pass of each loop, all woken at the same
moment; a *fetch* is what that pass asked for, asked for again by bare clients (requests, the JSON
decoder of the standard library, psycopg). In the idle half nothing waits. In the busy half 2,000
jobs wait, idle workers may go and 20 more may come; actions are decided and recorded, none is
begun. `hrsi bench pass` measures one size by itself.

The world stands still meanwhile, as a quiet farm does: lists that say what they said before are
not joined again, and Nomad's are not even decoded, which is how a pass over a large farm can cost
less than a fetch, which decodes everything each time. A list that has changed is made anew.

An index over a hundred times as many rows is one level deeper, and what descends it touches one
page more. Every query of a view, and every look-up of an open job or run by a write, goes by
indexes that hold open rows alone, or, for runs, those that ended within two days: they grow with
what is under way, not with the past. What a status write cannot avoid is to add the new version of
the job's row to the indexes of its four keys (id, unique id, type and key, tile) and a row to that
of the history, each a page deeper at a million jobs. A dispatch also adds a run to two indexes and
has its job looked up for the reference. The finished jobs of the measure are older than two days,
as pruning leaves them. Whether the planner, which knows a sample of the jobs, goes to an empty list
by one page or by two may differ from run to run.

"""


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One row: what was measured, what came out, and what it may be at most (or at least)."""

    what: str
    value: str
    budget: str = ""
    holds: bool | None = None

    def as_row(self) -> str:
        verdict = {True: "yes", False: "**no**", None: ""}[self.holds]
        return f"| {self.what} | {self.value} | {self.budget} | {verdict} |"


@dataclass
class Figures:
    """All rows of a run: ratios and counts, and times of this machine."""

    ratios: list[Figure] = field(default_factory=list)
    times: list[Figure] = field(default_factory=list)

    def ratio(self, what: str, value: float, most: float | None = None, unit: str = "") -> None:
        """A ratio or a count, and its budget if it has one."""
        budget = "" if most is None else f"≤ {most:,g}{unit}"
        holds = None if most is None else value <= most
        text = f"{value:,.0f}{unit}" if value >= 100 else f"{value:.3g}{unit}"
        self._add(self.ratios, Figure(what=what, value=text, budget=budget, holds=holds))

    def time(self, what: str, value: str, budget: str = "", *, holds: bool | None = None) -> None:
        """A time of this machine, or what follows from one."""
        self._add(self.times, Figure(what=what, value=value, budget=budget, holds=holds))

    def _add(self, rows: list[Figure], figure: Figure) -> None:
        rows.append(figure)
        print(figure.as_row(), flush=True)  # noqa: T201 - benchmarks are run to be read

    def page(self) -> str:
        """The whole page."""
        return HEAD + "\n".join(
            (
                *("## Ratios and counts", "", *_table(self.ratios), ""),
                *("## Times of this machine", "", _machine(), "", *_table(self.times), ""),
            )
        )


def _table(rows: list[Figure]) -> Iterator[str]:
    yield "| what | measured | budget | holds |"
    yield "|---|--:|--:|---|"
    yield from (row.as_row() for row in rows)


def _machine() -> str:
    found = [line for line in _lines("/proc/cpuinfo") if line.startswith("model name")]
    cpu = found[0].partition(":")[2].strip() if found else platform.machine()
    cores = f"{len(found) or 1} cores shared with other work"
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    ).stdout.strip()
    return (
        f"Measured {datetime.now(UTC):%Y-%m-%d} at commit {commit or 'unknown'} on {cpu}, {cores}, "
        f"{platform.system()} {platform.release()}, Python {platform.python_version()}, the "
        "embedded PostgreSQL 18 without fsync."
    )


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text().splitlines()
    except OSError:
        return []


@pytest.fixture(autouse=True)
def silence() -> Iterator[None]:
    """The loops tell of every pass; here nobody reads it, as little as where it goes to a pipe."""
    with Path(os.devnull).open("w") as nowhere:
        log.configure(stream=nowhere)
        yield


_FIGURES = pytest.StashKey[Figures]()


@pytest.fixture(scope="session")
def figures(request: pytest.FixtureRequest) -> Figures:
    """Where a benchmark puts its figures."""
    return request.config.stash.setdefault(_FIGURES, Figures())


@pytest.fixture(scope="session", autouse=True)
def ended_in_order() -> Iterator[None]:
    """What ends a run from outside ends it as Ctrl-C does: servers are stopped, files removed."""

    def interrupt(_number: int, _frame: object) -> None:
        raise KeyboardInterrupt

    before = {each: signal.signal(each, interrupt) for each in (signal.SIGTERM, signal.SIGHUP)}
    yield
    for each, handler in before.items():
        signal.signal(each, handler)


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """All benchmarks, each come to its end without a failure, write the page."""
    config = session.config
    whole = not config.getoption("keyword") and {item.path.name for item in session.items} == {
        path.name for path in Path(__file__).parent.glob("bench_*.py")
    }
    if whole and exitstatus == pytest.ExitCode.OK and _FIGURES in config.stash:
        PAGE.write_text(config.stash[_FIGURES].page())
