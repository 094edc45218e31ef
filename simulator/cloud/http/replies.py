"""Answers in the shapes of the OpenStack services, and faults as a client meets them over HTTP."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any, TypeVar, cast

import msgspec
from werkzeug.datastructures import MultiDict
from werkzeug.wrappers import Request, Response

from models.errors import Conflict, Malformed, NotFound, PortError, QuotaExceeded
from simulator.cloud.memory import THROTTLED_FOR
from simulator.cloud.options import NOVA_FAILED
from simulator.cloud.state import SimulatedCloud
from simulator.faults import LISTS, Fault, Faults
from simulator.http.server import Cut, Hang, cut_short

NOVA_ERRORS = {
    400: "badRequest",
    401: "unauthorized",
    403: "forbidden",
    404: "itemNotFound",
    409: "conflictingRequest",
    429: "overLimit",
    500: "computeFault",
    503: "serviceUnavailable",
}
"""The name under which Nova wraps an error of a status."""

Item = TypeVar("Item")


def reply(body: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """An answer in JSON."""
    return Response(msgspec.json.encode(body), status, headers=headers, mimetype="application/json")


def nova_error(status: int, message: str) -> Response:
    """An error as Nova words it."""
    name = NOVA_ERRORS.get(status, "computeFault")
    return reply({name: {"code": status, "message": message}}, status)


def glance_error(request: Request, status: int, message: str) -> Response:
    """An error as Glance words it: a page for a browser, unless JSON is asked for."""
    title = {404: "Not Found", 409: "Conflict"}[status]
    code = f"{status} {title}"
    offers = ["text/html", "application/json"]
    if request.accept_mimetypes.best_match(offers) != "application/json":
        page = f"<html><head><title>{code}</title></head><body>{message}<br /></body></html>"
        return Response(page, status, mimetype="text/html")
    return reply({"message": f"{message}<br /><br />\n\n\n", "code": code, "title": title}, status)


def refusal(error: PortError) -> Response:
    """Nova's status for what the cloud refused, with its text."""
    statuses = {NotFound: 404, Malformed: 400, QuotaExceeded: 403, Conflict: 409}
    return nova_error(statuses.get(type(error), 500), str(error))


class Troubled:
    """Carries requests out with the faults that were ordered for them."""

    def __init__(self, cloud: SimulatedCloud, faults: Faults) -> None:
        self._cloud = cloud
        self._faults = faults
        self._before: dict[str, bytes] = {}

    def read(self, operation: str, look: Callable[[], Response]) -> Response:
        """Answer a read, unless it is to fail."""
        return self._carry_out(operation, look, timedelta(0))

    def write(self, operation: str, effect: Callable[[], Response]) -> Response:
        """Carry out a write, which may take effect late when its reply is lost."""
        return self._carry_out(operation, effect, self._cloud.options.late_effect)

    def _carry_out(
        self, operation: str, effect: Callable[[], Response], late: timedelta
    ) -> Response:
        with self._cloud.lock:
            fault = self._faults.take(operation)
            if fault is Fault.LOST_REPLY and late:
                self._cloud.timeline.after(late, cast(Callable[[], None], effect))
                raise Cut
        if fault is Fault.TIMEOUT:
            raise Hang
        if fault is Fault.CRASH:
            raise Cut
        if fault is Fault.REFUSED:
            return nova_error(503, "The server is currently unavailable. Please try again later.")
        if fault is Fault.SERVER_ERROR:
            return nova_error(500, NOVA_FAILED)
        if fault is Fault.THROTTLED:
            answer = nova_error(429, "This request was rate-limited.")
            answer.headers["Retry-After"] = str(int(THROTTLED_FOR.total_seconds()))
            return answer
        answer = effect()
        if fault is Fault.CUT_SHORT:
            return cut_short(answer)
        if operation in LISTS:
            before = self._before.get(operation, answer.get_data())
            self._before[operation] = answer.get_data()
            if fault is Fault.STALE:
                return Response(before, answer.status, mimetype=answer.mimetype)
        if fault is not None:  # the effect stays, the answer does not arrive
            raise Cut
        return answer


def page(
    items: Sequence[Item], request: Request, most: int, identity: Callable[[Item], str]
) -> tuple[Sequence[Item], str | None]:
    """The page that `limit` and `marker` ask for, and the marker of the next if there may be one.

    As in Nova a full page always has a next, which may turn out to be empty. Raises `Malformed`
    for a marker that is not there or a limit that is no number.
    """
    limit = min(most, _limit(request.args, most))
    marker = request.args.get("marker")
    start = 0
    if marker:
        places = (place for place, item in enumerate(items) if identity(item) == marker)
        start = next(places, -1) + 1
        if not start:
            raise Malformed(f"marker [{marker}] not found")
    chosen = items[start : start + limit]
    full = bool(chosen) and len(chosen) == limit
    return chosen, identity(chosen[-1]) if full else None


def _limit(arguments: MultiDict[str, str], most: int) -> int:
    text = arguments.get("limit", str(most))
    if not text.isdigit():
        raise Malformed(
            f"Invalid input for query parameters limit. Value: {text}. {text!r} does not match "
            "'^[0-9]*$'"
        )
    return int(text)
