"""The breakages: each takes one thing away that a protocol stands on.

`tests` are those of the suite that are to fail, the cheapest that do: when they fail the suite
fails. A mutant whose line is no longer there is an error, not a kill.
"""

from __future__ import annotations

from tools.mutants.from_catalogue import FROM_CATALOGUE
from tools.mutants.mutant import Mutant

POOL = "tests/unit/reconcilers/pool"
RECONCILERS = "tests/unit/reconcilers"
SHELL = "tests/unit/controller"
CRASHES = "tests/stateful/test_crash_at_every_call.py"


PROTOCOLS = (
    # ---- the delete protocol ---------------------------------------------------------------------
    Mutant(
        name="skip the barrier",
        file="reconcilers/pool/protocol.py",
        before="    if not verdict.passed:\n",
        after="    if False:\n",
        tests=(f"{POOL}/test_protocol.py",),
    ),
    Mutant(
        name="the barrier ignores evaluations of jobs that nobody knows",
        file="reconcilers/pool/barrier.py",
        before="flavors.get(job_id, node.node_class) == node.node_class",
        after="flavors.get(job_id) == node.node_class",
        tests=(f"{POOL}/test_protocol.py",),
    ),
    Mutant(
        name="delete what still runs something",
        file="reconcilers/pool/protocol.py",
        before="    if live:\n",
        after="    if False:\n",
        tests=(f"{POOL}/test_protocol.py",),
    ),
    Mutant(
        name="believe a mark before it is seen",
        file="reconcilers/pool/protocol.py",
        before="    if node.eligible or nomad.requested_at <= retirement.started_at:\n",
        after="    if nomad.requested_at <= retirement.started_at:\n",
        tests=(f"{POOL}/test_protocol.py",),
    ),
    Mutant(
        name="go by lists older than the mark",
        file="reconcilers/pool/protocol.py",
        before="    if retirement.seen_at is None or nomad.requested_at <= retirement.seen_at:\n"
        '        because = f"{worker.name} waits',
        after='    if retirement.seen_at is None:\n        because = f"{worker.name} waits',
        tests=(f"{POOL}/test_protocol.py",),
    ),
    Mutant(
        name="do not read the node again before deleting",
        file="controller/act/servers.py",
        before="    if eligible or index != action.modify_index:\n",
        after="    if False:\n",
        tests=(f"{SHELL}/test_act.py",),
    ),
    Mutant(
        name="a quarantine without further lists",
        file="reconcilers/pool/barrier.py",
        before="lists >= settings.quarantine_lists",
        after="lists >= 0",
        tests=(f"{POOL}/test_protocol.py",),
    ),
    Mutant(
        name="undo after deleting is committed",
        file="infra/postgres/retirement.py",
        before="    worker = in_state(connection, worker_id, *IN_SERVICE)\n",
        after="    worker = in_state(connection, worker_id, *type(next(iter(IN_SERVICE))))\n",
        tests=("tests/contract/test_store_pool.py",),
    ),
    Mutant(
        name="undo while the mark may still land",
        file="reconcilers/pool/undo.py",
        before="    settled = not survey.may_land(IntentKind.SET_INELIGIBLE, node.id)\n",
        after="    settled = True\n",
        tests=(f"{POOL}/test_protocol.py", f"{POOL}/test_shrink.py"),
    ),
    Mutant(
        name="any answer about a server is a 404",
        file="controller/act/servers.py",
        before="            return ()\n        return (NoteGone(",
        after="            pass\n        return (NoteGone(",
        tests=(f"{SHELL}/test_act.py",),
    ),
    Mutant(
        name="free a row while its node is listed",
        file="reconcilers/pool/removal.py",
        before="    if listed:\n",
        after="    if False:\n",
        tests=(f"{POOL}/test_removal.py",),
    ),
    # ---- lists and identities --------------------------------------------------------------------
    Mutant(
        name="a failed list is an empty list",
        file="controller/observe.py",
        before="Reading(snapshot=None, unknown=why, number=number)\n        else:",
        after="Reading(unknown='', number=number, snapshot=NomadSnapshot(number=number, "
        "requested_at=self._clock.now(), nodes=(), jobs=(), evaluations=(), allocations=()))\n"
        "        else:",
        tests=(f"{SHELL}/test_loop.py", f"{SHELL}/test_planning.py"),
    ),
    Mutant(
        name="the first page of a list is the whole list",
        file="infra/openstack/cloud.py",
        before="            path = next_path(page.servers_links, path)\n",
        after="            path = None\n",
        tests=("tests/integration/test_openstack_lists.py",),
    ),
    Mutant(
        name="a list that went backwards is believed",
        file="controller/gate.py",
        before="    if fault is None:\n        return Verdict(trust=",
        after="    if True:\n        return Verdict(trust=",
        tests=(f"{SHELL}/test_gate.py",),
    ),
    Mutant(
        name="join by name",
        file="models/fleet.py",
        before="    node = nodes.get(server_id)\n",
        after="    node = next((n for n in nodes.values() if n.name == worker.name), None)\n",
        tests=("tests/unit/models/test_fleet.py",),
    ),
    Mutant(
        name="missing from one list is gone",
        file="reconcilers/pool/removal.py",
        before="        and sighting.count >= settings.absence_lists\n",
        after="",
        tests=(f"{POOL}/test_removal.py",),
    ),
    Mutant(
        name="an answering node is no witness",
        file="reconcilers/pool/removal.py",
        before='    if node is not None and node.status == "ready":\n',
        after="    if False:\n",
        tests=(f"{POOL}/test_removal.py",),
    ),
    Mutant(
        name="breakers off",
        file="models/vanishing.py",
        before="        return bool(self.pending) and (count > self.limit or nothing_left)\n",
        after="        return False\n",
        tests=(f"{POOL}/test_breaker.py",),
    ),
    Mutant(
        name="a name is free while a server bears it",
        file="reconcilers/pool/identity.py",
        before="    taken |= {s.name for s in survey.cloud.servers} if survey.cloud else set()\n",
        after="",
        tests=(f"{POOL}/test_identity.py", f"{POOL}/test_grow.py"),
    ),
    Mutant(
        name="adopt what was listed once",
        file="reconcilers/pool/identity.py",
        before="    if lists < settings.absence_lists or missed_s",
        after="    if missed_s",
        tests=(f"{POOL}/test_identity.py",),
    ),
    # ---- creation --------------------------------------------------------------------------------
    Mutant(
        name="forget open create intents",
        file="models/fleet.py",
        before="self.worker.state in {WorkerState.CREATING, WorkerState.BOOTING}",
        after="self.worker.state in {WorkerState.BOOTING}",
        tests=("tests/unit/models/test_fleet.py", f"{POOL}/test_grow.py"),
    ),
    Mutant(
        name="refute a create at once",
        file="reconcilers/pool/identity.py",
        before="    is_over = cloud.requested_at >= deadline + settings.refute_after\n",
        after="    is_over = True\n",
        tests=(f"{POOL}/test_identity.py",),
    ),
    Mutant(
        name="refute a create by lists that lack another server",
        file="reconcilers/pool/identity.py",
        before=" and is_over and lost is not None:",
        after=" and is_over and False:",
        tests=(f"{POOL}/test_identity.py",),
    ),
    Mutant(
        name="a back-off lets more than one probe through",
        file="reconcilers/pool/grow.py",
        before="        return self.want if self.backoff is None else 1\n",
        after="        return self.want\n",
        tests=(f"{POOL}/test_grow.py",),
    ),
    Mutant(
        name="ask for quota while backing off",
        file="reconcilers/pool/grow.py",
        before="    if backoff is not None and backoff.until > survey.now:\n",
        after="    if False:\n",
        tests=(f"{POOL}/test_grow.py",),
    ),
    Mutant(
        name="others' use of the quota is free",
        file="reconcilers/pool/limits.py",
        before="others = max(0, used - _cost(survey, reason, counted))",
        after="others = 0",
        tests=(f"{POOL}/test_grow.py",),
    ),
    Mutant(
        name="one flavor's surplus fills another's need",
        file="models/fleet.py",
        before="        return max(0, self.waiting - self.slots)\n",
        after="        return self.waiting - self.slots\n",
        tests=("tests/unit/models/test_fleet.py", f"{POOL}/test_grow.py"),
    ),
    Mutant(
        name="stale workers go all at once",
        file="reconcilers/pool/stale.py",
        before=" or flavor in served:",
        after=":",
        tests=(f"{POOL}/test_grow.py",),
    ),
    # ---- dispatch and runs -----------------------------------------------------------------------
    Mutant(
        name="a new token when a dispatch is sent again",
        file="controller/act/runs.py",
        before="        token=run.id,\n",
        after="        token=acting.tools.ids.uuid(),\n",
        tests=(f"{SHELL}/test_act.py",),
    ),
    Mutant(
        name="send a dispatch again for ever",
        file="reconcilers/execution/protocol.py",
        before="    if age >= settings.resend_for:\n",
        after="    if False:\n",
        tests=(f"{RECONCILERS}/test_execution_protocol.py",),
    ),
    Mutant(
        name="send a dispatch again though a program claimed the run",
        file="reconcilers/execution/protocol.py",
        before="flight.job.status is Status.QUEUED and run.claim == 0 and unseen",
        after="unseen",
        tests=(f"{RECONCILERS}/test_execution_protocol.py",),
    ),
    Mutant(
        name="no claim check",
        file="infra/postgres/reports.py",
        before="    if run.claim != claim or claim == 0:\n",
        after="    if False:\n",
        tests=("tests/contract/test_store_reports.py",),
    ),
    Mutant(
        name="children of others are ours",
        file="models/fleet.py",
        before="job.parent_id and job.meta.get(DEPLOYMENT_META) == deployment",
        after="job.parent_id",
        tests=("tests/unit/models/test_fleet.py", f"{RECONCILERS}/test_execution_children.py"),
    ),
    Mutant(
        name="requeue what may still be running",
        file="reconcilers/monitor/runs.py",
        before='case.live:\n        return [_held(case, Reason.STILL_LIVE, f"its child is over',
        after='False:\n        return [_held(case, Reason.STILL_LIVE, f"its child is over',
        tests=(f"{RECONCILERS}/test_monitor_runs.py",),
    ),
    Mutant(
        name="a run whose child one list lacks is lost",
        file="reconcilers/monitor/runs.py",
        before="    if seen.count < needed:\n",
        after="    if False:\n",
        tests=(f"{RECONCILERS}/test_monitor_runs.py",),
    ),
    Mutant(
        name="requeue for absence while a list is in doubt",
        file="reconcilers/monitor/runs.py",
        before="    if sight.doubt is not None:\n",
        after="    if False:\n",
        tests=(f"{RECONCILERS}/test_monitor_absence.py",),
    ),
    Mutant(
        name="no order in the queue",
        file="models/fleet.py",
        before="key=lambda j: (j.priority.rank, j.deadline or last, j.created_at, j.id))",
        after="key=lambda j: j.id)",
        tests=(f"{RECONCILERS}/test_execution_queue.py", "tests/unit/models/test_fleet.py"),
    ),
    # ---- leases and acting -----------------------------------------------------------------------
    Mutant(
        name="write under a lease that is another's",
        file="simulator/store/commit.py",
        before="(held.holder, held.epoch) != (fence.holder, fence.epoch):\n        raise",
        after="False:\n        raise",
        tests=("tests/contract/test_store_leases.py",),
    ),
    Mutant(
        name="call when the lease is about to end",
        file="controller/act/effects.py",
        before="        if left <= allowed:\n",
        after="        if False:\n",
        tests=(f"{SHELL}/test_act.py",),
    ),
    Mutant(
        name="count what is left of a lease from the answer",
        file="controller/leader.py",
        before="            until = asked + ttl.total_seconds()\n",
        after="            until = self._clock.monotonic() + ttl.total_seconds()\n",
        tests=(f"{SHELL}/test_leader.py",),
    ),
    Mutant(
        name="act on what is in flight already",
        file="models/restraint.py",
        before="        if subject in world.busy:\n",
        after="        if False:\n",
        tests=("tests/unit/models/test_restraint.py",),
    ),
)

PLANTED = (*PROTOCOLS, *FROM_CATALOGUE)
