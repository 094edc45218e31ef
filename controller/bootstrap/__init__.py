"""The composition root: the only place that names an adapter. Reads like a table of contents.

`people` is for commands that ask and order, `desk` for the HTTP API, `patients` for a check-up;
`connect` and `controller` are the whole program. The simulation builds the same loops on other
ports (`controller.simulation`).
"""

from controller.bootstrap.access import site
from controller.bootstrap.patients import patients
from controller.bootstrap.store import People, desk, migrate, people
from controller.bootstrap.whole import Ports, connect, controller, observer, reconcilers

__all__ = [
    "People",
    "Ports",
    "connect",
    "controller",
    "desk",
    "migrate",
    "observer",
    "patients",
    "people",
    "reconcilers",
    "site",
]
