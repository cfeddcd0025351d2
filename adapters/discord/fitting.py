"""The files of a reply: each as large as its place takes, with a word about what was done to it."""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Protocol

from adapters.discord.buttons import Shown
from adapters.discord.limits import Limit
from adapters.discord.outbound import Aside
from bot.chat import Picture
from bot.errors import NotThere, PictureError
from bot.i18n import Text, text
from bot.media.fit import Fitter

MOST_FILES = 10
SUFFIXES = {"image/jpeg": "jpg", "image/png": "png", "image/webp": "webp", "image/gif": "gif"}
Link = Callable[[Picture], str | None]


class Blobs(Protocol):
    async def copy_to(self, key: str, file: Path) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """One picture as it is posted. file: its bytes; None where they stand on Discord already, as `attachment`.

    note: what was done so that it fits, or why it cannot be shown at all (then there is no name).
    """

    picture: Picture
    number: int
    name: str = ""
    size: int = 0
    file: Path | None = None
    attachment: str = ""
    note: Text | None = None

    @property
    def key(self) -> str:
        return key_of(self.picture)

    @property
    def shown(self) -> Shown:
        return Shown(picture=self.picture, name=self.name, number=self.number)


@dataclass(kw_only=True)
class Fitting:
    """link: a public address of a picture's original, where there is one. folder: for files that live for one post."""

    blobs: Blobs
    fitter: Fitter
    folder: Path
    link: Link | None = None

    @contextmanager
    def room(self) -> Iterator[Path]:
        """A folder for the files of one post."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=self.folder, ignore_cleanup_errors=True) as folder:
            yield Path(folder)

    async def ready(
        self, pictures: Sequence[Picture], standing: Mapping[str, Ready], *, most: int, folder: Path
    ) -> list[Ready]:
        """The pictures in order, each at most `most` bytes. standing: by `key_of`, those that Discord has already."""
        return await asyncio.gather(
            *(
                self._one(picture, number, standing.get(key_of(picture)), most, folder)
                for number, picture in enumerate(pictures, 1)
            )
        )

    async def _one(self, picture: Picture, number: int, standing: Ready | None, most: int, folder: Path) -> Ready:
        if standing is not None:
            return Ready(
                picture=picture,
                number=number,
                name=standing.name,
                size=standing.size,
                attachment=standing.attachment,
                note=standing.note,
            )
        original = folder / f"{number}"
        try:
            await self.blobs.copy_to(picture.blob, original)
            fitted = await self.fitter.fit(original, max_bytes=most, folder=folder, lossless=True)
        except (NotThere, PictureError) as error:
            return Ready(picture=picture, number=number, note=error.text)
        suffix = SUFFIXES.get(fitted.media_type, "png")
        size = (await asyncio.to_thread(fitted.file.stat)).st_size
        name = f"{picture.generation}-{picture.index + 1}.{suffix}"
        return Ready(picture=picture, number=number, name=name, size=size, file=fitted.file, note=fitted.note)

    def asides(self, ready: Sequence[Ready]) -> list[Aside]:
        """What was done to which pictures, each thing said once, and where the originals are."""
        numbers: dict[str, list[Ready]] = {}
        for each in ready:
            if each.note is not None:
                numbers.setdefault(str(each.note), []).append(each)
        asides = []
        for concerned in numbers.values():
            note = concerned[0].note
            if note is not None:
                about = ", ".join(str(each.number) for each in concerned) + ": " if len(ready) > 1 else ""
                asides.append(Aside(words=note, about=about))
        return asides + [aside for each in ready if each.note is not None for aside in self._original(each, ready)]

    def _original(self, one: Ready, ready: Sequence[Ready]) -> list[Aside]:
        link = self.link(one.picture) if self.link else None
        about = f"{one.number}: " if len(ready) > 1 else ""
        return [Aside(words=text("The original"), about=about, link=link)] if link else []


def key_of(picture: Picture) -> str:
    return f"{picture.generation}:{picture.index}"


def pages(ready: Sequence[Ready], limit: Limit, *, first: int = MOST_FILES) -> list[list[Ready]]:
    """The shown pictures in order, as many in each message as it takes; one empty message where there are none.

    first: how many the first one shows at most.
    """
    found: list[list[Ready]] = [[]]
    room = limit.message
    for each in (one for one in ready if one.name):
        most = first if len(found) == 1 else MOST_FILES
        if found[-1] and (len(found[-1]) == most or each.size > room):
            found.append([])
            room = limit.message
        found[-1].append(each)
        room -= each.size
    return found
