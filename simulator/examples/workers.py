"""Workers in every state, their retirement, and intents."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from models.records import (
    Intent,
    IntentKind,
    RetireCause,
    Retirement,
    RetireStep,
    Worker,
    WorkerState,
)
from simulator.examples.base import FLAVOR, LONG_AGO, NOW, address_of, an_id


def a_worker(**changes: Any) -> Worker:
    """A ready worker, idle since it was admitted an hour ago; `id` numbers it."""
    number = changes.get("id", 1)
    default = Worker(
        id=number,
        name=f"os-worker-{number:03d}",
        flavor=FLAVOR,
        state=WorkerState.READY,
        intent_id=an_id("create", number),
        created_at=LONG_AGO,
        server_id=str(an_id("server", number)),
        node_id=str(an_id("node", number)),
        address=address_of(number),
        booted_at=LONG_AGO + timedelta(minutes=1),
        admitted_at=LONG_AGO + timedelta(hours=1),
    )
    return replace(default, **changes)


def a_creating_worker(**changes: Any) -> Worker:
    """A worker whose server has been wished for and not been seen."""
    nothing = dict.fromkeys(("server_id", "node_id", "address", "booted_at", "admitted_at"))
    return a_worker(**{"state": WorkerState.CREATING, **nothing, **changes})


def a_booting_worker(**changes: Any) -> Worker:
    """A worker whose server exists and whose node has not been admitted."""
    return a_worker(
        **{"state": WorkerState.BOOTING, "node_id": None, "admitted_at": None, **changes}
    )


def a_retirement(**changes: Any) -> Retirement:
    """The pool's own retirement of an idle worker, at its first step since a minute."""
    default = Retirement(
        cause=RetireCause.IDLE,
        by="worker-pool",
        step=RetireStep.MARKING,
        started_at=NOW - timedelta(minutes=1),
    )
    return replace(default, **changes)


def an_intent(**changes: Any) -> Intent:
    """An open intent to dispatch run 1, written a minute ago under the execution lease."""
    kind, subject = changes.get("kind", IntentKind.DISPATCH), changes.get("subject", "run-1")
    default = Intent(
        id=an_id("intent", kind, subject),
        kind=kind,
        subject=subject,
        opened_at=NOW - timedelta(minutes=1),
        deadline=NOW - timedelta(seconds=30),
        lease="execution",
        epoch=1,
    )
    return replace(default, **changes)
