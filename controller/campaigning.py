"""Reading for campaigns: the next part of each, behind the feeds, with rests after failures.

A campaign may wait, a new image may not: while a feed of a catalogue is behind or away, no campaign
asks that catalogue for anything. What is remembered here makes reading more polite alone; how far a
campaign has come stands in the store.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta

from controller.campaign_reading import Library, PartReader, feeds_of_order
from controller.looks import rest_after
from models.campaigning import Campaigns
from models.campaigns import Campaign, CampaignLook, CampaignState, Tally
from models.creation import Met
from models.errors import PortError
from models.feeds import Feeds
from models.ports import Clock
from models.settings_creation import CreationSettings
from reconcilers.creation.campaigns import images_of, taken


@dataclass(kw_only=True, slots=True)
class _Memory:
    """What one process remembers of a campaign: what was read of it, when it may be read again
    (monotonic seconds), and how often in a row, and why, it could not be.
    """

    reader: PartReader | None = None
    again: float = float("-inf")
    failures: int = 0
    unknown: str = ""


class Campaigner:
    """Reads the next parts of the campaigns that run. Not to be used by two threads at once."""

    def __init__(
        self,
        library: Library,
        campaigns: Campaigns,
        feeds: Feeds,
        clock: Clock,
    ) -> None:
        self._library = library
        self._campaigns = campaigns
        self._feeds = feeds
        self._clock = clock
        self._again = float("-inf")
        self._memories: dict[int, _Memory] = {}

    def look(
        self, settings: CreationSettings, ends: float, busy: Collection[str]
    ) -> tuple[CampaignLook, ...]:
        """The next part of the oldest campaign that can be read, begun before the monotonic moment
        `ends`, and why others cannot. `busy` are the catalogues that feeds have to read first.

        Raises what the store raises.
        """
        if self._clock.monotonic() < self._again:
            return ()
        running = [
            each for each in self._campaigns.campaigns() if each.state is CampaignState.RUNNING
        ]
        self._memories = {c.id: self._memory(c) for c in running}
        found: list[CampaignLook] = []
        for campaign in running:
            look = self._look_at(campaign, settings, ends, busy)
            found += [look] if look is not None else []
            if look is not None and not look.unknown:
                break
        pause = timedelta(0) if running else settings.period
        self._again = self._clock.monotonic() + pause.total_seconds()
        return tuple(found)

    def _memory(self, campaign: Campaign) -> _Memory:
        return self._memories.get(campaign.id) or _Memory()

    def _look_at(
        self, campaign: Campaign, settings: CreationSettings, ends: float, busy: Collection[str]
    ) -> CampaignLook | None:
        """None: there is no time left for it."""
        memory = self._memories[campaign.id]
        blind = CampaignLook(campaign=campaign, reached=campaign.reached)
        reader, why = self._reader(campaign, memory)
        if reader is None:
            return replace(blind, unknown=why)
        if self._clock.monotonic() < memory.again:
            return replace(blind, unknown=memory.unknown)
        asked = [feed.source for feed in feeds_of_order(campaign.order, self._library.own)]
        late = next((source for source in asked if source in busy), None)
        if late is not None:
            why = f"feeds of {late} are behind or away, and new images come first"
            return replace(blind, unknown=why)
        if self._clock.monotonic() >= ends:
            return None
        try:
            look = with_known(reader.read(campaign, settings, ends), self._feeds)
        except PortError as error:
            memory.failures, memory.unknown = memory.failures + 1, str(error)
            rest = rest_after(memory.failures, error.retry_after, settings)
            memory.again = self._clock.monotonic() + rest.total_seconds()
            return replace(blind, unknown=memory.unknown)
        memory.failures, memory.unknown = 0, ""
        return look

    def _reader(self, campaign: Campaign, memory: _Memory) -> tuple[PartReader | None, str]:
        """What reads a campaign, made once; or why nothing can."""
        if memory.reader is None:
            try:
                memory.reader = self._library.reader_of(campaign.order, self._clock)
            except KeyError as missing:
                return None, f"the settings of the controller name no catalogue {missing}"
        return memory.reader, ""


def with_known(look: CampaignLook, feeds: Feeds) -> CampaignLook:
    """The same, with what the store has of it already."""
    met = Met(acquisitions=images_of(look), rejected=look.rejected)
    return look if met == Met() else replace(look, known=feeds.known(met))


def foretold(
    campaign: Campaign, reader: PartReader, feeds: Feeds, settings: CreationSettings
) -> Iterator[Campaign]:
    """How a campaign would stand after each of its parts, were it begun now. Writes nothing.

    Raises what `PartReader.read` and the store raise.
    """
    while campaign.reached < campaign.order.until:
        look = with_known(reader.read(campaign, settings), feeds)
        found = taken(look)
        tally = campaign.tally + found.tally + Tally(created=len(found.jobs))
        campaign = replace(campaign, reached=look.reached, tally=tally)
        yield campaign
