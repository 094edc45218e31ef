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
from sqlalchemy import Engine, Pool, event

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
        listener = self

        class Telling(psycopg.Cursor[Any]):
            """A cursor that tells what it is given."""

            def execute(self, query: Any, params: Any = None, **options: Any) -> Self:
                listener.statement(query, params)
                return super().execute(query, params, **options)

        self._telling = Telling

    def statement(self, sql: str | bytes, given: Any) -> None:
        text = sql.decode() if isinstance(sql, bytes) else sql
        self.heard.append(Statement(sql=text, parameters=given))

    def taken(self, connection: psycopg.Connection[Any], *_: object) -> None:
        connection.cursor_factory = self._telling

    def given_back(self, connection: psycopg.Connection[Any] | None, *_: object) -> None:
        if connection is not None:
            connection.cursor_factory = psycopg.Cursor
        self.end()

    def end(self, *_: object) -> None:
        if self.heard and self.heard[-1] is not _END:
            self.heard.append(_END)


@contextmanager
def listening() -> Iterator[list[Statement]]:
    """Every statement that a block gives to psycopg by a connection of a pool, in order."""
    listener = _Listener()
    hooks = (
        (Pool, "checkout", listener.taken),
        (Pool, "checkin", listener.given_back),
        (Engine, "commit", listener.end),
    )
    for target, name, hook in hooks:
        event.listen(target, name, hook)
    try:
        yield listener.heard
    finally:
        for target, name, hook in hooks:
            event.remove(target, name, hook)


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
