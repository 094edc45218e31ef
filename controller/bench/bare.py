"""The same requests and statements again, by clients that do nothing else: the yardstick.

What a pass asked for is noted while it asks: HTTP requests by the server that answers them, SQL by
the driver that sends it. `Bare.fetch` sends the very same, in the same transactions, decodes JSON
with the standard library and fetches rows as the driver gives them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Self, TypeAlias

import psycopg
import requests
from sqlalchemy import Engine, event

from controller.bench.frozen import Asked


@dataclass(frozen=True, kw_only=True, slots=True)
class Statement:
    """One statement with its parameters; None for `sql`: the transaction ends here."""

    sql: str | None
    parameters: Any = None


Transactions: TypeAlias = Sequence[Statement]
_END = Statement(sql=None)


class _Listener:
    def __init__(self) -> None:
        self.heard: list[Statement] = []

    def statement(self, *told: Any) -> None:
        _, _, sql, parameters, _, _ = told
        self.heard.append(Statement(sql=sql, parameters=parameters))

    def end(self, _: Any) -> None:
        if self.heard and self.heard[-1] is not _END:
            self.heard.append(_END)


@contextmanager
def listening() -> Iterator[list[Statement]]:
    """Every statement that this process sends to PostgreSQL in a block, in order."""
    listener = _Listener()
    hooks = (
        ("before_cursor_execute", listener.statement),
        ("commit", listener.end),
        ("rollback", listener.end),
    )
    for name, hook in hooks:
        event.listen(Engine, name, hook)
    try:
        yield listener.heard
    finally:
        for name, hook in hooks:
            event.remove(Engine, name, hook)


class Bare:
    """Sends again what was noted; a context manager."""

    def __init__(self, database_url: str, roots: Mapping[str, str]) -> None:
        self._roots = roots
        self._connection = psycopg.connect(database_url)
        self._session = requests.Session()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._session.close()
        self._connection.close()

    def fetch(self, asked: Iterable[Asked], statements: Transactions) -> int:
        """Ask for everything once more; how many values and rows came."""
        return sum(map(self._get, asked)) + self._query(statements)

    def _get(self, asked: Asked) -> int:
        url = self._roots[asked.service] + asked.path
        answer = self._session.get(url, headers=asked.headers)
        return len(json.loads(answer.content))

    def _query(self, statements: Transactions) -> int:
        rows = 0
        with self._connection.cursor() as cursor:
            for statement in statements:
                if statement.sql is None:
                    self._connection.commit()
                    continue
                cursor.execute(statement.sql.encode(), statement.parameters)
                rows += len(cursor.fetchall()) if cursor.description else 0
        self._connection.commit()
        return rows
