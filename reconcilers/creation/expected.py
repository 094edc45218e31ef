"""Whether the last day brought as many jobs as days do: silence of a catalogue looks like peace."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from models.plan import Decision, Held, Reason, Subject, SubjectKind
from models.settings_expected import ExpectedSettings
from models.wording import counted
from models.world import World

DAY = timedelta(days=1)


def too_few(world: World, settings: ExpectedSettings, now: datetime) -> Iterator[Decision]:
    """A word about each type of job of which the last 24 h brought fewer than is ordinary.

    Judged is a type that ever had jobs, once a whole day was counted, in an area that is not much
    smaller than the one that the ranges hold for. Jobs of reprocessing do not count.
    """
    arrivals, area = world.arrivals, world.area
    if arrivals is None or area is None or 2 * len(area.tiles) < settings.tiles:
        return
    if arrivals.began is None or now - arrivals.began < DAY:
        return
    for job_type, number in sorted(arrivals.counts.items()):
        expected = settings.range_of(job_type, now)
        if expected is not None and number < expected[0]:
            least, most = expected
            yield Held(
                subject=Subject(SubjectKind.TYPE, job_type),
                reason=Reason.FEW_PRODUCTS,
                because=f"{counted(number, f'{job_type} job')} came of catalogues in the last "
                f"24 h, where {least:.0f} to {most:.0f} are ordinary on a {now:%A}",
                facts=(("jobs", number), ("least", round(least)), ("most", round(most))),
            )
