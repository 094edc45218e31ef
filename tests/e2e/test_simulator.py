"""`hrsi simulator`: a controller by hand, beside stand-ins in processes of their own."""

import re
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from infra.postgres import Postgres
from tests.plugins.commands import SAID, Run, Start
from tests.plugins.gates import until

KEY = "0123456789abcdef0123456789abcdef"
JOBS = 2
WAITS = {"pool.idle_for": "1s", "passes.resync": "0.5s", "pool.redelete_after": "5s"}
QUICK = ("--boot-time", "0.2s", "--seed", "1")
CLOUDS = """\
clouds:
  simulated:
    region_name: simulated
    auth:
      auth_url: {OS_AUTH_URL}
      username: {OS_USERNAME}
      password: {OS_PASSWORD}
      project_name: {OS_PROJECT_NAME}
      user_domain_name: {OS_USER_DOMAIN_NAME}
      project_domain_name: {OS_PROJECT_DOMAIN_NAME}
"""


@pytest.fixture(name="given")
def _given(own_database_url: str) -> dict[str, str]:
    """The settings that everybody in a test shares."""
    return {
        "DATABASE_URL": own_database_url,
        "HRSI_DEPLOYMENT": "hand",
        "HRSI_RUNS_TOKEN_KEY": KEY,
        "HRSI_CONTROLLER_HEALTH": "127.0.0.1:0",
    }


def way_in(simulator: subprocess.Popen[str]) -> dict[str, str]:
    """The variables that it tells to export, once it has told everything."""
    found: dict[str, str] = {}
    assert simulator.stdout is not None
    for line in simulator.stdout:
        if line == "hrsi controller\n":
            return found
        export = re.fullmatch(r"export (\w+)=(.*)\n", line)
        if export is not None:
            found[export[1]] = export[2]
    raise AssertionError("it ended before it was ready")


def lines(file: Path) -> set[str]:
    return set(file.read_text().splitlines()) if file.exists() else set()


def all_is_done(database: Postgres) -> bool:
    """Asked of the database: a command a look would take the processors from who does the work."""
    processed = database.reader.totals().get("jobs.processed", 0)
    return processed == JOBS and not database.reader.workers()


def ready_to_work(hrsi: Run, given: dict[str, str]) -> None:
    """Two jobs wait in a database where waits are short."""
    for key, value in WAITS.items():
        assert hrsi("param", "set", f"{key}={value}", "--reason", "test", **given).returncode == 0
    jobs = "".join(f'{{"type": "test", "name": "try-{number}"}}\n' for number in range(JOBS))
    assert hrsi("job", "submit", "-", typed=jobs, **given).returncode == 0


def end(process: subprocess.Popen[str], folder: Path) -> None:
    """Ask a process to end, and see that it does so well."""
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=120) == 0, (folder / SAID).read_text()


def test_a_controller_works_through_jobs_beside_simulated_systems(
    hrsi: Run,
    start_hrsi: Start,
    folder: Path,
    given: dict[str, str],
    own_database: Postgres,
    left_running: Callable[[], list[str]],
) -> None:
    ready_to_work(hrsi, given)
    for unset in ("HRSI_DEPLOYMENT", "HRSI_RUNS_TOKEN_KEY"):
        del given[unset]
    ports = ("--nomad-port", "0", "--cloud-port", "0", "--active-after", "0.2s")
    simulator = start_hrsi("simulator", "all", *ports, *QUICK, "--run-time", "1s", **given)
    given |= way_in(simulator)
    controller = start_hrsi("controller", **given)
    until(lambda: all_is_done(own_database), "all jobs are processed and all workers gone")
    end(controller, folder)
    end(simulator, folder)
    assert left_running() == []


def test_a_simulated_nomad_follows_a_cloud_that_others_serve_and_its_machines_run_a_command(
    hrsi: Run,
    start_hrsi: Start,
    folder: Path,
    given: dict[str, str],
    own_database: Postgres,
    left_running: Callable[[], list[str]],
) -> None:
    ready_to_work(hrsi, given)
    cloud = start_hrsi("simulator", "cloud", "--port", "0", "--active-after", "0.2s", **given)
    way = way_in(cloud)
    (folder / "clouds.yaml").write_text(CLOUDS.format(**way))
    given |= {name: value for name, value in way.items() if not name.startswith("OS_")}
    given["OS_CLIENT_CONFIG_FILE"] = str(folder / "clouds.yaml")
    follow = ("--follow-cloud", "simulated", "--look-every", "0.3s", "--port", "0")
    command = f'trap "echo $HRSI_SERVER_NAME >> {folder}/gone; exit 0" TERM; '
    command += f"echo $HRSI_SERVER_NAME >> {folder}/came; while :; do sleep 0.05; done"
    guests = ("--on-boot", command)
    nomad = start_hrsi("simulator", "nomad", *follow, *QUICK, "--run-time", "1s", *guests, **given)
    given |= way_in(nomad)
    controller = start_hrsi("controller", **given)
    until(lambda: all_is_done(own_database), "all jobs are processed and all workers gone")
    until(lambda: len(lines(folder / "gone")) == JOBS, "the machines have ended")
    assert lines(folder / "gone") == {"os-worker-001", "os-worker-002"}
    assert lines(folder / "came") == lines(folder / "gone")
    for process in (controller, nomad, cloud):
        end(process, folder)
    assert left_running() == []


def test_a_port_that_is_taken_is_named(
    hrsi: Run, start_hrsi: Start, folder: Path, given: dict[str, str]
) -> None:
    first = start_hrsi("simulator", "cloud", "--port", "0", **given)
    port = re.search(r":(\d+)", way_in(first)["OS_AUTH_URL"])
    assert port is not None
    second = hrsi("simulator", "cloud", "--port", port[1], **given)
    assert second.returncode == 2
    assert f"port {port[1]} of 127.0.0.1" in second.stderr
    end(first, folder)


def test_a_database_that_runs_cannot_report_to_is_refused_at_the_start(
    hrsi: Run, given: dict[str, str], empty_database_url: str
) -> None:
    ports = ("--nomad-port", "0", "--cloud-port", "0")
    given["DATABASE_URL"] = empty_database_url
    ended = hrsi("simulator", "all", *ports, **given)
    assert ended.returncode == 2
    assert "hrsi migrate" in ended.stderr


@pytest.mark.parametrize(
    ("missing", "words"),
    [
        pytest.param("HRSI_DEPLOYMENT", "deployment is not set", id="deployment"),
        pytest.param("HRSI_OPENSTACK_PROJECT", "openstack.project is not set", id="project"),
    ],
)
def test_following_a_cloud_needs_to_know_whose_servers_count(
    hrsi: Run, given: dict[str, str], missing: str, words: str
) -> None:
    given["HRSI_OPENSTACK_PROJECT"] = "hrsi"
    del given[missing]
    ended = hrsi("simulator", "machines", "--follow-cloud", "x", "--on-boot", "true", **given)
    assert ended.returncode == 2
    assert words in ended.stderr
