"""Write docs/parameters.md from the docstrings of the live parameters in `models.settings`.

    python -m tools.parameters_page docs/parameters.md

A test says when the page is out of date.
"""

import sys
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

from models.parameter_text import Parameter, group_explanation, parameters

HEAD = """\
# Parameters
<!-- made by tools.parameters_page from models/settings.py: change it there -->

Thresholds that are changed while the controller runs. A change is in force from the next pass of \
each loop on; it is checked against the bounds and against the other parameters, and stands in the \
history with its author and reason. [guide.md](guide.md) tells how: `hrsi param list`, \
`hrsi param set`, `hrsi param history`, `hrsi param rollback`; `hrsi param preview` shows \
beforehand what a change would do.

Waits are written as `90s`, `30m`, `1h30m`, `2d`, or as seconds.
"""


def page() -> str:
    """The whole page."""
    return "\n".join([HEAD, *_groups()])


def _groups() -> Iterator[str]:
    for name, members in groupby(parameters().values(), key=lambda p: p.key.partition(".")[0]):
        yield f"## {name}\n{group_explanation(name)}\n"
        yield "| parameter | unit | default | may be | what, why, the harm of a wrong value |"
        yield "|---|---|---|---|---|"
        yield from map(_row, members)
        yield ""


def _row(each: Parameter) -> str:
    told = each.explanation.replace("|", "\\|")
    unit = "time" if each.unit == "seconds" else each.unit
    return f"| `{each.key}` | {unit} | {each.shown(None)} | {each.bounds} | {told} |"


def main() -> int:
    """Write the pages named on the command line."""
    for name in sys.argv[1:]:
        Path(name).write_text(page(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
