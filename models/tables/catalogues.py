"""The tables of campaigns, and of what catalogues bring and nobody understands."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, DateTime, Table, Text
from sqlalchemy.dialects.postgresql import ARRAY

from models.tables.columns import big, count, flag, keys, metadata, number, texts, time_now, times

campaigns = Table(
    "campaigns",
    metadata,
    number(),
    *texts("type", "source"),
    *times("since", "until"),
    Column("tiles", ARRAY(Text), nullable=False),
    flag("again"),
    *texts("state"),
    *times("reached"),
    *(
        count(name, server_default="0")
        for name in ("listed", "created", "existing", "left_out", "rejected")
    ),
    *texts("asked_by", "reason"),
    time_now("created_at"),
    *times("ended_at", nullable=True),
)

campaign_jobs = Table(
    "campaign_jobs",
    metadata,
    Column("campaign", BigInteger, primary_key=True),
    Column("job_id", BigInteger, primary_key=True),
)

arrivals = Table(
    "arrivals",
    metadata,
    *keys("type"),
    Column("hour", DateTime(timezone=True), primary_key=True),
    big("number"),
)

rejects = Table(
    "rejects",
    metadata,
    *keys("source", "collection", "entry"),
    *texts("why", "content", "reason"),
    *times("first_at", "last_at"),
    count("count"),
)
