"""What the program is started with, in small frozen groups; `controller.config` reads them.

Each field has its unit, the reason of its default and the harm of a wrong value. Thresholds are
not here: they are live parameters (`models.settings`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, TypeVar

from controller import config_values as values
from controller.config_values import Address, Secret

Value = TypeVar("Value")


def _setting(read: Callable[[Any], Value], default: Any = None, *, env: str | None = None) -> Any:
    """A field: how its text is read, and the environment variable if it has a name of its own."""
    return field(default=default, metadata={"read": read, "env": env})


@dataclass(frozen=True, kw_only=True, slots=True)
class DatabaseConfig:
    """Where the job table is."""

    url: Secret = _setting(values.database_url, Secret(""), env="DATABASE_URL")
    """`postgresql://user:password@host:port/name`. Empty: an embedded PostgreSQL is started."""

    directory: str = _setting(values.text, ".hrsi/postgres")
    """Where the embedded PostgreSQL keeps its files. Never on a file system of a network."""

    connections: int = _setting(values.whole(2, 100), 12)
    """Most connections at once. Fewer than loops + call threads make calls wait for one another."""


@dataclass(frozen=True, kw_only=True, slots=True)
class NomadConfig:
    """Which Nomad runs the work, and how it is called."""

    address: str = _setting(values.web_address, "http://127.0.0.1:4646", env="NOMAD_ADDR")
    """Any server of the region."""

    token: Secret = _setting(values.secret, Secret(""), env="NOMAD_TOKEN")
    """ACL token; needs to list, dispatch, submit jobs and write nodes."""

    region: str | None = _setting(values.text, env="NOMAD_REGION")
    namespace: str = _setting(values.text, "default", env="NOMAD_NAMESPACE")
    """Where our parents are registered; lists are always of all namespaces."""

    ca_cert: str | None = _setting(values.existing_file, env="NOMAD_CACERT")
    """Who signed Nomad's certificate, when the system does not know."""

    client_cert: str | None = _setting(values.existing_file, env="NOMAD_CLIENT_CERT")
    client_key: str | None = _setting(values.existing_file, env="NOMAD_CLIENT_KEY")
    calls: int = _setting(values.whole(1, 64), 16)
    """Calls at once. Nomad closes connections above 100 from one address."""

    calls_per_second: float = _setting(values.number(0.1, 10_000), 200.0)
    """Most calls begun per second."""


@dataclass(frozen=True, kw_only=True, slots=True)
class OpenStackConfig:
    """Which cloud gives the workers, and what they are made from."""

    cloud: str | None = _setting(values.text, env="OS_CLOUD")
    """A name in `clouds.yaml`. Without one the other `OS_*` variables are used."""

    project: str | None = _setting(values.text)
    """Name or id of the project that we expect to be in. Another one stops the start: a mistaken
    credential must not create, or delete, in somebody else's project."""

    image: str | None = _setting(values.text)
    """Name of the image that workers boot from. With it `template` counts for nothing; without, the
    pool makes the image, replaces it with its template, and deletes it when nothing uses it."""

    template: str = _setting(values.text, "tf-titi")
    """Name of the server that the image of workers is made of. Another server of that name means
    another image."""

    networks: tuple[str, ...] = _setting(values.texts, ())
    security_groups: tuple[str, ...] = _setting(values.texts, ())
    key_name: str | None = _setting(values.text)
    worker_prefix: str = _setting(values.name_prefix, "os-worker-")
    """What the names of our servers begin with. Others' servers must not begin so."""

    calls: int = _setting(values.whole(1, 64), 8)
    """Calls at once. Neutron was seen to break at 5 to 10 parallel boots."""

    calls_per_second: float = _setting(values.number(0.1, 1000), 10.0)
    """Most calls begun per second."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RunConfig:
    """What Nomad starts for a run, and how its program proves whose it is."""

    token_key: Secret = _setting(values.token_key, Secret(""))
    """Key of the run tokens, at least 32 characters. A new key makes running programs mute."""

    driver: str = _setting(values.text, "raw_exec")
    command: str = _setting(values.text, "/usr/local/bin/hrsi-worker")
    args: tuple[str, ...] = _setting(values.texts, ("run",))
    log_shipper: tuple[str, ...] = _setting(values.texts, ())
    """The program, with its arguments, that Nomad starts beside every run to ship its logs to the
    results bucket: on our workers `hrsi-worker ship-logs`. Empty: logs go with their worker."""

    environment: tuple[tuple[str, str], ...] = _setting(values.pairs, ())
    """Shown by Nomad to whoever may read jobs: no secrets here."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ControllerConfig:
    """The process itself."""

    holder: str | None = _setting(values.text)
    """Name of this process in leases and heartbeats. Default: host, process id and a random part;
    two processes of one name would both think that they lead."""

    health: Address = _setting(values.address, Address("127.0.0.1", 9464))
    """Where /metrics, /healthz and /readyz listen. They need no token: keep them inside."""

    stop_within: timedelta = _setting(values.wait(0.1, 600), timedelta(seconds=30))
    """How long a graceful stop waits for calls in flight. Shorter leaves intents open."""


