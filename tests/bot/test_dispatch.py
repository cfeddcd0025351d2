"""The door: what an asking means, once whatever is sent twice, and an answer whatever goes wrong."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import structlog

from bot.chat import Attachment, Button, CannotPost, Invocation, Place, Quoted, Reply, Tone
from bot.command import Command, CommandTable
from bot.commands.looking import Nothing
from bot.dispatch import CROWD, Dispatcher
from bot.errors import PictureError
from bot.generation import inbox
from bot.generation.accepting import Accepted
from bot.generation.record import Generation
from bot.i18n import text
from bot.ops import keys
from bot.request import Mode
from bot.rights import who_is
from bot.storage.connection import Connection
from tests.bot.generation.core import PICTURE, Core, working
from tests.fakes import attached, painted


async def made(core: Core, line: str = "/imagine a red fox", **more: Any) -> Generation:
    """Ask for something and get the generation that it became."""
    reply = await core.answer(line, **more)
    assert reply.state == "settled", reply
    return await core.load(reply.generation)


def message_of(core: Core, generation: str) -> str:
    """The platform's id of the message in which a generation stands."""
    return core.adapter.messages[f"{generation}:0"]


async def open_rows(core: Core) -> list[str]:
    return [row["id"] for row in await core.database.read(inbox.still_open)]


# --- words


async def test_plain_words_draw(running: Core) -> None:
    generation = await made(running, "a red fox in the snow")

    assert (generation.request.mode, generation.request.prompt) == (Mode.IMAGINE, "a red fox in the snow")
    assert generation.parent == ""


async def test_words_in_reply_to_a_picture_change_it(running: Core) -> None:
    first = await made(running)
    edited = await made(running, "make it night", quoted=Quoted(message_id=message_of(running, first.id)))

    assert (edited.request.mode, edited.request.prompt) == (Mode.EDIT, "make it night")
    assert (edited.parent, edited.parent_index) == (first.id, 0)
    assert len(edited.request.references) == 1


class InTwoMessages(dict[str, str]):
    """What a platform answers that needs two messages for each post."""

    def setdefault(self, key: str, default: str = "") -> str:
        return super().setdefault(key, f"{default} {default}-more")


async def test_each_message_of_a_generation_that_took_several_is_understood(running: Core) -> None:
    running.adapter.messages = InTwoMessages()
    first = await made(running)
    for message in message_of(running, first.id).split():
        edited = await made(running, "make it night", quoted=Quoted(message_id=message))

        assert edited.parent == first.id


async def test_words_with_a_picture_change_it(running: Core) -> None:
    edited = await made(running, "make it night", attachments=(attached(painted("sent")),))

    assert edited.request.mode is Mode.EDIT
    assert edited.parent == ""


async def test_words_in_reply_to_somebodys_picture_change_that(running: Core) -> None:
    quoted = Quoted(message_id="foreign", attachments=(attached(painted("theirs")),))
    edited = await made(running, "make it night", quoted=quoted)

    assert edited.request.mode is Mode.EDIT
    assert running.blobs.stored[edited.request.references[0].blob] == painted("theirs")


async def test_so_does_a_reply_to_several_pictures_of_a_person(running: Core) -> None:
    sent = tuple(attached(painted(name)) for name in ("one", "two", "three"))
    edited = await made(running, "make it night", quoted=Quoted(message_id="a person's", attachments=sent))
    second = await made(running, press=f"instead:{edited.id}:2")

    assert [each.index for each in edited.others] == [1, 2]
    assert (second.request.prompt, second.parent) == ("make it night", "")
    assert second.request.references[0].blob == edited.others[1].blob


async def test_a_broken_picture_among_those_that_were_not_meant_does_no_harm(running: Core) -> None:
    async def gone() -> AsyncIterator[bytes]:
        raise PictureError(text("gone"))
        yield b""

    sent = (attached(painted("one")), Attachment(name="gone.png", read=gone), attached(painted("three")))
    edited = await made(running, "make it night", quoted=Quoted(message_id="a person's", attachments=sent))

    assert [each.index for each in edited.others] == [2]


async def test_a_reply_to_several_pictures_means_the_first_and_offers_the_others(running: Core) -> None:
    first = await made(running, "/imagine a red fox --count 3")
    edited = await made(running, "make it night", quoted=Quoted(message_id=message_of(running, first.id)))

    assert (edited.parent_index, [each.index for each in edited.others]) == (0, [1, 2])
    shown = running.adapter.replies(edited.id)[-1]
    instead = [button for button in shown.buttons if button.command == "instead"]
    assert [button.index for button in instead] == [1, 2]
    other = await made(running, press=instead[1].id)
    assert (other.parent, other.parent_index, other.request.prompt) == (first.id, 2, "make it night")


