"""Where a controller process can be caught: in the database, just before or in a commit.

Two triggers on the intents let a transaction wait for a lock that the test holds. A process whose
transaction waits there is at a known place: what it does next, it does when it is let go on.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from enum import StrEnum
from typing import Any

import psycopg

from models.records import IntentKind

_KEY = 4711
_PATIENCE = 180.0

_TRIGGERS = """
create table armed (kind text not null, place text not null);
create table accepted (intent uuid, lease text, epoch bigint, held bigint);

create function gate() returns trigger language plpgsql as $$
begin
  if exists (select from armed where kind = new.kind and place = tg_argv[0]) then
    perform pg_advisory_xact_lock(4711);
  end if;
  return new;
end $$;

create function witness() returns trigger language plpgsql as $$
begin
  insert into accepted select new.id, new.lease, new.epoch, l.epoch
    from leases l where l.name = new.lease;
  return new;
end $$;

create trigger gate_before before insert on intents
  for each row execute function gate('before-the-commit');
create constraint trigger gate_commit after insert on intents deferrable initially deferred
  for each row execute function gate('in-the-commit');
create trigger witness_intents after insert on intents for each row execute function witness();
"""


class Place(StrEnum):
    """How far the transaction of an intent has come."""

    BEFORE_THE_COMMIT = "before-the-commit"
    IN_THE_COMMIT = "in-the-commit"


class Gates:
    """The gates of one database. One is shut at a time."""

    def __init__(self, admin: psycopg.Connection[tuple[Any, ...]]) -> None:
        self._admin = admin
        admin.execute(_TRIGGERS.encode())

    def shut(self, kind: IntentKind, place: Place) -> None:
        """Let the next transactions of such intents wait at this place."""
        self._admin.execute("select pg_advisory_lock(%s)", [_KEY])
        self._admin.execute("insert into armed values (%s, %s)", [kind.value, place.value])

    @property
    def somebody_waits(self) -> bool:
        """Whether a transaction has come to the gate that is shut, and waits."""
        waiting = "select from pg_locks where locktype = 'advisory' and objid = %s and not granted"
        return self._admin.execute(waiting, [_KEY]).fetchone() is not None

    def open(self) -> None:
        """Let everybody go on."""
        self._admin.execute("delete from armed")
        self._admin.execute("select pg_advisory_unlock(%s)", [_KEY])

    def allowed(self, epochs: Mapping[str, int], since: datetime) -> Counter[IntentKind]:
        """Intents written under these epochs that nobody had closed before this moment."""
        query = "select kind, lease, epoch from intents where coalesce(closed_at >= %s, true)"
        found = self._admin.execute(query, [since]).fetchall()
        return Counter(
            IntentKind(str(kind)) for kind, lease, epoch in found if epoch <= epochs[str(lease)]
        )

    def accepted_out_of_turn(self) -> list[tuple[object, ...]]:
        """I6: intents that were written under another epoch than the lease had at that moment."""
        query = "select intent, lease, epoch, held from accepted where epoch <> held"
        return self._admin.execute(query).fetchall()


@contextmanager
def gates(url: str) -> Iterator[Gates]:
    """Gates in a database, from here on; they open when the session ends."""
    with psycopg.connect(url, autocommit=True) as admin:
        yield Gates(admin)


def until(happened: Callable[[], bool], what: str) -> None:
    """Wait until something has happened, three minutes at most."""
    over = time.monotonic() + _PATIENCE
    while not happened():
        assert time.monotonic() < over, f"it did not come about: {what}"
        time.sleep(0.02)
