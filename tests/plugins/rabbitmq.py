"""A real RabbitMQ of our own: its paths, ports, cookie and epmd are private to one test process.

Debian's package is installed where it is missing (scripts/test_packages.sh). The broker is a child
of the test process, on 127.0.0.1 and on free ports, below one folder; it can be killed and started
again, and what is durable survives that. Tests share it and use names of their own.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from infra.rabbitmq import Topology

PATIENCE = 120.0
"""Seconds within which the broker has started, on the slowest machine."""

SCRIPTS = Path("/usr/lib/rabbitmq/bin")
INSTALL = Path(__file__).parents[2] / "scripts" / "test_packages.sh"
USER, PASSWORD = "hrsi", "p@ss/word#1"
QUOTED = "p%40ss%2Fword%231"
STRANGER = "stranger"
"""A user who may log in and do nothing."""


@dataclass
class Rabbit:
    """One broker. `port` stays the same when it is started again."""

    folder: Path
    port: int = 0
    epmd_port: int = 0
    node: str = ""
    _children: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def url(self) -> str:
        """What opens it."""
        return self.url_of(USER)

    def url_of(self, user: str, *, port: int | None = None, password: str = QUOTED) -> str:
        """What opens it for another user, or by another way."""
        return f"amqp://{user}:{password}@127.0.0.1:{port or self.port}/hrsi%2Ftests"

    def start(self) -> None:
        """Start it and wait until it listens."""
        epmd = ["epmd", "-port", str(self.epmd_port), "-address", "127.0.0.1"]
        self._spawn(epmd, "epmd.log")
        broker = self._spawn([str(SCRIPTS / "rabbitmq-server")], "broker.log")
        until = time.monotonic() + PATIENCE
        while not self._listens():
            if broker.poll() is not None or time.monotonic() > until:
                told = (self.folder / "broker.log").read_text(errors="replace")[-2000:]
                raise RuntimeError(f"RabbitMQ did not start (exit {broker.poll()}): {told}")
            time.sleep(0.1)

    def kill(self) -> None:
        """End it without a word, as a machine that loses its power does."""
        for child in reversed(self._children):
            with suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
            child.wait()
        self._children.clear()

    def eval(self, expression: str) -> str:
        """Let the broker evaluate Erlang and say what it came to."""
        cookie = (self.folder / ".erlang.cookie").read_text()
        call = ["erl_call", "-n", self.node, "-c", cookie, "-e"]
        done = subprocess.run(
            call,
            input=f"{expression}.\n".encode(),
            env=self._environment,
            capture_output=True,
            check=True,
            timeout=PATIENCE,
        )
        return done.stdout.decode()

    def short_of_memory(self, *, short: bool) -> None:
        """Let it say that it has no memory left, or enough again."""
        what = "{resource_limit, memory, node()}"
        verb = f"set_alarm({{{what}, []}})" if short else f"clear_alarm({what})"
        self.eval(f"rabbit_alarm:{verb}")

    def _listens(self) -> bool:
        with socket.socket() as probe:
            probe.settimeout(1)
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def _spawn(self, command: list[str], log: str) -> subprocess.Popen[bytes]:
        with (self.folder / log).open("ab") as told:
            child = subprocess.Popen(
                command,
                env=self._environment,
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=told,
                stderr=told,
                start_new_session=True,
            )
        self._children.append(child)
        return child

    @property
    def _environment(self) -> Mapping[str, str]:
        folder = str(self.folder)
        return {
            "PATH": os.environ["PATH"],
            "HOME": folder,
            "LANG": "C.UTF-8",
            "ERL_EPMD_PORT": str(self.epmd_port),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODENAME": self.node,
            "RABBITMQ_CONF_ENV_FILE": "/nonexistent",
            "RABBITMQ_CONFIG_FILE": f"{folder}/rabbitmq.conf",
            "RABBITMQ_ADVANCED_CONFIG_FILE": f"{folder}/none.config",
            "RABBITMQ_ENABLED_PLUGINS_FILE": f"{folder}/plugins",
            "RABBITMQ_MNESIA_BASE": f"{folder}/mnesia",
            "RABBITMQ_LOG_BASE": f"{folder}/log",
            "RABBITMQ_PID_FILE": f"{folder}/pid",
            "RABBITMQ_GENERATED_CONFIG_DIR": f"{folder}/generated",
            "RABBITMQ_DIST_PORT": str(_free_port()),
            # The script becomes the broker instead of waiting for it: one child, which we reap.
            "detached": "true",
            # One scheduler that does not spin: the tests run beside it.
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 1:1 +SDcpu 1:1 +SDio 2",
        }


@pytest.fixture(scope="session")
def rabbit_server() -> Iterator[Rabbit]:
    """The broker of this process; nothing of it is left afterwards."""
    subprocess.run(["bash", str(INSTALL)], check=True, timeout=280)
    folder = Path(tempfile.mkdtemp(prefix="hrsi-rabbit-"))
    rabbit = Rabbit(folder=folder)
    _write_settings(rabbit)
    try:
        rabbit.start()
        yield rabbit
    finally:
        rabbit.kill()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def rabbit(rabbit_server: Rabbit) -> Iterator[Rabbit]:
    """The broker, running and well when a test begins, whatever the test before did to it."""
    if not rabbit_server._children:
        rabbit_server.start()
    yield rabbit_server
    if rabbit_server._children:
        rabbit_server.short_of_memory(short=False)


@pytest.fixture
def names() -> Topology:
    """Exchanges and queues that no other test uses."""
    mark = secrets.token_hex(4)
    return Topology(
        exchange=f"announce-{mark}",
        queue=f"json-{mark}",
        failures_exchange=f"results-{mark}",
        failures_queue=f"failed-{mark}",
    )


def _write_settings(rabbit: Rabbit) -> None:
    rabbit.port, rabbit.epmd_port = _free_port(), _free_port()
    rabbit.node = f"hrsi{secrets.token_hex(4)}@localhost"
    folder = rabbit.folder
    cookie = folder / ".erlang.cookie"
    cookie.write_text(secrets.token_hex(16))
    cookie.chmod(0o400)
    (folder / "plugins").write_text("[].")
    (folder / "definitions.json").write_text(json.dumps(_definitions()))
    (folder / "rabbitmq.conf").write_text(
        f"listeners.tcp.1 = 127.0.0.1:{rabbit.port}\n"
        f"load_definitions = {folder}/definitions.json\n"
        "disk_free_limit.absolute = 1MB\n"
        "vm_memory_high_watermark.relative = 0.9\n"
        "log.file.level = warning\n"
        "loopback_users = none\n"
    )


def _definitions() -> dict[str, object]:
    everything = {"configure": ".*", "write": ".*", "read": ".*"}
    nothing = dict.fromkeys(everything, "^$")
    users = [{"name": name, "password": PASSWORD, "tags": ""} for name in (USER, STRANGER)]
    vhost = "hrsi/tests"
    return {
        "vhosts": [{"name": vhost}],
        "users": users,
        "permissions": [
            {"user": USER, "vhost": vhost, **everything},
            {"user": STRANGER, "vhost": vhost, **nothing},
        ],
    }


def _free_port() -> int:
    """One that the system gives to nobody by itself: it has to be free again after a restart."""
    while True:
        port = 15_000 + secrets.randbelow(15_000)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
