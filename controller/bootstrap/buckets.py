"""What opens the buckets, and the results bucket for whoever reads in it or keeps it small."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace

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


def shop_access(config: Config, opens: s3.S3Access) -> s3.S3Access:
    """What opens the product bucket: what opens the others, unless the settings name something
    else. Raises `ConfigurationError` for half a pair of keys, or for another service without one.
    """
    wanted, secret = config.publication, config.publication.secret_key.reveal()
    if bool(wanted.access_key) != bool(secret):
        raise ConfigurationError(
            "HRSI_PUBLICATION_ACCESS_KEY and HRSI_PUBLICATION_SECRET_KEY: only one of them is set; "
            "set both, or none where the keys of s3 open the product bucket"
        )
    if wanted.endpoint not in {None, opens.endpoint} and not secret:
        raise ConfigurationError(
            f"publication.endpoint is {wanted.endpoint}, and no keys open it; set "
            "HRSI_PUBLICATION_ACCESS_KEY and HRSI_PUBLICATION_SECRET_KEY: those of s3 are shown to "
            "no other service"
        )
    return replace(
        opens,
        endpoint=wanted.endpoint or opens.endpoint,
        access_key=wanted.access_key or opens.access_key,
        secret_key=secret or opens.secret_key,
    )


@contextmanager
def results(config: Config) -> Iterator[Shelf]:
    """The results bucket, for the length of a block. Raises `ConfigurationError` without one."""
    opens, bucket = access(config)
    with closing(s3.connect(opens)) as store:
        yield Shelf(store=store, bucket=bucket)
