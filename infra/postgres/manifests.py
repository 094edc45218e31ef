"""Manifests of runs and the products that they name: written once, with `processed`."""

from __future__ import annotations

import msgspec
from sqlalchemy import Connection, insert, select

from models.manifest import Manifest, digest_of
from models.tables import manifests, products, runs


def keep(connection: Connection, manifest: Manifest, job_id: int) -> None:
    """Write down what a run made; its job is locked, and the run has no manifest yet."""
    connection.execute(
        insert(manifests).values(
            run_id=manifest.run_id,
            job_id=job_id,
            digest=digest_of(manifest),
            document=msgspec.to_builtins(manifest),
        )
    )
    rows = [
        {
            "run_id": manifest.run_id,
            "job_id": job_id,
            "name": product.name,
            "kind": product.kind,
            "size": product.size,
            "files": len(product.files),
        }
        for product in manifest.products
    ]
    if rows:
        connection.execute(insert(products), rows)


def of_job(connection: Connection, job_id: int) -> tuple[Manifest, ...]:
    """The manifests of a job's runs, in the order of their attempts."""
    query = (
        select(manifests.c.document)
        .join(runs, runs.c.id == manifests.c.run_id)
        .where(manifests.c.job_id == job_id)
        .order_by(runs.c.attempt)
    )
    rows = connection.execute(query).scalars()
    return tuple(msgspec.convert(document, Manifest) for document in rows)
