"""The buttons of the review room: Approve, Refuse, and whether what was refused is given back."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from bot.asking import Answer, Asking, Press
from bot.chat import Reply
from bot.clock import micros
from bot.generation.presenting import GIVEN_BACK, give_back
from bot.generation.record import Generation
from bot.generation.service import GenerationService
from bot.i18n import Text, text
from bot.moderation import reviews
from bot.moderation.reviews import Decision
from bot.storage.database import Database


@dataclass(frozen=True, kw_only=True)
class Reviewing:
    service: GenerationService
    database: Database
    clock: Callable[[], datetime]

    async def approve(self, asking: Asking, generation: Generation, index: int) -> Answer:
        return await self._decide(asking, generation, "approved")

    async def refuse(self, asking: Asking, generation: Generation, index: int) -> Answer:
        return await self._decide(asking, generation, "refused")

    async def give_back(self, asking: Asking, generation: Generation, index: int) -> Answer:
        at = micros(self.clock())
        refunded = await self.database.transaction(
            reviews.give_back, generation.id, asking.person, at, self.service.zone
        )
        self.service.changed(refunded.id)
        return Reply(text=GIVEN_BACK, private=True)

    def presses(self) -> dict[str, Press]:
        return {"approve": self.approve, "refuse": self.refuse, "give-back": self.give_back}

    async def _decide(self, asking: Asking, generation: Generation, state: str) -> Answer:
        at = micros(self.clock())
        decision = await self.database.transaction(reviews.decide, generation.id, state, asking.person, at)
        self.service.changed(decision.generation.id)
        asks = decision.first and decision.state == "refused" and decision.generation.charged > 0
        buttons = (give_back(decision.generation.id),) if asks and not decision.generation.given_back else ()
        return Reply(text=_told(decision), buttons=buttons, private=True)


def _told(decision: Decision) -> Text:
    said = {"admin": decision.by, "name": decision.generation.person_name}
    match decision.state, decision.first:
        case "approved", True:
            return text("Approved: {name} sees it now.", **said)
        case "refused", True:
            return text("Refused: {name} is told so. Shall what it cost be given back?", **said)
        case "approved", False:
            return text("{admin} has approved it before.", **said)
        case "refused", False:
            return text("{admin} has refused it before.", **said)
        case _:
            return text("Reviews were switched off before, so {name} sees it.", **said)
