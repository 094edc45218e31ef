"""RabbitMQ: products are announced over one connection that is kept and healed.

`RabbitBroker` (broker.py) is the port and has at most one `Line` (line.py), which is a connection
on a thread of its own. A line lets batches (batch.py) leave by one channel (confirms.py) and reads
what the endpoint refused by another (failures.py).
"""

from infra.rabbitmq.access import RabbitAccess, Topology
from infra.rabbitmq.broker import RabbitBroker

__all__ = ["RabbitAccess", "RabbitBroker", "Topology"]
