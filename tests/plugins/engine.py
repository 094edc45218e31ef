"""A real container engine: podman, which speaks the API of Docker, started for these tests alone.

Debian's packages are installed where they are missing (scripts/test_packages.sh). Its images and
containers lie in a folder of their own. Of several processes of the tests one alone starts it
(`tests.plugins.turns`).
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import platform
import shutil
import signal
import socket
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest

from infra.containers import Engine, connect
from tests.plugins.nomad_agents import wait_until

IMAGE = "localhost/hrsi/standin:1"
_BUSYBOX = Path("/bin/busybox")
INSTALL = Path(__file__).parents[2] / "scripts" / "test_packages.sh"
_LIMIT = 60.0
_CONF = """\
[containers]
cgroups = "disabled"
netns = "host"
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
"""
# In a mount namespace of its own, to hide the empty cgroup2 mount of a "hybrid" hierarchy, which
# crun refuses, from nobody else.
_SERVE = """\
umount /sys/fs/cgroup/unified 2>/dev/null
exec podman --root "$0/root" --runroot "$0/run" --storage-driver vfs --tmpdir "$0/tmp" \
  system service --time=0 "unix://$0/engine.sock"
"""

PRODUCT = "FSC_20220827T130318_S2A_T28WEU_V102_1"
SCIENCE = f"""\
#!/bin/sh
echo "science in a container"
parameters=$(cat /job/processing_parameters.yaml)
case "$parameters" in *'"hang"'*) echo "hanging"; sleep 600;; esac
case "$parameters" in *'"exit": 137'*) sh -c 'kill -9 $$'; exit $?;; esac
case "$parameters" in *'"exit": 205'*) exit 205;; esac
ls /job/inputs >&2
echo made > /job/l2a/file
out=/job/outputs/{PRODUCT}
mkdir -p $out
for each in FSCTOC.tif MTD.xml QLK.png; do echo $each > $out/{PRODUCT}_$each; done
cat > $out/dias_catalog_submit.json <<END
{{"resto": {{"geometry": {{"wkt": "POLYGON((0 0,1 0,1 1,0 0))"}}, "properties": {{
"startDate": "2022-08-27T13:03:18.0", "completionDate": "2022-08-27T15:00:00.0",
"mission": "S2", "resolution": 20, "cloudCover": "86.0"}}}}}}
END
"""
"""What the stand-in image does: a product for whoever asks, and what the input asks for instead."""


def image_archive(name: str = IMAGE) -> bytes:
    """An archive of one image, as `docker save` writes it: busybox and the script above."""
    layer = _tar(
        {
            "bin/busybox": _BUSYBOX.read_bytes(),
            "science": SCIENCE.encode(),
        },
        links={f"bin/{tool}": "busybox" for tool in ("sh", "cat", "ls", "mkdir", "sleep")},
    )
    digest = hashlib.sha256(layer).hexdigest()
    machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    config = json.dumps(
        {
            "architecture": machine,
            "os": "linux",
            "config": {"Cmd": ["/bin/sh", "/science"], "Env": ["PATH=/bin"]},
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}"]},
        }
    ).encode()
    named = f"{hashlib.sha256(config).hexdigest()}.json"
    manifest = [{"Config": named, "RepoTags": [name], "Layers": ["layer.tar"]}]
    return _tar({named: config, "layer.tar": layer, "manifest.json": json.dumps(manifest).encode()})


def _tar(files: dict[str, bytes], links: dict[str, str] | None = None) -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as tar:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(data), 0o755
            tar.addfile(member, io.BytesIO(data))
        for name, target in (links or {}).items():
            member = tarfile.TarInfo(name)
            member.type, member.linkname = tarfile.SYMTYPE, target
            tar.addfile(member)
    return content.getvalue()


@pytest.fixture(scope="session")
def engine_address() -> Iterator[str]:
    """Where a real engine listens that knows no image yet."""
    subprocess.run(["bash", str(INSTALL)], check=True, timeout=280)
    # Paths of sockets are short.
    folder = Path(tempfile.mkdtemp(prefix="hrsi-engine-"))
    (folder / "containers.conf").write_text(_CONF)
    process = subprocess.Popen(
        ["unshare", "--mount", "--propagation", "private", "bash", "-c", _SERVE, str(folder)],
        env={**os.environ, "CONTAINERS_CONF": str(folder / "containers.conf")},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    place = folder / "engine.sock"
    address = f"unix://{place}"
    try:
        # The SDK forgets the socket of a connection that fails: not before somebody listens.
        wait_until(lambda: _listens(place), "the container engine to answer", _LIMIT)
        with closing(connect(address)) as asked:
            yield address
            for name in asked.names(""):
                asked.remove(name)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        shutil.rmtree(folder, ignore_errors=True)


def _listens(place: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as asked:
        return asked.connect_ex(str(place)) == 0


@pytest.fixture
def engine(engine_address: str) -> Iterator[Engine]:
    """The adapter before the real engine."""
    with closing(connect(engine_address)) as made:
        yield made
