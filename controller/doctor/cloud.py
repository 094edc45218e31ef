"""What a controller needs of the cloud."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from controller.doctor.findings import Found, checked, clock_found, failed, warning
from controller.doctor.patients import CloudPatient
from models.actions import MakeImage
from models.checkup import Check, Health
from models.errors import FailureClass, System
from models.fleet import DEPLOYMENT_METADATA
from models.images import FINISHED_TEXT, image_at_hand
from models.job_types import Flavor, Registry
from models.plan import ALARMS, Decision
from models.records import Backoff
from models.settings import BreakerSettings, PoolSettings
from models.world import CloudSnapshot, Site, StoreView, World
from reconcilers.pool.image import towards
from reconcilers.pool.survey import Survey

ABOUT = System.CLOUD.value

DOWN_CELLS = (2, 69)
"""From here on a server whose cell is down is listed as a stub instead of being left out."""

_TEMPLATE = "docs/images.md says how the image comes to be; openstack.image names one of your own"
_REACH = "check OS_CLOUD, or OS_AUTH_URL and the other OS_* variables"
_NETWORKS = "correct openstack.networks or openstack.security_groups: no worker can be created so"
_PROJECT = "set openstack.project (HRSI_OPENSTACK_PROJECT) to the project that workers belong to"


def cloud_checks(
    patient: CloudPatient, site: Site, registry: Registry, pool: PoolSettings
) -> Iterator[Check]:
    """All checks of the cloud; the rest only in the right project and with a server list."""
    project = checked(ABOUT, "project", lambda: _project(patient), _REACH)
    yield project
    if project.health is Health.FAILED:
        return
    seen: list[CloudSnapshot] = []
    listed = checked(ABOUT, "servers", lambda: _servers(patient, site, seen.append), _REACH)
    yield listed
    if listed.health is Health.FAILED:
        return
    (snapshot,) = seen
    probe = patient.probe
    yield checked(
        ABOUT, "microversion", lambda: microversion_found(probe.agreed_microversion()), _REACH
    )
    yield checked(ABOUT, "clock", lambda: clock_found(probe.ahead(), "the cloud"), "")
    yield checked(ABOUT, "image", lambda: _image(patient, snapshot, site, pool), _TEMPLATE)
    yield checked(ABOUT, "networks", lambda: _networks(patient, site), _NETWORKS)
    yield checked(ABOUT, "flavors", lambda: flavors_found(snapshot, registry), "")
    yield checked(ABOUT, "quota", lambda: quota_found(snapshot, site, registry, pool), "")


def _project(patient: CloudPatient) -> Found:
    if patient.project is None:
        return failed("the settings name no project; credentials could open any", _PROJECT)
    patient.probe.check_project(patient.project)
    return Found(what=f"the credentials open the project {patient.project!r}")


def _servers(patient: CloudPatient, site: Site, keep: Callable[[CloudSnapshot], None]) -> Found:
    snapshot = patient.cloud.snapshot()
    keep(snapshot)
    ours = sum(s.metadata.get(DEPLOYMENT_METADATA) == site.deployment for s in snapshot.servers)
    strangers = [
        server.name
        for server in snapshot.servers
        if server.name.startswith(site.worker_prefix)
        and server.metadata.get(DEPLOYMENT_METADATA) != site.deployment
    ]
    told = f"{len(snapshot.servers)} servers, {ours} of them ours"
    if strangers:
        return warning(
            f"{told}; named like ours, but not ours: {', '.join(sorted(strangers))}",
            "rename them, or set openstack.worker_prefix to what nobody else uses; they are left "
            "alone, and their names are not used",
        )
    return Found(what=told)


def _networks(patient: CloudPatient, site: Site) -> Found:
    patient.probe.check_networks(site.networks, site.security_groups)
    if not site.networks:
        return Found(what="the cloud is left to choose the network of a worker")
    named = ", ".join((*site.networks, *site.security_groups))
    return Found(what=f"networks and security groups are there: {named}")


def microversion_found(agreed: tuple[int, int]) -> Found:
    """What the compute microversion means for us."""
    told = f"compute microversion {agreed[0]}.{agreed[1]}"
    if agreed < DOWN_CELLS:
        return warning(
            f"{told}: servers of a cell that is down are missing from lists",
            "nothing here can mend it; missing servers are asked for by id before they are given "
            "up. Ask the cloud for Nova of Train or newer",
        )
    return Found(what=told)


def _image(patient: CloudPatient, snapshot: CloudSnapshot, site: Site, pool: PoolSettings) -> Found:
    """What the pool thinks of the image, which is asked; a template's console is read for it."""
    if site.image is not None:
        return image_found(snapshot, site)
    found = next(_of_the_pool(snapshot, site, pool), None)
    if isinstance(found, MakeImage):
        if found.finished or FINISHED_TEXT in patient.cloud.console(found.template_id):
            return warning(f"{found.because}: it has", "a running controller makes the image")
        unset = Backoff(
            subject=str(found.subject),
            failure=FailureClass.CONFLICT,
            failures=1,
            until=snapshot.requested_at,
            message=f"its console does not say {FINISHED_TEXT}",
        )
        found = next(_of_the_pool(snapshot, site, pool, unset))
    earlier = image_at_hand(snapshot, site)
    if found is None and earlier is not None:
        return Found(what=f"{earlier.name!r}, the image of the template, is there and active")
    told = found.because if found is not None else "there is no image"
    serious = found is not None and found.reason in ALARMS and earlier is None
    return failed(told, _TEMPLATE) if serious else warning(told, _TEMPLATE)


