"""Bring a database to the shape that this program needs, or back.

Apart from the rest of the adapter: alembic is slow to load and seldom used.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import sqlalchemy
from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, func, select

from infra.postgres.sessions import ConnectionSettings, Sessions
from models.errors import ConfigurationError
from models.lifecycle import transition_pairs
from models.tables import status_transitions

MIGRATIONS = Path(__file__).parents[2] / "migrations"
DEADLINE = timedelta(minutes=10)
"""How long one statement of a migration may take; a large table needs longer than a pass does."""

# Two programs that start at once must not both migrate.
_LOCK = 0x48525349


def migrate(url: str, revision: str = "head") -> str:
    """Run every migration up to `revision`; one that has run is not run again. Where it is now.

    Afterwards the database allows exactly the status changes of `models.lifecycle`. All of it is
    one transaction. Raises `ConfigurationError` when the database is past that revision.
    """

    def up(config: Config) -> None:
        _refuse_older(config, revision)
        command.upgrade(config, revision)

    return _run(url, up)


def downgrade(url: str, revision: str) -> str:
    """Undo every migration after `revision` (`base`: all of them), with what their tables hold.

    Where the database is now.
    """
    return _run(url, lambda config: command.downgrade(config, revision))


def head() -> str:
    """The newest revision that this program knows."""
    return ScriptDirectory.from_config(_config()).get_current_head() or "base"


def _run(url: str, order: Callable[[Config], None]) -> str:
    sessions = Sessions(
        ConnectionSettings(
            url=url, application_name="hrsi-migrate", pool_size=1, call_deadline=DEADLINE
        )
    )
    try:
        with sessions.write("migrate the database") as connection:
            connection.execute(select(func.pg_advisory_xact_lock(_LOCK)))
            config = _config()
            config.attributes["connection"] = connection
            _carry_out(order, config)
            _refresh_transitions(connection)
            return _current(connection)
    finally:
        sessions.dispose()


def _current(connection: Connection) -> str:
    return MigrationContext.configure(connection).get_current_revision() or "base"


def _refuse_older(config: Config, revision: str) -> None:
    """Going back loses data: it is done only by its own name."""
    current = _current(config.attributes["connection"])
    if current == "base":
        return
    scripts = ScriptDirectory.from_config(config)
    older = {script.revision for script in scripts.iterate_revisions(current, "base")} - {current}
    if revision == "base" or scripts.get_revision(revision).revision in older:
        raise ConfigurationError(
            f"the database is at revision {current}, past {revision}; nothing was done: --down "
            f"goes back to {revision} and drops what came after it, with its data"
        )


def _carry_out(order: Callable[[Config], None], config: Config) -> None:
    try:
        order(config)
    except CommandError as error:
        newest = ScriptDirectory.from_config(config).get_current_head()
        raise ConfigurationError(
            f"the database cannot be brought there: {error}; the newest revision that this program "
            f"knows is {newest}"
        ) from error


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    return config


def _refresh_transitions(connection: Connection) -> None:
    """The status table of the database is that of this program, whichever migration made it."""
    if not sqlalchemy.inspect(connection).has_table(status_transitions.name):
        return
    connection.execute(status_transitions.delete())
    connection.execute(
        status_transitions.insert(),
        [{"before": before or "", "after": after} for before, after in transition_pairs()],
    )
