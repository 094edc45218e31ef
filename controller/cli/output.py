"""How the command line speaks: tables and sentences for people, JSON for scripts.

Every reading command takes `--json`; both forms come from the same plain values. Errors go to
standard error as one sentence; what they mean for the exit status is in `EXIT_*`.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from datetime import datetime, timedelta
from enum import Enum
from typing import Any
from uuid import UUID

from rich.console import Console
from rich.table import Table
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

Row = Sequence[object]


def plain(value: Any) -> Any:
    """Turn records into what JSON knows: enums by value, times as ISO, durations in seconds."""
    match value:
        case Enum():
            return value.value
        case timedelta():
            return value.total_seconds()
        case Mapping():
            return {str(plain(key)): plain(item) for key, item in value.items()}
        case str() | bytes():
            return value
        case Iterable():
            return [plain(item) for item in value]
        case datetime():
            return value.isoformat()
        case UUID():
            return str(value)
        case _:
            return _fields(value) if is_dataclass(value) else value


def _fields(record: Any) -> dict[str, Any]:
    return {f.name: plain(getattr(record, f.name)) for f in fields(record)}


def print_json(value: Any) -> None:
    """Print records as one JSON document."""
    sys.stdout.write(json.dumps(plain(value), indent=2, sort_keys=True) + "\n")


def print_table(title: str, columns: Sequence[str], rows: Iterable[Row]) -> None:
    """Print a table; an empty one says so. Text from outside is shown as it is, never as markup."""
    table = Table(title=Text(title), title_justify="left", header_style="bold", box=None)
    for column in columns:
        table.add_column(Text(column))
    for row in rows:
        table.add_row(*(Text(shown(cell)) for cell in row))
    console = Console()
    if table.row_count:
        console.print(table)
    else:
        console.print(Text(f"{title}: none"))


def say(sentence: str) -> None:
    """Print one sentence for a person."""
    sys.stdout.write(visible(sentence) + "\n")


def complain(sentence: str) -> None:
    """Print one sentence about what went wrong, to standard error."""
    sys.stderr.write(visible(sentence) + "\n")


def shown(value: object) -> str:
    """One value as a person wants it in a table cell."""
    if value is None:
        return "–"
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S}"
    if isinstance(value, Enum):
        return str(value.value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return visible(str(value))
