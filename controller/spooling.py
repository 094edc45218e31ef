"""Messages that waited in files are sent once there is a broker. Used by `hrsi publication`.

A file goes once its message is confirmed and the outbox knows it: whoever is killed in between
sends it again, under the same id.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from models.broker import Broker, Fate, Message
from models.errors import NotFound, PortError
from models.outbox import Outbox
from models.ports import Asked

AT_ONCE = 100
"""Messages on their way together."""


class Waiting(Protocol):
    """A message in a file."""

    def read(self) -> Message:
        """What is to be sent. Raises `NotFound` when the file is gone, and another `PortError` that
        names it when there is no message in it.
        """

    def remove(self) -> None:
        """Take the file away; one that is gone is no error. Raises `PortError`."""


class Spooled(Protocol):
    """The folder of files."""

    def files(self) -> Sequence[Waiting]:
        """What waits, the oldest first."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Sent:
    """What became of the files: how many messages are confirmed, and why others are not."""

    confirmed: int
    kept: tuple[str, ...]


def send_spool(spool: Spooled, broker: Broker, outbox: Outbox, asked: Asked) -> Sent:
    """Send every message that waits; those that are confirmed are gone from the folder. A file that
    is no message is kept, told, and stops no other.

    Raises what `Broker.publish`, `Outbox.confirm_spooled` and `Waiting.remove` raise; what was sent
    before is done.
    """
    confirmed, kept = 0, []
    files = spool.files()
    for start in range(0, len(files), AT_ONCE):
        some, strange = _read(files[start : start + AT_ONCE])
        kept += strange
        told = broker.publish([message for _, message in some])
        done = [pair for pair, each in zip(some, told, strict=True) if each.fate is Fate.CONFIRMED]
        kept += [
            f"{message.id}: {each.fate}: {each.why}"
            for (_, message), each in zip(some, told, strict=True)
            if each.fate is not Fate.CONFIRMED
        ]
        outbox.confirm_spooled([message.id for _, message in done], asked)
        for file, _ in done:
            file.remove()
        confirmed += len(done)
    return Sent(confirmed=confirmed, kept=tuple(kept))


def _read(files: Sequence[Waiting]) -> tuple[list[tuple[Waiting, Message]], list[str]]:
    """The files with their messages, and what is said of those without one."""
    found: list[tuple[Waiting, Message]] = []
    strange: list[str] = []
    for file in files:
        try:
            found.append((file, file.read()))
        except NotFound:
            continue
        except PortError as error:
            strange.append(str(error))
    return found, strange
