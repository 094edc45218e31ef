"""The store of each contract test: once in memory, once in PostgreSQL."""

from tests.plugins.stores import desk, doors, postgres

__all__ = ["desk", "doors", "postgres"]
