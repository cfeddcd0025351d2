"""What the buttons under a picture do. A button carries ids only; the presser's own rights and quota count."""

from dataclasses import dataclass, replace
from functools import partial

from bot.asking import Answer, Asking, Presses, Quote
from bot.catalogue.sizes import closest_ratio, resolve, top_tier
from bot.chat import Attachment, Reply, Tone
from bot.command import Command, Kind, option
from bot.commands.choice import every_offer
from bot.commands.details import Address, details
from bot.commands.drawing import Drawing, visible
from bot.commands.wanted import Wanted
from bot.errors import NotAllowed, NotThere, UsageError
from bot.generation.outbox import review_due
from bot.generation.record import Generation
from bot.generation.states import State
from bot.i18n import text
from bot.moderation.policy import check as check_rules
from bot.request import Mode
from bot.storage.database import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class Vary:
    prompt: str = option(Kind.WORDS, text("Other words, if the same ones will not do"), default="")
    id: str = option(Kind.ID, text("The short id that stands under a picture"), default="")


@dataclass(frozen=True, slots=True, kw_only=True)
class Again:
    id: str = option(Kind.ID, text("The short id that stands under a picture"), default="")


@dataclass(frozen=True, kw_only=True)
class Buttons:
    """address: where the picture of a generation and index can be seen as it is, if anywhere."""

    drawing: Drawing
    database: Database
    address: Address | None = None

    def presses(self) -> Presses:
        return {
            "again": self.again,
            "vary": self.vary,
            "edit": self.edit,
            "instead": self.instead,
            "upscale": self.upscale,
            "details": self.details,
            "go": self.go,
            "decline": self.decline,
        }

    def commands(self) -> tuple[Command, ...]:
        """Those that make sense as words too: in reply to a picture, or with its id."""
        return (
            Command(
                name="vary",
                summary=text("Draw another picture close to one: reply to it, or give its id"),
                request=Vary,
                handle=self.vary_words,
                aliases=("变化",),
            ),
            Command(
                name="again",
                summary=text("Ask for the same once more"),
                request=Again,
                handle=self.again_words,
                aliases=("再来",),
            ),
        )

    async def vary_words(self, request: Vary, asking: Asking) -> Answer:
        generation, index = await self._meant(asking, request.id)
        return await self._from_picture(asking, generation, index, request.prompt or generation.request.prompt)

    async def again_words(self, request: Again, asking: Asking) -> Answer:
        generation, index = await self._meant(asking, request.id)
        return await self.again(asking, generation, index)

    async def again(self, asking: Asking, generation: Generation, index: int | None) -> Answer:
        """The same once more, on the presser's quota."""
        visible(asking, generation)
        for reference in generation.request.references:
            if not await self._stored(reference.blob):
                raise NotThere(text("The pictures that {id} was made from were cleaned up.", id=generation.id))
        return await self.drawing.again(asking, generation.request, private=generation.private)

    async def vary(self, asking: Asking, generation: Generation, index: int) -> Answer:
        """Another picture with the same words, close to this one."""
        words = str(asking.invocation.values.get("prompt") or generation.request.prompt)
        return await self._from_picture(asking, generation, index, words)

    async def edit(self, asking: Asking, generation: Generation, index: int) -> Answer:
        words = str(asking.invocation.values.get("prompt") or "").strip()
        if not words:
            raise UsageError(text("Say what should change: reply to the picture with your words."))
        return await self._from_picture(asking, generation, index, words)

    async def instead(self, asking: Asking, generation: Generation, index: int) -> Answer:
        """The same words for another picture of the message that was replied to."""
        visible(asking, generation)
        meant = next((each for each in generation.others if each.index == index), None)
        if meant is None:
            raise UsageError(text("There is no such picture in the message that was replied to."))
        if meant.generation:
            parent = await self.drawing.service.load(meant.generation)
            return await self._from_picture(asking, parent, index, generation.request.prompt)
        wanted = self._wanted(generation, generation.request.prompt)
        picture = Attachment(name=generation.id, read=partial(self.drawing.blobs.read, meant.blob), size=meant.size)
        return await self.drawing.draw(asking, wanted, Quote(attachments=(picture,)))

    async def upscale(self, asking: Asking, generation: Generation, index: int) -> Answer:
        """The picture again at the model's top size, with itself as the reference."""
        model = self.drawing.router.offers(generation.request.model)[0]
        image = next((each for each in generation.images if each.index == index), None)
        ratio = closest_ratio(model, image.width, image.height) if image else ""
        size = resolve(model, top_tier(model), ratio)
        return await self._from_picture(asking, generation, index, generation.request.prompt, size=size)

    async def details(self, asking: Asking, generation: Generation, index: int) -> Answer:
        visible(asking, generation)
        return await self.database.read(details, generation, self._title(generation), self.address)

    async def go(self, asking: Asking, generation: Generation, index: int) -> Answer:
        if generation.space != asking.person.space:  # whose rules, and whose roles, count is not known here
            raise NotAllowed(text("This question is answered where it was asked."))
        if generation.state is State.ASKED:
            check_rules(asking.rules, generation.request)
            if await self.drawing.moderated(asking, generation.request.prompt):
                await self.database.transaction(review_due, generation.id, generation.space)
        return await self.drawing.service.go(generation.id, asking.invocation.id, asking.person, asking.rules)

    async def decline(self, asking: Asking, generation: Generation, index: int) -> Answer:
        # Declined already: a press that a crash interrupted is told the same the second time.
        declined = generation.state is State.CANCELLED and not generation.started_at
        if generation.state is not State.ASKED and not declined:
            raise UsageError(text("This question was answered before."))
        await self.drawing.service.cancel(generation.id, asking.person)
        return Reply(text=text("Not now, then. Nothing was charged."), tone=Tone.ANSWER, private=True)

    async def _from_picture(
        self, asking: Asking, generation: Generation, index: int | None, words: str, *, size: str = ""
    ) -> Answer:
        visible(asking, generation)
        wanted = replace(self._wanted(generation, words), size=size)
        return await self.drawing.draw(asking, wanted, Quote(generation=generation, index=index))

    def _wanted(self, generation: Generation, words: str) -> Wanted:
        """One picture that is changed, with the same choices as before where that model can change pictures."""
        request = generation.request
        wanted = Wanted(mode=Mode.EDIT, prompt=words, watermark=request.watermark, private=generation.private, needs=1)
        if not self._changes_pictures(request.model):
            return wanted  # the presser's usual model does it, which has choices of its own
        return replace(
            wanted,
            model=request.model,
            format=request.format,
            optimize=request.optimize,
            background=request.background,
            search=request.search,
            guidance=request.guidance,  # but not its seed: with that it would hardly change
        )

    def _changes_pictures(self, model: str) -> bool:
        return any(offer.references for offer in every_offer(self.drawing.router) if offer.name == model)

    async def _meant(self, asking: Asking, handle: str) -> tuple[Generation, int | None]:
        """The picture with this id (`ID` or `ID:INDEX`), else the one that was replied to."""
        if handle:
            name, _, index = handle.partition(":")
            return await self.drawing.service.load(name), int(index) if index else None
        if asking.quote is None or asking.quote.generation is None:
            raise UsageError(text("Reply to a picture of mine, or give its id."))
        return asking.quote.generation, asking.quote.index

    def _title(self, generation: Generation) -> str:
        """The provider's name as it writes it; its short one where this version does not know it any more."""
        catalogue = self.drawing.router.catalogue
        known = generation.provider in catalogue.providers
        return catalogue.offer(generation.provider).title if known else generation.provider

    async def _stored(self, blob: str) -> bool:
        return bool(await self.database.fetch("SELECT 1 FROM blobs WHERE key=:key", key=blob))
