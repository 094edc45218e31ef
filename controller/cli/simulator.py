"""`hrsi simulator`: stand-ins of Nomad and OpenStack, to try a controller by hand."""

from __future__ import annotations

import shlex
import sys
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import click
import typer

from controller.cli.output import say
from controller.cli.session import examples, settings
from controller.cli.signals import Signals
from controller.serving import CloudOffer, FollowedCloud, NomadOffer, Offer, Runs, offered
from controller.simulate.scenario import FaultLevel
from models.parameter_text import read_wait, wait_in_words

app = typer.Typer(
    no_args_is_help=True,
    help="Serve a simulated Nomad or cloud, or both, to try a controller by hand.",
)

NOMAD_PORT = 4646
"""Nomad's own: a controller looks there when nobody tells it otherwise."""

CLOUD_PORT = 5001

NOMAD, CLOUD = NomadOffer(port=NOMAD_PORT), CloudOffer(port=CLOUD_PORT)
FOLLOWED = FollowedCloud(name="")
BOOT = Offer(cloud=CLOUD).boot_time


def _wait(text: str | timedelta) -> timedelta:
    """A wait as people write it; a default comes as it is."""
    if isinstance(text, timedelta):
        return text
    try:
        return read_wait(text)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


def _waiting(about: str, default: timedelta) -> Any:
    """An option that is a wait, whose default is shown as people write one."""
    shown = wait_in_words(default.total_seconds())
    return typer.Option(parser=_wait, metavar="WAIT", help=about, show_default=shown)


Follow = Annotated[
    str, typer.Option("--follow-cloud", metavar="CLOUD", help="An entry of clouds.yaml.")
]
LookEvery = Annotated[
    timedelta, _waiting("How often the cloud's list is read.", FOLLOWED.look_every)
]
BootTime = Annotated[
    timedelta, _waiting("From ACTIVE to the machine's Nomad client or process.", BOOT)
]
OnBoot = Annotated[
    str | None,
    typer.Option(
        metavar="COMMAND",
        help="Run by a shell for every server that boots, ended when the server is gone. Finds "
        "HRSI_SERVER_ID, _NAME, _IP and _FLAVOR in its environment.",
    ),
]
TheRuns = Annotated[
    Runs,
    typer.Option(help="simulated: after a time they are done; processes: the job's own command."),
]
RunTime = Annotated[timedelta, _waiting("Longest simulated run.", NOMAD.run_time)]
TheFaults = Annotated[
    FaultLevel, typer.Option("--faults", help="How much goes wrong with calls and runs.")
]
Seed = Annotated[
    int | None, typer.Option(help="The same chance again. Left out, it differs every time.")
]
NomadPort = Annotated[int, typer.Option(min=0, max=65535, help="Where Nomad listens; 0: anywhere.")]
CloudPort = Annotated[
    int, typer.Option(min=0, max=65535, help="Where the cloud listens; 0: anywhere.")
]
ActiveAfter = Annotated[timedelta, _waiting("From a create to ACTIVE.", CLOUD.active_after)]


@app.command(
    epilog=examples(
        "hrsi simulator nomad --follow-cloud farm",
        "hrsi simulator nomad --follow-cloud farm --boot-time 2m --runs processes",
        "hrsi simulator nomad --follow-cloud farm --on-boot 'exec ./machine.sh'",
    )
)
def nomad(
    context: typer.Context,
    follow_cloud: Follow,
    port: NomadPort = NOMAD.port,
    look_every: LookEvery = FOLLOWED.look_every,
    boot_time: BootTime = BOOT,
    runs: TheRuns = NOMAD.runs,
    run_time: RunTime = NOMAD.run_time,
    on_boot: OnBoot = None,
    faults: TheFaults = FaultLevel.NONE,
    seed: Seed = None,
) -> None:
    """Serve a simulated Nomad whose nodes are the servers of a real cloud.

    A server of our deployment and prefix that gets ACTIVE becomes a node after the boot time; when
    it is gone, its node is down. Deployment, prefix, project and database: those of the settings.
    """
    offer = Offer(
        cloud=FollowedCloud(name=follow_cloud, look_every=look_every),
        nomad=NomadOffer(port=port, runs=runs, run_time=run_time),
        on_boot=on_boot,
        boot_time=boot_time,
        faults=faults,
        seed=seed,
    )
    _serve(context, offer)


