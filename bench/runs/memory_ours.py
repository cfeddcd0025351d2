"""So many askings at once through the whole bot: received, stored, and posted to a platform that takes uploads."""

import asyncio
import tempfile
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import aiohttp
from pydantic import SecretStr

from bench.runs.meter import main, measured
from bot.app import App, running
from bot.chat import Actor, Adapter, CannotPost, Invocation, Place, Post
from bot.generation.accepting import Accepted
from bot.media.store import Blobs
from bot.settings import ModelArk, Queue, Settings


class Uploads:
    """A platform that takes files: each picture goes there from the store, piece by piece."""

    name = "uploads"
    pace = 5.0

    def __init__(self, address: str, blobs: Blobs, session: aiohttp.ClientSession) -> None:
        self._address = address
        self._blobs = blobs
        self._session = session
        self.bytes = 0

    async def post(self, post: Post) -> str:
        for picture in post.reply.pictures:
            headers = {"Content-Length": str(picture.size), "Content-Type": picture.media_type}
            body = self._blobs.read(picture.blob)
            async with self._session.post(self._address, data=body, headers=headers) as response:
                if response.status != 200:
                    raise CannotPost(str(response.status))
                taken = await response.json()
            self.bytes += taken["size"]
        return f"message of {post.key}"

    async def replay(self, raw: Mapping[str, Any]) -> Invocation | None:
        return None


async def work(*, base_url: str, count: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        async with (
            running(_settings(Path(folder), base_url, count), listen=False) as app,
            aiohttp.ClientSession() as session,
        ):
            uploads = Uploads(f"{base_url}/uploads", app.blobs, session)
            cast("dict[str, Adapter]", app.delivery.adapters)[uploads.name] = uploads
            with measured() as found:
                async with asyncio.timeout(300):
                    states = await asyncio.gather(*(_ask(app, number) for number in range(count)))
    return {**found, "posted_mb": uploads.bytes / 1e6, "settled": states.count("settled")}


async def _ask(app: App, number: int) -> str:
    """One person asks once; returns how it ended, which stands on the platform then."""
    actor = Actor(adapter=Uploads.name, user=str(number), name=f"person {number}", space="bench")
    invocation = Invocation(
        id=f"event-{number}",
        actor=actor,
        place=Place(adapter=Uploads.name),
        received=datetime.now(UTC),
        line=f"/imagine a red fox, number {number}",
    )
    await app.dispatcher.accept(invocation, {"event": number})
    answer = await app.dispatcher.outcome(invocation.id)
    if not isinstance(answer, Accepted):
        raise RuntimeError(f"not accepted: {answer}")
    return (await app.delivery.end_of(answer.generation)).state


def _settings(folder: Path, base_url: str, count: int) -> Settings:
    return Settings(
        data_dir=folder,
        providers=("modelark",),
        modelark=ModelArk(api_key=SecretStr("bench"), base_url=base_url),
        queue=Queue(running=count, images_per_minute=1_000_000),
    )


if __name__ == "__main__":
    main(work)
