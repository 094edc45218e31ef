"""One look at the world by whoever is no controller: plans, recordings, previews."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from controller.bootstrap.whole import Ports, connect, observer
from controller.config import Config
from controller.loop import Reconciler
from controller.planning import Look, look
from controller.preview import preview, told
from controller.reconcilers import RECONCILERS
from models.parameters import newest_by_key, standing
from models.previews import Previewed
from models.settings import DEFAULT_SETTINGS


def look_now(
    config: Config,
    reconcilers: Sequence[Reconciler],
    changes: Mapping[str, float | None],
    environment: Mapping[str, str] | None = None,
) -> Look:
    """One look at the current world by what these reconcilers see, wide enough to be decided about
    also under the `changes` of parameters. Raises as `connect` and `controller.planning.look`.
    """
    ports = connect(config, environment)
    try:
        eyes = observer(config, ports)
        ports.cloud.prove()  # another project stops here; a silent cloud shows in the plan
        _widen(ports, changes)
        return look(eyes, tuple(reconcilers), ports.clock)
    finally:
        ports.close()


def previewed(
    config: Config,
    changes: Mapping[str, float | None],
    environment: Mapping[str, str] | None = None,
) -> Previewed:
    """What other parameters would change in the plan of this moment. Raises as `look_now`, and
    `ConfigurationError` for parameters that cannot be.
    """
    seen = look_now(config, RECONCILERS, changes, environment)
    return told(preview(seen, changes, RECONCILERS))


def _widen(ports: Ports, changes: Mapping[str, float | None]) -> None:
    """See as many ready jobs as the larger of the fleets asks for, now and with the changes."""
    now = ports.clock.now()
    history = newest_by_key(ports.people.reader.parameters())
    stand = {key: standing(changed, now) for key, changed in history.items()}
    in_force = {key: change.new for key, change in stand.items() if change is not None}
    values = {key: value for key, value in in_force.items() if value is not None}
    for key in ("pool.max_workers", "execution.lead"):
        candidates = (values.get(key), changes.get(key), _default(key) if key in changes else None)
        known = [value for value in candidates if value is not None]
        if known:
            values[key] = max(known)
    ports.parameters.update(values)


def _default(key: str) -> float:
    group, _, name = key.partition(".")
    default: float = getattr(getattr(DEFAULT_SETTINGS, group), name)
    return default
