"""`hrsi doctor`: look at everything that a controller needs, and say how to mend what is wrong."""

from __future__ import annotations

from collections import Counter

import typer

from controller import bootstrap
from controller.cli.output import print_json, print_table, say
from controller.cli.session import AsJson, examples, settings
from controller.doctor.examine import examine, worst
from models.checkup import Check, Health

app = typer.Typer()

EXITS = {Health.OK: 0, Health.WARNING: 1, Health.FAILED: 2}
COUNTED = {Health.OK: "ok", Health.WARNING: "warnings", Health.FAILED: "failed"}
MARKS = {Health.OK: "ok", Health.WARNING: "WARNING", Health.FAILED: "FAILED"}


@app.command(epilog=examples("hrsi doctor", "hrsi doctor --json"))
def doctor(context: typer.Context, as_json: AsJson = False) -> None:
    """Check settings, database, Nomad, cloud, buckets, broker and catalogues, and say how to mend
    what is wrong; change nothing.

    Exit status: 0 all is well, 1 there are warnings, 2 something failed.
    """
    with bootstrap.patients(settings(context)) as patients:
        checks = list(examine(patients))
    health = worst(checks)
    if as_json:
        print_json({"health": health, "checks": checks})
    else:
        _tell(checks)
    raise typer.Exit(EXITS[health])


def _tell(checks: list[Check]) -> None:
    rows = [(MARKS[c.health], c.about, c.name, c.found) for c in checks]
    print_table("Check-up", ("", "system", "check", "found"), rows)
    wrong = [check for check in checks if check.health is not Health.OK]
    if wrong:
        say("")
        remedies = [(f"{c.about}, {c.name}", c.remedy) for c in wrong]
        print_table("How to mend it", ("check", "remedy"), remedies)
    counted = Counter(check.health for check in checks)
    say("")
    say(", ".join(f"{counted[health]} {word}" for health, word in COUNTED.items()))
