"""What the API works with: the store's ports, time, and the key of the run tokens.

It knows no web framework: the composition root makes one where none is installed, too.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from models.access import Tokens
from models.ports import Clock, Operations, Reader, RunReports


@dataclass(frozen=True, kw_only=True, slots=True)
class Desk:
    """Everything behind the API."""

    deployment: str
    reader: Reader
    operations: Operations
    reports: RunReports
    tokens: Tokens
    clock: Clock
    token_key: bytes = field(repr=False)
