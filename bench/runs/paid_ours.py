"""Several actions through acceptance, runner and provider code, at a server with a fault; how they ended."""

import asyncio
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from bench.runs import product
from bench.runs.meter import main, measured


async def work(*, base_url: str, provider: str, actions: int, patience: float) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        async with product.drawing(Path(folder), base_url, patience=patience, name=provider) as drawing:
            with measured() as found:
                accepted = [await _ask(drawing, provider, number) for number in range(actions)]
                drawing.workers.wake()
                found["ended"] = dict(Counter(await _ends(drawing, accepted)))
    return found


async def _ask(drawing: product.Drawing, provider: str, number: int) -> str:
    asker = await product.person(drawing.database, number)
    draft = product.draft(f"action-{number}", asker, provider=provider)
    return (await product.ask(drawing.database, draft)).generation


async def _ends(drawing: product.Drawing, generations: list[str]) -> list[str]:
    async with asyncio.timeout(120):
        return [await drawing.end(each) for each in generations]


if __name__ == "__main__":
    main(work)
