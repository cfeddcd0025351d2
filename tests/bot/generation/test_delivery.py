"""Delivery: every posting once, under its key, as often as it takes; and whoever waits for an end gets one."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from bot.chat import CannotPost, Place, Post, Reply, Tone
from bot.errors import AnswerBroken, ContentRefused, ProviderRefused
from bot.generation import accepting, deleting, delivery, outbox
from bot.generation.delivery import Delivery
from bot.generation.outbox import Posting
from bot.generation.states import PostingState
from bot.i18n import text
from bot.request import Mode
from bot.storage.connection import Connection
from tests.bot.generation.core import Core
from tests.fakes import DONE, Make, Step, Wait

FAR = 10**16  # later than any pause, in micros


@pytest.fixture(autouse=True)
def _hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses a hundred times shorter than in real life."""
    for name in ("FIRST_PAUSE", "LOOK_AGAIN", "PLACE_PACE", "TAKEN_PAUSE"):
        monkeypatch.setattr(delivery, name, getattr(delivery, name) / 100)


async def posting(core: Core, generation: str) -> dict[str, object]:
    (row,) = await core.database.fetch("SELECT * FROM postings WHERE generation=:id", id=generation)
    return dict(row)


async def claimed(core: Core, generation: str, *, now: int = FAR) -> Posting:
    """Its posting, as somebody has it whose lease is over in a moment of that time."""
    mine = await core.database.transaction(outbox.claim, outbox.own_key(generation), "another", 1, now)
    assert mine is not None
    return mine


async def pause_after(core: Core, mine: Posting, problem: CannotPost) -> tuple[float, float]:
    """Between which limits the seconds lie for which it is left alone now, by the clock that decides it."""
    before = await core.database.read(now)
    await core.delivery._refused(mine, problem)
    after = await core.database.read(now)
    next_at = int(str((await posting(core, mine.generation))["next_at"]))
    return (next_at - after) / 1_000_000, (next_at - before) / 1_000_000


def now(connection: Connection) -> int:
    return connection.now()


async def settled_in_time(core: Core, generation: str, state: PostingState) -> dict[str, object]:
    """The posting's row as soon as it is in this state."""
    async with asyncio.timeout(30):
        while (row := await posting(core, generation))["state"] != state:
            await core.database.transaction(lambda connection: None)  # the writer's next turn
    return row


async def test_a_result_is_posted_once_under_the_generations_key(core: Core) -> None:
    done = await core.run()
    async with core.delivery:
        reply = await core.delivery.end_of(done.id)

    (shown,) = core.adapter.shown
    assert (shown.key, shown.place) == (f"{done.id}:0", Place(adapter="fake", data={"room": "studio"}))
    assert shown.reply == reply
    assert len(reply.pictures) == 1
    assert (await posting(core, done.id))["state"] == PostingState.POSTED


async def test_a_post_that_was_refused_is_tried_again_under_the_same_key(core: Core) -> None:
    core.adapter.problems.extend([CannotPost("502"), ConnectionError("cut"), CannotPost("502")])
    done = await core.run()
    async with core.delivery:
        await core.delivery.end_of(done.id)

    assert [post.key for post in core.adapter.calls] == [f"{done.id}:0"] * 4
    assert len(core.adapter.messages) == 1
    assert (await posting(core, done.id))["tries"] == 0


async def test_pauses_between_tries_grow(core: Core) -> None:
    done = await core.run()
    for tries in range(6):
        mine = await claimed(core, done.id)
        assert mine.tries == tries
        shortest, longest = await pause_after(core, mine, CannotPost("502"))

        wanted = delivery.FIRST_PAUSE * 2**tries
        assert shortest <= wanted
        assert longest >= wanted / 2


async def test_a_platform_that_says_when_is_obeyed(core: Core) -> None:
    done = await core.run()
    mine = await claimed(core, done.id)
    shortest, longest = await pause_after(core, mine, CannotPost("429", retry_after=42.0))

    assert shortest <= 42.0 <= longest
    async with core.delivery:
        pass
    assert core.adapter.calls == []


