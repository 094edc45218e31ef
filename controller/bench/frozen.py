"""The outside of a benchmark, in a process of its own: a cloud and a Nomad in which time stands.

    python -m controller.bench.frozen WORKERS BUSY_TENTHS

What it serves was made by the simulated systems themselves: servers were created and booted, nodes
joined, runs were dispatched and placed. Then time stops, and every list is the same for ever. It
says where it listens and what it made in one line of JSON, answers each line on its standard input
with the requests that came since the last, and ends with its standard input.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from itertools import islice

import msgspec
from werkzeug.wrappers import Request, Response

from controller.bench.scenery import DEPLOYMENT, TASK, Errand, Post, posts
from models.fleet import (
    ATTEMPT_META,
    DEPLOYMENT_META,
    DEPLOYMENT_METADATA,
    FLAVOR_METADATA,
    INTENT_METADATA,
    JOB_META,
    RUN_META,
    UNIQUE_ID_META,
)
from models.job_types import DEFAULT_REGISTRY, parent_id
from models.ports import Dispatch, ServerOrder
from simulator.cloud.http.identity import Account
from simulator.cloud.http.serve import CloudApplication, RunningCloud
from simulator.cloud.memory import MemoryCloud
from simulator.cloud.options import CloudOptions
from simulator.faults import Faults
from simulator.http.server import HttpServer
from simulator.nomad.memory import MemoryNomad
from simulator.nomad.rows import Options
from simulator.nomad.tasks import Sleepers
from simulator.nomad.web import NomadWeb
from simulator.systems import Outside, Scenario, outside
from simulator.timeline import Timeline

AGO = timedelta(hours=1)
"""How long before now the frozen moment lies."""

BATCH = 250
"""How many servers are asked for before time goes on."""

_CLOUD = CloudOptions(
    max_servers=None, max_vcpus=None, max_memory_mb=None, boot_time=timedelta(seconds=1)
)
_NOMAD = Options(default_ineligible=False, event_buffer=1)
_NOT_SENT_AGAIN = {"host", "connection", "content-length"}


class Asked(msgspec.Struct, frozen=True):
    """A request as it came: to which service, when (seconds since the epoch), and what it says."""

    service: str
    at: float
    method: str
    path: str
    headers: dict[str, str]


class Seat(msgspec.Struct, frozen=True):
    """What became of one worker on paper: its server and node, and the child that runs there."""

    name: str
    server_id: str
    node_id: str
    address: str
    child_id: str | None = None
    allocation_id: str | None = None
    job_id: int | None = None


class Served(msgspec.Struct, frozen=True):
    """Where the frozen world is, and what is in it."""

    environment: dict[str, str]
    project: str
    seats: list[Seat]


class Requests:
    """What was asked of both services, in order."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._asked: list[Asked] = []

    def note(self, service: str, request: Request) -> None:
        """Remember one request."""
        headers = {k: v for k, v in request.headers.items() if k.lower() not in _NOT_SENT_AGAIN}
        path = request.full_path.removesuffix("?")
        asked = Asked(
            service=service, at=time.time(), method=request.method, path=path, headers=headers
        )
        with self._lock:
            self._asked.append(asked)

    def taken(self) -> list[Asked]:
        """Those since the last call."""
        with self._lock:
            asked, self._asked = self._asked, []
        return asked


class _Cloud(CloudApplication):
    def __init__(self, world: Outside, requests: Requests) -> None:
        super().__init__(world.cloud, Faults(), Account())
        self._requests = requests

    def __call__(self, request: Request) -> Response:
        self._requests.note("openstack", request)
        return super().__call__(request)


class _Nomad(NomadWeb):
    def __init__(self, world: Outside, requests: Requests) -> None:
        super().__init__(world.nomad)
        self._requests = requests

    def __call__(self, request: Request) -> Response:
        self._requests.note("nomad", request)
        return super().__call__(request)


# ---- making it -----------------------------------------------------------------------------------


