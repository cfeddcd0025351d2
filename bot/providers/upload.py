"""The body of one paid Images API request: only the keys that the model knows, references streamed from their files.

Some models answer 400 to the mere presence of a key that they do not have, so what is not needed is left out.
"""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pybase64

from bot.providers.base import InputPicture, Job

_PIECE = 3 * 256 * 1024  # a multiple of 3: each piece of base64 then joins the next without padding
_HAN = re.compile(r"[\u4e00-\u9fff]")


@dataclass(frozen=True, slots=True)
class Upload:
    """`size` is known before the first byte leaves, because gateways dislike chunked requests."""

    before: bytes
    references: tuple[tuple[bytes, Path, int], ...]
    after: bytes

    @property
    def size(self) -> int:
        return (
            len(self.before)
            + len(self.after)
            + sum(len(prefix) + 4 * -(-size // 3) + 1 for prefix, _, size in self.references)
            + max(0, len(self.references) - 1)
        )

    async def chunks(self) -> AsyncIterator[bytes]:
        yield self.before
        for number, (prefix, path, size) in enumerate(self.references):
            yield (b"," if number else b"") + prefix
            for offset in range(0, size, _PIECE):
                yield await asyncio.to_thread(_encoded, path, offset)
            yield b'"'
        yield self.after


def upload(job: Job) -> Upload:
    """The request's body. Looks up the references' sizes, and reads them only while it is sent."""
    words = json.dumps(wire_fields(job), ensure_ascii=False).encode()
    if not job.references:
        return Upload(words, (), b"")
    references = tuple((_prefix(picture), picture.path, picture.path.stat().st_size) for picture in job.references)
    return Upload(words[:-1] + b', "image": [', references, b"]}")


def wire_fields(job: Job) -> dict[str, Any]:
    """Every field but the references."""
    model = job.model
    fields: dict[str, Any] = {
        "model": model.id,
        "prompt": job.prompt,
        "size": job.size,
        # A series in base64 would be one answer of tens of megabytes, and some servers refuse it.
        "response_format": "url" if job.series else "b64_json",
        "watermark": job.watermark,  # left out, it is true upstream
    }
    if len(model.formats) > 1:
        fields["output_format"] = job.format or model.formats[0]
    if job.series and model.series:
        fields["prompt"] = f"{job.prompt}\n{_count_words(job)}"
        fields["sequential_image_generation"] = "auto"
        # Left out, it is 15 pictures upstream, all billed.
        fields["sequential_image_generation_options"] = {"max_images": job.images}
        if model.stream:
            fields["stream"] = True
    return fields


def _count_words(job: Job) -> str:
    """`max_images` is only an upper bound: without a number in the words the model often draws one picture."""
    if _HAN.search(job.prompt):
        return f"生成一组共{job.images}张连贯的图片。"
    return f"Generate a series of {job.images} coherent images."


def _prefix(picture: InputPicture) -> bytes:
    # The format has to be lower case, and bare base64 is refused.
    return f'"data:{picture.media_type.lower()};base64,'.encode()


def _encoded(path: Path, offset: int) -> bytes:
    with path.open("rb") as file:
        file.seek(offset)
        return pybase64.b64encode(file.read(_PIECE))
