"""What an invocation means, and what can be said of it from memory alone. Nothing here waits for anything.

A platform that wants its first answer at once asks here, before the event is even stored; whatever is not refused here
may still be refused later, by what only the database knows.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from bot import grammar
from bot.asking import PRIVATE_PRESSES, Press, Presses
from bot.chat import Actor, Invocation
from bot.command import TEAM, TIER, Command, CommandTable, Kind, Option
from bot.errors import BotError, NotAllowed, UsageError
from bot.i18n import language_of, text, verbatim
from bot.people import Preferences, space_of
from bot.quota import tiers
from bot.quota.tiers import Asked
from bot.spaces import Spaces
from bot.suggest import same
from bot.teams import NOBODY, Memberships, paying

_INDEX = re.compile(r"[0-9]{0,3}")
MOST_NAMED = 10
# What people say first to a bot that they do not know; nobody wants a picture of it, which costs money.
GREETINGS = frozenset({"help", "hello", "hi", "hey", "帮助", "你好", "您好", "嗨", "?"})


@dataclass(frozen=True, kw_only=True)
class Reading:
    """language: for those of whom nothing is known."""

    table: CommandTable
    presses: Presses
    spaces: Spaces
    preferences: Preferences
    memberships: Memberships
    language: str

    def check(self, invocation: Invocation) -> None:
        """Raises what is certain to be refused."""
        quoted = invocation.quoted is not None
        self.check_space(invocation, quoted=quoted)
        if invocation.press:
            self.pressed(invocation.press)
            return
        command, request = self.bound(invocation, quoted=quoted)
        if command.foresee and not quoted:  # a quoted message may have pictures, or none
            allows = self.allows_model(invocation.actor, invocation.place.room)
            command.foresee(request, self.defaults(invocation.actor), allows)
            self._check_held(invocation.actor, invocation.place.room, request)

    def check_space(self, invocation: Invocation, *, quoted: bool) -> None:
        """Raises where the rules of the space say no: to this person, or to an answer for all to see in this room.

        quoted: whether it is about another message, be it by a reply or by the id before its words.
        """
        rules = self.spaces.of(space_of(invocation.actor))
        if self.is_blocked(invocation.actor, space_of(invocation.actor)):
            raise NotAllowed(text("An admin here has decided that you may not use me. Please ask them."))
        if not rules.allows(invocation.place.room) and not self.is_private(invocation, quoted=quoted):
            rooms = tuple(verbatim(f"<#{room}>") for room in rules.rooms[:MOST_NAMED])
            raise NotAllowed(text("For all to see I draw only in {rooms}; private answers work anywhere.", rooms=rooms))

    def is_blocked(self, actor: Actor, space: str) -> bool:
        """Whether somebody is blocked in a space, by whichever of their accounts; no admin is where they are one."""
        blocked = self.spaces.of(space).blocked
        if not blocked or (actor.admin and space == space_of(actor)):
            return False
        adapter = space.partition("/")[0]
        return any(user in blocked for platform, user in self.memberships.accounts_of(actor) if platform == adapter)

    def is_private(self, invocation: Invocation, *, quoted: bool) -> bool:
        """Whether the answer will be for the asker alone, as far as that is known without the database."""
        if invocation.place.private:
            return True
        if invocation.press:
            return invocation.press.partition(":")[0] in PRIVATE_PRESSES
        try:
            command, request = self.bound(invocation, quoted=quoted)
        except BotError:
            return True
        if command.private or command.option("private") is None:
            return command.private
        if request.private is not None:
            return bool(request.private)
        return self.defaults(invocation.actor).get("private") == "yes"

    def bound(self, invocation: Invocation, *, quoted: bool) -> tuple[Command, Any]:
        """The command, and the request of its values; `UsageError` where they do not fit, `NotAllowed` for others."""
        name, values = self._said(invocation, quoted=quoted)
        command = self.table.find(name)
        if not command.judges:
            command.check_allowed(admin=invocation.actor.admin)
        return command, command.bind(values, invocation.attachments, pictures_coming=1 if quoted else 0)

    def takes_pictures(self, invocation: Invocation) -> bool:
        """Whether the pictures of a message that it replies to can matter to it."""
        if invocation.press:
            return False
        name, _ = self._said(invocation, quoted=True)
        return any(option.kind is Kind.IMAGES for option in self.table.find(name).options)

    def _said(self, invocation: Invocation, *, quoted: bool) -> tuple[str, Mapping[str, object]]:
        """Words in reply to a picture change it; words with pictures do too; words alone draw, but for a greeting."""
        if invocation.command:
            return invocation.command, invocation.values
        if parsed := grammar.parse(invocation.line, self.table):
            return parsed.command, parsed.values
        words = invocation.line.strip()
        if not words:
            raise UsageError(text("Say what to draw, or what to change in the picture. /help shows how."))
        alone = not (invocation.attachments or quoted)
        if alone and same(words).rstrip("!.。") in GREETINGS:
            return "help", {}
        name = "imagine" if alone else "edit"
        return name, grammar.plain_words(words, self.table.find(name))

    def pressed(self, press: str) -> tuple[Press, str, int]:
        """What a button does, with the generation and the picture that it carries."""
        name, _, rest = press.partition(":")
        generation, _, index = rest.partition(":")
        found = self.presses.get(name)
        if found is None or not generation or not _INDEX.fullmatch(index):
            raise UsageError(
                text(
                    "This button is from another version of the bot. /show {id} shows the picture anew.",
                    id=generation[:20] or "ID",
                )
            )
        return found, generation, int(index or 0)

    def defaults(self, actor: Actor) -> Mapping[str, str]:
        """What this person chose, else what the admins of the space did."""
        return {**self.spaces.of(space_of(actor)).defaults, **self.preferences.of(actor)}

    def language_of(self, actor: Actor) -> str:
        """The person's own, else the space's, else that of their platform's menus."""
        return self.defaults(actor).get("language") or language_of(actor.language, self.language)

    def suggest(
        self, actor: Actor, command: Command, option: Option, room: str = "", chosen: Mapping[str, str] | None = None
    ) -> tuple[str, ...]:
        """What this person may choose for an option, with what they usually have first. chosen: other options."""
        if command.admins_only and not actor.admin:
            return ()
        following = command.following(option, chosen or {})
        if following is not None:
            return self._named(actor, following, every=command.admins_only)
        if option.name == "team":
            return self._teams(actor, option)
        offered = option.choices + option.suggestions
        if command.foresee or command.name == "settings":
            offered = tuple(each for each in offered if self._allows(actor, room, option.name, each))
        usual = self.defaults(actor).get(option.name, "")
        return (usual, *(each for each in offered if each != usual)) if usual in offered else offered

    def _named(self, actor: Actor, offered: Iterable[str], *, every: bool) -> tuple[str, ...]:
        """The same with the names of teams and tiers in their places. every: of the whole space, not the person's."""
        space = space_of(actor)
        teams = self.memberships.teams_in(space) if every else self.memberships.teams_of(actor)
        tiers_here = self.memberships.every_tier(space)
        found: list[str] = []
        for each in offered:
            if TEAM in each:
                found += [each.replace(TEAM, team.name) for team in teams]
            elif TIER in each:
                found += [each.replace(TIER, tier.name) for tier in tiers_here]
            else:
                found.append(each)
        return tuple(dict.fromkeys(found))

    def _teams(self, actor: Actor, option: Option) -> tuple[str, ...]:
        """The person's own, the usual first; nothing where there is nothing to choose."""
        teams = self.memberships.teams_of(actor)
        if not teams:
            return ()
        usual = self.preferences.of(actor).get("team", "")
        names = [each.name for each in sorted(teams, key=lambda each: each.id != usual)]
        return tuple(dict.fromkeys((*names, NOBODY, *option.suggestions)))

    def allows_model(self, actor: Actor, room: str) -> Callable[[str], bool]:
        """Whether somebody there may use a model, by its name."""
        return partial(self._allows, actor, room, "model")

    def _allows(self, actor: Actor, room: str, name: str, value: str) -> bool:
        """Whether the person's tiers, and the rules of the space, let them choose it."""
        models = self.spaces.of(space_of(actor)).models
        held = self.memberships.tiers_of(actor, room, self._team(actor))
        match name:
            case "model":
                listed = not models or value in models or value == "default"
                return listed and (value == "default" or tiers.allows(held, Asked(model=value)))
            case "size":
                return tiers.allows(held, Asked(size=value))
            case "count" if value.isdecimal():
                return tiers.allows(held, Asked(pictures=int(value)))
        return True

    def _check_held(self, actor: Actor, room: str, request: Any) -> None:
        """Raises what the person's tiers and teams do not allow of what was said; what was not is checked later."""
        if not self.memberships.is_fresh(actor, room):
            return  # a role that they have got may give more
        asked = Asked(
            model=getattr(request, "model", ""),
            size=getattr(request, "size", ""),
            references=len(getattr(request, "images", ())),
            pictures=getattr(request, "count", 1),
        )
        team = self._team(actor, getattr(request, "team", ""))
        held = self.memberships.tiers_of(actor, room, team)
        tiers.check(held, asked, self.memberships.every_tier(space_of(actor)))

    def _team(self, actor: Actor, name: str = "") -> str:
        """For which team they ask, by its id; raises `UsageError` for a name of none of theirs."""
        usual = self.preferences.of(actor).get("team", "")
        team = paying(self.memberships.teams_of(actor), name, usual)
        return team.id if team else ""
