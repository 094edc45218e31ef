"""Where people's own programs find things: addresses that links are made of."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Places:
    """Addresses of Nomad's pages and of a folder's page in the cloud's dashboard ({bucket} and
    {folder} in their places), the results bucket, and what people call the store in rclone.
    """

    nomad_ui: str | None = None
    bucket_ui: str | None = None
    bucket: str | None = None
    rclone_remote: str = "hrsi"


NOWHERE = Places()
"""Nothing is set: there is nothing to link."""
