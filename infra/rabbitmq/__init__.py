"""RabbitMQ: products are announced over one connection that is kept and healed.

`RabbitBroker` (broker.py) is the port and has at most one `Line` (line.py), which is a connection
on a thread of its own. A line prepares exchanges and queues (branch.py), lets batches (batch.py)
leave by one channel (confirms.py) and reads what the endpoint refused by another (failures.py).
"""

import logging

from infra.rabbitmq.access import RabbitAccess, Topology
from infra.rabbitmq.broker import RabbitBroker

__all__ = ["RabbitAccess", "RabbitBroker", "Topology"]

# What pika tells is told by the errors of this adapter, once and in our words; its own log repeats
# each of them several times with its stack.
logging.getLogger("pika").setLevel(logging.CRITICAL)