@dataclass(frozen=True, kw_only=True, slots=True)
class WebConfig:
    """The HTTP API."""

    address: Address = _setting(values.address, Address("127.0.0.1", 8080))
    """Where `hrsi web` listens. Without a certificate it speaks plain HTTP: then what comes from
    other machines comes through a proxy on this one that speaks TLS."""

    certificate: str | None = _setting(values.existing_file)
    """The certificate that it shows, with those between it and its root, as PEM. With it the API
    speaks TLS itself, and nothing else. Read at the start: a new one needs a restart."""

    certificate_key: str | None = _setting(values.existing_file)
    """The key of the certificate, as PEM without a passphrase."""

    url: str | None = _setting(values.web_address, env="HRSI_URL")
    """How programs on workers and people reach the API; Nomad hands it to every run."""

    token: Secret = _setting(values.secret, Secret(""), env="HRSI_TOKEN")
    """A person's token (`hrsi token create`). Where no database is set, commands go through the API
    at `web.url` with it, and may do what its role may."""

    ca_cert: str | None = _setting(values.existing_file, env="HRSI_CACERT")
    """Who signed the API's certificate, for commands that go through it, when the system does not
    know."""

    nomad_ui: str | None = _setting(values.web_address)
    """How people reach Nomad's own pages, for links; without it that of `nomad.address`."""

    bucket_ui: str | None = _setting(values.text)
    """A page of the cloud's dashboard that shows a folder of a bucket, for links, with {bucket} and
    {folder} in their places. Without it there are no such links."""

    rclone_remote: str = _setting(values.text, "hrsi")
    """What people call the object store in their rclone.conf, for lines that they can paste."""


