"""The tables of campaigns."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Table, Text
from sqlalchemy.dialects.postgresql import ARRAY

from models.tables.columns import count, flag, metadata, number, texts, time_now, times

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
