"""The fields of a request's body: taken out with their type checked, or refused in the vendor's words."""

from collections.abc import Mapping
from typing import Any, TypeVar

from bot.catalogue import Model

T = TypeVar("T")


class Refused(Exception):
    """A refusal as it goes over the wire; the "Request id:" tail is added there."""

    def __init__(self, status: int, code: str, message: str, kind: str = "BadRequest") -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.kind = kind


def known_to(known: bool, fields: Mapping[str, Any], key: str, model: Model) -> bool:
    """Some models refuse the mere presence of a key."""
    if not known and key in fields:
        raise invalid(key, f"{key} is not supported by model {model.id}")
    return known


def one_of(fields: Mapping[str, Any], key: str, values: tuple[str, ...], default: str) -> str:
    value = fields.get(key, default)
    if value not in values:
        raise invalid(key, f"must be one of {', '.join(values)}")
    return str(value)


def typed(fields: Mapping[str, Any], key: str, kind: type[T], default: T) -> T:
    value = fields.get(key, default)
    if type(value) is not kind:  # a bool is an int to isinstance, and not to the server
        raise invalid(key, f"expected {kind.__name__}")
    return value


def invalid(key: str, message: str, *, are: bool = False) -> Refused:
    verb = "are" if are else "is"  # the live server's grammar
    return Refused(
        400, "InvalidParameter", f"The parameter `{key}` specified in the request {verb} not valid: {message}."
    )


def missing(key: str) -> Refused:
    message = f"The request failed because it is missing one or multiple required parameters: `{key}`."
    return Refused(400, f"MissingParameter.{key}", message)
