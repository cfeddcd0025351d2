"""The first answer: in time, in the right kind, and before anything else."""

import asyncio
from pathlib import Path

import pytest

from bot.chat import Invocation, Reply, Tone
from bot.errors import Unavailable
from bot.i18n import text
from tests.adapters.discord.stage import FakeDoor, connected, drawing_table
from tests.fakes import painted
from tests.simulators.discord.fake import FakeDiscord
from tests.simulators.discord.faults import Fault
from tests.simulators.discord.forms import Upload
from tests.simulators.discord.interactions import Ack
from tests.simulators.discord.wire import Code

CALLBACK = "/interactions/{interaction_id}/{interaction_token}/callback"
FOX = Upload("fox.png", painted("fox"))
CAT = Upload("cat.png", painted("cat"))


@pytest.fixture
def door() -> FakeDoor:
    return FakeDoor(drawing_table())


async def test_two_hundred_people_at_once_are_all_answered_in_time(
    fake: FakeDiscord, door: FakeDoor, tmp_path: Path
) -> None:
    people = [fake.person(f"person{number}") for number in range(200)]
    door.answers = False
    async with connected(fake, door, tmp_path):
        asked = [await one.slash("imagine", prompt="a fox") for one in people]
        await asyncio.gather(*(one.acknowledged() for one in asked))
        await fake.until(lambda: len(door.accepted) == 200, what="200 invocations")

    assert not any(one.failed for one in asked)
    assert {one.ack for one in asked} == {Ack.DEFERRED}
    assert len({invocation.id for invocation, _ in door.accepted}) == 200


async def test_nothing_is_asked_of_the_core_before_the_first_answer_left(
    fake: FakeDiscord, door: FakeDoor, tmp_path: Path
) -> None:
    async with connected(fake, door, tmp_path):
        async with fake.holding("POST", CALLBACK) as gate:
            asked = await fake.person("bob").slash("edit", prompt="make it night", image1=FOX)
            await gate.arrived()
            before = len(door.accepted), len(fake.downloads)
            gate.open()
        await asked.answered()

    assert before == (0, 0)
    assert len(door.accepted) == 1


async def test_what_is_refused_from_memory_is_told_at_once_to_this_person_alone(
    fake: FakeDiscord, door: FakeDoor, tmp_path: Path
) -> None:
    door.refuses = lambda invocation: Reply(text=text("There is no such size."), tone=Tone.REFUSAL, private=True)
    async with connected(fake, door, tmp_path):
        asked = await fake.person("bob").slash("imagine", prompt="a fox")
        answer = await asked.answered()

    assert (asked.ack, answer.ephemeral, "no such size" in answer.text) == (Ack.MESSAGE, True, True)
    assert door.accepted == []


@pytest.mark.parametrize("private", [True, False])
async def test_the_deferred_answer_is_as_private_as_the_answer_will_be(
    fake: FakeDiscord, door: FakeDoor, tmp_path: Path, private: bool
) -> None:
    door.private = lambda invocation: private
    async with connected(fake, door, tmp_path):
        asked = await fake.person("bob").slash("imagine", prompt="a fox")
        answer = await asked.answered()

    assert (asked.ack, asked.ephemeral, answer.ephemeral) == (Ack.DEFERRED, private, private)
    assert (door.last.place.private, door.last.place.data["deferred"]) == (private, True)


@pytest.mark.parametrize("fault", [Fault.LOST, Fault.RESET, 500, 502, 503, Fault.BUSY], ids=str)
async def test_a_first_answer_that_did_not_get_through_is_given_again(
    fake: FakeDiscord, door: FakeDoor, tmp_path: Path, fault: Fault | int
) -> None:
    async with connected(fake, door, tmp_path):
        fake.goes_wrong("POST", CALLBACK, fault)
        asked = await fake.person("bob").slash("imagine", prompt="a fox")
        await asked.answered()

    assert (asked.ack, asked.failed, len(door.accepted)) == (Ack.DEFERRED, False, 1)


async def test_what_discord_calls_too_late_is_not_begun(fake: FakeDiscord, door: FakeDoor, tmp_path: Path) -> None:
    async with connected(fake, door, tmp_path):
        bob = fake.person("bob")
        fake.goes_wrong("POST", CALLBACK, Code.UNKNOWN_INTERACTION)
        await bob.slash("imagine", prompt="too late")
        await (await bob.slash("imagine", prompt="in time")).answered()

    assert [invocation.values["prompt"] for invocation, _ in door.accepted] == ["in time"]


