"""`models.broker.Broker` on a folder: one file a message, whole or not at all.

A file is called by when it was written and by the digest of its message's id: the same message
again is the same file, whoever writes it. Names sort in the order of writing.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import msgspec

from models.broker import Fate, Message, RefusedMessage, Told
from models.errors import Malformed, NotFound, Unavailable

SUFFIX = ".json"


@dataclass(frozen=True, kw_only=True, slots=True)
class SpooledFile:
    """A message that waits in a file."""

    path: Path

    def read(self) -> Message:
        """What is to be sent. Raises `Malformed` when the file is no message, `NotFound` when it is
        gone: somebody else sent it, and `Unavailable` when it cannot be read.
        """
        try:
            return msgspec.json.decode(self.path.read_bytes(), type=Message)
        except msgspec.DecodeError as error:
            raise Malformed(f"{self.path} is no message: {error}") from error
        except FileNotFoundError as error:
            raise NotFound(f"{self.path} is gone") from error
        except OSError as error:
            raise Unavailable(f"{self.path} cannot be read: {error.strerror}") from error

    def remove(self) -> None:
        """Take it away; one that is gone is no error. Raises `Unavailable` when it has to stay."""
        try:
            self.path.unlink(missing_ok=True)
        except OSError as error:
            raise Unavailable(
                f"{self.path} cannot be taken away: {error.strerror}; its message is sent again, "
                "under its id, the next time"
            ) from error


class Spool:
    """Keeps messages as files. Several processes may."""

    def __init__(self, folder: Path, now: Callable[[], datetime]) -> None:
        self._folder = folder
        self._now = now

    def publish(self, messages: Sequence[Message]) -> tuple[Told, ...]:
        """Write each into its file. Raises `Unavailable` when that fails: it is written again."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            for message in messages:
                self._write(message)
        except OSError as error:
            raise Unavailable(f"spool {self._folder}: {error.strerror}") from error
        return tuple(Told(fate=Fate.SPOOLED, why=str(self._folder)) for _ in messages)

    def refused(self, limit: int) -> tuple[RefusedMessage, ...]:
        """A folder refuses nothing."""
        del limit
        return ()

    def settle(self, receipts: Sequence[str]) -> None:
        """There is nothing to settle."""

    def close(self) -> None:
        """The files stay."""

    def files(self) -> tuple[SpooledFile, ...]:
        """What waits, the oldest first; none of it is read yet. No folder is one without files.
        Raises `Unavailable` when the folder cannot be read.
        """
        try:
            paths = [path for path in self._folder.iterdir() if path.suffix == SUFFIX]
        except FileNotFoundError:
            return ()
        except OSError as error:
            raise Unavailable(f"spool {self._folder}: {error.strerror}") from error
        return tuple(SpooledFile(path=path) for path in sorted(paths))

    def _write(self, message: Message) -> None:
        digest = _digest(message)
        if any(self._folder.glob(f"*-{digest}{SUFFIX}")):
            return
        target = self._folder / f"{self._now():%Y%m%dT%H%M%S%f}-{digest}{SUFFIX}"
        being = target.with_suffix(f".being-written-{os.getpid()}")
        with being.open("wb") as file:
            file.write(msgspec.json.encode(message))
            file.flush()
            os.fsync(file.fileno())
        being.replace(target)
        self._keep_name()

    def _keep_name(self) -> None:
        """A file's name is the folder's content: that too has to reach the disk."""
        folder = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _digest(message: Message) -> str:
    return hashlib.sha256(message.id.encode()).hexdigest()[:32]
