"""One asking as a handler gets it: the invocation with the person behind it and the message that it replies to."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from bot.chat import Attachment, Invocation, Reply
from bot.generation.accepting import Accepted
from bot.generation.record import Generation
from bot.people import Person
from bot.spaces import NO_RULES, SpaceRules

Answer = Reply | Accepted | None
"""What a handler returns: a reply to show, a generation that shows itself, or None where it was dealt with before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """The quoted message: a generation of ours (and which of its pictures), or somebody's attachments."""

    generation: Generation | None = None
    index: int | None = None
    attachments: tuple[Attachment, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    invocation: Invocation
    person: Person
    language: str
    quote: Quote | None = None
    rules: SpaceRules = NO_RULES

    @property
    def defaults(self) -> Mapping[str, str]:
        """What this person chose, else what the admins of the space did."""
        return {**self.rules.defaults, **self.person.settings}


Press = Callable[[Asking, Generation, int], Awaitable[Answer]]
Presses = Mapping[str, Press]
"""What a button's command does, by name, with the generation and picture that it carries."""

PRIVATE_PRESSES = frozenset({"cancel", "decline", "delete", "details"})
"""Buttons that are answered to whoever presses them alone."""
