"""What PostgreSQL and its driver complain about, in our words: by what to do next.

Every statement runs inside `translated`. A transaction that fails before its COMMIT certainly
wrote nothing (`Unavailable`, `Conflict`, …). A connection that breaks during the COMMIT leaves it
open (`Unknown`), and only that.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType

import psycopg
import sqlalchemy.exc
from psycopg import errors as pg

from models.errors import (
    ConfigurationError,
    Conflict,
    HrsiError,
    IllegalTransition,
    Malformed,
    Refused,
    Superseded,
    Unavailable,
    Unknown,
)

ILLEGAL_TRANSITION = "HS001"
OVERTAKEN = "HS002"
"""SQLSTATEs of our own, raised by the triggers of the migrations."""

_UNMIGRATED = "; run `hrsi migrate`"
_CREDENTIALS = "; check user, password and rights in DATABASE_URL"
_NOBODY_THERE = "; start PostgreSQL there, or correct DATABASE_URL"

# The longest prefix of the SQLSTATE decides; with a remedy where a person can do something.
_BY_SQLSTATE: Mapping[str, tuple[type[HrsiError], str]] = MappingProxyType(
    {
        ILLEGAL_TRANSITION: (IllegalTransition, ""),
        OVERTAKEN: (Superseded, ""),
        "08": (Unavailable, ""),  # connection exceptions
        "08001": (Unavailable, _NOBODY_THERE),  # nobody could be reached
        "23505": (Conflict, ""),  # unique violation
        "25P03": (Unavailable, ""),  # idle in transaction for too long
        "25P04": (Unavailable, ""),  # transaction timeout
        "28": (Refused, _CREDENTIALS),
        "3D000": (ConfigurationError, "; create the database or correct DATABASE_URL"),
        "40": (Conflict, ""),  # serialization failure, deadlock
        "42501": (Refused, _CREDENTIALS),
        "42703": (ConfigurationError, _UNMIGRATED),  # undefined column
        "42883": (ConfigurationError, _UNMIGRATED),  # undefined function
        "42P01": (ConfigurationError, _UNMIGRATED),  # undefined table
        "53": (Unavailable, ""),  # out of connections, memory, disk
        "55P03": (Conflict, ""),  # lock timeout
        "57": (Unavailable, ""),  # statement timeout, shutdown, starting up
        "58": (Unavailable, ""),  # I/O errors of the server
    }
)

# A refused connection has no SQLSTATE, only words, and these only where the server speaks English.
_BY_WORDS: Mapping[str, str] = MappingProxyType(
    {
        '" does not exist': "3D000",
        "Connection refused": "08001",
        "failed to resolve host": "08001",
        "password authentication failed": "28",
        "no password supplied": "28",
        "no pg_hba.conf entry": "28",
    }
)

_CONNECTION_LOST = (pg.AdminShutdown, pg.CrashShutdown, pg.TransactionTimeout)


@contextmanager
def translated(attempt: str) -> Iterator[None]:
    """Turn errors of the driver into ours; `attempt` says in the message what was tried."""
    try:
        yield
    except sqlalchemy.exc.DBAPIError as error:
        raise _ours(attempt, _cause(error)) from error
    except psycopg.Error as error:
        raise _ours(attempt, error) from error
    except sqlalchemy.exc.TimeoutError as error:
        raise Unavailable(f"{attempt}: no free connection to PostgreSQL in time") from error


@contextmanager
def translated_commit(attempt: str) -> Iterator[None]:
    """As `translated`, around a COMMIT: when its answer is lost, the outcome is `Unknown`."""
    try:
        yield
    except sqlalchemy.exc.DBAPIError as error:
        cause = _cause(error)
        if isinstance(cause, psycopg.Error) and not _is_lost(cause):
            raise _ours(attempt, cause) from error
        raise Unknown(
            f"{attempt}: the connection to PostgreSQL broke during the commit ({_words(cause)}); "
            "it may or may not have been written"
        ) from error


def _cause(error: sqlalchemy.exc.DBAPIError) -> BaseException:
    return error.orig or error


def _is_lost(error: psycopg.Error) -> bool:
    """Whether the server can no longer be asked what became of the transaction."""
    return (
        error.sqlstate is None
        or error.sqlstate.startswith("08")
        or isinstance(error, _CONNECTION_LOST)
    )


def _ours(attempt: str, error: BaseException) -> HrsiError:
    state = getattr(error, "sqlstate", None) or _state_without(error)
    prefixes = (state[:length] for length in range(len(state), 1, -1))
    known = (_BY_SQLSTATE[prefix] for prefix in prefixes if prefix in _BY_SQLSTATE)
    kind, remedy = next(known, (Malformed, ""))
    return kind(f"{attempt}: {_words(error)}{remedy}")


def _state_without(error: BaseException) -> str:
    """What the server would have said of an error that the driver met by itself."""
    if isinstance(error, psycopg.DataError):
        return "22"  # a value that cannot even be sent, such as a text with a NUL
    return next((state for words, state in _BY_WORDS.items() if words in str(error)), "08")


def _words(error: BaseException) -> str:
    """The server's own sentence, without the query that the driver shows below it."""
    primary = error.diag.message_primary if isinstance(error, psycopg.Error) else None
    return primary or " ".join(str(error).split()) or type(error).__name__
