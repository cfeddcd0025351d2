"""The fake Discord, driven by the real discord.py: what a person does, and what they see of it."""

import asyncio
from datetime import timedelta

import discord
import pytest

from tests.simulators.discord.demo_bot import DemoBot, drawn
from tests.simulators.discord.fake import FakeDiscord
from tests.simulators.discord.faults import Fault
from tests.simulators.discord.forms import Upload
from tests.simulators.discord.interactions import Ack, Asked
from tests.simulators.discord.wire import Code

pytestmark = pytest.mark.slow

CALLBACK = "/interactions/{}/{}/callback"
FOLLOW_UP = "/webhooks/{}/{}"
FOX = Upload("fox.png", drawn(32, "navy"))


async def test_a_slash_command_is_answered_with_a_card_and_its_picture(fake: FakeDiscord, bot: DemoBot) -> None:
    asked = await fake.person("bob").slash("imagine", prompt="a fox", image=FOX)
    message = await asked.answered()

    assert asked.ack is Ack.DEFERRED
    assert not asked.failed
    assert (message.text, message.pictures) == ("a fox", [FOX.data])
    assert fake.channel.messages == [message]
    assert not bot.errors


async def test_what_is_private_stays_private_when_the_loading_message_is_completed(
    fake: FakeDiscord, bot: DemoBot
) -> None:
    bob, eve = fake.person("bob"), fake.person("eve")

    message = await (await bob.slash("imagine", prompt="a fox", private=True)).answered()

    assert (message.ephemeral, message.only_for) == (True, bob.user)
    with pytest.raises(LookupError, match="only bob sees"):
        await eve.press(message, "Again")
    with pytest.raises(discord.NotFound):
        await bot.get_partial_messageable(int(fake.channel.id)).fetch_message(int(message.id))


async def test_a_button_opens_a_modal_that_takes_words_and_pictures(fake: FakeDiscord, bot: DemoBot) -> None:
    bob = fake.person("bob")
    message = await (await bob.slash("imagine", prompt="a fox")).answered()

    pressed = await (await bob.press(message, "Again")).acknowledged()
    sent = await bob.submit(pressed, {"Words": "a red fox"}, files=[FOX, FOX])
    answer = await sent.answered()

    assert pressed.ack is Ack.MODAL
    assert (answer.text, answer.pictures) == ("a red fox, 2 pictures", [FOX.data, FOX.data])
    assert not bot.errors


async def test_a_select_changes_the_message_that_it_stands_on(fake: FakeDiscord, bot: DemoBot) -> None:
    bob = fake.person("bob")
    message = await (await bob.slash("imagine", prompt="a fox")).answered()

    asked = await (await bob.select(message, "Which picture?", "Picture 2")).acknowledged()

    assert (asked.ack, message.text) == (Ack.UPDATE, "chose 2")
    assert len(fake.channel.messages) == 1
    assert not bot.errors


async def test_the_entry_of_a_messages_menu_reads_its_picture(fake: FakeDiscord, bot: DemoBot) -> None:
    bob = fake.person("bob")
    message = await bob.say(attachments=[FOX])

    answer = await (await bob.menu("Edit picture", message)).answered()

    assert (answer.text, answer.pictures, answer.ephemeral) == ("done", [FOX.data], True)


async def test_typing_in_an_option_offers_choices(fake: FakeDiscord, bot: DemoBot) -> None:
    asked = await (await fake.person("bob").autocomplete("imagine", "model", "5", prompt="a")).acknowledged()

    assert [one["value"] for one in asked.choices] == ["seedream-5"]


async def test_a_reply_to_a_picture_is_answered_with_a_reply(fake: FakeDiscord, bot: DemoBot) -> None:
    bob = fake.person("bob")
    picture = await bob.say(attachments=[FOX])

    mine = await bob.say("draw it in red", reply_to=picture)
    await fake.until(lambda: fake.channel.last.author is fake.bot)

    assert fake.channel.last.replies_to is mine
    assert fake.channel.last.pictures == [FOX.data]


@pytest.mark.parametrize("how", ["long id", "eleven", "embed"])
async def test_what_discord_does_not_take_is_refused(fake: FakeDiscord, bot: DemoBot, how: str) -> None:
    await fake.person("bob").slash("forbidden", how=how)
    await fake.until(lambda: bot.errors)

    (error,) = bot.errors
    assert isinstance(error, discord.HTTPException)
    assert (error.status, error.code) == (400, 50035)


async def test_an_answer_after_three_seconds_comes_too_late(fake: FakeDiscord, bot: DemoBot) -> None:
    async with fake.holding("POST", CALLBACK) as gate:
        asked = await fake.person("bob").slash("imagine", prompt="a fox")
        await gate.arrived()
        assert not asked.failed
        fake.clock.advance(timedelta(seconds=3))
    await fake.until(lambda: bot.errors)

    (error,) = bot.errors
    assert isinstance(error, discord.NotFound)
    assert (error.code, asked.failed, asked.acknowledged_after) == (10062, True, None)


async def test_an_interaction_is_acknowledged_once(fake: FakeDiscord, bot: DemoBot) -> None:
    asked = await (await fake.person("bob").slash("imagine", prompt="a fox")).acknowledged()

    with pytest.raises(discord.HTTPException) as refused:
        await bot.http.request(
            discord.http.Route("POST", f"/interactions/{asked.id}/{asked.token}/callback"), json={"type": 5}
        )
    await asked.answered()

    assert refused.value.code == 40060


