"""What people do with `hrsi`, on the embedded PostgreSQL that it sets up for them."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

from infra.postgres.migrate import head
from tests.plugins.commands import Run

JOBS = """\
{"type": "fsc_rlie", "product": "S2A_MSIL1C_20220906T130311_N0400_R038_T28WEU_20220906T182127"}
{"type": "gfsc", "name": "28WEU-2022-09-06", "tile": "28WEU", "priority": "nrt"}
{"type": "test", "name": "try-1"}
"""
BAD = """\
{"type": "test", "name": "good-1"}
{"type": "fsc_rlie", "product": "S2A_nonsense"}
{"type": "fsc", "name": "x"}
{"type": "test", "name": "good-2", "priority": "soon"}
not json

{"type": "test", "name": "good-3"}
"""


@pytest.fixture
def hrsi(hrsi: Run, own_database_url: str) -> Run:
    """The command, on a database of this test's own unless it is told of another."""

    def run(*arguments: str, **given: Any) -> CompletedProcess[str]:
        return hrsi(*arguments, **{"DATABASE_URL": own_database_url, **given})

    return run


def jobs_of(hrsi: Run, *arguments: str) -> list[dict[str, Any]]:
    listed = hrsi("job", "list", "--json", *arguments)
    assert listed.returncode == 0, listed.stderr
    found: list[dict[str, Any]] = json.loads(listed.stdout)
    return found


def test_jobs_are_handed_in_looked_at_cancelled_and_relaunched(hrsi: Run, folder: Path) -> None:
    (folder / "jobs.jsonl").write_text(JOBS)
    tried = hrsi("job", "submit", "jobs.jsonl", "--dry-run")
    assert "3 jobs would be added" in tried.stdout, tried.stderr
    assert jobs_of(hrsi) == []
    assert "3 jobs added, 0 were there already" in hrsi("job", "submit", "jobs.jsonl").stdout
    again = hrsi("job", "submit", "-", typed=JOBS)
    assert "0 jobs added, 3 were there already, 0 lines refused" in again.stdout
    jobs = jobs_of(hrsi)
    assert {(job["type"], job["status"]) for job in jobs} == {
        ("fsc_rlie", "initialized"),
        ("gfsc", "initialized"),
        ("test", "initialized"),
    }
    story = json.loads(hrsi("job", "show", "gfsc/28WEU-2022-09-06", "--json").stdout)
    assert [row["after"] for row in story["history"]] == ["initialized"]
    number = str(story["job"]["id"])
    shown = hrsi("job", "show", number).stdout
    assert re.search(r"(?m)^created_at +\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC$", shown), shown
    assert "would be cancelled" in hrsi("job", "cancel", number, "--dry-run").stdout
    assert hrsi("job", "cancel", number, "--reason", "no need").returncode == 0
    assert [job["type"] for job in jobs_of(hrsi, "--status", "cancelled")] == ["gfsc"]
    assert hrsi("job", "relaunch", number).returncode == 0
    trail = json.loads(hrsi("audit", "--about", f"job:{number}", "--json").stdout)
    assert [line["action"] for line in trail] == ["relaunch", "cancel", "submit"]
    assert "no need" in hrsi("audit").stdout
    assert jobs_of(hrsi, "--status", "cancelled") == []
    stands = hrsi("status")
    assert stands.returncode == 0, stands.stderr
    assert "nobody: start one with hrsi controller" in stands.stdout
    assert "creation" not in stands.stdout, "no catalogue is set, so nobody needs to read one"
    assert json.loads(hrsi("status", "--json").stdout)["jobs"] == {"initialized": 3}
    told = hrsi("why", "job", number)
    assert told.returncode == 0
    assert "28WEU-2022-09-06) is initialized" in told.stdout
    assert "no controller leads configuration" in told.stdout


def test_what_makes_no_sense_is_refused_and_each_job_is_judged_by_itself(hrsi: Run) -> None:
    added = hrsi("job", "submit", "-", typed=JOBS)
    assert "They are jobs 1 to 3; see where one stands: hrsi why job 1" in added.stdout
    cancelled = hrsi("job", "cancel", "3", "17")
    assert cancelled.returncode == 1
    assert "job:3: cancelled" in cancelled.stdout
    assert "job:17: not cancelled: there is no job '17'" in cancelled.stdout
    none = hrsi("job", "relaunch", "--errors")
    assert (none.returncode, none.stdout) == (0, "no job is in error\n")
    for arguments in (("list", "--type", "fsc"), ("relaunch", "--errors", "--type", "fsc")):
        unknown = hrsi("job", *arguments)
        assert unknown.returncode == 2
        assert "'fsc' is no job type" in unknown.stderr
    both = hrsi("job", "relaunch", "3", "--errors")
    assert both.returncode == 2
    assert "not both" in both.stderr


def test_bad_lines_are_refused_one_by_one_and_good_ones_go_in(hrsi: Run) -> None:
    handed_in = hrsi("job", "submit", "-", typed=BAD)
    assert handed_in.returncode == 1
    refusals = [line.split(";")[0] for line in handed_in.stderr.splitlines()]
    assert len(refusals) == 4
    assert refusals[0].startswith("line 2: field product: 'S2A_nonsense' is no Sentinel product")
    assert refusals[1].startswith("line 3: field type: 'fsc' is no job type")
    assert refusals[2].startswith("line 4: field priority: Invalid enum value 'soon'")
    assert refusals[3].startswith("line 5: JSON is malformed")
    assert "2 jobs added, 0 were there already, 4 lines refused" in handed_in.stdout
    assert [job["name"] for job in jobs_of(hrsi)] == ["good-1", "good-3"]


