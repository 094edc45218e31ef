"""The tables of the store, as the migrations make them; only `infra.postgres` reads this module.

What the database enforces by itself (triggers, partial indexes, partitions) stands in the
migrations alone. A test compares tables, columns and types here with those of a migrated database.
Reserved words of SQL have other names here than in the records: `Run.end` is `ended_as`,
`WorkerOrder.by` is `ordered_by`, `Pause.by` is `paused_by`, a worker's `Retirement` is its
`retire_…` columns.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    Computed,
    Date,
    DateTime,
    Identity,
    Integer,
    LargeBinary,
    SmallInteger,
    Table,
    Text,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY

from models.tables.catalogues import arrivals, campaign_jobs, campaigns, rejects
from models.tables.columns import big as _big
from models.tables.columns import count as _count
from models.tables.columns import flag as _flag
from models.tables.columns import json as _json
from models.tables.columns import keys as _keys
from models.tables.columns import metadata
from models.tables.columns import number as _number
from models.tables.columns import texts as _texts
from models.tables.columns import time_now as _time_now
from models.tables.columns import times as _times
from models.tables.columns import uuid as _uuid
from models.tables.publications import parked_messages, publications
from models.tables.series import acquisitions, series, waits

__all__ = [
    "acquisitions",
    "arrivals",
    "audit",
    "backoffs",
    "breakers",
    "campaign_jobs",
    "campaigns",
    "catalogue_cursors",
    "counters",
    "current_decisions",
    "decisions",
    "heartbeats",
    "intents",
    "job_counts",
    "jobs",
    "leases",
    "manifests",
    "metadata",
    "node_identities",
    "parameter_changes",
    "parameters",
    "parked_messages",
    "pauses",
    "products",
    "publications",
    "rejects",
    "runs",
    "series",
    "status_changes",
    "status_transitions",
    "tokens",
    "waits",
    "worker_orders",
    "workers",
]

# ---- jobs and their runs -------------------------------------------------------------------------

status_transitions = Table("status_transitions", metadata, *_keys("before", "after"))

jobs = Table(
    "jobs",
    metadata,
    _number(),
    _uuid("unique_id", unique=True, server_default=text("gen_random_uuid()")),
    *_texts("type", "key", "name"),
    *_texts("tile", nullable=True),
    *_texts("flavor", "priority"),
    Column(
        "priority_rank",
        SmallInteger,
        Computed("case priority when 'nrt' then 0 when 'delayed' then 1 else 2 end"),
        nullable=False,
    ),
    *_times("deadline", "sensing_at", nullable=True),
    _json("input", default="{}"),
    _time_now("created_at"),
    *_texts("status"),
    _time_now("status_at"),
    *_texts("status_before", "status_message", nullable=True),
    *_texts("status_actor"),
    *_texts("error_subtype", nullable=True),
    _count("seq", server_default="1"),
    *_texts("resume_status"),
    _json("config", nullable=True),
    *(
        _count(name, server_default="0")
        for name in ("attempt", "internal_failures", "external_failures", "losses")
    ),
    *_times("not_before", nullable=True),
    _flag("quarantined", default="false"),
)

status_changes = Table(
    "status_changes",
    metadata,
    Column("job_id", BigInteger, primary_key=True),
    Column("seq", Integer, primary_key=True),
    Column("at", DateTime(timezone=True), primary_key=True),
    *_texts("before", nullable=True),
    *_texts("after"),
    *_texts("subtype", "message", nullable=True),
    *_texts("actor"),
    _count("attempt"),
)

job_counts = Table(
    "job_counts",
    metadata,
    *_texts("type", "flavor", "status", "priority"),
    _flag("quarantined"),
    _big("number"),
)

runs = Table(
    "runs",
    metadata,
    Column("id", Uuid, primary_key=True),
    _big("job_id"),
    _count("attempt"),
    _count("claim", server_default="0"),
    *_times("created_at"),
    *_times("sent_at", nullable=True),
    *_texts(
        "nomad_job_id",
        "allocation_id",
        "node_id",
        "node_name",
        "server_id",
        "address",
        nullable=True,
    ),
    *_times("claimed_at", "ended_at", nullable=True),
    *_texts("ended_as", "ended_in", nullable=True),
    Column("exit_code", Integer),
    *_texts("stop_reason", nullable=True),
    *_times("stop_asked_at", nullable=True),
    _flag("is_recent", default="true"),
)

manifests = Table(
    "manifests",
    metadata,
    Column("run_id", Uuid, primary_key=True),
    _big("job_id"),
    *_texts("digest"),
    _json("document"),
    _time_now("accepted_at"),
)

products = Table(
    "products",
    metadata,
    _number(),
    _uuid("run_id"),
    _big("job_id"),
    *_texts("name", "kind"),
    _big("size"),
    _count("files"),
)

# ---- intents and the pool ------------------------------------------------------------------------

intents = Table(
    "intents",
    metadata,
    Column("id", Uuid, primary_key=True),
    *_texts("kind", "subject"),
    *_times("opened_at", "deadline"),
    *_texts("lease"),
    _big("epoch"),
    Column("state", Text, nullable=False, server_default="open"),
    *_texts("note", nullable=True),
    *_times("closed_at", nullable=True),
)

workers = Table(
    "workers",
    metadata,
    _number(),
    *_texts("name", "flavor", "state"),
    _uuid("intent_id"),
    *_times("created_at"),
    *_texts("server_id", "node_id", "address", nullable=True),
    *_times(
        "booted_at",
        "admitted_at",
        "busy_at",
        "keep_until",
        "delete_sent_at",
        "gone_at",
        nullable=True,
    ),
    *_texts("retire_cause", "retire_by", nullable=True),
    Column("retire_step", SmallInteger),
    *_times("retire_started_at", nullable=True),
    _big("retire_index", nullable=True),
    _big("retire_modify_index", nullable=True),
    *_times("retire_seen_at", nullable=True),
    _flag("retire_forced", default="false"),
    _flag("outside_pool", default="false"),
)

worker_orders = Table(
    "worker_orders",
    metadata,
    _number(),
    *_texts("flavor", "ordered_by"),
    _time_now("ordered_at"),
    *_times("keep_until"),
    *_times("closed_at", nullable=True),
    _big("worker_id", nullable=True),
    _flag("outside_pool", default="false"),
)

node_identities = Table(
    "node_identities",
    metadata,
    *_keys("node_id"),
    *_texts("server_id", nullable=True),
    *_texts("name", "node_class"),
)

backoffs = Table(
    "backoffs",
    metadata,
    *_keys("subject", "failure"),
    _count("failures"),
    *_times("until"),
    *_texts("message"),
)

counters = Table("counters", metadata, *_keys("name"), _big("value"))

# ---- leases, parameters, ledger, audit -----------------------------------------------------------

leases = Table(
    "leases",
    metadata,
    *_keys("name"),
    *_texts("holder", nullable=True),
    _big("epoch"),
    *_times("expires_at"),
    *_times("renewed_at"),
)

heartbeats = Table(
    "heartbeats",
    metadata,
    *_keys("loop", "holder"),
    *_times("at"),
    _big("passes"),
    _flag("is_leading"),
)

parameters = Table(
    "parameters",
    metadata,
    *_keys("key"),
    _json("value"),
    *_times("expires_at", nullable=True),
)

parameter_changes = Table(
    "parameter_changes",
    metadata,
    _number(),
    *_texts("key"),
    _time_now("at"),
    *_texts("author", "reason"),
    _json("old_value", nullable=True),
    _json("new_value", nullable=True),
    *_times("expires_at", nullable=True),
)

current_decisions = Table(
    "current_decisions",
    metadata,
    Column("id", BigInteger, Identity(), nullable=False),
    Column("loop", Text, primary_key=True),
    *_keys("subject", "action", "reason"),
    *_texts("because"),
    _json("facts"),
    *_times("first_at", "last_at"),
    _big("count"),
)

decisions = Table(
    "decisions",
    metadata,
    _big("id"),
    *_texts("loop", "subject", "action", "reason", "because"),
    _json("facts"),
    *_times("first_at", "last_at"),
    _big("count"),
)

pauses = Table(
    "pauses",
    metadata,
    *_keys("target"),
    *_texts("paused_by", "reason"),
    *_times("since"),
    *_times("until", nullable=True),
)

breakers = Table(
    "breakers",
    metadata,
    _number(),
    *_texts("name"),
    *_times("opened_at"),
    *_texts("because"),
    _json("suspects"),
    *_times("closed_at", nullable=True),
    *_texts("closed_by", "close_reason", nullable=True),
    Column("accepted", ARRAY(Text), nullable=False, server_default=text("'{}'")),
)

catalogue_cursors = Table(
    "catalogue_cursors",
    metadata,
    *_keys("source", "collection", "type"),
    *_times("until", "deep_at"),
    _flag("yielded", "false"),
)

_PART = (*_keys("place", "type", "name"), *_texts("unit"), *_times("sensing_at", "published_at"))
ingredients = Table("ingredients", metadata, *_PART, _json("facts"))

product_groups = Table(
    "product_groups",
    metadata,
    *_keys("job_type", "key"),
    Column("day", Date, nullable=False),
    Column("tiles", ARRAY(Text), nullable=False),
    *_times("due_at", nullable=True),
    _count("version"),
    _json("made"),
    *_texts("waits"),
    *_times("waits_since", nullable=True),
)

audit = Table(
    "audit",
    metadata,
    _number(),
    _time_now("at"),
    *_texts("actor", "action"),
    Column("subjects", ARRAY(Text), nullable=False),
    *_texts("reason"),
    _json("detail", default="{}"),
)

tokens = Table(
    "tokens",
    metadata,
    _number(),
    *_texts("name", "role"),
    Column("digest", LargeBinary, nullable=False, unique=True),
    _time_now("created_at"),
    *_texts("created_by"),
    *_times("expires_at", "revoked_at", nullable=True),
)
