"""Products that jobs of several products are made of, their groups, and what is made of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from psycopg.types.json import Jsonb
from sqlalchemy import Connection, and_, select, text

from infra.postgres.jobs import Note
from infra.postgres.people import move_all
from infra.postgres.statements import statement
from models.composing import (
    KEPT,
    OVERRIDDEN,
    Active,
    Group,
    GroupPlace,
    GroupWaits,
    Ingredient,
    Made,
    Material,
    MovingJob,
    Needs,
    Overridden,
    Touch,
)
from models.errors import Superseded
from models.lifecycle import Status
from models.product_names import ProductType
from models.tables import ingredients, product_groups

_KEEP = text("""
insert into ingredients (place, type, name, unit, sensing_at, published_at, facts)
  select place, type, name, unit, sensing_at, published_at, facts
  from jsonb_to_recordset(:rows) as given (
    place text, type text, name text, unit text, sensing_at timestamptz, published_at timestamptz,
    facts jsonb)
on conflict do nothing
""")

_OPEN = text("""
insert into product_groups as held (job_type, key, day, tiles, due_at, version, made, waits)
  select job_type, key, day, tiles, due_at, 1, '[]', ''
  from jsonb_to_recordset(:rows) as given (
    job_type text, key text, day date, tiles text[], due_at timestamptz)
on conflict (job_type, key) do update set
  day = least(held.day, excluded.day),
  tiles = (select array_agg(distinct tile collate "C" order by tile collate "C")
           from unnest(held.tiles || excluded.tiles) as tile),
  due_at = least(held.due_at, excluded.due_at),
  version = held.version + 1
""")

_TOUCH = text("""
update product_groups set due_at = least(due_at, :at), version = version + 1
where (job_type, key) in (
  select held.job_type, held.key
  from jsonb_to_recordset(:rows) as given (job_type text, tile text, day date)
  join product_groups held on held.job_type = given.job_type
    and held.day between given.day - 1 and given.day + 1 and given.tile = any (held.tiles))
""")

_SETTLE = text("""
update product_groups as held
set due_at = given.due_at, made = given.made, waits = given.waits,
  waits_since = given.waits_since, version = held.version + 1
from jsonb_to_recordset(:rows) as given (
  job_type text, key text, version integer, due_at timestamptz, made jsonb, waits text,
  waits_since timestamptz)
where held.job_type = given.job_type and held.key = given.key and held.version = given.version
""")

_UNBEGUN = text("""
select id from jobs
where (type, key) in (
    select type, key from jsonb_to_recordset(:rows) as given (type text, key text))
  and status in ('initialized', 'configured', 'ready')
order by id for update
""")

_KNOWN = text("""
select place, type, name
from jsonb_to_recordset(:wanted) as given (place text, type text, name text)
join ingredients using (place, type, name)
order by place collate "C", type collate "C", name collate "C"
""")

_WANTED = text("""
select distinct on (place collate "C", type collate "C", name collate "C")
  place, type, name, unit, sensing_at, published_at, facts
from jsonb_to_recordset(:wants) as given (
  places text[], types text[], since timestamptz, until timestamptz)
cross join unnest(given.places) as place
cross join unnest(given.types) as type
join ingredients using (place, type)
where sensing_at >= given.since and sensing_at < given.until
order by place collate "C", type collate "C", name collate "C"
""")

# Of what is processed the product is sure to be listed a while later.
_MOVING = statement("""
select distinct on (type collate "C", key collate "C") type, key, seen.sensing_at,
  case when jsonb_typeof(input -> 'tiles') = 'array' then input -> 'tiles'
       else jsonb_build_array(seen.tile) end
from jsonb_to_recordset(:moving) as given (
  job_types text[], since timestamptz, until timestamptz, settled_by timestamptz)
cross join unnest(given.job_types) as type
join acquisitions as seen using (type)
join jobs using (type, key)
where seen.sensing_at >= given.since and seen.sensing_at < given.until
  and not quarantined and status <> 'cancelled'
  and (status not in ('processed', 'start_publication', 'published', 'done')
       or status_at > given.settled_by)
order by type collate "C", key collate "C"
""")

_ACTIVE = text("""
select number
from jsonb_to_recordset(:active) as given (
  number integer, types text[], since timestamptz, until timestamptz)
