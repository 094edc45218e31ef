"""What is asked again and what is not. The original asked eight times for what was not there."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from models.errors import Conflict, HrsiError, Malformed, NotFound, Refused, Unavailable, Unknown
from models.objects import BucketNotFound
from worker.patience import Insistence


@dataclass
class Service:
    """Answers once it was asked often enough."""

    error: HrsiError
    answers_at: int
    asked: int = 0
    waits: list[float] = field(default_factory=list)

    def ask(self) -> str:
        self.asked += 1
        if self.asked < self.answers_at:
            raise self.error
        return "here"


@pytest.mark.parametrize("kind", [NotFound, BucketNotFound, Refused, Malformed])
def test_what_is_not_there_or_not_allowed_is_asked_for_once(kind: type[HrsiError]) -> None:
    service = Service(kind("no"), answers_at=2)
    with pytest.raises(kind):
        Insistence(sleep=service.waits.append).on(service.ask)

    assert (service.asked, service.waits) == (1, [])


@pytest.mark.parametrize("kind", [Unavailable, Unknown, Conflict])
def test_who_is_away_is_asked_again_and_not_for_ever(kind: type[HrsiError]) -> None:
    back, away = Service(kind("?"), answers_at=8), Service(kind("?"), answers_at=9)

    assert Insistence(sleep=back.waits.append).on(back.ask) == "here"
    with pytest.raises(kind):
        Insistence(sleep=away.waits.append).on(away.ask)
    assert (back.asked, away.asked) == (8, 8)
    assert all(wait <= 60 for wait in back.waits)
