"""The image that workers boot from: made of the template server, replaced with it, deleted unused.

Nothing here waits: a template that is being set up and an image that is being made are looked at
again in the next pass, while workers boot from the image of the template before. What takes too
long is said aloud (`*_FROZEN`) and left to a person, whom it takes to tell a slow one from a dead
one. Where the settings name an image there is nothing to make and nothing here is decided.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from models.actions import DeleteImage, EndImageMaking, MakeImage
from models.errors import FailureClass
from models.fleet import INTENT_METADATA
from models.images import (
    ACTIVE,
    FINISHED_METADATA,
    GOING,
    IN_THE_MAKING,
    LOST,
    image_at_hand,
    image_name,
    images_of,
    is_of,
    is_ours,
    is_said_finished,
    template_of,
)
from models.plan import Decision, Fact, Held, Reason, Subject, SubjectKind
from models.records import Backoff, Intent, IntentKind, IntentState
from models.sightings import image_missing
from models.wording import are, counted
from models.world import CloudSnapshot, Image, Server
from reconcilers.pool.survey import Survey, seconds

STANDS_STILL = frozenset({"ACTIVE", "SHUTOFF"})
"""Statuses of a server that an image can be made of."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Making:
    """The template as this pass sees it, and the image to be made of it."""

    survey: Survey
    cloud: CloudSnapshot
    template: Server
    name: str

    @property
    def subject(self) -> Subject:
        return Subject(SubjectKind.IMAGE, self.name)

    @property
    def told(self) -> str:
        return f"template {self.template.name} ({self.template.id})"

    @property
    def age(self) -> timedelta:
        return self.survey.now - self.template.created_at

    def waits(self, reason: Reason, because: str, *facts: tuple[str, Fact]) -> Held:
        return Held(subject=self.subject, reason=reason, because=because, facts=facts)


def image(survey: Survey) -> Iterator[Decision]:
    """What becomes of the template's image, and which images of ours are of no use any more."""
    cloud, site = survey.cloud, survey.world.site
    if cloud is None or site.image is not None:
        return
    yield from _ended(survey, cloud)
    yield from towards(survey, cloud)
    yield from _unused(survey, cloud)


def towards(survey: Survey, cloud: CloudSnapshot) -> Iterator[Decision]:
    """What is done, or waited for, until the template has its image; nothing once it has."""
    template = template_of(cloud, survey.world.site)
    if template is None:
        yield _without_template(survey, cloud)
        return
    name = image_name(template.id)
    yield from _made(_Making(survey=survey, cloud=cloud, template=template, name=name))


def _without_template(survey: Survey, cloud: CloudSnapshot) -> Held:
    name = survey.world.site.template
    earlier = image_at_hand(cloud, survey.world.site)
    goes_on = (
        f"workers boot from {earlier.name}, made of an earlier one"
        if earlier
        else "no worker can be created"
    )
    return Held(
        subject=Subject(SubjectKind.IMAGE, name),
        reason=Reason.TEMPLATE_MISSING,
        because=f"no server called {name} is listed to make an image of; {goes_on}. Create the "
        "template, or set openstack.template or openstack.image",
    )


def why_no_image(survey: Survey, cloud: CloudSnapshot) -> str:
    """Why there is no image that a worker could boot from, and what is done or to do about it."""
    site = survey.world.site
    if site.image is not None:
        return f"OpenStack has no active image {site.image}: make it, or correct openstack.image"
    return "; ".join(decision.because for decision in towards(survey, cloud))


# ---- making --------------------------------------------------------------------------------------


def _made(making: _Making) -> Iterator[Decision]:
    """The next step towards an active image of the template; nothing once there is one."""
    found = images_of(making.cloud.worker_images.images, making.template.id)
    if any(image.status == ACTIVE for image in found):
        return
    if found:
        yield _unready(making, found[0])
        return
    intents = _open_intents(making.survey, making.name)
    if intents:
        yield making.waits(
            Reason.INTENT_OPEN,
            f"an image of {making.told} was asked for and is not listed yet; it may still show",
        )
        return
    yield from _begun(making)