where exists (
  select from ingredients
  where type = any (given.types) and sensing_at >= given.since and sensing_at < given.until)
order by number
""")


_WAITS = text("""
select job_type, count(*), min(waits_since) from product_groups
where waits_since is not null and due_at is not null group by job_type order by job_type collate "C"
""")

_GROUP = tuple(
    product_groups.c[name]
    for name in (
        *("job_type", "key", "day", "tiles", "due_at", "version", "made", "waits", "waits_since"),
    )
)


def keep(connection: Connection, parts: Iterable[Ingredient]) -> None:
    """Keep these products; those that are known stay as they are."""
    rows = [
        {
            "place": part.place,
            "type": part.type,
            "name": part.name,
            "unit": part.unit,
            "sensing_at": part.sensing_at.isoformat(),
            "published_at": part.published_at.isoformat(),
            "facts": dict(part.facts),
        }
        for part in parts
    ]
    if rows:
        connection.execute(_KEEP, {"rows": Jsonb(rows)})


def open_groups(
    connection: Connection, groups: Iterable[Group], touched: Iterable[Touch], at: datetime
) -> None:
    """Open groups, or note what is new in them, then in those that are touched."""
    rows = [
        {
            "job_type": group.job_type,
            "key": group.key,
            "day": group.day.isoformat(),
            "tiles": list(group.tiles),
            "due_at": _written(group.due_at),
        }
        for group in groups
    ]
    if rows:
        connection.execute(_OPEN, {"rows": Jsonb(rows)})
    touches = [
        {"job_type": each.job_type, "tile": each.tile, "day": each.day.isoformat()}
        for each in touched
    ]
    if touches:
        connection.execute(_TOUCH, {"rows": Jsonb(touches), "at": at})


def settle(connection: Connection, groups: Iterable[Group]) -> None:
    """Write down what was made of groups. Raises `Superseded` when one of them has moved on."""
    rows = [
        {
            "job_type": group.job_type,
            "key": group.key,
            "version": group.version,
            "due_at": _written(group.due_at),
            "made": [_plain(made) for made in group.made],
            "waits": group.waits,
            "waits_since": _written(group.waits_since),
        }
        for group in groups
    ]
    if connection.execute(_SETTLE, {"rows": Jsonb(rows)}).rowcount != len(rows):
        raise Superseded(
            "something is new in a group of products since it was looked at: nothing was written; "
            "the groups are looked at again"
        )


def override(connection: Connection, jobs: Iterable[Overridden], note: Note) -> None:
    """Cancel those of these jobs that nobody has begun."""
    rows = [{"type": each.job_type, "key": each.key} for each in jobs]
    if rows:
        ids = list(connection.execute(_UNBEGUN, {"rows": Jsonb(rows)}).scalars())
        told = Note(at=note.at, actor=note.actor, message=OVERRIDDEN)
        move_all(connection, ids, told, status=Status.CANCELLED)


def prune(connection: Connection, before: datetime) -> None:
    """Drop products and groups of long before that."""
    since = before - KEPT
    connection.execute(ingredients.delete().where(ingredients.c.sensing_at < since))
    connection.execute(product_groups.delete().where(product_groups.c.day < since.date()))


# ---- questions -----------------------------------------------------------------------------------


def known(
    connection: Connection, identities: Iterable[tuple[str, ProductType, str]]
) -> tuple[tuple[str, ProductType, str], ...]:
    """Which of these products are kept."""
    rows = [{"place": place, "type": kind, "name": name} for place, kind, name in identities]
    if not rows:
        return ()
    found = connection.execute(_KNOWN, {"wanted": Jsonb(rows)})
    return tuple((place, ProductType(kind), name) for place, kind, name in found)


def due(connection: Connection, now: datetime, limit: int) -> tuple[Group, ...]:
    """See `models.feeds.Feeds.due`."""
    columns = product_groups.c
    query = (
        select(*_GROUP)
        .where(columns.due_at <= now)
        .order_by(columns.due_at, columns.job_type.collate("C"), columns.key.collate("C"))
        .limit(limit)
    )
    return tuple(map(_group, connection.execute(query)))


def waiting(connection: Connection, job_type: str | None, limit: int) -> tuple[Group, ...]:
    """See `models.feeds.Feeds.waiting`."""
    columns = product_groups.c
    query = (
        select(*_GROUP)
        .where(columns.waits_since.is_not(None))
        .order_by(
            columns.due_at.nulls_last(),
            columns.waits_since,
            columns.job_type.collate("C"),
            columns.key.collate("C"),
        )
        .limit(limit)
    )
    if job_type is not None:
        query = query.where(columns.job_type == job_type)
    return tuple(map(_group, connection.execute(query)))


def groups_about(
    connection: Connection, place: GroupPlace, job_type: str | None
) -> tuple[Group, ...]:
    """See `models.feeds.Feeds.groups_about`."""
    columns = product_groups.c
    is_it = columns.key == place.key
    if place.tile is not None:
        is_it |= and_(columns.day == place.day, columns.tiles.any_() == place.tile)
    query = select(*_GROUP).where(is_it)
    if job_type is not None:
        query = query.where(columns.job_type == job_type)
    query = query.order_by(columns.job_type.collate("C"), columns.key.collate("C")).limit(100)
    return tuple(map(_group, connection.execute(query)))


def group_waits(connection: Connection) -> tuple[GroupWaits, ...]:
    """See `models.feeds.Feeds.group_waits`."""
    rows = connection.execute(_WAITS)
    return tuple(GroupWaits(job_type=row[0], number=row[1], since=row[2]) for row in rows)


def material(connection: Connection, needs: Needs, now: datetime) -> Material:
    """See `models.feeds.Feeds.material`."""
    return Material(
        ingredients=_wanted(connection, needs),
        moving=_moving(connection, needs, now),
        active=_active(connection, needs),
    )


def _wanted(connection: Connection, needs: Needs) -> tuple[Ingredient, ...]:
    wants = [
        {
            "places": list(want.places),
            "types": list(want.types),
            "since": want.since.isoformat(),
            "until": want.until.isoformat(),
        }
        for want in needs.wants
    ]
    rows = connection.execute(_WANTED, {"wants": Jsonb(wants)}) if wants else ()
    return tuple(map(_ingredient, rows))


def _moving(connection: Connection, needs: Needs, now: datetime) -> tuple[MovingJob, ...]:
    moving = [
        {
            "job_types": list(each.job_types),
            "since": each.since.isoformat(),
            "until": each.until.isoformat(),
            "settled_by": (now - each.settled_for).isoformat(),
        }
        for each in needs.moving
    ]
    rows = connection.execute(_MOVING, {"moving": Jsonb(moving)}) if moving else ()
    return tuple(
        MovingJob(type=kind, key=key, sensing_at=sensing_at, tiles=tuple(tiles))
        for kind, key, sensing_at, tiles in rows
    )


def _active(connection: Connection, needs: Needs) -> tuple[Active, ...]:
    asked = [
        {
            "number": number,
            "types": list(each.types),
            "since": f"{each.day}T00:00:00Z",
            "until": f"{each.day + timedelta(days=1)}T00:00:00Z",
        }
        for number, each in enumerate(needs.active)
    ]
    rows = connection.execute(_ACTIVE, {"active": Jsonb(asked)}).scalars() if asked else ()
    return tuple(needs.active[number] for number in rows)


def _ingredient(row: Any) -> Ingredient:
    place, kind, name, unit, sensing_at, published_at, facts = row
    return Ingredient(
        place=place,
        type=ProductType(kind),
        name=name,
        unit=unit,
        sensing_at=sensing_at,
        published_at=published_at,
        facts=facts,
    )


def _group(row: Any) -> Group:
    job_type, key, day, tiles, due_at, version, made, waits, waits_since = row
    return Group(
        job_type=job_type,
        key=key,
        day=day,
        tiles=tuple(tiles),
        due_at=due_at,
        version=version,
        made=tuple(_made(each) for each in made),
        waits=waits,
        waits_since=waits_since,
    )


def _made(found: Mapping[str, Any]) -> Made:
    return Made(key=found["key"], covers=tuple(found["covers"]), note=found["note"])


def _plain(made: Made) -> dict[str, Any]:
    return {"key": made.key, "covers": list(made.covers), "note": made.note}


def _written(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat()
