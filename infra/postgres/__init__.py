"""The store in PostgreSQL: everything that `models.ports` asks of a store, and nothing it decides.

`connect` gives access to all of it. The status machine stands in the database itself (triggers
made by the migrations), so that whoever writes there keeps to `models.lifecycle`.
"""

from infra.postgres.database import Postgres, connect
from infra.postgres.probe import PostgresProbe

__all__ = ["Postgres", "PostgresProbe", "connect"]
