"""Whoever sources what a demo wrote has its settings."""

import shlex
from pathlib import Path

from controller.config import load, require_for_controller
from controller.config_groups import (
    Config,
    CreationConfig,
    DatabaseConfig,
    NomadConfig,
    OpenStackConfig,
    PublicationConfig,
    RunConfig,
    S3Config,
    WebConfig,
)
from controller.config_values import Secret
from controller.demo.way_in import ELSEWHERE, write_way_in

DEMO = Config(
    deployment="demo",
    database=DatabaseConfig(url=Secret("postgresql://postgres@/hrsi?host=/a b&port=5432")),
    nomad=NomadConfig(address="http://127.0.0.1:4711"),
    openstack=OpenStackConfig(
        project="hrsi", image="template", networks=("farm", "net"), security_groups=("inner",)
    ),
    runs=RunConfig(
        token_key=Secret("0123456789abcdef" * 4),
        command="/usr/bin/python3",
        args=("-m", "worker.cli", "run"),
        log_shipper=("/usr/bin/python3", "-m", "worker.ship"),
        environment=(("HRSI_NODE_ID", "${node.unique.id}"), ("HRSI_STANDIN_SECONDS", "4.0")),
    ),
    creation=CreationConfig(
        odata=(("sim", "http://127.0.0.1:81"),),
        products=(("hrsi", "http://127.0.0.1:85"),),
        tiles=("32TLR", "32TMS"),
        mountains=__file__,
    ),
    s3=S3Config(
        endpoint="http://127.0.0.1:84",
        access_key="us",
        secret_key=Secret("secret"),
        region="us-east-1",
        results="demo-results",
    ),
    publication=PublicationConfig(bucket="demo-products"),
    web=WebConfig(url="http://127.0.0.1:82"),
)


def test_what_is_sourced_gives_the_settings_of_the_demo(tmp_path: Path) -> None:
    file = tmp_path / "environment"
    write_way_in(file, DEMO, {"OS_AUTH_URL": "http://127.0.0.1:83"})
    [away, *exports] = file.read_text().splitlines()
    assert shlex.split(away) == ["unset", *ELSEWHERE]
    words = [shlex.split(line) for line in exports]
    assert all(len(line) == 2 and line[0] == "export" for line in words)
    found = dict(assignment.split("=", 1) for _, assignment in words)
    assert found["OS_AUTH_URL"] == "http://127.0.0.1:83"
    assert load(None, found) == DEMO
    require_for_controller(DEMO)
    assert file.stat().st_mode & 0o077 == 0, "the key is its owner's alone"
