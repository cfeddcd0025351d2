"""What every command that makes pictures shares: from options and pictures to an accepted generation."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Protocol

from bot.asking import Asking, Quote
from bot.audit import By
from bot.capabilities import check, check_asked, cost, inputs
from bot.catalogue import InputLimits, Model
from bot.catalogue.router import Router
from bot.catalogue.sizes import MATCH, known_ratio, resolve, top_tier
from bot.chat import Attachment
from bot.clock import micros
from bot.commands.choice import Allows, Check, choose, every_offer, with_nearest
from bot.commands.wanted import Wanted, advice, request_for
from bot.errors import NotAllowed, NotThere, PictureError, UsageError
from bot.generation import settling
from bot.generation.accepting import Accepted, Draft
from bot.generation.record import Generation
from bot.generation.service import GenerationService
from bot.i18n import Text, plural, text
from bot.media.normalise import Normalised
from bot.moderation.policy import WordsRefused, check_model, check_words, mark_note, marked, note_refusal
from bot.moderation.policy import check as check_rules
from bot.moderation.reviews import check_shown
from bot.people import Person
from bot.request import ImageRequest, Mode, Reference
from bot.storage.database import Database

# Of a message with many pictures so many can be chosen from; each is a button.
MOST_OTHERS = 5


class Normaliser(Protocol):
    async def normalise(self, chunks: AsyncIterator[bytes], *, inputs: InputLimits, folder: Path) -> Normalised: ...


class Blobs(Protocol):
    async def put(self, file: Path) -> str: ...

    def read(self, key: str) -> AsyncIterator[bytes]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A picture to be read, and whose it is where it is one of ours."""

    attachment: Attachment
    generation: str = ""
    index: int = 0


