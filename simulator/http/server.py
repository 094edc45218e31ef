"""The HTTP server under every simulated system: threads, HTTP/1.1 with keep-alive, 127.0.0.1.

An application is a function from a werkzeug `Request` to a werkzeug `Response`:

    def application(request: Request) -> Response: ...

    with HttpServer(application, name="nomad") as server:
        requests.get(server.url + "/v1/jobs")

It is called in a thread per connection, several at once: whatever it shares needs a lock. Besides
answering it may

- raise a werkzeug `HTTPException` (`abort(404)`): that is the answer;
- raise `Cut`: the connection ends without a byte, as when the reply to a write is lost;
- raise `Hang`: nothing is said until the client has given up, as when a service is stuck;
- return a `Response` over an iterator: without a length it is streamed chunk by chunk, each sent
  as soon as it is yielded; the iterator is closed when the client has gone. One that waits should
  do so on `stopping(request)`, an event, and end once that is set;
- delay an answer by `stopping(request).wait(seconds)`.

Any other exception is logged with its traceback and cuts the connection. `stop()` ends what waits,
closes every connection and joins every thread.
"""

from __future__ import annotations

import logging
import select
import socket
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from types import TracebackType
from typing import Any, Self, TypeAlias, cast
from urllib.parse import unquote_to_bytes

from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Request, Response

Application: TypeAlias = Callable[[Request], Response]

_STOPPING = "hrsi.stopping"
_LOOK_AGAIN = 0.05

log = logging.getLogger(__name__)


class Cut(Exception):
    """End the connection without an answer, at once."""


class Hang(Exception):
    """Say nothing until the client gives up or the server stops, then end the connection."""