@pytest.mark.parametrize(
    ("arguments", "settings", "status", "sentence"),
    [
        pytest.param(("job", "show", "4711"), {}, 1, "4711", id="a-job-that-is-not-there"),
        pytest.param(
            ("job", "list"),
            {"HRSI_POOL_SIZE": "3"},
            2,
            "HRSI_POOL_SIZE: there is no such variable",
            id="an-unknown-variable",
        ),
        pytest.param(
            ("job", "list"),
            {"DATABASE_URL": "mysql://x"},
            2,
            "DATABASE_URL: it is not a PostgreSQL url",
            id="a-database-that-is-none",
        ),
        pytest.param(
            ("job", "list"),
            {"DATABASE_URL": "postgresql://hrsi:secret@127.0.0.1:1/hrsi"},
            1,
            "127.0.0.1",
            id="a-database-that-does-not-answer",
        ),
        pytest.param(
            ("--config", "mine.toml", "job", "list"),
            {},
            2,
            "mine.toml: it cannot be read",
            id="a-settings-file-that-is-not-there",
        ),
        pytest.param(
            ("controller", "--only", "worker-pol"), {}, 2, "worker-pool", id="a-loop-of-no-name"
        ),
    ],
)
def test_what_cannot_be_done_is_said_in_one_sentence(
    hrsi: Run,
    arguments: tuple[str, ...],
    settings: dict[str, str],
    status: int,
    sentence: str,
) -> None:
    ended = hrsi(*arguments, **settings)
    assert sentence in ended.stderr
    assert ended.returncode == status
    assert "Traceback" not in ended.stderr
    assert "secret" not in ended.stderr


def test_an_unknown_key_in_the_settings_file_is_refused_by_name(hrsi: Run, folder: Path) -> None:
    (folder / "hrsi.toml").write_text('[nomad]\nadress = "http://127.0.0.1:4646"\n')
    ended = hrsi("job", "list")
    assert ended.returncode == 2
    assert "nomad.adress: there is no such key; did you mean nomad.address?" in ended.stderr


def test_everything_that_is_wrong_with_the_settings_is_said_at_once(hrsi: Run) -> None:
    ended = hrsi("plan", HRSI_DEPLOYMENT="Prod!", HRSI_NOMAD_CALLS="many")
    assert ended.returncode == 2
    first, second = ended.stderr.splitlines()
    assert "HRSI_DEPLOYMENT" in first
    assert "HRSI_NOMAD_CALLS" in second


def test_a_database_of_ones_own_is_migrated_only_when_asked(
    hrsi: Run, empty_database_url: str
) -> None:
    old = hrsi("job", "list", DATABASE_URL=empty_database_url)
    assert old.returncode == 2
    assert "hrsi migrate" in old.stderr
    migrated = hrsi("migrate", DATABASE_URL=empty_database_url)
    assert migrated.stdout == f"The database is at revision {head()}.\n", migrated.stderr
    assert hrsi("job", "list", DATABASE_URL=empty_database_url).returncode == 0
    nowhere = hrsi("migrate", "--revision", "4711", DATABASE_URL=empty_database_url)
    assert nowhere.returncode == 2
    assert "4711" in nowhere.stderr
    assert "Traceback" not in nowhere.stderr
    older = hrsi("migrate", "--revision", "base", DATABASE_URL=empty_database_url)
    assert older.returncode == 2
    assert "past base; nothing was done: --down goes back to base" in older.stderr
    assert hrsi("job", "list", DATABASE_URL=empty_database_url).returncode == 0
    back = hrsi("migrate", "--down", "--revision", "base", DATABASE_URL=empty_database_url)
    assert back.stdout == "The database is at revision base.\n", back.stderr
    assert hrsi("job", "list", DATABASE_URL=empty_database_url).returncode == 2


def test_without_a_database_an_embedded_one_is_set_up_and_stopped_again(
    hrsi: Run, folder: Path, left_running: Callable[[], list[str]]
) -> None:
    assert hrsi("job", "submit", "-", typed=JOBS, DATABASE_URL="").returncode == 0
    assert (folder / ".hrsi/postgres/data/PG_VERSION").exists()
    assert len(json.loads(hrsi("job", "list", "--json", DATABASE_URL="").stdout)) == 3
    assert left_running() == []


def test_something_is_paused_looked_at_and_resumed(hrsi: Run) -> None:
    tried = hrsi("pause", "--type", "gfsc", "--dry-run")
    assert "type:gfsc: would be paused" in tried.stdout, tried.stderr
    assert json.loads(hrsi("paused", "--json").stdout) == []
    done = hrsi("pause", "worker-pool", "--for", "30m", "--reason", "an upgrade")
    assert "loop:worker-pool: paused: by " in done.stdout, done.stderr
    (pause,) = json.loads(hrsi("paused", "--json").stdout)
    assert (pause["target"], pause["reason"]) == ("loop:worker-pool", "an upgrade")
    assert pause["until"] is not None
    assert hrsi("resume").returncode == 1, "everything is not paused"
    assert "loop:worker-pool: resumed: it was paused by" in hrsi("resume", "worker-pool").stdout
    assert "Pauses: none" in hrsi("paused").stdout


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        pytest.param(("worker-pol", "--reason", "x"), "is no loop", id="no-such-loop"),
        pytest.param(("--reason", " "), "--reason is empty", id="no-reason"),
        pytest.param(("--for", "soon", "--reason", "x"), "'soon' is no wait", id="no-time"),
        pytest.param(("monitor", "--type", "gfsc", "--reason", "x"), "not both", id="two-things"),
    ],
)
def test_an_impossible_pause_is_refused_before_anything_is_done(
    hrsi: Run, arguments: tuple[str, ...], sentence: str
) -> None:
    ended = hrsi("pause", *arguments)
    assert ended.returncode == 2
    assert sentence in ended.stderr
