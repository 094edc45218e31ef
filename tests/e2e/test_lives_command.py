"""`hrsi simulate --lives` as a person starts it."""

import json

from controller.simulate.many import live_through
from tests.plugins.commands import Run


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
