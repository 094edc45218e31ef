"""Where people are let in: at the store with its password, or at the HTTP API with a token."""

from __future__ import annotations

from contextlib import AbstractContextManager

from controller import bootstrap
from controller.config import Config, through_api
from models.office import Office


def office(config: Config) -> AbstractContextManager[Office]:
    """What people read and order, for the length of a block: at the database that the settings
    name, else over the API when they have a token, else at the embedded database.

    Raises `ConfigurationError` for a token without an address.
    """
    # Who works at the one should not wait for the client libraries of the other.
    return bootstrap.at_api(config) if through_api(config) else bootstrap.at_store(config)
