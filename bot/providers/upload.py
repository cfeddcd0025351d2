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
    return body_of(wire_fields(job), job.references)


def body_of(fields: dict[str, Any], references: tuple[InputPicture, ...], key: str = "image") -> Upload:
    """Fields, at least one, as JSON; the references stand as data URIs in a list under `key`, left out if empty."""
    words = json.dumps(fields, ensure_ascii=False).encode()
    if not references:
        return Upload(words, (), b"")
    files = tuple((_prefix(picture), picture.path, picture.path.stat().st_size) for picture in references)
    return Upload(words[:-1] + f', "{key}": ['.encode(), files, b"]}")


def wire_fields(job: Job) -> dict[str, Any]:
    """Every field but the references."""
    fields: dict[str, Any] = {
        "model": job.model.id,
        "prompt": job.prompt,
        "size": job.size,
        # Many pictures in base64 would be one answer of tens of megabytes, and some servers refuse it.
        "response_format": "url" if job.series or job.layers else "b64_json",
        "watermark": job.watermark,  # left out, it is true upstream
    }
    if job.layers:
        if not job.prompt.strip():
            del fields["prompt"]
        return {**fields, "layer_decomposition": True}  # nothing else goes with it: layers are always PNG
    return {**fields, **_chosen(job), **_series(job)}


def _chosen(job: Job) -> dict[str, Any]:
    """What somebody chose, as far as this model has it to choose."""
    model = job.model
    fields: dict[str, Any] = {}
    if len(model.formats) > 1:
        # Only PNG of the two can be transparent.
        fields["output_format"] = job.format or ("png" if job.background == "transparent" else model.formats[0])
    if job.background and len(model.backgrounds) > 1:
        fields["background"] = job.background
    if job.optimize and len(model.optimize) > 1:
        fields["optimize_prompt_options"] = {"mode": job.optimize}
    if job.search and model.search:
        fields["tools"] = [{"type": "web_search"}]
    if job.seed is not None and model.seed:
        fields["seed"] = job.seed
    if job.guidance is not None and model.guidance:
        fields["guidance_scale"] = job.guidance
    return fields


def _series(job: Job) -> dict[str, Any]:
    if not (job.series and job.model.series):
        return {}
    fields: dict[str, Any] = {
        "prompt": f"{job.prompt}\n{_count_words(job)}",
        "sequential_image_generation": "auto",
        # Left out, it is 15 pictures upstream, all billed.
        "sequential_image_generation_options": {"max_images": job.images},
    }
    if job.model.stream:
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
