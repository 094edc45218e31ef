"""The style gate of ``make check``: small functions, few branches, pure decisions, honest errors.

    python -m tools.style_gate [--figures] controller reconcilers models ... tests

ruff and mypy judge single lines; this judges shapes and proportions that they do not know. A file
below a folder called tests, or named like one, is a test; all others are source, and every bound
is on source unless it says tests. For each breach it prints where, what and the remedy, and exits
1. How each figure is counted stands in ``style_source``. A bound is loosened only together with a
decision record in docs/adr.
"""

import argparse
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tools.style_source import Module, read_modules

MODULE_LINES, FUNCTION_LINES, BRANCHES = 400, 60, 12
PLACES_SHOWN = 15


@dataclass(frozen=True, slots=True)
class Tree:
    """Everything that was read, source and tests apart."""

    source: tuple[Module, ...]
    tests: tuple[Module, ...]

    def lines(self) -> int:
        """Lines of source."""
        return sum(module.lines for module in self.source)

    def places(self, kind: str) -> list[str]:
        """Where the marks of a kind stand in source."""
        return [place for module in self.source for place in module.places(kind)]

    def test_places(self, kind: str) -> list[str]:
        """Where the marks of a kind stand in tests."""
        return [place for module in self.tests for place in module.places(kind)]

    def public(self, *, documented: bool) -> list[str]:
        """Where the public functions stand that have, or lack, a docstring."""
        return [
            f"{module.path}:{routine.line} {routine.name}"
            for module in self.source
            for routine in module.routines
            if routine.public and routine.documented is documented
        ]

    def cases(self) -> int:
        """How many test functions there are."""
        names = (routine.name for module in self.tests for routine in module.routines)
        return sum(name.lower().startswith("test") for name in names)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """A proportion of the whole tree, what it must be, and what to do where it is not."""

    name: str
    least: float | None = None
    most: float | None = None
    figure: Callable[[Tree], float | None]
    culprits: Callable[[Tree], Sequence[str]] = lambda _: ()
    remedy: str = ""

    def holds(self, tree: Tree) -> bool:
        """Whether the figure is within its bound; one that has no meaning yet always is."""
        value = self.figure(tree)
        if value is None:
            return True
        return (self.least is None or value >= self.least) and (
            self.most is None or value <= self.most
        )

    def shown(self, tree: Tree) -> str:
        """The figure beside its bound, as in "pure lines 61 % (>= 45)"."""
        value = self.figure(tree)
        least = "" if self.least is None else f" (>= {self.least:g})"
        most = "" if self.most is None else f" (<= {self.most:g})"
        return f"{self.name} {'-' if value is None else f'{value:g}'}{least}{most}"


def percent(part: float, whole: float) -> float | None:
    """A whole percentage; None of nothing."""
    return round(100 * part / whole) if whole else None


def ratio(part: float, whole: float) -> float | None:
    """A quotient of two decimals; None of nothing."""
    return round(part / whole, 2) if whole else None


def within(tree: Tree, good: str, bad: str) -> float | None:
    """The percentage of good marks among good and bad ones."""
    kept, broken = len(tree.places(good)), len(tree.places(bad))
    return percent(kept, kept + broken)


def impure(tree: Tree) -> Sequence[str]:
    """The impure modules, the longest first."""
    found = sorted((module for module in tree.source if not module.pure), key=lambda m: -m.lines)
    return [f"{module.path}:1 ({module.lines} lines)" for module in found]


