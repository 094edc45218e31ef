"""The server under the simulated systems: keep-alive, streams, lost replies, clean ends."""

import threading
import time
from collections.abc import Iterator

import pytest
import requests
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Request, Response

from simulator.http.server import Cut, Hang, HttpServer, stopping


class Application:
    """Answers by path, and remembers what it was asked and by which connection's thread."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str, bytes]] = []
        self.threads: set[int] = set()
        self.stream_closed = threading.Event()

    def __call__(self, request: Request) -> Response:
        self.seen.append((request.method, request.full_path, request.get_data()))
        self.threads.add(threading.get_ident())
        match request.path:
            case "/cut":
                raise Cut
            case "/hang":
                raise Hang
            case "/stream":
                return Response(self._ticks(request), mimetype="text/plain")
            case "/broken":
                raise LookupError("a bug in the application")
            case "/nothing":
                return Response(status=204)
            case "/missing":
                raise NotFound("no such thing")
            case _:
                text = f"{request.method} {request.path} {request.args.get('q', '')}"
                return Response(text)

    def _ticks(self, request: Request) -> Iterator[bytes]:
        try:
            yield b"one\n"
            yield b""
            yield b"two\n"
            while not stopping(request).wait(0.01):
                yield b"tick\n"
        finally:
            self.stream_closed.set()


@pytest.fixture(name="application")
def _application() -> Application:
    return Application()


@pytest.fixture(name="server")
def _server(application: Application) -> Iterator[HttpServer]:
    with HttpServer(application, name="test") as server:
        yield server


@pytest.fixture(name="client")
def _client() -> Iterator[requests.Session]:
    with requests.Session() as session:
        yield session


def test_requests_of_a_session_share_a_connection_also_after_errors_and_empty_answers(
    server: HttpServer, application: Application, client: requests.Session
) -> None:
    assert client.get(server.url + "/a%20b?q=%C3%A9").text == "GET /a b é"
    assert client.post(server.url + "/post", data=b"x" * 100_000).text == "POST /post "
    assert client.delete(server.url + "/nothing").status_code == 204
    assert client.get(server.url + "/missing").status_code == 404
    assert client.head(server.url + "/a").headers["Content-Length"] == str(len("HEAD /a "))
    assert client.get(server.url + "/a").text == "GET /a "
    assert len(application.threads) == 1
    assert application.seen[1] == ("POST", "/post?", b"x" * 100_000)


def test_a_lost_reply_is_a_connection_that_ends_after_the_application_was_asked(
    server: HttpServer, application: Application, client: requests.Session
) -> None:
    with pytest.raises(requests.ConnectionError):
        client.post(server.url + "/cut", data=b"create")
    assert application.seen == [("POST", "/cut?", b"create")]
    assert client.get(server.url + "/").status_code == 200


def test_a_client_that_waits_for_a_stuck_service_meets_its_own_deadline(
    server: HttpServer, client: requests.Session
) -> None:
    with pytest.raises(requests.ReadTimeout):
        client.get(server.url + "/hang", timeout=0.1)


def test_parts_of_a_stream_arrive_while_it_goes_on(
    server: HttpServer, application: Application, client: requests.Session
) -> None:
    with client.get(server.url + "/stream", stream=True, timeout=120) as answer:
        lines = answer.iter_lines()
        assert [next(lines) for _ in range(3)] == [b"one", b"two", b"tick"]
    assert application.stream_closed.wait(120), "the stream must end when its client has gone"


def test_a_bug_in_the_application_is_logged_and_cuts_the_connection(
    server: HttpServer, client: requests.Session, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(requests.ConnectionError):
        client.get(server.url + "/broken")
    server.stop()
    assert any(record.exc_info for record in caplog.records)


@pytest.mark.parametrize("path", ["/hang", "/stream", "/"])
def test_stop_ends_every_wait_and_thread(path: str, application: Application) -> None:
    before = set(threading.enumerate())
    server = HttpServer(application).start()
    with requests.Session() as session:
        session.get(server.url + "/")  # an idle connection, kept open
        waiting = threading.Thread(target=_drain, args=(server.url + path,))
        waiting.start()
        while len(application.seen) < 2:
            time.sleep(0.01)
        server.stop()
        server.stop()
        waiting.join(120)
    assert set(threading.enumerate()) <= before


def _drain(url: str) -> None:
    with requests.Session() as session:
        try:
            for _ in session.get(url, stream=True, timeout=120).iter_content():
                pass
        except requests.RequestException:
            return


def test_fifty_clients_at_once_are_all_answered(server: HttpServer) -> None:
    answers: list[str] = []

    def ask() -> None:
        answers.append(requests.get(server.url + "/x", timeout=120).text)

    threads = [threading.Thread(target=ask) for _ in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert answers == ["GET /x "] * 50
