"""A folder of files in the place of a broker: messages wait there for one to be set."""

from infra.spool.folder import Spool, SpooledFile

__all__ = ["Spool", "SpooledFile"]
