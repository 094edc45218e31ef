"""Backups of the store in memory, and what a database is like that was restored from one, or lost.

The rows of every table come back as they were, and the numbers that were given since are given
again, as sequences of PostgreSQL do. Whatever was written in between was never written, as far as
the store can tell; the world outside knows better.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass
from itertools import count
from typing import Any

from simulator.store.rows import Rows
from simulator.store.tables import Tables


@dataclass(frozen=True, kw_only=True, slots=True)
class Backup:
    """All rows of all tables by name and key, and the next numbers."""

    rows: Mapping[str, Mapping[Any, Any]]
    numbers: Mapping[str, Any]


NOTHING = Backup(rows={}, numbers={})
"""A database that was emptied, or another one that is new."""


def backed_up(tables: Tables) -> Backup:
    """How the tables are now."""
    return Backup(
        rows={name: {key: rows[key] for key in rows} for name, rows in _tables(tables)},
        numbers={name: copy(number) for name, number in tables.numbers.items()},
    )


def restore(tables: Tables, backup: Backup) -> None:
    """Let the tables be as they were; leases first, by which the others are judged."""
    with tables.journal:
        for name, rows in sorted(_tables(tables), key=lambda pair: pair[0] != "leases"):
            before = backup.rows.get(name, {})
            for key in [key for key in rows if key not in before]:
                rows.drop(key)
            for key, row in before.items():
                rows.put(key, row)
    for name in tables.numbers:
        tables.numbers[name] = copy(backup.numbers.get(name, count(1)))


def _tables(tables: Tables) -> list[tuple[str, Rows[Any, Any]]]:
    return [(name, found) for name, found in vars(tables).items() if isinstance(found, Rows)]
