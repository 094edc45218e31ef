"""What a record of the log never shows, and how it looks."""

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from controller.log import configure, redact


@pytest.fixture
def voice() -> Iterator[io.StringIO]:
    """A stream that the program speaks to; afterwards it is silent as before."""
    root = logging.getLogger()
    handlers, level, config = list(root.handlers), root.level, structlog.get_config()
    stream = io.StringIO()
    configure(stream=stream)
    yield stream
    structlog.configure(**config)
    root.handlers, root.level = handlers, level


@pytest.mark.parametrize(
    ("field", "value", "shown"),
    [
        pytest.param("password", "hunter2", "***", id="by-name"),
        pytest.param("nomad_token", "hunter2", "***", id="by-part-of-a-name"),
        pytest.param("token_key", b"hunter2", "***", id="bytes"),
        pytest.param("error", "postgresql://u:hunter2@h/db is away",
                     "postgresql://u:***@h/db is away", id="in-a-url"),
        pytest.param("error", "X-Nomad-Token: hunter2, status 403",
                     "X-Nomad-Token: ***, status 403", id="in-a-header"),
        pytest.param("error", "{'password': 'hunter2'}", "{'password': '***'}", id="in-a-dump"),
        pytest.param("error", "Authorization: Bearer hunter2", "Authorization: Bearer ***",
                     id="bearer"),
        pytest.param("body", {"auth": {"password": "hunter2", "user": "u"}},
                     {"auth": {"password": "***", "user": "u"}}, id="deep-inside"),
        pytest.param("calls", ["token=hunter2", 3], ["token=***", 3], id="in-a-list"),
        pytest.param("because", "7 jobs wait for 4 workers", "7 jobs wait for 4 workers",
                     id="nothing-secret"),
        pytest.param("secret", None, None, id="none-is-no-secret"),
    ],
)  # fmt: skip
def test_secrets_are_struck_out(field: str, value: Any, shown: Any) -> None:
    assert redact(None, "info", {field: value}) == {field: shown}


def test_a_record_is_one_line_of_json(voice: io.StringIO) -> None:
    structlog.get_logger().info("pool decided", action="pool_decided", create=3)

    (line,) = voice.getvalue().splitlines()
    record = json.loads(line)
    assert (record["event"], record["level"], record["create"]) == ("pool decided", "info", 3)
    assert record["timestamp"].endswith("Z")


def test_libraries_are_heard_from_warnings_on_and_struck_out_too(voice: io.StringIO) -> None:
    logging.getLogger("urllib3").warning("retry of http://u:hunter2@h/")
    logging.getLogger("urllib3").info("connected")

    (line,) = voice.getvalue().splitlines()
    assert json.loads(line)["event"] == "retry of http://u:***@h/"


def test_a_stack_shows_no_secret(voice: io.StringIO) -> None:
    def connect(password: str) -> None:
        raise ValueError(f"postgresql://u:{password}@h refused")

    try:
        connect("hunter2")
    except ValueError as error:
        structlog.get_logger().error("pass failed", exc_info=error)

    assert "hunter2" not in voice.getvalue()
    assert "ValueError" in voice.getvalue()
