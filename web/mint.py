"""Tokens of people, made: the one place that ever sees their text."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from datetime import timedelta

from models.access import PREFIX, SECRET_BYTES, NewToken, Role, Tokens, digest_of
from models.ports import Asked, Verdict


@dataclass(frozen=True, kw_only=True, slots=True)
class MadeToken:
    """What became of the wish, and the token, if it was made. It is shown this once."""

    verdict: Verdict
    token: str | None = field(default=None, repr=False)


def make(
    tokens: Tokens, name: str, role: Role, asked: Asked, lasts: timedelta | None = None
) -> MadeToken:
    """Make a token and keep its hash; the text is in the answer and nowhere else."""
    text = PREFIX + secrets.token_urlsafe(SECRET_BYTES)
    new = NewToken(name=name, role=role, digest=digest_of(text), lasts=lasts)
    verdict = tokens.create(new, asked)
    return MadeToken(verdict=verdict, token=text if verdict.done and not asked.dry_run else None)
