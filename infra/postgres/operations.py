"""What people do, each call one transaction together with its line in the audit trail."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from infra.postgres import breakers, pauses, people, trail, wishes
from infra.postgres.sessions import Sessions
from infra.postgres.view import clock
from infra.postgres.wishes import Ordered, Wish
from models.job_types import Registry
from models.ports import Asked, Submitted, Verdict
from models.records import NewJob, ParameterChange


class PostgresOperations:
    """`models.ports.Operations` in PostgreSQL. The registry says which types and flavors exist."""

    def __init__(self, sessions: Sessions, registry: Registry) -> None:
        self._sessions = sessions
        self._registry = registry

    def submit(self, jobs: Sequence[NewJob], asked: Asked) -> Submitted:
        """See `models.ports.Operations.submit`."""
        with self._sessions.write(f"submit {len(jobs)} jobs") as connection:
            submitted = people.submit(connection, jobs, asked, self._registry)
            added = [f"job:{job_id}" for job_id in submitted.added]
            trail.note(connection, "submit", asked, added)
            return submitted

    def cancel(self, job_ids: Sequence[int], asked: Asked) -> tuple[Verdict, ...]:
        """See `models.ports.Operations.cancel`."""
        with self._sessions.write(f"cancel {len(job_ids)} jobs") as connection:
            verdicts = people.cancel(connection, job_ids, asked)
            trail.note(connection, "cancel", asked, trail.done(verdicts))
            return verdicts

    def relaunch(self, job_ids: Sequence[int], asked: Asked) -> tuple[Verdict, ...]:
        """See `models.ports.Operations.relaunch`."""
        with self._sessions.write(f"relaunch {len(job_ids)} jobs") as connection:
            verdicts = people.relaunch(connection, job_ids, asked)
            trail.note(connection, "relaunch", asked, trail.done(verdicts))
            return verdicts

    def retire(self, names: Sequence[str], asked: Asked, *, forced: bool) -> tuple[Verdict, ...]:
        """See `models.ports.Operations.retire`."""
        with self._sessions.write(f"retire {len(names)} workers") as connection:
            wish = Wish(asked=asked, now=clock(connection))
            verdicts = wishes.retire(connection, names, wish, forced=forced)
            trail.note(connection, "delete" if forced else "drain", asked, trail.done(verdicts))
            return verdicts

    def order(
        self,
        flavor: str,
        count: int,
        keep: timedelta,
        asked: Asked,
        *,
        outside_pool: bool = False,
    ) -> tuple[Verdict, ...]:
        """See `models.ports.Operations.order`."""
        ordered = Ordered(flavor=flavor, count=count, keep=keep, outside_pool=outside_pool)
        with self._sessions.write(f"order {count} workers of {flavor}") as connection:
            wish = Wish(asked=asked, now=clock(connection))
            verdicts = wishes.order(connection, ordered, wish, self._registry)
            trail.note(connection, "order", asked, trail.done(verdicts))
            return verdicts

    def set_parameter(
        self, key: str, value: Any, asked: Asked, *, lasts: timedelta | None = None
    ) -> ParameterChange:
        """See `models.ports.Operations.set_parameter`."""
        with self._sessions.write(f"set parameter {key}") as connection:
            wish = Wish(asked=asked, now=clock(connection))
            change = wishes.set_parameter(connection, key, value, wish, lasts)
            trail.note(connection, "set_parameter", asked, [f"parameter:{key}"])
            return change

    def pause(
        self, targets: Sequence[str], asked: Asked, *, lasts: timedelta | None = None
    ) -> tuple[Verdict, ...]:
        """See `models.ports.Operations.pause`."""
        with self._sessions.write(f"pause {', '.join(targets)}") as connection:
            wish = Wish(asked=asked, now=clock(connection))
            verdicts = pauses.pause(connection, targets, wish, lasts, self._registry)
            trail.note(connection, "pause", asked, trail.done(verdicts))
            return verdicts

    def resume(self, targets: Sequence[str], asked: Asked) -> tuple[Verdict, ...]:
        """See `models.ports.Operations.resume`."""
        with self._sessions.write(f"resume {', '.join(targets)}") as connection:
            wish = Wish(asked=asked, now=clock(connection))
            verdicts = pauses.resume(connection, targets, wish)
            trail.note(connection, "resume", asked, trail.done(verdicts))
            return verdicts

    def close_breaker(self, names: Sequence[str], asked: Asked) -> tuple[Verdict, ...]:
        """See `models.ports.Operations.close_breaker`."""
        with self._sessions.write(f"close breaker {', '.join(names)}") as connection:
            wish = Wish(asked=asked, now=clock(connection))
            verdicts = breakers.close(connection, names, wish)
            trail.note(connection, "close_breaker", asked, trail.done(verdicts))
            return verdicts
