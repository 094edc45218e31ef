"""Where the `hrsi` command begins, before anything is loaded that may not be installed.

The distribution's base is what a worker needs; the rest comes with extras. On a worker there is
this command, too, and no controller behind it.
"""

from __future__ import annotations

import sys
from importlib.util import find_spec

EXIT_USAGE = 2
"""As `controller.cli.output` has it, which cannot be loaded here."""


def main() -> None:
    """Run one command; where a package is missing for it, say which one and how to get it."""
    try:
        from controller.cli import main as hrsi  # noqa: PLC0415  what it needs may be missing

        hrsi()
    except ModuleNotFoundError as missing:
        package = (missing.name or "").partition(".")[0]
        if not package or find_spec(package) is not None:
            raise  # a package that is there and lacks a part of its own is a defect
        sys.stderr.write(
            f"hrsi: {package} is not installed here, and this command ends without it: a worker's "
            "installation has hrsi-worker alone. Where the controller is to run: install what "
            "requirements.lock names (docs/deploy.md)\n"
        )
        sys.exit(EXIT_USAGE)
