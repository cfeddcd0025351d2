"""What only the asker should see: by the interaction's token, else directly, and never in the channel."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
import pytest_asyncio

from bot.chat import Button, CannotPost, Tone
from bot.i18n import text
from tests.adapters.discord.posting import GENERATION, Desk, desk, reply
from tests.simulators.discord.fake import FakeDiscord
from tests.simulators.discord.faults import Fault
from tests.simulators.discord.model import Message
from tests.simulators.discord.people import Person

LONGER_THAN_A_TOKEN = timedelta(minutes=16)


@pytest_asyncio.fixture(name="desk")
async def _desk(fake: FakeDiscord, tmp_path: Path) -> AsyncIterator[Desk]:
    async with desk(fake, tmp_path) as one:
        yield one


def seen(fake: FakeDiscord, person: Person) -> list[Message]:
    """What this person sees in the channel."""
    return [one for one in fake.channel.messages if one.only_for in (None, person.user) and not one.loading]


async def test_a_private_answer_fills_the_private_deferred_one(fake: FakeDiscord, desk: Desk) -> None:
    bob, ann = fake.person("bob"), fake.person("ann")
    asked, place = await desk.asked(bob, private=True)
    await desk.post(place, reply("for bob", private=True))
    await desk.post(place, reply("still for bob", private=True))

    assert [one.text for one in seen(fake, bob)] == ["still for bob"]
    assert seen(fake, bob) == [asked.original]
    assert seen(fake, ann) == []


async def test_a_private_answer_to_what_was_deferred_in_public_stays_private(fake: FakeDiscord, desk: Desk) -> None:
    bob, ann = fake.person("bob"), fake.person("ann")
    _, place = await desk.asked(bob)
    await desk.post(place, reply("No quota", private=True, tone=Tone.REFUSAL), key="discord:17")

    assert [one.text for one in seen(fake, bob)] == ["No quota"]
    assert seen(fake, ann) == []


async def test_a_private_answer_that_was_cut_off_leaves_nothing_in_public(fake: FakeDiscord, desk: Desk) -> None:
    bob, ann = fake.person("bob"), fake.person("ann")
    _, place = await desk.asked(bob)
    fake.goes_wrong("POST", "/webhooks/{}/{}", Fault.RESET, times=3)

    with pytest.raises(CannotPost):
        await desk.post(place, reply("No quota", private=True), key="discord:17")
    await desk.post(place, reply("No quota", private=True), key="discord:17")
    assert [one.text for one in seen(fake, bob)] == ["No quota"]
    assert seen(fake, ann) == []


async def test_a_private_press_leaves_the_pressed_message_as_it_is(fake: FakeDiscord, desk: Desk) -> None:
    bob, ann = fake.person("bob"), fake.person("ann")
    _, place = await desk.asked(bob)
    cancel = Button(command="cancel", generation=GENERATION, label=text("Cancel"))
    await desk.post(place, reply("In line", buttons=(cancel,)))
    _, pressed = await desk.pressed(bob, fake.channel.last, "Cancel")
    await desk.post(pressed, reply("Taken out of the line", private=True), key="discord:18")

    assert [one.text for one in seen(fake, ann)] == ["In line"]
    assert [one.text for one in seen(fake, bob)] == ["In line", "Taken out of the line"]


async def test_what_is_said_beside_an_answer_waits_for_the_answer(fake: FakeDiscord, desk: Desk) -> None:
    bob, ann = fake.person("bob"), fake.person("ann")
    _, place = await desk.asked(bob)

    with pytest.raises(CannotPost) as refused:
        await desk.post(place, reply("One is kept", private=True), key="discord:17:kept")
    assert not refused.value.final
    assert seen(fake, bob) == []

    await desk.post(place, reply("Drawn"))
    await desk.post(place, reply("One is kept", private=True), key="discord:17:kept")
    assert [one.text for one in seen(fake, bob)] == ["Drawn", "One is kept"]
    assert [one.text for one in seen(fake, ann)] == ["Drawn"]


@pytest.mark.parametrize("private", [False, True], ids=["public", "private, to what was deferred in public"])
async def test_what_is_said_beside_an_answer_may_come_from_another_process_than_the_answer(
    fake: FakeDiscord, desk: Desk, private: bool
) -> None:
    bob = fake.person("bob")
    _, place = await desk.asked(bob)
    await desk.post(place, reply("Drawn", private=private))
    desk.restart()
    await desk.post(place, reply("One is kept", private=True), key="discord:17:kept")

    assert [one.text for one in seen(fake, bob)] == ["Drawn", "One is kept"]
    assert [one.text for one in seen(fake, fake.person("ann"))] == ([] if private else ["Drawn"])


async def test_a_private_answer_that_comes_too_late_is_a_direct_message(fake: FakeDiscord, desk: Desk) -> None:
    bob = fake.person("bob")
    _, place = await desk.asked(bob, private=True)
    message = await desk.post(place, reply("In line", private=True))
    fake.clock.advance(LONGER_THAN_A_TOKEN)
    late = await desk.post(place, reply("Drawn", private=True, pictures=(desk.picture(),)), message=message)

    assert late.startswith(f"{bob.direct.id}/")
    assert [len(one.pictures) for one in bob.direct.messages] == [1]
    assert fake.channel.last.text == "In line"


async def test_a_private_answer_is_rather_kept_than_shown_to_all(fake: FakeDiscord, desk: Desk) -> None:
    bob = fake.person("bob")
    bob.user.accepts_dms = False
    _, place = await desk.asked(bob, private=True)
    fake.clock.advance(LONGER_THAN_A_TOKEN)

    with pytest.raises(CannotPost) as refused:
        await desk.post(place, reply("for bob", private=True))
    assert refused.value.final
    assert seen(fake, bob) == []


async def test_a_private_answer_to_a_message_is_a_direct_message(fake: FakeDiscord, desk: Desk) -> None:
    bob = fake.person("bob")
    said = await bob.say("/quota")
    ids = [await desk.post(desk.said(said), reply(words, private=True)) for words in ("One", "Two")]

    assert fake.channel.messages == [said]
    assert [one.text.splitlines()[0] for one in bob.direct.messages] == ["Two"]
    assert len(set(ids)) == 1


async def test_in_a_conversation_with_the_bot_everything_is_private_already(fake: FakeDiscord, desk: Desk) -> None:
    bob = fake.person("bob")
    said = await bob.say("/quota", in_=bob.direct)
    await desk.post(desk.said(said), reply("for bob", private=True))

    assert bob.direct.last.text == "for bob"
    assert bob.direct.last.replies_to is said
    assert not bob.direct.last.ephemeral


async def test_many_private_pictures_stay_private_in_every_message(fake: FakeDiscord, desk: Desk) -> None:
    bob, ann = fake.person("bob"), fake.person("ann")
    _, place = await desk.asked(bob, private=True)
    pictures = tuple(desk.picture(index) for index in range(12))
    message = await desk.post(place, reply(private=True, pictures=pictures))

    assert [len(one.pictures) for one in seen(fake, bob)] == [10, 2]
    assert seen(fake, ann) == []
    assert await desk.post(place, reply("It was deleted.", private=True), message=message)
    assert [one.text for one in seen(fake, bob)] == ["It was deleted."]
