"""`hrsi simulate --lives` as a person starts it."""

import json
from pathlib import Path

from controller.simulate.many import live_through
from tests.plugins.commands import Run, Start
from tests.plugins.gates import until


def with_environment_of(folder: Path) -> list[int]:
    """The processes that were started with this folder as the place of their temporary files."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            environment = (process / "environ").read_bytes()
        except OSError:
            continue  # it is over, or not ours to look at
        if f"TMPDIR={folder / 'tmp'}".encode() in environment.split(b"\0"):
            found.append(int(process.name))
    return found


def test_no_process_outlives_a_command_that_is_killed(start_hrsi: Start, folder: Path) -> None:
    process = start_hrsi("simulate", "--lives", "0..100000")
    # Itself, two that live, and the one that Python keeps to tidy up after them.
    until(lambda: len(with_environment_of(folder)) > 2, "lives begin in other processes")
    process.kill()
    until(lambda: not with_environment_of(folder), "all of them end")


def test_the_command_lives_on_several_processors_and_tells_what_it_came_to(hrsi: Run) -> None:
    said = hrsi("simulate", "--lives", "0..12", "--json")
    assert said.returncode == 0, said.stderr
    told = json.loads(said.stdout)
    here = live_through(range(12), 1).as_json()
    assert {**told, "wall_s": 0} == {**here, "wall_s": 0}


def test_the_command_tells_a_life_up_to_a_step(hrsi: Run) -> None:
    said = hrsi("simulate", "--lives", "3", "--replay", "3@50")
    assert said.returncode == 0, said.stderr
    assert said.stdout.startswith("seed 3, step 50, ")
