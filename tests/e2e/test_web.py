"""`hrsi web` and `hrsi token` as a person uses them."""

from __future__ import annotations

import json
import re
import signal
from typing import IO

import pytest
import urllib3

from tests.plugins.commands import Run, Start

KEY = {"HRSI_RUNS_TOKEN_KEY": "0123456789abcdef0123456789abcdef", "HRSI_DEPLOYMENT": "test"}


def first_line(stream: IO[str] | None) -> str:
    assert stream is not None
    return stream.readline()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_api_is_served_to_whom_a_token_was_made_until_it_is_told_to_end(
    hrsi: Run, start_hrsi: Start, own_database_url: str, number: signal.Signals
) -> None:
    settings = {"DATABASE_URL": own_database_url, **KEY}
    made = json.loads(hrsi("token", "create", "ada", "--json", **settings).stdout)
    served = start_hrsi("web", HRSI_WEB_ADDRESS="127.0.0.1:0", **settings)
    url = first_line(served.stdout).split()[4].rstrip(";")
    pool = urllib3.PoolManager(retries=False, timeout=120)
    answer = pool.request(
        "GET", f"{url}/api/v1/jobs", headers={"Authorization": f"Bearer {made['token']}"}
    )
    assert (answer.status, answer.json()) == (200, {"jobs": [], "next": None})
    pool.clear()
    served.send_signal(number)
    assert served.wait(timeout=120) == 0


def test_tokens_are_made_listed_and_revoked(hrsi: Run, own_database_url: str) -> None:
    settings = {"DATABASE_URL": own_database_url}
    made = hrsi("token", "create", "ada", "--role", "admin", "--for", "90d", **settings)
    told = r"token:ada: created: role admin, until \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC\n"
    assert re.search(told, made.stdout), made.stderr
    assert made.stdout.splitlines()[-1].startswith("hrsi_")
    again = hrsi("token", "create", "ada", **settings)
    assert again.returncode == 1
    assert "in use" in again.stdout
    assert "hrsi_" not in again.stdout
    unfit = hrsi("token", "create", "Ada Lovelace", **settings)
    assert "its name is 1 to 63 characters" in unfit.stdout
    listed = hrsi("token", "list", **settings).stdout
    assert "admin" in listed
    assert made.stdout.splitlines()[-1] not in listed
    assert "would be revoked" in hrsi("token", "revoke", "ada", "--dry-run", **settings).stdout
    assert hrsi("token", "revoke", "ada", "--reason", "she left", **settings).returncode == 0
    assert hrsi("token", "revoke", "ada", **settings).returncode == 1
    assert [line["action"] for line in json.loads(hrsi("audit", "--json", **settings).stdout)] == [
        "revoke_token",
        "create_token",
    ]


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        pytest.param({}, "runs.token_key: it is not set", id="no-key"),
        pytest.param(
            {**KEY, "HRSI_WEB_ADDRESS": "203.0.113.7:80"}, "HRSI_WEB_ADDRESS", id="not-our-address"
        ),
    ],
)
def test_what_it_cannot_be_served_with_is_named(
    hrsi: Run, own_database_url: str, settings: dict[str, str], named: str
) -> None:
    refused = hrsi("web", **{"DATABASE_URL": own_database_url, **settings})
    assert refused.returncode == 2
    assert named in refused.stderr
