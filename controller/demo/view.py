"""The live terminal view of a demo: a moment and a size in, something that rich can print out.

Computes only. It fits the width that it is told, jobs and workers side by side when there is room
for it and one above the other when there is not; decisions fill the height that is left. Nothing
in it moves while numbers change.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from types import MappingProxyType

from rich import box
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from controller.demo.scene import Duty, Scene, Stage, clock
from controller.plan_text import CHANGES, ENDS, HOLDS, MAKES, sign_of
from controller.text import visible
from models.plan import SubjectKind
from models.records import LedgerRow

SIDE_BY_SIDE = 80
"""From this width on jobs and workers stand beside each other."""

WITH_CODES = 116
"""From this width on decisions show their reason codes, besides their sentences."""

_LABEL, _COUNT, _FRAME = 16, 5, 4
_HEAD = 3

STAGE_COLOURS: Mapping[Stage, str] = MappingProxyType(
    {
        Stage.WAITING: "bright_black",
        Stage.QUEUED: "cyan",
        Stage.STARTED: "blue",
        Stage.PRE_PROCESSING: "blue",
        Stage.PROCESSING: "bright_blue",
        Stage.POST_PROCESSING: "magenta",
        Stage.PROCESSED: "bright_green",
        Stage.DONE: "green",
        Stage.IN_ERROR: "red",
        Stage.CANCELLED: "yellow",
    }
)

DUTY_SIGNS: Mapping[Duty, tuple[str, str]] = MappingProxyType(
    {
        Duty.CREATING: ("·", "bright_black"),
        Duty.BOOTING: ("○", "cyan"),
        Duty.BUSY: ("●", "bright_blue"),
        Duty.FREE: ("◇", "green"),
        Duty.RETIRING: ("◐", "yellow"),
        Duty.DELETING: ("×", "red"),
    }
)

# What people know by name; the identities of the rest are long and say nothing.
_NAMED: Mapping[str, str] = MappingProxyType(
    {SubjectKind.JOB: "job {}", SubjectKind.WORKER: "{}", SubjectKind.FLAVOR: "{}"}
)

SIGN_COLOURS: Mapping[str, str] = MappingProxyType(
    {MAKES: "green", ENDS: "red", CHANGES: "cyan", HOLDS: "yellow"}
)


def view(scene: Scene, width: int, height: int) -> RenderableType:
    """The whole picture in `width` columns and `height` lines."""
    beside = width >= SIDE_BY_SIDE
    left = width * 11 // 20 if beside else width
    jobs, workers = _jobs(scene, left), _workers(scene, width - left if beside else width)
    rows_above = len(Stage) + 2
    if not beside:
        rows_above += max(len(Stage), len(scene.workers) + 3) + 2
    body = [_beside(jobs, workers, left)] if beside else [jobs, workers]
    notes = [
        line for note in scene.notes for line in textwrap.wrap(note, width, break_on_hyphens=False)
    ]
    room = height - _HEAD - rows_above - len(notes) - 2
    parts = [_head(scene, width), *body]
    if room > 0:
        parts.append(_decisions(scene, room, width))
    # Wrapped, not cut: people copy addresses from here.
    return Group(*parts, *(Text(line, style="dim") for line in notes))


def _beside(left: RenderableType, right: RenderableType, left_width: int) -> Table:
    grid = Table.grid(expand=True)
    grid.add_column(width=left_width)
    grid.add_column()
    grid.add_row(left, right)
    return grid


def _head(scene: Scene, width: int) -> Panel:
    done = f"{scene.done} of {scene.submitted} jobs done"
    bar = _bar(scene.done, scene.submitted, max(4, width - len(done) - 16), "green")
    line = Text.assemble((clock(scene.elapsed), "bold"), "  ", (done, "bold"), "  ", bar)
    line.no_wrap, line.overflow = True, "crop"
    return Panel(line, title="HR-S&I controller, demo", title_align="left", box=box.ROUNDED)


def _jobs(scene: Scene, width: int) -> Panel:
    rows = Table.grid(padding=(0, 1))
    rows.add_column(width=_LABEL, no_wrap=True)
    rows.add_column(width=_COUNT - 1, justify="right", no_wrap=True)
    rows.add_column(no_wrap=True)
    room = max(1, width - _FRAME - _LABEL - _COUNT - 2)
    for stage in Stage:
        count = scene.jobs.get(stage, 0)
        style = "" if count else "dim"
        bar = _bar(count, scene.submitted, room, STAGE_COLOURS[stage], track=False)
        rows.add_row(Text(stage.value, style=style), Text(str(count), style=style), bar)
    return Panel(rows, title="Jobs by status", title_align="left", box=box.ROUNDED)


def _workers(scene: Scene, width: int) -> Panel:
    rows = Table.grid(padding=(0, 1))
    rows.add_column(width=12, no_wrap=True)
    rows.add_column(width=3, justify="right", no_wrap=True)
    rows.add_column(no_wrap=True, overflow="ellipsis")
    for flavor, duties in scene.workers.items():
        total = sum(duties.values())
        style = "" if total else "dim"
        rows.add_row(Text(flavor, style=style), Text(str(total), style=style), _signs(duties))
    rows.add_row(Text("all", style="bold"), Text(str(scene.worker_count), style="bold"), Text())
    # The blank line keeps this panel as high as the one beside it.
    spare = [Text()] * max(0, len(Stage) - len(scene.workers) - 3)
    return Panel(
        Group(rows, *spare, _legend(width)),
        title="Workers by flavor",
        title_align="left",
        box=box.ROUNDED,
    )


def _signs(duties: Mapping[Duty, int]) -> Text:
    line = Text(no_wrap=True, overflow="ellipsis")
    for duty, (sign, colour) in DUTY_SIGNS.items():
        line.append(sign * duties.get(duty, 0), style=colour)
    return line


def _legend(width: int) -> Text:
    lines, used = Text(), 0
    for number, (duty, (sign, colour)) in enumerate(DUTY_SIGNS.items()):
        entry = f"{sign} {duty}  "
        broken = number == len(DUTY_SIGNS) // 2 or used + len(entry) > width - _FRAME
        used = len(entry) if broken else used + len(entry)
        lines.append("\n" if broken else "")
        lines.append(entry, style=colour)
    return lines


def _bar(count: int, total: int, room: int, colour: str, *, track: bool = True) -> Text:
    filled = max(1, round(room * count / total)) if count and total else 0
    filled = min(filled, room)
    bar = Text("━" * filled, style=colour, no_wrap=True, overflow="crop")
    if track:
        bar.append("━" * (room - filled), style="bright_black")
    return bar


def _decisions(scene: Scene, room: int, width: int) -> Panel:
    rows = Table.grid(padding=(0, 1), expand=True)
    rows.add_column(width=8, no_wrap=True)
    rows.add_column(width=1)
    rows.add_column(no_wrap=True, overflow="ellipsis", ratio=1)
    if width >= WITH_CODES:
        rows.add_column(width=28, no_wrap=True, justify="right")
    shown = scene.decisions[:room]
    for row in shown:
        cells = Text(f"{row.last_at:%H:%M:%S}", style="dim"), _sign(row), _because(row), _code(row)
        rows.add_row(*cells[: len(rows.columns)])
    for _ in range(room - len(shown)):
        rows.add_row("")
    return Panel(rows, title="Last decisions", title_align="left", box=box.ROUNDED)


def _sign(row: LedgerRow) -> Text:
    sign = sign_of(row.action)
    return Text(sign, style=SIGN_COLOURS[sign])


def _because(row: LedgerRow) -> Text:
    """The sentence, and before it what it is about when it does not name that itself."""
    kind, _, identity = row.subject.partition(":")
    about = _NAMED.get(kind, "").format(identity)
    said = not about or identity in row.because
    return Text(visible(row.because if said else f"{about}: {row.because}"))


def _code(row: LedgerRow) -> Text:
    return Text(f"{row.reason} ×{row.count}" if row.count > 1 else row.reason, style="dim")
