"""Draw the status machine of `models.lifecycle` as Mermaid, and put it into a page.

    python -m tools.status_diagram docs/store.md

replaces what stands between the two marks in that page. A test says when it is out of date.
"""

import sys
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

from models.lifecycle import FINAL, OWNER, Status, transition_pairs

BEGIN, END = "<!-- status diagram: made by tools.status_diagram -->", "<!-- end of diagram -->"

# Nearly every status leads there and these lead nearly everywhere: drawn in full, the picture
# would be a ball of wool. They are told in a table instead.
_EVERYWHERE = (Status.INTERNAL_ERROR, Status.EXTERNAL_ERROR, Status.CANCELLED, Status.ERROR_CHECKED)


def diagram() -> str:
    """The picture of the way of a job, and the table of how it leaves that way."""
    return "\n".join(
        [BEGIN, "```mermaid", "stateDiagram-v2", *_arrows(), "```", "", *_table(), END]
    )


def replaced(page: str) -> str:
    """The page with the diagram between its marks made anew."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return before + diagram() + after


def _arrows() -> Iterator[str]:
    for before, after in transition_pairs():
        if before not in _EVERYWHERE and after not in _EVERYWHERE:
            yield f"    {before or '[*]'} --> {after}"
    yield from (f"    {status} --> [*]" for status in sorted(FINAL) if status not in _EVERYWHERE)


def _table() -> Iterator[str]:
    yield "| from | moved on by | may leave the way to |"
    yield "|---|---|---|"
    for before, pairs in groupby(transition_pairs(), key=lambda pair: pair[0]):
        reached = [after for _, after in pairs]
        ways = reached if before in _EVERYWHERE else [s for s in reached if s in _EVERYWHERE]
        said = "any status" if len(ways) == len(Status) else ", ".join(ways)
        owner = "whoever makes the job" if before is None else OWNER.get(before, "people alone")
        yield f"| {before or 'nothing'} | {owner} | {said} |"


def main() -> int:
    """Rewrite the pages named on the command line."""
    for name in sys.argv[1:]:
        page = Path(name)
        page.write_text(replaced(page.read_text(encoding="utf-8")), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