async def test_a_post_tells_since_when_nobody_knows_whether_it_stands(core: Core) -> None:
    core.adapter.problems.extend(
        [CannotPost("503"), CannotPost("cut", unknown=True), CannotPost("429"), CannotPost("429")]
    )
    done = await core.run()
    async with core.delivery:
        await core.delivery.end_of(done.id)

    tried = [post.tried for post in core.adapter.calls]
    assert tried[:2] == [None, None]  # refused: it does not stand
    assert tried[2] is not None
    assert tried[2:] == [tried[2]] * 3  # the later refusals say nothing of the one whose answer was lost
    assert (await posting(core, done.id))["tried_at"] == 0


async def test_what_was_being_posted_when_the_process_died_may_stand(core: Core) -> None:
    done = await core.run()
    await claimed(core, done.id, now=1_000_000)
    async with core.delivery:
        await core.delivery.end_of(done.id)

    assert [post.tried for post in core.adapter.calls] == [datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC)]


async def test_a_final_refusal_keeps_it_for_later_and_does_not_try_again(core: Core) -> None:
    core.adapter.refuses = lambda post: CannotPost("no permission", final=True)
    done = await core.run()
    async with core.delivery:
        row = await settled_in_time(core, done.id, PostingState.KEPT)

    assert len(core.adapter.calls) == 1
    assert row["problem"] == "CannotPost"
    await core.nothing_is_held()


async def test_a_platform_that_never_takes_it_is_given_up(core: Core, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery, "LONGEST_PAUSE", 0.01)
    monkeypatch.setattr(outbox, "GIVE_UP_AFTER", 5)
    core.adapter.refuses = lambda post: ConnectionError("cut")
    done = await core.run()
    async with core.delivery:
        await settled_in_time(core, done.id, PostingState.KEPT)

    assert len(core.adapter.calls) == 5


async def test_what_was_kept_is_offered_again_when_there_is_something_new(core: Core) -> None:
    core.adapter.problems.append(CannotPost("no permission", final=True))
    done = await core.run()
    async with core.delivery:
        await settled_in_time(core, done.id, PostingState.KEPT)
        await core.database.transaction(accepting.want_post, done.id)
        core.delivery.changed(done.id)
        await settled_in_time(core, done.id, PostingState.POSTED)

    assert len(core.adapter.shown) == 1


async def test_a_late_post_is_never_stale(core: Core) -> None:
    generation = await core.accepted()
    core.adapter.refuses = lambda post: None if post.reply.state == "settled" else CannotPost("502")
    async with core.delivery:
        await core.adapter.until(lambda: core.adapter.calls)
        (mine,) = await core.admitted()
        await core.runner.run(mine)
        async with asyncio.timeout(30):
            await core.delivery.end_of(generation)

    assert core.adapter.calls[0].reply.state == "queued"
    assert [reply.state for reply in core.adapter.replies(generation)] == ["settled"]


async def test_what_ends_while_it_is_posted_is_posted_again_into_the_same_message(core: Core) -> None:
    generation = await core.accepted()
    core.adapter.open.clear()
    async with core.delivery:
        await core.adapter.until(lambda: core.adapter.calls)
        (mine,) = await core.admitted()
        await core.runner.run(mine)
        core.adapter.open.set()
        await core.delivery.end_of(generation)

    assert [reply.state for reply in core.adapter.replies(generation)][-1] == "settled"
    assert len(core.adapter.messages) == 1
    assert core.adapter.shown[-1].message == "message-0"


async def test_pictures_of_a_series_are_shown_one_by_one_and_nothing_follows_the_end(core: Core) -> None:
    shown = [asyncio.Event() for _ in range(3)]
    script: list[Step] = []
    for index in range(3):
        script += [Make(index), Wait(shown[index])]
    core.provider.scripts.append((*script, DONE))
    generation = await core.accepted(mode=Mode.SERIES, count=3)
    async with core.delivery:
        await core.adapter.until(lambda: core.adapter.shown)
        (mine,) = await core.admitted()
        running = asyncio.ensure_future(core.runner.run(mine))
        for index in range(3):
            await core.adapter.until(lambda wanted=index + 1: _most_pictures(core, generation) >= wanted)
            shown[index].set()
        await running
        await core.delivery.end_of(generation)
        for _ in range(3):  # late news of progress
            core.delivery.changed(generation)
            await core.delivery._round()

    states = [reply.state for reply in core.adapter.replies(generation)]
    assert states[0] == "queued"
    assert states[-1] == "settled"
    assert "settled" not in states[:-1]
    assert {len(reply.pictures) for reply in core.adapter.replies(generation)} >= {0, 1, 2, 3}
    assert {post.key for post in core.adapter.shown} == {f"{generation}:0"}


