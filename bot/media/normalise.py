"""What people send, made into what a model takes: read with limits, decoded in a process of its own, metadata gone.

Type and size are told from the bytes; names and claimed types are not even passed in.
"""

import asyncio
import contextlib
import json
import os
import secrets
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from dataclasses import asdict, dataclass
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Any, Self

import bot
from bot.catalogue import InputLimits
from bot.errors import BotError, PictureError
from bot.i18n import Text, text
from bot.media.sniff import HEAD, dimensions, measure, sniff
from bot.media.spool import disk_full, disk_full_is_unavailable, spool

GLANCE = 256 * 1024  # a frame header further behind (thick EXIF, profiles) is left to the child
MEASURABLE = {"image/png", "image/jpeg", "image/webp"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Normalised:
    """A file of the caller's, fit for the model; `notes` tell the person what had to be changed.

    alpha: something of it shines through.
    """

    file: Path
    media_type: str
    width: int
    height: int
    size: int
    notes: tuple[Text, ...] = ()
    alpha: bool = False


class Normaliser:
    """Decodes at most `processes` pictures at a time; others wait. Leaving the block ends what still runs.

    max_bytes, max_pixels: what is taken at all, before a model's own limits. memory and seconds: of one child.
    """

    def __init__(
        self,
        *,
        max_bytes: int = 30 * 2**20,
        max_pixels: int = 36_000_000,
        memory: int = 2**30,
        seconds: int = 20,
        processes: int = 2,
    ) -> None:
        self._max_bytes = max_bytes
        self._max_pixels = max_pixels
        self._memory = memory
        self._seconds = seconds
        self._turns = asyncio.Semaphore(processes)
        self._running: set[asyncio.subprocess.Process] = set()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in self._running:
            _kill(process)

    async def normalise(self, chunks: AsyncIterator[bytes], *, inputs: InputLimits, folder: Path) -> Normalised:
        """Read one picture and return it as a file in `folder`; nothing else stays there, whatever happens.

        Raises `PictureError` with words for the person, and `Unavailable` where the disk is full.
        """
        with disk_full_is_unavailable(), TemporaryDirectory(dir=folder, prefix="normalise-") as work:
            source = Path(work, "sent")
            await spool(chunks, source, max_bytes=self._max_bytes)
            await asyncio.to_thread(self._glance, source)
            async with self._turns:
                answer = await self._decode(source, inputs)
            if "error" in answer:
                raise self._refusal(answer)
            return _take_over(Path(work), answer, folder)  # not in a thread: a cancelled task would leave the file

    def _glance(self, source: Path) -> None:
        """Refuse what its first bytes already give away, before a process is started for it."""
        with source.open("rb") as file:
            head = file.read(GLANCE)
        if not head:
            raise PictureError(text("The picture is empty."))
        media_type = sniff(head[:HEAD])
        if not media_type:
            raise _not_a_picture("unknown first bytes")
        if media_type in MEASURABLE:
            self._check_pixels(head)

    def _check_pixels(self, head: bytes) -> None:
        try:
            width, height = measure(BytesIO(head))
        except PictureError:
            return  # what cannot be measured so early is the child's to judge
        if width * height > self._max_pixels:
            raise self._too_many_pixels(f"{width}x{height}")

    async def _decode(self, source: Path, inputs: InputLimits) -> dict[str, Any]:
        job = {
            "source": str(source),
            "target": str(source.with_name("made")),
            "max_pixels": self._max_pixels,
            "memory": self._memory,
            "seconds": self._seconds,
            "limits": asdict(inputs),
        }
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", "bot.media.decode", json.dumps(job)),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,  # decoders write what a picture tells them to
            env=_environment(os.environ),
        )
        self._running.add(process)
        try:
            async with asyncio.timeout(3 * self._seconds):  # a busy machine may take longer than its processor
                output, _ = await process.communicate()
        except TimeoutError as error:
            raise _too_slow("wall clock") from error
        finally:
            self._running.discard(process)
            await _end(process)
        return _answer(process.returncode, output)

    def _refusal(self, answer: dict[str, Any]) -> BotError:
        detail = str(answer.get("detail", answer))
        match answer.get("error"):
            case "unreadable":
                return _not_a_picture(detail)
            case "pixels":
                return self._too_many_pixels(detail)
            case "memory":
                return PictureError(
                    text("The picture takes too much memory to read. Please send a smaller one."), detail=detail
                )
            case "bytes":
                return PictureError(
                    text("The picture cannot be made small enough for the model. Please send another one."),
                    detail=detail,
                )
            case "time":
                return _too_slow(detail)
            case "disk":
                return disk_full(detail)
            case _:
                return PictureError(
                    text("The picture is damaged or incomplete and cannot be read. Please send it again."),
                    detail=detail,
                )

    def _too_many_pixels(self, detail: str) -> PictureError:
        limit = f"{self._max_pixels / 1_000_000:g}"
        return PictureError(
            text("The picture has more than {limit} million pixels. Please send a smaller one.", limit=limit),
            detail=detail,
        )


