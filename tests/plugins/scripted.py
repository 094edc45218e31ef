"""A catalogue that answers what a test wrote down, over real HTTP."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias

from werkzeug.wrappers import Request, Response

from infra.catalogues import CatalogueAccess, ODataCatalogue, RestoCatalogue
from infra.retry import RetryPolicy
from models.catalogue import CatalogueQuery, Collection
from models.product_names import ProductType
from simulator.http.server import Cut, HttpServer

Adapter: TypeAlias = Callable[[CatalogueAccess], ODataCatalogue | RestoCatalogue]
Answer: TypeAlias = Response | Exception | dict[str, Any]

GRD = CatalogueQuery(
    collection=Collection.SENTINEL_1,
    type=ProductType.GRDH,
    since=datetime(2017, 12, 1, tzinfo=UTC),
    until=datetime(2018, 1, 1, tzinfo=UTC),
    limit=2,
)
L1C = CatalogueQuery(
    collection=Collection.SENTINEL_2,
    type=ProductType.L1C,
    since=datetime(2026, 1, 1, tzinfo=UTC),
    until=datetime(2026, 2, 1, tzinfo=UTC),
    limit=2,
)


class CutShort(Exception):
    """Ask a script for an answer that ends in the middle of a chunk."""


class Script:
    """The answers, one per request; the last one is repeated. Keeps what was asked."""

    def __init__(self, *answers: Answer) -> None:
        self._answers = list(answers)
        self.asked: list[Request] = []

    def __call__(self, request: Request) -> Response:
        """The next answer."""
        self.asked.append(request)
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, CutShort):
            return Response(_half(), mimetype="application/json")
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, dict):
            return Response(json.dumps(answer), mimetype="application/json")
        return answer


def _half() -> Iterator[bytes]:
    yield b'{"value": ['
    raise Cut


@contextmanager
def scripted(
    adapter: Adapter, *answers: Answer, attempts: int = 1, seconds: float = 20, **access: Any
) -> Iterator[tuple[ODataCatalogue | RestoCatalogue, Script]]:
    """An adapter before a server that answers so."""
    script = Script(*answers)
    with HttpServer(script, name="catalogue") as server:
        catalogue = adapter(
            CatalogueAccess(
                name="creodias",
                address=server.url,
                call_deadline=lambda: timedelta(seconds=seconds),
                retry=RetryPolicy(attempts=attempts, first_wait=timedelta(milliseconds=1)),
                **access,
            )
        )
        try:
            yield catalogue, script
        finally:
            catalogue.close()


def an_entity(number: int, published: str, **changes: Any) -> dict[str, Any]:
    """A Sentinel-2 L1C product as OData tells of it."""
    name = f"S2C_MSIL1C_20260105T1024{number % 60:02}_N0511_R065_T32TLR_20260105T120000.SAFE"
    return {
        "Id": f"id-{number}",
        "Name": name,
        "ContentLength": 800_000_000,
        "OriginDate": "2026-01-05T13:00:00.000000Z",
        "PublicationDate": published,
        "Online": True,
        "S3Path": f"/eodata/Sentinel-2/MSI/L1C/2026/01/05/{name}",
        "ContentDate": {
            "Start": "2026-01-05T10:24:21.024Z",
            "End": "2026-01-05T10:24:21.024Z",
        },
        "Footprint": "geography'SRID=4326;POLYGON ((6 45, 7 45, 7 46, 6 45))'",
        "Attributes": [{"Name": "cloudCover", "Value": 12.5, "ValueType": "Double"}],
        **changes,
    }
