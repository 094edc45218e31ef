"""Our own HTTP API, as those use it who have no database: programs on workers and people.

`connect` gives a program `models.ports.RunReports` with the token of its one run; it needs what the
base distribution brings. `infra.api.person.office` gives people `models.office.Office` with theirs.
"""

from infra.api.reports import ApiReports, connect

__all__ = ["ApiReports", "connect"]
