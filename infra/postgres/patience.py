"""A connection that waits for an answer only so long.

The server keeps the deadline of a statement as long as it lives, and the kernel that of a packet.
Neither helps against a server that is frozen, or a proxy that takes what it is sent and says no
more: every packet is acknowledged there, and the answer never comes.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import psycopg

GRACE = timedelta(seconds=1)
"""What an answer may take beyond the deadline, so that the server's own word comes first."""


class PatientConnection(psycopg.Connection[Any]):
    """Waits `deadline` and the grace for each answer, and is closed when there was none.

    Raises `psycopg.OperationalError` without an SQLSTATE then, as for any lost connection.
    """

    deadline: timedelta | None = None
    """None: it waits for ever."""

    def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:
        """See `psycopg.Connection.wait`."""
        if timeout is not None or self.deadline is None:
            return super().wait(gen, interval, timeout)
        allowed = (self.deadline + GRACE).total_seconds()
        try:
            return super().wait(gen, interval, allowed)
        except psycopg.OperationalError as error:
            if error.sqlstate is None:
                self.close()  # what it would say now is the answer to something else
            raise
