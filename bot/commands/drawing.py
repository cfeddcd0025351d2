"""What every command that makes pictures shares: from options and pictures to an accepted generation."""

from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Protocol

from bot.asking import Asking, Quote
from bot.catalogue import Catalogue, InputLimits, Model
from bot.catalogue.sizes import price, resolve, sides
from bot.chat import Attachment
from bot.clock import micros
from bot.errors import NotAllowed, NotThere, PictureError, UsageError
from bot.generation import settling
from bot.generation.accepting import Accepted, Draft
from bot.generation.record import Generation
from bot.generation.service import GenerationService
from bot.i18n import Text, plural, text
from bot.media.normalise import Normalised
from bot.people import Person
from bot.request import ImageRequest, Mode, Reference
from bot.storage.database import Database

# No provider states a hard limit; nobody means more, and it keeps a pasted book out of the request.
MOST_PROMPT = 4000
# Of a message with many pictures so many can be chosen from; each is a button.
MOST_OTHERS = 5


class Normaliser(Protocol):
    async def normalise(self, chunks: AsyncIterator[bytes], *, inputs: InputLimits, folder: Path) -> Normalised: ...


class Blobs(Protocol):
    async def put(self, file: Path) -> str: ...

    def read(self, key: str) -> AsyncIterator[bytes]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a person asked for, before it meets a model. pictures come after the quoted one."""

    mode: Mode
    prompt: str
    model: str = ""
    size: str = ""
    ratio: str = ""
    count: int = 1
    format: str = ""
    watermark: bool | None = None
    private: bool | None = None
    pictures: tuple[Attachment, ...] = ()
    needs: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A picture to be read, and whose it is where it is one of ours."""

    attachment: Attachment
    generation: str = ""
    index: int = 0


@dataclass(frozen=True, kw_only=True)
class Drawing:
    """provider: the one that is asked; model: the default's name."""

    catalogue: Catalogue
    provider: str
    model: str
    service: GenerationService
    normaliser: Normaliser
    blobs: Blobs
    database: Database
    clock: Callable[[], datetime]
    folder: Path

    async def draw(self, asking: Asking, wanted: Wanted, quote: Quote | None = None) -> Accepted | None:
        """Check all that can be checked, read the pictures, and have it accepted; nothing is held before."""
        if quote and quote.generation:
            visible(asking, quote.generation)
        model = self.model_for(asking, wanted.model)
        if quote and not wanted.needs and not quote.generation and not quote.attachments:
            quote = None  # words in reply to words: a picture was welcome, but nobody needs one
        sources = (*self.quoted(quote), *(Source(attachment=each) for each in wanted.pictures))
        request = self._request(asking, wanted, model)
        _check_pictures(wanted, model, len(sources))
        await self.service.check_room()
        references, notes = await self._read(sources, model)
        request = replace(request, references=references)
        unsure = quote is not None and quote.index is None and wanted.mode is Mode.EDIT
        others = await self._others(quote, model) if quote and unsure else ()
        return await self.accept(
            asking, request, model, notes=notes, private=self._private(asking, wanted, quote), others=others
        )

    async def accept(
        self,
        asking: Asking,
        request: ImageRequest,
        model: Model,
        *,
        notes: tuple[Text, ...] = (),
        private: bool = False,
        others: tuple[Reference, ...] = (),
    ) -> Accepted | None:
        """Have a valid request accepted, or asked about where it is dear."""
        cost = price(model, request.size, len(request.references)) * request.count
        parent = next((each for each in request.references if each.generation), None)
        draft = Draft(
            invocation=asking.invocation.id,
            person=asking.person,
            place=asking.invocation.place,
            language=asking.language,
            request=request,
            price=cost,
            ask=self.service.asks(cost, request.count),
            parent=parent.generation if parent else "",
            parent_index=parent.index if parent else 0,
            others=others,
            notes=notes,
            private=private or asking.invocation.place.private,
        )
        return await self.service.accept(draft)

    def model_for(self, asking: Asking, name: str) -> Model:
        """The model that was named, else the person's own, else the default."""
        if name:
            return self.catalogue.model(self.provider, name)
        return self.catalogue.default(self.provider, asking.person.settings.get("model", "") or self.model)

    def quoted(self, quote: Quote | None) -> tuple[Source, ...]:
        """The picture of the message that was replied to; raises where there is none."""
        if quote is None:
            return ()
        if quote.generation is None:
            if not quote.attachments:
                raise UsageError(text("There is no picture in the message that you replied to."))
            position = quote.index or 0
            if position >= len(quote.attachments):
                raise _no_such_picture(position, len(quote.attachments))
            return (Source(attachment=quote.attachments[position]),)
        return (self.picture_of(quote.generation, quote.index),)

    def picture_of(self, generation: Generation, index: int | None) -> Source:
        """One picture of ours as a reference; the first where none is named."""
        made = {image.index: image for image in generation.images}
        if generation.deleted:
            raise NotThere(text("{id} was deleted.", id=generation.id))
        if not generation.ended:
            raise UsageError(text("{id} is not finished yet; wait for its picture.", id=generation.id))
        if not made:
            raise UsageError(text("{id} has no picture that could be used.", id=generation.id))
        position = min(made) if index is None else index
        if position not in made:
            raise _no_such_picture(position, len(made))
        image = made[position]
        if image.state != "made":
            raise NotThere(
                text("The picture {id} was cleaned up; press Again under it to draw it anew.", id=generation.id)
            )
        attachment = Attachment(name=generation.id, read=lambda: self.blobs.read(image.blob), size=image.size)
        return Source(attachment=attachment, generation=generation.id, index=position)

    def _request(self, asking: Asking, wanted: Wanted, model: Model) -> ImageRequest:
        own = asking.person.settings
        _check_prompt(wanted.prompt, model)
        exact = sides(wanted.size) is not None
        ratio = wanted.ratio or ("" if exact or wanted.mode is not Mode.IMAGINE else own.get("ratio", ""))
        size = wanted.size or _if_offered(own.get("size", ""), model)
        watermark = own.get("watermark") == "yes" if wanted.watermark is None else wanted.watermark
        return ImageRequest(
            mode=wanted.mode,
            prompt=wanted.prompt,
            provider=self.provider,
            model=model.name,
            size=resolve(model, size, ratio),
            ratio=ratio,
            count=wanted.count,
            format=_format(wanted.format or own.get("format", ""), model, asked=bool(wanted.format)),
            watermark=watermark,
        )

    def _private(self, asking: Asking, wanted: Wanted, quote: Quote | None) -> bool:
        """As was said; else as the person usually has it, and as the picture was that it is made of."""
        if wanted.private is not None:
            return wanted.private
        secret = quote is not None and quote.generation is not None and quote.generation.private
        return secret or asking.person.settings.get("private") == "yes"

    async def _others(self, quote: Quote, model: Model) -> tuple[Reference, ...]:
        """The pictures of a quoted message besides the first: one of them may have been meant."""
        if quote.generation is None:
            others: list[Reference] = []
            for place, each in enumerate(quote.attachments[1:MOST_OTHERS], 1):
                with suppress(PictureError):  # nobody has asked for this one yet
                    (read,), _ = await self._read((Source(attachment=each),), model)
                    others.append(replace(read, index=place))
            return tuple(others)
        made = [image for image in quote.generation.images if image.state == "made"]
        return tuple(
            Reference(
                blob=image.blob,
                media_type=image.media_type,
                width=image.width,
                height=image.height,
                size=image.size,
                generation=quote.generation.id,
                index=image.index,
            )
            for image in made[1:]
        )

    async def _read(self, sources: tuple[Source, ...], model: Model) -> tuple[tuple[Reference, ...], tuple[Text, ...]]:
        """Normalise and store each picture; what had to be changed is said once."""
        references: list[Reference] = []
        notes: list[Text] = []
        for source in sources:
            made = await self.normaliser.normalise(source.attachment.read(), inputs=model.inputs, folder=self.folder)
            try:
                blob = await self.blobs.put(made.file)
            finally:
                made.file.unlink(missing_ok=True)
            await self.database.transaction(settling.keep_blob, blob, made.size, micros(self.clock()))
            references.append(
                Reference(
                    blob=blob,
                    media_type=made.media_type,
                    width=made.width,
                    height=made.height,
                    size=made.size,
                    generation=source.generation,
                    index=source.index,
                )
            )
            notes.extend(made.notes)
        return tuple(references), tuple(note for place, note in enumerate(notes) if note not in notes[:place])


