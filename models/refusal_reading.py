"""Which product a refused message is about, whoever wrote it and however it is encoded.

Apart from `models.announcement`, whose geometry a program on a worker has no library for.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from models.errors import Malformed
from models.product_names import parse_snow_name

_PATH = re.compile(r"(?:/eodata/HRSI/)?/?(?:CLMS/)?(?:[^/]+/)*(?P<name>[^/]+)/?")


def product_in(body: bytes) -> str:
    """The name of the product that a refused message is about, whatever path it gives, with or
    without mount point and slash at its end, encoded once or twice. Raises `Malformed` saying why
    there is none.
    """
    found = _decoded(body)
    if isinstance(found, str):
        found = _decoded(found.encode())
    for key in ("resto", "properties", "productIdentifier"):
        found = found.get(key) if isinstance(found, dict) else None
    if not isinstance(found, str):
        raise Malformed("it has no resto.properties.productIdentifier")
    match = _PATH.fullmatch(found)
    try:
        return parse_snow_name(match["name"] if match else found).name
    except ValueError as error:
        raise Malformed(f"productIdentifier: {error}") from error


def _decoded(body: bytes) -> Any:
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Malformed(f"it is no JSON: {error}") from error
