"""The HTTP API, for people who have a token and no database."""

from __future__ import annotations

from contextlib import AbstractContextManager

from controller.config import Config
from infra.api.person import office
from infra.api.transport import Access
from models.job_types import DEFAULT_REGISTRY
from models.office import Office


def at_api(config: Config) -> AbstractContextManager[Office]:
    """What people read and order over the API of the settings, for the length of a block."""
    access = Access(
        url=config.web.url or "",
        token=config.web.token.reveal(),
        ca_cert=config.web.ca_cert,
        agent="hrsi",
    )
    return office(access, DEFAULT_REGISTRY)
