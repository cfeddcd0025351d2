"""A whole bot whose pictures lie in a bucket: drawn, built upon, shown, cleaned up and deleted, as from a folder."""

import json
import urllib.request
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from yarl import URL

from bot.app import App, running
from bot.errors import CannotStart, Unavailable
from bot.media import bucket
from bot.media.sniff import measure
from bot.ops.doctor import examine
from bot.ops.janitor import Janitor
from bot.ops.sending import Asked
from bot.providers.base import Prepared
from bot.settings import Settings
from tests.fakes import painted
from tests.simulators import apiframe_bench
from tests.simulators.apiframe import ApiframeSim
from tests.simulators.apiframe_jobs import SimJob, Uploaded
from tests.simulators.s3 import Store, answers, between

pytestmark = pytest.mark.slow

PUBLIC = "https://bot.example"


def settings(folder: Path, store: Store, *, place: str = "", **wanted: Any) -> Settings:
    given: dict[str, Any] = {
        "data_dir": folder,
        "blobs_url": place or store.place(),
        "s3": store.access,
        "web": {"port": 0, "token": "a-token-of-the-page", "public_url": PUBLIC},
        "providers": ["sandbox"],
    }
    return Settings(**{**given, **wanted})


async def says(app: App, words: str = "", **asked: Any) -> dict[str, Any]:
    return await app.sending.send(Asked(person="", words=words, yes=True, **asked))


@asynccontextmanager
async def visiting(app: App) -> AsyncIterator[aiohttp.ClientSession]:
    assert app.listener is not None
    async with aiohttp.ClientSession(app.listener.url) as session:
        yield session


async def follow(session: aiohttp.ClientSession, app: App, generation: str, method: str = "GET") -> Any:
    """What the link to its first picture answers, without going where it leads."""
    (link,) = await originals(app, generation)
    path = URL(link.removeprefix(PUBLIC), encoded=True)
    return session.request(method, path, headers={"Host": "bot.example"}, allow_redirects=False)


async def originals(app: App, generation: str) -> list[str]:
    told = await says(app, press=f"details:{generation}:0")
    return [word.strip(",") for word in told["text"].split() if word.startswith(PUBLIC)]


async def test_it_draws_edits_shows_and_deletes(s3_store: Store, tmp_path: Path) -> None:
    sent = tmp_path / "sent.png"
    sent.write_bytes(painted("a garden", 640, 480))
    async with running(settings(tmp_path / "data", s3_store)) as app, visiting(app) as session:
        drawn = await says(app, "/imagine a fox")
        edited = await says(app, "/edit at night", reply_to=drawn["generation"])
        given = await says(app, "/edit with a bench", files=(sent,))

        for made in (drawn, edited, given):
            (image,) = made["images"]
            content = b"".join([chunk async for chunk in app.blobs.read(image["blob"])])
            assert sha256(content).hexdigest() == image["blob"]
            async with await follow(session, app, made["generation"]) as answer:
                assert (answer.status, await answer.read()) == (200, content)
        kept = {blob.key async for blob in app.blobs.blobs()}
        await says(app, press=f"delete:{drawn['generation']}:0")
        left = {blob.key async for blob in app.blobs.blobs()}
    assert kept - left == {drawn["images"][0]["blob"]}
    assert not (tmp_path / "data" / "blobs").exists()


async def test_it_goes_on_after_a_restart(s3_store: Store, tmp_path: Path) -> None:
    own = settings(tmp_path, s3_store)
    async with running(own) as before:
        drawn = await says(before, "/imagine a fox")
    async with running(own) as after:
        edited = await says(after, "/edit at night", reply_to=drawn["generation"])

    assert len(edited["images"]) == 1


def janitor(app: App, **limits: int) -> Janitor:
    return Janitor(
        database=app.database,
        blobs=app.blobs,
        clock=app.clock,
        changed=app.delivery.changed,
        unknown_after=timedelta(hours=24),
        charge_unknown=True,
        **{"days": 90, "total": 10**12, **limits},
    )


