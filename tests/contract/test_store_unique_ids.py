"""Jobs by their unique ids, as both stores have them."""

from __future__ import annotations

from uuid import uuid4

from tests.plugins.stores import Desk


def test_jobs_are_found_by_their_unique_ids_in_the_order_of_their_ids(desk: Desk) -> None:
    [one], [two], [_] = desk.submit(), desk.submit(), desk.submit()
    wanted = [desk.job(two).unique_id, uuid4(), desk.job(one).unique_id, desk.job(two).unique_id]
    found = desk.doors.reader.of_unique_ids(wanted)
    assert [job.id for job in found] == [one, two]
    assert found[0] == desk.job(one)


def test_of_no_ids_there_are_no_jobs(desk: Desk) -> None:
    desk.submit()
    assert desk.doors.reader.of_unique_ids([]) == ()
