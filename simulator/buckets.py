"""A real S3 server over HTTP, in a thread: moto's, which keeps its objects in memory.

The demo's buckets, and those of tests. All servers of a process share their buckets, and let in
whoever signs, with any keys.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.moto_server.werkzeug_app import (
    DomainDispatcherApplication,
    MotoRequestHandler,
    create_backend_app,
)
from moto.s3.models import S3Backend, s3_backends
from werkzeug.serving import make_server

ACCESS_KEY, SECRET_KEY = "simulated-access-key", "simulated-secret-key"
REGION = "us-east-1"
"""The one region in which moto wants no location of a bucket."""

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

_LOOK_AGAIN = 0.05

Gate: TypeAlias = "Callable[[WSGIApplication], WSGIApplication]"
"""What stands before the server: it may watch requests, and answer them itself."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ServedBuckets:
    """Where the server is, and how buckets are put there without asking it."""

    url: str

    def environment(self) -> Mapping[str, str]:
        """What a program finds it with."""
        return {
            "S3_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
            "AWS_REGION": REGION,
        }

    def make(self, *buckets: str) -> None:
        """Make buckets; each must be new."""
        for bucket in buckets:
            _backend().create_bucket(bucket, REGION)

    def remove(self, *buckets: str) -> None:
        """Remove buckets and all that is in them."""
        backend = _backend()
        for bucket in buckets:
            for key in list(backend.get_bucket(bucket).keys.values()):
                backend.delete_object(bucket, key.name)
                key.dispose()
            backend.delete_bucket(bucket)

    def fill(self, bucket: str, contents: Iterable[tuple[str, bytes]]) -> None:
        """Put objects there, past the wire."""
        for key, content in contents:
            _backend().put_object(bucket, key, content)


class _Handler(MotoRequestHandler):
    """Tells nobody of its requests: whoever watches a demo wants to see something else."""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Say nothing."""


@contextmanager
def serving(*buckets: str, gate: Gate = lambda inside: inside) -> Iterator[ServedBuckets]:
    """A server on a free port of this machine, with these buckets, for the length of a block. Every
    request comes through the `gate`.
    """
    application = gate(DomainDispatcherApplication(create_backend_app))
    server = make_server("127.0.0.1", 0, application, threaded=True, request_handler=_Handler)
    serve: Any = server.serve_forever
    thread = threading.Thread(target=serve, args=(_LOOK_AGAIN,), name="s3", daemon=True)
    thread.start()
    served = ServedBuckets(url=f"http://127.0.0.1:{server.server_port}")
    served.make(*buckets)
    try:
        yield served
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
        served.remove(*buckets)


def _backend() -> S3Backend:
    return s3_backends[DEFAULT_ACCOUNT_ID]["aws"]
