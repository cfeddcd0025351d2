"""How an answer reaches people: every step of the ladder, and one message for each key whatever goes wrong."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import pytest_asyncio

from adapters.discord.standing import nonce
from bot.chat import CannotPost
from tests.adapters.discord.posting import AGAIN, Desk, desk, progress, reply
from tests.fakes import painted
from tests.simulators.discord.fake import FakeDiscord
from tests.simulators.discord.faults import Fault
from tests.simulators.discord.wire import Code

ORIGINAL = "/webhooks/{}/{}/messages/@original"
BY_TOKEN = "/webhooks/{}/{}/messages/{}"
SEND = "/channels/{}/messages"
EDIT = "/channels/{}/messages/{}"
LONGER_THAN_A_TOKEN = timedelta(minutes=16)


@pytest_asyncio.fixture(name="desk")
async def _desk(fake: FakeDiscord, tmp_path: Path) -> AsyncIterator[Desk]:
    async with desk(fake, tmp_path) as one:
        yield one


async def test_a_deferred_answer_changes_from_progress_to_the_pictures(fake: FakeDiscord, desk: Desk) -> None:
    asked, place = await desk.asked(fake.person("bob"))
    ids = [await desk.post(place, each) for each in (progress(), reply(pictures=(desk.picture(),)))]

    assert fake.channel.messages == [asked.original]
    assert ids == [f"{fake.channel.id}/{fake.channel.last.id}"] * 2
    assert fake.channel.last.text == "Drawn"
    assert fake.channel.last.pictures == [painted("k3f9w2ab0")]
    assert "Again" in fake.channel.last.buttons


async def test_what_stands_already_is_not_sent_again(fake: FakeDiscord, desk: Desk) -> None:
    _, place = await desk.asked(fake.person("bob"))
    for each in (progress(), progress(), reply(pictures=(desk.picture(),)), reply(pictures=(desk.picture(),))):
        await desk.post(place, each)

    assert fake.channel.last.edits == 2


async def test_a_change_whose_answer_was_lost_is_changed_back(fake: FakeDiscord, desk: Desk) -> None:
    _, place = await desk.asked(fake.person("bob"))
    message = await desk.post(place, progress("In line"))
    for route in ("/webhooks/{}/{}/messages/{}", "/channels/{}/messages/{}"):
        fake.goes_wrong("PATCH", route, Fault.LOST, times=3)
    with pytest.raises(CannotPost):
        await desk.post(place, progress("The provider is busy"), message=message)
    assert fake.channel.last.text == "The provider is busy"
    await desk.post(place, progress("In line"), message=message)

    assert fake.channel.last.text == "In line"


async def test_a_series_fills_up_and_sends_each_picture_once(fake: FakeDiscord, desk: Desk) -> None:
    _, place = await desk.asked(fake.person("bob"))
    for count in (1, 2, 3):
        await desk.post(place, reply(pictures=tuple(desk.picture(index) for index in range(count))))

    assert fake.channel.last.pictures == [painted(f"k3f9w2ab{index}") for index in range(3)]
    assert [len(one.parts) for one in fake.requests if one.parts] == [1, 1, 1]


async def test_when_the_token_is_old_the_bot_changes_the_message_itself(fake: FakeDiscord, desk: Desk) -> None:
    asked, place = await desk.asked(fake.person("bob"))
    message = await desk.post(place, progress())
    fake.clock.advance(LONGER_THAN_A_TOKEN)
    desk.restart()
    later = await desk.post(place, reply(pictures=(desk.picture(),)), message=message)

    assert later == message
    assert fake.channel.messages == [asked.original]
    assert fake.channel.last.text == "Drawn"
    assert len(fake.channel.last.pictures) == 1


async def test_a_token_that_discord_no_longer_takes_is_left_for_the_next_way(fake: FakeDiscord, desk: Desk) -> None:
    _, place = await desk.asked(fake.person("bob"))
    await desk.post(place, progress())
    for code in (Code.INVALID_TOKEN, Code.UNKNOWN_WEBHOOK):
        fake.goes_wrong("PATCH", BY_TOKEN, code)
        await desk.post(place, reply(code.name))

        assert fake.channel.last.text == code.name.replace("_", r"\_")
    assert len(fake.channel.messages) == 1


async def test_a_message_that_somebody_deleted_is_written_anew(fake: FakeDiscord, desk: Desk) -> None:
    _, place = await desk.asked(fake.person("bob"))
    picture = desk.picture()
    before = await desk.post(place, reply("One", pictures=(picture,)))
    fake.vanish(fake.channel.last)
    after = await desk.post(place, reply("Two", pictures=(picture,)))

    assert after != before
    assert [one.text for one in fake.channel.messages] == ["Two"]
    assert len(fake.channel.last.pictures) == 1


async def test_too_many_changes_of_an_old_message_make_a_new_one(fake: FakeDiscord, desk: Desk) -> None:
    bob = fake.person("bob")
    place = desk.said(await bob.say("draw a fox"))
    await desk.post(place, progress())
    fake.clock.advance(timedelta(hours=2))
    fake.old_edits_allowed = 0
    await desk.post(place, reply())

    assert fake.channel.last.text == "Drawn"


async def test_a_message_is_answered_by_a_reply_that_notifies_nobody(fake: FakeDiscord, desk: Desk) -> None:
    said = await fake.person("bob").say("draw a fox")
    await desk.post(desk.said(said), reply("for @everyone and <@1>", prompt="<@&2> @here"))

    assert fake.channel.last.replies_to is said
    assert fake.channel.last.pinged == set()


async def test_a_message_that_was_deleted_before_the_answer_is_answered_all_the_same(
    fake: FakeDiscord, desk: Desk
) -> None:
    said = await fake.person("bob").say("draw a fox")
    place = desk.said(said)
    fake.vanish(said)
    await desk.post(place, reply())

    assert [one.text for one in fake.channel.messages] == ["Drawn"]


async def test_without_the_permission_to_reply_it_is_an_ordinary_message(fake: FakeDiscord, desk: Desk) -> None:
    said = await fake.person("bob").say("draw a fox")
    fake.forbid(fake.channel, "read_message_history")
    await desk.post(desk.said(said), reply())

    assert fake.channel.last.text == "Drawn"
    assert fake.channel.last.replies_to is None


async def test_where_the_bot_may_not_write_it_comes_as_a_direct_message(fake: FakeDiscord, desk: Desk) -> None:
    bob = fake.person("bob")
    place = desk.said(await bob.say("draw a fox"))
    fake.forbid(fake.channel, "send_messages")
    ids = [await desk.post(place, each) for each in (progress(), reply(pictures=(desk.picture(),)))]

    (message,) = bob.direct.messages
    assert ids == [f"{bob.direct.id}/{message.id}"] * 2
    assert message.text.startswith("Drawn")
    assert "where you asked" in message.text
    assert len(message.pictures) == 1


@pytest.mark.parametrize("gone", ["files", "channel"])
async def test_a_channel_that_changed_meanwhile_does_not_lose_the_picture(
    gone: str, fake: FakeDiscord, desk: Desk
) -> None:
    bob = fake.person("bob")
    place = desk.said(await bob.say("draw a fox"))
    message = await desk.post(place, progress())
    if gone == "files":
        fake.forbid(fake.channel, "attach_files")
    else:
        fake.remove_channel(fake.channel)
    await desk.post(place, reply(pictures=(desk.picture(),)), message=message)

    assert len(bob.direct.last.pictures) == 1
    if gone == "files":  # without the gateway nobody knows which permission that is
        assert fake.channel.last.text == "I could not show this here."


async def test_where_there_is_no_way_at_all_the_core_keeps_it(fake: FakeDiscord, desk: Desk) -> None:
    bob = fake.person("bob")
    place = desk.said(await bob.say("draw a fox"))
    fake.forbid(fake.channel, "send_messages")
    bob.user.accepts_dms = False

    with pytest.raises(CannotPost) as refused:
        await desk.post(place, reply())

    assert refused.value.final


async def test_where_only_the_person_brought_the_app_the_answer_comes_by_token(fake: FakeDiscord, desk: Desk) -> None:
    bob = fake.person("bob")
    bob.install()
    elsewhere = fake.new_guild("elsewhere", bob.user, bot=False)
    _, place = await desk.asked(bob, in_=elsewhere.channels[0])
    pictures = tuple(desk.picture(index) for index in range(12))
    await desk.post(place, reply(pictures=pictures))

    assert [len(one.pictures) for one in elsewhere.channels[0].messages] == [10, 2]


async def test_more_than_ten_pictures_go_into_further_messages_which_go_when_they_are_deleted(
    fake: FakeDiscord, desk: Desk
) -> None:
    _, place = await desk.asked(fake.person("bob"))
    pictures = tuple(desk.picture(index) for index in range(12))
    message = await desk.post(place, reply(pictures=pictures))
    first, second = fake.channel.messages

    assert message == f"{fake.channel.id}/{first.id} {fake.channel.id}/{second.id}"
    assert [len(one.pictures) for one in (first, second)] == [10, 2]
    assert second.text == "-# Pictures 11 to 12 of 12"
    assert await desk.post(place, reply(pictures=pictures)) == message

    desk.restart()
    assert await desk.post(place, reply("It was deleted."), message=message) == f"{fake.channel.id}/{first.id}"
    assert [one.text for one in fake.channel.messages] == ["It was deleted."]


@pytest.mark.parametrize("fault", [Fault.LOST, Fault.RESET, 503])
async def test_a_new_message_is_there_once_whatever_becomes_of_the_answer(
    fault: Fault | int, fake: FakeDiscord, desk: Desk
) -> None:
    place = desk.said(await fake.person("bob").say("draw a fox"))
    fake.goes_wrong("POST", SEND, fault, times=2)
    await desk.post(place, reply(pictures=(desk.picture(),)))

    assert [one.text for one in fake.channel.messages[1:]] == ["Drawn"]
    assert len(fake.channel.last.pictures) == 1


async def test_what_was_posted_before_a_crash_is_changed_and_not_posted_again(fake: FakeDiscord, desk: Desk) -> None:
    place = desk.said(await fake.person("bob").say("draw a fox"))
    before = await desk.post(place, progress())
    desk.restart()
    after = await desk.post(place, reply())

    assert after == before
    assert [one.text for one in fake.channel.messages[1:]] == ["Drawn"]


@pytest.mark.parametrize("deferred", [True, False], ids=["deferred answer", "reply"])
async def test_long_after_a_crash_our_own_message_is_found_again(deferred: bool, fake: FakeDiscord, desk: Desk) -> None:
    bob = fake.person("bob")
    place = (await desk.asked(bob))[1] if deferred else desk.said(await bob.say("draw a fox"))
    before = await desk.post(place, progress())
    fake.clock.advance(timedelta(hours=3))
    desk.restart()
    after = await desk.post(place, reply())

    assert after == before
    assert fake.channel.last.text == "Drawn"


async def test_another_message_of_the_same_generation_is_not_taken_for_it(fake: FakeDiscord, desk: Desk) -> None:
    bob = fake.person("bob")
    shown = desk.said(await bob.say("/show k3f9w2ab"))
    place = desk.said(await bob.say("draw a fox"))
    await desk.post(shown, reply("Shown"), key="discord:1")
    fake.clock.advance(timedelta(hours=3))
    await desk.post(place, reply("Drawn"))

    assert [one.text for one in fake.channel.messages[2:]] == ["Shown", "Drawn"]


async def test_the_same_moment_makes_one_message(fake: FakeDiscord, desk: Desk) -> None:
    place = desk.said(await fake.person("bob").say("draw a fox"))
    ids = await asyncio.gather(*(desk.post(place, reply()) for _ in range(10)))

    assert len(set(ids)) == 1
    assert len(fake.asked_for("POST", SEND)) == 1


async def test_discord_that_cannot_be_reached_is_asked_again_later(fake: FakeDiscord, desk: Desk) -> None:
    place = desk.said(await fake.person("bob").say("draw a fox"))
    fake.goes_wrong("POST", SEND, Fault.RESET, times=3)

    with pytest.raises(CannotPost) as refused:
        await desk.post(place, reply())

    assert not refused.value.final
    await desk.post(place, reply())
    assert fake.channel.last.text == "Drawn"


async def test_a_block_of_discords_front_is_no_reason_to_give_up(fake: FakeDiscord, desk: Desk) -> None:
    place = desk.said(await fake.person("bob").say("draw a fox"))
    fake.goes_wrong("POST", SEND, Fault.BLOCKED)

    with pytest.raises(CannotPost) as refused:
        await desk.post(place, reply())

    assert not refused.value.final
    assert refused.value.retry_after
    assert len(fake.asked_for("POST", SEND)) == 1


async def test_a_log_goes_into_its_own_channel_and_to_nobody_directly(fake: FakeDiscord, desk: Desk) -> None:
    bob = fake.person("bob")
    _, place = await desk.asked(bob)
    log = fake.new_channel(fake.guild, "log")
    there = desk.in_room(place, log)
    await desk.post(there, reply("bob drew"), key="k3f9w2ab:log")

    assert [one.text for one in log.messages] == ["bob drew"]
    fake.forbid(log, "send_messages")
    with pytest.raises(CannotPost):
        await desk.post(there, reply("bob drew"), key="other:log")
    assert bob.direct.messages == []


async def test_a_log_never_goes_into_another_servers_channel(fake: FakeDiscord, desk: Desk) -> None:
    """An admin may type any id; the bot stands on many servers, and may write on most of them."""
    _, place = await desk.asked(fake.person("bob"))
    theirs = fake.new_channel(fake.new_guild("theirs", fake.new_user("owner")), "general")
    for room in (theirs.id, "general"):
        with pytest.raises(CannotPost, match="no such channel") as refused:
            await desk.post(replace(place, room=room), reply("bob drew"), key="k3f9w2ab:log")

        assert refused.value.final
    assert theirs.messages == []


async def test_a_public_answer_to_a_press_that_changes_its_own_message_is_one_more(
    fake: FakeDiscord, desk: Desk
) -> None:
    bob = fake.person("bob")
    _, place = await desk.asked(bob)
    await desk.post(place, reply("Shall I?"))
    _, pressed = await desk.pressed(bob, fake.channel.last, "Again")
    await desk.post(pressed, reply("Drawn"), key="discord:18")

    assert [one.text for one in fake.channel.messages] == ["Shall I?", "Drawn"]


async def test_a_bot_whose_own_token_is_wrong_keeps_what_there_is_to_show(fake: FakeDiscord, desk: Desk) -> None:
    place = desk.said(await fake.person("bob").say("draw a fox"))
    fake.goes_wrong("POST", SEND, Code.UNAUTHORIZED)
    fake.goes_wrong("POST", "/users/@me/channels", Code.UNAUTHORIZED)

    with pytest.raises(CannotPost) as refused:
        await desk.post(place, reply())
    assert not refused.value.final


async def test_what_comes_from_an_age_restricted_channel_is_covered_elsewhere(fake: FakeDiscord, desk: Desk) -> None:
    bob = fake.person("bob")
    said = desk.said(await bob.say("draw a fox"))
    place = replace(said, data={**said.data, "nsfw": True})
    await desk.post(place, reply(pictures=(desk.picture(),)))
    fake.forbid(fake.channel, "send_messages")
    await desk.post(place, reply(pictures=(desk.picture(),)), key="other:0")

    shown = [one["items"][0] for one in (*fake.channel.last.parts, *bob.direct.last.parts) if one["type"] == 12]
    assert [one.get("spoiler", False) for one in shown] == [False, True]


def test_a_nonce_belongs_to_one_message() -> None:
    nonces = [nonce("k:0", 0, ""), nonce("k:0", 1, ""), nonce("k:0", 0, "123"), nonce("k:1", 0, "")]

    assert len(set(nonces)) == len(nonces)
    assert nonces[0] == nonce("k:0", 0, "")
    assert {len(one) for one in nonces} == {25}  # the most that Discord takes


async def test_buttons_say_what_they_run(fake: FakeDiscord, desk: Desk) -> None:
    _, place = await desk.asked(fake.person("bob"))
    await desk.post(place, reply())

    assert fake.channel.last.buttons["Again"]["custom_id"] == AGAIN.id
