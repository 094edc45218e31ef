"""What boto3 raises, as the errors of `models.errors`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType

from boto3.exceptions import Boto3Error
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    ParamValidationError,
    ProxyConnectionError,
    SSLError,
)
from urllib3.exceptions import HTTPError

from models.errors import (
    Conflict,
    HrsiError,
    Malformed,
    NotFound,
    PortError,
    Refused,
    Throttled,
    Unavailable,
    Unknown,
)
from models.objects import BucketNotFound

_NOT_SENT = (ConnectTimeoutError, EndpointConnectionError, ProxyConnectionError, SSLError)
"""With these no request left: nothing can have happened."""

_CODES: Mapping[str, type[PortError]] = MappingProxyType(
    {
        "NoSuchBucket": BucketNotFound,
        "NoSuchKey": NotFound,
        "SlowDown": Throttled,
        "RequestTimeout": Unknown,
        # What arrived is not what was sent: the wire's fault, and nothing was kept.
        "BadDigest": Unavailable,
        "XAmzContentSHA256Mismatch": Unavailable,
        # A part of an upload whose name the service has forgotten: begun anew it may succeed.
        "NoSuchUpload": Unavailable,
    }
)
_STATUSES: Mapping[int, type[PortError]] = MappingProxyType(
    {
        401: Refused,
        403: Refused,
        404: NotFound,
        409: Conflict,
        412: Conflict,
        429: Throttled,
        500: Unknown,
        502: Unknown,
        503: Unavailable,
        504: Unknown,
    }
)


@contextmanager
def translated(attempt: str) -> Iterator[None]:
    """Raise ours for theirs; the message says what was tried on what and what came back."""
    try:
        yield
    except ClientError as error:
        raise _answered(attempt, error) from error
    except _NOT_SENT as error:
        raise Unavailable(f"{attempt}: the S3 service does not answer: {error}") from error
    except ParamValidationError as error:
        raise Malformed(f"{attempt}: boto3 will not send this: {error}") from error
    except (BotoCoreError, Boto3Error, HTTPError) as error:
        raise _broken(attempt, error) from error


def _broken(attempt: str, error: BotoCoreError | Boto3Error | HTTPError) -> HrsiError:
    """No whole answer; what boto3 wraps in an error of its own says more than that."""
    cause = error.__cause__ or error.__context__
    if isinstance(cause, ClientError):
        return _answered(attempt, cause)
    if isinstance(cause, _NOT_SENT):
        return Unavailable(f"{attempt}: the S3 service does not answer: {cause}")
    return Unknown(f"{attempt}: the S3 service gave no whole answer: {error}")


def _answered(attempt: str, error: ClientError) -> PortError:
    code = error.response.get("Error", {}).get("Code", "")
    text = error.response.get("Error", {}).get("Message", "")
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    kind = _CODES.get(code) or _STATUSES.get(status, Malformed)
    return kind(f"{attempt}: the S3 service answered {status} {code}: {text}")
