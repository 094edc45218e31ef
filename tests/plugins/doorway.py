"""A gate before the S3 server: it counts requests and bytes, and lets some keys do some things."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from simulator.buckets import ServedBuckets, serving

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_DENIED = "403 Forbidden", b"<Error><Code>AccessDenied</Code><Message>no</Message></Error>"
_UNSEEN = "404 Not Found", b"<Error><Code>NoSuchBucket</Code><Message>none</Message></Error>"


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """What was asked, by which key, of which bucket; `copied_from` is the bucket that it wants
    copied. `sent` and `given` are the bytes of the two bodies.
    """

    method: str
    bucket: str
    user: str
    copied_from: str = ""
    sent: int = 0
    given: int = 0


@dataclass
class Gate:
    """`may` says whether a key may read (or else write) in a bucket. Where a bucket is `unseen` by
    those who may not, they hear that there is none.
    """

    may: Callable[[str, str, bool], bool] = lambda _user, _bucket, _reads: True
    unseen: bool = False
    copies: bool = True
    """Whether the service copies from bucket to bucket."""
    heard: list[Request] = field(default_factory=list)

    def __call__(self, inside: WSGIApplication) -> WSGIApplication:
        def answer(environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
            asked = _asked(environ)
            body = environ["wsgi.input"].read(asked.sent)
            environ["wsgi.input"] = io.BytesIO(body)
            if not self._lets_through(asked):
                self.heard.append(asked)
                status, told = _UNSEEN if self.unseen else _DENIED
                start(status, [("Content-Type", "application/xml")])
                return [b"" if asked.method == "HEAD" else told]
            given = b"".join(inside(environ, start))
            self.heard.append(replace(asked, given=len(given)))
            return [given]

        return answer

    def _lets_through(self, asked: Request) -> bool:
        reads = asked.method in {"GET", "HEAD"}
        wanted = [
            (asked.bucket, reads),
            *([(asked.copied_from, True)] if asked.copied_from else []),
        ]
        if asked.copied_from and not self.copies:
            return False
        return all(self.may(asked.user, bucket, reading) for bucket, reading in wanted)

    @contextmanager
    def served(self) -> Iterator[ServedBuckets]:
        """The server behind it, for the length of a block."""
        with serving(gate=self) as found:
            yield found

    def sent_to(self, bucket: str) -> int:
        """Bytes that were written into a bucket."""
        return sum(each.sent for each in self.heard if each.bucket == bucket)

    def count(self, **like: Any) -> int:
        """How many requests were like that."""
        return sum(all(getattr(each, k) == v for k, v in like.items()) for each in self.heard)


def _asked(environ: WSGIEnvironment) -> Request:
    user = re.search(r"Credential=([^/]+)/", environ.get("HTTP_AUTHORIZATION", ""))
    return Request(
        method=environ["REQUEST_METHOD"],
        bucket=environ["PATH_INFO"].strip("/").partition("/")[0],
        user=user[1] if user else "",
        copied_from=environ.get("HTTP_X_AMZ_COPY_SOURCE", "").strip("/").partition("/")[0],
        sent=int(environ.get("CONTENT_LENGTH") or 0),
    )
