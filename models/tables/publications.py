"""The outbox of announcements, and the messages that nobody could match."""

from __future__ import annotations

from sqlalchemy import Column, LargeBinary, Table, text

from models.tables import columns

publications = Table(
    "publications",
    columns.metadata,
    columns.number(),
    columns.big("job_id"),
    columns.uuid("run_id"),
    *columns.texts("product", "kind", "digest"),
    Column("body", LargeBinary, nullable=False),
    *columns.texts("state"),
    columns.count("send"),
    columns.count("refusals", server_default=text("0")),
    *columns.times("not_before", nullable=True),
    *columns.texts("note", nullable=True),
    *columns.times("created_at", "changed_at"),
    *columns.times("confirmed_at", nullable=True),
)

parked_messages = Table(
    "parked_messages",
    columns.metadata,
    columns.number(),
    Column("digest", LargeBinary, nullable=False),
    Column("body", LargeBinary, nullable=False),
    *columns.texts("why"),
    *columns.times("first_at", "last_at"),
    columns.count("count"),
)
