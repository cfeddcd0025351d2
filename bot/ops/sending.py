"""One asking from a program or a terminal, answered whole: what `seedream-bot send` does, wherever the bot runs."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum
from pathlib import Path
from typing import Any, Protocol

from bot.chat import AccountLine, Actor, Reply, Tone
from bot.dispatch import HANDLE, Dispatcher
from bot.generation import outbox, record
from bot.generation.accepting import Accepted
from bot.generation.delivery import Delivery
from bot.generation.states import State
from bot.i18n import say
from bot.quota.limits import told

REVIEW = "review"
"""The state of what is made, and waits until an admin has looked at it."""


class Exit(IntEnum):
    """The exit codes of `send`."""

    MADE = 0
    FAILED = 1
    REFUSED = 2
    QUESTION = 3


class Chat(Protocol):
    """The chat in which a person on this machine speaks; the room is the first that everyone shares."""

    @property
    def people(self) -> Sequence[Any]: ...

    def actor(self, name: str, language: str) -> Actor: ...

    def meet(self, person: str) -> None:
        """Let this person speak; raises `LookupError` where the people are given."""
        ...

    async def say(
        self,
        person: str,
        room: str,
        words: str,
        *,
        files: Sequence[Path] = (),
        press: str = "",
        values: dict[str, str] | None = None,
    ) -> str: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """reply_to: `ID` or `ID:INDEX` of the picture that it replies to. press: a button's id."""

    person: str
    words: str = ""
    reply_to: str = ""
    files: tuple[Path, ...] = ()
    press: str = ""
    yes: bool = False


@dataclass(frozen=True, kw_only=True)
class Sending:
    chat: Chat
    dispatcher: Dispatcher
    delivery: Delivery
    accounts: Callable[[Actor], Awaitable[tuple[AccountLine, ...]]]
    room: str
    zone: str

    async def send(self, asked: Asked) -> dict[str, Any]:
        """Say it and wait for the outcome, as the JSON object that `send --json` prints (`images` as blobs).

        No person named means the first one here.

        Raises `LookupError` for a person that does not exist here.
        """
        asked = replace(asked, person=asked.person or self.chat.people[0].name)
        self.chat.meet(asked.person)
        values = {"prompt": asked.words} if asked.press and asked.words else None
        words = "" if asked.press else asked.words
        if asked.reply_to and not await self._is_there(asked.reply_to):
            reply = Reply(text=record.unknown(asked.reply_to).text, tone=Tone.REFUSAL, private=True)
        else:
            reply = await self._ask(asked, f"{asked.reply_to} {words}".lstrip(), asked.press, values)
        if reply.tone is Tone.QUESTION and reply.generation and asked.yes:
            go = f"go:{reply.generation}:0"
            reply = await self._ask(asked, "", go, None)
        outcome = outcome_of(reply, self.zone)
        if not reply.accounts:
            reply = replace(reply, accounts=await self.accounts(self.chat.actor(asked.person, "")))
        return {**outcome, "accounts": [account_of(line, reply.language, self.zone) for line in reply.accounts]}

    async def on_behalf(self, asked: dict[str, Any], files: tuple[Path, ...]) -> dict[str, Any]:
        """The same for another process, over the control door."""
        try:
            return await self.send(
                Asked(
                    person=asked["person"],
                    words=asked["words"],
                    reply_to=asked["reply_to"],
                    press=asked["press"],
                    yes=asked["yes"],
                    files=files,
                )
            )
        except LookupError:
            return {"stranger": asked["person"]}

    async def _is_there(self, handle: str) -> bool:
        """Words that begin with a handle of nothing would be drawn, and paid for."""
        found = HANDLE.fullmatch(handle)
        return bool(found and await self.delivery.database.read(outbox.existing, found["id"]))

    async def _ask(self, asked: Asked, words: str, press: str, values: dict[str, str] | None) -> Reply:
        files = asked.files if not press else ()
        invocation = await self.chat.say(asked.person, self.room, words, files=files, press=press, values=values)
        answer = await self.dispatcher.outcome(invocation)
        if isinstance(answer, Accepted):
            reply = await self.delivery.end_of(answer.generation)
            ended = await self.delivery.database.read(record.load, answer.generation)
            return replace(reply, state=REVIEW) if ended.review == "waiting" else reply
        if answer is None:
            raise RuntimeError("the asking was answered before")
        return answer


def exit_code(outcome: dict[str, Any]) -> Exit:
    """What a script is told: made, refused, waiting for an answer or a review, or failed."""
    match outcome["tone"], outcome["state"]:
        case (Tone.QUESTION, _) | (_, "review"):
            return Exit.QUESTION
        case _, State.FAILED | State.UNKNOWN | State.CANCELLED:
            return Exit.FAILED
        case Tone.REFUSAL, _:
            return Exit.REFUSED
    return Exit.MADE


def outcome_of(reply: Reply, zone: str) -> dict[str, Any]:
    """A reply as JSON, in its own language."""

    def words(text: Any) -> str:
        return say(text, reply.language, zone)

    refused = reply.tone is Tone.REFUSAL
    lines = [words(reply.text), *(f"{words(label)}: {words(value)}" for label, value in reply.rows)]
    lines += [words(note) for note in reply.notes]
    return {
        "text": "\n".join(lines),
        "generation": reply.generation,
        "state": reply.state,
        "images": [
            {"blob": each.blob, "media_type": each.media_type, "name": f"{each.generation}-{each.index}"}
            for each in reply.pictures
        ],
        "buttons": [{"label": words(button.label), "id": button.id} for button in reply.buttons],
        "lines": [words(told(line)) for line in reply.accounts],
        "error": words(reply.text) if refused else None,
        "tone": str(reply.tone),
    }


def account_of(line: AccountLine, language: str, zone: str) -> dict[str, Any]:
    return {
        "name": say(line.name, language, zone),
        "unit": line.unit,
        "window": line.window,
        "used": line.used,
        "held": line.held,
        "limit": line.limit,
        "left": line.left,
        "resets": line.resets.isoformat() if line.resets else None,
        "ends": line.ends.isoformat() if line.ends else None,
    }
