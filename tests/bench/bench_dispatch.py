"""To the dispatch: deciding many jobs, one lone job, and a burst beside a bare client."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from statistics import median, quantiles

import requests

from controller import bootstrap
from controller.bench.frozen import Asked as Request
from controller.bench.passes import Farm, Size, ground
from controller.bench.scenery import identity
from models.lifecycle import Status
from models.ports import Asked
from models.records import NewJob
from tests.bench.conftest import Figures

BENCH = Asked(actor="bench", reason="bench")
MANY = 2_000
LONE = 20
"""Fewer than there are free workers of that flavor: nothing ends in a frozen world."""

PATIENCE_SECONDS = 120.0


def quiet(_: str) -> None:
    """Say nothing on the way."""


def jobs(count: int, key: str) -> list[NewJob]:
    return [NewJob(type="fsc_rlie", key=f"{key}-{n}", name=f"{key}-{n}") for n in range(count)]


@contextmanager
def at_work(farm: Farm) -> Iterator[None]:
    """A controller from a job handed in to its dispatch on the ground of a farm, wake-ups on."""
    process = bootstrap.controller(farm.config, farm.ports, ["configuration", "execution"])
    process.start()
    try:
        yield
    finally:
        process.stop()


def dispatches(farm: Farm, wanted: int) -> list[Request]:
    """Wait for so many dispatches, and give them as Nomad saw them come."""
    found: list[Request] = []
    over = time.monotonic() + PATIENCE_SECONDS
    while len(found) < wanted and time.monotonic() < over:
        found += [each for each in farm.outside.asked() if each.path.find("/dispatch") > 0]
        threading.Event().wait(0.02)
    return [each for each in found if each.method in {"POST", "PUT"}]


def test_two_thousand_ready_jobs_are_decided_at_once(figures: Figures) -> None:
    size = Size(workers=MANY, history=100, busy_tenths=0)
    with ground(size, quiet) as farm:
        farm.set({"pool.idle_for": 86_400, "pool.max_workers": MANY})
        farm.filler.waiting(MANY)
        # The first pass does not know the parameters yet by which it looks at the queue.
        dispatched = [farm.step()["dispatch_run"] for _ in range(3)][-1]
        laps = []
        for _ in range(10):
            farm.filler.waiting(1)  # another queue than before: nothing of it is known yet
            farm.deciding()
            laps.append(farm.stopwatch.laps["execution"] * 1000)
    figures.time(
        f"CPU of deciding {MANY:,} ready jobs ({dispatched:,} dispatched)",
        f"{median(laps):.0f} ms",
        "≤ 100 ms",
        holds=median(laps) <= 100,
    )
    assert dispatched >= MANY / 2


def test_a_lone_job_is_dispatched_soon(figures: Figures) -> None:
    with ground(Size(history=1_000), quiet) as farm:
        farm.set({"pool.idle_for": 86_400})
        with at_work(farm):
            time.sleep(2)
            waits = [lone_job(farm, number) for number in range(LONE)]
    of_ready, of_new = zip(*waits, strict=True)
    p95 = quantiles(of_ready, n=20)[-1]
    figures.time(
        "ready → dispatched, a lone job, 210 workers, p50 / p95",
        f"{median(of_ready) * 1000:.0f} / {p95 * 1000:.0f} ms",
        "p95 ≤ 500 ms",
        holds=p95 <= 0.5,
    )
    figures.time(
        "handed in → dispatched, a lone job, configured on the way, 210 workers, p50 / p95",
        f"{median(of_new) * 1000:.0f} / {quantiles(of_new, n=20)[-1] * 1000:.0f} ms",
    )
    assert min(of_ready) > 0


def lone_job(farm: Farm, number: int) -> tuple[float, float]:
    """Seconds to a job's dispatch as Nomad sees it come, since it was ready and since it was handed
    in.
    """
    time.sleep(0.6)  # until the wake-ups of the one before are over
    farm.outside.asked()
    began = time.time()
    people = farm.ports.people
    (job_id,) = people.operations.submit(jobs(1, f"lone-{number}"), BENCH).added
    (sent,) = dispatches(farm, 1)
    history = people.reader.story(str(job_id)).history
    (ready,) = (change.at for change in history if change.after is Status.READY)
    return sent.at - ready.timestamp(), sent.at - began


def test_a_burst_is_dispatched_beside_a_bare_client(figures: Figures) -> None:
    size = Size(workers=1_000, history=100, busy_tenths=0)
    with ground(size, quiet) as farm:
        farm.set({"pool.idle_for": 86_400, "pool.max_workers": 1_000})
        burst = 500
        with at_work(farm):
            time.sleep(1)
            farm.outside.asked()
            farm.ports.people.operations.submit(jobs(burst, "burst"), BENCH)
            sent = dispatches(farm, burst)
        ours = rate([each.at for each in sent])
        bare = bare_dispatches(farm, sent[0], 200)
    figures.ratio("dispatches a second, ours ÷ one bare client in a loop", ours / bare)
    figures.time("acknowledged dispatches a second, ours / bare", f"{ours:.0f} / {bare:.0f}")
    assert len({each.path for each in sent}) == burst


def bare_dispatches(farm: Farm, like: Request, count: int) -> float:
    """How many dispatches a second a client that does nothing else gets answered."""
    address = farm.outside.roots["nomad"] + like.path.partition("?")[0]
    body = json.dumps({"Payload": "e30=", "Meta": meta(), "IdPrefixTemplate": "b", "Priority": 60})
    with requests.Session() as session:

        def post(number: int) -> None:
            token = {"idempotency_token": str(identity(f"bare {number}"))}
            answer = session.post(address, params=token, data=body, timeout=10)
            answer.raise_for_status()

        return each_second(post, count)


def meta() -> dict[str, str]:
    names = ("run", "job", "unique_id", "attempt", "deployment")
    return dict.fromkeys(names, "bare")


def each_second(work: Callable[[int], None], count: int) -> float:
    began = time.perf_counter()
    for number in range(count):
        work(number)
    return count / (time.perf_counter() - began)


def rate(moments: list[float]) -> float:
    return (len(moments) - 1) / (max(moments) - min(moments))
