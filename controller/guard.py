"""No call reaches a cloud that may be somebody else's: the project is checked before the first.

A mismatch stops the start. When the cloud cannot be asked then, the controller starts without it
and every call asks again first: until the project is proved, the cloud is as good as away.
"""

from __future__ import annotations

from collections.abc import Callable

from models.errors import ConfigurationError, PortError, Refused
from models.ports import Cloud, ImageOrder, ServerOrder
from models.world import CloudSnapshot, ImageList


class GuardedCloud:
    """A cloud behind the proof that it is the right one. Implements `Cloud`."""

    def __init__(self, cloud: Cloud, prove: Callable[[], None]) -> None:
        self._cloud = cloud
        self._prove = prove
        self._proved = False

    def prove(self) -> str | None:
        """Check the project unless that was done; why it could not be checked, if so.

        Raises `ConfigurationError` when it is another project than the settings name.
        """
        if not self._proved:
            try:
                self._prove()
            except PortError as error:
                return str(error)
            self._proved = True
        return None

    def snapshot(self) -> CloudSnapshot:
        """See the port."""
        return self._opened().snapshot()

    def create(self, order: ServerOrder) -> str:
        """See the port."""
        return self._opened().create(order)

    def delete(self, server_id: str) -> None:
        """See the port."""
        self._opened().delete(server_id)

    def exists(self, server_id: str) -> bool:
        """See the port."""
        return self._opened().exists(server_id)

    def worker_images(self) -> ImageList:
        """See the port."""
        return self._opened().worker_images()

    def console(self, server_id: str) -> str:
        """See the port."""
        return self._opened().console(server_id)

    def make_image(self, order: ImageOrder) -> str:
        """See the port."""
        return self._opened().make_image(order)

    def delete_image(self, image_id: str) -> None:
        """See the port."""
        self._opened().delete_image(image_id)

    def _opened(self) -> Cloud:
        if not self._proved:
            try:
                self._prove()
            except ConfigurationError as error:
                raise Refused(str(error)) from error
            self._proved = True
        return self._cloud
