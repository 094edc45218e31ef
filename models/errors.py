"""What an outside system or the store may answer, by what to do next.

HrsiError
├─ PortError               an outside system or the store did not do what was asked
│  ├─ Temporary            try again later; nothing was changed
│  │  ├─ Unavailable       no service behind the address, or it said that it cannot now
│  │  ├─ Throttled         asked too often; `retry_after` says when to come back
│  │  └─ Conflict          somebody else is changing the same thing
│  ├─ Unknown              no answer: it may or may not have happened; look before trying again
│  └─ Permanent            the same request will never succeed
│     ├─ NotFound          there is no such thing
│     ├─ Refused           not allowed: credentials, policy, quota
│     │  └─ QuotaExceeded  the project has used up what it may use
│     └─ Malformed         the request or the answer makes no sense
├─ IllegalTransition       the status table forbids this change
├─ Superseded              the lease, run or claim that speaks is no longer the current one
└─ ConfigurationError      the program cannot start as it is set up

Adapters translate every foreign error into one of these and keep the foreign one as cause.
"""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum


class System(StrEnum):
    """An outside system, as metrics, deadlines and bounded pools name it."""

    STORE = "postgres"
    NOMAD = "nomad"
    CLOUD = "openstack"
    CATALOGUE = "catalogue"
    OBJECTS = "s3"
    BROKER = "rabbitmq"


class FailureClass(StrEnum):
    """Why an outside system failed us; the label of back-offs, metrics and ledger rows."""

    QUOTA = "quota"
    NO_VALID_HOST = "no_valid_host"
    SERVER_FAULT = "server_fault"
    NETWORK = "network"
    AUTHORISATION = "authorisation"
    RATE_LIMIT = "rate_limit"
    CONFLICT = "conflict"
    BAD_REQUEST = "bad_request"
    NOT_FOUND = "not_found"
    UNAVAILABLE = "unavailable"
    UNKNOWN_OUTCOME = "unknown_outcome"


class HrsiError(Exception):
    """The root of every error that this program raises on purpose."""


class PortError(HrsiError):
    """An outside system did not do what was asked. The message: what, on what, what came back."""

    failure = FailureClass.UNAVAILABLE

    def __init__(
        self,
        message: str,
        *,
        failure: FailureClass | None = None,
        retry_after: timedelta | None = None,
    ) -> None:
        super().__init__(message)
        self.failure = failure or type(self).failure
        self.retry_after = retry_after


class Temporary(PortError):
    """Nothing was changed; the same request may succeed later."""


class Unavailable(Temporary):
    """Nobody answers at the address, or the service says that it cannot serve now."""


class Throttled(Temporary):
    """Asked too often; `retry_after` tells when the system wants to hear from us again."""

    failure = FailureClass.RATE_LIMIT


class Conflict(Temporary):
    """Somebody else is changing the same thing, or its state forbids the request for now."""

    failure = FailureClass.CONFLICT


class Unknown(PortError):
    """The request left but no answer came: look at the system before asking again."""

    failure = FailureClass.UNKNOWN_OUTCOME


class Permanent(PortError):
    """The same request will never succeed; a person or a setting has to change."""

    failure = FailureClass.BAD_REQUEST


class NotFound(Permanent):
    """The system knows no such thing."""

    failure = FailureClass.NOT_FOUND


class Refused(Permanent):
    """Credentials or policy forbid it."""

    failure = FailureClass.AUTHORISATION


class QuotaExceeded(Refused):
    """The project has used up what the cloud lets it use."""

    failure = FailureClass.QUOTA


class Malformed(Permanent):
    """The request, or the answer to it, makes no sense."""


class IllegalTransition(HrsiError):
    """The status table forbids this change; nothing was written."""


class Superseded(HrsiError):
    """The lease, run or claim in whose name this was asked is no longer the current one."""


class ConfigurationError(HrsiError):
    """The program cannot start as it is set up. The message names the key and the remedy."""
