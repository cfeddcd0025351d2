"""The stream of changes: complete, in order, without repeats, whatever happened to the connection."""

import asyncio
from dataclasses import dataclass

import aiohttp

from bot.chat import Place, Post, Reply
from bot.i18n import verbatim
from tests.adapters.web.fake_core import FakeCore, serving


@dataclass(frozen=True)
class Event:
    name: str
    id: int
    data: str


async def post(core: FakeCore, key: str, words: str, *, room: str = "design-team", private: bool = False) -> str:
    place = Place(adapter="web", data={"room": room, "person": "alice"})
    return await core.chat.post(Post(key=key, place=place, reply=Reply(text=verbatim(words), private=private)))


async def listen(response: aiohttp.ClientResponse, count: int) -> list[Event]:
    """The next events that have an id."""
    events: list[Event] = []
    fields: dict[str, str] = {}
    async with asyncio.timeout(10):
        while len(events) < count:
            line = (await response.content.readline()).decode().rstrip("\r\n")
            if line:
                name, _, value = line.partition(": ")
                fields[name] = fields[name] + "\n" + value if name in fields else value
                continue
            if "id" in fields:
                events.append(Event(fields.get("event", "message"), int(fields["id"]), fields.get("data", "")))
            fields = {}
    return events


async def test_what_came_before_is_sent_and_then_what_comes(core: FakeCore, client: aiohttp.ClientSession) -> None:
    await post(core, "k1", "first")
    async with client.get("/stream?as=alice") as response:
        (first,) = await listen(response, 1)
        await post(core, "k2", "second")
        (second,) = await listen(response, 1)

    assert "first" in first.data
    assert "second" in second.data
    assert second.id > first.id


async def test_a_new_connection_goes_on_after_the_last_event_seen(
    core: FakeCore, client: aiohttp.ClientSession
) -> None:
    for number in range(5):
        await post(core, f"k{number}", f"word {number}")
    async with client.get("/stream?as=alice") as response:
        seen = (await listen(response, 3))[-1]
    async with client.get("/stream?as=alice&after=0", headers={"Last-Event-ID": str(seen.id)}) as response:
        rest = await listen(response, 2)

    assert ["word 3" in rest[0].data, "word 4" in rest[1].data] == [True, True]


async def test_of_many_changes_to_one_message_a_late_comer_gets_the_last(
    core: FakeCore, client: aiohttp.ClientSession
) -> None:
    for words in ("In line", "Drawing…", "Done"):
        await post(core, "k1", words)
    await post(core, "k2", "another")
    async with client.get("/stream?as=alice") as response:
        events = await listen(response, 2)

    assert "Done" in events[0].data
    assert "another" in events[1].data


async def test_more_than_one_read_can_hold_is_sent_whole(core: FakeCore, client: aiohttp.ClientSession) -> None:
    for number in range(230):
        await post(core, f"k{number}", f"word {number}.")
    async with client.get("/stream?as=alice") as response:
        events = await listen(response, 230)

    assert all(f"word {number}." in event.data for number, event in enumerate(events))


async def test_private_and_direct_messages_reach_one_person_only(core: FakeCore, client: aiohttp.ClientSession) -> None:
    await post(core, "k1", "secret", private=True)
    await post(core, "k2", "between us", room="direct:alice")
    await post(core, "k3", "for all")
    async with client.get("/stream?as=bob") as response:
        (event,) = await listen(response, 1)
    async with client.get("/stream?as=alice&room=direct") as response:
        events = await listen(response, 3)

    assert "for all" in event.data
    assert [each.name for each in events] == ["elsewhere", "message", "elsewhere"]


async def test_a_dismissed_message_is_taken_away_everywhere(core: FakeCore, client: aiohttp.ClientSession) -> None:
    id = await post(core, "k1", "no", private=True)
    async with client.get("/stream?as=alice") as response:
        await listen(response, 1)
        async with client.post(f"/messages/{id}/dismiss?as=bob") as dismissed:
            assert dismissed.status == 404
        async with client.post(f"/messages/{id}/dismiss?as=alice") as dismissed:
            assert dismissed.status == 204
        (event,) = await listen(response, 1)

    assert (event.name, event.data) == ("removed", id)


async def test_what_another_process_wrote_is_found_without_being_told(
    core: FakeCore, client: aiohttp.ClientSession
) -> None:
    core.chat.changes.tell = lambda: None  # type: ignore[method-assign]
    async with client.get("/stream?as=alice") as response:
        await post(core, "k1", "from a worker")
        (event,) = await listen(response, 1)

    assert "from a worker" in event.data


async def test_stopping_the_server_ends_the_streams_at_once(core: FakeCore) -> None:
    async with aiohttp.ClientSession() as session:
        async with serving(core.chat) as address:
            response = await session.get(f"{address}/stream?as=alice")
            await response.content.readline()
        async with asyncio.timeout(2):
            await response.content.read()
        response.close()