def _unready(making: _Making, image: Image) -> Held:
    limit = making.survey.settings.image_limit
    age = seconds(image.created_at, making.survey.now)
    facts = (("status", image.status), ("age_s", age), ("limit_s", int(limit.total_seconds())))
    told = f"image {image.name} ({image.id}) of {making.told} is {image.status}"
    if image.status not in IN_THE_MAKING:
        because = f"{told}: reactivate it, or delete it, then another is made"
        return making.waits(Reason.IMAGE_FROZEN, because, *facts)
    if timedelta(seconds=age) > limit:
        because = (
            f"{told} for {age} s of {limit.total_seconds():g} s; if Nova has given it up, delete "
            f"it: openstack image delete {image.id}; then another is made"
        )
        return making.waits(Reason.IMAGE_FROZEN, because, *facts)
    return making.waits(Reason.IMAGE_COMING, f"{told} for {age} s", *facts)


def _begun(making: _Making) -> Iterator[Decision]:
    """Is the template ready? Its console is read now and then; a person may say so as well."""
    survey, template = making.survey, making.template
    if template.status not in STANDS_STILL:
        yield _unfinished(making, f"is {template.status}{_fault(template)}")
        return
    if template.task_state is not None:
        yield _unfinished(making, f"is busy ({template.task_state})")
        return
    backoff = _backoff(making)
    if backoff is not None and backoff.failure is FailureClass.CONFLICT:
        yield _unfinished(making, f"cannot be copied yet: {backoff.message}")
        if backoff.until > survey.now:
            return
    yield MakeImage(
        subject=making.subject,
        reason=Reason.IMAGE_NEEDED,
        because=f"{making.told} has no image: one is made if its set-up has finished",
        facts=(("template", template.id),),
        name=making.name,
        template_id=template.id,
        finished=is_said_finished(template),
    )


def _unfinished(making: _Making, how: str) -> Held:
    """Waited for while it is young; later the same is an alarm."""
    limit, age = making.survey.settings.template_limit, int(making.age.total_seconds())
    facts = (("age_s", age), ("limit_s", int(limit.total_seconds())))
    if making.age <= limit and making.template.status != "ERROR":
        because = f"{making.told} is {age} s old and {how}"
        return making.waits(Reason.TEMPLATE_UNFINISHED, because, *facts)
    because = (
        f"{making.told} is {age} s old and {how}. Look at its console; replace it, or, if it is "
        "good, say so: openstack server set --property "
        f"{FINISHED_METADATA}=true {making.template.id}"
    )
    return making.waits(Reason.TEMPLATE_FROZEN, because, *facts)


def _fault(template: Server) -> str:
    return f" ({template.fault})" if template.fault else ""


def _backoff(making: _Making) -> Backoff | None:
    subject = str(making.subject)
    found = [b for b in making.survey.world.store.backoffs if b.subject == subject]
    return max(found, key=lambda b: (b.until, b.failure), default=None)


# ---- what came of a making -----------------------------------------------------------------------


def _ended(survey: Survey, cloud: CloudSnapshot) -> Iterator[Decision]:
    """Close the intents whose image is there, or is lost, or never showed in any list."""
    listed = {i.metadata.get(INTENT_METADATA): i for i in cloud.worker_images.images}
    for intent in _open_intents(survey):
        image = listed.get(str(intent.id))
        if image is None:
            yield from _refuted(survey, cloud, intent)
        elif image.status == ACTIVE:
            because = f"image {image.name} ({image.id}) is active"
            yield _end(intent, IntentState.DONE, Reason.IMAGE_READY, because)
        elif image.status in LOST:
            because = f"image {image.name} ({image.id}) is {image.status}: making it failed"
            yield _end(intent, IntentState.FAILED, Reason.IMAGE_FAILED, because)


