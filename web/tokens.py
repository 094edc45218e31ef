"""Tokens of people: made, listed, ended; a token's text is in the answer that made it alone."""

from __future__ import annotations

from fastapi import APIRouter

from models.access import MadeToken, Token
from models.ports import Verdict
from web.access import Admin, AtDesk
from web.bodies import RevokeWish, TokenWish, lasting
from web.mint import make
from web.problems import RESPONSES

router = APIRouter(prefix="/tokens", tags=["tokens"], responses=dict(RESPONSES))


@router.get("", summary="List tokens")
def list_tokens(desk: AtDesk, _: Admin) -> tuple[Token, ...]:
    """Every token there ever was, newest first; without its text, which nobody knows."""
    return desk.tokens.all()


@router.post("", summary="Make a token")
def create(desk: AtDesk, admin: Admin, wish: TokenWish) -> MadeToken:
    """Make a token; its text is in this answer and nowhere else."""
    asked = admin.asks(wish.reason, dry_run=wish.dry_run)
    return make(desk.tokens, wish.name, wish.role, asked, lasting(wish.seconds))


@router.post("/revoke", summary="Revoke tokens")
def revoke(desk: AtDesk, admin: Admin, wish: RevokeWish) -> tuple[Verdict, ...]:
    """End tokens at once."""
    asked = admin.asks(wish.reason, dry_run=wish.dry_run)
    return desk.tokens.revoke(tuple(wish.names), asked)
