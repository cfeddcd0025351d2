"""What every platform keeps: one message for one key, private means private, and an event can be handed in again.

A platform joins by a stage of its own in `STAGES`: how to build its adapter, and how to look at what people see.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

import pytest
import pytest_asyncio

from adapters.web import messages
from adapters.web.adapter import WebAdapter
from adapters.web.people import Persona
from bot.chat import AccountLine, Actor, Adapter, Button, Invocation, Place, Post, Quoted, Reply, Tone
from bot.command import CommandTable
from bot.i18n import Text, text
from bot.media.store import Blobs
from bot.storage.database import Database
from tests.contract.discord_stage import DiscordStage
from tests.contract.feishu_stage import FeishuStage
from tests.contract.seen import Seen
from tests.fakes import NOON, FakeAdapter, FakeClock, attached, painted
from tests.postgres import ENGINE, NEEDED


class Stage(Protocol):
    """An adapter, two people of its platform, and their eyes. roles: those of ann; ben has not all of them."""

    adapter: Adapter
    roles: tuple[str, ...]
    events: list[tuple[Invocation, Mapping[str, Any]]]

    async def says(self, person: str, words: str, *, reply_to: str = "", picture: bytes = b"") -> None:
        """ann or ben say something in the shared room; it lands in `events`, with what replays it."""
        ...

    async def sees(self, person: str) -> list[Seen]:
        """What the bot has posted there, as this person sees it, oldest first."""
        ...

    async def restarts(self) -> None:
        """Another process takes the adapter's place."""
        ...


@dataclass
class WebStage:
    """The chat page over a real database."""

    folder: Path
    database: Database
    blobs: Blobs
    events: list[tuple[Invocation, Mapping[str, Any]]] = field(default_factory=list)
    table: CommandTable = field(default_factory=lambda: CommandTable([]))
    roles: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        self.adapter = self._build()

    def _build(self) -> WebAdapter:
        people = tuple(Persona(name=name, note=text("member")) for name in ("ann", "ben"))
        return WebAdapter(
            database=self.database,
            door=self,
            blobs=self.blobs,
            thumbnails=self._thumbnail,
            people=people,
            accounts=self._accounts,
            happened=self._happened,
            clock=FakeClock(),
            host="127.0.0.1",
            port=0,
        )

    async def accept(self, invocation: Invocation, raw: Mapping[str, Any]) -> bool:
        known = any(each.id == invocation.id for each, _ in self.events)
        if not known:
            self.events.append((invocation, raw))
        return not known

    async def says(self, person: str, words: str, *, reply_to: str = "", picture: bytes = b"") -> None:
        files = []
        if picture:
            file = self.folder / "said.png"
            await asyncio.to_thread(file.write_bytes, picture)
            files.append(file)
        await self.adapter.say(person, self.adapter.shared_room, words, files=files, reply_to=reply_to)

    async def sees(self, person: str) -> list[Seen]:
        rows = await self.database.fetch(
            f"{messages.SELECT} WHERE m.bot=1 AND {messages.SEEN} ORDER BY m.born", person=person
        )
        found = [messages.from_row(row) for row in rows]
        return [Seen(id=each.id, words=str(each.reply.text)) for each in found if each.reply]

    async def restarts(self) -> None:
        self.adapter = self._build()

    async def _thumbnail(self, blob: str, longest: int) -> bytes:
        return b""

    async def _accounts(self, actor: Actor) -> tuple[AccountLine, ...]:
        return ()

    async def _happened(self, generation: str, actor: Actor) -> Sequence[tuple[Any, Text, Text]]:
        return ()


@asynccontextmanager
async def web(database: Database, folder: Path) -> AsyncIterator[WebStage]:
    yield WebStage(folder, database, Blobs((folder / "blobs").as_uri()))


@dataclass
class FakeStage:
    """The fake that stands in for a platform elsewhere is held to the same."""

    adapter: FakeAdapter = field(default_factory=FakeAdapter)
    events: list[tuple[Invocation, Mapping[str, Any]]] = field(default_factory=list)
    roles: tuple[str, ...] = ()

    async def says(self, person: str, words: str, *, reply_to: str = "", picture: bytes = b"") -> None:
        invocation = Invocation(
            id=f"fake:{len(self.events)}",
            actor=Actor(adapter="fake", user=person, name=person, space="team"),
            place=Place(adapter="fake", data={"person": person}, room="studio"),
            received=NOON,
            line=words,
            attachments=(attached(picture),) if picture else (),
            quoted=Quoted(message_id=reply_to) if reply_to else None,
        )
        self.adapter.events[invocation.id] = invocation
        self.events.append((invocation, {"event": invocation.id}))

    async def sees(self, person: str) -> list[Seen]:
        last = {post.key: post for post in self.adapter.shown}
        return [
            Seen(id=self.adapter.messages[key], words=str(post.reply.text))
            for key, post in last.items()
            if not post.reply.private or post.place.data["person"] == person
        ]

    async def restarts(self) -> None:
        self.adapter = replace(self.adapter)


