"""Tokens of people: made, listed, ended; a token's text is in the answer that made it alone."""

from __future__ import annotations

from datetime import timedelta

from fastapi import APIRouter

from models.access import Token
from models.ports import Verdict
from web.access import Admin, AtDesk
from web.bodies import RevokeWish, TokenWish
from web.mint import MadeToken, make
from web.problems import RESPONSES

router = APIRouter(prefix="/tokens", tags=["tokens"], responses=dict(RESPONSES))


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
