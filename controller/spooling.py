"""Messages that waited in files are sent once there is a broker. Used by `hrsi publication`.

A file goes once its message is confirmed and the outbox knows it: whoever is killed in between
sends it again, under the same id.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from models.broker import Broker, Fate, Message
from models.outbox import Outbox
from models.ports import Asked

AT_ONCE = 100
"""Messages on their way together."""


class Waiting(Protocol):
    """A message in a file."""

    @property
    def message(self) -> Message:
        """What is to be sent."""


class Spooled(Protocol):
    """The folder of files."""

    def files(self) -> Sequence[Waiting]:
        """What waits, the oldest first."""

    def remove(self, message: Message) -> None:
        """Take the file of a message away; one that is gone is no error."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Sent:
    """What became of the files: how many messages are confirmed, and why others are not."""

    confirmed: int
    kept: tuple[str, ...]


def send_spool(spool: Spooled, broker: Broker, outbox: Outbox, asked: Asked) -> Sent:
    """Send every message that waits; those that are confirmed are gone from the folder.

    Raises what `Broker.publish` and `Outbox.confirm_spooled` raise; what was sent before is done.
    """
    messages = [each.message for each in spool.files()]
    confirmed, kept = 0, []
    for start in range(0, len(messages), AT_ONCE):
        some = messages[start : start + AT_ONCE]
        told = broker.publish(some)
        done = [m for m, each in zip(some, told, strict=True) if each.fate is Fate.CONFIRMED]
        kept += [
            f"{m.id}: {each.fate}: {each.why}"
            for m, each in zip(some, told, strict=True)
            if each.fate is not Fate.CONFIRMED
        ]
        outbox.confirm_spooled([message.id for message in done], asked)
        for message in done:
            spool.remove(message)
        confirmed += len(done)
    return Sent(confirmed=confirmed, kept=tuple(kept))
