"""What is locked and shipped is what pyproject.toml asks for."""

import re
import subprocess
import sys
import sysconfig
import tomllib
import venv
from importlib.metadata import (
    PackageNotFoundError,
    distribution,
    packages_distributions,
    requires,
)
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
LOCK = (ROOT / "requirements.lock").read_text(encoding="utf-8")
GROUPS = {
    "base": PROJECT["project"]["dependencies"],
    **PROJECT["project"]["optional-dependencies"],
    **PROJECT["dependency-groups"],
}
PARTS = [path.removeprefix("/") for path in PROJECT["tool"]["hatch"]["build"]["include"]]
"""What the distribution ships, whichever of its programs is wanted."""


def locked() -> dict[str, str]:
    """The lock's entries by the name of the package."""
    entries = re.split(r"^(?=[a-z])", LOCK, flags=re.MULTILINE)[1:]
    return {entry.partition("==")[0]: entry for entry in entries}


@pytest.mark.parametrize("group", GROUPS.values(), ids=GROUPS)
def test_the_lock_names_every_dependency(group: list[str]) -> None:
    wanted = {re.split(r"[\[<>=~ ;]", requirement)[0] for requirement in group}
    missing = wanted - set(locked())
    assert not missing, f"run `make lock`: not locked yet: {missing}"


def test_every_locked_package_has_one_version_and_its_hashes() -> None:
    for name, entry in locked().items():
        assert re.match(r"[a-z0-9-]+==\S+ .*\\\n +--hash=sha256:[0-9a-f]{64}", entry), name


def test_the_lock_names_no_address() -> None:
    assert not re.search(r"://|^--|@ ", LOCK, flags=re.MULTILINE)


def needed(*requirements: str) -> set[str]:
    """The distributions that come with these: themselves, and all that they require in turn."""
    found: set[str] = set()
    left = [_distribution(each) for each in requirements]
    while left:
        name = left.pop()
        if name not in found:
            found.add(name)
            asked = (text for text in requires(name) or () if "extra ==" not in text)
            left += [_distribution(text) for text in asked if _is_here(text)]
    return found


def _distribution(requirement: str) -> str:
    return re.split(r"[\[<>=~! ;(]", requirement)[0].lower().replace("_", "-")


def _is_here(requirement: str) -> bool:
    """A requirement of other systems or Pythons is not installed here."""
    try:
        distribution(_distribution(requirement))
    except PackageNotFoundError:
        return False
    return True


@pytest.mark.parametrize(
    ("loading", "groups"),
    [
        pytest.param("import worker.cli, worker.node", ["base"], id="on-a-worker"),
        pytest.param(
            "from controller.bootstrap import whole; from controller.cli.places import loaded; "
            "loaded()",
            ["base", "controller", "demo", "dev"],
            id="the-command-without-the-api",
        ),
    ],
)
def test_a_program_needs_no_extra_of_another(loading: str, groups: list[str]) -> None:
    """As in an environment of its own: whatever these groups do not bring cannot be imported."""
    there = needed(*(requirement for group in groups for requirement in GROUPS[group]))
    hidden = [
        package
        for package, distributions in packages_distributions().items()
        if not there & {_distribution(each) for each in distributions}
        and not {"hrsi-controller"} & {_distribution(each) for each in distributions}
    ]
    code = f"import sys; sys.modules.update(dict.fromkeys({hidden!r})); {loading}"
    tried = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert tried.returncode == 0, tried.stderr


def test_the_programs_of_a_worker_start_in_a_clean_virtual_environment(tmp_path: Path) -> None:
    """In it there is this program and what its base distribution requires, and nothing else."""
    folder = tmp_path / "venv"
    venv.create(folder, symlinks=True)
    packages = Path(sysconfig.get_path("purelib", "venv", {"base": str(folder)}))
    for name in needed(*GROUPS["base"]):
        installed = distribution(name)
        tops = {file.parts[0] for file in installed.files or ()} - {"..", "__pycache__"}
        for top in tops:
            (packages / top).symlink_to(Path(str(installed.locate_file(top))))
    for part in PARTS:
        (packages / part).symlink_to(ROOT / part)
    python = [str(folder / "bin" / "python"), "-I", "-m"]

    def start(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*python, *words], cwd=tmp_path, env={}, capture_output=True, text=True, check=False
        )

    run = start("worker.cli", "run")
    assert (run.returncode, run.stderr) == (2, "")
    assert run.stdout.startswith("cannot begin: ")
    assert start("worker.cli", "replay", "--help").returncode == 0
    assert "NOMAD_META_unique_id is not set" in start("worker.ship").stdout
    (entry := tmp_path / "entry.py").write_text("import controller.entry as e; e.main()")
    refused = subprocess.run(
        [python[0], "-I", entry, "status"], env={}, capture_output=True, text=True, check=False
    )
    assert refused.returncode == 2
    assert refused.stderr.startswith("hrsi: rich is not installed here")
    assert "install what requirements.lock names" in refused.stderr


def test_a_part_of_our_own_that_is_missing_is_a_defect_with_its_traceback() -> None:
    code = (
        "import sys; sys.modules['controller.cli.app'] = None; import controller.entry as entry; "
        "entry.main()"
    )
    tried = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert tried.returncode == 1
    assert "ModuleNotFoundError" in tried.stderr
    assert "is not installed here" not in tried.stderr


def test_every_part_is_shipped() -> None:
    parts = {file.parent.name for file in ROOT.glob("*/__init__.py")} - {"tests", "tools"}
    assert set(PARTS) - {"migrations"} == parts - {"migrations"}
    assert "migrations" in PARTS
