"""The list endpoints: namespaces, prefixes, filters, pages, blocking queries, in Nomad's order."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from werkzeug.wrappers import Request

from simulator.http.server import stopping
from simulator.nomad import filters
from simulator.nomad.render import (
    Json,
    alloc_stub,
    evaluation,
    job_stub,
    node_stub,
    searchable,
)
from simulator.nomad.rows import NAMESPACE, AllocRow, EvalRow, JobRow, NodeRow, NomadError
from simulator.nomad.state import State

MAX_WAIT = 300.0
"""Seconds that a blocking query waits at most and by default; up to a sixteenth more is added."""

LOOK_AGAIN = 0.1

PAGES = "Expect a number for `per_page` query string parameter"

_TRUE = {"1", "t", "T", "true", "TRUE", "True"}
_FALSE = {"0", "f", "F", "false", "FALSE", "False"}
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}

Row = TypeVar("Row", NodeRow, JobRow, EvalRow, AllocRow)


def parse_bool(request: Request, name: str) -> bool:
    """A boolean parameter in any form that Go's ParseBool takes; absent is false."""
    value = request.args.get(name, "")
    if value and value not in _TRUE | _FALSE:
        raise NomadError(
            500,
            f'Failed to parse value of "{name}" ({value}) as a bool: strconv.ParseBool: '
            f'parsing "{value}": invalid syntax',
        )
    return value in _TRUE


def parse_number(request: Request, name: str, refusal: str) -> int:
    """A number that is not negative; absent is 0."""
    value = request.args.get(name) or "0"
    if not value.isdecimal():
        raise NomadError(400, refusal)
    return int(value)


@dataclass(frozen=True, kw_only=True, slots=True)
class Listing(Generic[Row]):
    """How one kind of row is listed. `key` orders rows and names pages."""

    rows: Callable[[], Iterable[Row]]
    stub: Callable[[Row], Json]
    key: Callable[[Row], str]
    namespaced: bool = True

    def page(self, request: Request) -> tuple[list[Json], str]:
        """The stubs that a request asks for, and the token of the next page or nothing."""
        wanted = self._wanted(request)
        # Only the lowercase word counts here: `reverse=True` is silently ignored.
        rows = sorted(self.rows(), key=self.key, reverse=request.args.get("reverse") == "true")
        start, size = request.args.get("next_token", ""), parse_number(request, "per_page", PAGES)
        shown: list[Json] = []
        for row in rows:
            if start and self.key(row) != start:
                continue
            start = ""
            if wanted(row):
                if size and len(shown) == size:
                    return shown, self.key(row)
                shown.append(self.stub(row))
        return shown, ""

    def _wanted(self, request: Request) -> Callable[[Row], bool]:
        namespace = request.args.get("namespace", NAMESPACE)
        prefix, expression = request.args.get("prefix", ""), request.args.get("filter", "")
        predicate = filters.parse(expression) if expression else None

        def wanted(row: Row) -> bool:
            return (
                (not self.namespaced or namespace in {"*", getattr(row, "namespace", "")})
                and row.id.startswith(prefix)
                and (predicate is None or predicate(searchable(row)))
            )

        return wanted


def _by_id(row: NodeRow | JobRow) -> str:
    return row.id


def _by_creation(row: EvalRow | AllocRow) -> str:
    return f"{row.create_index:020d}.{row.id}"


def nodes(state: State, request: Request) -> Listing[NodeRow]:
    """GET /v1/nodes: by id, which says nothing of age."""
    resources = parse_bool(request, "resources")
    _check_prefix(request.args.get("prefix", ""))
    return Listing(
        rows=state.nodes.by_id,
        stub=lambda row: node_stub(row, resources=resources),
        key=_by_id,
        namespaced=False,
    )


def _check_prefix(prefix: str) -> None:
    """The beginning of a uuid, of an even number of hex digits."""
    failed, digits = "node lookup failed: index error: ", prefix.replace("-", "")
    if len(digits) % 2:
        raise NomadError(500, f"{failed}Input (without hyphens) must be even length")
    if wrong := re.search(r"[^0-9a-fA-F]", digits):
        raise NomadError(500, f"{failed}Invalid UUID: encoding/hex: invalid byte: {wrong[0]!r}")


def jobs(state: State, request: Request) -> Listing[JobRow]:
    """GET /v1/jobs: parents and children by id."""
    meta = parse_bool(request, "meta")
    return Listing(
        rows=state.jobs.by_id,
        stub=lambda row: job_stub(row, state.children_of(row.id), meta=meta),
        key=_by_id,
    )


def evaluations(state: State, request: Request) -> Listing[EvalRow]:
    """GET /v1/evaluations: by creation."""
    job, status = request.args.get("job", ""), request.args.get("status", "")
    if (job or status) and request.args.get("filter"):
        raise NomadError(400, "Filter expression cannot be used with other filter parameters")

    def rows() -> list[EvalRow]:
        return [
            row
            for row in state.evals.by_creation()
            if job in {"", row.job_id} and status in {"", row.status}
        ]

    return Listing(rows=rows, stub=evaluation, key=_by_creation)


def allocations(state: State, request: Request) -> Listing[AllocRow]:
    """GET /v1/allocations: by creation; task states unless told otherwise."""
    said = request.args.get("task_states")
    task_states = said is None or parse_bool(request, "task_states")
    return Listing(
        rows=state.allocs.by_creation,
        stub=lambda row: alloc_stub(row, task_states=task_states),
        key=_by_creation,
    )


LISTS: Mapping[str, Callable[[State, Request], Listing[Any]]] = {
    "nodes": nodes,
    "jobs": jobs,
    "evaluations": evaluations,
    "allocations": allocations,
}


def index_of(state: State, name: str) -> int:
    """The index of the table behind a list: that of another table says nothing about it."""
    indexes = {
        "nodes": state.nodes.index,
        "jobs": state.jobs.index,
        "evaluations": state.evals.index,
        "allocations": state.allocs.index,
    }
    return max(1, indexes[name])


def block(state: State, name: str, request: Request) -> None:
    """Wait, for a blocking query, until any row of the table is written or its time is over."""
    beyond = parse_number(request, "index", "Invalid index")
    if not beyond:
        return
    wait = min(_duration(request.args.get("wait", "")) or MAX_WAIT, MAX_WAIT)
    left = wait + state.chance.random() * wait / 16
    ending = stopping(request)
    while left > 0 and index_of(state, name) <= beyond and not ending.is_set():
        state.changed.wait(min(left, LOOK_AGAIN))
        left -= LOOK_AGAIN


def _duration(text: str) -> float:
    """Seconds of a Go duration of one unit, such as 30s; 0 for none."""
    if not text:
        return 0
    match = re.fullmatch(r"(\d+(?:\.\d+)?)(ms|s|m|h)", text)
    if match is None:
        raise NomadError(400, "Invalid wait time")
    return float(match[1]) * _UNITS[match[2]]
