"""What the API works with: the store's ports, time, and the key of the run tokens.

It knows no web framework: the composition root makes one where none is installed, too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from models.access import Tokens
from models.campaigning import Campaigns, Offer
from models.campaigns import Campaign
from models.feeds import Feeds
from models.job_types import DEFAULT_REGISTRY, Registry
from models.log_reading import LiveLogs
from models.outbox import Outbox
from models.ports import Clock, Operations, Reader, RunReports
from models.previews import Previewer
from web.log_reader import LogReader
from web.places import NOWHERE, Places


def _nothing(campaign: Campaign) -> Campaign:
    return campaign


@dataclass(frozen=True, kw_only=True, slots=True)
class Reprocessing:
    """What campaigns are made with: the catalogues of the settings for each type of job, the tiles
    of their area, and what a campaign would come to, as far as 20 s of reading say.
    """

    offers: Mapping[str, Offer] = field(default_factory=dict)
    tiles: tuple[str, ...] = ()
    foretold: Callable[[Campaign], Campaign] = _nothing


@dataclass(frozen=True, kw_only=True, slots=True)
class Desk:
    """Everything behind the API. `loops` are the names of the reconcilers that there are;
    `preview` is None where the settings are not those of a controller.
    """

    deployment: str
    loops: tuple[str, ...]
    reader: Reader
    operations: Operations
    reports: RunReports
    tokens: Tokens
    feeds: Feeds
    campaigns: Campaigns
    clock: Clock
    outbox: Outbox
    token_key: bytes = field(repr=False)
    live: LiveLogs | None = None
    preview: Previewer | None = None
    places: Places = NOWHERE
    logs: LogReader = field(default_factory=lambda: LogReader(None, None))
    registry: Registry = DEFAULT_REGISTRY
    reprocessing: Reprocessing = field(default_factory=Reprocessing)
