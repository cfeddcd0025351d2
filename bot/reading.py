"""What an invocation means, and what can be said of it from memory alone. Nothing here waits for anything.

A platform that wants its first answer at once asks here, before the event is even stored; whatever is not refused here
may still be refused later, by what only the database knows.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bot import grammar
from bot.asking import PRIVATE_PRESSES, Press, Presses
from bot.chat import Actor, Invocation
from bot.command import Command, CommandTable, Kind, Option
from bot.errors import BotError, NotAllowed, UsageError
from bot.i18n import language_of, text, verbatim
from bot.people import Preferences, space_of
from bot.spaces import Spaces

_INDEX = re.compile(r"[0-9]{0,3}")
MOST_NAMED = 10


@dataclass(frozen=True, kw_only=True)
class Reading:
    """language: for those of whom nothing is known."""

    table: CommandTable
    presses: Presses
    spaces: Spaces
    preferences: Preferences
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
            command.foresee(request, self.defaults(invocation.actor))

    def check_space(self, invocation: Invocation, *, quoted: bool) -> None:
        """Raises where the rules of the space say no: to this person, or to an answer for all to see in this room.

        quoted: whether it is about another message, be it by a reply or by the id before its words.
        """
        rules = self.spaces.of(space_of(invocation.actor))
        if invocation.actor.user in rules.blocked and not invocation.actor.admin:
            raise NotAllowed(text("An admin here has decided that you may not use me. Please ask them."))
        if not rules.allows(invocation.place.room) and not self.is_private(invocation, quoted=quoted):
            rooms = tuple(verbatim(f"<#{room}>") for room in rules.rooms[:MOST_NAMED])
            raise NotAllowed(text("For all to see I draw only in {rooms}; private answers work anywhere.", rooms=rooms))

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
        command.check_allowed(admin=invocation.actor.admin)
        return command, command.bind(values, invocation.attachments, pictures_coming=1 if quoted else 0)

    def takes_pictures(self, invocation: Invocation) -> bool:
        """Whether the pictures of a message that it replies to can matter to it."""
        if invocation.press:
            return False
        name, _ = self._said(invocation, quoted=True)
        return any(option.kind is Kind.IMAGES for option in self.table.find(name).options)

    def _said(self, invocation: Invocation, *, quoted: bool) -> tuple[str, Mapping[str, object]]:
        """Words in reply to a picture change it; words with pictures do too; words alone draw."""
        if invocation.command:
            return invocation.command, invocation.values
        if parsed := grammar.parse(invocation.line, self.table):
            return parsed.command, parsed.values
        words = invocation.line.strip()
        if not words:
            raise UsageError(text("Say what to draw, or what to change in the picture. /help shows how."))
        return "edit" if invocation.attachments or quoted else "imagine", {"prompt": words}

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

    def suggest(self, actor: Actor, command: Command, option: Option) -> tuple[str, ...]:
        """What this person may choose for an option, with what they usually have first."""
        if command.admins_only and not actor.admin:
            return ()
        offered = option.choices + option.suggestions
        usual = self.defaults(actor).get(option.name, "")
        return (usual, *(each for each in offered if each != usual)) if usual in offered else offered
