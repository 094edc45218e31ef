"""Containers over the API of Docker, which podman speaks, too.

The SDK is loaded when an engine is first asked for: a run is claimed without it.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from infra.containers.engine import Engine, connect

__all__ = ["Engine", "connect"]


def __getattr__(name: str) -> object:
    """What needs the SDK. Raises `AttributeError` like any module."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module("infra.containers.engine"), name)
