"""The small server beside the loops: /metrics for Prometheus, /healthz, /readyz for supervisors.

It answers while every loop hangs: it shares no lock with them and asks nobody outside.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import AF_INET, AF_INET6
from typing import ClassVar

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from controller.config_values import Address
from models.errors import ConfigurationError

REQUEST_SECONDS = 10.0
"""How long a client may take to say what it wants: one that says nothing holds no thread."""


PAGES = """\
/metrics  what Prometheus scrapes
/healthz  200 while no loop and no call hangs, else 503 and what hangs since when
/readyz   200 once every loop passes without failing, else 503 and why; names unknown sources
"""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, address: Address, handler: type[BaseHTTPRequestHandler]) -> None:
        self.address_family = AF_INET6 if ":" in address.host else AF_INET
        super().__init__((address.host, address.port), handler)


class _Handler(BaseHTTPRequestHandler):
    """Answers GET; `pages` is filled in by the server that it belongs to."""

    pages: ClassVar[dict[str, Callable[[], tuple[HTTPStatus, str, bytes]]]]
    timeout: ClassVar[float | None] = REQUEST_SECONDS
    server_version = "hrsi"
    sys_version = ""

    def do_GET(self) -> None:
        """Answer one of the pages."""
        page = self.pages.get(self.path.partition("?")[0])
        status, kind, body = page() if page else _text(HTTPStatus.NOT_FOUND, "no such page\n")
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
        """Say nothing: scrapes are no news."""


class HealthServer:
    """Serves the pages of one process from a thread of its own.

    `faults` say what hangs, `obstacles` what keeps the process from being at work: none, all well.
    `remarks` are for people who look at /readyz, and change no verdict.
    """

    def __init__(
        self,
        address: Address,
        registry: CollectorRegistry,
        *,
        faults: Callable[[], list[str]],
        obstacles: Callable[[], list[str]],
        remarks: Callable[[], list[str]],
    ) -> None:
        pages = {
            "/": lambda: _text(HTTPStatus.OK, PAGES),
            "/metrics": lambda: (HTTPStatus.OK, CONTENT_TYPE_LATEST, generate_latest(registry)),
            "/healthz": lambda: _verdict(faults()),
            "/readyz": lambda: _verdict(obstacles(), remarks()),
        }
        handler = type("Handler", (_Handler,), {"pages": pages})
        try:
            self._server = _Server(address, handler)
        except OSError as error:
            raise ConfigurationError(
                f"controller.health: nothing can listen on {address}: {error.strerror}; "
                "choose another address or end what listens there"
            ) from error
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.1,), name="health", daemon=True
        )

    @property
    def address(self) -> Address:
        """Where it listens; the port that was found when any was wanted."""
        host, port = self._server.server_address[:2]
        return Address(str(host), int(port))

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def stop(self) -> None:
        """Stop answering and close the socket."""
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()


def _verdict(wrong: list[str], remarks: Iterable[str] = ()) -> tuple[HTTPStatus, str, bytes]:
    status = HTTPStatus.SERVICE_UNAVAILABLE if wrong else HTTPStatus.OK
    return _text(status, "".join(f"{each}\n" for each in (*(wrong or ["ok"]), *remarks)))


def _text(status: HTTPStatus, text: str) -> tuple[HTTPStatus, str, bytes]:
    return status, "text/plain; charset=utf-8", text.encode()
