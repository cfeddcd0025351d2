"""What belongs to a person: accounts that are linked, what is kept of them, and its end: /link, /mydata, /forget."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

from bot import linking, returning
from bot.asking import Answer, Asking, Presses
from bot.audit import By
from bot.chat import Button, Reply, Tone
from bot.clock import micros, moment
from bot.command import Command, Kind, option
from bot.commands.looking import Nothing
from bot.commands.once import once
from bot.errors import NotAllowed, UsageError
from bot.generation import notices
from bot.i18n import Link, Text, plural, text, verbatim
from bot.linking import Typed
from bot.people import Person
from bot.storage.connection import Connection
from bot.storage.database import Database
from bot.suggest import same
from bot.teams import Memberships

LINKED = "linked"
CONFIRM_WITHIN = timedelta(minutes=10)
ME = frozenset({"me", "我"})

HandOver = Callable[[Asking], Awaitable[str]]
"""Makes an address where somebody gets their own data, once; "" where none leads here."""


class Privacy(Protocol):
    async def mine(self, person: Person) -> dict[str, Any]: ...

    async def forget(self, person: Person, asked: str, words: Text) -> Reply | None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    code: str = option(
        Kind.CHOICE, text("The code that the other account was given; without one you get one"), default=""
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Whom:
    who: str = option(Kind.CHOICE, text("“me”: you, and nobody else"), default="", suggestions=("me",))


@dataclass(frozen=True, kw_only=True)
class Own:
    database: Database
    memberships: Memberships
    clock: Callable[[], datetime]
    privacy: Privacy | None = None
    hand_over: HandOver | None = None

    async def link(self, request: Code, asking: Asking) -> Answer:
        person, at = asking.person, micros(self.clock())
        if not request.code:
            code = await self.database.transaction(linking.new_code, person.id, at)
            words = text(
                "Your code: {code}. Write “/link {code}” to me where you are on another platform, within ten minutes."
                " Whoever has it can join their account to yours, so show it to nobody.",
                code=code,
            )
            return Reply(text=words, private=True)
        by = By(person.id, person.name)
        typed, others = await self.database.transaction(_typed, request.code, person.id, at, by)
        if typed.refused:
            raise typed.refused
        words = text(
            "This joins your account with {names}: what you use and may use counts together from then on, and each of"
            " you can see, delete and have forgotten what the others made. Shall I?",
            names=others,
        )
        token = f"{person.id}-{typed.seal}"
        buttons = (
            Button(command="link", generation=token, label=text("Link")),
            Button(command="remember", generation=token, label=text("Not now")),
        )
        notes = (
            text("If one of them is somebody else’s, press “{no}”.", no=buttons[1].label),
            text("You can answer until {until}.", until=moment(typed.until)),
        )
        return Reply(text=words, tone=Tone.QUESTION, notes=notes, buttons=buttons, private=True)

    async def link_pressed(self, asking: Asking, token: str, index: int) -> Answer:
        """The button of `/link CODE`; its token is whose it is, and the seal of what they were asked."""
        person, _, seal = token.partition("-")
        if person != asking.person.id:
            raise NotAllowed(text("This button is for somebody else."))
        by = By(person, asking.person.name)
        at = micros(self.clock())
        return await self.memberships.change(once, asking.invocation.id, _linked, person, seal, at, by)

    async def unlink(self, request: Nothing, asking: Asking) -> Answer:
        person = asking.person
        by = By(person.id, person.name)
        at = micros(self.clock())
        return await self.memberships.change(once, asking.invocation.id, _unlinked, person.id, at, by)

    async def mydata(self, request: Nothing, asking: Asking) -> Answer:
        if self.privacy is None:
            raise UsageError(text("This is not served here."))
        kept = await self.privacy.mine(asking.person)
        rows = tuple((label, verbatim(str(len(kept[name])))) for name, label in _PARTS.items() if name in kept)
        address = await self.hand_over(asking) if self.hand_over else ""
        note = (
            text("{link} gives you all of it as a file, once, within ten minutes.", link=Link("JSON", address))
            if address
            else text(
                "The bot's operator can give you all of it as a file: seedream-bot admin data {id}", id=asking.person.id
            )
        )
        return Reply(text=text("What is kept of you:"), rows=rows, notes=(note,), private=True)

    async def forget(self, request: Whom, asking: Asking) -> Answer:
        if same(request.who) not in ME:
            raise UsageError(text("Only you yourself can be forgotten: /forget me"))
        token = f"{asking.person.id}-{micros(self.clock()) // 1_000_000}"
        words = text(
            "This takes away your pictures, your words, your settings, links and teams, for good. What was spent stays"
            " in the books without your name. Shall I?"
        )
        buttons = (
            Button(command="forget", generation=token, label=text("Forget me"), danger=True),
            Button(command="remember", generation=token, label=text("Not now")),
        )
        accounts = plural(
            "It concerns one account.", "It concerns {count} linked accounts.", len(asking.person.persons)
        )
        kept = text(
            "Limits and blocks that hold for you go on if you come back: for {days} days I keep a seal of your account"
            " by which I know it again, and nothing else.",
            days=returning.KEPT // (24 * 3600 * 1_000_000),
        )
        return Reply(text=words, tone=Tone.QUESTION, notes=(accounts, kept), buttons=buttons, private=True)

    async def forget_pressed(self, asking: Asking, token: str, index: int) -> Answer:
        """The button of `/forget me`; its token is whose it is, and since when."""
        person, _, asked = token.partition("-")
        if person not in asking.person.persons:
            raise NotAllowed(text("This button is for somebody else."))
        age = self.clock() - moment(int(asked) * 1_000_000) if asked.isdecimal() and len(asked) < 12 else None
        if age is None or not timedelta(minutes=-1) <= age <= CONFIRM_WITHIN:
            raise UsageError(text("This question is too old. Ask once more: /forget me"))
        if self.privacy is None:
            raise UsageError(text("This is not served here."))
        words = text("You are forgotten. Whatever you ask from now on, you ask as somebody new.")
        return await self.privacy.forget(asking.person, asking.invocation.id, words)

    async def remember_pressed(self, asking: Asking, token: str, index: int) -> Answer:
        """“Not now” under the question of `/link CODE`, whose code joins nobody from then on, or of `/forget me`."""
        person, _, seal = token.partition("-")
        await self.database.transaction(linking.decline, asking.person.id, seal)
        words = text("Nothing was changed.")
        if person == asking.person.id and linking.is_seal(seal):
            words = text("Nothing was joined, and the code joins nobody any more.")
        return Reply(text=words, private=True)

    def presses(self) -> Presses:
        return {"link": self.link_pressed, "forget": self.forget_pressed, "remember": self.remember_pressed}


def _typed(connection: Connection, code: str, person: str, at: int, by: By) -> tuple[Typed, tuple[str, ...]]:
    """And whom the code would join them with, by their names."""
    typed = linking.type_code(connection, code, person, at, by)
    mine = linking.persons_of(connection, person)
    return typed, tuple(linking.names(connection, typed.persons, but=mine))


def kinds(database: Database) -> dict[str, notices.Words]:
    """What puts into words what people are told of their accounts without having asked."""

    async def linked(said: Mapping[str, Any]) -> Reply:
        others = tuple(await database.read(linking.names, said["persons"], but=()))
        words = text("Your link code was used to join {names} to you.", names=others)
        return Reply(text=words, notes=(text("Is one of them somebody else? Then send /unlink at once."),))

    return {LINKED: linked}


def _linked(connection: Connection, person: str, seal: str, at: int, by: By) -> Reply:
    giver, joined = linking.giver(connection, person, seal), linking.persons_of(connection, person)
    together = linking.join(connection, person, seal, at, by)
    words = text(
        "Linked: {count} accounts are yours now, and what they use and may use counts together.", count=len(together)
    )
    to = notices.privately(connection, (giver,), "en")
    if to:  # else they have never had a picture, and nobody knows where to reach them
        notices.want(connection, to, LINKED, {"persons": list(joined), "code": seal})
    others = tuple(linking.names(connection, together, but=(person,)))
    notes = (
        text("With it: {names}. Is one of them somebody else? Then send /unlink at once.", names=others),
        text("/unlink parts this one again."),
    )
    return Reply(text=words, notes=notes, private=True)


def _unlinked(connection: Connection, person: str, at: int, by: By) -> Reply:
    linking.unlink(connection, person, at, by)
    return Reply(text=text("This account stands alone again. What it used stays counted for itself."), private=True)


def commands(own: Own) -> tuple[Command, ...]:
    return (
        Command(
            name="link",
            summary=text("Join your accounts of several platforms by a code"),
            request=Code,
            handle=own.link,
            private=True,
            aliases=("关联",),
            examples=("/link", "/link K7QM2RXA"),
        ),
        Command(
            name="unlink",
            summary=text("Part this account from your others"),
            request=Nothing,
            handle=own.unlink,
            private=True,
            aliases=("取消关联",),
        ),
        Command(
            name="mydata",
            summary=text("Everything that is kept of you"),
            request=Nothing,
            handle=own.mydata,
            private=True,
            aliases=("我的数据",),
        ),
        Command(
            name="forget",
            summary=text("Have everything of you forgotten"),
            request=Whom,
            handle=own.forget,
            private=True,
            aliases=("忘记",),
            examples=("/forget me",),
        ),
    )


_PARTS: dict[str, Text] = {
    "people": text("Accounts"),
    "teams": text("Teams"),
    "tiers": text("Tiers"),
    "limits": text("Limits"),
    "grants": text("Grants"),
    "generations": text("Requests"),
    "entries": text("Entries in the books"),
    "audit": text("Audit"),
}
