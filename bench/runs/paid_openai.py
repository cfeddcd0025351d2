"""The same actions through the openai SDK as it comes, but for a time-out that images need."""

import asyncio
from collections import Counter
from typing import Any

import openai  # type: ignore[import-not-found, unused-ignore]

from bench.runs.meter import main, measured


async def work(*, base_url: str, actions: int, patience: float, model: str) -> dict[str, Any]:
    async with openai.AsyncOpenAI(base_url=base_url, api_key="bench", timeout=patience) as client:
        with measured() as found:
            ended = await asyncio.gather(*(_act(client, model) for _ in range(actions)))
            found["ended"] = dict(Counter(ended))
    return found


async def _act(client: openai.AsyncOpenAI, model: str) -> str:
    try:
        await client.images.generate(
            model=model, prompt="a red fox in the snow", size="1024x1024", response_format="b64_json"
        )
    except (openai.OpenAIError, ValueError) as error:  # an answer that is cut surfaces as a JSON error
        return type(error).__name__
    return "an answer"


if __name__ == "__main__":
    main(work)
