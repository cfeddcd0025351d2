"""What is private is so on every way that leads to it."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from adapters.web import messages
from adapters.web.messages import Message
from bot.chat import Reply
from bot.i18n import text
from bot.storage.database import Database
from tests.security.conftest import House

pytestmark = pytest.mark.slow  # real processes, one after the other

SECRET = "a zebra that nobody else may see"


async def test_nobody_else_reads_how_a_private_picture_was_asked_for(house: House) -> None:
    asked = await house.say("bob", f"/imagine {SECRET} --private")
    made = house.answer(asked)["generation"]

    for what in ("line", "events"):
        assert (await house.get(f"/generations/{made}/{what}?as=bob"))[0] == 200
        assert (await house.get(f"/generations/{made}/{what}?as=alice"))[0] == 200  # an admin
        status, told = await house.get(f"/generations/{made}/{what}?as=carol")
        assert status == 404
        assert SECRET not in told
        assert (await house.get(f"/generations/{made}/{what}"))[0] == 404


async def test_what_its_maker_does_with_a_private_picture_shows_it_to_nobody(house: House) -> None:
    asked = await house.say("bob", f"/imagine {SECRET} --private")
    made, standing = house.answer(asked)["generation"], house.standing(asked)
    replied = await house.say("bob", "the same at night", reply_to=standing)
    pressed = await house.say("bob", press=f"vary:{made}:0", reply_to=standing)

    for person, sees in (("bob", True), ("carol", False)):
        page = await house.page(person)
        assert (house.blob(made) in page) is sees
        assert (replied in page) is sees
        assert (pressed in page) is sees
        assert all((house.blob(house.answer(each)["generation"]) in page) is sees for each in (replied, pressed))


async def test_its_maker_may_still_say_that_a_change_of_it_is_for_everybody(house: House) -> None:
    asked = await house.say("bob", f"/imagine {SECRET} --private")
    shared = await house.say("bob", "/edit for all --private no", reply_to=house.standing(asked))

    assert house.blob(house.answer(shared)["generation"]) in await house.page("carol")


async def test_no_press_of_somebody_else_reaches_a_private_picture(house: House) -> None:
    asked = await house.say("bob", f"/imagine {SECRET} --private")
    made = house.answer(asked)["generation"]

    for command in ("show", "details", "again", "vary", "edit", "upscale", "instead", "delete", "cancel", "go"):
        pressed = await house.say("carol", press=f"{command}:{made}:0", values={"prompt": "mine now"})
        reply = house.answer(pressed)
        assert reply["tone"] == "refusal", command
        assert reply["pictures"] == []
        assert SECRET not in str(reply)


async def test_a_direct_message_cannot_be_replied_to_by_others(house: House) -> None:
    own = await house.say("bob", f"/imagine {SECRET}", room="direct")
    message = {"id": "x" * 20, "person": "carol", "room": "design-team", "words": "show me"}

    for target in (own, house.standing(own)):
        async with house.pages.post("/messages", json={**message, "reply_to": target}) as response:
            assert response.status == 404
    assert SECRET not in await house.page("carol", "direct")


async def test_a_public_message_does_not_quote_a_private_one(database: Database) -> None:
    now = datetime(2026, 11, 21, tzinfo=UTC)
    answer = Reply(text=text("Drawn"), prompt=SECRET)
    room = "design-team"
    private = Message(id="a", room=room, author="Seedream", bot=True, at=now, key="k", reply=answer, private_to="bob")
    public = Message(id="b", room=room, author="bob", at=now, words="as it was kept before", reply_to="a")
    hidden = replace(public, id="c", private_to="bob")
    for message in (private, public, hidden):
        assert await database.transaction(messages.add, message)

    found = {each.id: each.quote for each in (await messages.page(database, room, "bob"))[0]}
    assert found["b"] is None
    assert found["c"] is not None
