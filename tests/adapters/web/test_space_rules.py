"""What the rules of a space need of the page: its rooms by name, and commands that only admins see."""

from dataclasses import replace

import aiohttp
import pytest

from adapters.web.menu import menu
from bot.chat import CannotPost, Place, Post, Reply
from bot.command import Command, CommandTable
from bot.i18n import text, verbatim
from tests.adapters.web.fake_core import FakeCore, Nothing


async def _never(request: object, context: object) -> None: ...


def command(name: str, *, admins_only: bool = False) -> Command:
    return Command(name=name, summary=text("Does something"), request=Nothing, handle=_never, admins_only=admins_only)


async def test_an_asking_names_its_room(core: FakeCore) -> None:
    await core.chat.say("bob", "marketing", "/quota")
    await core.chat.say("bob", "direct", "/quota")

    assert [each.place.room for each in core.accepted] == ["marketing", "direct:bob"]


async def test_an_asking_tells_which_rooms_everybody_shares_wherever_it_is_asked(core: FakeCore) -> None:
    await core.chat.say("alice", "marketing", "/quota")
    await core.chat.say("alice", "direct", "/quota")
    again = await core.chat.replay({"message": core.accepted[0].id})

    assert again is not None
    assert {each.rooms for each in (*core.accepted, again)} == {("design-team", "marketing")}


async def elsewhere(core: FakeCore, room: str) -> Post:
    """What the core wants posted in another room than the one where it was asked."""
    await core.chat.say("bob", "marketing", "/quota")
    place = replace(core.accepted[-1].place, room=room)
    return Post(key="g:log", place=place, reply=Reply(text=text("made in {room}", room=verbatim("<#marketing>"))))


async def test_another_room_is_told_there_with_rooms_by_their_name(
    core: FakeCore, client: aiohttp.ClientSession
) -> None:
    message = await core.chat.post(await elsewhere(core, "design-team"))
    async with client.get("/?as=alice&room=design-team") as response:
        told = await response.text()
    async with client.get("/?as=alice&room=marketing") as response:
        asked = await response.text()

    assert "made in #marketing" in told
    assert message in told
    assert message not in asked


async def test_a_room_that_is_not_there_is_refused_for_good(core: FakeCore) -> None:
    with pytest.raises(CannotPost) as refused:
        await core.chat.post(await elsewhere(core, "no-such-room"))

    assert refused.value.final


async def test_a_place_of_an_earlier_version_is_answered_in_its_room(
    core: FakeCore, client: aiohttp.ClientSession
) -> None:
    place = Place(adapter="web", data={"room": "marketing", "person": "bob"})
    message = await core.chat.post(Post(key="g:0", place=place, reply=Reply(text=text("done"))))
    async with client.get("/?as=alice&room=marketing") as response:
        assert message in await response.text()


def test_the_menu_shows_admins_commands_to_admins_alone() -> None:
    table = CommandTable((command("quota"), command("admin", admins_only=True)))

    assert [each["name"] for each in menu(table, "en", admin=False)] == ["quota"]
    assert [each["name"] for each in menu(table, "en", admin=True)] == ["quota", "admin"]
