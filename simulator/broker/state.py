"""What a broker holds: announced messages, and refused ones with who has them in hand."""

from __future__ import annotations

from dataclasses import dataclass, field

from models.broker import Message


@dataclass
class Lying:
    """A refused message in the queue. `holder` has it in hand and has not settled it."""

    body: bytes
    message_id: str | None
    holder: int | None = None
    redelivered: bool = False


@dataclass
class SimulatedBroker:
    """A queue of announcements and one of failures. What it is told of the rest it obeys.

    `reachable`: it answers. `admits`: it lets us in. `whole`: exchange and queue are there.
    `bound`: the exchange leads to the queue. `short`: it takes nothing for want of memory.
    """

    announced: list[Message] = field(default_factory=list)
    failures: dict[int, Lying] = field(default_factory=dict)
    taken: list[Message] = field(default_factory=list)
    """Announcements that the endpoint has taken out of the queue."""

    confirmed: set[str] = field(default_factory=set)
    """The ids of the messages of which somebody was told that they are kept."""

    reachable: bool = True
    admits: bool = True
    whole: bool = True
    bound: bool = True
    short: bool = False
    _number: int = 0
    _holders: int = 0

    @property
    def stamp(self) -> tuple[int, ...]:
        """Another one when a call would be answered differently than before."""
        answers = self.reachable, self.admits, self.whole, self.bound, self.short
        return (self._number, len(self.failures), *answers)

    def set_right(self) -> None:
        """Nothing is wrong with it any more."""
        self.reachable = self.admits = self.whole = self.bound = True
        self.short = False

    def holder(self) -> int:
        """Somebody new who may take messages in hand."""
        self._holders += 1
        return self._holders

    def refuse(self, body: bytes, message_id: str | None = None) -> None:
        """Put a message that the endpoint could not take into the queue of failures."""
        self._number += 1
        self.failures[self._number] = Lying(body=body, message_id=message_id)

    def take(self, holder: int, limit: int) -> dict[int, Lying]:
        """The first messages that nobody else has in hand; they are in this one's from now on."""
        free = {n: lying for n, lying in self.failures.items() if lying.holder in {None, holder}}
        taken = dict(list(free.items())[:limit])
        for lying in taken.values():
            lying.holder = holder
        return taken

    def settle(self, holder: int, number: int) -> None:
        """Drop a message, if this one has it in hand."""
        lying = self.failures.get(number)
        if lying is not None and lying.holder == holder:
            del self.failures[number]

    def give_back(self, holder: int) -> None:
        """All that this one has in hand lies there again."""
        for lying in self.failures.values():
            if lying.holder == holder:
                lying.holder, lying.redelivered = None, True
