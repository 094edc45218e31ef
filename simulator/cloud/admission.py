"""Whether the simulated cloud accepts a request for a server: Nova's checks, in Nova's words."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

from models.errors import Conflict, Malformed, QuotaExceeded
from models.job_types import Flavor
from models.world import Quota
from simulator.cloud.servers import Image, Wanted

GIB = 1024**3


def check_image(wanted: Wanted, flavor: Flavor, images: Mapping[str, Image]) -> None:
    """Raises `Malformed` for an image that is not there, not active, or too large for a flavor:
    that of a server with a larger disk.
    """
    image = images.get(wanted.image_id)
    if image is None:
        raise Malformed("Can not find requested image")
    if image.status != "active":
        raise Malformed(f"Image {image.id} is not active.")
    if flavor.disk_gb < image.min_disk:
        raise Malformed(
            "Flavor's disk is smaller than the minimum size specified in image metadata. Flavor "
            f"disk is {flavor.disk_gb * GIB} bytes, minimum size is {image.min_disk * GIB} bytes."
        )


def check_network(
    wanted: Wanted, networks: Mapping[str, str], security_groups: Mapping[str, str]
) -> None:
    """Raises `Malformed` for what is not there, `Conflict` when `auto` has a choice."""
    if wanted.networks is None and len(networks) > 1:
        raise Conflict("Multiple possible networks found, use a Network ID to be more specific.")
    for network in wanted.networks or ():
        if network not in networks:
            raise Malformed(f"Network {network} could not be found.")
    known = {*security_groups, *security_groups.values()}
    for group in wanted.security_groups:
        if group not in known:
            raise Malformed(f"Unable to find security_group with name or id '{group}'")


def check_key(wanted: Wanted, key_names: Collection[str]) -> None:
    """Raises `Malformed` for a key pair that is not there."""
    if wanted.key_name is not None and wanted.key_name not in key_names:
        raise Malformed("Invalid key_name provided.")


def check_sizes(wanted: Wanted) -> None:
    """Raises `Malformed` for what is too long; Nova repeats the whole value, twice."""
    for field, value, most in (
        ("name", wanted.name, 255),
        ("user_data", wanted.user_data or "", 65_535),
        *((f"metadata.{key}", value, 255) for key, value in wanted.metadata.items()),
    ):
        if len(value) > most:
            raise Malformed(
                f"Invalid input for field/attribute {field}. Value: {value}. {value!r} is too long"
            )


def check_quota(flavor: Flavor, quota: Quota) -> None:
    """Raises `QuotaExceeded` naming every resource of which there is too little."""
    over = [
        (name, more, used, most)
        for name, more, used, most in (
            ("instances", 1, quota.used_servers, quota.max_servers),
            ("cores", flavor.vcpus, quota.used_vcpus, quota.max_vcpus),
            ("ram", flavor.memory_mb, quota.used_memory_mb, quota.max_memory_mb),
        )
        if most is not None and used + more > most
    ]
    if over:
        names, more, used, most = (
            ", ".join(str(value) for value in column) for column in zip(*over, strict=True)
        )
        raise QuotaExceeded(
            f"Quota exceeded for {names}: Requested {more}, but already used {used} of {most} "
            f"{names}"
        )


def recheck_quota(flavor: Flavor, quota: Quota) -> None:
    """`check_quota` when a host is looked for, where Nova never tells of more use than allowed."""

    def within(used: int, most: int | None) -> int:
        return used if most is None else min(used, most)

    capped = replace(
        quota,
        used_servers=within(quota.used_servers, quota.max_servers),
        used_vcpus=within(quota.used_vcpus, quota.max_vcpus),
        used_memory_mb=within(quota.used_memory_mb, quota.max_memory_mb),
    )
    check_quota(flavor, capped)
