"""Our own HTTP API, as programs on workers use it: `models.ports.RunReports` without a database.

It needs what the base distribution brings, and holds no secret but the token of one run.
"""

from infra.api.reports import ApiReports, connect

__all__ = ["ApiReports", "connect"]