async def test_progress_keeps_the_adapters_pace(core: Core) -> None:
    core.adapter.pace = 3600.0
    generation = await core.accepted()
    async with core.delivery:
        await core.adapter.until(lambda: core.adapter.shown)
        (mine,) = await core.admitted()
        await core.runner.run(mine)  # several changes in no time
        await core.delivery.end_of(generation)

    assert [reply.state for reply in core.adapter.replies(generation)] == ["queued", "settled"]


async def test_progress_that_cannot_be_shown_is_lost_and_the_end_is_not(core: Core) -> None:
    go_on = asyncio.Event()
    core.provider.scripts.append((Wait(go_on), Make(), DONE))
    generation = await core.accepted()
    async with core.delivery:
        await core.adapter.until(lambda: core.adapter.shown)
        core.adapter.problems.append(ConnectionError("cut"))
        (mine,) = await core.admitted()
        running = asyncio.ensure_future(core.runner.run(mine))
        await core.adapter.until(lambda: len(core.adapter.calls) >= 2)
        go_on.set()
        await running
        await core.delivery.end_of(generation)

    assert core.adapter.replies(generation)[-1].state == "settled"


async def test_the_place_in_the_line_is_corrected(core: Core) -> None:
    await core.accepted(by="ann")
    generation = await core.accepted(by="bob")
    async with core.delivery:
        core.delivery.line_moved()
        await core.adapter.until(lambda: core.adapter.replies(generation))
        assert "2" in str(core.adapter.replies(generation)[0].text)
        await core.admitted(free=1)
        core.delivery.line_moved()
        await core.adapter.until(lambda: "next" in str(core.adapter.replies(generation)[-1].text))


async def test_what_was_being_posted_when_the_process_ended_is_posted_under_the_same_key(core: Core) -> None:
    done = await core.run()
    await claimed(core, done.id, now=1)
    assert (await posting(core, done.id))["state"] == PostingState.POSTING

    again = Delivery(
        database=core.database,
        adapters={"fake": core.adapter},
        present=core.delivery.present,
        present_log=core.delivery.present_log,
    )
    async with again:
        await again.end_of(done.id)
    assert [post.key for post in core.adapter.shown] == [f"{done.id}:0"]


async def test_what_was_written_just_before_the_stop_is_still_posted(core: Core) -> None:
    async with core.delivery:
        done = await core.run()

    assert [post.reply.state for post in core.adapter.shown][-1] == "settled"
    assert (await posting(core, done.id))["state"] == PostingState.POSTED


async def test_what_ended_while_it_was_just_being_posted_is_posted_once_more_before_the_stop(core: Core) -> None:
    core.adapter.open.clear()
    async with core.delivery:
        generation = await core.accepted()
        await core.adapter.until(lambda: core.adapter.calls)
        (mine,) = await core.admitted()
        await core.runner.run(mine)
        asyncio.get_running_loop().call_later(0.1, core.adapter.open.set)

    assert [post.reply.state for post in core.adapter.shown][-1] == "settled"
    assert (await posting(core, generation))["state"] == PostingState.POSTED


async def test_a_message_that_shows_it_too_changes_with_it(core: Core) -> None:
    done = await core.run()
    async with core.delivery:
        await core.delivery.end_of(done.id)
        shown = Post(
            key="event-show",
            place=Place(adapter="fake"),
            reply=Reply(text=text("here"), generation=done.id, state="settled"),
        )
        message = await core.delivery.answer(shown)
        await core.database.transaction(outbox.add_posted, shown, message)
        await core.database.transaction(accepting.want_post, done.id)
        core.delivery.changed(done.id)
        await core.adapter.until(lambda: len(core.adapter.shown) == 4)

    assert {post.key for post in core.adapter.shown[2:]} == {"event-show", f"{done.id}:0"}
    assert await core.database.read(outbox.quoted, "fake", message) == done.id


