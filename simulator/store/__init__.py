"""The job store in memory: the same contract as PostgreSQL, in virtual time, with faults on order.

`memory` is the facade; `commit` holds the leases and knows which module carries out which change.
"""

from simulator.store.hints import MemoryHints
from simulator.store.memory import MemoryStore

__all__ = ["MemoryHints", "MemoryStore"]
