"""Campaigns: jobs of reprocessing for what was measured in a window, each image once.

Of several versions of one image that are listed together the newest counts. An image whose job is
there gets none, unless the campaign is to do it again, or that job was cancelled: then its key
names the campaign besides the product. Types that are made of several products are the matter of
`reconcilers.creation.campaign_groups`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from models.actions import AddCampaignJobs
from models.campaigns import NOTHING_MET, Campaign, CampaignLook, Part, Tally
from models.catalogue import CatalogueProduct
from models.creation import Acquisition, acquisition_of, identity_of
from models.plan import Decision, Held, Reason, Subject, SubjectKind
from models.records import NewJob
from models.wording import counted
from reconcilers.creation.campaign_groups import (
    free_key,
    images_of_groups,
    live,
    of_groups,
    reprocessed,
)
from reconcilers.creation.compositions import COMPOSITIONS
from reconcilers.creation.rules import RULES

CAMPAIGN_TYPES = (*RULES, *COMPOSITIONS)
"""The types of job that can have campaigns: all that catalogues bring."""

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


def images_of(look: CampaignLook) -> frozenset[Acquisition]:
    """What has to be known of a part before it is judged: whether there are jobs about these."""
    job_type = look.campaign.order.job_type
    if job_type in COMPOSITIONS:
        return images_of_groups(look)
    return frozenset(acquisition_of(product, job_type) for product in look.products)


def taken(look: CampaignLook) -> Taken:
    """What of a part of a campaign becomes a job; `created` is counted by who adds them."""
    job_type = look.campaign.order.job_type
    if job_type in COMPOSITIONS:
        jobs, tally = of_groups(look)
        return Taken(jobs=jobs, tally=replace(tally, rejected=_newly_rejected(look)))
    done, found = {each.acquisition for each in live(look.known, job_type)}, Taken()
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
        rejected=_newly_rejected(look),
    )
    return found


def _newly_rejected(look: CampaignLook) -> int:
    return len({*map(identity_of, look.rejected)} - {*look.known.rejected})


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
    key = free_key(product.name, campaign, keys)
    if key is None:
        return None
    return reprocessed(RULES[campaign.order.job_type].job(product, tiles), key, campaign)