def _environment(ours: Mapping[str, str]) -> dict[str, str]:
    """What the child needs to find its modules, and none of our secrets."""
    kept = {name: ours[name] for name in ("PATH", "SYSTEMROOT", "TMPDIR", "LD_LIBRARY_PATH") if name in ours}
    paths = [str(Path(bot.__file__).parent.parent), *filter(None, [ours.get("PYTHONPATH")])]
    # Every arena of the allocator reserves 64 MiB of the address space that the child is limited to.
    return {**kept, "PYTHONPATH": os.pathsep.join(paths), "MALLOC_ARENA_MAX": "2"}


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        _kill(process)
        await process.communicate()


def _kill(process: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(ProcessLookupError):  # it ended in this very moment
        process.kill()


def _answer(code: int | None, output: bytes) -> dict[str, Any]:
    if code == 0:
        answer: dict[str, Any] = json.loads(output)
        return answer
    if code is not None and -code in (getattr(signal, "SIGXCPU", 0), getattr(signal, "SIGKILL", 0)):
        return {"error": "time", "detail": "processor time"}
    return {"error": "damaged", "detail": f"the decoder ended with {code}"}


def _take_over(work: Path, answer: dict[str, Any], folder: Path) -> Normalised:
    """Move what the child made to its place. The child's claims are used as a name, as words for the person, and for
    what the picture may be asked for; of the file itself nothing is believed.
    """
    made = work / Path(answer["file"]).name
    with made.open("rb") as file:
        media_type = sniff(file.read(HEAD))
    width, height = dimensions(made)
    size = made.stat().st_size
    return Normalised(
        file=made.replace(folder / f"{secrets.token_hex(8)}{made.suffix}"),
        media_type=media_type,
        width=width,
        height=height,
        size=size,
        notes=tuple(_note(change, width, height) for change in answer["changes"]),
        alpha=answer["alpha"] is True and media_type != "image/jpeg",
    )


def _note(change: str, width: int, height: int) -> Text:
    match change:
        case "smaller":
            return text("Your picture was made smaller, to {width}x{height}.", width=width, height=height)
        case "larger":
            return text("Your picture was made larger, to {width}x{height}.", width=width, height=height)
        case "padded":
            return text(
                "Your picture was too long for the model, so it got margins and is now {width}x{height}.",
                width=width,
                height=height,
            )
        case _:
            return text("Your picture moves; its first frame was taken.")


def _not_a_picture(detail: str) -> PictureError:
    return PictureError(
        text("This is not a picture that the bot can read: JPEG, PNG, WebP, GIF, BMP, TIFF, AVIF or HEIC."),
        detail=detail,
    )


def _too_slow(detail: str) -> PictureError:
    return PictureError(text("The picture took too long to read. Please send a simpler or smaller one."), detail=detail)
