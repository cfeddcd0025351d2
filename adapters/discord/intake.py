"""From an event to the core: the first answer, which nothing is waited for before, and then the durable note of it.

An interaction has 3 s for its first answer. What can be refused from memory is refused at once, to this person alone;
everything else is deferred, in the kind that its answer will have.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import discord
import structlog

from adapters.discord import inbound, outbound
from adapters.discord.callbacks import Callbacks, First
from adapters.discord.event import Event, Meant
from adapters.discord.files import Files
from adapters.discord.inbound import Interaction
from adapters.discord.invalid import InvalidRequests
from adapters.discord.messages import Heard, about_roles, answers, heard, lacks_answered
from adapters.discord.modals import modal
from adapters.discord.permissions import lacking_in
from adapters.discord.ports import Door
from adapters.discord.presses import Form, asks, named
from adapters.discord.turns import Turns
from adapters.discord.welcome import welcome
from adapters.discord.words import (
    DETAILS,
    EDIT,
    FORM_GONE,
    MESSAGE_GONE,
    NO_PICTURE,
    NOT_MINE,
    NOT_TAKEN,
    OLD_FORM,
    lacks,
)
from bot.chat import CannotPost, Post, Reply, Tone
from bot.errors import BotError
from bot.i18n import Text, language_of, say

log = structlog.get_logger(__name__)

MENU = discord.AppCommandType.message.value
REMEMBERED = 1000  # forms that are open at the same time
PATIENCE = 5.0  # seconds for what is being taken up when the adapter stops
MOST_CHOICES, LONGEST_CHOICE = 25, 100

Complete = Callable[[Event], Awaitable[Event | None]]


class Intake:
    """reads_all: whether every message can be read. post: shows an answer that is the adapter's own."""

    def __init__(
        self,
        *,
        door: Door,
        callbacks: Callbacks,
        files: Files,
        invalid: InvalidRequests,
        post: Callable[[Post], Awaitable[str]],
        language: str,
    ) -> None:
        self.reads_all = False
        self._door = door
        self._callbacks = callbacks
        self._files = files
        self._invalid = invalid
        self._post = post
        self._language = language
        self._naming = about_roles(door.table)
        self._meant: OrderedDict[str, Meant] = OrderedDict()
        self._open: set[asyncio.Task[Any]] = set()
        self._turns = Turns()

    async def interaction(self, interaction: Interaction) -> None:
        with self._noted():
            await self._turns.come()
            match interaction.type:
                case discord.InteractionType.autocomplete:
                    await self._offer(interaction)
                case discord.InteractionType.application_command:
                    menu = inbound.data_of(interaction).get("type") == MENU
                    await (self._menu(interaction) if menu else self._ask(interaction, inbound.command(interaction)))
                case discord.InteractionType.component:
                    await self._pressed(interaction)
                case discord.InteractionType.modal_submit:
                    await self._submitted(interaction)

    async def message(self, message: discord.Message, me: discord.ClientUser) -> None:
        with self._noted():
            await self._turns.come()
            found = heard(message, me, answers(message), reads_all=self.reads_all, naming=self._naming)
            if found and not found.problem and lacks_answered(message) and self._invalid.spare:
                found = await self._with_answered(message, me, found)
            if found is None:
                return
            if found.problem:
                await self._say(found.event, found.problem)
            else:
                await self._accept(found.event)

    async def joined(self, guild: discord.Guild, client: discord.Client) -> None:
        with self._noted():
            if self._invalid.spare:
                await welcome(guild, client)

    async def finish(self) -> None:
        """Wait for what is being taken up; what was not noted yet is lost with its connection."""
        if self._open:
            await asyncio.wait(self._open, timeout=PATIENCE)

    async def _pressed(self, interaction: Interaction) -> None:
        event = inbound.press(interaction)
        form = asks(event.press, self._door.table)
        if form is None:
            await self._ask(interaction, event)
        elif refusal := self._door.check(event.invocation(self._files.attach)):
            await self._refuse(interaction, refusal)
        else:
            await self._open_form(interaction, form)

    async def _menu(self, interaction: Interaction) -> None:
        message = inbound.target_message(interaction)
        meant = inbound.meant_by(message, interaction.client.user.id)
        chosen = inbound.data_of(interaction)["name"]
        if chosen == say(DETAILS, "en"):
            if meant.generation:
                await self._ask(interaction, inbound.details(interaction, meant.generation))
            else:
                await self._refuse(interaction, _refusal(NOT_MINE))
        elif not (meant.files or meant.generation):
            await self._refuse(interaction, _refusal(NO_PICTURE))
        else:
            command = "edit" if chosen == say(EDIT, "en") else "imagine"
            theirs = "" if meant.generation else str(message.id)
            if theirs:
                self._remember(_of(interaction, theirs), meant)
            form = Form(command=command, generation=meant.generation, index=meant.index or 0, message=theirs)
            await self._open_form(interaction, form)

    async def _submitted(self, interaction: Interaction) -> None:
        form = Form.read(inbound.data_of(interaction)["custom_id"])
        if form is None:
            await self._refuse(interaction, _refusal(OLD_FORM))
            return
        meant = self._meant.get(_of(interaction, form.message))
        event = inbound.submitted(interaction, form, meant)
        if not form.message or meant:
            await self._ask(interaction, event)
        else:  # opened before a restart
            await self._ask(interaction, event, complete=lambda it: self._with_meant(interaction, form.message, it))

    async def _ask(self, interaction: Interaction, event: Event, *, complete: Complete | None = None) -> None:
        """complete: what has to be found out first, after the first answer; None from it says that it is gone."""
        invocation = event.invocation(self._files.attach)
        if complete is None and (refusal := self._door.check(invocation)):
            await self._refuse(interaction, refusal)
            return
        ephemeral = event.where.ephemeral or self._door.is_private(invocation)
        update = event.where.update
        deferred = await self._callbacks.defer(interaction.id, interaction.token, ephemeral=ephemeral, update=update)
        if deferred is False:  # the person was told that it failed, and asks again
            return
        event = event.acknowledged(deferred=True, ephemeral=ephemeral)
        if complete is not None:
            completed = await complete(event)
            if completed is None:
                await self._say(event, FORM_GONE)
                return
            event = completed
        self._files.keep(event.fleeting)
        await self._accept(event)

    async def _accept(self, event: Event) -> None:
        try:
            await self._door.accept(event.invocation(self._files.attach), event.model_dump(mode="json"))
        except BotError as error:
            await self._say(event, error.text)
        except Exception:  # a door: the person was promised an answer
            log.exception("an asking could not be noted", request=event.invocation_id)
            await self._say(event, NOT_TAKEN)
        else:
            if event.fleeting:  # an event that came twice waits too: who is at it still needs the files
                await self._door.outcome(event.invocation_id)
        await self._files.forget(event.fleeting)

    async def _refuse(self, interaction: Interaction, reply: Reply) -> None:
        language = reply.language or language_of(interaction.locale.value, self._language)
        body = outbound.message(replace(reply, language=language), private=True)
        await self._callbacks.answer(interaction.id, interaction.token, First.MESSAGE, body)

    async def _open_form(self, interaction: Interaction, form: Form) -> None:
        command = named(self._door.table, form.command)
        if command is None:
            await self._refuse(interaction, _refusal(OLD_FORM))
            return
        actor = inbound.person(interaction)
        offered = {
            option.name: self._door.suggest(actor, command, option)
            for option in command.options
            if option.name in ("model", "size")
        }
        body = modal(form, command, language_of(interaction.locale.value, self._language), offered)
        await self._callbacks.answer(interaction.id, interaction.token, First.MODAL, body)

    async def _offer(self, interaction: Interaction) -> None:
        """What may stand in the option that is being typed."""
        data = inbound.data_of(interaction)
        typed = next((one for one in data.get("options") or [] if one.get("focused")), None)
        command = named(self._door.table, data["name"])
        option = command.option(typed["name"]) if command and typed else None
        found: Sequence[str] = ()
        if command and option and typed:
            given = [one for one in data["options"] if one is not typed and isinstance(one.get("value"), str)]
            chosen = {one["name"]: one["value"] for one in given}
            room = inbound.room(interaction)
            offered = self._door.suggest(inbound.person(interaction), command, option, room, chosen)
            found = matching(offered, str(typed["value"]))
        choices = [{"name": value, "value": value} for value in found]
        await self._callbacks.answer(interaction.id, interaction.token, First.CHOICES, {"choices": choices})

    async def _say(self, event: Event, words: Text) -> None:
        """In the deferred answer or in reply to the message: there is nothing in it that only one person may see."""
        language = language_of(event.language, self._language)
        reply = Reply(text=words, tone=Tone.REFUSAL, language=language)
        try:
            await self._post(Post(key=event.invocation_id, place=event.place, reply=reply))
        except CannotPost as problem:
            log.warning("a refusal could not be posted", problem=str(problem))

    async def _with_answered(self, message: discord.Message, me: discord.ClientUser, found: Heard) -> Heard | None:
        """The same with the message that it replies to, which Discord did not send along."""
        id = message.reference.message_id if message.reference else None
        if id is None:
            return found
        try:
            answered = await message.channel.fetch_message(id)
        except discord.NotFound:
            return Heard(found.event, MESSAGE_GONE)
        except discord.Forbidden:
            place = message.channel
            if not isinstance(place, discord.abc.GuildChannel | discord.Thread):
                return found
            missing = lacking_in(place, "read_message_history")
            return Heard(found.event, lacks(missing)) if missing else found
        except (discord.HTTPException, OSError) as problem:
            log.info("a message could not be looked at", problem=type(problem).__name__)
            return found
        return heard(message, me, answered, reads_all=self.reads_all, naming=self._naming)

    async def _with_meant(self, interaction: Interaction, message: str, event: Event) -> Event | None:
        try:
            found = await interaction.channel.fetch_message(int(message))  # type: ignore[union-attr]
        except (discord.HTTPException, OSError, AttributeError) as problem:
            log.info("a message could not be looked at", problem=type(problem).__name__)
            return None
        return event.model_copy(update={"meant": inbound.meant_by(found, interaction.client.user.id)})

    def _remember(self, key: str, meant: Meant) -> None:
        self._meant[key] = meant
        self._meant.move_to_end(key)
        while len(self._meant) > REMEMBERED:
            self._meant.popitem(last=False)

    @contextmanager
    def _noted(self) -> Iterator[None]:
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        try:
            yield
        finally:
            self._open.discard(task)


def matching(values: Iterable[str], typed: str) -> list[str]:
    """What begins with the typed word, then what only holds it; as many as Discord shows."""
    wanted = typed.strip().casefold()
    fitting = [value for value in values if wanted in value.casefold() and len(value) <= LONGEST_CHOICE]
    return sorted(fitting, key=lambda value: not value.casefold().startswith(wanted))[:MOST_CHOICES]


def _of(interaction: Interaction, message: str) -> str:
    """Whose form it is: what one person saw in a channel is not for others, whatever id their form names."""
    return f"{interaction.user.id}/{message}"


def _refusal(words: Text) -> Reply:
    return Reply(text=words, tone=Tone.REFUSAL, private=True)
