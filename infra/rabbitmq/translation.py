"""What pika and RabbitMQ say, as the errors of this program: what, where, and how to mend it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pika import exceptions

from models.errors import Malformed, NotFound, PortError, Refused, Unavailable

_ACCESS_REFUSED, _NOT_FOUND, _PRECONDITION, _NOT_ALLOWED = 403, 404, 406, 530


def translated(error: BaseException | None, attempt: str) -> PortError:
    """What a connection or channel that ended makes of what was attempted."""
    for cause in _causes(error):
        found = _known(cause, attempt)
        if found is not None:
            return found
    return Unavailable(f"{attempt}: {words(error)}")


def together(errors: Sequence[PortError]) -> PortError:
    """Why none of several ways leads there: of each, what it said. A refusal among them is not over
    by itself.
    """
    kind = next((type(each) for each in errors if isinstance(each, Refused)), type(errors[-1]))
    return kind("; ".join(str(each) for each in errors))


def _known(cause: BaseException, attempt: str) -> PortError | None:
    if isinstance(cause, exceptions.ProbableAuthenticationError | exceptions.AuthenticationError):
        return _refused(attempt, "user and password were not accepted")
    if isinstance(cause, exceptions.ProbableAccessDeniedError):
        return _refused(attempt, "the user may not use this vhost, or there is no such vhost")
    if isinstance(cause, exceptions.ConnectionClosedByBroker | exceptions.ChannelClosedByBroker):
        return _closed(cause.reply_code, str(cause.reply_text), attempt)
    return None


def _closed(code: int, text: str, attempt: str) -> PortError:
    said = f"it said {code} {text}"
    if code in {_ACCESS_REFUSED, _NOT_ALLOWED}:
        return _refused(attempt, said)
    if code == _NOT_FOUND:
        return NotFound(
            f"{attempt}: {said}; make what is missing, correct its name in the settings, or set "
            "rabbitmq.declare so that it is made"
        )
    if code == _PRECONDITION:
        return Malformed(
            f"{attempt}: {said}; it is there with other properties: set rabbitmq.declare to false, "
            "or correct its name in the settings"
        )
    return Unavailable(f"{attempt}: {said}")


def _refused(attempt: str, why: str) -> Refused:
    return Refused(
        f"{attempt}: access refused, {why}; check user, password and vhost in AMQP_URL and the "
        "user's permissions; products wait and nothing else is held up"
    )


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """An error and everything that it was made of: pika keeps causes among its arguments."""
    if error is None:
        return
    yield error
    inside = (getattr(error, "exception", None), *getattr(error, "exceptions", ()))
    for each in (*error.args, *inside):
        if isinstance(each, BaseException):
            yield from _causes(each)


def words(error: BaseException | None) -> str:
    """The innermost thing that went wrong, in its own words."""
    if error is None:
        return "it was closed"
    innermost = [*_causes(error)][-1]
    return str(innermost) or type(innermost).__name__
