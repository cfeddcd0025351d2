"""One asking as a handler gets it: the invocation with the person behind it and the message that it replies to."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from bot.chat import Attachment, Invocation, Reply
from bot.generation.accepting import Accepted
from bot.generation.record import Generation
from bot.people import Person
from bot.quota.standing import Payer
from bot.spaces import NO_RULES, SpaceRules
from bot.teams import Team, paying

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
    """teams: all that the person is in, by whichever of their accounts. allows_model: whether they may use a model, as
    far as that is known from memory.
    """

    invocation: Invocation
    person: Person
    language: str
    quote: Quote | None = None
    rules: SpaceRules = NO_RULES
    teams: tuple[Team, ...] = ()
    allows_model: Callable[[str], bool] = lambda name: True

    @property
    def defaults(self) -> Mapping[str, str]:
        """What this person chose, else what the admins of the space did."""
        return {**self.rules.defaults, **self.person.settings}

    def team_for(self, name: str = "") -> str:
        """The id of the team for which this is asked, "" for the person alone.

        Of several the one that was named, else that of the person's settings; the only one goes without saying.
        Raises `UsageError` for a team that they are not in, with those that they are in.
        """
        chosen = paying(self.teams, name, self.person.settings.get("team", ""))
        return chosen.id if chosen else ""

    def payer(self, team: str = "") -> Payer:
        """On whose accounts it is held. team: its name as it was asked for, as `team_for` takes it."""
        person = self.person
        return Payer(
            person=person.id,
            persons=person.persons,
            space=person.space,
            team=self.team_for(team),
            roles=person.roles,
        )


Press = Callable[[Asking, Any, int], Awaitable[Answer]]
Presses = Mapping[str, Press]
"""What a button's command does, by name, with the generation and picture that it carries."""

PLAIN_PRESSES = frozenset({"link", "forget", "remember"})
"""Buttons that are about no generation: what stands in its place is given to them as it is."""

PRIVATE_PRESSES = PLAIN_PRESSES | {"cancel", "decline", "delete", "details", "approve", "refuse", "give-back"}
"""Buttons that are answered to whoever presses them alone."""
