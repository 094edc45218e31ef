"""A simulated catalogue over HTTP, in OData and in resto, as the real services speak them.

OData: `$top` of at most 1,000 (20 when not said), `$skip` of at most 10,000 and else 422,
`@odata.nextLink` while there is more, 400 with a `detail` for a question that is not understood.
resto: `page` from 1, an empty page after the last. A fault is asked once per request.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from werkzeug.wrappers import Request, Response

from simulator.catalogues.listing import Listed
from simulator.catalogues.memory import OPERATION, RETRY_AFTER
from simulator.catalogues.questions import ODATA_TIMES, of_odata, of_resto
from simulator.catalogues.render import as_entity, as_feature
from simulator.catalogues.state import SimulatedCatalogue
from simulator.faults import Fault, Faults
from simulator.http.server import Cut, Hang, HttpServer

ODATA = "/odata/v1/Products"
RESTO = "/api/collections/"
MOST_PER_PAGE = 1000
MOST_SKIPPED = 10_000


class CatalogueWeb:
    """The HTTP application above one catalogue."""

    def __init__(self, catalogue: SimulatedCatalogue, faults: Faults | None = None) -> None:
        self._catalogue = catalogue
        self._faults = faults or Faults()

    def __call__(self, request: Request) -> Response:
        """Answer one request."""
        refusal = self._refusal()
        if refusal is not None:
            return refusal
        params = request.args.to_dict()
        try:
            if request.path == ODATA:
                return self._products(request, params)
            if request.path.startswith(RESTO) and request.path.endswith("/search.json"):
                collection = request.path.removeprefix(RESTO).removesuffix("/search.json")
                return self._search(collection, params)
        except (KeyError, ValueError) as error:
            return _detail(400, str(error))
        return _detail(404, "Not Found")

    def _refusal(self) -> Response | None:
        if self._catalogue.is_out():
            return _detail(503, "Service Temporarily Unavailable")
        match self._faults.take(OPERATION):
            case Fault.REFUSED:
                return _detail(503, "Service Temporarily Unavailable")
            case Fault.THROTTLED:
                answer = _detail(429, "Too Many Requests")
                answer.headers["Retry-After"] = str(int(RETRY_AFTER.total_seconds()))
                return answer
            case Fault.TIMEOUT:
                raise Hang
            case Fault.LOST_REPLY:
                raise Cut
            case _:
                return None

    def _products(self, request: Request, params: Mapping[str, str]) -> Response:
        top, skip = int(params.get("$top", "20")), int(params.get("$skip", "0"))
        if not 0 < top <= MOST_PER_PAGE or not 0 <= skip <= MOST_SKIPPED:
            return _detail(422, [{"loc": ["query", "$skip"], "msg": "Input should be less"}])
        field, _, direction = params.get("$orderby", "PublicationDate asc").partition(" ")
        wanted = of_odata(params.get("$filter", ""))
        if ODATA_TIMES.get(field) is not wanted.by or direction not in {"asc", "desc", ""}:
            raise ValueError(f"Invalid orderby: {field}")
        found = self._catalogue.find(wanted)
        if direction == "desc":
            found.reverse()
        attributes = params.get("$expand") == "Attributes"
        page: dict[str, Any] = {
            "@odata.context": "$metadata#Products",
            "value": [
                as_entity(entry, attributes=attributes) for entry in found[skip : skip + top]
            ],
        }
        if params.get("$count") == "True":
            page["@odata.count"] = len(found)
        if skip + top < len(found) and skip + top <= MOST_SKIPPED:
            following = urlencode({**params, "$skip": str(skip + top)})
            page["@odata.nextLink"] = f"{request.base_url}?{following}"
        return _json(page)

    def _search(self, collection: str, params: Mapping[str, str]) -> Response:
        limit, number = int(params.get("maxRecords", "20")), int(params.get("page", "1"))
        found: list[Listed] = self._catalogue.find(of_resto(collection, params))
        shown = found[limit * (number - 1) : limit * number]
        properties = {
            "totalResults": len(found),
            "startIndex": limit * (number - 1) + 1,
            "itemsPerPage": len(shown),
        }
        features = [as_feature(entry) for entry in shown]
        return _json({"type": "FeatureCollection", "properties": properties, "features": features})


def serve_catalogue(catalogue: SimulatedCatalogue, faults: Faults | None = None) -> HttpServer:
    """A server for one catalogue; a context manager. Its `url` is the address of both protocols."""
    return HttpServer(CatalogueWeb(catalogue, faults), name=f"catalogue-{catalogue.name}")


def _json(body: dict[str, Any]) -> Response:
    return Response(json.dumps(body), mimetype="application/json")


def _detail(status: int, detail: Any) -> Response:
    return Response(json.dumps({"detail": detail}), status=status, mimetype="application/json")
