"""No request is longer than any that makes sense: it would be read into memory before anybody asks
whose it is.
"""

from __future__ import annotations

from http import HTTPStatus

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from web.problems import Problem

MOST_BYTES = 32 * 1024 * 1024
"""The longest manifest of a run, or 10,000 jobs with long inputs, is shorter."""


class BoundedBody:
    """ASGI middleware: whoever reads more of a request than is allowed gets a 413 instead."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        read = 0

        async def counted() -> Message:
            nonlocal read
            message = await receive()
            read += len(message.get("body", b""))
            if read > MOST_BYTES:
                raise Problem(
                    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                    "too-long",
                    f"the request is longer than {MOST_BYTES} bytes; nothing was done; send less",
                )
            return message

        await self._app(scope, counted, send)
