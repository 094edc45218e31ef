"""Where the `hrsi` command begins, before anything is loaded that may not be installed.

The distribution's base is what a worker needs; the rest comes with extras. On a worker there is
this command, too, and no controller behind it.
"""

from __future__ import annotations

import sys

EXIT_USAGE = 2
"""As `controller.cli.output` has it, which cannot be loaded here."""


def main() -> None:
    """Run one command; where a package is missing for it, say which one and how to get it."""
    try:
        from controller.cli import main as hrsi  # noqa: PLC0415  what it needs may be missing

        hrsi()
    except ModuleNotFoundError as missing:
        package = (missing.name or "a package").partition(".")[0]
        sys.stderr.write(
            f"hrsi: {package} is not installed here, so this command cannot run and nothing was "
            "done: a worker's installation has hrsi-worker alone. Where the controller "
            "is to run: install what requirements.lock names (docs/deploy.md)\n"
        )
        sys.exit(EXIT_USAGE)