@dataclass(frozen=True, kw_only=True, slots=True)
class S3Config:
    """Where the buckets are, for the controller's machine; workers have keys of their own."""

    endpoint: str | None = _setting(values.web_address, env="S3_ENDPOINT_URL")
    """The service. Without it there are no buckets: no log of a run that is over, no `job fetch`,
    no retention."""

    access_key: str = _setting(values.text, "", env="AWS_ACCESS_KEY_ID")
    secret_key: Secret = _setting(values.secret, Secret(""), env="AWS_SECRET_ACCESS_KEY")
    region: str = _setting(values.text, "RegionOne", env="AWS_REGION")
    ca_cert: str | None = _setting(values.existing_file, env="AWS_CA_BUNDLE")
    """Who signed the service's certificate, when the system does not know."""

    results: str | None = _setting(values.text, env="HRSI_RESULTS_BUCKET")
    """The results bucket: working directories, logs and manifests of runs. Retention deletes in it
    and in `data`, and in no other."""

    data: str | None = _setting(values.text, env="HRSI_DATA_BUCKET")
    """The data bucket, where runs keep the L2A that later images begin with. Without it none of
    them is ever deleted."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CreationConfig:
    """Which catalogues are read for new products, and over which area. None: none are."""

    odata: tuple[tuple[str, str], ...] = _setting(values.web_addresses, ())
    """Catalogues that speak OData, as NAME = "https://…" (what comes before /odata/v1). The name
    stands in cursors and metrics: another name is another catalogue, read from the beginning."""

    resto: tuple[tuple[str, str], ...] = _setting(values.web_addresses, ())
    """Catalogues that speak resto, as NAME = "https://…/resto" (what comes before /api)."""

    products: tuple[tuple[str, str], ...] = _setting(values.web_addresses, ())
    """The HR-S&I catalogue, which lists what we made ourselves and speaks resto, as NAME =
    "https://…/resto". Without it no jobs are made of our own products: rlies1s2, sws_wds, gfsc."""

    mountains: str | None = _setting(values.existing_file)
    """A file with the tiles of which SWS are made, one per line. None: of none."""

    without_rlie: str | None = _setting(values.existing_file)
    """A file with the tiles that have no river or lake to see, one per line. None: all have."""

    area: str | None = _setting(values.existing_file)
    """A file with the area of interest: GeoJSON polygons, or one tile per line."""

    tiles: tuple[str, ...] = _setting(values.texts, ())
    """The tiles of interest, such as 32TLR, where there is no file."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PublicationConfig:
    """Where products are put, and what the endpoint is told of it."""

    bucket: str | None = _setting(values.text)
    """The product bucket; nothing but publication writes there. Without one nothing is published:
    jobs rest once they are processed."""

    endpoint: str | None = _setting(values.web_address)
    """The service that has the product bucket, where that is another than `s3.endpoint`. Files then
    pass through the controller."""

    access_key: str = _setting(values.text, "")
    secret_key: Secret = _setting(values.secret, Secret(""))
    """What opens the product bucket, where that is not what opens the others. Files are copied
    within the service if these keys may read the results bucket, else they pass through."""

    host: str = _setting(values.text, "s3.waw2-1.cloudferro.com")
    """`host_base` of every message: the service as users reach it."""

    spool: str = _setting(values.text, ".hrsi/spool")
    """Where messages are kept as files while no broker is set."""

    calls: int = _setting(values.whole(1, 64), 8)
    """Jobs that are published at once. More copy more files at the same time."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RabbitConfig:
    """Which RabbitMQ the endpoint listens to, and how things are called there."""

    urls: Secret = _setting(values.secret, Secret(""), env="AMQP_URL")
    """`amqp://user:password@host:port/vhost`, special characters percent-encoded; several ways to
    the same broker, each with what opens it, with blanks or semicolons in between. Empty: messages
    go to files (`publication.spool`)."""

    exchange: str = _setting(values.text, "product_publication")
    """Direct. The system that we replace called it product_publicationdirect by mistake: name it so
    for as long as an endpoint is bound to that."""

    queue: str = _setting(values.text, "json")
    routing_key: str = _setting(values.text, "json")
    failures_exchange: str = _setting(values.text, "indexering_results")
    failures_queue: str = _setting(values.text, "failed_products")
    failures_key: str = _setting(values.text, "failed_products")
    declare: bool = _setting(values.truth, default=True)
    """Whether what is missing there is made, durable. With false it has to be there."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Config:
    """Everything that the program is started with."""

    deployment: str = _setting(values.deployment, "")
    """Name of this installation, on everything that it makes outside: a-z, 0-9 and hyphens."""

    database: DatabaseConfig = field(default_factory=DatabaseConfig)
    nomad: NomadConfig = field(default_factory=NomadConfig)
    openstack: OpenStackConfig = field(default_factory=OpenStackConfig)
    runs: RunConfig = field(default_factory=RunConfig)
    creation: CreationConfig = field(default_factory=CreationConfig)
    publication: PublicationConfig = field(default_factory=PublicationConfig)
    rabbitmq: RabbitConfig = field(default_factory=RabbitConfig)
    controller: ControllerConfig = field(default_factory=ControllerConfig)
    web: WebConfig = field(default_factory=WebConfig)
    s3: S3Config = field(default_factory=S3Config)
