r"""Write the user data of the template server, whose disk becomes the image of workers.

    python -m tools.worker_image --server 10.0.0.5:4647 \
        --nomad https://releases.hashicorp.com/nomad/2.0.5/nomad_2.0.5_linux_amd64.zip SHA256 \
        --packages https://…/packages.tar.gz SHA256 --worker-env worker.env > user-data
    openstack server create tf-titi --user-data user-data …

It is cloud-config with the files of deploy/worker in it; docs/deploy.md says what happens then. The
keys of `worker.env` are in it, too: keep the file as you keep them.
"""

import argparse
import json
import re
import shlex
import sys
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[1] / "deploy" / "worker"
SETUP = "/usr/local/lib/hrsi/setup.sh"
SHIPPED = {
    "setup.sh": (SETUP, "0755"),
    "hrsi-worker": ("/usr/local/bin/hrsi-worker", "0755"),
    "hrsi-node.service": ("/etc/systemd/system/hrsi-node.service", "0644"),
    "nomad.service": ("/etc/systemd/system/nomad.service", "0644"),
}
"""Where the files of deploy/worker go on the template, and who may read them."""

LONGEST = 65_535
"""The longest user data that Nova takes, in base64."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Download:
    """Something that the template fetches, and what it must be."""

    url: str
    sha256: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Template:
    """What is the site's own about its workers."""

    servers: tuple[str, ...]
    nomad: Download
    packages: Download
    worker_env: str
    region: str = "global"
    datacenter: str = "dc1"


def user_data(template: Template) -> str:
    """The user data. `ValueError` when something in it cannot be."""
    for what in (template.nomad, template.packages):
        if not what.url.startswith("https://") or not re.fullmatch(r"[0-9a-f]{64}", what.sha256):
            raise ValueError(f"{what.url}: it needs an address with https and its SHA-256 in hex")
    for server in template.servers:
        if not re.fullmatch(r"[A-Za-z0-9.-]+:\d+", server):
            raise ValueError(f"{server!r} is no Nomad server; write 10.0.0.5:4647")
    files = [
        _file(path, permissions, (FOLDER / name).read_text(encoding="utf-8"))
        for name, (path, permissions) in SHIPPED.items()
    ]
    files += [
        _file("/etc/hrsi/node.json", "0644", json.dumps(_node(template))),
        _file("/etc/hrsi/build.env", "0644", _build(template)),
        _file("/etc/hrsi/worker.env", "0600", template.worker_env),
    ]
    # JSON is YAML: nothing has to be quoted for it.
    text = f"#cloud-config\n{json.dumps({'write_files': files, 'runcmd': [[SETUP]]}, indent=1)}\n"
    if (length := len(b64encode(text.encode()))) > LONGEST:
        raise ValueError(f"the user data has {length} bytes, Nova takes {LONGEST}")
    return text


def _file(path: str, permissions: str, content: str) -> dict[str, Any]:
    return {
        "path": path,
        "permissions": permissions,
        "owner": "root:root",
        "encoding": "b64",
        "content": b64encode(content.encode()).decode(),
    }


def _node(template: Template) -> dict[str, Any]:
    return {
        "servers": template.servers,
        "region": template.region,
        "datacenter": template.datacenter,
    }


def _build(template: Template) -> str:
    values = {
        "NOMAD_URL": template.nomad.url,
        "NOMAD_SHA256": template.nomad.sha256,
        "PACKAGES_URL": template.packages.url,
        "PACKAGES_SHA256": template.packages.sha256,
    }
    return "".join(f"{name}={shlex.quote(value)}\n" for name, value in values.items())


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the user data; the exit code is 2 when it cannot be."""
    parser = argparse.ArgumentParser(description="Write the user data of the template server.")
    parser.add_argument("--server", action="append", required=True, help="a Nomad server, IP:4647")
    parser.add_argument("--nomad", nargs=2, required=True, metavar=("URL", "SHA256"))
    parser.add_argument("--packages", nargs=2, required=True, metavar=("URL", "SHA256"))
    parser.add_argument("--worker-env", type=Path, required=True, help="see worker.env.example")
    parser.add_argument("--region", default="global")
    parser.add_argument("--datacenter", default="dc1")
    given = parser.parse_args(arguments)
    try:
        template = Template(
            servers=tuple(given.server),
            nomad=Download(url=given.nomad[0], sha256=given.nomad[1]),
            packages=Download(url=given.packages[0], sha256=given.packages[1]),
            worker_env=given.worker_env.read_text(encoding="utf-8"),
            region=given.region,
            datacenter=given.datacenter,
        )
        sys.stdout.write(user_data(template))
    except (OSError, ValueError) as error:
        parser.error(str(error))
    return 0


if __name__ == "__main__":
    sys.exit(main())
