"""From the provider's answer to a file that a platform takes, through the product's own code, so many at once."""

import asyncio
import tempfile
import time
from pathlib import Path
from typing import Any

from bench.runs import pictures, product
from bench.runs.meter import main, measured
from bot.media import metadata
from bot.media.fit import Fitter
from bot.media.store import Blobs
from bot.providers.base import Job, Produced, Provider

LIMIT = 10 * 2**20
PARAMETERS = {"Software": "seedream-bot", "model": product.MODEL, "size": "4K", "generation": "bench000"}


class Stages(dict[str, float]):
    """CPU seconds by stage; they tell something only where one picture is under way at a time."""

    def __init__(self) -> None:
        super().__init__()
        self._at = time.process_time()

    def done(self, name: str) -> None:
        now = time.process_time()
        self[name] = self.get(name, 0.0) + now - self._at
        self._at = now


async def work(*, base_url: str, in_flight: int, count: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        blobs = Blobs(f"file://{folder}/blobs")
        async with product.provider(base_url) as provider, Fitter() as fitter:
            await _warm_up(folder, blobs, fitter)
            turns = asyncio.Semaphore(in_flight)

            async def one(number: int) -> None:
                async with turns:
                    sizes.append(await _postable(number, folder, provider, blobs, fitter, stages))

            sizes: list[int] = []
            with measured() as found:
                stages = Stages()
                async with asyncio.TaskGroup() as tasks:
                    for number in range(count):
                        tasks.create_task(one(number))
    return {**found, "stages": stages, "bytes": max(sizes), "count": count}


async def _postable(number: int, folder: Path, provider: Provider, blobs: Blobs, fitter: Fitter, stages: Stages) -> int:
    """What runner and adapter do with a picture; returns the size of the file that would be posted."""
    own = folder / f"job-{number}"
    own.mkdir()
    job = Job(id=f"g:{number}", model=product.Offering(60).only, prompt="a fox", size="4K", folder=own)
    made = [event async for event in provider.generate(job) if isinstance(event, Produced)]
    stages.done("receive")
    await metadata.write(made[0].file, PARAMETERS)
    stages.done("parameters")
    key = await blobs.put(made[0].file)
    stages.done("store")
    file = own / "to-post"
    await blobs.copy_to(key, file)
    stages.done("copy out")
    fitted = await fitter.fit(file, max_bytes=LIMIT, folder=own)
    stages.done("fit")
    return fitted.file.stat().st_size


async def _warm_up(folder: Path, blobs: Blobs, fitter: Fitter) -> None:
    """The libraries are loaded with the first picture, here and on the other side."""
    small = folder / "small.png"
    pictures.photo(64, small)
    await blobs.copy_to(await blobs.put(small), folder / "small-copy.png")
    await fitter.fit(small, max_bytes=4000, folder=folder)


if __name__ == "__main__":
    main(work)
