"""`models.containers.ContainerEngine` with the SDK of Docker; every method is one request or two.

The version of the API is fixed: asking for it would be a request before any is wanted.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, BinaryIO

import docker
from docker.errors import APIError, DockerException, ImageNotFound
from docker.errors import NotFound as NoSuchThing
from docker.utils import parse_repository_tag
from requests.exceptions import ConnectionError as NoConnection
from requests.exceptions import ConnectTimeout, RequestException

from models.containers import ContainerOrder
from models.errors import Malformed, NotFound, PortError, Refused, Throttled, Unavailable, Unknown

API_VERSION = "1.40"
_LOOK_AGAIN = 0.3
_NO_IMAGE = ("not found", "manifest unknown", "does not exist", "denied", "unauthorized")
"""What registries say of an image that they have not, or do not show. All else may pass."""

_GONE_ALREADY = 409
"""Its removal is under way."""

_ANSWERS: Mapping[int, type[PortError]] = {401: Refused, 403: Refused, 429: Throttled}
"""What a registry says of a pull, handed on: log in first, or not so often."""


class Engine:
    """One engine at one address."""

    def __init__(
        self,
        client: docker.APIClient,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        # The types that others wrote for the SDK know only a part of it.
        self._client: Any = client
        self._clock = clock
        self._sleep = sleep

    def close(self) -> None:
        """Close the connections that are kept."""
        self._client.close()

    def has(self, image: str) -> bool:
        """See `models.containers.ContainerEngine.has`."""
        with _translated(f"look for image {image}"):
            try:
                self._client.inspect_image(image)
            except ImageNotFound:
                return False
            return True

    def pull(self, image: str) -> None:
        """See `models.containers.ContainerEngine.pull`."""
        repository, tag = parse_repository_tag(image)
        with _translated(f"pull image {image}"):
            told = self._client.pull(repository, tag or "latest", stream=True, decode=True)
            # It answers 200 before it has looked; how that went stands in the last lines.
            if error := _error_in(told):
                kind = NotFound if any(each in error.lower() for each in _NO_IMAGE) else Unknown
                raise kind(f"pull image {image}: the engine says: {error}")

    def load(self, archive: BinaryIO) -> None:
        """See `models.containers.ContainerEngine.load`."""
        with _translated("load images of an archive"):
            if error := _error_in(self._client.load_image(archive)):
                raise Malformed(f"load images of an archive: the engine says: {error}")

    def start(self, order: ContainerOrder) -> None:
        """See `models.containers.ContainerEngine.start`."""
        self.remove(order.name)
        with _translated(f"start container {order.name} of image {order.image}"):
            binds = {here: {"bind": inside, "mode": "rw"} for here, inside in order.mounts}
            made = self._client.create_container(
                order.image,
                command=list(order.command) or None,
                name=order.name,
                environment=dict(order.environment),
                host_config=self._client.create_host_config(binds=binds),
            )
            self._client.start(made["Id"])

    def names(self, begins: str) -> tuple[str, ...]:
        """See `models.containers.ContainerEngine.names`."""
        with _translated(f"list containers {begins}*"):
            listed = self._client.containers(all=True, filters={"name": begins})
        found = (name.lstrip("/") for each in listed for name in each["Names"])
        return tuple(name for name in found if name.startswith(begins))

    def follow(self, name: str, into: BinaryIO) -> None:
        """See `models.containers.ContainerEngine.follow`."""
        with _translated(f"read the log of container {name}"):
            into.writelines(self._client.logs(name, stdout=True, stderr=True, stream=True))

    def wait(self, name: str, timeout: timedelta) -> int | None:
        """See `models.containers.ContainerEngine.wait`."""
        until = self._clock() + timeout.total_seconds()
        while True:
            with _translated(f"look at container {name}"):
                state = self._client.inspect_container(name)["State"]
            if state["Status"] in {"exited", "dead", "stopped"}:
                return int(state["ExitCode"])
            if self._clock() >= until:
                return None
            self._sleep(_LOOK_AGAIN)

    def remove(self, name: str) -> None:
        """See `models.containers.ContainerEngine.remove`."""
        with _translated(f"remove container {name}"):
            try:
                self._client.remove_container(name, force=True, v=True)
            except NoSuchThing:
                return
            except APIError as error:
                if error.status_code != _GONE_ALREADY:
                    raise


def connect(address: str, *, silence: timedelta = timedelta(seconds=60)) -> Engine:
    """The engine at `address` (unix:// or tcp://). Nothing is sent before it is used."""
    return Engine(
        docker.APIClient(address, version=API_VERSION, timeout=int(silence.total_seconds()))
    )


def _error_in(told: Iterable[Mapping[str, Any]]) -> str | None:
    """The last error among the lines that an engine tells of its progress."""
    error = None
    for line in told:
        error = line.get("error") or error
    return error


@contextmanager
def _translated(attempt: str) -> Iterator[None]:
    """Raise ours for theirs."""
    try:
        yield
    except NoSuchThing as error:
        raise NotFound(f"{attempt}: the engine knows no such thing: {error}") from error
    except APIError as error:
        raise _answered(attempt, error) from error
    except (NoConnection, ConnectTimeout) as error:
        raise Unavailable(f"{attempt}: the container engine does not answer: {error}") from error
    except (RequestException, DockerException) as error:
        raise Unknown(f"{attempt}: the container engine gave no whole answer: {error}") from error


def _answered(attempt: str, error: APIError) -> PortError:
    text = f"{attempt}: the container engine answered {error.status_code}: {error.explanation}"
    if error.is_server_error():
        return Unknown(text)
    return _ANSWERS.get(error.status_code or 0, Malformed)(text)
