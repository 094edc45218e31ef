"""What every test relies on: how hard Hypothesis tries, and where fixtures are found."""

import os
import signal

from hypothesis import HealthCheck, settings

pytest_plugins = [
    "tests.plugins.postgres",
    "tests.plugins.cloud",
    "tests.plugins.nomad",
    "tests.plugins.place",
    "tests.plugins.stores",
    "tests.plugins.catalogues",
    "tests.plugins.web",
    "tests.plugins.buckets",
    "tests.plugins.runs",
    "tests.plugins.engine",
    "tests.plugins.rabbitmq",
    "tests.plugins.brokers",
    "tests.plugins.turns",
    "tests.plugins.terminal",
]

IN_CI = bool(os.environ.get("CI"))

# A slow machine is no failure, hence no deadline. In CI the quick profile draws the same examples
# every time: a red build is then about the change, and chance is left to laptops and `long`.
settings.register_profile(
    "quick",
    deadline=None,
    max_examples=50,
    stateful_step_count=30,
    derandomize=IN_CI,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile(
    "long",
    deadline=None,
    max_examples=5_000,
    stateful_step_count=200,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE") or "quick")


# A shell lets what it starts in the background ignore Ctrl-C, and `nohup` the end of a terminal;
# children inherit that: programs that tests interrupt would never hear of it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
