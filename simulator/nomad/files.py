"""The files of allocations as Nomad serves them through the agent of the worker: `ls`, `readat`,
and `logs` of its own two streams, as plain text.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import msgspec
from werkzeug.wrappers import Request, Response

from simulator.nomad.cluster import NomadCluster
from simulator.nomad.rows import NomadError

PREFIX = "/v1/client/fs/"

FolderOf: TypeAlias = Callable[[str], Path]
"""The directory of an allocation on its worker."""

_PATH = re.compile(r"/v1/client/fs/(ls|readat|logs)/([^/]+)")


def answer(request: Request, cluster: NomadCluster, folder_of: FolderOf) -> Response:
    """Answer a request about the files of an allocation that lives. Raises `NomadError`."""
    match = _PATH.fullmatch(request.path)
    if match is None:
        raise NomadError(404, "")
    what, allocation_id = match.groups()
    _find_worker(cluster, allocation_id)
    folder = folder_of(allocation_id)
    if what == "ls":
        return _listed(_below(folder, request))
    if what == "readat":
        return _part(_below(folder, request), request)
    return _logs(folder, request)


def _find_worker(cluster: NomadCluster, alloc_id: str) -> None:
    """Files are those of a worker: without it there are none."""
    with cluster.locked():
        if (row := cluster.state.allocs.get(alloc_id)) is None:
            raise NomadError(404, "alloc not found")
        node = cluster.state.nodes.get(row.node_id)
    if node is None or node.status != "ready":
        raise NomadError(404, "No path to node")


def _below(folder: Path, request: Request) -> Path:
    path = (folder / request.args.get("path", "").lstrip("/")).resolve()
    if not path.is_relative_to(folder.resolve()):
        raise NomadError(500, "Path escapes the alloc directory")
    if not path.exists():
        raise NomadError(404, f"stat {path}: no such file or directory")
    return path


def _listed(folder: Path) -> Response:
    rows = [
        {"Name": each.name, "IsDir": each.is_dir(), "Size": each.stat().st_size, "FileMode": ""}
        for each in sorted(folder.iterdir())
    ]
    return Response(msgspec.json.encode(rows), mimetype="application/json")


def _part(file: Path, request: Request) -> Response:
    with file.open("rb") as opened:
        opened.seek(int(request.args.get("offset", "0")))
        return Response(opened.read(int(request.args.get("limit", "-1"))), mimetype="text/plain")


def _logs(folder: Path, request: Request) -> Response:
    task, kind = request.args.get("task"), request.args.get("type")
    if not task:
        raise NomadError(400, "must provide task name")
    if kind not in {"stdout", "stderr"}:
        raise NomadError(400, "Must provide log type (stdout/stderr)")
    row = sorted(
        (folder / "alloc/logs").glob(f"{task}.{kind}.*"), key=lambda each: int(each.suffix[1:])
    )
    if not row:
        raise NomadError(404, f'task "{task}" not started yet. No logs available')
    content = b"".join(each.read_bytes() for each in row)
    offset = int(request.args.get("offset", "0"))
    from_end = request.args.get("origin", "start") == "end"
    start = max(0, len(content) - offset) if from_end else offset
    return Response(content[start:], mimetype="text/plain")
