"""Handlers of what the pool decides about breakers: they only write to the store."""

from __future__ import annotations

from controller.act.effects import Acting
from models.actions import CloseBreaker, EndAcceptance, OpenBreaker
from models.changes import SettleBreaker, TripBreaker, WithdrawAcceptance


def open_breaker(action: OpenBreaker, acting: Acting) -> None:
    """The breaker is open until it is explained or a person closes it, whoever leads by then."""
    acting.commit(
        TripBreaker(
            at=acting.at, name=action.name, because=action.because, suspects=action.suspects
        )
    )


def close_breaker(action: CloseBreaker, acting: Acting) -> None:
    """Everything that opened the breaker is explained."""
    acting.commit(
        SettleBreaker(at=acting.at, breaker_id=action.breaker_id, message="all of it is explained")
    )


def end_acceptance(action: EndAcceptance, acting: Acting) -> None:
    """What a person accepted counts again."""
    acting.commit(
        WithdrawAcceptance(at=acting.at, breaker_id=action.breaker_id, server_ids=action.server_ids)
    )