@dataclass(frozen=True, kw_only=True)
class Drawing:
    """model: the default's name."""

    router: Router
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
        if quote and not wanted.needs and not quote.generation and not quote.attachments:
            quote = None  # words in reply to words: a picture was welcome, but nobody needs one
        await self.moderated(asking, wanted.prompt)  # sooner than any picture is read
        marks = mark_note(asking.rules, wanted.watermark)
        wanted = replace(self._among_allowed(asking, wanted), watermark=marked(asking.rules, wanted.watermark))
        asking.team_for(wanted.team)  # raises for one that they are not in
        sources = (*self.quoted(quote), *(Source(attachment=each) for each in wanted.pictures))
        _check_pictures(wanted, len(sources))
        own = asking.defaults
        allows = asking.allows_model
        offers = self._asked(wanted, own, len(sources), allows)
        await self.service.check_room()
        taken = inputs(offers[0], wanted.mode)
        references, notes = await self._read(sources, taken)
        request, offers = self._choose(wanted, offers, own, check, allows, references)
        unsure = quote is not None and quote.index is None and wanted.mode is Mode.EDIT
        others = await self._others(quote, taken) if quote and unsure else ()
        return await self.accept(
            asking,
            request,
            offers,
            notes=(*notes, *marks),
            private=self._private(asking, wanted, quote),
            others=others,
            team=wanted.team,
        )

    def foresee(self, wanted: Wanted, own: Mapping[str, str], allows: Allows) -> None:
        """Raises what will be refused, by the defaults `own`, whatever the pictures hold.

        allows: models that may be named instead.
        """
        _check_pictures(wanted, len(wanted.pictures))
        self._asked(wanted, own, len(wanted.pictures), allows)

    async def again(self, asking: Asking, request: ImageRequest, *, private: bool) -> Accepted | None:
        """A request as it was, by those who can serve it now."""
        request = replace(request, watermark=bool(marked(asking.rules, request.watermark)))
        request, offers = choose(self.router.offers(request.model), lambda offer: request, check)
        return await self.accept(asking, request, offers, private=private)

    async def accept(
        self,
        asking: Asking,
        request: ImageRequest,
        offers: tuple[Model, ...],
        *,
        notes: tuple[Text, ...] = (),
        private: bool = False,
        others: tuple[Reference, ...] = (),
        team: str = "",
    ) -> Accepted | None:
        """Have a request that these offers can serve accepted, or asked about where it is dear."""
        check_rules(asking.rules, request)
        review = await self.moderated(asking, request.prompt)
        most = max(cost(offer, request) for offer in offers)  # whoever is busy hands it to the next
        parent = next((each for each in request.references if each.generation), None)
        draft = Draft(
            invocation=asking.invocation.id,
            person=asking.person,
            place=asking.invocation.place,
            language=asking.language,
            request=request,
            price=most,
            ask=self.service.asks(most, request.count),
            parent=parent.generation if parent else "",
            parent_index=parent.index if parent else 0,
            others=others,
            notes=(*notes, *advice(request.prompt)),
            private=private or asking.invocation.place.private,
            payer=asking.payer(team),
            review=review,
            rules=asking.rules,
            top=top_tier(offers[0]),
        )
        return await self.service.accept(draft)

    async def moderated(self, asking: Asking, prompt: str) -> bool:
        """Whether an admin is to look at the result first. Raises where the rules here refuse the words."""
        try:
            if not asking.rules.words:
                return check_words(asking.rules, prompt)
            # Some lists take half a second, which is nobody else's.
            return await asyncio.to_thread(check_words, asking.rules, prompt)
        except WordsRefused as refusal:
            person, at = asking.person, micros(self.clock())
            by = By(person.id, person.name)
            await self.database.transaction(note_refusal, person.space, by, refusal.rule, at)
            raise

    def _among_allowed(self, asking: Asking, wanted: Wanted) -> Wanted:
        """Where a usual model is not allowed here, another one is; one that was named is only checked."""
        allowed = asking.rules.models
        if not allowed or wanted.model or self.offers(asking.defaults, wanted)[0].name in allowed:
            return wanted
        names = [offer.name for offer in every_offer(self.router) if offer.name in allowed and _does(offer, wanted)]
        if not names:
            check_model(asking.rules, self.offers(asking.defaults, wanted)[0].name)
        return replace(wanted, model=asking.rules.model if asking.rules.model in names else names[0])

    def offers(self, own: Mapping[str, str], wanted: Wanted) -> tuple[Model, ...]:
        """The model that was named, else that of the defaults `own`, else the operator's, as each provider offers it.

        Where that takes no picture apart, another one does it: the first of those that make the fewest layers, since
        all that may come is held, and a hundred are more than most people may make in a day.
        """
        if wanted.model:
            return self.router.offers(wanted.model)
        usual = self.router.offers(self.router.default(own.get("model", "") or self.model).name)
        if wanted.mode is not Mode.LAYERS or any(offer.layers for offer in usual):
            return usual
        layered = [offer for offer in every_offer(self.router) if offer.layers]
        fewest = min(layered, key=lambda offer: offer.layers, default=usual[0])
        return self.router.offers(fewest.name)

    def quoted(self, quote: Quote | None) -> tuple[Source, ...]:
        """The picture of the message that was replied to; raises where there is none."""
        if quote is None:
            return ()
        if quote.generation is None:
            if not quote.attachments:
                raise UsageError(text("There is no picture in the message that you replied to."))
            position = quote.index or 0
            if position >= len(quote.attachments):
                raise no_such_picture(position, len(quote.attachments))
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
            raise no_such_picture(position, len(made))
        image = made[position]
        if image.state != "made":
            raise NotThere(
                text("The picture {id} was cleaned up; press Again under it to draw it anew.", id=generation.id)
            )
        attachment = Attachment(name=generation.id, read=lambda: self.blobs.read(image.blob), size=image.size)
        return Source(attachment=attachment, generation=generation.id, index=position)

    def _asked(self, wanted: Wanted, own: Mapping[str, str], given: int, allows: Allows) -> tuple[Model, ...]:
        """Who could serve it with so many pictures, as far as that is known before they are read."""
        _, offers = self._choose(wanted, self.offers(own, wanted), own, partial(check_asked, given=given), allows)
        return offers

    def _choose(
        self,
        wanted: Wanted,
        offers: tuple[Model, ...],
        own: Mapping[str, str],
        check: Check,
        allows: Allows,
        references: tuple[Reference, ...] = (),
    ) -> tuple[ImageRequest, tuple[Model, ...]]:
        """The request and who can serve it; the refusal where nobody can says with which model it would work."""

        def build(offer: Model) -> ImageRequest:
            return request_for(wanted, offer, own, references)

        def in_its_usual_size(offer: Model) -> ImageRequest:
            return request_for(replace(wanted, size=""), offer, own, references)

        try:
            return choose(offers, build, check)
        except UsageError as reason:
            # Where the size itself is what is wrong, another size of another model is no help.
            builds = (build, in_its_usual_size) if _has_size(offers[0], wanted) else (build,)
            raise with_nearest(self.router, reason, builds, check, allows) from reason

    def _private(self, asking: Asking, wanted: Wanted, quote: Quote | None) -> bool:
        """As was said; else as is usual for the person and here, and as the picture was that it is made of."""
        if wanted.private is not None:
            return wanted.private
        secret = quote is not None and quote.generation is not None and quote.generation.private
        return secret or asking.defaults.get("private") == "yes"

    async def _others(self, quote: Quote, taken: InputLimits) -> tuple[Reference, ...]:
        """The pictures of a quoted message besides the first: one of them may have been meant."""
        if quote.generation is None:
            others: list[Reference] = []
            for place, each in enumerate(quote.attachments[1:MOST_OTHERS], 1):
                with suppress(PictureError):  # nobody has asked for this one yet
                    (read,), _ = await self._read((Source(attachment=each),), taken)
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

    async def _read(
        self, sources: tuple[Source, ...], taken: InputLimits
    ) -> tuple[tuple[Reference, ...], tuple[Text, ...]]:
        """Normalise and store each picture; what had to be changed is said once."""
        references: list[Reference] = []
        notes: list[Text] = []
        if sources:  # sooner than the store itself would say so, which is asked again and again for minutes
            await self.service.check_room()
        for source in sources:
            made = await self.normaliser.normalise(source.attachment.read(), inputs=taken, folder=self.folder)
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
                    alpha=made.alpha,
                )
            )
            notes.extend(made.notes)
        return tuple(references), tuple(note for place, note in enumerate(notes) if note not in notes[:place])


