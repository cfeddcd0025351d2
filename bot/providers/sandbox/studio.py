"""Where the sandbox draws: off the event loop, and with the drawing code loaded only when it is first needed."""

import asyncio
import re
from collections import OrderedDict
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path

from bot.providers.sandbox.faults import without_words
from bot.providers.sandbox.layers import Layer, plan
from bot.providers.sandbox.rules import Asked

_REMEMBERED = 10_000
# What the bot adds for a series; on a caption it would hide the person's own words.
_COUNT = re.compile(r"\n(Generate a series of \d+ coherent images\.|生成一组共\d+张连贯的图片。)$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """What decides how a picture looks, and nothing else does."""

    prompt: str
    width: int
    height: int
    seed: int
    references: tuple[bytes, ...]
    count: int
    format: str
    watermark: bool
    transparent: bool = False
    layers: tuple[Layer, ...] = ()

    @property
    def key(self) -> bytes:
        """Of the words, the seed and the references: the same scene in another size looks the same."""
        digest = sha256(f"{self.prompt}\0{self.seed}".encode())
        for reference in self.references:
            digest.update(sha256(reference).digest())
        return digest.digest()


class Studio:
    """Without a seed in the request, the first asking of the same words gets seed 0, the next one 1, and so on."""

    def __init__(self, threads: Executor, folder: Path) -> None:
        self._threads = threads
        self._folder = folder
        self._asked: OrderedDict[bytes, int] = OrderedDict()

    def scene(self, asked: Asked, width: int, height: int) -> Scene:
        scene = Scene(
            prompt=without_words(_COUNT.sub("", asked.prompt)),
            width=width,
            height=height,
            seed=asked.seed or 0,
            references=asked.references,
            count=asked.images,
            format=asked.format,
            watermark=asked.watermark,
            transparent=asked.background == "transparent",
            layers=plan(asked.references[0], width, height) if asked.layers else (),
        )
        if asked.seed is not None:
            return scene
        words = sha256(scene.key + f"{asked.model.id} {asked.size} {asked.images}".encode()).digest()
        seed = self._asked.pop(words, -1) + 1
        self._asked[words] = seed
        if len(self._asked) > _REMEMBERED:
            self._asked.popitem(last=False)
        return replace(scene, seed=seed)

    async def draw(self, scene: Scene, index: int, name: str) -> Path:
        """Draw one picture of the scene into a file of the folder."""
        file = self._folder / name
        await asyncio.get_running_loop().run_in_executor(self._threads, _draw, scene, index, file)
        return file


def _draw(scene: Scene, index: int, file: Path) -> None:
    # Here, because it loads the imaging library, 20 MiB that an idle process need not have.
    from bot.providers.sandbox.drawing import draw

    draw(scene, index, file)