def _of_the_pool(
    snapshot: CloudSnapshot, site: Site, pool: PoolSettings, *backoffs: Backoff
) -> Iterator[Decision]:
    now = snapshot.requested_at
    store = StoreView(requested_at=now, backoffs=backoffs)
    world = World(site=site, store=store, cloud=snapshot)
    return towards(Survey.of(world, pool, BreakerSettings(), now), snapshot)


def image_found(snapshot: CloudSnapshot, site: Site) -> Found:
    """Whether there is an image to boot workers from."""
    if site.image in snapshot.images:
        return Found(what=f"{site.image!r} is there and active")
    return failed(
        f"there is no active image {site.image!r}: no worker can be created",
        "make the image of workers, or set openstack.image (HRSI_OPENSTACK_IMAGE) to its name, or "
        "unset it: then the image is made of openstack.template",
    )


def flavors_found(snapshot: CloudSnapshot, registry: Registry) -> Found:
    """Whether the cloud has every flavor that a job type runs on."""
    missing = sorted(set(registry.flavors) - snapshot.flavors)
    if not missing:
        return Found(what=f"all {len(registry.flavors)} flavors of the job types are there")
    types = sorted(t.name for t in registry.types.values() if t.flavor in missing)
    return failed(
        f"the cloud lacks {', '.join(missing)}: jobs of type {', '.join(types)} will wait",
        "ask for these flavors, or check that the project may see them",
    )


def quota_found(
    snapshot: CloudSnapshot, site: Site, registry: Registry, pool: PoolSettings
) -> Found:
    """Whether the project may hold as many workers as the parameters allow."""
    ours = [
        registry.flavors.get(server.flavor)
        for server in snapshot.servers
        if server.id in snapshot.quota_servers
        and server.metadata.get(DEPLOYMENT_METADATA) == site.deployment
    ]
    quota, sizes = snapshot.quota, [flavor for flavor in ours if flavor is not None]
    short = [
        f"{left} {what} are left to us, {key} allows {cap}"
        for what, key, cap, left in (
            (
                "servers",
                "pool.max_workers",
                pool.max_workers,
                _left(quota.max_servers, quota.used_servers, len(ours)),
            ),
            (
                "vCPUs",
                "pool.max_vcpus x pool.vcpu_share",
                pool.vcpu_budget,
                _left(quota.max_vcpus, quota.used_vcpus, _vcpus(sizes)),
            ),
        )
        if left is not None and left < cap
    ]
    if short:
        return warning(
            "; ".join(short),
            "ask for more quota, or lower the parameter with `hrsi param set`: the quota holds "
            "creations back either way",
        )
    return Found(what="the quota has room for all that the parameters allow")


def _left(most: int | None, used: int, ours: int) -> int | None:
    """What of a quota others have not taken; None: it is unlimited."""
    return None if most is None else max(0, most - max(0, used - ours))


def _vcpus(sizes: list[Flavor]) -> int:
    return sum(flavor.vcpus for flavor in sizes)
