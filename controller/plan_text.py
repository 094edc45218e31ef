"""A plan as people read it, one line a decision: `+` makes, `-` ends, `~` changes, `!` holds back.

Computes text from decisions and does nothing else; `hrsi plan` prints it and the demo's view takes
its phrases from here. A new action needs a row in `PHRASES`; a test misses it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from controller.text import visible
from models import actions
from models.plan import Action, Decision, Held, Reason
from models.wording import counted

MAKES, ENDS, CHANGES, HOLDS = "+", "-", "~", "!"


@dataclass(frozen=True, kw_only=True, slots=True)
class Phrase:
    """How an action reads: its sign, what it does (a template over `a`, the action), its count."""

    sign: str
    does: str
    counts_as: str = "other"


def _phrase(sign: str, does: str, counts_as: str = "other") -> Phrase:
    return Phrase(sign=sign, does=does, counts_as=counts_as)


PHRASES: Mapping[type[Action], Phrase] = MappingProxyType(
    {
        actions.AddJobs: _phrase(MAKES, "add what {a.subject.id} lists"),
        actions.Compose: _phrase(MAKES, "put products together for {a.subject.id}"),
        actions.AddCampaignJobs: _phrase(MAKES, "go on with campaign {a.part.campaign_id}"),
        actions.Configure: _phrase(CHANGES, "configure jobs of type {a.subject.id}"),
        actions.RegisterParent: _phrase(MAKES, "register {a.parent.id}"),
        actions.DispatchRun: _phrase(MAKES, "dispatch job {a.job_id} to {a.parent}", "dispatch"),
        actions.ResendDispatch: _phrase(CHANGES, "send the dispatch of job {a.job_id} again"),
        actions.ConfirmDispatch: _phrase(CHANGES, "confirm job {a.job_id} as {a.nomad_job_id}"),
        actions.AbandonDispatch: _phrase(CHANGES, "give up the dispatch of job {a.job_id}"),
        actions.StopChild: _phrase(ENDS, "stop {a.nomad_job_id}"),
        actions.EvaluateChild: _phrase(CHANGES, "have {a.nomad_job_id} evaluated"),
        actions.FailRun: _phrase(CHANGES, "end the run of job {a.job_id} as {a.end.value}"),
        actions.SettleError: _phrase(CHANGES, "settle the error of job {a.job_id}: {a.then.value}"),
        actions.IdentifyNode: _phrase(CHANGES, "identify node {a.name} ({a.node_class})"),
        actions.RecordServer: _phrase(CHANGES, "note server {a.server_id} of {a.subject.id}"),
        actions.AdoptServer: _phrase(MAKES, "adopt server {a.server_id} as {a.name} ({a.flavor})"),
        actions.AdmitNode: _phrase(CHANGES, "admit the node of {a.subject.id}"),
        actions.ConfirmAdmitted: _phrase(CHANGES, "note that {a.subject.id} is ready"),
        actions.CreateServer: _phrase(MAKES, "create server {a.name} ({a.flavor})", "create"),
        actions.RefuteCreate: _phrase(ENDS, "give up the creation of {a.subject.id}"),
        actions.MarkWorker: _phrase(ENDS, "mark {a.subject.id} for deletion", "delete"),
        actions.RecordSeen: _phrase(CHANGES, "note that the mark on {a.subject.id} is seen"),
        actions.RestartMark: _phrase(CHANGES, "begin the deletion of {a.subject.id} anew"),
        actions.UnmarkWorker: _phrase(CHANGES, "take the mark off {a.subject.id}"),
        actions.ConfirmUnmarked: _phrase(CHANGES, "note that {a.subject.id} is back at work"),
        actions.CommitDelete: _phrase(ENDS, "delete server of {a.subject.id}", "delete"),
        actions.DeleteServer: _phrase(ENDS, "ask again to delete {a.subject.id}", "delete"),
        actions.ProveGone: _phrase(CHANGES, "ask whether the server of {a.subject.id} is gone"),
        actions.PurgeNode: _phrase(ENDS, "purge node {a.node_id}"),
        actions.CloseWorker: _phrase(ENDS, "close {a.subject.id}: its name is free"),
        actions.ForgetNode: _phrase(ENDS, "forget node {a.identity.name}"),
        actions.OpenBreaker: _phrase(CHANGES, "open breaker {a.subject.id}"),
        actions.CloseBreaker: _phrase(CHANGES, "close breaker {a.subject.id}"),
        actions.EndAcceptance: _phrase(CHANGES, "count again what breaker {a.subject.id} named"),
        actions.MakeImage: _phrase(MAKES, "make image {a.name} of server {a.template_id}"),
        actions.EndImageMaking: _phrase(CHANGES, "note how making {a.subject.id} ended: {a.state}"),
        actions.DeleteImage: _phrase(ENDS, "delete image {a.name} ({a.image_id})"),
        actions.PublishJob: _phrase(MAKES, "publish the products of job {a.job_id}"),
        actions.EndJob: _phrase(CHANGES, "let job {a.job_id} be done"),
        actions.CountRefusal: _phrase(CHANGES, "count a refusal of {a.product}"),
        actions.ParkRefusal: _phrase(CHANGES, "park refused message {a.message.receipt}"),
        actions.RemoveResults: _phrase(ENDS, "delete what {a.subject} left: {a.unique_id}"),
        actions.RemoveL2a: _phrase(ENDS, "delete the L2A of {a.subject}: {a.path}"),
    }
)

_SIGNS = {action.__name__: phrase.sign for action, phrase in PHRASES.items()}

HELD_BACK = "held back"
_CAPITAL = re.compile(r"(?<!^)(?=[A-Z])")

COUNTED = ("create", "delete", "dispatch")


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """One decision in words. `because` is the sentence that its reconciler gave."""

    sign: str
    what: str
    because: str
    reason: Reason

    def __str__(self) -> str:
        return line_as_text(self.sign, self.what, self.because)


def line_of(decision: Decision) -> Line:
    """Put one decision into words."""
    phrase = PHRASES[type(decision)] if isinstance(decision, Action) else None
    return Line(
        sign=phrase.sign if phrase else HOLDS,
        what=phrase.does.format(a=decision) if phrase else _plainly(decision),
        because=decision.because,
        reason=decision.reason,
    )


def _plainly(decision: Decision) -> str:
    return f"{decision.subject.kind} {decision.subject.id} ({decision.reason})"


def sign_of(action: str) -> str:
    """The sign of a recorded decision, whose ledger row names its action class."""
    return _SIGNS.get(action, HOLDS)


def action_in_words(action: str) -> str:
    """What a ledger row names by its class, as people say it: `CreateServer` is `create server`."""
    return HELD_BACK if action == Held.__name__ else _CAPITAL.sub(" ", action).lower()


def plan_lines(plan: Mapping[str, Iterable[Decision]]) -> Iterator[str]:
    """The whole plan, loop by loop, and the summary; a loop with nothing to say is left out."""
    for loop, decisions in plan.items():
        told = [f"  {line_of(decision)}" for decision in decisions]
        if told:
            yield from (f"{loop}:", *told, "")
    yield summary(counts(decision for decisions in plan.values() for decision in decisions))


def counts(decisions: Iterable[Decision]) -> dict[str, int]:
    """How many decisions of each kind: to create, delete, dispatch, other steps, held back."""
    found = Counter(
        PHRASES[type(decision)].counts_as if isinstance(decision, Action) else "held"
        for decision in decisions
    )
    return {kind: found[kind] for kind in (*COUNTED, "other", "held")}


def summary(found: Mapping[str, int]) -> str:
    """The plan in one sentence, by its counts."""
    if not any(found.values()):
        return "Plan: nothing to do; the world is as it should be."
    steps = ", ".join(f"{found[kind]} to {kind}" for kind in COUNTED)
    other = f", {counted(found['other'], 'other step')}" if found["other"] else ""
    return f"Plan: {steps}{other}; {found['held']} held back."


def line_as_text(sign: str, what: str, because: str) -> str:
    """One decision as a plan shows it."""
    return visible(f"{sign} {what}: {because}")


def decision_as_json(loop: str, decision: Decision) -> dict[str, object]:
    """One decision for scripts, with its loop, reason and facts."""
    line = line_of(decision)
    return {
        "loop": loop,
        "sign": line.sign,
        "action": type(decision).__name__,
        "subject": str(decision.subject),
        "what": line.what,
        "reason": decision.reason,
        "because": decision.because,
        "facts": dict(decision.facts),
    }


def plan_as_json(plan: Mapping[str, Iterable[Decision]]) -> dict[str, object]:
    """The plan for scripts: every decision with its loop, reason and facts, and the counts."""
    told = [
        decision_as_json(loop, decision)
        for loop, decisions in plan.items()
        for decision in decisions
    ]
    whole = [decision for decisions in plan.values() for decision in decisions]
    return {"decisions": told, "summary": counts(whole)}
