"""The simulated Nomad over HTTP, as the real client library speaks to it.

Answers have Nomad's shapes, headers and error texts. Only a GET of one thing says 404; whatever
else is wrong with a write is a 500 with a sentence. A fault is asked once per call of the port:
`nomad.snapshot` with the node list, which is the first of its four requests.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import msgspec
from werkzeug.wrappers import Request, Response

from simulator.faults import Fault, Faults
from simulator.http.server import Cut, Hang, HttpServer, cut_short
from simulator.nomad.answers import (
    Answer,
)
from simulator.nomad.cluster import NomadCluster
from simulator.nomad.files import PREFIX, FolderOf, answer
from simulator.nomad.lists import parse_bool
from simulator.nomad.memory import FAILED
from simulator.nomad.routes import Acts, Route
from simulator.nomad.rows import REGION, NomadError
from simulator.nomad.stream import subscribe

_UNGUARDED = {"/v1/status/leader", "/v1/agent/health"}
"""What needs no token."""


class NomadWeb:
    """The HTTP application above one cluster. `token`, when set, is asked of every request."""

    def __init__(
        self,
        cluster: NomadCluster,
        *,
        faults: Faults | None = None,
        token: str | None = None,
        folder_of: FolderOf | None = None,
    ) -> None:
        self._cluster = cluster
        self._folder_of = folder_of
        self._state = cluster.state
        self._faults = faults or Faults()
        self._token = token
        self._routes = Acts(cluster, token).routes()

    def __call__(self, request: Request) -> Response:
        """Answer one request."""
        try:
            return self._answer(request)
        except NomadError as error:
            return Response(error.text, status=error.status, mimetype="text/plain")

    def _answer(self, request: Request) -> Response:
        if "//" in request.path:
            path = re.sub("/+", "/", request.path)
            said = f'<a href="{path}">Temporary Redirect</a>.\n\n'
            return Response(said, status=307, headers={"Location": path}, mimetype="text/html")
        self._check_token(request)
        if request.args.get("region", REGION) != REGION:
            raise NomadError(500, "No path to region")
        if (raw := self._raw(request)) is not None:
            return raw
        route, argument = self._route(request)
        fault = self._fault_before(route)
        with self._cluster.locked():
            if self._cluster.leaderless and not parse_bool(request, "stale"):
                raise NomadError(500, "No cluster leader")
            if fault is Fault.LOST_REPLY and self._cluster.options.late_effect:
                self._happen_later(route, request, argument)
                raise Cut
            made = route.act(request, argument)
        if fault in {Fault.LOST_REPLY, Fault.CRASH_AFTER}:
            raise Cut
        response = self._rendered(request, made)
        if fault is Fault.CUT_SHORT:
            return cut_short(response)
        if fault is Fault.STALE:  # it is answered by a server that lags, and says so
            response.headers["X-Nomad-KnownLeader"] = "false"
            response.headers["X-Nomad-LastContact"] = "1500"
        return response

    def _raw(self, request: Request) -> Response | None:
        """The answers that are no JSON documents of a list or a thing."""
        if request.path == "/v1/event/stream":
            return self._stream(request)
        if request.path.startswith(PREFIX) and self._folder_of is not None:
            return answer(request, self._cluster, self._folder_of)
        return None

    def _check_token(self, request: Request) -> None:
        if self._token is None or request.path in _UNGUARDED:
            return
        given = request.headers.get("X-Nomad-Token", "")
        if given != self._token:
            raise NomadError(403, "Permission denied")

    def _route(self, request: Request) -> tuple[Route, str]:
        found = [(r, m) for r in self._routes if (m := r.path.fullmatch(request.path))]
        if not found:
            raise NomadError(404, "")
        for route, match in found:
            if request.method in route.methods:
                return route, next(iter(match.groups()), "")
        raise NomadError(405, "Invalid method")

    def _fault_before(self, route: Route) -> Fault | None:
        taken = (self._faults.take(operation) for operation in route.operations)
        fault = next((each for each in taken if each is not None), None)
        match fault:
            case Fault.REFUSED:
                raise NomadError(500, "No cluster leader")
            case Fault.SERVER_ERROR:
                raise NomadError(500, FAILED)
            case Fault.THROTTLED:
                raise NomadError(429, "Too Many Requests")
            case Fault.TIMEOUT:
                raise Hang
            case Fault.CRASH:
                raise Cut
            case _:
                return fault

    def _happen_later(self, route: Route, request: Request, argument: str) -> None:
        request.get_data()  # the connection is gone by then

        def happen() -> None:
            try:
                route.act(request, argument)
            except NomadError:
                return  # nobody listens to the refusal

        self._cluster.timeline.after(self._cluster.options.late_effect, happen)

    def _rendered(self, request: Request, answer: Answer) -> Response:
        response = Response(msgspec.json.encode(answer.body), mimetype="application/json")
        if answer.index is None:
            return response
        response.headers["X-Nomad-Index"] = str(answer.index)
        if request.method == "GET":
            known = self._cluster.known_leader
            response.headers["X-Nomad-KnownLeader"] = "true" if known else "false"
            response.headers["X-Nomad-LastContact"] = "0" if known else "1500"
        if answer.next_token:
            response.headers["X-Nomad-NextToken"] = answer.next_token
        return response

    def _stream(self, request: Request) -> Response:
        match self._faults.take("nomad.watch"):
            case Fault.REFUSED:
                raise NomadError(500, "No cluster leader")
            case Fault.THROTTLED:
                raise NomadError(429, "Too Many Requests")
            case Fault.TIMEOUT:
                raise Hang
            case None:
                with self._cluster.locked():
                    lines = subscribe(self._state, request)
                return Response(lines, mimetype="application/json")
            case _:
                raise Cut


@contextmanager
def serve_nomad(
    cluster: NomadCluster,
    *,
    faults: Faults | None = None,
    token: str | None = None,
    port: int = 0,
    folder_of: FolderOf | None = None,
) -> Iterator[HttpServer]:
    """Serve a cluster on this port (0: a free one) of 127.0.0.1, at the server's `url`.

    Time stands still unless somebody advances the timeline, under the cluster's lock. `folder_of`
    has the files of allocations; without it they have none.
    """
    web = NomadWeb(cluster, faults=faults, token=token, folder_of=folder_of)
    with HttpServer(web, name="nomad", port=port) as server:
        yield server
