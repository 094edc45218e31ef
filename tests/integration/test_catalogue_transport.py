"""What may happen to a request to a catalogue, and what is made of it; both protocols alike."""

import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from werkzeug.wrappers import Request, Response

from infra.catalogues import CatalogueAccess, ODataCatalogue, RestoCatalogue
from infra.catalogues.transport import LONGEST_REST, THROTTLED_FOR, Ask, Transport
from infra.retry import ONCE, RetryPolicy
from models.errors import (
    Malformed,
    NotFound,
    PortError,
    Refused,
    Throttled,
    Unavailable,
)
from simulator.http.server import Cut, Hang, HttpServer
from tests.plugins.scripted import L1C, Adapter, Answer, CutShort, Script, an_entity, scripted

NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)
NOTHING: dict[str, Any] = {"value": [], "features": []}

both = pytest.mark.parametrize(
    "adapter",
    [pytest.param(ODataCatalogue, id="odata"), pytest.param(RestoCatalogue, id="resto")],
)


def status(code: int, body: str = "no", **headers: str) -> Response:
    """An answer that is no success."""
    return Response(body, status=code, headers={k.replace("_", "-"): v for k, v in headers.items()})


@both
@pytest.mark.parametrize(
    ("answer", "error"),
    [
        pytest.param(status(500), Unavailable, id="500"),
        pytest.param(status(502), Unavailable, id="502"),
        pytest.param(status(503), Unavailable, id="503"),
        pytest.param(status(503, Retry_After="20"), Throttled, id="503-that-says-when"),
        pytest.param(status(429), Throttled, id="429"),
        pytest.param(status(401), Refused, id="401"),
        pytest.param(status(403), Refused, id="403"),
        pytest.param(status(404), NotFound, id="404"),
        pytest.param(status(422, '{"detail": [{"msg": "skip"}]}'), Malformed, id="422"),
        pytest.param(
            status(302, Location="http://127.0.0.1:1/"), Malformed, id="a-redirection-elsewhere"
        ),
        pytest.param(Response("<html>"), Malformed, id="no-json"),
        pytest.param(Response('{"value": [{"Id"'), Malformed, id="half-a-json"),
        pytest.param(Response("[]"), Malformed, id="another-json"),
        pytest.param(CutShort(), Unavailable, id="cut-short"),
        pytest.param(Cut(), Unavailable, id="no-answer"),
    ],
)
def test_every_failure_says_what_to_do_next(
    adapter: Adapter, answer: Response | Exception, error: type[PortError]
) -> None:
    with scripted(adapter, answer) as (catalogue, _), pytest.raises(error) as failure:
        catalogue.page(L1C)
    assert "creodias" in str(failure.value)


@both
def test_a_silent_catalogue_is_waited_for_no_longer_than_the_deadline(adapter: Adapter) -> None:
    with (
        scripted(adapter, Hang(), seconds=0.3, attempts=5) as (catalogue, _),
        pytest.raises(Unavailable, match="in time"),
    ):
        catalogue.page(L1C)


def test_an_answer_that_drips_is_cut_off_at_the_deadline() -> None:
    time = Ticking()

    def drips(request: Request) -> Response:
        return Response(iter([b" " * 70_000] * 200), mimetype="application/json")

    with HttpServer(drips, name="dripping") as server:
        transport = Transport(access(server, seconds=10), clock=time.now, sleep=time.sleep)
        with pytest.raises(Unavailable, match=r"too slow, [\d,]+ bytes"):
            transport.get(ASK)
        transport.close()


def test_an_answer_without_end_is_not_read_to_it() -> None:
    with (
        scripted(ODataCatalogue, Response(b" " * 5_000), most_bytes=4_000) as (catalogue, _),
        pytest.raises(Malformed, match="bigger than"),
    ):
        catalogue.page(L1C)


@both
def test_what_was_temporary_is_asked_again_and_nothing_is_lost(adapter: Adapter) -> None:
    answers: list[Answer] = [status(503), CutShort(), NOTHING]
    with scripted(adapter, *answers, attempts=3) as (catalogue, script):
        assert catalogue.page(L1C).complete
    assert len(script.asked) == 3


@both
def test_what_makes_no_sense_is_not_asked_again(adapter: Adapter) -> None:
    with (
        scripted(adapter, Response("<html>"), attempts=3) as (catalogue, script),
        pytest.raises(Malformed),
    ):
        catalogue.page(L1C)
    assert len(script.asked) == 1


@pytest.mark.parametrize(
    ("said", "rest"),
    [
        pytest.param("20", timedelta(seconds=20), id="seconds"),
        pytest.param(
            format_datetime(NOW + timedelta(seconds=45), usegmt=True),
            timedelta(seconds=45),
            id="a-date",
        ),
        pytest.param("999999999", LONGEST_REST, id="longer-than-anybody-may-ask"),
        pytest.param("000", timedelta(0), id="at-once"),
        pytest.param("", THROTTLED_FOR, id="nothing"),
    ],
)
def test_a_catalogue_that_asks_for_rest_gets_it(said: str, rest: timedelta) -> None:
    time = Ticking()
    script = Script(status(429, Retry_After=said), NOTHING)
    with HttpServer(script, name="throttling") as server:
        transport = Transport(access(server), clock=time.now, sleep=time.sleep)
        with pytest.raises(Throttled) as asked:
            transport.get(ASK)
        assert asked.value.retry_after == rest
        if rest:
            time.sleep(rest.total_seconds() - 0.5)
            with pytest.raises(Throttled, match="nothing was sent"):
                transport.get(ASK)
            assert len(script.asked) == 1
        time.sleep(1)
        assert json.loads(transport.get(ASK)) == NOTHING
        transport.close()


def test_a_rest_that_fits_into_the_call_is_waited_for_within_it() -> None:
    time = Ticking()
    script = Script(status(429, Retry_After="3"), NOTHING)
    with HttpServer(script, name="throttling") as server:
        patient = access(server, retry=RetryPolicy(attempts=2))
        transport = Transport(patient, clock=time.now, sleep=time.sleep)
        assert json.loads(transport.get(ASK)) == NOTHING
        transport.close()
    assert time.slept == [3]


def test_every_request_is_reported_with_how_it_ended() -> None:
    told: list[tuple[str, str]] = []
    answers: list[Answer] = [
        status(500),
        CutShort(),
        {"value": [an_entity(1, "2026-01-05T14:00:00Z")]},
    ]
    with scripted(
        ODataCatalogue,
        *answers,
        attempts=3,
        on_request=lambda name, ended, _: told.append((name, ended)),
    ) as (catalogue, _):
        catalogue.page(L1C)
    assert told == [("products", "500"), ("products", "cut_short"), ("products", "200")]


# ---- time in the hand of a test ------------------------------------------------------------------

ASK = Ask(name="products", attempt="reading creodias", path="/", params={})


class Ticking:
    """A clock that goes on by itself, a little with each look, and by sleeping."""

    def __init__(self) -> None:
        self._now = 1_000.0
        self.slept: list[float] = []

    def now(self) -> float:
        """Seconds; each look takes a tenth."""
        self._now += 0.1
        return self._now

    def sleep(self, seconds: float) -> None:
        """Let them pass at once."""
        self.slept.append(seconds)
        self._now += seconds


def access(
    server: HttpServer, *, seconds: float = 20, retry: RetryPolicy = ONCE
) -> CatalogueAccess:
    """How a test reaches a server of its own."""
    return CatalogueAccess(
        name="creodias",
        address=server.url,
        call_deadline=lambda: timedelta(seconds=seconds),
        retry=retry,
        now=lambda: NOW,
    )
