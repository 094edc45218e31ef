"""Containers, as the program on a worker needs them: one image, one container, one exit code.

Part of `models.ports`, where the rules are. `infra.containers` implements it over Docker's API.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import BinaryIO, Protocol


@dataclass(frozen=True, kw_only=True, slots=True)
class ContainerOrder:
    """What is to run. `mounts` are (folder here, folder inside), all of them writable."""

    name: str
    image: str
    command: tuple[str, ...]
    mounts: tuple[tuple[str, str], ...] = ()
    environment: tuple[tuple[str, str], ...] = ()


class ImageShelf(Protocol):
    """The images on this machine.

    Every method raises `Unavailable` when the engine does not answer, `Unknown` when an answer
    broke off, and `NotFound` for what there is not.
    """

    def has(self, image: str) -> bool:
        """Whether the image is here."""

    def pull(self, image: str) -> None:
        """Fetch the image from its registry. `NotFound` when that has none of this name, `Unknown`
        when it could not be asked.
        """

    def load(self, archive: BinaryIO) -> None:
        """Take in the images of an archive. Raises `Malformed` when it is none."""


class ContainerEngine(ImageShelf, Protocol):
    """An engine on this machine: its images and its containers, with the errors of the former."""

    def start(self, order: ContainerOrder) -> None:
        """Start a container of this name; one that has it already is removed, whatever it does."""

    def names(self, begins: str) -> tuple[str, ...]:
        """The containers whose names begin so, whether they run or not."""

    def follow(self, name: str, into: BinaryIO) -> None:
        """Write what the container says, both outputs, as it comes, until it ends."""

    def wait(self, name: str, timeout: timedelta) -> int | None:
        """The exit code; None when it still runs after that time."""

    def remove(self, name: str) -> None:
        """End the container and remove it; one that there is not is no error."""