async def test_a_handle_before_the_words_chooses_the_picture(running: Core) -> None:
    first = await made(running, "/imagine a red fox --count 3")
    for line in (f"{first.id}:2 make it night", f"#{first.id}:2 /edit make it night"):
        edited = await made(running, line)
        assert (edited.parent, edited.parent_index, edited.others) == (first.id, 2, ())
        assert edited.request.prompt == "make it night"


async def test_eight_letters_that_are_no_id_are_words(running: Core) -> None:
    drawn = await made(running, "cabbages and kings")

    assert drawn.request.prompt == "cabbages and kings"


@pytest.mark.parametrize(
    ("line", "mode"),
    [
        ("/vary", Mode.EDIT),
        ("/vary greener", Mode.EDIT),
        ("/series a day --count 2", Mode.SERIES),
        ("/变化", Mode.EDIT),
    ],
)
async def test_a_reply_may_be_a_command_and_the_picture_is_its_first_reference(
    running: Core, line: str, mode: Mode
) -> None:
    first = await made(running)
    made_of_it = await made(running, line, quoted=Quoted(message_id=message_of(running, first.id)))

    assert made_of_it.request.mode is mode
    assert made_of_it.parent == first.id


async def test_a_message_that_is_not_ours_is_looked_at_for_pictures(running: Core) -> None:
    looked: list[str] = []

    async def look() -> tuple[Attachment, ...]:
        looked.append("theirs")
        return (attached(painted("theirs")),)

    edited = await made(running, "make it night", quoted=Quoted(message_id="a person's", look=look))
    ours = Quoted(message_id=message_of(running, edited.id), look=look)
    again = await made(running, "make it day", quoted=ours)

    assert len(edited.request.references) == 1
    assert again.parent == edited.id
    assert looked == ["theirs"]


async def test_words_in_reply_to_a_message_without_pictures_draw(running: Core) -> None:
    async def look() -> tuple[Attachment, ...]:
        return ()

    drawn = await made(running, "a red fox", quoted=Quoted(message_id="only words", look=look))

    assert (drawn.request.mode, drawn.parent) == (Mode.IMAGINE, "")


async def test_a_message_that_may_not_be_looked_at_is_a_refusal(running: Core) -> None:
    async def look() -> tuple[Attachment, ...]:
        raise PictureError(text("I may not see that message."))

    reply = await running.answer("make it night", quoted=Quoted(message_id="a person's", look=look))

    assert str(reply.text) == "I may not see that message."
    assert reply.private


async def test_who_asks_is_completed_after_the_event_is_noted(running: Core) -> None:
    noted: list[list[str]] = []

    async def complete(invocation: Invocation) -> Invocation:
        noted.append(await open_rows(running))
        return replace(invocation, actor=replace(invocation.actor, name="Ann Lee"))

    asked = running.invocation("/imagine a red fox")
    assert await running.dispatcher.accept(asked, {"event": asked.id}, complete)
    answer = await running.dispatcher.outcome(asked.id)

    assert isinstance(answer, Accepted)
    assert noted == [[asked.id]]
    names = await running.database.fetch("SELECT name FROM people")
    assert "Ann Lee" in [row["name"] for row in names]


async def test_in_a_reply_the_quoted_picture_stands_before_the_attached_ones(running: Core) -> None:
    first = await made(running)
    quoted = Quoted(message_id=message_of(running, first.id))
    blended = await made(running, "/blend both", quoted=quoted, attachments=(attached(painted("second")),))

    stored = [running.blobs.stored[each.blob] for each in blended.request.references]
    assert len(stored) == 2
    assert stored[1] == painted("second")


async def refused(core: Core, line: str = "", **more: Any) -> str:
    """Ask for something that is refused: privately, with nothing held and the row closed. Returns the words."""
    before = await core.spent(by=more.get("by", "bob"))
    reply = await core.answer(line, **more)
    assert (reply.tone, reply.private, reply.state) == (Tone.REFUSAL, True, ""), reply
    assert await core.spent(by=more.get("by", "bob")) == before
    assert await open_rows(core) == []
    return str(reply.text)


async def test_a_reply_to_a_message_without_a_picture_is_refused(running: Core) -> None:
    said = await refused(running, "make it night", quoted=Quoted(message_id="small talk"))

    assert "no picture" in said


async def test_a_reply_to_something_that_failed_is_refused(running: Core) -> None:
    running.provider.scripts.append((RuntimeError("a bug"),))
    failed = await running.answer("/imagine a fox")
    quoted = Quoted(message_id=message_of(running, failed.generation))

    assert "no picture" in await refused(running, "make it night", quoted=quoted)


@pytest.mark.parametrize("line", ["", "   ", "\n"])
async def test_nothing_at_all_is_refused_with_a_hint(running: Core, line: str) -> None:
    assert "/help" in await refused(running, line)


# --- buttons


def buttons(reply: Reply) -> dict[str, Button]:
    return {button.command: button for button in reply.buttons}


