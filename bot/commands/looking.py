"""The commands that look: /history, /show."""

from collections.abc import Sequence
from dataclasses import dataclass

from bot.asking import Answer, Asking, Press
from bot.catalogue import Model
from bot.catalogue.router import Router
from bot.chat import Button, Reply
from bot.command import Command, Kind, option
from bot.commands.details import lineage, state_name
from bot.commands.drawing import no_such_picture, visible
from bot.generation import record
from bot.generation.presenting import CLEANED, GIVEN_BACK, pictures, result_buttons
from bot.generation.record import Generation
from bot.generation.service import GenerationService
from bot.i18n import Text, plural, text, verbatim
from bot.storage.connection import Connection
from bot.storage.database import Database

SHORT = 60
MOST_BUTTONS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Nothing:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class HowMany:
    n: int = option(Kind.INTEGER, text("How many to list"), default=5, low=1, high=20)


@dataclass(frozen=True, slots=True, kw_only=True)
class Which:
    id: str = option(Kind.ID, text("The short id that stands under a picture"))


@dataclass(frozen=True, kw_only=True)
class Looking:
    service: GenerationService
    router: Router
    database: Database

    async def history(self, request: HowMany, asking: Asking) -> Answer:
        found = await self.database.read(_history, asking.person.persons, request.n)
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
        return Reply(text=words, rows=rows, pictures=shown, buttons=buttons[:MOST_BUTTONS], private=True)

    async def show(self, request: Which, asking: Asking) -> Answer:
        id, _, index = request.id.partition(":")
        generation = await self.service.load(id)
        if index:
            visible(asking, generation)  # nobody else is told how many there are
            made = {image.index for image in generation.images}
            if made and int(index) not in made:
                raise no_such_picture(int(index), len(made))
        return await self.show_pressed(asking, generation, 0)

    async def show_pressed(self, asking: Asking, generation: Generation, index: int) -> Answer:
        visible(asking, generation)
        shown = pictures(generation)
        notes: list[Text] = []
        if generation.parent:
            notes.append(text("Made from {parent}.", parent=f"{generation.parent}:{generation.parent_index}"))
        if len(shown) < len(generation.images):
            notes.append(CLEANED)
        if generation.given_back:
            notes.append(GIVEN_BACK)
        if not generation.images:
            notes.append(text("State: {state}.", state=state_name(generation)))
        _, links = await self.database.read(lineage, generation)
        return Reply(
            text=text("{id}, made by {name}", id=generation.id, name=generation.person_name),
            prompt=generation.request.prompt,
            notes=tuple(notes),
            pictures=shown,
            buttons=(*result_buttons(generation, self._model(generation)), *links),
            generation=generation.id,
            state=str(generation.state),
            private=generation.private,
        )

    def presses(self) -> dict[str, Press]:
        return {"show": self.show_pressed}

    def _model(self, generation: Generation) -> Model | None:
        return self.router.offer(generation.provider, generation.request.model)


def commands(looking: Looking) -> tuple[Command, ...]:
    return (
        Command(
            name="history",
            summary=text("Your last requests"),
            request=HowMany,
            handle=looking.history,
            private=True,
            aliases=("历史",),
        ),
        Command(
            name="show", summary=text("Show a picture again"), request=Which, handle=looking.show, aliases=("查看",)
        ),
    )


def _history(connection: Connection, persons: Sequence[str], most: int) -> list[Generation]:
    """The last of all accounts together; each is looked up by itself, which its index answers in order."""
    rows = [
        row
        for person in persons
        for row in connection.rows(
            "SELECT seq, id FROM generations WHERE person=:person AND deleted_at=0 ORDER BY seq DESC LIMIT :most",
            person=person,
            most=most,
        )
    ]
    newest = sorted(rows, key=lambda row: int(row["seq"]), reverse=True)
    return [record.load(connection, row["id"]) for row in newest[:most]]


def _line(generation: Generation) -> Text:
    words = generation.request.prompt.replace("\n", " ") or f"/{generation.request.mode}"
    short = words if len(words) <= SHORT else words[: SHORT - 1] + "…"
    return text("{words} ({state})", words=short, state=state_name(generation))
