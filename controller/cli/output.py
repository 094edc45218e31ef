"""How the command line speaks: tables and sentences for people, JSON for scripts.

Every reading command takes `--json`; both forms come from the same plain values. Errors go to
standard error as one sentence; what they mean for the exit status is in `EXIT_*`.
"""

from __future__ import annotations

import json
import re
import sys
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from datetime import UTC, date, datetime, timedelta
from enum import Enum
from itertools import zip_longest
from typing import Any
from uuid import UUID

from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.text import Text

from controller.text import visible

EXIT_FAILED = 1
"""Something that was asked for could not be done."""
EXIT_USAGE = 2
"""The command or its settings make no sense; nothing was done."""
EXIT_INTERRUPTED = 130
"""Ended by Ctrl-C."""
EXIT_HUNG_UP = 129
"""Ended because its terminal was closed."""
EXIT_TERMINATED = 143
"""Ended by SIGTERM."""

WORD_KEPT = 32
"""Characters of a word that stand together even in a narrow column of sentences."""

PROSE_KEPT = 24
"""How narrow a column of sentences becomes at most."""

Row = Sequence[object]

_TIME = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d")


def plain(value: Any) -> Any:
    """Turn records into what JSON knows: enums by value, times as ISO, durations in seconds, bytes
    as text.
    """
    match value:
        case Enum():
            return value.value
        case timedelta():
            return value.total_seconds()
        case Mapping():
            return {str(plain(key)): plain(item) for key, item in value.items()}
        case str():
            return value
        case bytes():
            # A text where it is one, and nothing is lost where it is not.
            return value.decode("utf-8", "backslashreplace")
        case Iterable():
            return [plain(item) for item in value]
        case date():  # times are dates, too
            return value.isoformat()
        case _:
            return _fields(value) if is_dataclass(value) else _of_json(value)


def _of_json(value: Any) -> Any:
    return str(value) if isinstance(value, UUID) else value


def _fields(record: Any) -> dict[str, Any]:
    return {f.name: plain(getattr(record, f.name)) for f in fields(record)}


def print_json(value: Any) -> None:
    """Print records as one JSON document."""
    sys.stdout.write(json.dumps(plain(value), indent=2, sort_keys=True) + "\n")


def print_table(
    title: str, columns: Sequence[str], rows: Iterable[Row], screen: Console | None = None
) -> None:
    """Print a table; an empty one says so. Text from outside is shown as it is, never as markup.

    On a terminal sentences are wrapped to its width; a name, an id or a time never is, nor is it
    cut. Elsewhere each row is one whole line, to be searched by programs.
    """
    console, given = screen or Console(), [tuple(row) for row in rows]
    if not given:
        console.print(Text(f"{title}: none"))
        return
    today = datetime.now(UTC).date()
    cells = [[shown(cell, today) for cell in row] for row in given]
    heads = [_head(name, [row[at] for row in given]) for at, name in enumerate(columns)]
    console.print(Text(title, style="italic"))
    room = console.width if console.is_terminal else None
    widths = _widths([*zip(heads, *cells, strict=True)], room)
    for number, row in enumerate((heads, *cells)):
        for line in _lines(row, widths):
            # Whoever is no terminal gets the line whole, however long it is.
            console.print(Text(line, style="" if number else "bold"), soft_wrap=True)


def _head(name: str, column: Iterable[object]) -> str:
    return f"{name} (UTC)" if any(isinstance(value, datetime) for value in column) else name


def _lines(row: Sequence[str], widths: Sequence[int]) -> Iterator[str]:
    wrapped = (
        textwrap.wrap(cell, width, break_on_hyphens=False) if cell_len(cell) > width else [cell]
        for cell, width in zip(row, widths, strict=True)
    )
    for parts in zip_longest(*wrapped, fillvalue=""):
        sized = (set_cell_size(part, width) for part, width in zip(parts, widths, strict=True))
        yield "  ".join(sized).rstrip()


def _widths(columns: Sequence[Sequence[str]], room: int | None) -> list[int]:
    """The widest columns of sentences give way, as far as their words allow. Where that is not
    enough the terminal breaks the line, and nothing is lost.
    """
    widths = [max(map(cell_len, column)) for column in columns]
    needed = [max(1, *map(_unbroken, column)) for column in columns]
    while room is not None and sum(widths) + 2 * len(widths) - 2 > room:
        spares = [width - need for width, need in zip(widths, needed, strict=True)]
        if max(spares) <= 0:
            break
        widths[spares.index(max(spares))] -= 1
    return widths


def _unbroken(cell: str) -> int:
    """How much of a cell stands on one line: a name or a time whole, of a sentence its words."""
    words = cell.split(" ")
    if len(words) == 1 or (len(words) == 2 and _TIME.fullmatch(cell)):
        return cell_len(cell)
    return min(cell_len(cell), max(PROSE_KEPT, min(WORD_KEPT, max(map(cell_len, words)))))


def say(sentence: str) -> None:
    """Print one sentence for a person."""
    sys.stdout.write(visible(sentence) + "\n")


def complain(sentence: str) -> None:
    """Print one sentence about what went wrong, to standard error."""
    sys.stderr.write(visible(sentence) + "\n")


def complain_at_length(story: str) -> None:
    """Print a story of several lines about what went wrong, to standard error."""
    for line in story.splitlines():
        complain(line)


def shown(value: object, today: date | None = None) -> str:
    """One value as a person wants it in a table cell; a time of `today` goes without its date."""
    if value is None:
        return "–"
    if isinstance(value, datetime):
        return f"{value:%H:%M:%S}" if value.date() == today else f"{value:%Y-%m-%d %H:%M:%S}"
    if isinstance(value, Enum):
        return str(value.value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return visible(str(value))