def _refuted(survey: Survey, cloud: CloudSnapshot, intent: Intent) -> Iterator[EndImageMaking]:
    settings, asked_at = survey.settings, cloud.worker_images.requested_at
    sighting = survey.world.sightings.get(image_missing(intent.id))
    lists = sighting.count if sighting else 0
    if lists >= settings.refute_lists and asked_at >= intent.deadline + settings.refute_after:
        because = (
            f"no image {intent.subject} of this intent was in {lists} lists, the last "
            f"{seconds(intent.deadline, asked_at)} s after its deadline: it never came, or Nova "
            "gave it up"
        )
        yield _end(intent, IntentState.REFUTED, Reason.IMAGE_FAILED, because, ("lists", lists))


def _end(
    intent: Intent, state: IntentState, reason: Reason, because: str, *facts: tuple[str, Fact]
) -> EndImageMaking:
    return EndImageMaking(
        subject=Subject(SubjectKind.IMAGE, intent.subject),
        reason=reason,
        because=because,
        facts=facts,
        intent_id=intent.id,
        state=state,
    )


def _open_intents(survey: Survey, name: str | None = None) -> list[Intent]:
    return [
        intent
        for intent in survey.world.store.intents
        if intent.kind is IntentKind.MAKE_IMAGE and name in {None, intent.subject}
    ]


# ---- deleting ------------------------------------------------------------------------------------


def _unused(survey: Survey, cloud: CloudSnapshot) -> Iterator[Decision]:
    """Images of ours that nothing boots from any more, once the template's own is there."""
    for old in _replaced(survey, cloud):
        users = _users(survey, cloud, old)
        subject = Subject(SubjectKind.IMAGE, old.id)
        if users:
            yield Held(
                subject=subject,
                reason=Reason.IMAGE_IN_USE,
                because=f"image {old.name} is kept while {users}",
                facts=(("name", old.name),),
            )
        else:
            yield DeleteImage(
                subject=subject,
                reason=Reason.IMAGE_UNUSED,
                because=f"image {old.name} ({old.status}) has been replaced and nothing uses it",
                facts=(("name", old.name), ("status", old.status)),
                image_id=old.id,
                name=old.name,
            )


def _replaced(survey: Survey, cloud: CloudSnapshot) -> Iterator[Image]:
    """Images of ours, the oldest first, that no worker will be created from, and lost ones."""
    site = survey.world.site
    template, chosen = template_of(cloud, site), image_at_hand(cloud, site)
    has_its_own = template is not None and chosen is not None and is_of(chosen, template.id)
    for old in sorted(cloud.worker_images.images, key=lambda i: (i.created_at, i.id)):
        there = is_ours(old, site) and old.status not in GOING
        if there and old != chosen and (has_its_own or old.status in LOST):
            yield old


def _users(survey: Survey, cloud: CloudSnapshot, old: Image) -> str:
    """Why an image must be kept, in words; empty: nothing uses it, and nothing can begin to."""
    using = sorted(s.name or s.id for s in cloud.servers if s.image_id == old.id)
    hidden = sum(s.status == "UNKNOWN" and s.image_id is None for s in cloud.servers)
    making = any(i.deadline > survey.now for i in _open_intents(survey, old.name))
    reasons = (
        (using, f"{are(len(using), 'server')} made from it: {', '.join(using[:5])}"),
        (hidden, f"{counted(hidden, 'server')} of a cell that is down may be made from it"),
        (_has_unseen_servers(survey), "servers that are not seen yet may be made from it"),
        (making, "its making may still be answered"),
    )
    return "; ".join(told for holds, told in reasons if holds)


def _has_unseen_servers(survey: Survey) -> bool:
    """A worker's server is not listed, or a create may still take effect: nobody knows from what
    such a server is made.
    """
    unseen = (m.server is None and m.worker.gone_at is None for m in survey.members)
    creates = (i.kind is IntentKind.CREATE_SERVER for i in survey.world.store.intents)
    return any(unseen) or any(creates) or bool(survey.unseen_creations())
