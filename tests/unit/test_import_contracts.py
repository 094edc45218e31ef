"""The import contracts of pyproject.toml mean what they say: each is broken by a planted import."""

import re
import shutil
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
LINTER = PROJECT["tool"]["importlinter"]
CONTRACTS = {contract["id"]: contract for contract in LINTER["contracts"]}

NOT_THE_PROGRAM = {"migrations", "tests", "tools"}
# Libraries that only compute: a decision may use them.
PURE_LIBRARIES = {"msgspec", "pyproj", "shapely"}

# A program that uses every exception which the contracts make.
ALLOWED = {
    "controller/__init__.py": "",
    "controller/bootstrap/__init__.py": "import controller.bootstrap.whole",
    "controller/bootstrap/whole.py": "import infra.nomad\nimport infra.openstack\nimport simulator",
    "controller/loop.py": "import controller.bootstrap\nimport reconcilers.execution",
    "infra/__init__.py": "",
    "infra/nomad.py": "import nomad\nimport infra.retry\nimport models.records",
    "infra/openstack/__init__.py": "",
    "infra/openstack/servers.py": "import openstack\nimport keystoneauth1\nimport infra.retry",
    "infra/postgres.py": "import sqlalchemy\nimport models.tables",
    "infra/retry.py": "import tenacity",
    "models/__init__.py": "",
    "models/records.py": "from datetime import datetime\nfrom uuid import UUID",
    "models/tables.py": "import sqlalchemy\nimport models.records",
    "reconcilers/__init__.py": "",
    "reconcilers/execution.py": "import models.records",
    "reconcilers/monitor.py": "import models.records",
    "reconcilers/pool/__init__.py": "",
    "reconcilers/pool/grow.py": "import models.records",
    "reconcilers/pool/shrink.py": "import reconcilers.pool.grow",
    "simulator/__init__.py": "import werkzeug\nimport models.records",
    "web/__init__.py": "import models.records",
    "worker/__init__.py": "import infra.nomad",
}


