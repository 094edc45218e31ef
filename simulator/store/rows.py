"""Tables in memory: rows by key, indexes that follow them, and a journal that takes changes back.

Everything derived from a table (an index, a queue, a count) watches it and is told each row before
and after. Undoing is one more such change, so what is derived can never disagree with the rows.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterator
from types import TracebackType
from typing import Generic, Protocol, Self, TypeVar

K = TypeVar("K", bound=Hashable)
R = TypeVar("R")
V = TypeVar("V", bound=Hashable)
T_contra = TypeVar("T_contra", contravariant=True)


class Watcher(Protocol[T_contra]):
    """Something derived from a table."""

    def moved(self, before: T_contra | None, after: T_contra | None) -> None:
        """A row came (no `before`), changed, or went (no `after`)."""


class Journal:
    """What a change has done so far, to be taken back if it does not come to its end.

    `with journal:` is one transaction: leaving it by an error undoes every write in it.
    """

    def __init__(self) -> None:
        self._undo: list[Callable[[], None]] = []

    def note(self, undo: Callable[[], None]) -> None:
        """Remember how to take one write back."""
        self._undo.append(undo)

    @property
    def is_empty(self) -> bool:
        """Nothing has been written since the transaction began."""
        return not self._undo

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is not None:
            for undo in reversed(self._undo):
                undo()
        self._undo.clear()


class Rows(Generic[K, R]):
    """One table. `version` moves with every write, so that what was read may be kept until then."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._rows: dict[K, R] = {}
        self._watchers: list[Watcher[R]] = []
        self.version = 0

    def watch(self, watcher: Watcher[R]) -> None:
        """Tell `watcher` every change from here on."""
        self._watchers.append(watcher)

    def get(self, key: K) -> R | None:
        """The row of this key, if there is one."""
        return self._rows.get(key)

    def __getitem__(self, key: K) -> R:
        return self._rows[key]

    def __contains__(self, key: object) -> bool:
        return key in self._rows

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[K]:
        return iter(self._rows)

    def values(self) -> Iterator[R]:
        """All rows, in the order in which they came."""
        return iter(self._rows.values())

    def newest_first(self) -> Iterator[R]:
        """All rows, the last that came first."""
        return reversed(self._rows.values())

    def put(self, key: K, row: R) -> None:
        """Add or replace a row."""
        before = self._rows.get(key)
        self._journal.note(lambda: self._move(key, row, before))
        self._move(key, before, row)

    def drop(self, key: K) -> None:
        """Remove a row; none of that key is no error."""
        before = self._rows.get(key)
        if before is not None:
            self._journal.note(lambda: self._move(key, None, before))
            self._move(key, before, None)

    def _move(self, key: K, before: R | None, after: R | None) -> None:
        if after is None:
            del self._rows[key]
        else:
            self._rows[key] = after
        self.version += 1
        for watcher in self._watchers:
            watcher.moved(before, after)


class Index(Generic[K, R, V]):
    """The rows that have a value, by that value; rows whose value is None are in none of them."""

    def __init__(
        self, rows: Rows[K, R], value: Callable[[R], V | None], key: Callable[[R], K]
    ) -> None:
        self._value, self._key = value, key
        self._found: defaultdict[V, dict[K, R]] = defaultdict(dict)
        rows.watch(self)

    def moved(self, before: R | None, after: R | None) -> None:
        """See `Watcher`."""
        old = None if before is None else self._value(before)
        new = None if after is None else self._value(after)
        if before is not None and old is not None and old != new:
            del self._found[old][self._key(before)]
            if not self._found[old]:
                del self._found[old]
        if after is not None and new is not None:
            self._found[new][self._key(after)] = after

    def of(self, *values: V) -> list[R]:
        """The rows that have one of these values."""
        return [row for value in values for row in self._found.get(value, {}).values()]

    def one(self, value: V) -> R | None:
        """A row that has this value, if there is any."""
        return next(iter(self._found.get(value, {}).values()), None)

    def count(self, value: V) -> int:
        """How many rows have this value."""
        return len(self._found.get(value, ()))

    def values(self) -> list[V]:
        """The values that any row has."""
        return list(self._found)
