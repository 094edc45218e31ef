"""How long a run takes from the start of its program to the status that the database has of it."""

from __future__ import annotations

import resource
import time
from datetime import UTC, datetime
from statistics import median

from models.lifecycle import Status
from tests.bench.conftest import Figures
from tests.plugins.runs import Worker

RUNS = 11
BUDGET = 1.5


def children_cpu() -> float:
    """User and system time of the processes that were waited for."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def test_a_run_is_started_soon_after_its_program(worker: Worker, figures: Figures) -> None:
    waits, cpu = [], []
    for number in range(RUNS):
        run = worker.queued_of("test")
        began, before = time.time(), children_cpu()
        code, said = worker.do(run, f"a{number}")
        assert code == 0, said
        cpu.append(children_cpu() - before)
        [started] = [each for each in worker.story(run).history if each.after is Status.STARTED]
        waits.append((started.at - datetime.fromtimestamp(began, UTC)).total_seconds())
    # The first one finds no file of its modules in memory.
    found = median(waits[1:])
    figures.time(
        "start of the run program → started, HTTP and PostgreSQL included, median / longest",
        f"{found:.2f} / {max(waits[1:]):.2f} s",
        f"median ≤ {BUDGET} s",
        holds=found <= BUDGET,
    )
    figures.time("CPU of a whole run that has nothing to do", f"{median(cpu[1:]):.2f} s")
    assert found <= BUDGET
