"""Two controllers that read catalogues, with calls that fail or kill."""

from collections.abc import Mapping

from controller.simulation import Plan, Simulation
from simulator.catalogues.options import CatalogueOptions
from simulator.faults import Fault, Faults
from simulator.systems import Scenario

RATES = {
    Fault.REFUSED: 0.05,
    Fault.TIMEOUT: 0.02,
    Fault.LOST_REPLY: 0.05,
    Fault.THROTTLED: 0.03,
    Fault.CRASH: 0.03,
    Fault.CRASH_AFTER: 0.03,
}


def a_life(
    seed: int,
    catalogue: CatalogueOptions,
    parameters: Mapping[str, float],
    spared: frozenset[str],
) -> Simulation:
    """A simulation of them. `spared` are the calls that the test makes itself: none goes wrong."""
    plan = Plan(
        scenario=Scenario(seed=seed, catalogue=catalogue),
        faults=lambda: Faults(rates=RATES, seed=seed, spared=spared),
        parameters=parameters,
        controllers=2,
    )
    return Simulation(plan)
