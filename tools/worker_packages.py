"""Print the lock's entries of what the program on a worker needs, for `deploy/worker/build.sh`.

    python -m tools.worker_packages > wanted.txt

What needs what is read off the packages that are installed here, for this Python and system.
"""

import re
import sys
import tomllib
from collections.abc import Iterable
from importlib.metadata import requires
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]


def needed(names: Iterable[str]) -> set[str]:
    """These packages and all that they need, without what only an extra of theirs does."""
    found: set[str] = set()
    waiting = [canonicalize_name(Requirement(name).name) for name in names]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += [
                canonicalize_name(each.name)
                for each in map(Requirement, requires(name) or ())
                if each.marker is None or each.marker.evaluate({"extra": ""})
            ]
    return found


def entries(lock: str) -> dict[str, str]:
    """The lock's entries, each with its hashes, by the name of the package."""
    parts = re.split(r"^(?=[a-z])", lock, flags=re.MULTILINE)[1:]
    return {part.partition("==")[0]: part for part in parts}


def main() -> int:
    """Print the entries."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    locked = entries((ROOT / "requirements.lock").read_text(encoding="utf-8"))
    sys.stdout.writelines(locked[name] for name in sorted(needed(project["dependencies"])))
    return 0


if __name__ == "__main__":
    sys.exit(main())
