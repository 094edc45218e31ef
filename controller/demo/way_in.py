"""How commands in another terminal find a demo: its settings, as variables to source."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path

from controller.config_groups import Config

ELSEWHERE = ("OS_CLOUD", "NOMAD_TOKEN", "HRSI_TOKEN")
"""What would lead a command away from the demo, or is not for it to know."""


def write_way_in(file: Path, config: Config, outside: Mapping[str, str]) -> None:
    """Write a file to source, for its owner alone: it has a key.

    `outside`: the variables with which client libraries find the cloud and Nomad.
    """
    found = {**outside, **way_in(config)}
    lines = [f"unset {' '.join(ELSEWHERE)}"]
    lines += [f"export {name}={shlex.quote(value)}" for name, value in found.items() if value]
    file.touch(mode=0o600)
    file.write_text("".join(f"{line}\n" for line in lines))


def way_in(config: Config) -> dict[str, str]:
    """The settings of a demo's controller, so that others decide as it does."""
    cloud, runs, creation = config.openstack, config.runs, config.creation
    return {
        "DATABASE_URL": config.database.url.reveal(),
        "NOMAD_ADDR": config.nomad.address,
        "HRSI_DEPLOYMENT": config.deployment,
        "HRSI_OPENSTACK_PROJECT": cloud.project or "",
        "HRSI_OPENSTACK_IMAGE": cloud.image or "",
        "HRSI_OPENSTACK_NETWORKS": ",".join(cloud.networks),
        "HRSI_OPENSTACK_SECURITY_GROUPS": ",".join(cloud.security_groups),
        "HRSI_RUNS_TOKEN_KEY": runs.token_key.reveal(),
        "HRSI_RUNS_COMMAND": runs.command,
        "HRSI_RUNS_ARGS": ",".join(runs.args),
        "HRSI_RUNS_LOG_SHIPPER": ",".join(runs.log_shipper),
        "HRSI_RUNS_ENVIRONMENT": _pairs(runs.environment),
        "HRSI_CREATION_ODATA": _pairs(creation.odata),
        "HRSI_CREATION_PRODUCTS": _pairs(creation.products),
        "HRSI_CREATION_MOUNTAINS": creation.mountains or "",
        "HRSI_CREATION_TILES": ",".join(creation.tiles),
        "HRSI_URL": config.web.url or "",
        "S3_ENDPOINT_URL": config.s3.endpoint or "",
        "AWS_ACCESS_KEY_ID": config.s3.access_key,
        "AWS_SECRET_ACCESS_KEY": config.s3.secret_key.reveal(),
        "AWS_REGION": config.s3.region,
        "HRSI_RESULTS_BUCKET": config.s3.results or "",
        "HRSI_DATA_BUCKET": config.s3.data or "",
        "HRSI_PUBLICATION_BUCKET": config.publication.bucket or "",
    }


def _pairs(pairs: tuple[tuple[str, str], ...]) -> str:
    return ",".join(f"{name}={value}" for name, value in pairs)
