"""Containers over the API of Docker, which podman speaks, too."""

from infra.containers.engine import Engine, connect

__all__ = ["Engine", "connect"]
