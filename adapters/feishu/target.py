"""Where a post goes, by the Place that `inbound` stored, and what is on its way there."""

from collections.abc import Sequence
from dataclasses import dataclass

from adapters.feishu.event import Where
from adapters.feishu.fitting import Ready
from adapters.feishu.outbound import Aside
from adapters.feishu.standing import Card
from bot.chat import Place, Post, Reply


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """anchor: the message to reply to, "" for none. thread: it stands in a topic, and so shall the answer.

    direct: for certain a conversation of one person with the bot. A press does not say what kind of chat it was in, and
    until that is known nothing private is shown there. log: another chat than the one where it was asked, so there is
    nothing to answer there and nobody to write to.
    """

    chat: str = ""
    user: str = ""
    anchor: str = ""
    thread: bool = False
    direct: bool = False
    log: bool = False

    @property
    def paced(self) -> str:
        """Where what is sent here counts: a person has one pace, by whichever id their chat is reached."""
        return self.user if self.direct and self.user else self.chat or self.user


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One card of a post on its way. before: what stands, if anything. elsewhere: the cards before it went astray."""

    post: Post
    reply: Reply
    target: Target
    number: int
    pictures: Sequence[Ready]
    asides: Sequence[Aside]
    before: Card | None
    elsewhere: bool = False

    @property
    def hidden(self) -> bool:
        """It must not be seen by the group in which it was asked for."""
        return (self.reply.private or self.post.place.private) and not self.target.direct


def target(place: Place) -> Target:
    """`room` names the chat where the core itself chose one; everything else holds for the chat of the asking."""
    where = Where.model_validate({name: place.data[name] for name in Where.model_fields if name in place.data})
    if place.room and place.room != where.chat:
        return Target(chat=place.room, log=True)
    return Target(
        chat=where.chat,
        user=where.user,
        anchor=where.message or where.card,
        thread=where.thread,
        direct=where.kind == "p2p" or not where.chat,
    )
