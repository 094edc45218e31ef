"""Many lives, one per seed, on every processor; what they came to together."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field

from controller.log import silence
from controller.simulate.lives import Life, Lived

AT_A_TIME = 10
"""How many lives one process is given at once: handing over costs as much as a few passes."""

SHOWN = 5
"""How many broken lives are told in full."""


@dataclass
class Tally:
    """What lives came to together. `upto` is the seed below which every life is lived;
    `interrupted`: these are not all that were asked for.
    """

    upto: int = 0
    interrupted: bool = False
    lives: int = 0
    seconds: float = 0.0
    steps: int = 0
    deletions: int = 0
    dispatches: int = 0
    crashes: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    mishaps: Counter[str] = field(default_factory=Counter)
    asked: Counter[str] = field(default_factory=Counter)
    broken: list[Lived] = field(default_factory=list)

    def add(self, lived: Lived) -> None:
        """Count one more life."""
        self.upto = lived.seed + 1
        self.lives += 1
        self.steps += lived.steps
        self.deletions += lived.deletions
        self.dispatches += lived.dispatches
        self.crashes += lived.crashes
        self.kinds[lived.kind] += 1
        self.faults += lived.faults
        self.mishaps += lived.mishaps
        self.asked += lived.asked
        if lived.broken is not None:
            self.broken.append(lived)

    def as_json(self) -> dict[str, object]:
        """In plain values; what happened most often first."""
        return {
            "lives": self.lives,
            "broken": len(self.broken),
            "broken_seeds": [lived.seed for lived in self.broken],
            "steps": self.steps,
            "deletions": self.deletions,
            "dispatches": self.dispatches,
            "crashes": self.crashes,
            "kinds": dict(self.kinds.most_common()),
            "faults": dict(self.faults.most_common()),
            "mishaps": dict(self.mishaps.most_common()),
            "asked": dict(self.asked.most_common()),
            "wall_s": round(self.seconds, 1),
        }


def live(seeds: Iterable[int]) -> list[Lived]:
    """Live through these seeds, here and one after another."""
    with silence():
        return [Life(seed).live() for seed in seeds]


def _live_and_die_with_parent() -> None:
    """Leave Ctrl-C, which reaches every process of a terminal, to the first one, and end with it:
    whoever is killed hands out no more and does not say so.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_after_parent, daemon=True).start()


def _end_after_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def live_through(
    seeds: range, processes: int, watch: Callable[[Tally], None] = lambda _: None
) -> Tally:
    """Live through all these seeds in so many processes; `watch` is told as the tally grows.

    The lives are counted in the order of their seeds, whoever is done first. Ctrl-C ends it with
    what was lived by then; a process that has begun with a share of them comes to its end.
    """
    began, tally = time.monotonic(), Tally(upto=seeds.start)
    try:
        for some in _lived(seeds, processes):
            for lived in some:
                tally.add(lived)
            tally.seconds = time.monotonic() - began
            watch(tally)
    except KeyboardInterrupt:
        tally.interrupted = True
    return tally


def _lived(seeds: range, processes: int) -> Iterator[list[Lived]]:
    shares = [seeds[at : at + AT_A_TIME] for at in range(0, len(seeds), AT_A_TIME)]
    if processes == 1:
        yield from map(live, shares)
        return
    # Spawned, not forked: a fork of a process with threads may hang.
    spawning = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, spawning, initializer=_live_and_die_with_parent) as pool:
        yield from pool.map(live, shares)
