"""Tokens of people: made, listed, ended; a token's text is in the answer that made it alone."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from datetime import timedelta

from fastapi import APIRouter

from models.access import PREFIX, SECRET_BYTES, NewToken, Role, Token, Tokens, digest_of
from models.ports import Asked, Verdict
from web.access import Admin
from web.bodies import RevokeWish, TokenWish
from web.desk import AtDesk
from web.problems import RESPONSES

router = APIRouter(prefix="/tokens", tags=["tokens"], responses=dict(RESPONSES))


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


@router.get("")
def list_tokens(desk: AtDesk, _: Admin) -> tuple[Token, ...]:
    """Every token there ever was, newest first; without its text, which nobody knows."""
    return desk.tokens.all()


@router.post("")
def create(desk: AtDesk, admin: Admin, wish: TokenWish) -> MadeToken:
    """Make a token."""
    lasts = None if wish.seconds is None else timedelta(seconds=wish.seconds)
    asked = admin.asks(wish.reason, dry_run=wish.dry_run)
    return make(desk.tokens, wish.name, wish.role, asked, lasts)


@router.post("/revoke")
def revoke(desk: AtDesk, admin: Admin, wish: RevokeWish) -> tuple[Verdict, ...]:
    """End tokens at once."""
    asked = admin.asks(wish.reason, dry_run=wish.dry_run)
    return desk.tokens.revoke(tuple(wish.names), asked)
