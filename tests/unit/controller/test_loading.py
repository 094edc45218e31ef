"""Loading what a command needs: whoever ends the command meanwhile ends it between two modules."""

from __future__ import annotations

import importlib
import signal
import sys
from pathlib import Path

import pytest

from controller.loading import load

SLOW = """
import signal
signal.raise_signal(signal.{name})
whole = True
"""


@pytest.mark.parametrize(
    ("name", "ends"),
    [
        pytest.param("SIGINT", KeyboardInterrupt, id="ctrl-c"),
        pytest.param("SIGTERM", SystemExit, id="sigterm"),
        pytest.param("SIGHUP", SystemExit, id="its-terminal-is-closed"),
    ],
)
def test_what_ends_a_command_is_heard_when_a_module_is_loaded_whole(
    name: str, ends: type[BaseException], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = f"slow_to_load_{name.lower()}"
    (tmp_path / f"{module}.py").write_text(SLOW.format(name=name))
    monkeypatch.syspath_prepend(tmp_path)
    importlib.invalidate_caches()
    number = signal.Signals[name]

    def ended(*_: object) -> None:
        raise ends

    before = signal.signal(number, ended)
    try:
        with pytest.raises(ends):
            load(module)
        assert sys.modules[module].whole
        assert load("json").__name__ == "json", "and what is loaded next is not ended again"
    finally:
        signal.signal(number, before)
        sys.modules.pop(module, None)
