"""`hrsi` as a person starts it."""

from tests.plugins.commands import hrsi, left_running, start_hrsi

__all__ = ["hrsi", "left_running", "start_hrsi"]
