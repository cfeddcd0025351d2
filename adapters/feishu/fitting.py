"""The pictures of a reply as Feishu has them: each uploaded once, and small enough for a card.

A picture that had to be made smaller comes as a file too, as it is. Also what is left of a reply where Feishu does not
take its words, or its card.
"""

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Protocol
from weakref import WeakValueDictionary

import structlog

from adapters.feishu.codes import Kind, Refused, Unreachable
from adapters.feishu.outbound import Aside, Shown
from adapters.feishu.rest import Rest
from adapters.feishu.standing import Latest
from bot.chat import Picture, Reply
from bot.errors import NotThere, PictureError
from bot.i18n import Text, text, verbatim
from bot.media.fit import Fitter

log = structlog.get_logger(__name__)

IMAGE = (10_000_000, 5_000_000, 1_000_000)  # bytes; the contract says 10 MB, the rest is for where that is refused
MOST_SIDE = 12_000
FILE = 30_000_000
AT_ONCE = 4
PATIENCE = 60.0  # seconds until an upload begins
ITS_OWN = frozenset({Kind.OURS, Kind.SENSITIVE, Kind.TOO_LARGE})  # refusals that concern this one picture alone
KNOWN_KEYS = 5_000
SUFFIXES = {"image/jpeg": "jpg", "image/png": "png", "image/webp": "webp", "image/gif": "gif"}

FOLLOWS = text("A card takes pictures of up to 10 MB, so this is a smaller copy. The original comes as a file.")
NARROWER = text("The original is too large to be posted here; this is a smaller copy of it.")
NOT_TAKEN = text("Feishu does not take this picture.")
WORDLESS = text("Feishu does not take the words of this answer, so they are left out.")
NOTHING_LEFT = text("Feishu takes neither the words nor the pictures of this answer. They were drawn and are kept.")
UNSHOWN = text("Feishu does not take the pictures of this answer. They were drawn and are kept.")
UNSHOWN_GIVEN_BACK = text(
    "Feishu does not take the pictures of this answer. They were drawn and are kept, and what they took of your quota "
    "is given back to you."
)
GIVEN_BACK = text(
    "Feishu takes neither the words nor the pictures of this answer. They were drawn and are kept, and what they took "
    "of your quota is given back to you."
)

Link = Callable[[Picture], str | None]


class Blobs(Protocol):
    async def copy_to(self, key: str, file: Path) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """One picture as it is shown. key: by which cards show it, "" where it cannot be shown at all.

    note: what was done so that it fits, or why it cannot be shown. original: it is worth a file of its own. unwanted:
    Feishu shows it to nobody, for what it shows.
    """

    picture: Picture
    number: int
    key: str = ""
    note: Text | None = None
    original: bool = False
    unwanted: bool = False

    @property
    def shown(self) -> Shown:
        return Shown(picture=self.picture, key=self.key, number=self.number)


