"""The results bucket, for commands that read in it and for the loop that keeps it small."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager

from controller.config import Config
from infra import s3
from models.errors import ConfigurationError
from models.objects import Shelf


def access(config: Config) -> tuple[s3.S3Access, str]:
    """What opens the buckets, and the name of the one for results.

    Raises `ConfigurationError` naming what is not set.
    """
    settings = config.s3
    if settings.endpoint is None:
        raise ConfigurationError("s3.endpoint: it is not set; set it, or S3_ENDPOINT_URL")
    if settings.results is None:
        raise ConfigurationError("s3.results: it is not set; set it, or HRSI_RESULTS_BUCKET")
    found = s3.S3Access(
        endpoint=settings.endpoint,
        access_key=settings.access_key,
        secret_key=settings.secret_key.reveal(),
        region=settings.region,
        verify=settings.ca_cert or True,
    )
    return found, settings.results


@contextmanager
def results(config: Config) -> Iterator[Shelf]:
    """The results bucket, for the length of a block. Raises `ConfigurationError` without one."""
    opens, bucket = access(config)
    with closing(s3.connect(opens)) as store:
        yield Shelf(store=store, bucket=bucket)
