"""Tokens of people, made: the one place that ever sees their text."""

from __future__ import annotations

import secrets
from datetime import timedelta

from models.access import (
    PREFIX,
    SECRET_BYTES,
    MadeToken,
    NewToken,
    Role,
    Token,
    Tokens,
    digest_of,
)
from models.ports import Asked, Verdict


class StoreMint:
    """`models.access.Mint` over a store."""

    def __init__(self, tokens: Tokens) -> None:
        self._tokens = tokens

    def make(
        self, name: str, role: Role, asked: Asked, lasts: timedelta | None = None
    ) -> MadeToken:
        """See `models.access.Mint.make`."""
        return make(self._tokens, name, role, asked, lasts)

    def revoke(self, names: tuple[str, ...], asked: Asked) -> tuple[Verdict, ...]:
        """See `models.access.Mint.revoke`."""
        return self._tokens.revoke(names, asked)

    def all(self) -> tuple[Token, ...]:
        """See `models.access.Mint.all`."""
        return self._tokens.all()


def make(
    tokens: Tokens, name: str, role: Role, asked: Asked, lasts: timedelta | None = None
) -> MadeToken:
    """Make a token and keep its hash; the text is in the answer and nowhere else."""
    text = PREFIX + secrets.token_urlsafe(SECRET_BYTES)
    new = NewToken(name=name, role=role, digest=digest_of(text), lasts=lasts)
    verdict = tokens.create(new, asked)
    return MadeToken(verdict=verdict, token=text if verdict.done and not asked.dry_run else None)
