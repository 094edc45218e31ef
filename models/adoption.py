"""Servers of ours that no open row knows: what their workers are called, what they keep.

Names serve people and are unique among open rows; servers are told apart by their ids alone. A
server that turns up under the name of an open worker therefore gets another one, made of both.
"""

from __future__ import annotations

from collections.abc import Container
from dataclasses import replace

from models.changes import AdoptWorker
from models.records import RetireStep, Worker, WorkerState
from models.wishes import is_by_person

ID_SHOWN = 8
"""Characters of a server's id in the name of its worker, when its own name is taken."""


def adopted_name(server_name: str, server_id: str, taken: Container[str]) -> str:
    """What the worker of an adopted server is called: as its server, unless that name is taken."""
    return server_name if server_name not in taken else f"{server_name}-{server_id[:ID_SHOWN]}"


def host_name(worker: Worker) -> str:
    """The name that a worker's machine bears, and its node with it."""
    return worker.name.removesuffix(f"-{(worker.server_id or '')[:ID_SHOWN]}")


def reopened(closed: Worker, change: AdoptWorker) -> Worker:
    """The closed row of a server that is there after all, as it is opened again.

    It begins anew, as if it had just been created. Only what a person wished outlives the row: the
    worker that was to go goes, by the whole protocol, for its machine may have taken work since.
    """
    wish = closed.retirement
    if wish is not None and is_by_person(wish):
        wish = replace(
            wish,
            step=RetireStep.MARKING,
            started_at=change.at,
            index=None,
            modify_index=None,
            seen_at=None,
        )
    else:
        wish = None
    return Worker(
        id=closed.id,
        name=change.name,
        flavor=change.flavor,
        state=WorkerState.BOOTING,
        intent_id=change.intent_id,
        created_at=change.at,
        server_id=closed.server_id,
        address=change.address,
        booted_at=change.at,
        retirement=wish,
        outside_pool=change.outside_pool,
    )
