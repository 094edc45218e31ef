"""Step 5 of a pass: carry out actions, each by the one handler of its class.

`HANDLERS` is complete: a test compares it with `models.actions`. `Hands` prepares each action in
the loop's thread and performs its effect in the executor; one failure never stops the others.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, TypeAlias

from controller.act import (
    breakers,
    configuration,
    creation,
    images,
    nodes,
    publication,
    retention,
    runs,
    servers,
)
from controller.act.effects import Acting, Effect
from models import actions
from models.plan import Action

Handler: TypeAlias = Callable[[Any, Acting], Effect | None]

HANDLERS: Mapping[type[Action], Handler] = MappingProxyType(
    {
        actions.AddJobs: creation.add_jobs,
        actions.Compose: creation.compose,
        actions.AddCampaignJobs: creation.add_campaign_jobs,
        actions.Configure: configuration.configure,
        actions.RegisterParent: runs.register_parent,
        actions.DispatchRun: runs.dispatch_run,
        actions.ResendDispatch: runs.resend_dispatch,
        actions.ConfirmDispatch: runs.confirm_dispatch,
        actions.AbandonDispatch: runs.abandon_dispatch,
        actions.StopChild: runs.stop_child,
        actions.EvaluateChild: runs.evaluate_child,
        actions.FailRun: runs.fail_run,
        actions.SettleError: runs.settle_error,
        actions.IdentifyNode: nodes.identify_node,
        actions.RecordServer: servers.record_server,
        actions.AdoptServer: servers.adopt_server,
        actions.AdmitNode: nodes.admit_node,
        actions.ConfirmAdmitted: nodes.confirm_admitted,
        actions.CreateServer: servers.create_server,
        actions.RefuteCreate: servers.refute_create,
        actions.MarkWorker: nodes.mark_worker,
        actions.RecordSeen: nodes.record_seen,
        actions.RestartMark: nodes.restart_mark,
        actions.UnmarkWorker: nodes.unmark_worker,
        actions.ConfirmUnmarked: nodes.confirm_unmarked,
        actions.CommitDelete: servers.commit_delete,
        actions.DeleteServer: servers.delete_server,
        actions.ProveGone: servers.prove_gone,
        actions.PurgeNode: nodes.purge_node,
        actions.CloseWorker: servers.close_worker,
        actions.ForgetNode: nodes.forget_node,
        actions.OpenBreaker: breakers.open_breaker,
        actions.CloseBreaker: breakers.close_breaker,
        actions.EndAcceptance: breakers.end_acceptance,
        actions.MakeImage: images.make_image,
        actions.EndImageMaking: images.end_image_making,
        actions.DeleteImage: images.delete_image,
        actions.PublishJob: publication.publish_job,
        actions.EndJob: publication.end_job,
        actions.CountRefusal: publication.count_refusal,
        actions.ParkRefusal: publication.park_refusal,
        actions.RemoveResults: retention.remove_results,
        actions.RemoveL2a: retention.remove_l2a,
    }
)
