"""Small rules of which the shapes of card components are put together: each names what is wrong, with its path."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Rule = Callable[[Any, str], Iterator[str]]


@dataclass(frozen=True, slots=True)
class Shape:
    """The properties that an object may have; any other is an error in JSON 2.0."""

    properties: Mapping[str, Rule]
    required: frozenset[str] = frozenset()

    def __call__(self, value: Any, path: str) -> Iterator[str]:
        if not isinstance(value, dict):
            yield f"{path}: an object belongs here"
            return
        yield from (f"{path}.{name}: unknown property" for name in value if name not in self.properties)
        yield from (f"{path}.{name}: is missing" for name in sorted(self.required - value.keys()))
        for name, rule in self.properties.items():
            if name in value:
                yield from rule(value[name], f"{path}.{name}")


def shape(*required: str, **properties: Rule) -> Shape:
    return Shape(properties, frozenset(required))


def one_of(*allowed: Any) -> Rule:
    def rule(value: Any, path: str) -> Iterator[str]:
        if not any(value is one or (value == one and type(value) is type(one)) for one in allowed):
            yield f"{path}: {value!r} is none of {', '.join(map(repr, allowed))}"

    return rule


def pattern(expression: str, what: str) -> Rule:
    def rule(value: Any, path: str) -> Iterator[str]:
        if not isinstance(value, str) or not re.fullmatch(expression, value):
            yield f"{path}: {value!r} is not {what}"

    return rule


def string(most: int | None = None, least: int = 0) -> Rule:
    def rule(value: Any, path: str) -> Iterator[str]:
        if not isinstance(value, str):
            yield f"{path}: text belongs here"
        elif most is not None and len(value) > most:
            yield f"{path}: longer than {most} characters"
        elif len(value) < least:
            yield f"{path}: shorter than {least} characters"

    return rule


def integer(least: int, most: int) -> Rule:
    def rule(value: Any, path: str) -> Iterator[str]:
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            yield f"{path}: {value!r} is no number from {least} to {most}"

    return rule


def each(inner: Rule, *, least: int = 0, most: int | None = None) -> Rule:
    def rule(value: Any, path: str) -> Iterator[str]:
        if not isinstance(value, list):
            yield f"{path}: a list belongs here"
            return
        if len(value) < least or (most is not None and len(value) > most):
            yield f"{path}: {len(value)} entries"
        for number, one in enumerate(value):
            yield from inner(one, f"{path}[{number}]")

    return rule


def by(name: str, **shapes: Rule) -> Rule:
    """The rule for an object is chosen by one of its properties, such as its tag."""

    def rule(value: Any, path: str) -> Iterator[str]:
        key = value.get(name) if isinstance(value, dict) else None
        if key in shapes:
            yield from shapes[key](value, path)
        else:
            yield f"{path}.{name}: {key!r} is none of {', '.join(shapes)}"

    return rule


def anything(value: Any, path: str) -> Iterator[str]:
    yield from ()


boolean: Rule = one_of(True, False)


def mapping(inner: Rule) -> Rule:
    """An object whose names are free."""

    def rule(value: Any, path: str) -> Iterator[str]:
        if not isinstance(value, dict):
            yield f"{path}: an object belongs here"
            return
        for name, one in value.items():
            yield from inner(one, f"{path}.{name}")

    return rule