async def test_old_pictures_go_from_the_bucket_as_from_a_folder(s3_store: Store, tmp_path: Path) -> None:
    async with running(settings(tmp_path, s3_store)) as app, visiting(app) as session:
        old = await says(app, "/imagine a fox")
        app.clock.offset += timedelta(days=4)
        new = await says(app, "/imagine a hare")
        old_key, new_key = old["images"][0]["blob"], new["images"][0]["blob"]
        await janitor(app, days=3).round()
        assert [await app.blobs.exists(key) for key in (old_key, new_key)] == [False, True]
        assert await originals(app, old["generation"]) == []
        async with await follow(session, app, new["generation"]) as answer:
            assert answer.status == 200

        await janitor(app, total=1).round()
        assert await app.blobs.total() == 0


async def test_what_the_store_would_not_let_go_goes_later(
    s3_store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bucket, "READING", {"max_retries": 0})
    async with between(s3_store) as proxy, running(settings(tmp_path, proxy.reached)) as app:
        await says(app, "/imagine a fox")
        app.clock.offset += timedelta(days=4)
        proxy.fault = answers(503, "SlowDown", methods="DELETE")
        with pytest.raises(Unavailable):
            await janitor(app, days=3).round()
        assert await app.blobs.total() > 0

        proxy.fault = None
        await janitor(app, days=3).round()
        assert await app.blobs.total() == 0


async def test_a_link_leads_to_the_store_where_it_is_reached_from_outside(s3_store: Store, tmp_path: Path) -> None:
    own = settings(tmp_path, s3_store, s3={**s3_store.access, "public_endpoint": s3_store.endpoint})
    async with running(own) as app, visiting(app) as session:
        drawn = await says(app, "/imagine a fox")
        (image,) = drawn["images"]
        async with await follow(session, app, drawn["generation"]) as answer:
            assert answer.status == 302
            assert answer.headers["Cache-Control"] == "private, no-cache"
            there = URL(answer.headers["Location"], encoded=True)
        assert str(there).startswith(s3_store.endpoint)
        async with aiohttp.ClientSession() as stranger, stranger.get(there) as shown:
            assert sha256(await shown.read()).hexdigest() == image["blob"]
            assert shown.content_type == image["media_type"]
            assert shown.headers["Content-Disposition"].startswith(f'inline; filename="{image["blob"][:12]}.')
        async with await follow(session, app, drawn["generation"], "HEAD") as answer:  # signed for GET only
            assert (answer.status, answer.content_type) == (200, image["media_type"])
        shown_no_more = await follow(session, app, drawn["generation"])
        await app.blobs.delete(image["blob"])
        async with shown_no_more as answer:
            assert answer.status == 404


class FetchingSim(ApiframeSim):
    """Fetches a reference that was not uploaded to it, as its other side would, when it takes the job."""

    def _take(self, request: web.Request, body: bytes, *given: Any) -> SimJob:
        for link in json.loads(body).get("seedreamParams", {}).get("image_input", []):
            if link not in self._uploads:
                with urllib.request.urlopen(link, timeout=30) as answer:
                    self._uploads[link] = Uploaded(measure(BytesIO(answer.read())), self.clock() + timedelta(days=1))
        return super()._take(request, body, *given)


@pytest.mark.parametrize("public", [True, False])
async def test_a_provider_that_wants_links_gets_those_of_the_store(
    public: bool, s3_store: Store, tmp_path: Path
) -> None:
    sent = tmp_path / "sent.png"
    sent.write_bytes(painted("a garden", 640, 480))
    access = {**s3_store.access, "public_endpoint": s3_store.endpoint if public else None}
    async with FetchingSim() as sim:
        own = settings(
            tmp_path / "data",
            s3_store,
            s3=access,
            providers=["apiframe"],
            apiframe={"api_key": sim.key, "base_url": sim.base_url},
            fetch={"allow": ["127.0.0.1"]},
        )
        async with running(own) as app:
            made = await says(app, "/edit with a bench --model seedream-4", files=(sent,))
    (job,) = sim.jobs.values()
    (link,) = job.asked["seedreamParams"]["image_input"]

    assert len(made["images"]) == 1
    assert link.startswith(f"{s3_store.endpoint if public else sim.origin}/")
    assert ("X-Amz-Expires=86400" in link) is public


