"""The deployment files say what the program expects: they are read, and compared with it."""

from __future__ import annotations

import configparser
import importlib.util
import json
import re
import shlex
import subprocess
from base64 import b64decode
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from controller.bootstrap.access import site
from controller.config import load, require_for_controller
from controller.reconcilers import RECONCILERS, loops_of
from models.images import FINISHED_TEXT
from models.job_types import DEFAULT_REGISTRY, JOB_TYPES
from models.logs import TASK
from tools.nomad_jobs import files
from tools.worker_image import SETUP, SHIPPED, Download, Template, user_data
from tools.worker_packages import needed
from worker.assignment import ROLES, SETTINGS_FILE, Settings
from worker.node import Machine, site_from

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
SHA256 = "0123456789abcdef" * 4
TEMPLATE = Template(
    servers=("10.0.0.5:4647", "10.0.0.6:4647"),
    nomad=Download(url="https://releases.example.org/nomad_2.0.5.zip", sha256=SHA256),
    packages=Download(url="https://s3.example.org/infra/packages.tar.gz", sha256=SHA256),
    worker_env=(DEPLOY / "worker" / "worker.env.example").read_text(),
)
NODE = "/opt/hrsi/bin/python -m worker.node"
UNITS = [*sorted(DEPLOY.rglob("*.service"))]


def variables(file: Path) -> dict[str, str]:
    """The variables of an environment file."""
    lines = [line for line in file.read_text().splitlines() if line and not line.startswith("#")]
    return dict(line.split("=", 1) for line in lines)


class Unit(configparser.ConfigParser):
    """A unit of systemd, whose keys are written as they mean."""

    def optionxform(self, optionstr: str) -> str:
        """As it is."""
        return optionstr


def unit(file: Path) -> Unit:
    """A unit of systemd."""
    parser = Unit(interpolation=None)
    parser.read_string(file.read_text())
    return parser


# ---- settings ------------------------------------------------------------------------------------


def test_the_example_is_enough_for_a_controller() -> None:
    config = load(DEPLOY / "hrsi.toml", variables(DEPLOY / "secrets.env.example"))
    require_for_controller(config)


def test_the_example_runs_every_loop() -> None:
    config = load(DEPLOY / "hrsi.toml", variables(DEPLOY / "secrets.env.example"))
    assert loops_of(config) == tuple(each.name for each in RECONCILERS)


def test_the_example_keeps_no_secret() -> None:
    config = load(DEPLOY / "hrsi.toml", {})
    secrets = [config.database.url, config.nomad.token, config.runs.token_key, config.rabbitmq.urls]
    assert not any(secrets)


# ---- Nomad ---------------------------------------------------------------------------------------


def test_the_job_files_are_what_a_controller_registers() -> None:
    written = {file.name: file.read_text() for file in (DEPLOY / "nomad").iterdir()}
    assert written == files(), "run `python -m tools.nomad_jobs deploy/nomad`"


@pytest.mark.parametrize("job_type", JOB_TYPES, ids=lambda job_type: job_type.name)
def test_every_job_type_has_a_job_file_that_fits_its_flavor(job_type: Any) -> None:
    name = f"{job_type.service}-{job_type.flavor}.nomad.json"
    job = json.loads((DEPLOY / "nomad" / name).read_text())["Job"]
    (group,) = job["TaskGroups"]
    memory = {task["Name"]: task["Resources"]["MemoryMB"] for task in group["Tasks"]}
    assert job["Constraints"] == [
        {"LTarget": "${node.class}", "RTarget": job_type.flavor, "Operand": "="}
    ]
    assert memory[TASK] == job_type.memory_mb
    assert sum(memory.values()) < DEFAULT_REGISTRY.flavors[job_type.flavor].memory_mb


def test_what_nomad_starts_is_what_the_template_installs() -> None:
    installed = SHIPPED["hrsi-worker"][0]
    for parent in site(load(DEPLOY / "hrsi.toml", {})).parents:
        assert parent.command.command == installed
        assert parent.log_shipper is not None
        assert installed in parent.log_shipper.args


# ---- the template of workers ---------------------------------------------------------------------


def template_files() -> dict[str, str]:
    """What the user data writes on the template, by path."""
    head, _, body = user_data(TEMPLATE).partition("\n")
    assert head == "#cloud-config"
    document = json.loads(body)
    assert document["runcmd"] == [[SETUP]]
    modes = {file["path"]: file["permissions"] for file in document["write_files"]}
    assert modes["/etc/hrsi/worker.env"] == "0600"
    return {file["path"]: b64decode(file["content"]).decode() for file in document["write_files"]}