def visible(asking: Asking, generation: Generation) -> None:
    """What was made privately exists for nobody else but an admin; a deleted one for nobody."""
    if generation.deleted:
        raise NotThere(text("{id} was deleted.", id=generation.id))
    check_private(asking.person, generation)


def check_private(person: Person, generation: Generation) -> None:
    """Raises `NotAllowed` for whoever may not look at it."""
    if generation.private and generation.person != person.id and not person.admin:
        raise NotAllowed(text("{id} was made privately by {name}.", id=generation.id, name=generation.person_name))


def capacity(model: Model) -> Text:
    """How many pictures the model looks at, in words."""
    return plural("{count} picture", "{count} pictures", model.references)


def _check_prompt(prompt: str, model: Model) -> None:
    most = model.prompt_limit or MOST_PROMPT
    if not prompt.strip():
        raise UsageError(text("Say what to draw, or what to change in the picture."))
    if len(prompt) > most:
        raise UsageError(
            text(
                "These words are too long: {length} characters, and {model} takes at most {most}.",
                length=len(prompt),
                model=model.name,
                most=most,
            )
        )


def _check_pictures(wanted: Wanted, model: Model, given: int) -> None:
    if given < wanted.needs:
        raise UsageError(
            plural(
                "This needs a picture: attach it, or reply to one.",
                "This needs {count} pictures: attach them, or reply to one and attach the others.",
                wanted.needs,
            )
        )
    if given > model.references:
        raise UsageError(
            text(
                "{model} takes at most {most}; you gave {given}.",
                model=model.name,
                most=capacity(model),
                given=given,
            )
        )
    if wanted.mode is not Mode.SERIES:
        return
    if not model.series:
        raise UsageError(text("{model} draws no series. /models shows which do.", model=model.name))
    if given + wanted.count > model.series_total:
        raise UsageError(
            text(
                "Pictures given and pictures wanted may be {most} together at most; here they are {given} and {count}.",
                most=model.series_total,
                given=given,
                count=wanted.count,
            )
        )


def _no_such_picture(position: int, count: int) -> UsageError:
    return UsageError(
        plural(
            "There is one picture, with the number 0; you asked for {position}.",
            "There are {count} pictures, numbered from 0; you asked for {position}.",
            count,
            position=position,
        )
    )


def _format(wanted: str, model: Model, *, asked: bool) -> str:
    """The format to ask for; one that was only a default gives way to what the model has."""
    if wanted and wanted not in model.formats:
        if asked:
            raise UsageError(
                text(
                    "{model} gives {formats} only, not {wanted}.",
                    model=model.name,
                    formats=model.formats,
                    wanted=wanted,
                )
            )
        return ""
    return wanted if len(model.formats) > 1 else ""


def _if_offered(size: str, model: Model) -> str:
    """A person's usual size, where this model has it."""
    return size if size.upper() in model.tiers else ""
