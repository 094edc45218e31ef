"""Live parameters of what buckets keep (see `models.settings`)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from models.settings_fields import number, wait

DAY = 86_400


@dataclass(frozen=True, kw_only=True, slots=True)
class RetentionSettings:
    """How long buckets keep what runs left there."""

    results: timedelta = wait(30 * DAY, DAY, 3650 * DAY)
    """How long working directories, logs and manifests of a job that is over stay in the results
    bucket. People look at a job for days after it failed; shorter leaves them nothing to look at,
    longer costs storage."""

    l2a: timedelta = wait(30 * DAY, DAY, 3650 * DAY)
    """How long the L2A of a job that is over stays in the data bucket once a later image of its
    tile has one. The newest of a tile stays until it is too old for MAJA to begin with (60 days
    after its measurement). Shorter lets images that come late begin without one, and jobs that are
    relaunched fail; longer costs storage, some GB an image."""

    jobs: int = number(20, 1, 1000)
    """Jobs whose results, and as many whose L2A, one look removes at most; the rest is the next
    round's. Fewer take longer to catch up when a time was shortened, more make publication wait for
    its turn at S3."""

    every: timedelta = wait(60, 1, DAY)
    """How long after one look into the results bucket the next one comes. Shorter costs requests;
    longer makes a round through the bucket longer, which only matters when it takes days."""

    folders: int = number(200, 1, 1000)
    """Jobs in the results bucket, and L2A, that one look judges; the next goes on behind them. 200
    a minute are 288,000 a day. Fewer make a round longer, more make a look longer."""

    objects: int = number(10_000, 1, 1_000_000)
    """Objects of one job that are deleted at once: the rest is the next round's. Fewer leave more
    of large jobs behind each time, more keep the bucket busy for longer."""
