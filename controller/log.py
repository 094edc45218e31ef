"""How the program speaks: JSON lines, or colours for a person at a terminal.

Only the command line calls `configure`. Every record has a constant sentence, `action`, and
fields; whatever looks like a secret is struck out, wherever in a record it stands.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TextIO

import structlog
from structlog.types import EventDict, Processor, WrappedLogger

STRUCK_OUT = "***"

_NAMES = re.compile(
    r"pass(word|wd|phrase|code)|secret|token|credential|api_?key|private_?key", re.IGNORECASE
)
_IN_URLS = re.compile(r"(?<=://)([^/\s:@]*):[^/\s@]+(?=@)")
_IN_TEXT = re.compile(
    r"(?i)\b(password|secret|x-nomad-token|x-auth-token|authorization|token)"
    r"""(['"]?\s*[=:]\s*['"]?(?:bearer\s+)?)[^\s'",;&}]+"""
)


def configure(*, verbose: bool = False, stream: TextIO | None = None) -> None:
    """Set the program's voice: to `stream` (standard error), all from INFO, or DEBUG, on.

    What libraries log goes the same way from WARNING on.
    """
    stream = stream or sys.stderr
    shared = _shared()
    for_people = stream.isatty()
    last: Processor = (
        structlog.dev.ConsoleRenderer() if for_people else structlog.processors.JSONRenderer()
    )
    stack: list[Processor] = [] if for_people else [structlog.processors.dict_tracebacks]
    structlog.configure(
        processors=[*shared, *stack, redact, last],
        wrapper_class=structlog.make_filtering_bound_logger(
            logging.DEBUG if verbose else logging.INFO
        ),
        logger_factory=structlog.PrintLoggerFactory(stream),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(stream)
    handler.setLevel(logging.WARNING)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *stack,
                redact,
                last,
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.WARNING)


@contextmanager
def silence() -> Iterator[None]:
    """Say nothing for the length of a block: a simulation makes millions of passes."""
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    try:
        yield
    finally:
        structlog.configure(**before)


def _shared() -> list[Processor]:
    return [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]


def redact(_logger: WrappedLogger, _method: str, record: EventDict) -> EventDict:
    """A structlog processor: strike secrets out by the name of their field or by their shape."""
    return {name: struck_out(name, value) for name, value in record.items()}


def struck_out(name: str, value: Any) -> Any:
    """A value, whatever it is made of, with its secrets struck out; `name` is that of its field."""
    if _NAMES.search(name) and value is not None:
        return STRUCK_OUT
    if isinstance(value, str):
        return _IN_TEXT.sub(rf"\1\2{STRUCK_OUT}", _IN_URLS.sub(rf"\1:{STRUCK_OUT}", value))
    if isinstance(value, Mapping):
        return {inner: struck_out(str(inner), given) for inner, given in value.items()}
    if isinstance(value, list | tuple):
        return [struck_out("", item) for item in value]
    return value
