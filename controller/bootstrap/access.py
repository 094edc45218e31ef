"""How the settings name the outside: who we are, and what opens Nomad and the cloud."""

from __future__ import annotations

from collections.abc import Mapping

from controller.config import Config
from infra import nomad
from models.errors import ConfigurationError
from models.job_types import DEFAULT_REGISTRY, TaskCommand
from models.world import Site


def nomad_access(config: Config) -> nomad.NomadAccess:
    """What opens Nomad. Raises `ConfigurationError` for half a client certificate."""
    settings = config.nomad
    certificate, key = settings.client_cert, settings.client_key
    if (certificate is None) != (key is None):
        raise ConfigurationError(
            "NOMAD_CLIENT_CERT and NOMAD_CLIENT_KEY: only one of them is set; set both or none"
        )
    return nomad.NomadAccess(
        address=settings.address,
        deployment=config.deployment,
        token=settings.token.reveal() or None,
        namespace=settings.namespace,
        region=settings.region,
        verify=settings.ca_cert or True,
        certificate=(certificate, key) if certificate and key else None,
    )


def openstack_environment(config: Config, environment: Mapping[str, str]) -> Mapping[str, str]:
    """The environment with the cloud that the settings name."""
    cloud = config.openstack.cloud
    return {**environment, "OS_CLOUD": cloud} if cloud else environment


def site(config: Config) -> Site:
    """Who we are, by the settings."""
    cloud, runs = config.openstack, config.runs
    url = (("HRSI_URL", config.web.url),) if config.web.url else ()
    environment = (*url, *runs.environment)
    command = TaskCommand(
        driver=runs.driver, command=runs.command, args=runs.args, environment=environment
    )
    shipper = None
    if runs.log_shipper:
        program, *args = runs.log_shipper
        shipper = TaskCommand(
            driver=runs.driver, command=program, args=tuple(args), environment=environment
        )
    return Site(
        deployment=config.deployment,
        worker_prefix=cloud.worker_prefix,
        image=cloud.image,
        template=cloud.template,
        networks=cloud.networks,
        security_groups=cloud.security_groups,
        key_name=cloud.key_name,
        parents=DEFAULT_REGISTRY.parents(config.deployment, command, shipper),
    )
