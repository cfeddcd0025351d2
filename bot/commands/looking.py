"""The commands that look, choose and tidy up: /quota, /history, /show, /models, /settings, /cancel, /delete, /help."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime

from bot import people
from bot.asking import Answer, Asking, Press
from bot.catalogue import Catalogue, Model
from bot.chat import Button, Reply
from bot.clock import micros
from bot.command import Command, CommandTable, Kind, option
from bot.commands.buttons import visible
from bot.commands.details import state_name
from bot.errors import UsageError
from bot.generation import record
from bot.generation.deleting import delete
from bot.generation.presenting import pictures, result_buttons
from bot.generation.record import Generation
from bot.generation.service import GenerationService
from bot.i18n import LANGUAGES, Money, Text, plural, text, verbatim
from bot.storage.connection import Connection
from bot.storage.database import Database

SHORT = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Nothing:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class HowMany:
    n: int = option(Kind.INTEGER, text("How many to list"), default=5, low=1, high=20)


@dataclass(frozen=True, slots=True, kw_only=True)
class Which:
    id: str = option(Kind.ID, text("The short id that stands under a picture"))


@dataclass(frozen=True, slots=True, kw_only=True)
class WhichCommand:
    command: str = option(Kind.CHOICE, text("A command's name"), default="")


@dataclass(frozen=True, slots=True, kw_only=True)
class Defaults:
    model: str = option(Kind.CHOICE, text("Your usual model; “default” takes it back"), default="")
    size: str = option(Kind.CHOICE, text("Your usual size, such as 2K"), default="")
    ratio: str = option(Kind.CHOICE, text("Your usual ratio, such as 16:9"), default="")
    format: str = option(Kind.CHOICE, text("Your usual format"), default="", choices=("jpeg", "png", "default"))
    language: str = option(
        Kind.CHOICE, text("The language of the answers"), default="", choices=("en", "zh-CN", "default")
    )
    watermark: str = option(
        Kind.CHOICE, text("The provider's mark on pictures"), default="", choices=("yes", "no", "default")
    )
    private: str = option(Kind.CHOICE, text("Show results to you alone"), default="", choices=("yes", "no", "default"))


@dataclass(kw_only=True)
class Looking:
    """remove: takes a blob away that no picture needs any more."""

    service: GenerationService
    catalogue: Catalogue
    provider: str
    default_model: str
    database: Database
    clock: Callable[[], datetime]
    remove: Callable[[str], Awaitable[None]]
    table: Callable[[], CommandTable] = field(init=False)

    async def quota(self, request: Nothing, asking: Asking) -> Answer:
        accounts = await self.service.accounts(asking.person)
        words = text("What {name} may still use, and what is used.", name=asking.person.name)
        return Reply(text=words, accounts=accounts, private=True)

    async def history(self, request: HowMany, asking: Asking) -> Answer:
        found = await self.database.read(_history, asking.person.id, request.n)
        if not found:
            return Reply(
                text=text("You have not asked for a picture yet. Try /imagine a fox in the snow."), private=True
            )
        rows = tuple((verbatim(each.id), _line(each)) for each in found)
        shown = tuple(pictures(each)[0] for each in found if pictures(each) and not each.deleted)
        buttons = tuple(
            Button(command="show", generation=each.id, label=text("Show {id}", id=each.id))
            for each in found
            if not each.deleted
        )
        words = plural("Your last request", "Your last {count} requests", len(found))
        return Reply(text=words, rows=rows, pictures=shown, buttons=buttons[:5], private=True)

    async def show(self, request: Which, asking: Asking) -> Answer:
        generation = await self.service.load(request.id.partition(":")[0])
        return await self.show_pressed(asking, generation, 0)

    async def show_pressed(self, asking: Asking, generation: Generation, index: int) -> Answer:
        visible(asking, generation)
        shown = pictures(generation)
        notes: list[Text] = []
        if generation.parent:
            notes.append(text("Made from {parent}.", parent=f"{generation.parent}:{generation.parent_index}"))
        if len(shown) < len(generation.images):
            notes.append(
                text("Pictures are kept for a limited time, and these were cleaned up. Press Again to draw anew.")
            )
        if not generation.images:
            notes.append(text("State: {state}.", state=state_name(generation)))
        model = self._model(generation)
        return Reply(
            text=text("{id}, made by {name}", id=generation.id, name=generation.person_name),
            prompt=generation.request.prompt,
            notes=tuple(notes),
            pictures=shown,
            buttons=result_buttons(generation, model),
            generation=generation.id,
            state=str(generation.state),
            private=generation.private,
        )

    async def models(self, request: Nothing, asking: Asking) -> Answer:
        usual = self.catalogue.default(self.provider, asking.person.settings.get("model", "") or self.default_model)
        rows = tuple((verbatim(model.name), _model_line(model)) for model in self.catalogue.models(self.provider))
        words = text("Models of {provider}; yours is {model}.", provider=self.provider, model=usual.name)
        return Reply(text=words, rows=rows, private=True)

    async def settings(self, request: Defaults, asking: Asking) -> Answer:
        asked = {name: getattr(request, name) for name in Defaults.__slots__ if getattr(request, name)}
        changes = {name: "" if value == "default" else self._checked(name, value) for name, value in asked.items()}
        now = dict(asking.person.settings)
        if changes:
            now = await self.database.transaction(people.change_settings, asking.person.id, changes)
        rows = tuple((verbatim(name), _setting(name, now.get(name, ""))) for name in Defaults.__slots__)
        words = (
            text("Changed. Your defaults are now:")
            if changes
            else text("Your defaults. Change one: /settings --size 4K")
        )
        return Reply(text=words, rows=rows, private=True)

    async def cancel(self, request: Which, asking: Asking) -> Answer:
        generation = await self.service.load(request.id.partition(":")[0])
        return await self.cancel_pressed(asking, generation, 0)

    async def cancel_pressed(self, asking: Asking, generation: Generation, index: int) -> Answer:
        before = await self.service.cancel(generation.id, asking.person)
        if before.state in ("asked", "queued"):
            return Reply(text=text("{id} was taken out of the line. Nothing was charged.", id=before.id), private=True)
        return Reply(
            text=text(
                "{id} is being drawn: what was not sent yet is dropped; what the provider already draws is billed,"
                " so it is kept and charged.",
                id=before.id,
            ),
            private=True,
        )

    async def delete(self, request: Which, asking: Asking) -> Answer:
        generation = await self.service.load(request.id.partition(":")[0])
        return await self.delete_pressed(asking, generation, 0)

    async def delete_pressed(self, asking: Asking, generation: Generation, index: int) -> Answer:
        blobs = await self.database.transaction(delete, generation.id, asking.person, micros(self.clock()))
        for blob in blobs:
            await self.remove(blob)
        self.service.changed(generation.id)
        return Reply(text=text("{id} was deleted. What it cost stays counted.", id=generation.id), private=True)

    async def help(self, request: WhichCommand, asking: Asking) -> Answer:
        table = self.table()
        if request.command:
            return _help_of(table.find(request.command.lstrip("/／")))
        rows = tuple((verbatim(f"/{each.name}"), each.summary) for each in table.listed)
        notes = (
            text("Words alone draw. Words in reply to a picture change it. Attached pictures are looked at in order."),
            text(
                "Cancelling is free while a request waits. Once the provider draws, it bills: the picture is kept and charged."
            ),
            text("/help imagine tells more about one command."),
        )
        return Reply(text=text("What I can do:"), rows=rows, notes=notes, private=True)

    def presses(self) -> dict[str, Press]:
        return {
            "show": self.show_pressed,
            "cancel": self.cancel_pressed,
            "delete": self.delete_pressed,
            "quota": self._quota_pressed,
        }

    async def _quota_pressed(self, asking: Asking, generation: Generation, index: int) -> Answer:
        return await self.quota(Nothing(), asking)

    def _model(self, generation: Generation) -> Model | None:
        try:
            return self.catalogue.model(generation.request.provider, generation.request.model)
        except (UsageError, KeyError):
            return None

    def _checked(self, name: str, value: str) -> str:
        """A default must be something that some model here takes."""
        models = self.catalogue.models(self.provider)
        known = {
            "size": tuple(dict.fromkeys(tier for model in models for tier in model.tiers)),
            "ratio": tuple(dict.fromkeys(each for model in models for table in model.tiers.values() for each in table)),
        }
        if name == "model":
            return self.catalogue.model(self.provider, value).name
        if name in known:
            found = next((each for each in known[name] if each.lower() == value.lower()), None)
            if found is None:
                raise UsageError(
                    text(
                        "{option} can be one of {choices} as a default, not {value}.",
                        option=name,
                        choices=known[name],
                        value=value,
                    )
                )
            return found
        return value


def commands(looking: Looking) -> tuple[Command, ...]:
    return (
        Command(
            name="quota",
            summary=text("What you may still use"),
            request=Nothing,
            handle=looking.quota,
            aliases=("额度",),
        ),
        Command(
            name="history",
            summary=text("Your last requests"),
            request=HowMany,
            handle=looking.history,
            aliases=("历史",),
        ),
        Command(
            name="show", summary=text("Show a picture again"), request=Which, handle=looking.show, aliases=("查看",)
        ),
        Command(
            name="cancel",
            summary=text("Stop a request; free while it waits in the line"),
            request=Which,
            handle=looking.cancel,
            aliases=("取消",),
        ),
        Command(
            name="delete",
            summary=text("Delete a picture of yours"),
            request=Which,
            handle=looking.delete,
            aliases=("删除",),
        ),
        Command(
            name="models",
            summary=text("The models, their sizes and prices"),
            request=Nothing,
            handle=looking.models,
            aliases=("模型",),
        ),
        Command(
            name="settings", summary=text("Your defaults"), request=Defaults, handle=looking.settings, aliases=("设置",)
        ),
        Command(
            name="help",
            summary=text("What the bot can do"),
            request=WhichCommand,
            handle=looking.help,
            aliases=("帮助",),
        ),
    )


def _history(connection: Connection, person: str, most: int) -> list[Generation]:
    rows = connection.rows(
        "SELECT id FROM generations WHERE person=:person AND deleted_at=0 ORDER BY seq DESC LIMIT :most",
        person=person,
        most=most,
    )
    return [record.load(connection, row["id"]) for row in rows]


def _line(generation: Generation) -> Text:
    words = generation.request.prompt.replace("\n", " ")
    short = words if len(words) <= SHORT else words[: SHORT - 1] + "…"
    return text("{words} ({state})", words=short, state=state_name(generation))


def _model_line(model: Model) -> Text:
    series = text("series up to {most}", most=model.series_total) if model.series else text("no series")
    return text(
        "{sizes}; looks at up to {references}; {series}; from {price} a picture",
        sizes=tuple(model.tiers),
        references=model.references,
        series=series,
        price=Money(model.prices[0][1]),
    )


def _setting(name: str, value: str) -> Text:
    if not value:
        return text("default")
    return verbatim(LANGUAGES.get(value, value) if name == "language" else value)


def _help_of(command: Command) -> Reply:
    rows = []
    for each in command.options:
        values = (*each.choices, *each.suggestions)
        told = text("{help}: {values}", help=each.help, values=values) if values else each.help
        rows.append((verbatim(", ".join((each.names[0], each.names[-1])) if len(each.names) > 1 else each.name), told))
    notes = [text("Write: {usage}", usage=command.usage())]
    if command.examples:
        notes.append(text("For example: {examples}", examples=command.examples))
    if command.aliases:
        notes.append(text("Also called: {names}", names=tuple(f"/{alias}" for alias in command.aliases)))
    return Reply(text=command.summary, rows=tuple(rows), notes=tuple(notes), private=True)
