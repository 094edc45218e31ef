"""How the tests are shared out to several processes."""

import pytest

from tests.plugins import turns


@pytest.mark.parametrize(
    ("test", "together_with"),
    [
        pytest.param("tests/unit/a.py::test_x[1]", "tests/unit/a.py::test_x[1]", id="nobody"),
        pytest.param("tests/e2e/a.py::test_x", "tests/e2e/a.py::test_x", id="nobody-either"),
        pytest.param("tests/contract/a.py::test_x[1]", "contract/a.py", id="its-file"),
        pytest.param(
            "tests/integration/test_rabbitmq_outages.py::test_x", "rabbit_server", id="a-server"
        ),
    ],
)
def test_what_shares_a_server_is_handed_out_together(test: str, together_with: str) -> None:
    assert turns.scope_of(test) == together_with


def test_every_test_that_uses_a_slow_server_is_handed_out_with_the_others(
    request: pytest.FixtureRequest,
) -> None:
    """Of all tests that are there in this run."""
    using = {
        (fixture, turns.below_tests(item.nodeid))
        for item in request.session.items
        if isinstance(item, pytest.Function)
        for fixture in item.fixturenames
    }
    alone = {(fixture, file) for fixture, file in using if fixture in turns.ONE_SERVER}
    assert alone <= {(server, file) for server, files in turns.ONE_SERVER.items() for file in files}


def test_what_takes_long_begins(request: pytest.FixtureRequest) -> None:
    stages = [turns.stage_of(item.nodeid) for item in request.session.items]
    assert stages == sorted(stages)
