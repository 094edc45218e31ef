"""Where buckets are, who asks, and how long one answer may take."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from urllib.parse import urlsplit

from models.errors import ConfigurationError

_MEBIBYTE = 1 << 20


@dataclass(frozen=True, kw_only=True, slots=True)
class S3Access:
    """One endpoint with one pair of keys.

    `silence` is how long nothing may come before the service counts as gone: an answer as a whole
    takes as long as its bytes need. What is longer than `part_bytes` is uploaded in parts, `parts`
    of them at once whatever the number of files, as many as boto3 takes by itself. `verify` is True
    (the system's authorities) or the path of a CA file.
    """

    endpoint: str
    access_key: str
    secret_key: str = field(repr=False)
    region: str = "RegionOne"
    verify: bool | str = True
    connections: int = 24
    silence: timedelta = timedelta(seconds=30)
    part_bytes: int = 16 * _MEBIBYTE
    parts: int = 10

    def __post_init__(self) -> None:
        parts = urlsplit(self.endpoint)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ConfigurationError(
                f"S3_ENDPOINT_URL: {self.endpoint!r} is no address of an S3 service; it looks like "
                "https://s3.waw2-1.cloudferro.com"
            )
        for name, value in (
            ("AWS_ACCESS_KEY_ID", self.access_key),
            ("AWS_SECRET_ACCESS_KEY", self.secret_key),
        ):
            if not value:
                raise ConfigurationError(f"{name} is empty: without keys no bucket opens")