async def test_a_token_lives_for_fifteen_minutes(fake: FakeDiscord, bot: DemoBot) -> None:
    async with fake.holding("POST", FOLLOW_UP) as gate:
        asked = await fake.person("bob").slash("imagine", prompt="a fox")
        await gate.arrived()
        fake.clock.advance(timedelta(minutes=15))
    await fake.until(lambda: bot.errors)

    (error,) = bot.errors
    assert isinstance(error, discord.HTTPException)
    assert (error.status, error.code, asked.shown) == (401, 50027, [])


async def test_an_app_that_a_person_brought_along_has_five_follow_ups(fake: FakeDiscord, bot: DemoBot) -> None:
    bob = fake.person("bob")
    elsewhere = fake.new_guild("elsewhere", bob.user, bot=False)
    with pytest.raises(LookupError):
        await bob.slash("imagine", prompt="a fox", in_=elsewhere.channels[0])
    bob.install()

    asked = await bob.slash("imagine", prompt="a fox", in_=elsewhere.channels[0])
    await asked.answered()
    said = [await _follow_up(bot, asked) for _ in range(5)]

    assert said == [0, 0, 0, 0, 40094]
    with pytest.raises(discord.Forbidden) as refused:
        await bot.get_partial_messageable(int(elsewhere.channels[0].id)).send("hello")
    assert refused.value.code == 50001


async def test_a_lost_answer_leaves_what_was_done(fake: FakeDiscord, bot: DemoBot) -> None:
    fake.goes_wrong("POST", FOLLOW_UP, Fault.LOST)

    asked = await fake.person("bob").slash("imagine", prompt="a fox")
    await asked.answered()
    await fake.until(lambda: bot.errors)

    assert len(fake.channel.messages) == 1
    assert fake.asked_for("POST", FOLLOW_UP)[0].status == 0


async def test_a_file_too_large_is_refused_with_discords_code(fake: FakeDiscord, bot: DemoBot) -> None:
    fake.goes_wrong("POST", FOLLOW_UP, Code.TOO_LARGE)

    asked = await fake.person("bob").slash("imagine", prompt="a fox")
    await fake.until(lambda: bot.errors)

    (error,) = bot.errors
    assert isinstance(error, discord.HTTPException)
    assert (error.status, error.code, asked.shown) == (413, 40005, [])


async def test_two_hundred_people_at_once_are_each_answered_once(fake: FakeDiscord, bot: DemoBot) -> None:
    people = [fake.person(f"person{number}") for number in range(200)]

    asked = [await one.slash("imagine", prompt=one.user.name) for one in people]
    answers = await asyncio.gather(*(one.answered(within=60) for one in asked))

    assert [answer.text for answer in answers] == [one.user.name for one in people]
    assert len(fake.channel.messages) == 200


async def _follow_up(bot: DemoBot, asked: Asked) -> int:
    """Discord's code of the refusal, or 0."""
    route = discord.http.Route("POST", f"/webhooks/{bot.application_id}/{asked.token}")
    try:
        await bot.http.request(route, json={"content": "more"})
    except discord.HTTPException as error:
        return error.code
    return 0


async def test_the_first_answer_is_fetched_changed_and_taken_back(fake: FakeDiscord, bot: DemoBot) -> None:
    asked = await fake.person("bob").slash("imagine", prompt="a fox")
    message = await asked.answered()
    original = f"/webhooks/{bot.application_id}/{asked.token}/messages/@original"

    fetched = await bot.http.request(discord.http.Route("GET", original))
    await bot.http.request(discord.http.Route("DELETE", original))
    with pytest.raises(discord.NotFound) as refused:
        await bot.http.request(discord.http.Route("PATCH", original), json={"content": "there?"})

    assert (fetched["id"], refused.value.code) == (message.id, 10008)
    assert fake.channel.messages == []


async def test_in_a_conversation_of_others_the_app_answers_and_cannot_write(fake: FakeDiscord, bot: DemoBot) -> None:
    bob, eve = fake.person("bob"), fake.person("eve")
    bob.install()
    group = fake.direct_channel(bob.user, eve.user)

    asked = await bob.slash("imagine", prompt="a fox", in_=group)
    answer = await asked.answered()
    with pytest.raises(discord.Forbidden) as refused:
        await bot.get_partial_messageable(int(group.id)).send("hello")

    assert (answer.text, asked.payload["context"]) == ("a fox", 2)
    assert asked.payload["authorizing_integration_owners"] == {"1": bob.user.id}
    assert refused.value.code == 50001


async def test_who_may_not_bring_apps_along_is_answered_in_private(fake: FakeDiscord, bot: DemoBot) -> None:
    bob = fake.person("bob")
    bob.install()
    (channel,) = fake.new_guild("elsewhere", fake.owner, bot=False).channels
    assert channel.guild
    fake.join(channel.guild, bob.user)
    fake.forbid(channel, "use_external_apps", to=bob.user)

    answer = await (await bob.slash("imagine", prompt="a fox", in_=channel)).answered()

    assert answer.ephemeral