def test_the_user_data_has_every_file_of_the_template() -> None:
    found = template_files()
    for name, (path, _) in SHIPPED.items():
        assert found[path] == (DEPLOY / "worker" / name).read_text()
    assert site_from(found[str(Machine().site)]).servers == TEMPLATE.servers


def test_the_downloads_are_those_that_the_setup_asks_for() -> None:
    asked = set(re.findall(r"\$((?:NOMAD|PACKAGES)_\w+)", template_files()[SETUP]))
    given = {line.split("=")[0] for line in template_files()["/etc/hrsi/build.env"].splitlines()}
    assert asked == given


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"servers": ("http://10.0.0.5",)}, id="no-server"),
        pytest.param(
            {"nomad": Download(url="http://plain.example.org", sha256=SHA256)}, id="not-https"
        ),
        pytest.param({"packages": Download(url="https://a", sha256="abc")}, id="no-checksum"),
        pytest.param({"worker_env": "#" * 60_000}, id="too-long-for-Nova"),
    ],
)
def test_user_data_that_cannot_work_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        user_data(replace(TEMPLATE, **change))


def test_the_setup_ends_with_the_word_that_the_pool_waits_for() -> None:
    lines = (DEPLOY / "worker" / "setup.sh").read_text().strip().splitlines()
    assert lines[-1] == f"echo {FINISHED_TEXT}"
    assert [line for line in lines if FINISHED_TEXT in line] == [lines[-1]]


def test_the_client_of_the_template_is_enabled_and_not_started() -> None:
    setup = (DEPLOY / "worker" / "setup.sh").read_text()
    (enabled,) = re.findall(r"^systemctl enable (.*)$", setup, re.MULTILINE)
    assert {"hrsi-node.service", "nomad.service"} <= set(enabled.split())
    assert not re.search(r"systemctl (start|restart|enable --now)", setup)


def test_a_client_starts_once_it_knows_who_it_is() -> None:
    nomad = unit(DEPLOY / "worker" / "nomad.service")
    agent = Machine().agent
    assert nomad["Unit"]["ConditionPathExists"] == str(agent)
    assert nomad["Service"]["ExecStart"] == f"{Machine().nomad} agent -config={agent.parent}"
    assert "hrsi-node.service" in nomad["Unit"]["Requires"].split()
    assert "hrsi-node.service" in nomad["Unit"]["After"].split()
    assert importlib.util.find_spec(NODE.rpartition(" ")[2]) is not None


def test_one_start_of_a_node_asks_for_as_long_as_it_takes(tmp_path: Path) -> None:
    """Whoever waits for a start that fails is given up by systemd, whatever is restarted then."""
    shell, option, loop = shlex.split(
        unit(DEPLOY / "worker" / "hrsi-node.service")["Service"]["ExecStart"]
    )
    third = "echo >> asked; test $(wc -l < asked) -ge 3"
    quick = loop.replace(NODE, f"sh -c {shlex.quote(third)}").replace("sleep 5", "sleep 0")
    assert "worker.node" not in quick
    done = subprocess.run([shell, option, quick], cwd=tmp_path, check=False, timeout=60)
    assert (done.returncode, (tmp_path / "asked").read_text()) == (0, "\n\n\n")


@pytest.mark.parametrize("file", UNITS, ids=lambda file: file.name)
def test_a_unit_is_started_at_boot_and_again_after_a_failure(file: Path) -> None:
    found = unit(file)
    assert found["Install"]["WantedBy"] == "multi-user.target"
    assert found["Service"]["Restart"] in {"always", "on-failure"}
    assert found["Unit"]["StartLimitIntervalSec"] == "0", "it is never given up"


@pytest.mark.parametrize("script", ["setup.sh", "build.sh", "hrsi-worker"])
def test_a_script_is_one_and_may_be_run(script: str) -> None:
    file = DEPLOY / "worker" / script
    shell = file.read_text().splitlines()[0].removeprefix("#!")
    subprocess.run([shell, "-n", str(file)], check=True)
    assert file.stat().st_mode & 0o111


def test_a_worker_knows_every_bucket_that_its_program_asks_for() -> None:
    settings = Settings(values=variables(DEPLOY / "worker" / "worker.env.example"))
    assert settings.s3.endpoint.startswith("https://")
    assert all(settings.bucket(role) for role in ROLES)
    assert SETTINGS_FILE in template_files()


def test_a_worker_installs_what_its_program_needs_and_no_more() -> None:
    found = needed(["boto3", "urllib3"])
    assert {"boto3", "botocore", "s3transfer", "jmespath", "urllib3"} <= found
    assert not {"sqlalchemy", "openstacksdk", "pytest"} & found