@app.command(
    epilog=examples("hrsi simulator machines --follow-cloud farm --on-boot 'exec ./machine.sh'")
)
def machines(
    context: typer.Context,
    follow_cloud: Follow,
    on_boot: Annotated[str, typer.Option(metavar="COMMAND", help="As in `simulator nomad`.")],
    look_every: LookEvery = FOLLOWED.look_every,
    boot_time: BootTime = BOOT,
) -> None:
    """Run a command for every server of a real cloud, beside a real Nomad.

    With a command that is a Nomad client, servers, nodes and runs are all real.
    """
    cloud = FollowedCloud(name=follow_cloud, look_every=look_every)
    _serve(context, Offer(cloud=cloud, on_boot=on_boot, boot_time=boot_time))


@app.command(
    epilog=examples(
        "hrsi simulator cloud", "hrsi simulator cloud --on-boot 'exec ./machine.sh' --faults some"
    )
)
def cloud(
    context: typer.Context,
    port: CloudPort = CLOUD.port,
    active_after: ActiveAfter = CLOUD.active_after,
    boot_time: BootTime = BOOT,
    on_boot: OnBoot = None,
    faults: TheFaults = FaultLevel.NONE,
    seed: Seed = None,
) -> None:
    """Serve a simulated OpenStack cloud, beside a real Nomad or none."""
    offer = Offer(
        cloud=CloudOffer(port=port, active_after=active_after),
        on_boot=on_boot,
        boot_time=boot_time,
        faults=faults,
        seed=seed,
    )
    _serve(context, offer)


@app.command(
    "all",
    epilog=examples(
        "hrsi simulator all", "hrsi simulator all --run-time 5s --faults some --seed 7"
    ),
)
def everything(
    context: typer.Context,
    nomad_port: NomadPort = NOMAD.port,
    cloud_port: CloudPort = CLOUD.port,
    active_after: ActiveAfter = CLOUD.active_after,
    boot_time: BootTime = BOOT,
    runs: TheRuns = NOMAD.runs,
    run_time: RunTime = NOMAD.run_time,
    on_boot: OnBoot = None,
    faults: TheFaults = FaultLevel.NONE,
    seed: Seed = None,
) -> None:
    """Serve a simulated cloud and a simulated Nomad whose nodes are the cloud's servers."""
    offer = Offer(
        cloud=CloudOffer(port=cloud_port, active_after=active_after),
        nomad=NomadOffer(port=nomad_port, runs=runs, run_time=run_time),
        on_boot=on_boot,
        boot_time=boot_time,
        faults=faults,
        seed=seed,
    )
    _serve(context, offer)


def _serve(context: typer.Context, offer: Offer) -> None:
    """Serve until somebody asks for the end; then everything that was started ends."""
    config = settings(context)
    with Signals() as signals, offered(config, offer, _tell) as found:
        for sentence in _introduction(offer, found.seed):
            say(sentence)
        say("Point a controller here, in another terminal:")
        for name, value in found.environment.items():
            say(f"export {name}={shlex.quote(value)}")
        say("hrsi controller")
        sys.stdout.flush()
        signals.stop.wait()
        _tell("ending; nothing of it is left running")


def _introduction(offer: Offer, seed: int) -> list[str]:
    """What is simulated here and what is not."""
    told = [f"Faults: {offer.faults}, seed {seed}."]
    boot = wait_in_words(offer.boot_time.total_seconds())
    if isinstance(offer.cloud, CloudOffer):
        told.append("The cloud is simulated: its servers are rows in this process.")
    else:
        told.append(f"The cloud {offer.cloud.name} is real and only looked at.")
    told.append(f"A server's machine has booted {boot} after it is ACTIVE.")
    if offer.nomad is not None:
        runs = {
            Runs.SIMULATED: "nothing is started, runs are reported as done after "
            + f"{wait_in_words(offer.nomad.run_time.total_seconds())} at most",
            Runs.PROCESSES: "they are processes of this machine",
        }
        told.append(
            f"Nomad is simulated; its nodes are those machines. Runs: {runs[offer.nomad.runs]}."
        )
    if offer.on_boot is not None:
        told.append(f"Each machine is a process of this command: {offer.on_boot}")
    return told


def _tell(sentence: str) -> None:
    """One line for what happens, at its time; whoever reads a pipe has it at once."""
    say(f"{datetime.now(UTC):%H:%M:%S} {sentence}")
    sys.stdout.flush()