async def test_every_button_under_a_result_does_something(running: Core) -> None:
    first = await made(running)
    under = buttons(running.adapter.replies(first.id)[-1])
    assert set(under) == {"again", "vary", "edit", "upscale", "details", "delete"}

    for command in ("again", "vary", "upscale"):
        assert (await running.answer(press=under[command].id)).state == "settled"
    edited = await running.answer(press=under["edit"].id, values={"prompt": "make it night"})
    assert (await running.load(edited.generation)).request.prompt == "make it night"
    details = await running.answer(press=under["details"].id)
    assert any(first.id in str(label) for label, _ in details.rows)
    for button in details.buttons:
        assert (await running.answer(press=button.id)).state == "settled"
    assert "deleted" in str((await running.answer(press=under["delete"].id)).text)


async def test_buttons_go_on_working_after_a_restart(core: Core) -> None:
    async with working(core):
        first = await made(core)
        under = buttons(core.adapter.replies(first.id)[-1])
    later = Core(database=core.database, folder=core.folder, blobs=core.blobs, numbers=core.numbers)

    async with working(later):
        assert (await later.answer(press=under["vary"].id)).state == "settled"


async def test_edit_without_words_asks_for_them(running: Core) -> None:
    first = await made(running)

    assert await refused(running, press=f"edit:{first.id}:0")


async def test_a_picture_that_is_large_already_cannot_grow(running: Core) -> None:
    running.provider.side = 4096
    first = await made(running)

    assert "upscale" not in buttons(running.adapter.replies(first.id)[-1])


FORGED = [
    "nonsense",
    "again",
    "again:",
    "again::0",
    "nonsense:{id}:0",
    "again:' OR '1'='1:0",
    "delete:x'; DROP TABLE generations; --:0",
    "show:zzzzzzzz:0",
    "vary:{id}:-1",
    "vary:{id}:7",
    "vary:{id}:" + "9" * 5000,
    "vary:{id}:99999999999999999999",
    "vary:{id}:0x1",
    "vary:{id}:²",
    "upscale:{id}:4",
    "instead:{id}:0",
    "go:{id}:0",
    "decline:{id}:0",
    "cancel:{id}:0",
    "imagine:{id}:0",
    "__class__:{id}:0",
    "again:" + "k" * 3000 + ":0",
]


@pytest.mark.parametrize("press", FORGED, ids=lambda press: press[:40])
async def test_a_forged_button_is_refused_in_words(running: Core, press: str) -> None:
    first = await made(running)

    said = await refused(running, press=press.replace("{id}", first.id))
    assert len(said) < 400
    assert len(running.provider.asked) == 1
    assert (await running.load(first.id)).state == "settled"


@pytest.mark.parametrize("command", ["again", "vary", "edit", "upscale", "details", "show", "delete", "cancel"])
async def test_what_was_made_privately_exists_for_nobody_else(running: Core, command: str) -> None:
    first = await made(running, "/imagine canary-words --private")
    more: dict[str, Any] = {"press": f"{command}:{first.id}:0", "values": {"prompt": "words"}, "by": "eve"}

    said = await refused(running, **more)
    assert "canary" not in said
    assert (await running.load(first.id)).deleted is False


@pytest.mark.parametrize("line", ["{id} make it night", "{id}:0 /vary", "/vary --id {id}", "/again {id}", "/show {id}"])
async def test_nor_does_its_id_open_it(running: Core, line: str) -> None:
    first = await made(running, "/imagine canary-words --private")

    assert "canary" not in await refused(running, line.replace("{id}", first.id), by="eve")
    assert len(running.provider.asked) == 1


async def test_the_words_of_a_private_edit_stay_private(running: Core) -> None:
    several = await made(running, "/imagine a fox --count 2")
    secret = await made(
        running, "/edit canary-words --private", quoted=Quoted(message_id=message_of(running, several.id))
    )
    assert [each.index for each in secret.others] == [1]

    await refused(running, press=f"instead:{secret.id}:1", by="eve")


async def test_an_admin_may_look_at_what_is_private(running: Core) -> None:
    first = await made(running, "/imagine a fox --private")

    assert (await running.answer(press=f"show:{first.id}:0", by="root", admin=True)).pictures


async def of_another_space(core: Core, line: str, *, name: str) -> Reply:
    asked = core.invocation(line, by=name, admin=True)
    await core.dispatcher.accept(replace(asked, actor=replace(asked.actor, space=f"{name}s own")), {})
    reply = await core.dispatcher.outcome(asked.id)
    assert isinstance(reply, Reply)
    return reply


@pytest.mark.parametrize("line", ["/show --id {id}", "/delete --id {id}"])
async def test_an_admin_of_another_space_is_nobody_here(running: Core, line: str) -> None:
    """Anybody may make a server of their own and be its admin."""
    first = await made(running, "/imagine canary-words --private")
    reply = await of_another_space(running, line.replace("{id}", first.id), name="eve")

    assert (reply.tone, reply.pictures) == (Tone.REFUSAL, ())
    assert "canary" not in str(reply)
    assert not (await running.load(first.id)).deleted


