"""The part of Nomad's filter expressions (go-bexpr) that is used: anything else is refused.

    Status == "blocked" or Status == "pending"
    not (ClientStatus == "complete" or ClientStatus in ["failed", "lost"])
    Meta["run"] is not empty and Name matches "^hrsi-"

A selector is looked up in the full object, not in the stub of a list; a field that the object does
not have is an error, as a typing mistake is. There is no < or >.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from simulator.nomad.rows import NomadError

Object = Mapping[str, Any]
Predicate = Callable[[Object], bool]

_TOKEN = re.compile(
    r"""\s*(?:(?P<string>"(?:[^"\\]|\\.)*"|`[^`]*`)|(?P<number>-?\d+)"""
    r"""|(?P<symbol>==|!=|\(|\)|\[|\]|,)|(?P<word>[A-Za-z_][A-Za-z0-9_.]*))"""
)
_END = ("end", "")


def parse(expression: str) -> Predicate:
    """The predicate that an expression means. Raises a 400 for what is not understood."""
    parser = _Parser(expression)
    predicate = parser.disjunction()
    parser.expect(_END)
    return predicate


class _Parser:
    """Recursive descent: or, and, not, one comparison."""

    def __init__(self, expression: str) -> None:
        self._expression = expression
        self._tokens = self._split(expression)
        self._at = 0

    def _split(self, text: str) -> list[tuple[str, str]]:
        tokens, at, text = [], 0, text.rstrip()
        while at < len(text):
            match = _TOKEN.match(text, at)
            if match is None or match.lastgroup is None:
                raise self._error(f"no match found near {text[at : at + 12]!r}")
            tokens.append((match.lastgroup, match[match.lastgroup]))
            at = match.end()
        return [*tokens, _END]

    def _error(self, what: str) -> NomadError:
        return NomadError(
            400,
            "failed to create result paginator: failed to read filter expression: "
            f"{self._expression!r}: {what}",
        )

    def _next(self) -> tuple[str, str]:
        token = self._tokens[self._at]
        self._at = min(self._at + 1, len(self._tokens) - 1)
        return token

    def _takes(self, *words: str) -> bool:
        """Go on past these words if they come next."""
        coming = [text for _, text in self._tokens[self._at : self._at + len(words)]]
        if coming != list(words):
            return False
        self._at += len(words)
        return True

    def expect(self, token: tuple[str, str]) -> None:
        """Go on past this token; anything else is an error."""
        if (found := self._next()) != token:
            raise self._error(f"unexpected {found[1] or 'end'!r}")

    def disjunction(self) -> Predicate:
        """One or more conjunctions, of which one has to hold."""
        left = self._conjunction()
        while self._takes("or"):
            left = _either(left, self._conjunction())
        return left

    def _conjunction(self) -> Predicate:
        left = self._negation()
        while self._takes("and"):
            left = _both(left, self._negation())
        return left

    def _negation(self) -> Predicate:
        if self._takes("not"):
            inner = self._negation()
            return lambda row: not inner(row)
        if self._takes("("):
            inner = self.disjunction()
            self.expect(("symbol", ")"))
            return inner
        return self._comparison()

    def _comparison(self) -> Predicate:
        if self._tokens[self._at][0] == "string":
            return self._membership()
        look_up = self._selector()
        if self._takes("is", "empty"):
            return lambda row: not look_up(row)
        if self._takes("is", "not", "empty"):
            return lambda row: bool(look_up(row))
        for words, comparison in _COMPARISONS:
            if self._takes(*words):
                return comparison(look_up, self._value())
        raise self._error(f"unknown operator near {self._next()[1]!r}")

    def _membership(self) -> Predicate:
        """`"x" in Datacenters`, with the value first."""
        value = self._value()
        negated = self._takes("not", "in")
        if not negated:
            self.expect(("word", "in"))
        look_up = self._selector()
        return lambda row: (value in (look_up(row) or ())) is not negated

    def _selector(self) -> Callable[[Object], Any]:
        kind, text = self._next()
        if kind != "word":
            raise self._error(f"a field is expected, not {text or 'the end'!r}")
        path = text.split(".")
        key: str | None = None
        if self._takes("["):
            key = str(self._value())
            self.expect(("symbol", "]"))

        def look_up(row: Object) -> Any:
            value: Any = row
            for step in path:
                if not isinstance(value, Mapping) or step not in value:
                    raise self._error(f"error finding value in datum: /{'/'.join(path)}")
                value = value[step]
            return (value or {}).get(key) if key is not None else value

        return look_up

    def _value(self) -> Any:
        kind, text = self._next()
        if kind == "string":
            return text[1:-1].replace('\\"', '"')
        if kind == "number":
            return int(text)
        if kind == "word":
            return {"true": True, "false": False}.get(text.lower(), text)
        if text == "[":
            return self._values()
        raise self._error(f"a value is expected, not {text or 'the end'!r}")

    def _values(self) -> list[Any]:
        values = [self._value()]
        while self._takes(","):
            values.append(self._value())
        self.expect(("symbol", "]"))
        return values


LookUp = Callable[[Object], Any]


def _either(left: Predicate, right: Predicate) -> Predicate:
    return lambda row: left(row) or right(row)


def _both(left: Predicate, right: Predicate) -> Predicate:
    return lambda row: left(row) and right(row)


def _equal(look_up: LookUp, value: Any) -> Predicate:
    return lambda row: bool(look_up(row) == value)


def _unequal(look_up: LookUp, value: Any) -> Predicate:
    return lambda row: bool(look_up(row) != value)


def _within(look_up: LookUp, value: Any) -> Predicate:
    return lambda row: look_up(row) in value


def _contains(look_up: LookUp, value: Any) -> Predicate:
    return lambda row: value in (look_up(row) or ())


def _matches(look_up: LookUp, value: Any) -> Predicate:
    pattern = re.compile(str(value))
    return lambda row: pattern.search(str(look_up(row))) is not None


_COMPARISONS: tuple[tuple[tuple[str, ...], Callable[[LookUp, Any], Predicate]], ...] = (
    (("==",), _equal),
    (("!=",), _unequal),
    (("in",), _within),
    (("contains",), _contains),
    (("matches",), _matches),
)
