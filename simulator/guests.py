"""A real local process for every server: what a person's command makes of a machine that boots.

The command finds in its environment HRSI_SERVER_ID, HRSI_SERVER_NAME, HRSI_SERVER_IP (empty when
the server has none) and HRSI_SERVER_FLAVOR, besides what it is given. It is started when the
machine has booted, in a folder of its own where `output.log` has what it says, and told to end
(SIGTERM, later SIGKILL) when the server is gone. One that ends by itself is not started again.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Self

from simulator.groups import ProcessGroups
from simulator.nomad.cluster import Boot

GRACE = timedelta(seconds=10)
"""How long a command has to end by itself once its server is gone."""

OUTPUT = "output.log"

Tell = Callable[[str], None]
"""Hears, in a sentence, of what a person would want to know."""


class Guests:
    """A `Tenant` of machines, and a context manager. `lock` is that of the machines' timeline.

    `folder` is where guests have their folders, and is kept; without one a temporary folder is
    made and removed.
    """

    def __init__(
        self,
        command: str,
        lock: threading.RLock,
        environment: Mapping[str, str],
        tell: Tell,
        folder: Path | None = None,
    ) -> None:
        self._command = command
        self._environment = {"PATH": os.defpath, **environment}
        self._tell = tell
        self._kept = folder
        self._folder = folder or Path(tempfile.mkdtemp(prefix="hrsi-guests-"))
        self._processes = ProcessGroups(lock)
        self._dying: set[str] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._processes.close()
        if self._kept is None:
            shutil.rmtree(self._folder, ignore_errors=True)

    def folder_of(self, server_id: str) -> Path:
        """Where the process of a server runs and what it said is."""
        return self._folder / server_id

    def node_boots(self, boot: Boot) -> None:
        """Start the command of a server; one that cannot be started is told of."""

        def ended(code: int) -> None:
            if boot.server_id in self._dying:
                self._dying.discard(boot.server_id)
                return
            said = self.folder_of(boot.server_id) / OUTPUT
            self._tell(f"the process of {boot.name} ended with {code}; what it said: {said}")

        try:
            self._processes.start(boot.server_id, lambda: self._spawn(boot), ended)
        except OSError as error:
            self._tell(f"the process of {boot.name} cannot be started: {error}")

    def node_dies(self, server_id: str) -> None:
        """Let the process of a server end; one that has none is no error."""
        if self._processes.kill(server_id, GRACE):
            self._dying.add(server_id)

    def _spawn(self, boot: Boot) -> subprocess.Popen[bytes]:
        folder = self.folder_of(boot.server_id)
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / OUTPUT).open("ab") as output:
            return subprocess.Popen(  # noqa: S603 - the command of whoever started us
                ["/bin/sh", "-c", self._command],
                cwd=folder,
                env={
                    **self._environment,
                    "HRSI_SERVER_ID": boot.server_id,
                    "HRSI_SERVER_NAME": boot.name,
                    "HRSI_SERVER_IP": boot.address,
                    "HRSI_SERVER_FLAVOR": boot.node_class,
                },
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
