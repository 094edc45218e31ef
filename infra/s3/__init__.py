"""Buckets over S3: `models.objects.ObjectStore` with boto3.

`access` says where and as whom, `errors` translates what comes back, `buckets` does the work. boto3
is loaded when buckets are first asked for: a run is claimed without it, a quarter of a second
earlier.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from infra.s3.access import S3Access

if TYPE_CHECKING:
    from infra.s3.buckets import Buckets, connect

__all__ = ["Buckets", "S3Access", "connect"]


def __getattr__(name: str) -> object:
    """What needs boto3. Raises `AttributeError` like any module."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module("infra.s3.buckets"), name)
