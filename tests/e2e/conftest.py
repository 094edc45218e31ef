"""`hrsi` as a person starts it, and databases to start it on."""

from tests.plugins.commands import folder, hrsi, left_running, start_hrsi
from tests.plugins.farm import farm
from tests.plugins.live_nomad import BINARY
from tests.plugins.postgres import empty_database_url, own_database_url, postgres_server
from tests.plugins.twins import twin_farm

collect_ignore = [] if BINARY else ["test_live_nomad.py"]
"""Where there is no Nomad to start, a test of one is no test: nothing is skipped."""

__all__ = [
    "empty_database_url",
    "farm",
    "folder",
    "hrsi",
    "left_running",
    "own_database_url",
    "postgres_server",
    "start_hrsi",
    "twin_farm",
]
