"""Handlers of what execution and monitor decide: parents, dispatches, children, failed runs."""

from __future__ import annotations

from controller.act.effects import Acting, Changes, Effect, NotSent, repeatable, subject_of
from models.actions import (
    AbandonDispatch,
    ConfirmDispatch,
    DispatchRun,
    EvaluateChild,
    FailRun,
    RegisterParent,
    ResendDispatch,
    SettleError,
    StopChild,
)
from models.changes import (
    AbandonRun,
    AskStop,
    ConfirmRun,
    EndRun,
    OpenIntent,
    QueueRun,
    ResendRun,
    ResumeJob,
)
from models.errors import HrsiError, PortError, Superseded, System, Temporary
from models.fleet import (
    ATTEMPT_META,
    DEPLOYMENT_META,
    JOB_META,
    RUN_META,
    UNIQUE_ID_META,
    children_by_run,
)
from models.payload import Payload, encode, run_token
from models.ports import Dispatch, Receipt
from models.records import IntentKind, RunEnd


def register_parent(action: RegisterParent, acting: Acting) -> Effect:
    """Register the parent; a second registration of the same changes nothing."""
    intent = acting.intent(IntentKind.REGISTER_PARENT, action.parent.id)
    acting.commit(OpenIntent(at=acting.at, intent=intent))
    register, deployment = acting.tools.orchestrator.register, acting.world.site.deployment
    return repeatable(action, acting, intent, lambda: register(action.parent, deployment))


def dispatch_run(action: DispatchRun, acting: Acting) -> Effect:
    """Open the attempt, then dispatch it. The answer is not believed: the next job list is.

    Only a call that never left, or that Nomad will always refuse, gives the job back to its queue;
    after anything else the run stays queued and is looked for, then sent again.
    """
    run_id = acting.tools.ids.uuid()
    intent = acting.intent(IntentKind.DISPATCH, str(run_id), run_id)
    receipt = acting.commit(QueueRun(at=acting.at, job_id=action.job_id, intent=intent))

    def refused(error: HrsiError) -> Changes:
        if isinstance(error, Temporary):
            return ()
        abandon = AbandonRun(at=acting.now(), run_id=run_id, message=str(error))
        return (abandon, *acting.setback(subject_of(action), error))

    return Effect(system=System.NOMAD, send=lambda: _send(action, receipt, acting), refused=refused)


def resend_dispatch(action: ResendDispatch, acting: Acting) -> Effect:
    """Dispatch again under the same token. A refusal says nothing about the first sending."""
    change = ResendRun(at=acting.at, run_id=action.run_id, deadline=acting.deadline)
    receipt = acting.commit(change)
    return Effect(
        system=System.NOMAD,
        send=lambda: _send(action, receipt, acting),
        refused=lambda error: acting.setback(subject_of(action), error),
    )


def _send(action: DispatchRun | ResendDispatch, receipt: Receipt, acting: Acting) -> Changes:
    order = _order(action, receipt, acting)
    acting.call(System.NOMAD, "dispatch", lambda: acting.tools.orchestrator.dispatch(order))
    return acting.success(subject_of(action))


def _order(action: DispatchRun | ResendDispatch, receipt: Receipt, acting: Acting) -> Dispatch:
    job, run = receipt.job, receipt.run
    if job is None or run is None:
        raise Superseded(f"job {action.job_id}: the store names no run to dispatch")
    return Dispatch(
        parent=action.parent,
        token=run.id,
        meta={
            RUN_META: str(run.id),
            JOB_META: str(job.id),
            UNIQUE_ID_META: str(job.unique_id),
            ATTEMPT_META: str(run.attempt),
            DEPLOYMENT_META: acting.world.site.deployment,
        },
        payload=encode(
            Payload(token=run_token(acting.tools.token_key, run.id), input=receipt.input)
        ),
        id_prefix=f"{job.id}-a{run.attempt}",
        priority=action.nomad_priority,
    )


def confirm_dispatch(action: ConfirmDispatch, acting: Acting) -> None:
    """Note the child of a run."""
    acting.commit(ConfirmRun(at=acting.at, run_id=action.run_id, nomad_job_id=action.nomad_job_id))


def abandon_dispatch(action: AbandonDispatch, acting: Acting) -> None:
    """Give the job back to its queue."""
    acting.commit(AbandonRun(at=acting.at, run_id=action.run_id, message=action.because))


def stop_child(action: StopChild, acting: Acting) -> Effect:
    """Stop the child; one that Nomad does not know is stopped."""
    intent = acting.intent(IntentKind.STOP_CHILD, action.nomad_job_id)
    acting.commit(
        AskStop(
            at=acting.at,
            run_id=action.run_id,
            stuck=action.stuck,
            why=action.because,
            intent=intent,
        )
    )
    stop = acting.tools.orchestrator.stop
    return repeatable(action, acting, intent, lambda: stop(action.nomad_job_id))


def evaluate_child(action: EvaluateChild, acting: Acting) -> Effect:
    """Have a new evaluation made; one more than needed is harmless."""
    intent = acting.intent(IntentKind.EVALUATE, action.nomad_job_id)
    acting.commit(OpenIntent(at=acting.at, intent=intent))
    evaluate = acting.tools.orchestrator.evaluate
    return repeatable(action, acting, intent, lambda: evaluate(action.nomad_job_id))


def fail_run(action: FailRun, acting: Acting) -> Effect | None:
    """End the run. The exit code of one that failed is asked for first, but never waited for
    in vain: without it the run ends all the same.
    """
    child = _child_of(action, acting) if action.end is RunEnd.FAILED else None
    if child is None:
        acting.commit(_end_of(action, acting, None))
        return None

    def send() -> Changes:
        return (_end_of(action, acting, _exit_code(child, acting)),)

    return Effect(system=System.NOMAD, send=send)


def settle_error(action: SettleError, acting: Acting) -> None:
    """Go on with a job that rests in an error status."""
    acting.commit(
        ResumeJob(
            at=acting.at,
            job_id=action.job_id,
            expected_seq=action.expected_seq,
            then=action.then,
            message=action.because,
            retry_at=action.retry_at,
        )
    )


def _child_of(action: FailRun, acting: Acting) -> str | None:
    for flight in acting.world.store.in_flight:
        if flight.run.id == action.run_id and flight.run.nomad_job_id is not None:
            return flight.run.nomad_job_id
    children = children_by_run(acting.world).get(str(action.run_id), [])
    return children[0].id if children else None


def _exit_code(child: str, acting: Acting) -> int | None:
    exit_code = acting.tools.orchestrator.exit_code
    try:
        return acting.call(System.NOMAD, "exit_code", lambda: exit_code(child))
    except (PortError, NotSent):
        return None


def _end_of(action: FailRun, acting: Acting, exit_code: int | None) -> EndRun:
    return EndRun(
        at=acting.now(),
        job_id=action.job_id,
        run_id=action.run_id,
        expected_seq=action.expected_seq,
        end=action.end,
        status=action.status,
        subtype=action.subtype,
        message=action.because,
        then=action.then,
        retry_at=action.retry_at,
        exit_code=exit_code,
    )