def lint(tree: Path, changes: dict[str, str]) -> tuple[int, str]:
    """Exit status and report of import-linter on the allowed program with some changes."""
    for name, source in {**ALLOWED, **changes}.items():
        file = tree / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"{source}\n", encoding="utf-8")
    shutil.copy(ROOT / "pyproject.toml", tree)
    command = "from importlinter.cli import lint_imports_command as run; run()"
    done = subprocess.run(
        [sys.executable, "-c", command, "--no-cache", "--no-logo"],
        cwd=tree,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def broken(report: str) -> set[str]:
    """The ids of the contracts that a report calls broken."""
    names = set(re.findall(r"^(.+?) BROKEN", report, flags=re.MULTILINE))
    return {key for key, contract in CONTRACTS.items() if contract["name"] in names}


def test_a_program_that_uses_every_exception_keeps_all_contracts(tmp_path: Path) -> None:
    status, report = lint(tmp_path, {})
    assert status == 0, report
    assert f"{len(CONTRACTS)} kept, 0 broken" in report


@pytest.mark.parametrize(
    ("contract", "file", "planted"),
    [
        pytest.param("layers", "models/records.py", "import infra.retry", id="records-use-adapter"),
        pytest.param("layers", "web/__init__.py", "import worker", id="siblings-meet"),
        pytest.param("layers", "infra/nomad.py", "import controller.loop", id="adapter-uses-shell"),
        pytest.param("pure", "reconcilers/monitor.py", "import time", id="decision-reads-clock"),
        pytest.param(
            "pure", "reconcilers/pool/grow.py", "import random", id="decision-uses-chance"
        ),
        pytest.param(
            "pure", "models/lifecycle.py", "import sqlalchemy", id="records-know-database"
        ),
        pytest.param("pure", "models/tables.py", "import psycopg", id="tables-connect"),
        pytest.param("pure", "models/records.py", "import os", id="records-read-environment"),
        pytest.param("pure", "reconcilers/monitor.py", "import logging", id="decision-logs"),
        pytest.param(
            "tables", "reconcilers/monitor.py", "import models.tables", id="decision-reads-rows"
        ),
        pytest.param("tables", "controller/loop.py", "import models.tables", id="shell-reads-rows"),
        pytest.param(
            "reconcilers",
            "reconcilers/monitor.py",
            "import reconcilers.pool",
            id="reconcilers-meet",
        ),
        pytest.param("adapters", "infra/nomad.py", "import infra.openstack", id="adapters-meet"),
        pytest.param(
            "bootstrap", "controller/loop.py", "import infra.nomad", id="loop-names-adapter"
        ),
        pytest.param("bootstrap", "web/__init__.py", "import simulator", id="web-names-simulator"),
        pytest.param("clients", "infra/postgres.py", "import openstack", id="foreign-client"),
        pytest.param(
            "clients", "simulator/__init__.py", "import nomad", id="simulator-uses-client"
        ),
    ],
)
def test_a_planted_import_breaks_its_contract(
    tmp_path: Path, contract: str, file: str, planted: str
) -> None:
    status, report = lint(tmp_path, {file: planted})
    assert status == 1, report
    assert contract in broken(report), report


def test_an_impure_import_is_found_through_other_modules(tmp_path: Path) -> None:
    changes = {"models/names.py": "import socket", "models/records.py": "import models.names"}
    _, report = lint(tmp_path, changes)
    assert "pure" in broken(report), report


def test_the_contracts_cover_every_part_of_the_program() -> None:
    folders = {file.parent.name for file in ROOT.glob("*/__init__.py")} - NOT_THE_PROGRAM
    assert set(LINTER["root_packages"]) == folders
    layers = {part for layer in CONTRACTS["layers"]["layers"] for part in layer.split(" | ")}
    assert layers == folders
    assert set(CONTRACTS["clients"]["source_modules"]) == folders


def test_every_dependency_that_does_io_is_forbidden_to_decisions() -> None:
    project = PROJECT["project"]
    extras = project["optional-dependencies"].values()
    wanted = [*project["dependencies"], *(each for extra in extras for each in extra)]
    names = {re.split(r"[\[<>=~ ;]", requirement)[0] for requirement in wanted}
    packages = {
        package
        for package, distributions in packages_distributions().items()
        if names & {distribution.lower() for distribution in distributions}
    }
    public = {package for package in packages if not package.startswith("_")}
    assert public - PURE_LIBRARIES <= set(CONTRACTS["pure"]["forbidden_modules"])


@pytest.mark.parametrize("contract", CONTRACTS.values(), ids=CONTRACTS)
def test_no_contract_keeps_an_exception_for_an_unknown_part(contract: dict[str, Any]) -> None:
    named = {line.partition(" -> ")[0].split(".")[0] for line in contract.get("ignore_imports", [])}
    assert named <= set(LINTER["root_packages"])


@pytest.mark.parametrize(
    ("file", "caught"),
    [
        pytest.param("models/plan.py", True, id="models"),
        pytest.param("reconcilers/pool/grow.py", True, id="reconcilers"),
        pytest.param("controller/observe.py", False, id="the-shell-may"),
        pytest.param("tests/unit/test_plan.py", False, id="tests-may"),
    ],
)
def test_reading_the_clock_is_found_where_no_import_gives_it_away(
    tmp_path: Path, file: str, *, caught: bool
) -> None:
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    planted = tmp_path / file
    planted.parent.mkdir(parents=True)
    planted.write_text(
        "from datetime import UTC, datetime\nNOW = datetime.now(UTC)\n", encoding="utf-8"
    )
    done = subprocess.run(
        [sys.executable, "-m", "ruff", "check", "--no-cache", "--select", "TID251", "."],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ("TID251" in done.stdout) is caught, done.stdout + done.stderr
