"""Who calls, and whether they may: tokens of people with roles, tokens of runs, failures counted.

A run's token is the HMAC of its uuid (`models.payload`): it opens the routes of that run and no
other, and the store refuses whatever an outdated claim says with it.
"""

from __future__ import annotations

import hmac
import threading
from collections import OrderedDict, deque
from dataclasses import dataclass
from http import HTTPStatus
from math import ceil
from typing import Annotated, cast
from uuid import UUID

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from models.access import PREFIX, Role, digest_of
from models.payload import run_token
from models.ports import Asked
from web.desk import Desk
from web.problems import Problem

FAILURES = 10
"""So many wrong tokens from one address within `WINDOW` seconds; then it has to wait."""

WINDOW = 60.0
MOST_ADDRESSES = 10_000
"""So many addresses are remembered: the memory of failures is bounded whoever knocks."""

OF_PEOPLE = HTTPBearer(
    auto_error=False, scheme_name="person", description="A token made by `hrsi token create`."
)
OF_RUNS = HTTPBearer(
    auto_error=False, scheme_name="run", description="The token in the payload of the run."
)
_CHALLENGE = {"WWW-Authenticate": "Bearer"}


def _desk(request: Request) -> Desk:
    return cast("Desk", request.app.state.desk)


AtDesk = Annotated[Desk, Depends(_desk)]
ForPeople = Annotated[HTTPAuthorizationCredentials | None, Depends(OF_PEOPLE)]
ForRuns = Annotated[HTTPAuthorizationCredentials | None, Depends(OF_RUNS)]


@dataclass(frozen=True, kw_only=True, slots=True)
class Person:
    """Somebody with a good token."""

    name: str
    role: Role

    def asks(self, reason: str = "", *, dry_run: bool = False) -> Asked:
        """What they ask for, as the audit trail will name it."""
        return Asked(actor=f"{self.name} (api)", reason=reason, dry_run=dry_run)


class Failures:
    """Wrong tokens by address, in memory; several threads ask at once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._times: OrderedDict[str, deque[float]] = OrderedDict()

    def wait_of(self, address: str, now: float) -> float:
        """How long this address has to wait before its next attempt, in seconds; 0: it has not."""
        with self._lock:
            times = self._recent(address, now)
            return times[0] + WINDOW - now if len(times) >= FAILURES else 0.0

    def note(self, address: str, now: float) -> None:
        """One more failure."""
        with self._lock:
            times = self._recent(address, now)
            times.append(now)
            self._times[address] = times
            self._times.move_to_end(address)
            while len(self._times) > MOST_ADDRESSES:
                self._times.popitem(last=False)

    def forget(self) -> None:
        """Let everybody try again."""
        with self._lock:
            self._times.clear()

    def _recent(self, address: str, now: float) -> deque[float]:
        times = self._times.get(address, deque())
        while times and times[0] + WINDOW <= now:
            times.popleft()
        return times


class Needs:
    """A route's condition: a good token of at least this role."""

    def __init__(self, role: Role) -> None:
        self.role = role

    def __call__(self, request: Request, desk: AtDesk, given: ForPeople) -> Person:
        """Who calls. Raises `Problem`: 401 without a good token, 403 for too small a role."""
        _require_patience(request, desk)
        text = _presented(given)
        token = desk.tokens.of(digest_of(text)) if text.startswith(PREFIX) else None
        if token is None:
            raise _refused(request, desk, "the token is not known, expired or revoked")
        if not token.role.covers(self.role):
            raise Problem(
                HTTPStatus.FORBIDDEN,
                "role-too-small",
                f"token {token.name} has the role {token.role}; this needs {self.role}",
            )
        return Person(name=token.name, role=token.role)


Viewer = Annotated[Person, Depends(Needs(Role.VIEWER))]
Operator = Annotated[Person, Depends(Needs(Role.OPERATOR))]
Admin = Annotated[Person, Depends(Needs(Role.ADMIN))]


def _own_run(request: Request, desk: AtDesk, given: ForRuns, run_id: UUID) -> UUID:
    """The run that the token belongs to. Raises `Problem`: 401 unless it is that of the path.

    The right token always opens: a run is not made mute by others that share its address.
    """
    expected = run_token(desk.token_key, run_id).encode()
    if given is not None and hmac.compare_digest(expected, given.credentials.encode()):
        return run_id
    _require_patience(request, desk)
    _presented(given)
    raise _refused(request, desk, f"the token is not that of run {run_id}")


OwnRun = Annotated[UUID, Depends(_own_run)]


def _require_patience(request: Request, desk: AtDesk) -> None:
    """Raise `Problem` 429 while this address has to wait."""
    wait = _failures(request).wait_of(_address(request), desk.clock.monotonic())
    if wait > 0:
        raise Problem(
            HTTPStatus.TOO_MANY_REQUESTS,
            "too-many-failures",
            f"{FAILURES} wrong tokens came from {_address(request)}; wait {ceil(wait)} s",
            {"Retry-After": str(ceil(wait))},
        )


def _presented(given: HTTPAuthorizationCredentials | None) -> str:
    """The token that came with the request. Raises `Problem` 401 when none did."""
    if given is None:
        detail = "no token came with the request: send it as Authorization: Bearer TOKEN"
        raise Problem(HTTPStatus.UNAUTHORIZED, "no-token", detail, _CHALLENGE)
    return given.credentials


def _refused(request: Request, desk: AtDesk, detail: str) -> Problem:
    _failures(request).note(_address(request), desk.clock.monotonic())
    return Problem(HTTPStatus.UNAUTHORIZED, "wrong-token", detail, _CHALLENGE)


def _failures(request: Request) -> Failures:
    return cast("Failures", request.app.state.failures)


def _address(request: Request) -> str:
    return request.client.host if request.client else "nowhere"