@pytest.mark.parametrize("happened", ["ended", "deleted"])
async def test_what_happened_while_another_message_was_brought_is_shown_there_too(core: Core, happened: str) -> None:
    """Bringing the pictures takes its time, and before the message is noted nobody knows that it is to be changed."""
    generation = await core.accepted()
    (mine,) = await core.admitted()
    if happened == "deleted":
        await core.runner.run(mine)
    reply = await core._show(generation, 0)
    shown = Post(key="event-show", place=Place(adapter="fake"), reply=reply)
    message = await core.delivery.answer(shown)
    if happened == "ended":
        await core.runner.run(mine)
    else:
        await core.database.transaction(deleting.delete, generation, await core.person(), core.at)
    await core.database.transaction(outbox.add_posted, shown, message)
    async with core.delivery:
        await core.adapter.until(lambda: len(core.adapter.shown) == 3)

    last = {post.key: post.reply for post in core.adapter.shown}
    assert last["event-show"] == last[f"{generation}:0"] != reply


async def test_an_answer_is_tried_a_few_times_and_then_let_go(core: Core) -> None:
    post = Post(key="answer", place=Place(adapter="fake"), reply=Reply(text=text("hello")))
    core.adapter.problems.extend([CannotPost("502"), CannotPost("502", retry_after=0.01)])
    assert await core.delivery.answer(post) == "message-0"

    core.adapter.refuses = lambda _: CannotPost("gone", final=True)
    assert await core.delivery.answer(post) == ""
    core.adapter.refuses = lambda _: CannotPost("502")
    assert await core.delivery.answer(post) == ""
    assert len(core.adapter.calls) == 3 + 1 + 5


ENDINGS: dict[str, tuple[Step, ...]] = {
    "settled": (Make(), DONE),
    "failed": (ProviderRefused("no"),),
    "refused": (ContentRefused("words"),),
    "unknown": (AnswerBroken(),),
}


@pytest.mark.parametrize("state", ENDINGS)
@pytest.mark.parametrize("final", [False, True], ids=["shown", "kept"])
async def test_whoever_waits_for_the_end_hears_of_it(core: Core, state: str, final: bool) -> None:
    generation = await core.accepted()
    core.provider.scripts.append(ENDINGS[state])
    async with core.delivery:
        waiting = asyncio.ensure_future(core.delivery.end_of(generation))
        await core.adapter.until(lambda: core.adapter.shown)
        if final:
            core.adapter.refuses = lambda post: CannotPost("no permission", final=True)
        (mine,) = await core.admitted()
        await core.runner.run(mine)

        async with asyncio.timeout(30):
            assert (await waiting).state == state
            assert (await core.delivery.end_of(generation)).state == state  # and so does who comes late
    assert core.delivery._waiting == {}


async def test_whoever_waits_hears_of_a_cancellation(core: Core) -> None:
    generation = await core.accepted()
    async with core.delivery:
        waiting = asyncio.ensure_future(core.delivery.end_of(generation))
        await core.adapter.until(lambda: core.adapter.shown)
        await core.service.cancel(generation, await core.person())

        async with asyncio.timeout(30):
            assert (await waiting).state == "cancelled"


async def test_whoever_waits_hears_of_a_question(core: Core) -> None:
    generation = await core.accepted()
    await core.database.transaction(lambda connection: connection.execute("UPDATE generations SET state='asked'"))
    async with core.delivery:
        async with asyncio.timeout(30):
            reply = await core.delivery.end_of(generation)

    assert (reply.state, reply.tone) == ("asked", Tone.QUESTION)
    assert [button.command for button in reply.buttons] == ["go", "decline"]


async def test_one_round_that_fails_does_not_end_delivery(core: Core) -> None:
    present = core.delivery.present
    broken: list[Callable[[], None]] = []

    async def fails_once(generation: str, place: int) -> Reply:
        if not broken:
            broken.append(lambda: None)
            raise RuntimeError("a bug")
        return await present(generation, place)

    core.delivery.present = fails_once
    done = await core.run()
    async with core.delivery:
        await settled_in_time(core, done.id, PostingState.POSTED)

    assert len(core.adapter.shown) == 1


def _most_pictures(core: Core, generation: str) -> int:
    return max((len(reply.pictures) for reply in core.adapter.replies(generation)), default=0)
