"""Start-up settings: what is read from where, and what is refused in which words."""

from datetime import timedelta
from pathlib import Path

import pytest

from controller.config import keys, load, require_for_controller, through_api
from models.errors import ConfigurationError

KEY = "0123456789abcdef0123456789abcdef"


def file(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "hrsi.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_environment_wins_over_the_file_and_the_file_over_the_defaults(tmp_path: Path) -> None:
    path = file(
        tmp_path,
        'deployment = "north"\n[nomad]\naddress = "https://nomad:4646/"\ncalls = 3\n'
        '[openstack]\nnetworks = ["a", "b"]\n[runs]\nenvironment = { LANG = "C" }\n'
        "[controller]\nstop_within = 2.5\n",
    )

    config = load(path, {"NOMAD_ADDR": "http://other:1", "HRSI_OPENSTACK_CALLS": "5"})

    assert (config.deployment, config.nomad.address, config.nomad.calls) == (
        "north", "http://other:1", 3,
    )  # fmt: skip
    assert (config.openstack.networks, config.openstack.calls) == (("a", "b"), 5)
    assert config.runs.environment == (("LANG", "C"),)
    assert config.controller.stop_within == timedelta(seconds=2.5)
    assert config.nomad.namespace == "default"


def test_the_address_of_a_catalogue_may_have_a_path_as_that_of_hrsi_has() -> None:
    config = load(None, {"HRSI_CREATION_PRODUCTS": "hrsi=https://cryo.land.copernicus.eu/resto/"})
    assert config.creation.products == (("hrsi", "https://cryo.land.copernicus.eu/resto"),)


def test_lists_and_tables_can_be_set_in_the_environment() -> None:
    config = load(
        None,
        {"HRSI_OPENSTACK_NETWORKS": "a, b", "HRSI_RUNS_ENVIRONMENT": "LANG=C,TZ=UTC"},
    )

    assert config.openstack.networks == ("a", "b")
    assert config.runs.environment == (("LANG", "C"), ("TZ", "UTC"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param('deploymnt = "x"', "deploymnt: there is no such key; did you mean deployment?",
                     id="unknown-key"),
        pytest.param('[nomad]\nadress = "x"',
                     "nomad.adress: there is no such key; did you mean nomad.address?",
                     id="unknown-key-of-a-group"),
        pytest.param("[rabbits]\nx = 1", "rabbits: there is no such key; ", id="unknown-group"),
        pytest.param("nomad = 3", "nomad: there is no such key", id="a-group-as-a-value"),
        pytest.param('[creation]\nresto = { x = "ftp://a/b" }',
                     "'ftp://a/b' is no address of a service; write https://host/resto",
                     id="catalogue-of-another-protocol"),
        pytest.param('[creation]\nodata = { x = "https://a/b?c=d" }',
                     "'https://a/b?c=d' is no address of a service", id="address-with-a-query"),
        pytest.param('deployment = "North Sea"', "use a-z, 0-9 and hyphens", id="bad-deployment"),
        pytest.param('deployment = "-x"', "use a-z, 0-9 and hyphens", id="hyphen-at-the-edge"),
        pytest.param("deployment = 7", "7 is not a text", id="not-a-text"),
        pytest.param('deployment = ""', "it is empty", id="empty"),
        pytest.param('[nomad]\naddress = "nomad:4646"', "write http://host:4646", id="no-scheme"),
        pytest.param("[nomad]\ncalls = 0", "it may be 1 to 64", id="too-small"),
        pytest.param("[nomad]\ncalls = 1.5", "1.5 is not a whole number", id="not-whole"),
        pytest.param("[nomad]\ncalls = true", "True is not a number", id="truth-as-a-number"),
        pytest.param("[nomad]\ncalls_per_second = nan", "out of bounds", id="not-a-number"),
        pytest.param('[nomad]\nca_cert = "/nowhere/ca.pem"', "there is no file '/nowhere/ca.pem'",
                     id="missing-file"),
        pytest.param('[openstack]\nnetworks = "a"\nimage = 3', "openstack.image: 3 is not a text",
                     id="image-as-a-number"),
        pytest.param("[openstack]\nnetworks = 3", '3 is not a list; write ["a", "b"]',
                     id="not-a-list"),
        pytest.param('[openstack]\nworker_prefix = "Worker"', "no prefix of host names",
                     id="bad-prefix"),
        pytest.param('[runs]\ntoken_key = "short"', "it has 5 characters and needs 32",
                     id="short-key"),
        pytest.param("[runs]\nenvironment = 3", "3 is not a table", id="not-a-table"),
        pytest.param('[controller]\nhealth = "9464"', "is not host:port", id="no-host"),
        pytest.param('[controller]\nhealth = "h:99999"', "is not host:port", id="port-too-high"),
        pytest.param('[database]\nurl = "mysql://root:pa55@h/x"', "not a PostgreSQL url",
                     id="other-database"),
        pytest.param("deployment = ", "it is no TOML", id="no-toml"),
    ],
)  # fmt: skip
def test_what_is_unknown_or_impossible_is_refused_with_place_and_remedy(
    tmp_path: Path, text: str, message: str
) -> None:
    path = file(tmp_path, text)

    with pytest.raises(ConfigurationError) as refused:
        load(path, {})

    assert str(path) in str(refused.value)
    assert message in str(refused.value)
    assert "pa55" not in str(refused.value)


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        pytest.param({"HRSI_DEPLOYMNT": "x"},
                     "HRSI_DEPLOYMNT: there is no such variable; did you mean HRSI_DEPLOYMENT?",
                     id="unknown-variable"),
        pytest.param({"NOMAD_ADDR": "nowhere"}, "NOMAD_ADDR: 'nowhere' is no address",
                     id="bad-address"),
        pytest.param({"HRSI_NOMAD_CALLS": "many"}, "HRSI_NOMAD_CALLS: 'many' is not a number",
                     id="not-a-number"),
        pytest.param({"HRSI_RUNS_ENVIRONMENT": "LANG"}, "is not a list of NAME=VALUE",
                     id="half-a-pair"),
        pytest.param({"HRSI_NOMAD_ADDRESS": "http://x"}, "there is no such variable",
                     id="a-key-that-has-a-name-of-its-own"),
    ],
)  # fmt: skip
def test_a_variable_is_refused_by_its_name(environment: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        load(None, environment)

    assert message in str(refused.value)


def test_all_that_is_wrong_is_said_at_once(tmp_path: Path) -> None:
    path = file(tmp_path, "deployment = 7\n[nomad]\ncalls = 0\nadress = 3")

    with pytest.raises(ConfigurationError) as refused:
        load(path, {"HRSI_X": "1"})

    assert len(str(refused.value).splitlines()) == 4


def test_a_file_that_was_named_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read"):
        load(tmp_path / "other.toml", {})


def test_empty_variables_and_those_of_the_command_line_are_no_settings() -> None:
    environment = {"NOMAD_TOKEN": "", "HRSI_URL": "http://x", "HRSI_CONFIG": "c"}

    assert not load(None, environment).nomad.token


def test_no_secret_is_ever_shown() -> None:
    config = load(
        None,
        {
            "DATABASE_URL": "postgresql://u:hunter2@h/db",
            "NOMAD_TOKEN": "hunter2",
            "HRSI_RUNS_TOKEN_KEY": KEY,
        },
    )

    shown = f"{config} {config!r} {config.nomad.token} {config.database.url}"

    assert "hunter2" not in shown
    assert KEY not in shown
    assert config.runs.token_key.reveal() == KEY


def test_a_controller_is_told_everything_that_it_lacks() -> None:
    with pytest.raises(ConfigurationError) as refused:
        require_for_controller(load(None, {}))

    assert [line.partition(":")[0] for line in str(refused.value).splitlines()] == [
        "deployment", "runs.token_key", "openstack.project",
    ]  # fmt: skip
    assert "HRSI_RUNS_TOKEN_KEY" in str(refused.value)


def test_every_key_has_one_variable_of_its_own() -> None:
    variables = [key.variable for key in keys()]

    assert len(variables) == len(set(variables))
    assert {"DATABASE_URL", "NOMAD_ADDR", "NOMAD_CACERT", "OS_CLOUD"} < set(variables)


WAYS = [
    pytest.param({}, False, id="nothing-is-set"),
    pytest.param({"HRSI_URL": "http://x"}, False, id="an-address-alone"),
    pytest.param({"HRSI_URL": "http://x", "HRSI_TOKEN": "t"}, True, id="a-token"),
    pytest.param(
        {"HRSI_URL": "http://x", "HRSI_TOKEN": "t", "DATABASE_URL": "postgresql://u@h/d"},
        False,
        id="a-database-goes-first",
    ),
]


@pytest.mark.parametrize(("environment", "through"), WAYS)
def test_commands_go_through_the_api_with_a_token_and_without_a_database(
    environment: dict[str, str], through: bool
) -> None:
    assert through_api(load(None, environment)) is through


def test_a_token_needs_an_address_and_is_shown_to_nobody() -> None:
    config = load(None, {"HRSI_TOKEN": "hrsi_secret"})
    with pytest.raises(ConfigurationError, match="HRSI_URL") as refused:
        through_api(config)
    assert "hrsi_secret" not in f"{refused.value} {config}"
