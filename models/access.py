"""Who may use the HTTP API and for what: roles, tokens of people, and how a token is kept.

A token is 32 random bytes, so one round of SHA-256 hides it: there is nothing to guess that a
slow hash would protect. The store keeps the hash alone; the text is shown once, when it is made.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol

from models.ports import Asked, Verdict

PREFIX = "hrsi_"
"""What every token of a person begins with: whoever finds one in a log knows what it opens."""

SECRET_BYTES = 32

_NAME = re.compile(r"[a-z0-9][a-z0-9._@-]{0,62}")


class Role(StrEnum):
    """What a token is good for; each role may do what those before it may."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    ADMIN = "admin"

    @property
    def rank(self) -> int:
        """0 for the least."""
        return list(Role).index(self)

    def covers(self, needed: Role) -> bool:
        """Whether this role may do what needs that one."""
        return self.rank >= needed.rank


@dataclass(frozen=True, kw_only=True, slots=True)
class Token:
    """A token of a person or a script, without its secret. `expires_at` None: until revoked."""

    name: str
    role: Role
    created_at: datetime
    created_by: str
    expires_at: datetime | None = None
    revoked_at: datetime | None = None

    def is_good(self, now: datetime) -> bool:
        """It opens doors at this moment."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)


@dataclass(frozen=True, kw_only=True, slots=True)
class NewToken:
    """A token to be: its name, unique among those that are good, its role, hash and how long."""

    name: str
    role: Role
    digest: bytes
    lasts: timedelta | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class MadeToken:
    """What became of the wish, and the token, if it was made. It is shown this once."""

    verdict: Verdict
    token: str | None = field(default=None, repr=False)


class Mint(Protocol):
    """Tokens as people handle them: made with their text, listed and ended without it."""

    def make(
        self, name: str, role: Role, asked: Asked, lasts: timedelta | None = None
    ) -> MadeToken:
        """Make a token; `Tokens.create` says when it is refused."""

    def revoke(self, names: tuple[str, ...], asked: Asked) -> tuple[Verdict, ...]:
        """See `Tokens.revoke`."""

    def all(self) -> tuple[Token, ...]:
        """See `Tokens.all`."""


class Tokens(Protocol):
    """The tokens that people use. Writes stand in the audit trail, in the same transaction."""

    def create(self, new: NewToken, asked: Asked) -> Verdict:
        """Add a token, about `token:<name>`; refused while a good one has that name, and for a
        name that is none (`why_no_name`).
        """

    def revoke(self, names: tuple[str, ...], asked: Asked) -> tuple[Verdict, ...]:
        """End tokens at once. Refused: no good token of that name. One verdict per name."""

    def all(self) -> tuple[Token, ...]:
        """Every token there ever was, newest first, at most 1,000."""

    def of(self, digest: bytes) -> Token | None:
        """The good token with this hash; None: there is none, it expired or was revoked."""


def digest_of(text: str) -> bytes:
    """What the store keeps of a token."""
    return hashlib.sha256(text.encode()).digest()


def why_no_name(name: str) -> str | None:
    """Why a token cannot have this name; None: it can."""
    if _NAME.fullmatch(name):
        return None
    return "its name is 1 to 63 characters of a-z, 0-9 and . _ @ -, and begins with one of a-z, 0-9"
