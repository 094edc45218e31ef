"""A world on file: what one look saw, to be decided about again, elsewhere and later.

Compressed JSON. `format` says which records it holds; a reader takes its own number only. Nothing
secret is in it: of servers and Nomad jobs only what decisions read is kept of what people may write
there, what looks like a secret is struck out of texts and of the environment of programs, and
neither payloads, inputs of jobs, user data nor credentials are part of a world. The plan of what is
left is that of the whole: `without_secrets` changes nothing that a decision depends on.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

import msgspec

from controller.log import struck_out
from models.errors import Malformed
from models.fleet import (
    ATTEMPT_META,
    DEPLOYMENT_META,
    DEPLOYMENT_METADATA,
    FINGERPRINT_META,
    FLAVOR_METADATA,
    INTENT_METADATA,
    JOB_META,
    RUN_META,
    UNIQUE_ID_META,
)
from models.images import FINISHED_METADATA
from models.job_types import Parent, TaskCommand
from models.world import CloudSnapshot, NomadJob, NomadSnapshot, World

FORMAT = 1
"""Raised whenever a record of `models.world` changes so that older recordings read differently."""

_JOB_META = frozenset(
    {RUN_META, JOB_META, UNIQUE_ID_META, ATTEMPT_META, DEPLOYMENT_META, FINGERPRINT_META}
)
_SERVER_METADATA = frozenset(
    {INTENT_METADATA, FLAVOR_METADATA, DEPLOYMENT_METADATA, FINISHED_METADATA}
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Recording:
    """A world and the moment at which it was decided about. The world has its parameters in it."""

    now: datetime
    world: World
    format: int = FORMAT


@dataclass(frozen=True, kw_only=True, slots=True)
class _Head:
    format: int


def encode(recording: Recording) -> bytes:
    """The recording as a file, without secrets. The same recording makes the same bytes."""
    kept = replace(recording, world=without_secrets(recording.world))
    return gzip.compress(
        msgspec.json.encode(kept, enc_hook=_plain_mapping, order="deterministic"), mtime=0
    )


def decode(content: bytes) -> Recording:
    """The recording that `encode` wrote.

    Raises `Malformed` when it is none, or one of another format.
    """
    try:
        text = gzip.decompress(content)
        head = msgspec.json.decode(text, type=_Head)
    except (OSError, EOFError, zlib.error, msgspec.DecodeError) as error:
        raise Malformed(f"this is no recording of `hrsi record`: {error}") from error
    if head.format != FORMAT:
        raise Malformed(
            f"this recording is of format {head.format}, this program reads format {FORMAT}; "
            "read it with the program that wrote it"
        )
    try:
        return msgspec.json.decode(text, type=Recording)
    except msgspec.DecodeError as error:
        raise Malformed(f"this recording is damaged: {error}") from error


def _plain_mapping(value: object) -> object:
    if isinstance(value, Mapping):
        return dict(value)
    raise NotImplementedError(f"a recording cannot hold a {type(value).__name__}")


# ---- secrets -------------------------------------------------------------------------------------


def without_secrets(world: World) -> World:
    """The world with everything struck out that is nobody's business and no decision's."""
    parents = tuple(_bare_parent(parent) for parent in world.site.parents)
    bare = replace(
        world,
        site=replace(world.site, parents=parents),
        nomad=_bare_nomad(world.nomad, _renamed(world.site.parents, parents)),
        cloud=_bare_cloud(world.cloud),
    )
    document = struck_out("", msgspec.to_builtins(bare, enc_hook=_plain_mapping))
    return msgspec.convert(document, World)


def _bare_parent(parent: Parent) -> Parent:
    shipper = parent.log_shipper and _bare_command(parent.log_shipper)
    return replace(parent, command=_bare_command(parent.command), log_shipper=shipper)


def _bare_command(command: TaskCommand) -> TaskCommand:
    environment = tuple((name, struck_out(name, value)) for name, value in command.environment)
    args = tuple(struck_out("", argument) for argument in command.args)
    return replace(command, environment=environment, args=args)


def _renamed(before: Iterable[Parent], after: Iterable[Parent]) -> dict[str, str]:
    """New fingerprints by old: a parent that fits what is registered must go on fitting it."""
    pairs = zip(before, after, strict=True)
    return {old.fingerprint(): new.fingerprint() for old, new in pairs}


def _bare_nomad(nomad: NomadSnapshot | None, renamed: Mapping[str, str]) -> NomadSnapshot | None:
    if nomad is None:
        return None
    return replace(nomad, jobs=tuple(_bare_job(job, renamed) for job in nomad.jobs))


def _bare_job(job: NomadJob, renamed: Mapping[str, str]) -> NomadJob:
    meta = _only(job.meta, _JOB_META)
    fingerprint = meta.get(FINGERPRINT_META)
    if fingerprint is not None:
        meta[FINGERPRINT_META] = renamed.get(fingerprint, fingerprint)
    return replace(job, meta=meta)


def _bare_cloud(cloud: CloudSnapshot | None) -> CloudSnapshot | None:
    if cloud is None:
        return None
    return replace(
        cloud,
        servers=tuple(
            replace(server, metadata=_only(server.metadata, _SERVER_METADATA))
            for server in cloud.servers
        ),
    )


def _only(given: Mapping[str, str], names: frozenset[str]) -> dict[str, str]:
    return {name: value for name, value in given.items() if name in names}
