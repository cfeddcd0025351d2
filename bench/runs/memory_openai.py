"""The same through the openai SDK: the answer decoded into a `BytesIO`, which is posted as a file."""

import asyncio
import base64
from io import BytesIO
from typing import Any

import aiohttp
import openai  # type: ignore[import-not-found, unused-ignore]

from bench.runs.meter import main, measured


async def work(*, base_url: str, count: int) -> dict[str, Any]:
    async with (
        openai.AsyncOpenAI(base_url=base_url, api_key="bench", timeout=300) as client,
        aiohttp.ClientSession() as session,
    ):
        with measured() as found:
            sizes = await asyncio.gather(*(_ask(client, session, base_url, number) for number in range(count)))
    return {**found, "posted_mb": sum(sizes) / 1e6, "settled": len(sizes)}


async def _ask(client: openai.AsyncOpenAI, session: aiohttp.ClientSession, base_url: str, number: int) -> int:
    answer = await client.images.generate(
        model="seedream", prompt=f"a red fox, number {number}", response_format="b64_json"
    )
    picture = BytesIO(base64.b64decode(answer.data[0].b64_json))
    form = aiohttp.FormData()
    form.add_field("file", picture, filename="fox.png", content_type="image/png")
    async with session.post(f"{base_url}/uploads", data=form) as response:
        await response.json()
    return picture.getbuffer().nbytes


if __name__ == "__main__":
    main(work)
