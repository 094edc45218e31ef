"""Campaigns: jobs of reprocessing for what was measured in a window, each image once.

Of several versions of one image that are listed together the newest counts. An image whose job is
there gets none, unless the campaign is to do it again, or that job was cancelled: then its key
names the campaign besides the product.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from models.actions import AddCampaignJobs
from models.campaigns import NOTHING_MET, Campaign, CampaignLook, Part, Tally
from models.catalogue import CatalogueProduct
from models.creation import Acquisition, Known, acquisition_of, identity_of
from models.plan import Decision, Held, Reason, Subject, SubjectKind
from models.records import NewJob, Priority
from models.wording import counted
from reconcilers.creation.rules import RULES

_NEVER = datetime.min.replace(tzinfo=UTC)


def go_on(looks: Iterable[CampaignLook]) -> Iterator[Decision]:
    """What the next parts of campaigns came to."""
    for look in looks:
        if look.unknown:
            yield Held(
                subject=_subject(look.campaign),
                reason=Reason.SOURCE_UNKNOWN,
                because=f"{look.campaign.order.source} gives no more of it: {look.unknown}; it "
                f"goes on from {look.reached:%Y-%m-%d %H:%M} UTC",
            )
        if look.reached > look.campaign.reached:
            yield _step(look)


def _step(look: CampaignLook) -> AddCampaignJobs:
    found = taken(look)
    tally = found.tally
    return AddCampaignJobs(
        subject=_subject(look.campaign),
        reason=Reason.CAMPAIGN_GOES_ON,
        because=f"{counted(tally.listed, 'product')} measured before "
        f"{look.reached:%Y-%m-%d %H:%M} UTC: {counted(len(found.jobs), 'job')} to create, "
        f"{tally.existing} there already",
        facts=(
            ("products", tally.listed),
            ("jobs", len(found.jobs)),
            ("existing", tally.existing),
            ("left_out", tally.left_out),
            ("rejected", tally.rejected),
            ("reached", look.reached.isoformat()),
        ),
        part=part_of(look, found),
    )


def part_of(look: CampaignLook, found: Taken) -> Part:
    """What is written down of a look."""
    return Part(
        campaign_id=look.campaign.id,
        expected=look.campaign.reached,
        reached=look.reached,
        jobs=tuple(found.jobs),
        rejected=look.rejected,
        tally=found.tally,
    )


def _subject(campaign: Campaign) -> Subject:
    return Subject(SubjectKind.CAMPAIGN, str(campaign.id))


@dataclass(kw_only=True, slots=True)
class Taken:
    """The jobs of a part, and what became of everything else that it lists."""

    jobs: list[NewJob] = field(default_factory=list)
    tally: Tally = NOTHING_MET


def taken(look: CampaignLook) -> Taken:
    """What of a part of a campaign becomes a job; `created` is counted by who adds them."""
    job_type = look.campaign.order.job_type
    done, found = _live(look.known, job_type), Taken()
    keys = {known.key for known in look.known.jobs if known.acquisition.job_type == job_type}
    images: set[Acquisition] = set()
    existing = left_out = 0
    for product in sorted(look.products, key=_newest_first):
        image, tiles = acquisition_of(product, job_type), RULES[job_type].tiles(product, look.area)
        if not tiles or image in images:
            left_out += 1
            continue
        images.add(image)
        job = _job(look.campaign, product, tiles, keys)
        if job is None or (image in done and not look.campaign.order.again):
            existing += 1
        else:
            found.jobs.append(job)
    found.jobs.sort(key=lambda job: (job.sensing_at or _NEVER, job.key))
    found.tally = Tally(
        listed=len(look.products),
        existing=existing,
        left_out=left_out,
        rejected=len({*map(identity_of, look.rejected)} - {*look.known.rejected}),
    )
    return found


def _live(known: Known, job_type: str) -> set[Acquisition]:
    """The images that have a job which nobody cancelled."""
    jobs = (each for each in known.jobs if not each.cancelled)
    return {each.acquisition for each in jobs if each.acquisition.job_type == job_type}


def _newest_first(product: CatalogueProduct) -> tuple[int, float, bool, str]:
    """The newest version of an image comes first, and its usual packing before the other."""
    baseline = product.baseline or ""
    made = product.made_at or _NEVER
    number = int(baseline) if baseline.isdecimal() else 0
    return -number, -made.timestamp() if made is not _NEVER else 0, product.is_cog, product.name


def _job(
    campaign: Campaign, product: CatalogueProduct, tiles: tuple[str, ...], keys: set[str]
) -> NewJob | None:
    """The job of a product; None: this campaign has made it."""
    key = product.name if product.name not in keys else f"{product.name}@{campaign.id}"
    if key in keys:
        return None
    job = RULES[campaign.order.job_type].job(product, tiles)
    return replace(
        job,
        key=key,
        priority=Priority.REPROCESSING,
        deadline=None,
        input={**job.input, "campaign": campaign.id},
    )
