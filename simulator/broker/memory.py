"""The port `Broker` in memory: a simulated broker, with faults on order."""

from __future__ import annotations

from collections.abc import Sequence

from models.broker import UNBOUND, Fate, Message, RefusedMessage, Told
from models.errors import NotFound, Refused, Throttled, Unavailable
from simulator.broker.state import SimulatedBroker
from simulator.faults import Crash, Fault, Faults


class MemoryBroker:
    """Implements `models.broker.Broker`. Operations: `broker.publish`, `.refused`, `.settle`; each
    asks `faults` once per call.
    """

    def __init__(self, broker: SimulatedBroker, faults: Faults | None = None) -> None:
        self._broker = broker
        self._faults = faults or Faults()
        self._holder = broker.holder()
        self._closed = False

    def publish(self, messages: Sequence[Message]) -> tuple[Told, ...]:
        """See the port."""
        fault = self._opened("broker.publish")
        if self._broker.short:
            raise Unavailable("publish to the broker: it takes nothing for want of memory")
        if fault is Fault.TIMEOUT:
            return _all(messages, Fate.UNKNOWN, "no confirm in time")
        if fault is Fault.SERVER_ERROR:
            return _all(messages, Fate.REJECTED, "the broker could not keep it")
        if not self._broker.bound:
            return _all(messages, Fate.RETURNED, f"{UNBOUND} 'product_publication'")
        self._broker.announced += messages
        if fault is Fault.CRASH_AFTER:
            raise Crash("broker.publish")
        if fault is Fault.LOST_REPLY:
            return _all(messages, Fate.UNKNOWN, "no confirm in time")
        self._broker.confirmed.update(message.id for message in messages)
        return _all(messages, Fate.CONFIRMED)

    def refused(self, limit: int) -> tuple[RefusedMessage, ...]:
        """See the port."""
        fault = self._opened("broker.refused")
        taken = self._broker.take(self._holder, limit)
        if fault is Fault.CRASH_AFTER:
            raise Crash("broker.refused")
        if fault is not None:
            self._broker.give_back(self._holder)
            raise Unavailable("read refused messages: no answer in time")
        return tuple(
            RefusedMessage(
                receipt=f"{self._holder}-{number}",
                body=lying.body,
                message_id=lying.message_id,
                redelivered=lying.redelivered,
            )
            for number, lying in taken.items()
        )

    def settle(self, receipts: Sequence[str]) -> None:
        """See the port. A connection that breaks is noticed by whoever asks next."""
        fault = self._faults.take("broker.settle")
        if fault is Fault.CRASH:
            raise Crash("broker.settle")
        if fault not in {None, Fault.LOST_REPLY, Fault.CRASH_AFTER} or not self._broker.reachable:
            self._broker.give_back(self._holder)
            return
        for receipt in receipts:
            holder, _, number = receipt.partition("-")
            self._broker.settle(int(holder), int(number))
        if fault is Fault.CRASH_AFTER:
            raise Crash("broker.settle")

    def close(self) -> None:
        """See the port."""
        self._closed = True
        self._broker.give_back(self._holder)

    def _opened(self, operation: str) -> Fault | None:
        """The fault of a call for which the broker could be reached."""
        fault = self._faults.take(operation)
        if fault is Fault.CRASH:
            raise Crash(operation)
        if fault is Fault.THROTTLED:
            raise Throttled(f"{operation}: asked too often")
        if self._closed or not self._broker.reachable or fault is Fault.REFUSED:
            self._broker.give_back(self._holder)
            raise Unavailable(f"{operation}: nobody answers")
        if not self._broker.admits:
            raise Refused(f"{operation}: access refused; check user and password")
        if not self._broker.whole:
            raise NotFound(f"{operation}: there is no such exchange")
        return fault


def _all(messages: Sequence[Message], fate: Fate, why: str = "") -> tuple[Told, ...]:
    return tuple(Told(fate=fate, why=why) for _ in messages)
