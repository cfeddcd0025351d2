"""One message of a post on its way: what it shows, and what stands of it already."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from adapters.discord.buttons import Json
from adapters.discord.fitting import Ready
from adapters.discord.outbound import Aside, message
from adapters.discord.rest import Token, Upload
from adapters.discord.standing import Page, attachment_ids, digest
from adapters.discord.target import Target
from bot.chat import Post
from bot.i18n import text

ELSEWHERE = text("I could not show this where you asked for it, so it comes here.")


class FilesNeeded(Exception):
    """A new message needs the bytes of files that until now only stood in another one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One message of a post on its way. before: what stands, if anything. home: the channel of the post's first one.

    moved: what stands in another channel, and is taken away once this one is there. files: those that stand in `before`
    need not be sent again. lacking: what is said in a channel of permissions that the bot has not.
    """

    post: Post
    target: Target
    number: int
    files: Sequence[Ready]
    asides: Sequence[Aside]
    before: Page | None
    home: str
    lacking: Callable[[str], Sequence[Aside]]
    moved: Page | None = None

    @property
    def hidden(self) -> bool:
        return self.post.reply.private or self.post.place.private

    @property
    def token(self) -> Token:
        return Token(self.target.application, self.target.token)

    @property
    def uploads(self) -> list[Upload]:
        return [Upload(each.name, each.file) for each in self.files if each.file]

    @property
    def replaced(self) -> str:
        """The message in whose place a new one comes."""
        gone = self.before or self.moved
        return gone.id if gone else ""

    def body(self, channel: str, *, private: bool = False) -> Json:
        """As it is shown in this channel."""
        elsewhere = channel != self.target.channel
        asides = [*self.asides, *([Aside(words=ELSEWHERE)] if elsewhere else []), *self.lacking(channel)]
        spoiler = self.target.spoiler or self.post.reply.spoiler or (self.target.nsfw and elsewhere)
        shown = [each.shown for each in self.files]
        body = message(self.post.reply, shown, asides=asides, spoiler=spoiler, further=self.number > 0, private=private)
        new = iter(range(len(self.files)))
        attachments = [{"id": each.attachment or next(new), "filename": each.name} for each in self.files]
        return {**body, "attachments": attachments}

    def stands(self) -> bool:
        """Whether what stands already shows this, so that nothing has to be said."""
        before = self.before
        return before is not None and before.digest == digest(self.body(before.channel), self.files)

    def page(self, answer: Json) -> Page:
        """What stands now, by what Discord answered."""
        channel = str(answer["channel_id"])
        return Page(
            channel=channel,
            id=str(answer["id"]),
            digest=digest(self.body(channel), self.files),
            files={
                each.key: replace(each, file=None, attachment=attachment)
                for each, attachment in zip(self.files, attachment_ids(answer), strict=False)
                if attachment
            },
        )

    def check_files(self, before: Page | None) -> None:
        """Raises `FilesNeeded` where a file is neither at hand nor in this message."""
        standing = before.files if before else {}
        if any(each.file is None and each.key not in standing for each in self.files):
            raise FilesNeeded
