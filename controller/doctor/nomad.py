"""What a controller needs of Nomad."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from controller.doctor.findings import Found, checked, clock_found, failed, version_of, warning
from controller.doctor.patients import NomadPatient
from models.checkup import Check, Health, Rights
from models.errors import System
from models.fleet import FINGERPRINT_META
from models.job_types import Parent
from models.nodes import INELIGIBLE_JOIN
from models.world import NomadJob, NomadSnapshot, Site

ABOUT = System.NOMAD.value

FILTERED_LISTS = (1, 3, 0)
"""From here on all four lists can be filtered; older ones answer with everything."""
PRIORITY = (1, 10, 1)
"""From here on a dispatch may have a priority of its own."""
_REACH = "check NOMAD_ADDR, and NOMAD_CACERT where it is https"
_GIVE = (
    'give NOMAD_TOKEN a policy with `namespace "*" { policy = "read" }`, with list-jobs, '
    'read-job, submit-job and dispatch-job on our namespace, and with `node { policy = "write" }`'
)
_AGENT = 'add `agent { policy = "read" }` to the policy of NOMAD_TOKEN'


def nomad_checks(patient: NomadPatient, site: Site) -> Iterator[Check]:
    """All checks of Nomad; the rest only when its lists can be read."""
    seen: list[NomadSnapshot] = []
    listed = checked(ABOUT, "lists", lambda: _lists(patient, seen.append), _REACH)
    yield listed
    if listed.health is Health.FAILED:
        return
    yield checked(ABOUT, "rights", lambda: rights_found(patient.probe.rights()), _GIVE)
    yield checked(ABOUT, "event stream", lambda: _stream(patient), _GIVE)
    yield checked(ABOUT, "version", lambda: version_found(patient.probe.version()), _AGENT)
    yield checked(ABOUT, "clock", lambda: clock_found(patient.probe.ahead(), "Nomad"), "")
    yield checked(ABOUT, "parents", lambda: parents_found(seen[0], site), "")


def _lists(patient: NomadPatient, keep: Callable[[NomadSnapshot], None]) -> Found:
    snapshot = patient.orchestrator.snapshot()
    keep(snapshot)
    return Found(
        what=f"{len(snapshot.nodes)} nodes, {len(snapshot.jobs)} jobs of ours, "
        f"{len(snapshot.evaluations)} open evaluations, {len(snapshot.allocations)} live "
        "allocations, from the leader"
    )


def _stream(patient: NomadPatient) -> Found:
    patient.probe.listen()
    return Found(what="it can be followed")


def rights_found(rights: Rights) -> Found:
    """What the rights of a token mean for us."""
    if rights.everything_read is None:
        return warning(
            f"{rights.who}: its policies may not be read, so that nobody can say whether it sees "
            "every namespace",
            "let it read its own policies, or make sure by hand that it may read every namespace: "
            "what it may not see is left out of lists without a word",
        )
    if not rights.everything_read:
        return failed(
            f"{rights.who} may not read every namespace: work of others on our nodes would go "
            "unseen, and their servers be deleted under it",
            _GIVE,
        )
    if not rights.nodes_written:
        return failed(f"{rights.who} may not write nodes: none could be admitted or marked", _GIVE)
    return Found(what=f"{rights.who} may read every namespace and write nodes")


def version_found(text: str) -> Found:
    """What Nomad's version means for us."""
    version, told = version_of(text), f"Nomad {text}"
    if not version:
        return warning(f"{told}: nobody can say what that is", "see that it is 2.0.3 or newer")
    if version < FILTERED_LISTS:
        return failed(
            f"{told} cannot filter its lists", "upgrade to Nomad 2.0.3, or at least to 1.10.5"
        )
    if version < PRIORITY:
        return warning(
            f"{told} ignores the priority of a dispatch: urgent runs wait behind others",
            "upgrade to Nomad 2.0.3, or at least to 1.10.5",
        )
    if version < INELIGIBLE_JOIN:
        return warning(
            f"{told} cannot let nodes join ineligible: one may get work before its server is known",
            "upgrade to Nomad 2.0.3 and set `default_ineligible = true` in the image of workers",
        )
    return Found(what=f"{told}; see that the image of workers sets `default_ineligible = true`")


def parents_found(snapshot: NomadSnapshot, site: Site) -> Found:
    """Whether the parameterized jobs are registered that runs are dispatched to."""
    listed = {job.id: job for job in snapshot.jobs if not job.parent_id}
    unfit: dict[str, list[str]] = {}
    for parent in site.parents:
        fault = _fault(parent, listed.get(parent.id))
        if fault is not None:
            unfit.setdefault(fault, []).append(parent.id)
    if unfit:
        return warning(
            "; ".join(f"{fault}: {', '.join(ids)}" for fault, ids in unfit.items()),
            "`hrsi controller` registers them in the first pass of execution",
        )
    return Found(what=f"all {len(site.parents)} parents are registered as they should be")


def _fault(parent: Parent, listed: NomadJob | None) -> str | None:
    if listed is None:
        return "not registered"
    if listed.over:
        return "stopped"
    fits = listed.meta.get(FINGERPRINT_META) == parent.fingerprint()
    return None if fits else "registered in another version"
