"""What people order, over the HTTP API: as whoever orders at the store.

Who asks is whoever has the token: `Asked.actor` is not sent, and the API would not believe it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import msgspec

from infra.api.answers import Handed
from infra.api.transport import Transport
from models.access import MadeToken, Role, Token
from models.errors import Malformed
from models.job_types import Registry
from models.ports import Asked, Submitted, Verdict
from models.previews import Previewed
from models.records import NewJob, ParameterChange
from models.submission import Line, line_of

MOST = 10_000
"""So many things one request may name."""

_HOUR = timedelta(hours=1)


class ApiOperations:
    """`models.ports.Operations` over the HTTP API, for whoever has a token of the role that each
    needs.
    """

    def __init__(self, transport: Transport, registry: Registry) -> None:
        self._transport = transport
        self._registry = registry

    def submit(self, jobs: Sequence[NewJob], asked: Asked) -> Submitted:
        """See `models.ports.Operations.submit`; at most `MOST` at once, for they go in together."""
        if not jobs:
            return Submitted(added=(), existing=())
        if len(jobs) > MOST:
            raise Malformed(
                f"{len(jobs)} jobs are more than the API takes at once, which is {MOST}; none was "
                "handed in; hand in parts of the file"
            )
        wishes = [msgspec.to_builtins(_line(job, self._registry)) for job in jobs]
        handed = self._transport.order(Handed, "/jobs", {"jobs": wishes, **_wish(asked)})
        if handed.refused:
            told = "; ".join(f"job {each.number}: {each.error}" for each in handed.refused)
            raise Malformed(f"the API took the others and refused these: {told}")
        return Submitted(added=handed.added, existing=handed.existing)

    def cancel(self, job_ids: Sequence[int], asked: Asked) -> tuple[Verdict, ...]:
        """See `models.ports.Operations.cancel`."""
        return self._judged("/jobs/cancel", "jobs", job_ids, _wish(asked))

    def relaunch(self, job_ids: Sequence[int], asked: Asked) -> tuple[Verdict, ...]:
        """See `models.ports.Operations.relaunch`."""
        return self._judged("/jobs/relaunch", "jobs", job_ids, _wish(asked))

    def retire(self, names: Sequence[str], asked: Asked, *, forced: bool) -> tuple[Verdict, ...]:
        """See `models.ports.Operations.retire`."""
        return self._judged("/workers/retire", "names", names, {"forced": forced, **_wish(asked)})

    def order(
        self,
        flavor: str,
        count: int,
        keep: timedelta,
        asked: Asked,
        *,
        outside_pool: bool = False,
    ) -> tuple[Verdict, ...]:
        """See `models.ports.Operations.order`."""
        wish = {
            "flavor": flavor,
            "count": count,
            "keep_hours": keep / _HOUR,
            "outside_pool": outside_pool,
        }
        return self._transport.order(
            tuple[Verdict, ...], "/workers/order", {**wish, **_wish(asked)}
        )

    def set_parameter(
        self, key: str, value: Any, asked: Asked, *, lasts: timedelta | None = None
    ) -> ParameterChange:
        """See `models.ports.Operations.set_parameter`."""
        wish = {"value": value, "seconds": _seconds(lasts), **_wish(asked)}
        path = f"/parameters/{quote(key, safe='')}"
        return self._transport.order(ParameterChange, path, wish, method="PUT")

    def pause(
        self, targets: Sequence[str], asked: Asked, *, lasts: timedelta | None = None
    ) -> tuple[Verdict, ...]:
        """See `models.ports.Operations.pause`."""
        wish = {"seconds": _seconds(lasts), **_wish(asked)}
        return self._judged("/pauses", "targets", targets, wish)

    def resume(self, targets: Sequence[str], asked: Asked) -> tuple[Verdict, ...]:
        """See `models.ports.Operations.resume`."""
        return self._judged("/pauses/end", "targets", targets, _wish(asked))

    def close_breaker(self, names: Sequence[str], asked: Asked) -> tuple[Verdict, ...]:
        """See `models.ports.Operations.close_breaker`."""
        return self._judged("/breakers/close", "names", names, _wish(asked))

    def _judged(
        self, path: str, field: str, things: Sequence[object], wish: Mapping[str, Any]
    ) -> tuple[Verdict, ...]:
        """A verdict for each thing; what is too much for one request goes with several."""
        verdicts: list[Verdict] = []
        for first in range(0, len(things), MOST):
            body = {field: list(things[first : first + MOST]), **wish}
            verdicts += self._transport.order(tuple[Verdict, ...], path, body)
        return tuple(verdicts)


class ApiMint:
    """`models.access.Mint` over the HTTP API, for whoever has the token of an admin."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def make(
        self, name: str, role: Role, asked: Asked, lasts: timedelta | None = None
    ) -> MadeToken:
        """See `models.access.Mint.make`."""
        wish = {"name": name, "role": role, "seconds": _seconds(lasts), **_wish(asked)}
        return self._transport.order(MadeToken, "/tokens", wish)

    def revoke(self, names: tuple[str, ...], asked: Asked) -> tuple[Verdict, ...]:
        """See `models.access.Mint.revoke`."""
        wish = {"names": names, **_wish(asked)}
        return self._transport.order(tuple[Verdict, ...], "/tokens/revoke", wish)

    def all(self) -> tuple[Token, ...]:
        """See `models.access.Mint.all`."""
        return self._transport.get(tuple[Token, ...], "/tokens")


def preview(transport: Transport, changes: Mapping[str, float | None]) -> Previewed:
    """See `models.previews.Previewer`."""
    return transport.order(Previewed, "/parameters/preview", {"changes": dict(changes)})


def _wish(asked: Asked) -> dict[str, Any]:
    return {"reason": asked.reason, "dry_run": asked.dry_run}


def _seconds(lasts: timedelta | None) -> float | None:
    return None if lasts is None else lasts.total_seconds()


def _line(job: NewJob, registry: Registry) -> Line:
    """How a job is handed in. Raises `Malformed`."""
    try:
        return line_of(job, registry)
    except ValueError as error:
        raise Malformed(str(error)) from error
