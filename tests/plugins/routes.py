"""Every route of the HTTP API, and who may use it: one table for all tests that go through them."""

from __future__ import annotations

from models.access import Role

OPEN, OF_THE_RUN = "nobody in particular", "the run itself"

NEEDS: dict[tuple[str, str], str | Role] = {
    ("GET", "/healthz"): OPEN,
    ("POST", "/api/v1/runs/{run_id}/claims"): OF_THE_RUN,
    ("POST", "/api/v1/runs/{run_id}/claims/{number}/status"): OF_THE_RUN,
    ("POST", "/api/v1/runs/{run_id}/claims/{number}/end"): OF_THE_RUN,
    ("GET", "/api/v1/jobs"): Role.VIEWER,
    ("POST", "/api/v1/jobs"): Role.OPERATOR,
    ("GET", "/api/v1/jobs/by-key"): Role.VIEWER,
    ("GET", "/api/v1/jobs/{reference}"): Role.VIEWER,
    ("GET", "/api/v1/jobs/{reference}/history"): Role.VIEWER,
    ("GET", "/api/v1/jobs/{reference}/runs"): Role.VIEWER,
    ("GET", "/api/v1/jobs/{reference}/decisions"): Role.VIEWER,
    ("GET", "/api/v1/jobs/{reference}/links"): Role.VIEWER,
    ("GET", "/api/v1/jobs/{reference}/logs"): Role.VIEWER,
    ("GET", "/api/v1/jobs/{reference}/logs/{allocation_id}/{stream}"): Role.VIEWER,
    ("GET", "/api/v1/jobs/{reference}/logs/{allocation_id}/{stream}/follow"): Role.VIEWER,
    ("POST", "/api/v1/jobs/cancel"): Role.OPERATOR,
    ("POST", "/api/v1/jobs/relaunch"): Role.OPERATOR,
    ("GET", "/api/v1/workers"): Role.VIEWER,
    ("GET", "/api/v1/workers/{name}"): Role.VIEWER,
    ("GET", "/api/v1/pool"): Role.VIEWER,
    ("GET", "/api/v1/flavors/{name}/decisions"): Role.VIEWER,
    ("POST", "/api/v1/workers/retire"): Role.OPERATOR,
    ("POST", "/api/v1/workers/order"): Role.OPERATOR,
    ("GET", "/api/v1/services"): Role.VIEWER,
    ("GET", "/api/v1/status"): Role.VIEWER,
    ("GET", "/api/v1/decisions"): Role.VIEWER,
    ("GET", "/api/v1/decisions/standing"): Role.VIEWER,
    ("GET", "/api/v1/audit"): Role.OPERATOR,
    ("GET", "/api/v1/pauses"): Role.VIEWER,
    ("POST", "/api/v1/pauses"): Role.OPERATOR,
    ("POST", "/api/v1/pauses/end"): Role.OPERATOR,
    ("GET", "/api/v1/breakers"): Role.VIEWER,
    ("POST", "/api/v1/breakers/close"): Role.OPERATOR,
    ("GET", "/api/v1/parameters"): Role.VIEWER,
    ("GET", "/api/v1/parameters/history"): Role.VIEWER,
    ("POST", "/api/v1/parameters/preview"): Role.OPERATOR,
    ("GET", "/api/v1/parameters/{key}"): Role.VIEWER,
    ("PUT", "/api/v1/parameters/{key}"): Role.ADMIN,
    ("GET", "/api/v1/sources"): Role.VIEWER,
    ("GET", "/api/v1/sources/rejects"): Role.VIEWER,
    ("GET", "/api/v1/sources/groups"): Role.VIEWER,
    ("POST", "/api/v1/sources/rewind"): Role.OPERATOR,
    ("GET", "/api/v1/campaigns"): Role.VIEWER,
    ("GET", "/api/v1/campaigns/{campaign}"): Role.VIEWER,
    ("POST", "/api/v1/campaigns"): Role.OPERATOR,
    ("POST", "/api/v1/campaigns/pause"): Role.OPERATOR,
    ("POST", "/api/v1/campaigns/resume"): Role.OPERATOR,
    ("POST", "/api/v1/campaigns/cancel"): Role.OPERATOR,
    ("GET", "/api/v1/tokens"): Role.ADMIN,
    ("POST", "/api/v1/tokens"): Role.ADMIN,
    ("POST", "/api/v1/tokens/revoke"): Role.ADMIN,
}
"""What each route needs; a test fails when one is not in it."""

PLACES = {
    "number": 1,
    "key": "pool.idle_for",
    "name": "hm.medium",
    "allocation_id": "none",
    "stream": "science",
    "campaign": 1,
}
"""What stands in paths besides runs and jobs. Of that name there is a flavor and no worker,
and of the allocation there is no log.
"""
