"""Two controllers on one PostgreSQL: the wire to it is cut, clocks jump, leaders are killed.

Whatever happens, one of them acts at a time; every job is processed once, and nothing is left over.
"""

import os
import sys
import time
from datetime import timedelta
from pathlib import Path

import pytest

from tests.plugins.gates import until
from tests.plugins.shifted import shifted_clock
from tests.plugins.twins import SOMEBODY, Farm, Twin

HOUR = timedelta(hours=1)
KILLS = 20 if os.environ.get("HYPOTHESIS_PROFILE") == "long" else 4
JUMPING = Path(__file__).with_name("jumping.py")


def all_ends_well(farm: Farm, *twins: Twin) -> None:
    until(farm.is_quiet, "everything is processed and taken down")
    for twin in twins:
        twin.end()
    farm.nothing_went_wrong()
    farm.nothing_is_left()


# ---- the wire between the leader and the database is cut -----------------------------------------


@pytest.mark.parametrize("cut", ["silence", "reset"])
def test_a_leader_that_is_cut_off_from_the_database_stops_acting_and_comes_back(
    twin_farm: Farm, cut: str
) -> None:
    first, second = twin_farm.pair()
    twin_farm.submit(8)
    until(lambda: twin_farm.outside.cloud.created > 0, "work is in flight")
    getattr(first.store, cut)()
    twin_farm.leader((second,))
    sent = len(first.writes)
    until(lambda: not_ready(first), "the one that is cut off says so")
    until(lambda: twin_farm.processed() > 0, "the other goes on with the work")
    assert first.writes[sent:] == [], "it acted after its lease had run out"
    first.store.heal()
    twin_farm.until_it_passed(first)
    until(lambda: first.page("readyz")[0] == 200, "it is ready again")
    second.end()
    twin_farm.submit(2)
    assert twin_farm.leader((first,)) is first
    all_ends_well(twin_farm, first)


def not_ready(twin: Twin) -> bool:
    """Whether its health says that the store is why a pass failed."""
    status, text = twin.page("readyz")
    return status == 503 and "the last pass of loop" in text


# ---- clocks --------------------------------------------------------------------------------------


def test_a_wall_clock_that_is_wrong_and_jumps_changes_nothing(twin_farm: Farm) -> None:
    # A lease that outlives any pause of a busy machine, and is far shorter than what clocks jump.
    twin_farm.database.operations.set_parameter("passes.lease", 120, SOMEBODY)
    jump = twin_farm.folder / "jump"
    jump.write_text("3600")
    wrong = twin_farm.start("anna", (sys.executable, str(JUMPING), str(jump)))
    twin_farm.leader((wrong,))
    right = twin_farm.start("bert")
    for seconds in ("-3600", "0"):
        twin_farm.submit(4)
        until_one_more_is_processed(twin_farm)
        jump.write_text(seconds)
    assert twin_farm.leader((wrong,)) is wrong
    assert set(twin_farm.epochs().values()) == {1}, "nobody took the lease from it"
    all_ends_well(twin_farm, wrong, right)
    every_job_needed_one_run(twin_farm)


def until_one_more_is_processed(farm: Farm) -> None:
    before = farm.processed()
    until(lambda: farm.processed() > before, "work is in flight")


def every_job_needed_one_run(farm: Farm) -> None:
    again = [farm.database.reader.story(str(job.id)) for job in farm.jobs() if job.attempt > 1]
    path = [(row.after, row.at, row.message) for story in again for row in story.history]
    assert not again, f"a run that was well was given up: {path}"


def test_the_databases_clock_may_jump_either_way(twin_farm: Farm) -> None:
    with shifted_clock(twin_farm.database) as shift:
        first, second = twin_farm.pair()
        twin_farm.submit(4)
        until(lambda: twin_farm.processed() > 0, "work is in flight")
        shift(HOUR)
        until(twin_farm.is_quiet, "an hour later than it was, all ends")
        # Each loop's lease ran out by itself: one may be with the first, another with the second.
        leader = twin_farm.leader((first, second), {"worker-pool"})
        shift(timedelta(0))
        leader.kill()
        twin_farm.submit(2)
        other = second if leader is first else first
        assert twin_farm.leader((other,)) is other, "the lease is free long before the hour is over"
        all_ends_well(twin_farm, other)


# ---- leaders are killed --------------------------------------------------------------------------


def until_it_acts(leader: Twin) -> None:
    sent = len(leader.writes)
    until(lambda: len(leader.writes) > sent, "the leader acts")


def test_leaders_that_are_killed_one_after_the_other_leave_nothing_undone(twin_farm: Farm) -> None:
    twins = list(twin_farm.pair())
    for number in range(KILLS):
        twin_farm.submit(3)
        leader = twin_farm.leader(twins, {"worker-pool"})
        until_it_acts(leader)
        time.sleep(0.3 * (number % 3))  # now in mid-scale-up, now while jobs run, now in shrinking
        leader.kill()
        twins.remove(leader)
        twins.append(twin_farm.start(f"heir-{number}"))
    all_ends_well(twin_farm, *twins)