@asynccontextmanager
async def fake(database: Database, folder: Path) -> AsyncIterator[FakeStage]:
    yield FakeStage()


@asynccontextmanager
async def discord(database: Database, folder: Path) -> AsyncIterator[DiscordStage]:
    async with DiscordStage(folder) as stage:
        yield stage


@asynccontextmanager
async def feishu(database: Database, folder: Path) -> AsyncIterator[FeishuStage]:
    async with FeishuStage(folder) as stage:
        yield stage


STAGES: dict[str, Callable[[Database, Path], AbstractAsyncContextManager[Stage]]] = {
    "web": web,
    "fake": fake,
    "discord": discord,
    "feishu": feishu,
}


SIMULATED = {"discord", "feishu"}
KEPT = ("web",)  # those with a database behind them


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "stage" not in metafunc.fixturenames:
        return
    places = [(ENGINE, name, [pytest.mark.wire] if name in SIMULATED else []) for name in STAGES if name not in KEPT]
    places += [("sqlite", name, []) for name in KEPT] + [("postgres", name, [*NEEDED]) for name in KEPT]
    metafunc.parametrize(
        ("engine", "stage"),
        [pytest.param(engine, name, marks=marks, id=_id(engine, name)) for engine, name, marks in places],
        indirect=True,
    )


def _id(engine: str, stage: str) -> str:
    return f"{stage}-{engine}" if stage in KEPT else stage


@pytest_asyncio.fixture
async def stage(request: pytest.FixtureRequest, database: Database, tmp_path: Path) -> AsyncIterator[Stage]:
    async with STAGES[request.param](database, tmp_path) as stage:
        yield stage


async def place_of(stage: Stage, person: str = "ann") -> Place:
    """A place as an event brings it."""
    await stage.says(person, "hello")
    return stage.events[-1][0].place


def reply(words: str, **more: Any) -> Reply:
    return Reply(text=Text("{words}", {"words": words}), **more)


async def test_the_same_post_twice_is_one_message(stage: Stage) -> None:
    post = Post(key="g:0", place=await place_of(stage), reply=reply("hello"))
    ids = [await stage.adapter.post(post) for _ in range(3)]

    assert len(set(ids)) == 1
    assert await stage.sees("ann") == [Seen(id=ids[0], words="hello")]


async def test_the_same_post_at_the_same_moment_is_one_message(stage: Stage) -> None:
    post = Post(key="g:0", place=await place_of(stage), reply=reply("hello"))
    ids = await asyncio.gather(*(stage.adapter.post(post) for _ in range(10)))

    assert len(set(ids)) == 1
    assert len(await stage.sees("ann")) == 1


async def test_progress_and_result_stand_in_one_message(stage: Stage) -> None:
    place = await place_of(stage)
    for words, tone in (("in line", Tone.PROGRESS), ("drawing", Tone.PROGRESS), ("done", Tone.ANSWER)):
        message = await stage.adapter.post(Post(key="g:0", place=place, reply=reply(words, tone=tone, generation="g")))

    assert await stage.sees("ann") == [Seen(id=message, words="done")]


async def test_after_a_restart_the_same_key_is_still_the_same_message(stage: Stage) -> None:
    place = await place_of(stage)
    before = await stage.adapter.post(Post(key="g:0", place=place, reply=reply("in line")))
    await stage.restarts()
    after = await stage.adapter.post(Post(key="g:0", place=place, reply=reply("done"), message=before))

    assert after == before
    assert await stage.sees("ann") == [Seen(id=before, words="done")]


async def test_another_key_is_another_message(stage: Stage) -> None:
    place = await place_of(stage)
    for key in ("g:0", "h:0"):
        await stage.adapter.post(Post(key=key, place=place, reply=reply(key)))

    assert [each.words for each in await stage.sees("ann")] == ["g:0", "h:0"]


async def test_a_place_can_be_stored_and_used_later(stage: Stage) -> None:
    place = await place_of(stage)
    stored = json.loads(json.dumps({"data": dict(place.data), "private": place.private, "room": place.room}))
    await stage.restarts()
    later = Place(adapter=place.adapter, **stored)
    await stage.adapter.post(Post(key="g:0", place=later, reply=reply("late")))

    assert [each.words for each in await stage.sees("ann")] == ["late"]


