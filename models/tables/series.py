"""The tables of what jobs are about, of their series, and of what configured jobs wait for."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, DateTime, Integer, Table

from models.tables.columns import big, flag, keys, metadata, texts, times

acquisitions = Table(
    "acquisitions",
    metadata,
    *keys("type"),
    Column("sensing_at", DateTime(timezone=True), primary_key=True),
    *keys("key"),
    *texts("tile", nullable=True),
)

series = Table(
    "series",
    metadata,
    Column("job_id", BigInteger, primary_key=True),
    *texts("type", "tile"),
    *times("sensing_at"),
    flag("is_open"),
    flag("reprocessing"),
    *texts("l2a", nullable=True),
    Column("l2a_of", Integer),
)

waits = Table(
    "waits",
    metadata,
    Column("job_id", BigInteger, primary_key=True),
    big("for_job"),
    *times("since", "until"),
    *texts("why"),
    flag("is_over"),
)
