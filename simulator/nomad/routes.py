"""What the simulated Nomad does at each path. `simulator.nomad.web` is the way there and back."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from werkzeug.wrappers import Request

from simulator.nomad.answers import (
    WRITE_META,
    Answer,
    body_of,
    check_uuid,
    dispatched,
    drain_deadline,
    evaluated,
    payload_of,
)
from simulator.nomad.cluster import NomadCluster
from simulator.nomad.jobs import DispatchOrder
from simulator.nomad.lists import LISTS, block, index_of, parse_bool
from simulator.nomad.render import alloc_stub, evaluation, full_alloc, full_job, full_node, summary
from simulator.nomad.rows import DATACENTER, REGION, VERSION, NomadError

_WRITES = {"POST", "PUT"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Route:
    """A path, the methods that it takes, what it does, and the port's operations behind it."""

    path: re.Pattern[str]
    methods: frozenset[str]
    act: Callable[[Request, str], Answer]
    operations: tuple[str, ...] = ()


class Acts:
    """What each path does to one cluster. `token` is the one that requests must bring, if any."""

    def __init__(self, cluster: NomadCluster, token: str | None) -> None:
        self._cluster = cluster
        self._state = cluster.state
        self._token = token

    def routes(self) -> tuple[Route, ...]:
        """Every path; the first that matches takes the request."""
        get, write = frozenset({"GET"}), frozenset(_WRITES)
        first = {"nodes": ("nomad.snapshot",)}
        lists = [
            _route(f"/v1/{name}", get, self._lister(name), *first.get(name, ())) for name in LISTS
        ]
        node = ("nomad.identify", "nomad.modify_index")
        return (
            *lists,
            _route("/v1/jobs", write, self._register, "nomad.register"),
            _route("/v1/job/(.+)/dispatch", write, self._dispatch, "nomad.dispatch"),
            _route("/v1/job/(.+)/evaluate", write, self._evaluate, "nomad.evaluate"),
            _route("/v1/job/(.+)/allocations", get, self._job_allocations, "nomad.exit_code"),
            _route("/v1/job/(.+)/evaluations", get, self._job_evaluations),
            _route("/v1/job/(.+)/summary", get, self._summary),
            _route("/v1/job/(.+)", get, self._job),
            _route("/v1/job/(.+)", frozenset({"DELETE"}), self._stop, "nomad.stop"),
            _route(
                "/v1/node/([^/]+)/eligibility", write, self._eligibility, "nomad.set_eligibility"
            ),
            _route("/v1/node/([^/]+)/drain", write, self._drain),
            _route("/v1/node/([^/]+)/purge", write, self._purge, "nomad.purge"),
            _route("/v1/node/([^/]+)/allocations", get, self._node_allocations),
            _route("/v1/node/([^/]+)", get, self._node, *node),
            _route("/v1/evaluation/([^/]+)", get, self._evaluation),
            _route("/v1/allocation/([^/]+)", get, self._allocation),
            _route("/v1/namespace/([^/]+)", write, self._namespace),
            _route("/v1/system/gc", frozenset({"PUT", "POST"}), self._collect),
            _route("/v1/status/leader", get, self._leader),
            _route("/v1/agent/health", get, self._health),
            _route("/v1/agent/self", get, self._agent),
            _route("/v1/acl/token/self", get, self._own_token),
        )

    def _lister(self, name: str) -> Callable[[Request, str], Answer]:
        def act(request: Request, _: str) -> Answer:
            block(self._state, name, request)
            stubs, following = LISTS[name](self._state, request).page(request)
            return Answer(body=stubs, index=index_of(self._state, name), next_token=following)

        return act

    def _node(self, _: Request, node_id: str) -> Answer:
        check_uuid(node_id, "node")
        node = self._cluster.nodes.get(node_id)
        return Answer(body=full_node(node), index=index_of(self._state, "nodes"))

    def _node_allocations(self, _: Request, node_id: str) -> Answer:
        rows = [row for row in self._state.allocs.by_creation() if row.node_id == node_id]
        index = index_of(self._state, "allocations")
        return Answer(body=[full_alloc(row) for row in rows], index=index)

    def _job(self, _: Request, job_id: str) -> Answer:
        job = self._cluster.jobs.get(job_id)
        return Answer(body=full_job(job), index=index_of(self._state, "jobs"))

    def _summary(self, _: Request, job_id: str) -> Answer:
        job, children = self._cluster.jobs.get(job_id), self._state.children_of(job_id)
        return Answer(body=summary(job, children), index=index_of(self._state, "jobs"))

    def _job_allocations(self, _: Request, job_id: str) -> Answer:
        job = self._state.jobs.get(job_id)
        task = job.task.task if job else "main"
        stubs = [alloc_stub(row, task=task) for row in self._state.allocs_of(job_id)]
        return Answer(body=stubs, index=index_of(self._state, "allocations"))

    def _job_evaluations(self, _: Request, job_id: str) -> Answer:
        rows = [evaluation(row) for row in self._state.evals_of(job_id)]
        return Answer(body=rows, index=index_of(self._state, "evaluations"))

    def _evaluation(self, _: Request, eval_id: str) -> Answer:
        check_uuid(eval_id, "failed to lookup eval: eval")
        if (row := self._state.evals.get(eval_id)) is None:
            raise NomadError(404, "eval not found")
        return Answer(body=evaluation(row), index=index_of(self._state, "evaluations"))

    def _allocation(self, _: Request, alloc_id: str) -> Answer:
        check_uuid(alloc_id, "alloc")
        if (row := self._state.allocs.get(alloc_id)) is None:
            raise NomadError(404, "alloc not found")
        return Answer(body=full_alloc(row), index=index_of(self._state, "allocations"))

    def _register(self, request: Request, _: str) -> Answer:
        spec = body_of(request).get("Job")
        if not isinstance(spec, dict):
            raise NomadError(400, "Job must be specified")
        if not spec.get("ID"):
            raise NomadError(400, "Job ID hasn't been provided")
        return evaluated(self._cluster.jobs.register(spec), Warnings="")

    def _dispatch(self, request: Request, parent_id: str) -> Answer:
        body = body_of(request)
        if body.get("JobID", parent_id) != parent_id:
            raise NomadError(400, "Job ID does not match")
        order = DispatchOrder(
            meta=body.get("Meta") or {},
            payload=payload_of(body.get("Payload") or ""),
            # The key `idempotency_token`, which a client library puts into the body, is unknown.
            token=request.args.get("idempotency_token") or body.get("IdempotencyToken", ""),
            id_prefix=body.get("IdPrefixTemplate") or "",
            priority=body.get("Priority") or 0,
        )
        return dispatched(self._cluster.jobs.dispatch(parent_id, order))

    def _evaluate(self, _: Request, job_id: str) -> Answer:
        return evaluated(self._cluster.jobs.evaluate(job_id), Warnings="")

    def _stop(self, request: Request, job_id: str) -> Answer:
        purge = parse_bool(request, "purge")
        act = self._cluster.purge_job if purge else self._cluster.jobs.stop
        stopped = act(job_id)
        return evaluated(stopped, VolumeEvalID="", VolumeEvalIndex=0)

    def _eligibility(self, request: Request, node_id: str) -> Answer:
        body = body_of(request)
        wanted = body.get("Eligibility")
        if wanted not in {"eligible", "ineligible"}:
            raise NomadError(500, f'invalid scheduling eligibility "{wanted}"')
        # The body's NodeID, if set, wins over the path.
        node_id = body.get("NodeID") or node_id
        check_uuid(node_id, "node")
        index = self._cluster.nodes.set_eligibility(node_id, eligible=wanted == "eligible")
        said = {"NodeModifyIndex": 0, "EvalIDs": None, "EvalCreateIndex": 0, "Index": index}
        return Answer(body=said, index=index)

    def _drain(self, request: Request, node_id: str) -> Answer:
        check_uuid(node_id, "node")
        body, nodes = body_of(request), self._cluster.nodes
        if (wanted := body.get("DrainSpec")) is None:
            index = nodes.end_drain(node_id, eligible=bool(body.get("MarkEligible")))
        else:
            index = nodes.drain(node_id, drain_deadline(wanted))
        said = {"NodeModifyIndex": index, "EvalIDs": None, "EvalCreateIndex": 0, "Index": index}
        return Answer(body=said, index=index)

    def _purge(self, _: Request, node_id: str) -> Answer:
        check_uuid(node_id, "node")
        purged = self._cluster.purge(node_id)
        said = {
            "HeartbeatTTL": 0,
            "EvalIDs": list(purged.eval_ids) or None,
            "EvalCreateIndex": purged.eval_index,
            "NodeModifyIndex": purged.index,
            "Features": 0,
            "LeaderRPCAddr": "",
            "NumNodes": 0,
            "Servers": None,
            "SchedulingEligibility": "",
            "SignedIdentity": None,
            "Index": purged.index,
        }
        return Answer(body={**said, **WRITE_META}, index=purged.index)

    def _namespace(self, _: Request, name: str) -> Answer:
        self._state.namespaces.add(name)
        return Answer(body=None, index=self._state.advance())

    def _collect(self, _: Request, __: str) -> Answer:
        self._cluster.gc.collect_all()
        return Answer(body=None)

    def _leader(self, _: Request, __: str) -> Answer:
        return Answer(body=f"10.0.0.{self._cluster.term}:4647")

    def _health(self, _: Request, __: str) -> Answer:
        return Answer(body={"server": {"ok": True, "message": "ok"}})

    def _own_token(self, _: Request, __: str) -> Answer:
        if self._token is None:
            accessor, name, kind = "acls-disabled", "ACLs disabled token", "client"
        else:
            accessor, name, kind = "simulated", "simulated", "management"
        said = {"AccessorID": accessor, "Name": name, "Type": kind, "Policies": None, "Roles": None}
        return Answer(body=said, index=1)

    def _agent(self, _: Request, __: str) -> Answer:
        config = {
            "Region": REGION,
            "Datacenter": DATACENTER,
            "Version": {"Version": VERSION},
            "Server": {"Enabled": True},
        }
        return Answer(body={"config": config, "member": {"Name": "server-1.global"}, "stats": {}})


def _route(
    path: str,
    methods: frozenset[str],
    act: Callable[[Request, str], Answer],
    *operations: str,
) -> Route:
    return Route(path=re.compile(path), methods=methods, act=act, operations=operations)
