"""From what OpenStack, keystoneauth and the network say to `models.errors`.

    no answer to a read                Unavailable
    no answer to a write               Unknown, unless it certainly never left: Unavailable
    400, 406                           Malformed
    401                                Refused, naming whom and where
    403 about a quota                  QuotaExceeded      403 otherwise   Refused
    404                                NotFound           409             Conflict
    413 or 429                         Throttled, with the Retry-After
    503                                Unavailable: the service says that it did nothing
    other 5xx                          Unavailable for a read, Unknown for a write

A 404 counts as one only if the service itself worded it: a proxy knows nothing of servers.
Texts of others are cut and cleared of secrets: Nova repeats user data whole, twice.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import msgspec
import requests
from keystoneauth1 import exceptions as keystone

from infra.openstack.transport import Call
from infra.retry import rest_asked_for
from models.errors import (
    Conflict,
    FailureClass,
    Malformed,
    NotFound,
    PortError,
    QuotaExceeded,
    Refused,
    Throttled,
    Unavailable,
    Unknown,
)

TEXT_KEPT = 300
"""Characters kept of any text of others."""

_BY_STATUS: Mapping[int, type[PortError]] = {
    403: Refused,
    404: NotFound,
    409: Conflict,
    413: Throttled,
    429: Throttled,
    503: Unavailable,
}

_REPEATED_VALUE = re.compile(r"(Value: ).*", re.DOTALL)
_TOKEN = re.compile(r"gAAAA[\w\-]{20,}={0,2}")
_CONNECTION_TO = re.compile(r"establish connection to (https?://[^/\s]+)")
_QUOTA = re.compile(r"quota[^.]*exceeded|exceed\w*[^.]*quota|too many instances", re.IGNORECASE)
_NETWORK = re.compile(r"\bnetworks?\b|\bsecurity_group\b|\bport\b|\bfixed ip\b", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True, slots=True)
class Translator:
    """Translates for one set of credentials. `who` names them for people, without secrets."""

    who: str
    secrets: tuple[str, ...] = ()

    def clean(self, text: str, more: Iterable[str | None] = ()) -> str:
        """A text of others, cleared of secrets and cut."""
        for secret in (*self.secrets, *more):
            if secret:
                text = text.replace(secret, "[…]")
        text = _TOKEN.sub("[token]", _REPEATED_VALUE.sub(r"\1[…]", text))
        text = " ".join(text.split())
        return text if len(text) <= TEXT_KEPT else text[: TEXT_KEPT - 1] + "…"

    def no_answer(self, attempt: str, error: Exception, call: Call) -> PortError:
        """For what keystoneauth raised instead of answering."""
        text = f"{attempt}: {self._refused(str(error)) or self.clean(str(error))}"
        if isinstance(error, keystone.HttpError):
            return self._not_let_in(attempt, error)
        if call.left:
            return Unknown(f"{text}; it may have been done: look before asking again")
        if isinstance(error, keystone.CatalogException):
            return Malformed(
                f"{text}; {self.who} has no such endpoint: check OS_REGION_NAME and OS_INTERFACE"
            )
        if isinstance(error, (keystone.AuthPluginException, keystone.MissingAuthMethods)):
            return Refused(f"{text}; check the OS_* settings of {self.who}")
        return Unavailable(text)

    def _refused(self, said: str) -> str | None:
        """The sentence for a service that nobody listens for; libraries wrap it several times."""
        found = _CONNECTION_TO.search(said) if "Connection refused" in said else None
        if found is None:
            return None
        service = "Keystone" if found[1] in self.who else "OpenStack"
        return f"{service} at {found[1]} refuses connections; check OS_AUTH_URL and the network"

    def _not_let_in(self, attempt: str, error: keystone.HttpError) -> PortError:
        """Keystone answered, and not with a token; never `NotFound`: it knows no servers."""
        status, text = error.http_status, self.clean(str(error))
        if status in {401, 403}:
            return self._bad_credentials(attempt, text)
        if status == 429:
            return Throttled(f"{attempt}: {text}", retry_after=_retry_after(error.response))
        if status < 500:
            return Malformed(f"{attempt}: {text}; is OS_AUTH_URL the address of Keystone v3?")
        return Unavailable(f"{attempt}: {text}")

    def _bad_credentials(self, attempt: str, text: str) -> Refused:
        return Refused(
            f"{attempt}: {self.who} is not let in ({text}); check OS_USERNAME and OS_PASSWORD (or "
            "the application credential), OS_PROJECT_NAME and the domains"
        )

    def refusal(
        self,
        attempt: str,
        response: requests.Response,
        *,
        is_write: bool,
        private: Iterable[str | None] = (),
    ) -> PortError:
        """For an answer whose status is no success. `private`: what its text must not repeat."""
        status, said = response.status_code, worded(response)
        words = self.clean(said or response.reason or "no text", private)
        request_id = response.headers.get("X-Openstack-Request-Id", "")
        text = f"{attempt}: {status} {words}" + (f" ({request_id})" if request_id else "")
        if status == 401:
            return self._bad_credentials(attempt, words)
        if status == 404 and said is None:
            return Unavailable(f"{text}; the 404 is not of the service: a proxy, a wrong URL?")
        kind = _kind(status, about_quota=_QUOTA.search(words) is not None, is_write=is_write)
        return kind(
            text,
            failure=_network(words) if kind in {Conflict, Malformed} else None,
            retry_after=_retry_after(response) if kind is Throttled else None,
        )


def _kind(status: int, *, about_quota: bool, is_write: bool) -> type[PortError]:
    if status == 403 and about_quota:
        return QuotaExceeded
    if status >= 500 and status not in _BY_STATUS:
        return Unknown if is_write else Unavailable
    return _BY_STATUS.get(status, Malformed)


def worded(response: requests.Response) -> str | None:
    """The message of an OpenStack service; None for any other body, such as a proxy's page.

    Nova wraps it as {"itemNotFound": {"code": 404, "message": …}}, others name it differently.
    """
    try:
        body = msgspec.json.decode(response.content)
    except msgspec.DecodeError:
        return None
    inner = next(iter(body.values()), None) if isinstance(body, dict) and body else None
    message = inner.get("message") if isinstance(inner, dict) else inner
    return message if isinstance(message, str) else None


def _network(words: str) -> FailureClass | None:
    return FailureClass.NETWORK if _NETWORK.search(words) else None


def _retry_after(response: requests.Response | None) -> timedelta | None:
    if response is None:
        return None
    return rest_asked_for(response.headers.get("Retry-After"), datetime.now(UTC))