async def test_an_admin_whom_the_operator_lists_is_one_everywhere(running: Core) -> None:
    first = await made(running, "/imagine a fox --private")
    running.dispatcher.admins = ["fake/root"]

    assert (await of_another_space(running, f"/show --id {first.id}", name="root")).pictures


@pytest.mark.parametrize("command", ["again", "vary", "edit", "upscale", "details", "show"])
async def test_what_was_deleted_is_gone_for_every_button(running: Core, command: str) -> None:
    first = await made(running)
    await running.answer(press=f"delete:{first.id}:0")

    assert "deleted" in await refused(running, press=f"{command}:{first.id}:0", values={"prompt": "words"})


@pytest.mark.parametrize("command", ["vary", "edit", "upscale"])
async def test_what_was_cleaned_up_says_so(running: Core, command: str) -> None:
    first = await made(running)
    await running.database.transaction(lambda connection: connection.execute("UPDATE images SET state='cleaned'"))

    assert "cleaned" in await refused(running, press=f"{command}:{first.id}:0", values={"prompt": "words"})
    assert (await running.answer(press=f"again:{first.id}:0")).state == "settled"


# --- twice, and after a crash


async def test_a_repeated_event_is_answered_once(running: Core) -> None:
    invocation = running.invocation("/imagine a fox", id="twice")
    assert await running.dispatcher.accept(invocation, {"event": "twice"})
    first = await running.dispatcher.outcome("twice")

    assert isinstance(first, Accepted)
    assert not await running.dispatcher.accept(invocation, {"event": "twice"})
    await running.delivery.end_of(first.generation)
    assert running.provider.paid == 1


async def test_repeats_at_the_same_moment_are_one(running: Core) -> None:
    invocation = running.invocation("/imagine a fox", id="twice")
    new = await asyncio.gather(*(running.dispatcher.accept(invocation, {"event": "twice"}) for _ in range(20)))
    outcomes = await asyncio.gather(*(running.dispatcher.outcome("twice") for _ in range(5)))

    assert new.count(True) == 1
    accepted = next(each for each in outcomes if isinstance(each, Accepted))
    await running.delivery.end_of(accepted.generation)
    rows = await running.database.fetch("SELECT count(*) AS n FROM generations")
    assert (rows[0]["n"], running.provider.paid) == (1, 1)
    assert (await running.spent())["usd"] == (PICTURE, 0)


async def test_one_that_cannot_be_stored_takes_no_other_with_it(running: Core) -> None:
    events: dict[str, dict[str, object]] = {name: {"event": name} for name in ("a", "b", "c")}
    events["b"]["words"] = object()
    accepting = (running.dispatcher.accept(running.invocation("/quota", id=name), events[name]) for name in events)
    first, second, third = await asyncio.gather(*accepting, return_exceptions=True)
    await running.dispatcher.outcome("a")
    await running.dispatcher.outcome("c")

    assert (first, third) == (True, True)
    assert isinstance(second, TypeError)
    assert sorted(post.key for post in running.adapter.shown) == ["a", "c"]


async def test_what_comes_together_is_told_apart_by_whether_it_is_known(running: Core) -> None:
    await running.answer("/quota", id="known")
    names = ("z", "known", "a", "z")
    accepting = (running.dispatcher.accept(running.invocation("/quota", id=name), {"event": name}) for name in names)
    new = await asyncio.gather(*accepting)
    await running.dispatcher.outcome("a")
    await running.dispatcher.outcome("z")

    assert new == [True, False, True, False]
    assert sorted(post.key for post in running.adapter.shown) == ["a", "known", "z"]


async def accept(core: Core, name: str) -> bool:
    return await core.dispatcher.accept(core.invocation("/quota", id=name), {"event": name})


async def test_behind_a_crowd_what_comes_close_together_is_noted_in_one_transaction(
    running: Core, monkeypatch: pytest.MonkeyPatch
) -> None:
    noted: list[int] = []
    transaction = running.database.transaction

    async def told(function: Any, *arguments: Any, **named: Any) -> Any:
        if function is inbox.receive_all:
            noted.append(len(arguments[0]))
        return await transaction(function, *arguments, **named)

    monkeypatch.setattr(running.database, "transaction", told)
    monkeypatch.setattr("bot.dispatch.TOGETHER", 0.5)
    crowd, behind = [f"crowd{number}" for number in range(CROWD)], ["a", "b", "c"]
    assert all(await asyncio.gather(*(accept(running, name) for name in crowd)))
    accepting = []
    for name in behind:
        accepting.append(asyncio.create_task(accept(running, name)))
        await asyncio.sleep(0.01)  # each in a step of its own
    assert await asyncio.gather(*accepting) == [True, True, True]
    for name in (*crowd, *behind):
        await running.dispatcher.outcome(name)

    assert noted == [CROWD, 3]


