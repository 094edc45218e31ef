"""The composition root: the only place that names an adapter. Reads like a table of contents.

`office` is for commands that ask and order, `people` for those that need the database for it,
`desk` for the HTTP API, `patients` for a check-up; `connect` and `controller` are the whole
program. The simulation builds the same loops on other ports (`controller.simulation`). Each part is
loaded when it is asked for: who lists jobs should not wait for the client libraries of Nomad and
OpenStack.
"""

from typing import TYPE_CHECKING, Any

from controller.loading import load

if TYPE_CHECKING:
    from controller.bootstrap.access import site
    from controller.bootstrap.api import desk, job_logs
    from controller.bootstrap.buckets import results
    from controller.bootstrap.catalogues import area, catalogue, library
    from controller.bootstrap.checkup import patients
    from controller.bootstrap.entrance import office
    from controller.bootstrap.looking import look_now, previewed
    from controller.bootstrap.publication import post, spool
    from controller.bootstrap.remote import at_api
    from controller.bootstrap.store import People, at_store, migrate, people
    from controller.bootstrap.whole import Ports, connect, controller, observer, reconcilers

__all__ = [
    "People",
    "Ports",
    "area",
    "at_api",
    "at_store",
    "catalogue",
    "connect",
    "controller",
    "desk",
    "job_logs",
    "library",
    "look_now",
    "migrate",
    "observer",
    "office",
    "patients",
    "people",
    "post",
    "previewed",
    "reconcilers",
    "results",
    "site",
    "spool",
]

_PARTS = {
    "access": ("site",),
    "api": ("desk", "job_logs"),
    "buckets": ("results",),
    "catalogues": ("area", "catalogue", "library"),
    "checkup": ("patients",),
    "entrance": ("office",),
    "looking": ("look_now", "previewed"),
    "publication": ("post", "spool"),
    "remote": ("at_api",),
    "store": ("People", "at_store", "migrate", "people"),
    "whole": ("Ports", "connect", "controller", "observer", "reconcilers"),
}


def __getattr__(name: str) -> Any:
    for part, names in _PARTS.items():
        if name in names:
            return getattr(load(f"{__name__}.{part}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
