"""The HTTP API as people use it: `models.office.Office` without a database."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import timedelta

from infra.api.joblogs import ApiLogs
from infra.api.ordering import ApiMint, ApiOperations, preview
from infra.api.reading import ApiReader
from infra.api.transport import Access, Transport
from models.job_types import Registry
from models.office import Office
from models.previews import Previewed

LOOKS_FOR = timedelta(minutes=3)
"""How long a preview may take: it waits for its turn, then looks at Nomad and the cloud."""


@contextmanager
def office(access: Access, registry: Registry) -> Iterator[Office]:
    """The API for whoever has this token, for the length of a block. Nothing is sent before it is
    used.
    """

    def previewed(changes: Mapping[str, float | None]) -> Previewed:
        with closing(Transport(replace(access, call_deadline=LOOKS_FOR))) as patient:
            return preview(patient, changes)

    with closing(Transport(access)) as transport:
        reader = ApiReader(transport)
        yield Office(
            reader=reader,
            operations=ApiOperations(transport, registry),
            mint=ApiMint(transport),
            publications=reader.publications,
            groups=reader.groups,
            deployment=lambda: reader.services().deployment,
            logs=lambda: ApiLogs(transport, reader),
            preview=previewed,
        )
