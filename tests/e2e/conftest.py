"""`hrsi` as a person starts it, and databases to start it on."""

from tests.plugins.commands import folder, hrsi, left_running, start_hrsi
from tests.plugins.farm import farm
from tests.plugins.postgres import empty_database_url, own_database_url, postgres_server
from tests.plugins.twins import twin_farm

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
