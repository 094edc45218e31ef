"""What is remembered, and of what."""

from hypothesis import given
from hypothesis import strategies as st

from models.remembered import KEPT, remembered


class Counted:
    """Adds up lists and counts how often it was asked."""

    def __init__(self) -> None:
        self.asked = 0
        self.total = remembered(self._total)

    def _total(self, numbers: list[int], more: list[int]) -> int:
        self.asked += 1
        return sum(numbers) + sum(more)


def test_the_very_same_things_are_asked_about_once() -> None:
    counted, numbers, more = Counted(), [1, 2], [3]
    assert counted.total(numbers, more) == counted.total(numbers, more) == 6
    assert counted.asked == 1


def test_equal_things_are_not_the_same_things() -> None:
    counted, more = Counted(), [3]
    assert counted.total([1, 2], more) == counted.total([1, 2], more) == 6
    assert counted.asked == 2


def test_as_many_answers_are_kept_as_it_says_and_the_oldest_goes_first() -> None:
    counted, none = Counted(), list[int]()
    lists = [[number] for number in range(KEPT + 1)]
    for each in lists:
        counted.total(each, none)
    for each in lists[1:]:
        counted.total(each, none)
    assert counted.asked == KEPT + 1
    counted.total(lists[0], none)
    assert counted.asked == KEPT + 2


@given(st.lists(st.integers(0, 7), max_size=40))
def test_the_answer_is_that_of_the_function_whatever_was_asked_before(order: list[int]) -> None:
    counted, more = Counted(), [1]
    lists = [[number] for number in range(8)]
    assert [counted.total(lists[i], more) for i in order] == [i + 1 for i in order]
