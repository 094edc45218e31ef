"""A message broker in memory, and the endpoint that takes the announcements from it.

`SimulatedBroker` (state.py) is what it holds, `MemoryBroker` (memory.py) the port to it.
"""

from simulator.broker.memory import MemoryBroker
from simulator.broker.state import SimulatedBroker

__all__ = ["MemoryBroker", "SimulatedBroker"]
