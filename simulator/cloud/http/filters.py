"""Nova's filters of server lists, as an ordinary member of a project meets them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

from werkzeug.datastructures import MultiDict

from models.errors import Malformed
from simulator.cloud.servers import CloudServer

STATUSES = {"ACTIVE", "BUILD", "ERROR", "DELETED", "SHUTOFF", "REBOOT", "HARD_REBOOT", "UNKNOWN"}

IGNORED = frozenset(
    "limit marker sort_key sort_dir changes-since changes-before all_tenants project_id host "
    "deleted locked".split()
)
"""Known to Nova; here without effect, as most are for a member in reality."""


def selected(
    servers: Iterable[CloudServer], arguments: MultiDict[str, str], *, strict: bool
) -> list[CloudServer]:
    """The servers that pass every filter.

    A filter that Nova does not know is `Malformed` when `strict` and else ignored in silence:
    everything comes. So are a bad regular expression and an unknown status.
    """
    found = list(servers)
    for key, value in arguments.items():
        if key in IGNORED:
            continue
        filtering = FILTERS.get(key)
        if filtering is not None:
            wanted = filtering(value)
            found = [server for server in found if wanted(server)]
        elif strict:
            raise Malformed(
                f"Invalid input for query parameters {key}. Value: {value}. Additional properties "
                f"are not allowed ({key!r} was unexpected)"
            )
    return found


Test = Callable[[CloudServer], bool]


def _by_name(value: str) -> Test:
    try:
        # MySQL gets the pipe escaped: alternatives find nothing.
        pattern = re.compile(value.replace("|", r"\|"), re.IGNORECASE)
    except re.error as error:
        raise Malformed(f"Invalid regex {value!r}: {error}") from error
    return lambda server: pattern.search(server.name) is not None


def _by_status(value: str) -> Test:
    if value.upper() not in STATUSES:
        raise Malformed(f"Invalid filter value {value!r} for status")
    return lambda server: server.status == value.upper()


def _by_tags(of_all: Callable[[Iterable[Any]], bool], *, wanted: bool) -> Callable[[str], Test]:
    def filtering(value: str) -> Test:
        tags = value.split(",")
        return lambda server: of_all(tag in server.wanted.tags for tag in tags) is wanted

    return filtering


FILTERS: dict[str, Callable[[str], Test]] = {
    "name": _by_name,
    "status": _by_status,
    "tags": _by_tags(all, wanted=True),
    "tags-any": _by_tags(any, wanted=True),
    "not-tags": _by_tags(all, wanted=False),
    "not-tags-any": _by_tags(any, wanted=False),
    "flavor": lambda value: lambda server: server.wanted.flavor_id == value,
    "image": lambda value: lambda server: server.wanted.image_id == value,
    "key_name": lambda value: lambda server: server.wanted.key_name == value,
    "ip": lambda value: lambda server: re.search(value, server.address or "") is not None,
}