async def test_who_comes_alone_waits_for_nobody(running: Core, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.dispatch.TOGETHER", 3600.0)
    async with asyncio.timeout(60):
        for number in range(2 * CROWD):
            assert await accept(running, f"event{number}")
            await running.dispatcher.outcome(f"event{number}")


async def test_a_noting_that_is_cancelled_while_it_waits_shuts_nobody_out(
    running: Core, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.dispatch.TOGETHER", 3600.0)
    assert all(await asyncio.gather(*(accept(running, f"crowd{number}") for number in range(CROWD))))
    waiting = asyncio.create_task(accept(running, "waits"))
    await asyncio.sleep(0)
    (noting,) = running.dispatcher._noting
    await asyncio.sleep(0)
    noting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    running.dispatcher._crowded_until = 0.0
    assert await accept(running, "next")
    await running.dispatcher.outcome("next")


async def test_who_gives_up_waiting_keeps_no_other_from_being_noted(running: Core) -> None:
    names = ("given up", "patient")
    accepting = [
        asyncio.create_task(running.dispatcher.accept(running.invocation("/quota", id=name), {"event": name}))
        for name in names
    ]
    await asyncio.sleep(0)
    accepting[0].cancel()
    assert await accepting[1]
    for name in names:
        await running.dispatcher.outcome(name)

    assert sorted(post.key for post in running.adapter.shown) == sorted(names)


async def test_dispatched_twice_it_is_still_one_generation(running: Core) -> None:
    invocation = running.invocation("/imagine a fox", id="twice")
    await running.database.transaction(inbox.receive, "twice", "fake", {}, running.at)
    answers = await asyncio.gather(*(running.dispatcher.dispatch(invocation) for _ in range(5)))

    assert sum(isinstance(each, Accepted) for each in answers) == 1
    assert sum(each is None for each in answers) == 4


async def test_what_was_acknowledged_but_not_answered_is_answered_at_the_next_start(core: Core) -> None:
    for name, line in (("event-a", "/imagine a fox"), ("event-b", "/quota")):
        core.adapter.events[name] = core.invocation(line, id=name)
        await core.database.transaction(inbox.receive, name, "fake", {"event": name}, core.at)
    async with working(core):
        assert await core.dispatcher.replay() == 2
        await core.dispatcher.outcome("event-a")
        await core.dispatcher.outcome("event-b")
        await core.adapter.until(lambda: any(post.reply.state == "settled" for post in core.adapter.shown))
        assert await open_rows(core) == []

    assert "event-b" in {post.key for post in core.adapter.shown}
    assert core.provider.paid == 1


async def test_an_event_that_is_gone_is_closed_at_the_start(running: Core) -> None:
    await running.database.transaction(inbox.receive, "gone", "fake", {"event": "gone"}, running.at)
    await running.dispatcher.replay()

    assert await open_rows(running) == []


async def test_an_event_that_is_too_old_is_answered_with_a_word(running: Core) -> None:
    running.adapter.events["old"] = running.invocation("/imagine a fox", id="old")
    await running.database.transaction(inbox.receive, "old", "fake", {"event": "old"}, running.at)
    running.clock.now += inbox.TOO_OLD + timedelta(seconds=1)
    await running.dispatcher.replay()
    await running.dispatcher.outcome("old")

    assert [(post.key, post.reply.tone) for post in running.adapter.shown] == [("old", Tone.REFUSAL)]
    assert await open_rows(running) == []
    assert running.provider.paid == 0


async def test_an_event_of_a_platform_that_is_switched_off_waits_for_it(running: Core) -> None:
    await running.database.transaction(inbox.receive, "event", "elsewhere", {"event": "event"}, running.at)
    await running.dispatcher.replay()

    assert await open_rows(running) == ["event"]


async def test_an_answer_stands_under_the_events_key(running: Core) -> None:
    await running.answer("/quota", id="event-q")

    assert [post.key for post in running.adapter.shown] == ["event-q"]


async def test_an_answer_that_cannot_be_posted_closes_its_row_all_the_same(running: Core) -> None:
    running.adapter.refuses = lambda post: CannotPost("gone", final=True)
    await running.answer("/quota")

    assert await open_rows(running) == []


# --- what goes wrong, and in which language it is said


def broken_door(core: Core, error: Exception) -> Dispatcher:
    """A door behind which the only command fails."""

    async def fail(request: object, asking: object) -> None:
        raise error

    table = CommandTable([Command(name="fail", summary=text("Fails"), request=Nothing, handle=fail)])
    return replace(core.dispatcher, table=table)


async def test_the_unforeseen_becomes_a_number_that_the_log_has_too(
    core: Core, capsys: pytest.CaptureFixture[str]
) -> None:
    async with core.delivery, broken_door(core, RuntimeError("a bug")) as door:
        await core.database.transaction(inbox.receive, "e", "fake", {}, core.at)
        with structlog.testing.capture_logs() as lines:
            answer = await door.dispatch(core.invocation("/fail", id="e"))

    assert isinstance(answer, Reply)
    number = answer.text.values["number"]
    assert (answer.tone, answer.private, answer.state) == (Tone.REFUSAL, True, "failed")
    assert number in str(answer.text)
    (failed,) = [line for line in lines if line["event"] == "failed"]
    assert failed["reference"] == number
    assert "a bug" not in str(answer.text)
    assert await open_rows(core) == []


async def test_two_of_the_unforeseen_have_two_numbers(core: Core) -> None:
    async with core.delivery, broken_door(core, KeyError("x")) as door:
        answers = [await door.dispatch(core.invocation("/fail")) for _ in range(2)]

    assert len({each.text.values["number"] for each in answers if isinstance(each, Reply)}) == 2


async def test_the_log_never_has_the_words(running: Core, capsys: pytest.CaptureFixture[str]) -> None:
    running.provider.scripts.append((RuntimeError("a bug"),))
    for line in ("/imagine canary-one", "/imagine canary-two --size 9K", "canary-three", "/nonsense canary-four"):
        await running.answer(line)
    await running.answer("/edit canary-five", attachments=(unreadable(),))

    logged = capsys.readouterr()
    assert "refused" in logged.out
    assert "canary" not in logged.out + logged.err


def unreadable() -> Attachment:
    async def read() -> AsyncIterator[bytes]:
        raise PictureError(text("The file is gone."))
        yield b""

    return Attachment(name="canary-name.png", read=read)


async def test_answers_are_in_the_language_of_the_platform_until_one_is_chosen(running: Core) -> None:
    assert (await running.answer("/quota", by="li", language="zh-TW")).language == "zh-CN"
    assert (await running.answer("/quota", by="li", language="fr")).language == "en"
    await running.answer("/settings --language zh-CN", by="li", language="en")

    assert (await running.answer("/quota", by="li", language="en")).language == "zh-CN"
    assert (await running.answer("/nonsense", by="li", language="en")).language == "zh-CN"
    drawn = await running.answer("/imagine 狐狸", by="li", language="en")
    assert drawn.language == "zh-CN"


async def test_a_place_that_is_private_makes_everything_there_private(running: Core) -> None:
    drawn = await made(running, "/imagine a fox", place=Place(adapter="fake", data={"room": "direct"}, private=True))

    assert drawn.private
    assert running.adapter.replies(drawn.id)[-1].private


async def test_leaving_the_door_waits_for_what_is_being_answered(core: Core) -> None:
    async with core.delivery, core.dispatcher:
        core.adapter.open.clear()
        await core.dispatcher.accept(core.invocation("/quota", id="slow"), {"event": "slow"})
        await core.adapter.until(lambda: core.adapter.calls)
        asyncio.get_running_loop().call_soon(core.adapter.open.set)

    assert await open_rows(core) == []


async def test_the_raw_event_is_kept_only_until_it_is_dealt_with(running: Core) -> None:
    await running.answer("/quota", id="event-q")
    rows = await running.database.fetch("SELECT raw FROM inbox")

    assert [json.loads(row["raw"]) for row in rows] == [{}]


# --- what is known before anything is stored


def refusal(core: Core, line: str = "", **more: Any) -> str:
    """What `check` says, "" where it lets it pass."""
    reply = core.dispatcher.check(core.invocation(line, **more))
    assert reply is None or (reply.tone, reply.private) == (Tone.REFUSAL, True)
    return str(reply.text) if reply else ""


CERTAIN = [
    ({"line": "/imagin a fox"}, "/imagine"),
    ({"line": "/imagine a fox --cuont 2"}, "count"),
    ({"line": "/imagine a fox --count 9"}, "from 1 to 4"),
    ({"line": "/imagine a fox --model seedream-99"}, "seedream-99"),
    ({"line": "/imagine a fox --size 64K"}, "64K"),
    ({"line": "/imagine a fox --ratio match"}, "picture"),
    ({"line": "/edit make it night"}, "needs a picture"),
    ({"line": "   "}, "/help"),
    ({"command": "imagine", "values": {"prompt": "a fox", "count": 0}}, "from 1 to 4"),
    ({"command": "gone", "values": {}}, "/gone"),
    ({"press": "nonsense:k3f9w2ab:0"}, "another version"),
    ({"press": "vary:k3f9w2ab:x"}, "another version"),
]


@pytest.mark.parametrize(("asked", "word"), CERTAIN)
async def test_what_is_certain_to_be_refused_is_refused_from_memory(
    running: Core, asked: dict[str, Any], word: str
) -> None:
    said = refusal(running, **asked)

    assert word in said
    assert str((await running.answer(**asked)).text) == said


@pytest.mark.parametrize(
    "asked",
    [
        {"line": "a fox"},
        {"line": "/imagine a fox --model 4"},
        {"line": "make it night", "quoted": Quoted(message_id="perhaps ours")},
        {"line": "/edit make it night", "quoted": Quoted(message_id="perhaps ours")},
        {"line": "k3f9w2ab /edit make it night"},
        {"line": "/edit make it night", "attachments": (attached(painted("sent")),)},
        {"line": "/show k3f9w2ab"},
        {"press": "vary:k3f9w2ab:0"},
        {"command": "history", "values": {"n": 3}},
    ],
)
def test_what_only_the_database_knows_is_not_refused_from_memory(core: Core, asked: dict[str, Any]) -> None:
    assert refusal(core, **asked) == ""


async def test_the_rules_of_the_space_are_known_from_memory(core: Core) -> None:
    person = await core.person("root", admin=True)
    blocking: dict[str, Any] = {"rooms": ("42",), "blocked": {"eve": "eve"}, "language": "zh-CN"}
    await core.spaces.change(person.space, lambda rules: replace(rules, **blocking), by=person, at=1)
    elsewhere = Place(adapter="fake", room="7")

    assert "admin" in refusal(core, "/quota", by="eve")
    assert "<#42>" in refusal(core, "a fox", place=elsewhere)
    assert "<#42>" in refusal(core, press="vary:k3f9w2ab:0", place=elsewhere)
    assert refusal(core, press="details:k3f9w2ab:0", place=elsewhere) == ""
    assert refusal(core, "a fox", place=replace(elsewhere, room="42")) == ""
    reply = core.dispatcher.check(core.invocation("a fox", place=elsewhere, language="en"))
    assert reply is not None
    assert reply.language == "zh-CN"


async def test_what_is_refused_from_memory_leaves_no_row(core: Core) -> None:
    refusal(core, "/imagin a fox")

    assert await core.database.fetch("SELECT * FROM inbox") == []


@pytest.mark.parametrize(
    ("asked", "private"),
    [
        ({"line": "a fox"}, False),
        ({"line": "/imagine a fox --private"}, True),
        ({"command": "imagine", "values": {"prompt": "a fox", "private": True}}, True),
        ({"line": "/quota"}, True),
        ({"line": "/settings --private no"}, True),
        ({"line": "/show k3f9w2ab"}, False),
        ({"line": "/imagine --nonsense"}, True),
        ({"press": "details:k3f9w2ab:0"}, True),
        ({"press": "vary:k3f9w2ab:0"}, False),
        ({"line": "a fox", "place": Place(adapter="fake", private=True)}, True),
    ],
)
def test_it_is_known_from_memory_who_will_see_the_answer(core: Core, asked: dict[str, Any], private: bool) -> None:
    assert core.dispatcher.is_private(core.invocation(**asked)) is private


async def test_ones_usual_privacy_is_known_at_once_and_after_a_restart(running: Core) -> None:
    await running.answer("/settings --private yes --model 4")
    assert running.dispatcher.is_private(running.invocation("a fox"))
    assert not running.dispatcher.is_private(running.invocation("a fox", by="eve"))
    assert not running.dispatcher.is_private(running.invocation("/imagine a fox --private no"))
    person = await running.person(admin=True)
    await running.spaces.change(person.space, lambda rules: replace(rules, private="no"), by=person, at=1)
    assert running.dispatcher.is_private(running.invocation("a fox"))

    later = Core(database=running.database, folder=running.folder, numbers=running.numbers)
    assert not later.dispatcher.is_private(later.invocation("a fox"))
    await later.preferences.load()
    assert later.dispatcher.is_private(later.invocation("a fox"))


async def test_what_somebody_usually_has_is_offered_first(running: Core) -> None:
    command = running.table.find("imagine")
    model = command.option("model")
    assert model is not None
    await running.answer("/settings --model 4")
    mine, theirs = (running.invocation(by=name).actor for name in ("bob", "eve"))

    assert running.dispatcher.suggest(mine, command, model)[0] == "seedream-4"
    assert set(running.dispatcher.suggest(mine, command, model)) == set(model.suggestions)
    assert running.dispatcher.suggest(theirs, command, model) == model.suggestions
    admin = running.table.find("admin")
    assert running.dispatcher.suggest(theirs, admin, admin.options[0]) == ()


async def test_who_is_no_admin_any_more_loses_the_dashboard_by_whatever_they_say(running: Core) -> None:
    running.dispatcher.no_admin = keys.no_admin
    admin = await running.person("bob", admin=True)

    def opened(connection: Connection) -> str:
        return keys.open_session(connection, keys.holder_of(connection, who_is(admin)), running.at)

    async def is_open(token: str) -> bool:
        found = await running.database.read(keys.session, token, running.at, lambda adapter, user: False)
        return found is not None

    token = await running.database.transaction(opened)
    await running.answer("/help", by="bob", admin=True)
    await running.answer("/help", by="eve")
    assert await is_open(token)
    await running.answer("/help", by="bob")
    assert not await is_open(token)


# --- words that say more than what to draw


@pytest.mark.parametrize(
    ("line", "prompt"),
    [
        ("three boats --count 3", "three boats"),
        ("三条船 --张数 ３", "三条船"),
        ("three boats —count 3 --neon", "three boats --neon"),
    ],
)
async def test_plain_words_mean_what_they_do_behind_the_command(running: Core, line: str, prompt: str) -> None:
    first = await made(running, line)
    edited = await made(running, line, quoted=Quoted(message_id=message_of(running, first.id)))
    sent = await made(running, line, attachments=(attached(painted("sent")),))

    asked = [first.request, edited.request, sent.request]
    assert [(each.mode, each.prompt, each.count) for each in asked] == [
        (Mode.IMAGINE, prompt, 3),
        (Mode.EDIT, prompt, 3),
        (Mode.EDIT, prompt, 3),
    ]
    assert edited.parent == first.id


async def test_a_wrong_option_of_plain_words_is_known_from_memory(running: Core) -> None:
    for more in ({}, {"attachments": (attached(painted("sent")),)}):
        said = refusal(running, "three boats --count 9", **more)

        assert "from 1 to 4" in said
        assert await refused(running, "three boats --count 9", **more) == said


async def test_plain_words_say_too_who_will_see_the_answer(running: Core) -> None:
    assert running.dispatcher.is_private(running.invocation("a fox --private"))
    assert (await made(running, "a fox --private")).private


async def test_dashes_that_are_no_option_are_drawn(running: Core) -> None:
    line = "a terminal with “git log --oneline -n 3” -- neon --v6 —very red"

    assert refusal(running, line) == ""
    assert (await made(running, line)).request.prompt == line


async def test_words_that_were_noted_before_a_crash_mean_the_same_behind_it(core: Core) -> None:
    lines = {"boats": "three boats --count 3", "wrong": "three boats --count 9", "hello": "Hello!"}
    for name, line in lines.items():
        core.adapter.events[name] = core.invocation(line, id=name)
        await core.database.transaction(inbox.receive, name, "fake", {"event": name}, core.at)
    async with working(core):
        assert await core.dispatcher.replay() == 3
        for name in lines:
            await core.dispatcher.outcome(name)
        await core.adapter.until(lambda: any(post.reply.state == "settled" for post in core.adapter.shown))
        assert await open_rows(core) == []

    tones = {post.key: post.reply.tone for post in core.adapter.shown}
    assert (tones["wrong"], tones["hello"]) == (Tone.REFUSAL, Tone.ANSWER)
    rows = await core.database.fetch("SELECT id FROM generations")
    assert (len(rows), core.provider.paid) == (1, 3)


GREETINGS = ["help", "帮助", "hello", "hi", "hey", "你好", "您好", "嗨", "?", "？"]


@pytest.mark.parametrize("line", [*GREETINGS, "HELP", " Hello! ", "Hi.", "你好！", "您好。", "ｈｅｙ", "?!"])
async def test_a_lone_greeting_is_answered_as_help_is_and_costs_nothing(running: Core, line: str) -> None:
    told = await running.answer(line)

    assert told == await running.answer("/help")
    assert refusal(running, line) == ""
    assert running.dispatcher.is_private(running.invocation(line))
    assert await running.database.fetch("SELECT id FROM generations") == []
    assert await open_rows(running) == []


@pytest.mark.parametrize(
    "line", ["hello kitty", "help me", "a fox, hi", "你好吗", "hi there!", "hihi", "...", "!", "help --count 1"]
)
async def test_words_that_are_more_than_a_greeting_draw(running: Core, line: str) -> None:
    assert (await made(running, line)).request.mode is Mode.IMAGINE


async def test_a_greeting_about_a_picture_changes_it(running: Core) -> None:
    first = await made(running)
    replied = await made(running, "hello", quoted=Quoted(message_id=message_of(running, first.id)))
    named = await made(running, f"{first.id} 你好")
    sent = await made(running, "help", attachments=(attached(painted("sent")),))

    assert [(each.request.mode, each.request.prompt) for each in (replied, named, sent)] == [
        (Mode.EDIT, "hello"),
        (Mode.EDIT, "你好"),
        (Mode.EDIT, "help"),
    ]


async def test_a_greeting_works_in_a_room_where_nothing_is_drawn(running: Core) -> None:
    person = await running.person("root", admin=True)
    await running.spaces.change(person.space, lambda rules: replace(rules, rooms=("42",)), by=person, at=1)

    assert refusal(running, "hello", place=Place(adapter="fake", room="7")) == ""