@dataclass(kw_only=True)
class Fitting:
    """link: a public address of a picture's original, where there is one.

    folder: of its own, for files that live for one post; what a killed process left there is removed.
    """

    rest: Rest
    blobs: Blobs
    fitter: Fitter
    folder: Path
    link: Link | None = None
    _known: Latest[Ready] = field(default_factory=lambda: Latest(KNOWN_KEYS))
    _files: Latest[str] = field(default_factory=lambda: Latest(KNOWN_KEYS))
    _locks: "WeakValueDictionary[str, asyncio.Lock]" = field(default_factory=WeakValueDictionary)
    _cleared: bool = False
    _slots: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))

    async def ready(self, pictures: Sequence[Picture]) -> list[Ready]:
        """The pictures in order, uploaded where that was not done yet. Raises `Refused` and `Unreachable`."""
        # One that fails stops no other: what is uploaded by then need not be uploaded again.
        found = await asyncio.gather(
            *(self._one(each, number) for number, each in enumerate(pictures, 1)), return_exceptions=True
        )
        ready = []
        for one in found:
            if isinstance(one, BaseException):
                raise one
            ready.append(one)
        return ready

    def forget(self, pictures: Sequence[Picture]) -> None:
        """Feishu does not know their keys: upload them anew."""
        for each in pictures:
            self._known.pop(each.blob, None)

    async def original(self, ready: Ready) -> str:
        """The key of the picture's own file; uploaded once."""
        blob = ready.picture.blob
        async with self._locks.setdefault(f"file {blob}", asyncio.Lock()):
            if blob not in self._files:
                async with self._slot():
                    with self._room() as folder:
                        file = folder / "original"
                        await self.blobs.copy_to(blob, file)
                        self._files[blob] = await self.rest.upload_file(file, _name(ready.picture))
            return self._files[blob]

    def asides(self, ready: Sequence[Ready], *, files: bool = True) -> list[Aside]:
        """What was done to which pictures, each thing said once, and where the originals are that do not come.

        files: whether originals can come as files at all.
        """
        notes: dict[str, tuple[Text, list[Ready]]] = {}
        linked = []
        for each in ready:
            if each.note is not None:
                comes = each.original and files
                note = FOLLOWS if comes else each.note
                notes.setdefault(str(note), (note, []))[1].append(each)
                linked += [] if comes else [each]
        asides = [Aside(words=note, about=_about(concerned, ready)) for note, concerned in notes.values()]
        return asides + [aside for each in linked for aside in self._original(each, ready)]

    async def _one(self, picture: Picture, number: int) -> Ready:
        # What is being uploaded for another post is waited for, and not uploaded twice.
        async with self._locks.setdefault(picture.blob, asyncio.Lock()):
            known = self._known.get(picture.blob)
            if known is not None:
                return replace(known, picture=picture, number=number)
            try:
                async with self._slot():
                    with self._room() as folder:
                        ready = await self._uploaded(picture, number, folder)
            except (NotThere, PictureError) as error:
                return Ready(picture=picture, number=number, note=error.text)
            except Refused as error:
                if error.kind not in ITS_OWN:
                    raise
                log.error("Feishu does not take a picture", code=error.code, log_id=error.log_id)
                unwanted = error.kind is Kind.SENSITIVE
                ready = Ready(picture=picture, number=number, note=NOT_TAKEN, unwanted=unwanted)
            self._known[picture.blob] = ready
            return ready

    async def _uploaded(self, picture: Picture, number: int, folder: Path) -> Ready:
        original = folder / "original"
        await self.blobs.copy_to(picture.blob, original)
        size = (await asyncio.to_thread(original.stat)).st_size
        key, note = await self._image(picture, original, folder, IMAGE)
        follows = note is not None and size <= FILE
        return Ready(picture=picture, number=number, key=key, note=note, original=follows)

    async def _image(
        self, picture: Picture, original: Path, folder: Path, sizes: Sequence[int]
    ) -> tuple[str, Text | None]:
        """Its key at the first of the sizes that is taken, and what was done for that."""
        file, note = await self._fitted(picture, original, sizes[0], folder)
        try:
            return await self.rest.upload_image(file), note
        except Refused as error:
            if error.kind is not Kind.TOO_LARGE or len(sizes) == 1:
                raise
        return await self._image(picture, original, folder, sizes[1:])

    async def _fitted(self, picture: Picture, original: Path, most: int, folder: Path) -> tuple[Path, Text | None]:
        """A file that is small enough, and what was done for that."""
        if max(picture.width, picture.height) > MOST_SIDE:
            smaller = await self.fitter.thumbnail(original, MOST_SIDE, folder)
            return (await self.fitter.fit(smaller, max_bytes=most, folder=folder)).file, NARROWER
        fitted = await self.fitter.fit(original, max_bytes=most, folder=folder)
        return fitted.file, fitted.note

    @asynccontextmanager
    async def _slot(self) -> AsyncIterator[None]:
        """Room for one upload. Whoever waits holds up the delivery of others, so nobody waits for long."""
        try:
            async with asyncio.timeout(PATIENCE):
                await self._slots.acquire()
        except TimeoutError as error:
            raise Unreachable("other uploads take their time") from error
        try:
            yield
        finally:
            self._slots.release()

    @contextmanager
    def _room(self) -> Iterator[Path]:
        """A folder for the files of one upload."""
        if not self._cleared:
            shutil.rmtree(self.folder, ignore_errors=True)
            self._cleared = True
        self.folder.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=self.folder, ignore_cleanup_errors=True) as folder:
            yield Path(folder)

    def _original(self, one: Ready, ready: Sequence[Ready]) -> list[Aside]:
        link = self.link(one.picture) if self.link else None
        return [Aside(words=text("The original"), about=_about([one], ready), link=link)] if link else []


def without_words(reply: Reply) -> Reply:
    """What is left where Feishu does not take the words of a reply: its pictures, and what can be done with them."""
    return replace(
        reply,
        text=WORDLESS,
        prompt="",
        rows=(),
        accounts=(),
        notes=(verbatim(reply.generation),) if reply.generation else (),
        pictures=tuple(replace(each, alt="") for each in reply.pictures),
    )


def without_pictures(reply: Reply, *, given_back: bool) -> Reply:
    """What is left where Feishu does not take the pictures either: somebody waits, and is told so."""
    buttons = tuple(each for each in reply.buttons if not each.picks)
    return replace(without_words(reply), text=GIVEN_BACK if given_back else NOTHING_LEFT, pictures=(), buttons=buttons)


def unwanted(ready: Sequence[Ready]) -> bool:
    """Whether Feishu shows none of them to anybody."""
    return any(each.unwanted for each in ready) and not any(each.key for each in ready)


def without_uploads(reply: Reply, *, given_back: bool) -> Reply:
    """What is left where Feishu has taken none of the pictures when they were uploaded."""
    buttons = tuple(each for each in reply.buttons if not each.picks)
    notes = (*reply.notes, UNSHOWN_GIVEN_BACK if given_back else UNSHOWN)
    return replace(reply, notes=notes, pictures=(), buttons=buttons)


def bare(reply: Reply) -> Reply:
    """What is left where Feishu does not take the card: the first words and the pictures."""
    return replace(reply, prompt="", rows=(), notes=(), buttons=(), accounts=())


def _about(concerned: Sequence[Ready], ready: Sequence[Ready]) -> str:
    return ", ".join(str(each.number) for each in concerned) + ": " if len(ready) > 1 else ""


def _name(picture: Picture) -> str:
    return f"{picture.generation}-{picture.index + 1}.{SUFFIXES.get(picture.media_type, 'png')}"
