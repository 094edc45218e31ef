"""One process that serves the API until it is told to end; requests under way are finished."""

from __future__ import annotations

import signal
import socket
import ssl
import threading
from dataclasses import dataclass

import uvicorn

from models.errors import ConfigurationError
from web.app import create_app
from web.desk import Desk

STOP_SECONDS = 10
"""How long requests under way may take at the end."""

WATCH_SECONDS = 1.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Identity:
    """What the API shows to speak TLS: paths of a certificate and of its key, as PEM."""

    certificate: str
    key: str


class WebServer:
    """The API, listening. `run` serves until a signal, `start` until `stop`."""

    def __init__(self, desk: Desk, host: str, port: int, identity: Identity | None = None) -> None:
        """Listen. Raises `ConfigurationError` when the address is taken or is not ours, or when
        the certificate and its key are none or do not belong together.
        """
        self.app = create_app(desk)
        self._scheme = "https" if identity else "http"
        self._socket = listening_on(host, port)
        config = uvicorn.Config(
            self.app,
            ssl_certfile=identity.certificate if identity else None,
            ssl_keyfile=identity.key if identity else None,
            log_config=None,
            access_log=False,
            timeout_graceful_shutdown=STOP_SECONDS,
            # Behind a proxy everybody would share its address, and be locked out with the worst.
            proxy_headers=True,
            server_header=False,
        )
        try:
            config.load()
        except ssl.SSLError as error:
            self._socket.close()
            raise ConfigurationError(
                f"web.certificate, web.certificate_key: they cannot be used: {error.reason}; both "
                "are PEM, without a passphrase, and belong together"
            ) from error
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._serve, name="web", daemon=True)

    @property
    def url(self) -> str:
        """Where it is reached."""
        host, port = self._socket.getsockname()[:2]
        return f"{self._scheme}://" + (f"[{host}]:{port}" if ":" in host else f"{host}:{port}")

    def run(self) -> None:
        """Serve until SIGTERM, SIGINT or SIGHUP; for the main thread."""
        ended = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, lambda *_: ended.set())
        self.start()
        while self._thread.is_alive() and not ended.wait(WATCH_SECONDS):
            pass
        self.stop()

    def start(self) -> None:
        """Serve in a thread; the socket listens already, so nobody is turned away."""
        self._thread.start()

    def stop(self) -> None:
        """End what `start` began; requests under way are finished."""
        self._server.should_exit = True
        self._thread.join(STOP_SECONDS + WATCH_SECONDS)

    def _serve(self) -> None:
        try:
            self._server.run(sockets=[self._socket])
        finally:
            self._socket.close()


def listening_on(host: str, port: int) -> socket.socket:
    """A socket that listens there. Raises `ConfigurationError` naming the setting."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Named, or asyncio does not see that it is TCP, and lets every answer wait for an ACK (40 ms).
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
        listening.listen(1024)
    except OSError as error:
        listening.close()
        raise ConfigurationError(
            f"web.address: {host}:{port} cannot be listened on: {error.strerror}; "
            "choose another with HRSI_WEB_ADDRESS"
        ) from error
    return listening