async def test_what_is_private_is_seen_by_its_asker_alone(stage: Stage) -> None:
    place = await place_of(stage, "ann")
    await stage.adapter.post(Post(key="secret", place=place, reply=reply("for ann", private=True)))
    await stage.adapter.post(Post(key="open", place=place, reply=reply("for all")))

    assert [each.words for each in await stage.sees("ann")] == ["for ann", "for all"]
    assert [each.words for each in await stage.sees("ben")] == ["for all"]


async def test_an_event_that_was_received_can_be_handed_in_again(stage: Stage) -> None:
    await stage.says("ann", "/imagine a fox", picture=painted("sent"))
    invocation, raw = stage.events[-1]
    await stage.restarts()
    again = await stage.adapter.replay(raw)

    assert again is not None
    for name in ("id", "actor", "place", "line", "press", "received", "names"):
        assert getattr(again, name) == getattr(invocation, name), name
    (picture,) = again.attachments
    assert b"".join([chunk async for chunk in picture.read()]) == painted("sent")


async def test_an_event_holds_nothing_that_cannot_be_stored(stage: Stage) -> None:
    await stage.says("ann", "/imagine a fox 🦊 雪")
    _, raw = stage.events[-1]

    assert json.loads(json.dumps(raw)) == raw


async def test_an_event_that_is_gone_is_none(stage: Stage) -> None:
    await stage.says("ann", "hello")
    _, raw = stage.events[-1]

    assert await stage.adapter.replay(dict.fromkeys(raw, "gone")) is None


async def test_a_reply_names_the_message_that_it_answers(stage: Stage) -> None:
    message = await stage.adapter.post(Post(key="g:0", place=await place_of(stage), reply=reply("a fox")))
    await stage.says("ben", "make it night", reply_to=message)

    quoted = stage.events[-1][0].quoted
    assert quoted is not None
    assert quoted.message_id == message


async def test_everything_that_a_reply_can_hold_can_be_posted(stage: Stage) -> None:
    whole = reply(
        "a {brace}, a <tag> & 'quotes' 🦊\nand a second line",
        tone=Tone.QUESTION,
        prompt="<script>alert(1)</script>",
        notes=(text("small print"),),
        rows=((text("label"), text("value")),),
        buttons=(
            Button(command="go", generation="k3f9w2ab", label=text("Go")),
            Button(command="edit", generation="k3f9w2ab", label=text("Edit"), asks=text("What?"), picks=True),
            Button(command="delete", generation="k3f9w2ab", label=text("Delete"), danger=True, index=14),
        ),
        accounts=(
            AccountLine(name=text("You"), unit="usd", window="total", used=1, held=2, limit=None, resets=None),
            AccountLine(name=text("You"), unit="images", window="day", used=1, held=0, limit=9, resets=FakeClock()()),
        ),
        generation="k3f9w2ab",
        state="asked",
        language="zh-CN",
    )
    await stage.adapter.post(Post(key="g:0", place=await place_of(stage), reply=whole))

    assert [each.words for each in await stage.sees("ann")] == ["a {brace}, a <tag> & 'quotes' 🦊\nand a second line"]


async def test_people_are_told_apart_and_keep_who_they_are(stage: Stage) -> None:
    for person in ("ann", "ben", "ann"):
        await stage.says(person, "hello")
    users = [invocation.actor.user for invocation, _ in stage.events]

    assert users[0] == users[2] != users[1]
    assert len({invocation.id for invocation, _ in stage.events}) == 3
    assert {invocation.actor.adapter for invocation, _ in stage.events} == {stage.adapter.name}


async def test_the_roles_of_a_person_come_with_every_event_and_with_its_replay(stage: Stage) -> None:
    for person in ("ann", "ben"):
        await stage.says(person, "hello")
    (ann, raw), (ben, _) = stage.events
    await stage.restarts()
    again = await stage.adapter.replay(raw)

    assert ann.actor.roles == stage.roles
    assert ben.actor.roles != ann.actor.roles or not stage.roles
    assert again is not None
    assert again.actor.roles == stage.roles


async def test_the_id_of_an_event_is_like_no_other_platforms(stage: Stage) -> None:
    await stage.says("ann", "hello")

    # The page's ids were there before any other platform, and are random.
    assert stage.adapter.name == "web" or stage.events[-1][0].id.startswith(f"{stage.adapter.name}:")


async def test_a_place_names_its_room(stage: Stage) -> None:
    assert (await place_of(stage)).room


def test_a_pace_is_named(stage: Stage) -> None:
    assert stage.adapter.pace >= 0
    assert stage.adapter.name == stage.adapter.name.lower()
