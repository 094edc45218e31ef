"""The live parameters of configuration; `models.settings` says what they are."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from models.settings_fields import number, wait


@dataclass(frozen=True, kw_only=True, slots=True)
class ConfigurationSettings:
    """How jobs wait for one another before they are ready."""

    wait_most: timedelta = wait(2 * 86_400, 60, 60 * 86_400)
    """How long a configured job waits for others at most, whatever becomes of them; then it goes on
    and says so. An outage of a day must not tear series apart. Shorter makes images begin without
    the one before them, with less exact snow; longer lets one job that never ends hold up its tile.
    """

    backward_reprocessing: int = number(1, 0, 1)
    """1: the images that a chain of L2A began with are processed again, backward, as soon as it has
    made eight [activate_backward_reprocessing]; 0: they stay as they are. Without it the first
    weeks of a tile, and what follows a gap of two months, keep their less exact snow; with it such
    a tile costs eight jobs more."""
