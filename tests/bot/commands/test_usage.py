"""/usage: who sees what, how it is asked for, and what is shown."""

import io
from datetime import timedelta
from typing import Any

import pytest
from PIL import Image

from bot import teams
from bot.audit import OPERATOR
from bot.chat import Reply, Tone
from bot.i18n import say
from bot.quota.usage import count
from bot.reports import is_chart
from bot.storage.connection import Connection
from bot.suggest import shortened
from tests.bot.generation.core import Core
from tests.fakes import NOON
from tests.postgres import BOTH

SPACE = "fake/team"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "engine" in metafunc.fixturenames:
        metafunc.parametrize("engine", BOTH, indirect=True)


async def used(core: Core, by: str, images: int = 1, *, days: int = 0, **more: Any) -> None:
    """So many pictures of 0.04 USD, so many days ago."""
    person = await core.person(by)
    row = {"space": SPACE, "team": "", "person": person.id, "adapter": "fake", "provider": "sandbox", "model": "m1"}
    row |= {"started_at": 0, "finished_at": 0, **more}
    at = core.at - days * 86_400_000_000

    def note(connection: Connection) -> None:
        count(connection, row, images=images, usd=images * 40_000, state="settled", at=at, zone="UTC")

    await core.database.transaction(note)


async def team(core: Core, name: str, *, owner: str = "", member: str = "", space: str = SPACE) -> str:
    people = {role: (await core.person(who)).id for role, who in (("owner", owner), ("member", member)) if who}

    def make(connection: Connection) -> str:
        made = teams.create(connection, space, name, OPERATOR, core.at)
        for role, person in people.items():
            teams.add(connection, made, person, OPERATOR, core.at, role=role)
        return made.id

    made = await core.database.transaction(make)
    await core.memberships.load()
    return made


async def asked(core: Core, line: str, **more: Any) -> Reply:
    reply = await core.answer(line, **more)
    assert reply.tone is Tone.ANSWER, say(reply.text, "en")
    assert reply.private
    return reply


async def refused(core: Core, line: str, **more: Any) -> str:
    reply = await core.answer(line, **more)
    assert reply.tone is Tone.REFUSAL
    return say(reply.text, "en")


def rows(reply: Reply, language: str = "en") -> dict[str, str]:
    return {say(label, language): say(value, language) for label, value in reply.rows}


async def test_a_member_sees_what_they_used_and_nothing_else(core: Core) -> None:
    await used(core, "bob", 3)
    await used(core, "ann", 50)

    reply = await asked(core, "/usage model", by="bob")
    assert say(reply.text, "en") == "You, this month: 3 pictures, 0.12 USD."
    assert rows(reply) == {"m1": "3 pictures, 0.12 USD"}


@pytest.mark.parametrize("of", ["space", "all", "Design"])
async def test_a_member_may_not_look_at_others(core: Core, of: str) -> None:
    await team(core, "Design", owner="ann", member="bob")
    await used(core, "ann", 50)

    words = await refused(core, f"/usage --of {of}", by="bob")
    assert words.startswith("Only")
    assert "50" not in words


async def test_an_owner_sees_their_team(core: Core) -> None:
    design = await team(core, "Design", owner="ann", member="bob")
    await used(core, "bob", 4, team=design)
    await used(core, "bob", 100)

    for line in ("/usage person", "/usage person --of design", f"/usage person --of {design}"):
        reply = await asked(core, line, by="ann")
        assert say(reply.text, "en") == "Team Design, this month: 4 pictures, 0.16 USD."
        assert rows(reply) == {"bob": "4 pictures, 0.16 USD"}
    assert "100" not in say((await asked(core, "/usage me", by="ann")).text, "en")


async def test_an_admin_sees_their_space_and_no_other(core: Core) -> None:
    foreign = await team(core, "Foreign", owner="ann", space="fake/other")
    await used(core, "bob", 4)
    await used(core, "cid", 7, space="fake/other", team=foreign)

    reply = await asked(core, "/usage person", by="ann2", admin=True)
    assert say(reply.text, "en") == "This space, this month: 4 pictures, 0.16 USD."
    assert "no team" in await refused(core, "/usage --of Foreign", by="ann2", admin=True)
    assert (await refused(core, f"/usage --of {foreign}", by="ann2", admin=True)).startswith("There is no team")
    assert (await refused(core, "/usage --of all", by="ann2", admin=True)).startswith("Only the operator")


async def test_the_operator_sees_everything(core: Core) -> None:
    core.dispatcher.admins = ("fake/root",)
    foreign = await team(core, "Foreign", space="fake/other")
    await used(core, "bob", 4)
    await used(core, "cid", 7, space="fake/other", team=foreign, adapter="second")

    assert rows(await asked(core, "/usage platform", by="root")) == {
        "Second": "7 pictures, 0.28 USD",
        "Fake": "4 pictures, 0.16 USD",
    }
    assert rows(await asked(core, "/usage team", by="root")) == {
        "Foreign": "7 pictures, 0.28 USD",
        "for no team": "4 pictures, 0.16 USD",
    }
    assert "7 pictures" in say((await asked(core, "/usage --of Foreign", by="root")).text, "en")


