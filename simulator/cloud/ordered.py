"""What was ordered to go wrong with the next servers of a simulated cloud."""

from __future__ import annotations

from collections import deque
from datetime import timedelta

from models.errors import PortError
from simulator.cloud.options import BootFailure

NOW = timedelta(0)


class Ordered:
    """Orders that wait for the create, the boot or the delete that they are for."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Forget what has not happened yet."""
        self._refusals: deque[PortError] = deque()
        self._boots: deque[tuple[BootFailure, str | None]] = deque()
        self._deletes = 0
        self._delays: deque[timedelta] = deque()

    def refuse_creates(self, error: PortError, times: int = 1) -> None:
        """Let the next `times` creates be refused with this error."""
        self._refusals.extend([error] * times)

    def fail_boots(self, how: BootFailure, times: int = 1, flavor: str | None = None) -> None:
        """Let the next `times` boots (of a flavor) go wrong so."""
        self._boots.extend([(how, flavor)] * times)

    def fail_deletes(self, times: int = 1) -> None:
        """Let the next `times` deletes end in ERROR on the host; asked again they work."""
        self._deletes += times

    def delay_deletes(self, by: timedelta, times: int = 1) -> None:
        """Let the next `times` deletes take that much longer, as when the host hangs."""
        self._delays.extend([by] * times)

    def refusal(self) -> PortError | None:
        """Why this create is refused, if it is."""
        return self._refusals.popleft() if self._refusals else None

    def boot_failure(self, flavor: str) -> BootFailure | None:
        """What goes wrong with this boot."""
        for planned in self._boots:
            if planned[1] in {None, flavor}:
                self._boots.remove(planned)
                return planned[0]
        return None

    def delay(self) -> timedelta:
        """How much longer this delete takes."""
        return self._delays.popleft() if self._delays else NOW

    def delete_fails(self) -> bool:
        """Whether this delete ends in ERROR."""
        failing = self._deletes > 0
        self._deletes -= failing
        return failing
