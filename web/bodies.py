"""What people send: every wish has a reason, and can be tried first."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from models.access import Role
from models.records import Priority

MOST = 10_000
"""So many things one request may name."""

DAY_HOURS = 24
LARGEST = 2**53 - 1
"""The largest number that every reader of JSON reads as it is; no id is larger."""

WITHOUT_NUL = r"^[^\x00]*$"
"""PostgreSQL keeps every character but this one."""

Name = Annotated[str, Field(min_length=1, max_length=200, pattern=WITHOUT_NUL)]
Seconds = Annotated[float, Field(ge=1, le=366 * DAY_HOURS * 3600)]
Names = Annotated[list[Name], Field(min_length=1, max_length=MOST)]
JobId = Annotated[int, Field(ge=1, le=LARGEST)]
Word = Annotated[str, Field(pattern=r"^[!-~]{1,200}$")]


def lasting(seconds: float | None) -> timedelta | None:
    """For how long; None: until somebody ends it."""
    return None if seconds is None else timedelta(seconds=seconds)


def _example(**fields: Any) -> ConfigDict:
    return ConfigDict(extra="forbid", json_schema_extra={"examples": [fields]})


class Wish(BaseModel):
    """Why somebody wants something, and whether it is only to be tried."""

    model_config = ConfigDict(extra="forbid")
    reason: Annotated[
        str,
        Field(max_length=1000, pattern=WITHOUT_NUL, description="Stands in the audit trail."),
    ] = ""
    dry_run: Annotated[bool, Field(description="Only say what would be done.")] = False


class JobsWish(Wish):
    """A wish about jobs, by their ids."""

    model_config = _example(jobs=[17, 18], reason="wrong tile")
    jobs: Annotated[list[JobId], Field(min_length=1, max_length=MOST)]


class JobWish(BaseModel):
    """A job to be: of a Sentinel `product`, from which the rest follows, or by a `name`.

    `key` makes it unique within its type: handing in the same key again adds nothing.
    """

    model_config = ConfigDict(extra="forbid")
    type: Name
    product: Name | None = None
    name: Word | None = None
    key: Word | None = None
    tile: Annotated[str, Field(pattern=r"^[0-9]{2}[A-Z]{3}$")] | None = None
    priority: Priority = Priority.DELAYED
    deadline: AwareDatetime | None = None
    input: Annotated[
        dict[str, Any], Field(description="Is handed to the program that does the job.")
    ] = {}


class SubmitWish(Wish):
    """Jobs to be added."""

    model_config = _example(
        jobs=[
            {
                "type": "fsc_rlie",
                "product": "S2A_MSIL1C_20220906T130311_N0400_R038_T28WEU_20220906T182127",
                "priority": "nrt",
            },
            {"type": "gfsc", "name": "28WEU-2022-09-06", "tile": "28WEU"},
        ],
        reason="missed during the outage",
    )
    jobs: Annotated[list[JobWish], Field(min_length=1, max_length=MOST)]


class RetireWish(Wish):
    """Workers to go; `forced`: even while a run is on them."""

    model_config = _example(names=["os-worker-003"], reason="its disk is slow")
    names: Names
    forced: bool = False


class OrderWish(Wish):
    """Workers to come, and how long they are kept even when they are idle; those `outside_pool`
    join no Nomad, get no job, and are deleted when that time is over.
    """

    model_config = _example(flavor="hm.large", count=2, keep_hours=4, reason="a campaign")
    flavor: Name
    count: Annotated[int, Field(ge=1, le=1000)] = 1
    keep_hours: Annotated[float, Field(ge=0, le=30 * DAY_HOURS)] = 1.0
    outside_pool: bool = False


class PauseWish(Wish):
    """What is to rest (`everything`, `loop:NAME`, `type:NAME`); `seconds` None: until resumed."""

    model_config = _example(targets=["type:gfsc"], seconds=1800, reason="inputs are wrong")
    targets: Names
    seconds: Seconds | None = None


class ResumeWish(Wish):
    """What is to go on."""

    model_config = _example(targets=["type:gfsc"], reason="they are right again")
    targets: Names


class CloseWish(Wish):
    """Breakers to be closed: what each names by now goes by the ordinary rules again."""

    model_config = _example(names=["removals"], reason="the rack is really gone")
    names: Names


class ParameterWish(Wish):
    """A parameter's new value (null: its default), for a while or for good; waits in seconds."""

    model_config = _example(value=150, seconds=14400, reason="maintenance of the cloud")
    value: int | float | None
    seconds: Seconds | None = None


class PreviewWish(BaseModel):
    """Parameters as they might be (null: their default); waits in seconds. Nothing is changed."""

    model_config = _example(changes={"pool.max_workers": 150, "pool.idle_for": None})
    changes: Annotated[dict[Name, int | float | None], Field(min_length=1, max_length=100)]


class RewindWish(Wish):
    """From when on all that a feed publishes is to be met again."""

    model_config = _example(
        feed="creodias/SENTINEL-2/S2MSI1C", to="2026-01-05T12:00:00Z", reason="they re-indexed"
    )
    feed: Name
    to: AwareDatetime


class CampaignWish(Wish):
    """Jobs for what was measured in [`since`, `until`) of these `tiles` (none: of the area of the
    settings), as a catalogue lists it; `again`: also for images whose job is there already.
    """

    model_config = _example(
        type="fsc_rlie",
        since="2024-01-01T00:00:00Z",
        until="2024-02-01T00:00:00Z",
        tiles=["32TLR", "32TMS"],
        reason="software 1.8",
        dry_run=True,
    )
    type: Name
    since: AwareDatetime
    until: AwareDatetime
    tiles: Annotated[list[Name], Field(max_length=MOST)] = []
    source: Name | None = None
    again: bool = False


class CampaignTurnWish(Wish):
    """A campaign to be paused or resumed."""

    model_config = _example(campaign=3, reason="the cloud is being mended")
    campaign: Annotated[int, Field(ge=1, le=LARGEST)]


class CampaignEndWish(CampaignTurnWish):
    """A campaign to be cancelled; `keep_jobs`: but not its jobs that no run has begun for."""

    keep_jobs: bool = False


class TokenWish(Wish):
    """A token to be made; `seconds` None: until it is revoked."""

    model_config = _example(name="grafana", role="viewer", seconds=7776000, reason="dashboards")
    name: Name
    role: Role
    seconds: Seconds | None = None


class RevokeWish(Wish):
    """Tokens to end."""

    model_config = _example(names=["grafana"], reason="she left")
    names: Names