@pytest.mark.parametrize(
    ("line", "pictures"),
    [
        ("/usage today", 1),
        ("/usage week", 3),
        ("/usage month", 7),
        ("/usage", 7),
        ("/usage year", 15),
        ("/usage 2026", 15),
        ("/usage 2026-10", 8),
        ("/usage 2026-11-20", 2),
        ("/usage 今天", 1),
        ("/用量 模型 本周", 3),
        ("/usage week model", 3),
        ("/usage model week", 3),
        ("/usage me model ２０２６-１０", 8),
        ("/usage --period 2026-10 --by model", 8),
    ],
)
async def test_the_time_is_chosen_in_any_order(core: Core, line: str, pictures: int) -> None:
    for days, images in ((0, 1), (1, 2), (10, 4), (30, 8), (400, 1000)):
        await used(core, "bob", images, days=days)

    noun = "picture" if pictures == 1 else "pictures"
    assert f": {pictures} {noun}," in say((await asked(core, line)).text, "en")


@pytest.mark.parametrize(
    "line",
    [
        "/usage nonsense",
        "/usage 2026-13",
        "/usage 2026-02-30",
        "/usage 2027-01",
        "/usage 0000",
        "/usage week month",
        "/usage model person",
        "/usage --of ''",
        '/usage --period "\'; DROP TABLE usage_days; --"',
    ],
)
async def test_what_is_no_time_and_no_sum_is_refused_with_a_word(core: Core, line: str) -> None:
    await used(core, "bob", 1)

    await refused(core, line)
    assert len(await core.database.fetch("SELECT * FROM usage_days")) == 1


async def test_a_chart_comes_along_that_can_be_shown(core: Core) -> None:
    for days in range(5):
        await used(core, "bob", days + 1, days=days)

    reply = await asked(core, "/usage week")
    (picture,) = reply.pictures
    drawn = Image.open(io.BytesIO(core.blobs.stored[picture.blob]))
    assert drawn.size == (picture.width, picture.height)
    assert picture.size == len(core.blobs.stored[picture.blob])
    assert await is_chart(core.database, picture.blob)
    assert not await is_chart(core.database, "0" * 64)


async def test_the_words_of_the_picture_say_what_it_shows(core: Core) -> None:
    await used(core, "bob", 3, model="m1")
    await used(core, "bob", 9, model="m2")

    (english,) = (await asked(core, "/usage model", by="bob")).pictures
    (chinese,) = (await asked(core, "/usage model", by="bob", language="zh-CN")).pictures
    assert "m2 9 pictures, 0.36 USD, m1 3 pictures, 0.12 USD" in english.alt
    assert chinese.blob != english.blob or chinese.alt == english.alt  # until there is a translation


async def test_nothing_used_is_said_and_not_drawn(core: Core) -> None:
    reply = await asked(core, "/usage")

    assert say(reply.text, "en") == "You, this month: nothing was used."
    assert reply.pictures == ()


async def test_a_chart_that_cannot_be_kept_leaves_the_numbers(core: Core) -> None:
    await used(core, "bob", 3)
    core.blobs.problems.append(OSError("the disk is full"))

    reply = await asked(core, "/usage model")
    assert rows(reply) == {"m1": "3 pictures, 0.12 USD"}
    assert reply.pictures == ()


async def test_the_many_that_used_little_are_one_row(core: Core) -> None:
    core.dispatcher.admins = ("fake/root",)
    for number in range(40):
        await used(core, f"p{number:02}", 40 - number)

    found = rows(await asked(core, "/usage person", by="root"))
    assert list(found)[:2] == ["p00", "p01"]
    assert found["All others"].startswith(f"{sum(range(1, 29))} pictures")


async def test_a_hostile_name_is_only_words(core: Core) -> None:
    core.dispatcher.admins = ("fake/root",)
    names = ("<script>alert(1)</script>", "\u202egnp.exe", "{__class__}", "%s" * 50, "😀", "龘" * 200)
    for name in names:
        await used(core, name, 2)

    reply = await asked(core, "/usage person", by="root")
    assert set(rows(reply)) == {shortened(name.replace("\u202e", "")) for name in names}
    assert len(reply.pictures) == 1
    assert len(reply.pictures[0].alt) < 1024  # what the strictest platform takes


async def test_real_requests_are_counted(running: Core) -> None:
    await running.answer("/imagine a fox", by="bob")
    running.clock.forward(minutes=1)

    reply = await asked(running, "/usage model", by="bob")
    assert rows(reply) == {"seedream-4.5": "1 picture, 0.04 USD"}


def test_noon_is_where_these_tests_stand() -> None:
    assert (NOON - timedelta(days=1)).strftime("%A %Y-%m-%d") == "Friday 2026-11-20"


@pytest.mark.parametrize(
    ("took", "said"),
    [
        ((0.01, 0.3), "less than a second"),
        ((0.3, 0.3, 12), "mostly less than a second, at worst about 12 s"),
        ((3, 3, 12), "mostly 3 s, at worst about 12 s"),
    ],
)
async def test_nothing_is_said_to_take_no_time(running: Core, took: tuple[float, ...], said: str) -> None:
    for seconds in took:
        await used(running, "bob", started_at=running.at - round(seconds * 1_000_000), finished_at=running.at)
    reply = await asked(running, "/usage", by="root", admin=True)

    rows = {say(label, "en"): say(value, "en") for label, value in reply.rows}
    assert rows["How long it took"] == said
