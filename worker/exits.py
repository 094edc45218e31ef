"""What the exit code of the science software means, for each job type: a table, no rule.

A code from 129 to 192 is that of a program which a signal ended: 128 and the signal's number.
"""

from __future__ import annotations

import signal
from dataclasses import dataclass
from enum import StrEnum, auto


class Meaning(StrEnum):
    """What an exit code says."""

    PRODUCTS = auto()
    """It made what it was to make."""
    PERHAPS = auto()
    """The image, not the software, is the reason why some products, or all, are missing."""
    EXTERNAL = auto()
    """Another time, or elsewhere, it may go well: memory, disk, a signal."""
    INTERNAL = auto()
    """It will fail the same way again."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Codes:
    """Codes from `first` to `last`, and what the software means by them."""

    first: int
    last: int
    meaning: Meaning
    words: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class ExitTable:
    """Every code from 0 to 255 has one row: the first that holds it."""

    rows: tuple[Codes, ...]

    def row_of(self, code: int) -> Codes:
        """What this code means. One that no program can end with is internal."""
        for row in self.rows:
            if row.first <= code <= row.last:
                return row
        return Codes(first=code, last=code, meaning=Meaning.INTERNAL, words="no known exit code")


def _codes(first: int, meaning: Meaning, words: str = "", last: int | None = None) -> Codes:
    return Codes(first=first, last=first if last is None else last, meaning=meaning, words=words)


_SUCCESS = _codes(0, Meaning.PRODUCTS, "success")
_INTERNAL = _codes(1, Meaning.INTERNAL, "its own error", 99)
_EXTERNAL = (
    _codes(101, Meaning.EXTERNAL, "no room on the disk"),
    _codes(102, Meaning.EXTERNAL, "no memory left"),
    _codes(129, Meaning.EXTERNAL, "ended by a signal", 192),
    _codes(100, Meaning.EXTERNAL, "an error that may pass", 199),
)
_REST = _codes(0, Meaning.INTERNAL, "no code of this software", 255)

PLAIN = ExitTable(rows=(_SUCCESS, _INTERNAL, *_EXTERNAL, _REST))

FSC = ExitTable(
    rows=(
        _SUCCESS,
        _INTERNAL,
        *_EXTERNAL,
        _codes(200, Meaning.PERHAPS, "the image is too cloudy"),
        _codes(201, Meaning.PERHAPS, "the L1C is incomplete"),
        _codes(202, Meaning.PERHAPS, "the L1C is bad"),
        _codes(203, Meaning.PERHAPS, "detection failed on this image"),
        _codes(204, Meaning.PERHAPS, "the L1C is bad"),
        _codes(205, Meaning.PERHAPS, "a band is missing"),
        _codes(206, Meaning.PERHAPS, "the L1C cannot be parsed"),
        _codes(207, Meaning.PERHAPS, "too much of the image is without data"),
        _REST,
    )
)

_ASSEMBLY_EMPTY, _NO_SWS, _NO_WDS = 1, 2, 4
_FLAGS = ((_ASSEMBLY_EMPTY, "the assembly is empty"), (_NO_SWS, "no SWS"), (_NO_WDS, "no WDS"))
_FLAGGED = 0xD0


def _flagged(bits: int) -> Codes:
    words = ", ".join(text for bit, text in _FLAGS if bits & bit)
    return _codes(_FLAGGED + bits, Meaning.PERHAPS if bits else Meaning.PRODUCTS, words)


SWS = ExitTable(
    rows=(
        _SUCCESS,
        _INTERNAL,
        *_EXTERNAL,
        *(_flagged(bits) for bits in range(8)),
        _codes(200, Meaning.PERHAPS, "nothing to be seen", 249),
        _REST,
    )
)


def describe(table: ExitTable, code: int) -> str:
    """The code in words, with the signal's name where one ended the program."""
    row = table.row_of(code)
    number = code - 128
    if number in {each.value for each in signal.Signals}:
        named = signal.Signals(number).name
        memory = ", most likely for want of memory" if number == signal.SIGKILL else ""
        return f"exit code {code}: ended by {named}{memory}"
    return f"exit code {code}: {row.words}"
