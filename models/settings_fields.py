"""How a live parameter is declared: its default and its bounds."""

from __future__ import annotations

from dataclasses import field
from datetime import timedelta
from typing import Any


def number(default: float, low: float, high: float) -> Any:
    """A parameter that is a number; a whole one if its default is."""
    return field(default=default, metadata={"low": low, "high": high})


def wait(seconds: float, low: float = 0, high: float = 86_400) -> Any:
    """A parameter that is a time; default and bounds in seconds."""
    return field(default=timedelta(seconds=seconds), metadata={"low": low, "high": high})
