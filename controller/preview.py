"""What other parameters would change: the same look decided about twice, and the difference.

Computes only. Decisions are compared by loop, subject and what is done; of one that stays, a new
sentence or another number is a difference too.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from itertools import groupby, zip_longest
from operator import attrgetter
from typing import Any

from controller.loop import Reconciler
from controller.plan_text import counts, line_as_text, line_of, sign_of, summary
from controller.planning import Look, Plan, decided
from models.plan import Decision
from models.previews import Decided, Previewed
from models.previews import Difference as Told
from models.settings import settings_kept


@dataclass(frozen=True, kw_only=True, slots=True)
class Difference:
    """A decision of a loop without and with the other parameters; None: it is not decided."""

    loop: str
    without: Decision | None
    with_them: Decision | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Preview:
    """The plan under the parameters in force and under others."""

    without: Plan
    with_them: Plan
    differences: tuple[Difference, ...]


def preview(
    seen: Look, changes: Mapping[str, float | None], reconcilers: tuple[Reconciler, ...]
) -> Preview:
    """Decide about a look under its own parameters and under changed ones (None: the default).

    Raises `ConfigurationError` when the changed ones make no sense.
    """
    values = {**seen.world.store.parameters, **changes}
    settings = settings_kept({key: value for key, value in values.items() if value is not None})
    without = decided(seen, reconcilers)
    with_them = decided(replace(seen, settings=settings), reconcilers)
    return Preview(
        without=without, with_them=with_them, differences=tuple(_differences(without, with_them))
    )


def _differences(without: Plan, with_them: Plan) -> Iterator[Difference]:
    for loop in without:
        before, after = _grouped(without[loop]), _grouped(with_them[loop])
        for key in dict.fromkeys((*before, *after)):
            pairs = zip_longest(before.get(key, ()), after.get(key, ()))
            yield from (Difference(loop=loop, without=b, with_them=a) for b, a in pairs if b != a)


def _grouped(decisions: tuple[Decision, ...]) -> dict[tuple[str, str], list[Decision]]:
    found: defaultdict[tuple[str, str], list[Decision]] = defaultdict(list)
    for decision in decisions:
        found[str(decision.subject), type(decision).__name__].append(decision)
    return found


def told(found: Preview) -> Previewed:
    """The preview as it is told, to people and over the API alike."""
    return Previewed(
        differences=tuple(
            Told(loop=each.loop, now=_decided(each.without), then=_decided(each.with_them))
            for each in found.differences
        ),
        now=counts(_all(found.without)),
        then=counts(_all(found.with_them)),
    )


def _decided(decision: Decision | None) -> Decided | None:
    if decision is None:
        return None
    return Decided(
        action=type(decision).__name__,
        subject=str(decision.subject),
        what=line_of(decision).what,
        reason=decision.reason,
        because=decision.because,
        facts=dict(decision.facts),
    )


def _all(plan: Plan) -> list[Decision]:
    return [decision for decisions in plan.values() for decision in decisions]


def preview_lines(found: Previewed) -> Iterator[str]:
    """The preview for people: what differs, loop by loop, and both plans in a sentence."""
    if not found.differences:
        yield "No decision about this world would be another one."
        return
    for loop, each in groupby(found.differences, key=attrgetter("loop")):
        yield f"{loop}:"
        yield from _loop_lines(tuple(each))
    yield ""
    yield f"Without: {summary(found.now)}"
    yield f"With:    {summary(found.then)}"


def _loop_lines(differences: tuple[Told, ...]) -> Iterator[str]:
    """One line for each side of what reads differently; the rest, in number only, is counted."""
    alike = 0
    for each in differences:
        before, after = (decided and _line(decided) for decided in (each.now, each.then))
        if before == after:
            alike += 1
            continue
        if before is not None:
            yield f"  without: {before}"
        if after is not None:
            yield f"  with:    {after}"
    if alike:
        yield f"  {alike} more stay as they are and only go by other numbers (see --json)"


def _line(decided: Decided) -> str:
    return line_as_text(sign_of(decided.action), decided.what, decided.because)


def preview_as_json(found: Previewed) -> dict[str, Any]:
    """The preview for scripts."""
    return {
        "differences": [
            {
                "loop": each.loop,
                "without": each.now and _as_json(each.loop, each.now),
                "with": each.then and _as_json(each.loop, each.then),
            }
            for each in found.differences
        ],
        "without": found.now,
        "with": found.then,
    }


def _as_json(loop: str, decided: Decided) -> dict[str, Any]:
    return {"loop": loop, "sign": sign_of(decided.action), **asdict(decided)}