async def test_what_is_sent_again_has_the_link_that_was_sent_first(tmp_path: Path) -> None:
    """Another one would be another request to the provider, and be drawn and billed again."""
    async with apiframe_bench.opened(tmp_path) as bench:
        first, later = (f"https://store.example/a.png?X-Amz-Signature={number}" for number in (1, 2))
        bench.sim._uploads[first] = Uploaded((64, 48), apiframe_bench.NOON + timedelta(days=1))
        reference = bench.reference("a garden")
        job = bench.job(references=(replace(reference, link=first),))
        before = await bench.ask(job)
        (prepared,) = before.tickets(Prepared)
        after = await bench.ask(replace(job, references=(replace(reference, link=later),)), prepared)

        assert [(each.error, len(each.produced)) for each in (before, after)] == [(None, 1)] * 2
        assert len(bench.sim.jobs) == 1


async def test_a_wrong_bucket_is_said_at_the_start(s3_store: Store, tmp_path: Path) -> None:
    with pytest.raises(CannotStart, match=r"there is not the bucket no-such-one at .*; make it, or correct BOT_BLOBS"):
        async with running(settings(tmp_path, s3_store, place="s3://no-such-one/x")):
            pass


async def test_while_the_store_is_away_nothing_is_taken_on_and_nothing_is_charged(
    s3_store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bucket, "READING", {"max_retries": 0})
    monkeypatch.setattr(bucket, "WRITING", {"max_retries": 0})
    monkeypatch.setattr("bot.media.store.BELIEVED", 0.0)
    monkeypatch.setattr("bot.media.store.DOUBTED", 0.0)
    async with between(s3_store) as proxy, running(settings(tmp_path, proxy.reached)) as app:
        before = await says(app, "/imagine a fox")
        id_ = before["generation"]
        async with visiting(app) as session:
            proxy.fault = answers(503, "SlowDown")
            refused = [await says(app, "/imagine a hare"), await says(app, "/edit at dusk", reply_to=id_)]
            async with await follow(session, app, id_) as answer:
                shown = answer.status
        proxy.fault = None
        after = await says(app, "/imagine a hare")

    assert ["store cannot be reached" in each["text"] for each in refused] == [True, True]
    assert shown == 503
    assert len(after["images"]) == 1
    used = [line["used"] for line in before["accounts"]], [line["used"] for line in after["accounts"]]
    assert sum(map(float, used[1])) > 0
    assert [each["accounts"] for each in refused] == [before["accounts"]] * 2


async def test_a_picture_that_was_paid_for_waits_for_a_store_that_is_busy(s3_store: Store, tmp_path: Path) -> None:
    refused: list[str] = []

    async def busy(request: web.Request) -> web.StreamResponse | None:
        if request.method != "PUT" or ".probe" in request.path or len(refused) == 4:
            return None
        refused.append(request.path)
        return await answers(503, "SlowDown")(request)

    async with between(s3_store) as proxy, running(settings(tmp_path, proxy.reached)) as app:
        proxy.fault = busy
        made = await says(app, "/imagine a fox")

    assert len(refused) == 4
    assert len(made["images"]) == 1


@pytest.mark.parametrize(("secret", "code", "said"), [("", 0, "ok   pictures"), ("wrong", 1, "BAD  pictures")])
async def test_doctor_says_whether_the_bucket_keeps_what_it_is_given(
    secret: str, code: int, said: str, s3_store: Store, tmp_path: Path
) -> None:
    access = {**s3_store.access, **({"secret_access_key": secret} if secret else {})}
    told: list[str] = []
    ended = await examine(settings(tmp_path, s3_store, s3=access), told.append)

    assert ended == code
    assert any(line.startswith(said) for line in told)
