"""Loading a module whole, whatever the person at the terminal does meanwhile."""

from __future__ import annotations

import signal
from importlib import import_module
from types import ModuleType

_ENDING = frozenset({signal.SIGINT, signal.SIGTERM, signal.SIGHUP})


def load(name: str) -> ModuleType:
    """The module of this name. What ends this process is heard once it is loaded.

    A library in C that is broken off while it loads takes that for its own failure: it prints a
    traceback, and of the Ctrl-C only an ImportError is left.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)
    try:
        return import_module(name)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
