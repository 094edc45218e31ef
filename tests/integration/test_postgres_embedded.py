"""The embedded server: shared by those who use it, stopped by the last, and by nobody else."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from infra.postgres import connect, embedded
from infra.postgres.migrate import migrate
from models.errors import ConfigurationError
from simulator.examples import some_new_jobs
from tests.plugins.stores import ASKED, Desk, postgres_doors

pytestmark = pytest.mark.integration

USES_IT_FOR_EVER = """
import sys, time
from pathlib import Path
from infra.postgres import embedded
server = embedded.start(Path(sys.argv[1]))
print(server.pid, flush=True)
time.sleep(600)
"""


@pytest.fixture
def directory() -> Iterator[Path]:
    # Not below pytest's own directory: see tests/plugins/postgres.py.
    made = Path(tempfile.mkdtemp(prefix="hrsi-embedded-"))
    yield made
    shutil.rmtree(made)


def answers(url: str) -> bool:
    try:
        with psycopg.connect(url) as connection:
            return connection.execute("select true").fetchone() == (True,)
    except psycopg.OperationalError:
        return False


def test_the_last_one_out_stops_the_server(directory: Path) -> None:
    first = embedded.start(directory, embedded.THROW_AWAY)
    second = embedded.start(directory)
    assert second.pid == first.pid
    assert second.url == first.url
    assert not first.stop()
    assert not first.stop(), "a share is given up once"
    assert answers(second.url)
    assert second.stop()
    assert not answers(second.url)


def test_a_start_that_is_broken_off_leaves_no_server(directory: Path) -> None:
    (directory / "started.pid").mkdir()  # the pid cannot be noted: the server is up by then
    with pytest.raises(ConfigurationError, match=r"started\.pid"):
        embedded.start(directory)
    assert not (directory / "data" / "postmaster.pid").exists()
    (directory / "started.pid").rmdir()
    assert embedded.start(directory).stop()


def test_what_was_written_is_there_after_a_restart(directory: Path) -> None:
    with embedded.running(directory, embedded.THROW_AWAY) as server:
        with psycopg.connect(server.url) as connection:
            connection.execute("create table kept as select 7 as number")
        old = server.pid
    with embedded.running(directory) as server, psycopg.connect(server.url) as connection:
        assert server.pid != old
        assert connection.execute("select number from kept").fetchone() == (7,)


def test_a_process_that_was_killed_keeps_no_share(directory: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", USES_IT_FOR_EVER, str(directory)], stdout=subprocess.PIPE
    ) as other:
        assert other.stdout is not None
        pid = int(other.stdout.readline())
        server = embedded.start(directory)
        assert server.pid == pid
        assert not server.stop(), "the other process uses it"
        server = embedded.start(directory)
        other.send_signal(signal.SIGKILL)
    assert server.stop()
    assert not answers(server.url)


def test_a_server_that_somebody_else_started_is_used_and_left_alone(directory: Path) -> None:
    server = embedded.start(directory, embedded.THROW_AWAY)
    (directory / "started.pid").unlink()
    assert not server.stop()
    assert answers(server.url)
    (directory / "started.pid").write_text(str(server.pid))
    assert embedded.start(directory).stop()


def test_a_pid_file_that_names_another_program_is_no_server(directory: Path) -> None:
    with embedded.running(directory, embedded.THROW_AWAY) as server:
        data = server.directory / "data"
        lines = (data / "postmaster.pid").read_text().splitlines()
    (data / "postmaster.pid").write_text("\n".join([str(os.getpid()), *lines[1:]]))
    with embedded.running(directory) as server:
        assert server.pid != os.getpid()
        assert answers(server.url)


def test_a_directory_that_can_hold_no_server_is_named_with_the_remedy(directory: Path) -> None:
    (directory / "file").touch()
    with pytest.raises(ConfigurationError, match=r"file.*DATABASE_URL"):
        embedded.start(directory / "file")


def test_the_store_works_on_the_oldest_server_that_the_wheel_brings(directory: Path) -> None:
    with embedded.running(directory, embedded.THROW_AWAY, version=16) as server:
        migrate(server.url)
        database = connect(server.url)
        desk = Desk(postgres_doors(database))
        desk.failed()
        desk.deleting()
        added = database.operations.submit(some_new_jobs(5, type="test"), ASKED).added
        assert all(verdict.done for verdict in database.operations.cancel(added, ASKED))
        assert desk.view().in_flight == ()
        assert database.store.prune(desk.now()) >= 0
        database.dispose()