def cut_short(response: Response) -> Response:
    """The same answer, whose second half never comes: the connection ends in the middle."""
    body = response.get_data()

    def half() -> Iterator[bytes]:
        yield body[: len(body) // 2]
        raise Cut

    return Response(half(), response.status, mimetype=response.mimetype)


def stopping(request: Request) -> threading.Event:
    """The event that is set when the server stops; what waits in an application waits on it."""
    return cast(threading.Event, request.environ[_STOPPING])


class HttpServer:
    """One application on one port; a context manager. `port` 0 takes a free one."""

    def __init__(
        self,
        application: Application,
        *,
        name: str = "http",
        host: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        self.name = name
        self._listener = _Listener((host, port), application)
        self._thread = threading.Thread(
            target=self._listener.serve_forever, args=(_LOOK_AGAIN,), name=f"{name}-server"
        )

    @property
    def port(self) -> int:
        """Where it listens; known before it is started."""
        return int(self._listener.server_address[1])

    @property
    def url(self) -> str:
        """Its address, without a slash at the end."""
        return f"http://{self._listener.server_address[0]!s}:{self.port}"

    def start(self) -> Self:
        """Answer from here on, in threads of its own."""
        self._thread.start()
        return self

    def stop(self) -> None:
        """End every wait, connection and thread; returns when they have ended. Twice is fine."""
        self._listener.stopping.set()
        if self._thread.is_alive():
            self._listener.shutdown()
            self._thread.join()
        self._listener.end_connections()
        self._listener.server_close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()


class _Listener(ThreadingHTTPServer):
    """Accepts, and knows its open connections so that they can be ended."""

    daemon_threads = False  # so that server_close joins them
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], application: Application) -> None:
        self.application = application
        self.stopping = threading.Event()
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        super().__init__(address, _Connection)

    def server_bind(self) -> None:
        """Bind without the look-up of our own name, which may take seconds."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = "127.0.0.1", int(self.server_address[1])

    def opened(self, connection: socket.socket) -> bool:
        """Note a connection; False when the server is stopping and it should end at once."""
        with self._lock:
            self._open.add(connection)
            return not self.stopping.is_set()

    def closed(self, connection: socket.socket) -> None:
        """Forget a connection."""
        with self._lock:
            self._open.discard(connection)

    def end_connections(self) -> None:
        """Wake every thread that reads from a client."""
        with self._lock:
            for connection in self._open:
                _shut(connection)

    def handle_error(self, *_: Any) -> None:
        """Log what an application raised; the connection is closed by the caller."""
        log.error("a request to the simulator failed", exc_info=sys.exception())


class _Connection(BaseHTTPRequestHandler):
    """One client's connection: request after request until either side ends it."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # one packet for head and body

    @property
    def listener(self) -> _Listener:
        """The server that accepted this connection."""
        return cast(_Listener, self.server)

    def handle(self) -> None:
        """Answer until the connection ends; a client that goes away is no error."""
        try:
            self.close_connection = not self.listener.opened(self.connection)
            while not self.close_connection:
                self.handle_one_request()
        except (ConnectionError, TimeoutError):
            log.debug("a client went away")
        finally:
            self.listener.closed(self.connection)

    def finish(self) -> None:
        """Close the files of the connection; what a client no longer reads is dropped."""
        try:
            super().finish()
        except ConnectionError:
            log.debug("a client went away before the end of its answer")

    def handle_one_request(self) -> None:
        """Read one request, ask the application, send what it says."""
        self.raw_requestline = self.rfile.readline(65_537)
        if not self.raw_requestline or not self.parse_request():
            self.close_connection = True
            return
        request = Request(self._environ())
        try:
            self._send(request, self._answer(request))
        except Hang:
            self._wait_for_the_client_to_leave()
            self._cut()
        except Cut:
            self._cut()

    def _answer(self, request: Request) -> Response:
        try:
            return self.listener.application(request)
        except HTTPException as error:
            return error.get_response(request.environ)

    def _environ(self) -> dict[str, Any]:
        path, _, query = self.path.partition("?")
        length = int(self.headers.get("Content-Length") or 0)
        environ: dict[str, Any] = {
            "REQUEST_METHOD": self.command,
            "SCRIPT_NAME": "",
            "PATH_INFO": unquote_to_bytes(path).decode("latin-1"),
            "QUERY_STRING": query,
            "SERVER_NAME": self.listener.server_name,
            "SERVER_PORT": str(self.listener.server_port),
            "SERVER_PROTOCOL": self.request_version,
            "REMOTE_ADDR": str(self.client_address[0]),
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(length),
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.input": BytesIO(self.rfile.read(length) if length else b""),
            "wsgi.multithread": True,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
            _STOPPING: self.listener.stopping,
        }
        for name, value in self.headers.items():
            environ["HTTP_" + name.upper().replace("-", "_")] = value
        return environ

    def _send(self, request: Request, response: Response) -> None:
        body, status, headers = response.get_wsgi_response(request.environ)
        names = {name.lower() for name, _ in headers}
        bodiless = request.method == "HEAD" or response.status_code in {204, 304}
        chunked = not bodiless and "content-length" not in names
        code, _, phrase = status.partition(" ")
        self.send_response(int(code), phrase)
        for name, value in headers:
            self.send_header(name, value)
        if chunked:
            self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        if chunked:
            self.wfile.flush()  # the first part of a stream may be long in coming
        try:
            if not bodiless:
                self._send_body(body, chunked=chunked)
            self.wfile.flush()
        finally:
            response.close()

    def _send_body(self, body: Iterable[bytes], *, chunked: bool) -> None:
        for part in body:
            if not chunked:
                self.wfile.write(part)
            elif part:
                self.wfile.write(b"%x\r\n%s\r\n" % (len(part), part))
                self.wfile.flush()
        if chunked:
            self.wfile.write(b"0\r\n\r\n")

    def _cut(self) -> None:
        self.close_connection = True
        _shut(self.connection)

    def _wait_for_the_client_to_leave(self) -> None:
        while not self.listener.stopping.is_set():
            readable, _, _ = select.select([self.connection], [], [], _LOOK_AGAIN)
            if readable and not self.connection.recv(1, socket.MSG_PEEK):
                return
            if readable:  # it sent more instead of leaving: do not spin
                self.listener.stopping.wait(_LOOK_AGAIN)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Say nothing on stderr: requests are counted by those who make them."""
        log.debug(format, *args)


def _shut(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        log.debug("a connection had ended already")