def visible(asking: Asking, generation: Generation) -> None:
    """What was made privately exists for nobody else but an admin where it was made; a deleted one for nobody."""
    if generation.deleted:
        raise NotThere(text("{id} was deleted.", id=generation.id))
    check_private(asking.person, generation)
    check_shown(generation)


def check_private(person: Person, generation: Generation) -> None:
    """Raises `NotAllowed` for whoever may not look at it."""
    if generation.private and not person.owns(generation) and not person.rules(generation.space):
        raise NotAllowed(text("{id} was made privately by {name}.", id=generation.id, name=generation.person_name))


def _check_pictures(wanted: Wanted, given: int) -> None:
    if given < wanted.needs:
        raise UsageError(
            plural(
                "This needs a picture: attach it, or reply to one.",
                "This needs {count} pictures: attach them, or reply to one and attach the others.",
                wanted.needs,
            )
        )
    if not given and known_ratio(wanted.ratio) == MATCH:
        raise UsageError(
            text("The ratio {ratio} is that of a picture that you give: attach one, or reply to one.", ratio=MATCH)
        )


def _has_size(model: Model, wanted: Wanted) -> bool:
    try:
        resolve(model, wanted.size, known_ratio(wanted.ratio))
    except UsageError:
        return False
    return True


def _does(model: Model, wanted: Wanted) -> bool:
    """It does such a thing at all."""
    if wanted.mode is Mode.LAYERS:
        return model.layers > 0
    return (model.series or wanted.mode is not Mode.SERIES) and (model.references > 0 or not wanted.needs)


def no_such_picture(position: int, count: int) -> UsageError:
    """position: of the one that was asked for, from 0. count: of those that there are."""
    return UsageError(
        plural(
            "There is one picture, with the number 0; you asked for {position}.",
            "There are {count} pictures, numbered from 0; you asked for {position}.",
            count,
            position=position,
        )
    )