BOUNDS = (
    Bound(
        name="pure lines, %",
        least=45,
        figure=lambda tree: percent(sum(m.lines for m in tree.source if m.pure), tree.lines()),
        culprits=impure,
        remedy="Move what decides out of these modules into one that is handed what it needs.",
    ),
    Bound(
        name="catch-all handlers per 1000 lines",
        most=0.5,
        figure=lambda tree: ratio(1000 * len(tree.places("broad")), tree.lines()),
        culprits=lambda tree: tree.places("broad"),
        remedy="Catch the errors of models.errors that you can answer; let the loop have the rest.",
    ),
    Bound(
        name="errors chained, %",
        least=95,
        figure=lambda tree: within(tree, "chained", "unchained"),
        culprits=lambda tree: tree.places("unchained"),
        remedy="Write `raise ... from error`, so that the cause stays attached.",
    ),
    Bound(
        name="records frozen, %",
        least=80,
        figure=lambda tree: within(tree, "frozen", "thawed"),
        culprits=lambda tree: tree.places("thawed"),
        remedy="Make the record frozen and use dataclasses.replace where it changes.",
    ),
    Bound(
        name="public docstrings, %",
        least=80,
        figure=lambda tree: percent(
            len(tree.public(documented=True)),
            len(tree.public(documented=True)) + len(tree.public(documented=False)),
        ),
        culprits=lambda tree: tree.public(documented=False),
        remedy="Say in a sentence what a caller may rely on, or make the function private.",
    ),
    Bound(
        name="escape hatches per 1000 lines",
        most=2,
        figure=lambda tree: ratio(1000 * len(tree.places("hatch")), tree.lines()),
        culprits=lambda tree: tree.places("hatch"),
        remedy="Mend what the checker complains about instead of silencing it.",
    ),
    Bound(
        name="mocks per test",
        most=0.1,
        figure=lambda tree: ratio(len(tree.test_places("mock")), tree.cases()),
        culprits=lambda tree: tree.test_places("mock"),
        remedy="Use the simulator's implementation of the port, or hand the value in.",
    ),
    # Reported only: a young tree is out of proportion for good reasons.
    Bound(
        name="test lines per source line",
        figure=lambda tree: ratio(sum(m.lines for m in tree.tests), tree.lines()),
    ),
    Bound(
        name="parametrized tests, %",
        figure=lambda tree: percent(len(tree.test_places("table")), tree.cases()),
    ),
)


def sizes(module: Module) -> Iterator[str]:
    """The breaches of one source module that need no look at the others."""
    if module.lines > MODULE_LINES:
        yield (
            f"{module.path}:1: {module.lines} lines, more than {MODULE_LINES}."
            " Split it by concern into modules named after nouns."
        )
    for routine in module.routines:
        where = f"{module.path}:{routine.line}: {routine.name}"
        if routine.lines > FUNCTION_LINES:
            yield (
                f"{where} has {routine.lines} lines, more than {FUNCTION_LINES}."
                " Give its steps names of their own."
            )
        if routine.branches > BRANCHES:
            yield (
                f"{where} has {routine.branches} branches, more than {BRANCHES}."
                " Turn cases into a table, or conditions into named questions."
            )
        if not routine.typed:
            yield f"{where} lacks annotations. Annotate every parameter and the result."


def disproportions(tree: Tree) -> Iterator[str]:
    """The bounds that the tree as a whole breaks, each with the places to begin at."""
    for bound in BOUNDS:
        if not bound.holds(tree):
            culprits = bound.culprits(tree)
            yield f"{bound.shown(tree)}. {bound.remedy}"
            yield from (f"  {place}" for place in culprits[:PLACES_SHOWN])
            if len(culprits) > PLACES_SHOWN:
                yield f"  and {len(culprits) - PLACES_SHOWN} more"


def read_tree(roots: Iterable[Path]) -> Tree:
    """Every module below the roots."""
    found = [module for root in roots for module in read_modules(root)]
    return Tree(
        source=tuple(module for module in found if not module.is_test),
        tests=tuple(module for module in found if module.is_test),
    )


def breaches(tree: Tree) -> Iterator[str]:
    """Everything to be mended, one line each."""
    for module in tree.source:
        yield from sizes(module)
    yield from disproportions(tree)


def figures(tree: Tree) -> Iterator[str]:
    """Every figure, one line each."""
    yield f"modules {len(tree.source)}, lines {tree.lines()}, tests {tree.cases()}"
    yield from (bound.shown(tree) for bound in BOUNDS)


def main(arguments: Sequence[str] | None = None) -> int:
    """Judge the folders of the command line; 1 when a bound is broken."""
    parser = argparse.ArgumentParser(description="Judge the style of source trees.")
    parser.add_argument("roots", nargs="+", type=Path, metavar="FOLDER")
    parser.add_argument("--figures", action="store_true", help="print every figure")
    options = parser.parse_args(arguments)
    missing = [str(root) for root in options.roots if not root.exists()]
    if missing:
        parser.error(f"not there: {', '.join(missing)}")

    try:
        # A root such as "." has no name, and names tell a package from the library of its name.
        tree = read_tree(root if root.name else root.resolve() for root in options.roots)
    except SyntaxError as error:
        print(f"{error.filename}:{error.lineno}: this is no Python: {error.msg}")
        return 1
    if options.figures:
        print(*figures(tree), sep="\n")
    found = list(breaches(tree))
    for line in found:
        print(line)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