async def test_an_event_that_comes_twice_is_taken_up_once(fake: FakeDiscord, door: FakeDoor, tmp_path: Path) -> None:
    async with connected(fake, door, tmp_path):
        bob = fake.person("bob")
        asked = await bob.slash("imagine", prompt="a fox")
        await asked.answered()
        fake.gateway.connected[0].tell("INTERACTION_CREATE", asked.payload)
        await (await bob.slash("imagine", prompt="another")).answered()
        await fake.until(lambda: len(fake.asked_for("POST", CALLBACK)) == 3)

    assert [invocation.values["prompt"] for invocation, _ in door.accepted] == ["a fox", "another"]
    assert len(asked.shown) == 1


@pytest.mark.parametrize(
    ("problem", "told"),
    [
        (Unavailable(text("The bot's disk is full.")), "disk is full"),
        (RuntimeError("the database is gone"), "could not be taken up"),
    ],
    ids=["expected", "unforeseen"],
)
async def test_an_asking_that_cannot_be_noted_is_answered_all_the_same(
    fake: FakeDiscord, door: FakeDoor, tmp_path: Path, problem: Exception, told: str
) -> None:
    door.problem = problem
    async with connected(fake, door, tmp_path):
        answer = await (await fake.person("bob").slash("imagine", prompt="a fox")).answered()

    assert told in answer.text


async def test_an_upload_is_fetched_at_once_and_kept_until_it_is_dealt_with(
    fake: FakeDiscord, door: FakeDoor, tmp_path: Path
) -> None:
    uploads = tmp_path / "uploads"
    waiting = asyncio.Event()

    class Slow(FakeDoor):
        async def _answer(self, invocation: Invocation) -> None:
            await waiting.wait()
            await super()._answer(invocation)

    slow = Slow(door.table)
    async with connected(fake, slow, tmp_path):
        asked = await fake.person("bob").slash("edit", prompt="make it night", image1=FOX)
        await fake.until(lambda: [*uploads.glob("[0-9]*")] and not [*uploads.glob("*.part")], what="the upload")
        for file in fake.cdn.kept.values():
            file.vanished = True
        waiting.set()
        await asked.answered()

    assert slow.pictures == [FOX.data]
    assert [*uploads.iterdir()] == []


@pytest.mark.parametrize("twice", [False, True], ids=["it was not noted", "it came twice"])
async def test_an_upload_of_what_is_not_taken_up_is_not_kept(
    fake: FakeDiscord, door: FakeDoor, tmp_path: Path, twice: bool
) -> None:
    uploads = tmp_path / "uploads"
    async with connected(fake, door, tmp_path):
        door.problem = None if twice else RuntimeError("the database is gone")
        asked = await fake.person("bob").slash("edit", prompt="make it night", image1=FOX)
        await asked.answered()
        if twice:
            fake.gateway.connected[0].tell("INTERACTION_CREATE", asked.payload)
            await fake.until(lambda: len(fake.asked_for("POST", CALLBACK)) == 2)
            await (await fake.person("bob").slash("edit", prompt="another", image1=CAT)).answered()
        await fake.until(lambda: not [*uploads.iterdir()], what="the end of the uploads")


async def test_an_upload_is_still_there_for_the_next_process(
    fake: FakeDiscord, door: FakeDoor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("adapters.discord.intake.PATIENCE", 0.05)
    forever = asyncio.Event()

    class Stuck(FakeDoor):
        async def outcome(self, invocation: str) -> object:
            return await forever.wait()

    stuck = Stuck(door.table, answers=False)
    async with connected(fake, stuck, tmp_path):
        await fake.person("bob").slash("edit", prompt="make it night", image1=FOX)
        await fake.until(lambda: stuck.pictures, what="the picture")
    for file in fake.cdn.kept.values():
        file.vanished = True
    async with connected(fake, door, tmp_path) as adapter:
        again = await adapter.replay(stuck.accepted[0][1])
        assert again is not None
        picture = b"".join([chunk async for chunk in again.values["image1"].read()])

    assert picture == FOX.data
    assert again.id == stuck.last.id
    assert again.place == stuck.last.place