class Maker:
    """Lets workers come up and take their runs, through the ports that a controller has."""

    def __init__(self) -> None:
        start = datetime.now(UTC) - AGO
        scenario = Scenario(cloud=_CLOUD, nomad=_NOMAD, join_delay=timedelta(seconds=1))
        self.world = outside(scenario, Timeline(start), Sleepers())
        self._cloud = MemoryCloud(self.world.cloud)
        self._nomad = MemoryNomad(self.world.nomad, deployment=DEPLOYMENT)

    def settle(self, wanted: Sequence[Post]) -> list[Seat]:
        """Make them all and let time pass until each has what it should have."""
        made: dict[str, str] = {}
        for batch in _batches(wanted):
            made.update((post.name, self._cloud.create(_server(post))) for post in batch)
            self.world.timeline.advance(timedelta(seconds=5))
        for parent in DEFAULT_REGISTRY.parents(DEPLOYMENT, TASK):
            self._nomad.register(parent, DEPLOYMENT)
        for batch in _batches(wanted):
            for post in batch:
                if post.errand is not None:
                    self._nomad.dispatch(_dispatch(post, post.errand))
            self.world.timeline.advance(timedelta(seconds=2))
        return list(self._seats(wanted, made))

    def _seats(self, wanted: Sequence[Post], made: Mapping[str, str]) -> Iterator[Seat]:
        state, servers = self.world.nomad.state, self.world.cloud
        nodes = {node.server_id: node for node in state.nodes.by_id()}
        for post in wanted:
            server = servers.server(made[post.name])
            node = nodes[server.id]
            live = state.live_on(node.id)
            job = state.jobs.get(live[0].job_id) if live else None
            yield Seat(
                name=post.name,
                server_id=server.id,
                node_id=node.id,
                address=server.address or "",
                child_id=job.id if job else None,
                allocation_id=live[0].id if live else None,
                job_id=int(job.meta[JOB_META]) if job else None,
            )


def _batches(wanted: Sequence[Post]) -> Iterator[list[Post]]:
    every = iter(wanted)
    while batch := list(islice(every, BATCH)):
        yield batch


def _server(post: Post) -> ServerOrder:
    return ServerOrder(
        name=post.name,
        flavor=post.flavor,
        image=_CLOUD.images[0],
        networks=_CLOUD.networks,
        security_groups=_CLOUD.security_groups,
        key_name=None,
        metadata={
            DEPLOYMENT_METADATA: DEPLOYMENT,
            FLAVOR_METADATA: post.flavor,
            INTENT_METADATA: str(post.intent_id),
        },
    )


def _dispatch(post: Post, errand: Errand) -> Dispatch:
    service = DEFAULT_REGISTRY.types[errand.type].service
    return Dispatch(
        parent=parent_id(DEPLOYMENT, service, post.flavor),
        token=errand.run_id,
        meta={
            RUN_META: str(errand.run_id),
            JOB_META: str(errand.job_id),
            UNIQUE_ID_META: str(errand.unique_id),
            ATTEMPT_META: "1",
            DEPLOYMENT_META: DEPLOYMENT,
        },
        payload=b"{}",
        id_prefix=f"{errand.job_id}-a1",
        priority=60,
    )


# ---- serving it ----------------------------------------------------------------------------------


def main(workers: int, busy_tenths: int) -> None:
    """Serve until standard input ends."""
    maker, requests = Maker(), Requests()
    seats = maker.settle(list(posts(workers, busy_tenths)))
    account = Account()
    with ExitStack() as stack:
        cloud = stack.enter_context(RunningCloud(_Cloud(maker.world, requests), account, 0))
        nomad = stack.enter_context(HttpServer(_Nomad(maker.world, requests), name="nomad"))
        environment = {**cloud.auth_environment(), "NOMAD_ADDR": nomad.url}
        _say(Served(environment=environment, project=account.project, seats=seats))
        for _ in sys.stdin:
            _say(requests.taken())


def _say(what: object) -> None:
    sys.stdout.write(msgspec.json.encode(what).decode() + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
