"""Write the parameterized Nomad jobs that a controller registers, as files to read.

    python -m tools.nomad_jobs deploy/nomad

They are made by what registers them, from `models.job_types` and the settings of deploy/hrsi.toml:
to change a job, change it there. Nobody has to run them: a controller registers its parents itself,
and again when they change. `nomad job run -json FILE` does the same by hand.
"""

import json
import sys
from collections.abc import Mapping
from pathlib import Path

from controller.bootstrap.access import site
from controller.config import load
from infra.nomad.parents import job_of

SETTINGS = Path(__file__).parents[1] / "deploy" / "hrsi.toml"


def files() -> Mapping[str, str]:
    """What each file has in it, by its name."""
    config = load(SETTINGS, {})
    found = {}
    for parent in site(config).parents:
        job = job_of(parent, config.deployment, config.nomad.namespace)
        name = f"{parent.service}-{parent.flavor}.nomad.json"
        found[name] = json.dumps({"Job": job}, indent=2) + "\n"
    return found


def main() -> int:
    """Write the files into the folder named on the command line."""
    folder = Path(sys.argv[1])
    for name, content in files().items():
        (folder / name).write_text(content, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
