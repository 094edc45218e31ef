"""The tokens of people, as hashes. Writes stand in the audit trail."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, insert, or_, select, update

from infra.postgres import trail
from infra.postgres.sessions import Sessions
from infra.postgres.view import clock
from models.access import NewToken, Role, Token, why_no_name
from models.ports import Asked, Verdict
from models.tables import tokens

_MOST = 1000
_COLUMNS = tuple(column for column in tokens.c if column.name not in {"id", "digest"})


class PostgresTokens:
    """`models.access.Tokens` in PostgreSQL."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    def create(self, new: NewToken, asked: Asked) -> Verdict:
        """See `models.access.Tokens.create`."""
        subject = _subject(new.name)
        wrong = why_no_name(new.name)
        if wrong is not None:
            return Verdict(subject=subject, done=False, because=wrong)
        with self._sessions.write(f"create token {new.name}") as connection:
            if _good(connection, tokens.c.name == new.name) is not None:
                there = "a token of that name is in use; revoke it first, or take another name"
                return Verdict(subject=subject, done=False, because=there)
            now = clock(connection)
            end = None if new.lasts is None else now + new.lasts
            if not asked.dry_run:
                _insert(connection, new, asked, now=now, end=end)
            trail.note(connection, "create_token", asked, [subject])
        until = "it is revoked" if end is None else f"{end:%Y-%m-%d %H:%M:%S} UTC"
        return Verdict(subject=subject, done=True, because=f"role {new.role}, until {until}")

    def revoke(self, names: tuple[str, ...], asked: Asked) -> tuple[Verdict, ...]:
        """See `models.access.Tokens.revoke`."""
        with self._sessions.write(f"revoke {len(names)} tokens") as connection:
            verdicts = tuple(_revoked(connection, name, asked) for name in names)
            trail.note(connection, "revoke_token", asked, trail.done(verdicts))
            return verdicts

    def all(self) -> tuple[Token, ...]:
        """See `models.access.Tokens.all`."""
        query = select(*_COLUMNS).order_by(tokens.c.id.desc()).limit(_MOST)
        with self._sessions.read("list tokens") as connection:
            return tuple(map(_token, connection.execute(query)))

    def of(self, digest: bytes) -> Token | None:
        """See `models.access.Tokens.of`."""
        with self._sessions.read("look a token up") as connection:
            return _good(connection, tokens.c.digest == digest)


def _subject(name: str) -> str:
    return f"token:{name}"


def _good(connection: Connection, which: ColumnElement[bool]) -> Token | None:
    """The token that is good by the database's clock."""
    now = clock(connection)
    good = and_(
        tokens.c.revoked_at.is_(None), or_(tokens.c.expires_at.is_(None), tokens.c.expires_at > now)
    )
    row = connection.execute(select(*_COLUMNS).where(which, good)).first()
    return None if row is None else _token(row)


def _insert(
    connection: Connection, new: NewToken, asked: Asked, *, now: datetime, end: datetime | None
) -> None:
    connection.execute(
        insert(tokens).values(
            name=new.name,
            role=new.role.value,
            digest=new.digest,
            created_at=now,
            created_by=asked.actor,
            expires_at=end,
        )
    )


def _revoked(connection: Connection, name: str, asked: Asked) -> Verdict:
    found = _good(connection, tokens.c.name == name)
    if found is None:
        because = "there is no token of that name that is in use"
        return Verdict(subject=_subject(name), done=False, because=because)
    if not asked.dry_run:
        ended = update(tokens).where(tokens.c.name == name, tokens.c.revoked_at.is_(None))
        connection.execute(ended.values(revoked_at=clock(connection)))
    because = f"role {found.role}, made by {found.created_by}; it opens nothing from now on"
    return Verdict(subject=_subject(name), done=True, because=because)


def _token(row: Row[Any]) -> Token:
    return Token(
        name=row.name,
        role=Role(row.role),
        created_at=row.created_at,
        created_by=row.created_by,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
    )
