"""Somebody with linked accounts is forgotten by a real process that is killed on the way: nothing is, or all of it."""

import json
from pathlib import Path

import pytest

from tests.crash.home import Home, Said
from tests.crash.waiting import until

pytestmark = pytest.mark.crash

# Words and names that stand in nothing else.
WILMA, THEO, OTHER = "Wilhelmina-7", "Theodora-9", "carol"
WOLF, OWL = "a wolf with seven tails", "an owl in a teacup"
THEIRS = (WILMA, THEO, WOLF, OWL)
POINTS = (
    *("before privacy._forget_once", "after privacy._forget_once"),
    *(
        pytest.param(point, marks=pytest.mark.long)
        for point in (
            *("before privacy.stop", "after privacy.stop"),
            *("after privacy._pending", "before blobs.delete", "after blobs.delete"),
            *("after privacy._removed", "after blobs.delete@2", "after privacy._removed@2"),
            *("before post:answer@5", "after post:answer@5", "after inbox.close@5"),
        )
    ),
)
PICTURES = 2


async def forgetting(home: Home, point: str) -> Said:
    """Two accounts that draw and are linked, whose owner has them forgotten until the process dies."""
    async with home.running(point) as bot:
        first = await bot.draw(WOLF, person=WILMA)
        other = await bot.draw(OWL, person=THEO)
        await home.quiet()
        assert [home.stored.moment(each.id).generation for each in (first, other)] == ["settled", "settled"]
        given = await bot.say("/link", person=WILMA)
        await home.reaches(given, inbox="done")
        code = home.stored.answers(given.id)[0]["text"]["values"]["code"]
        typed = await bot.say(f"/link {code}", person=THEO)
        await home.reaches(typed, inbox="done")
        linked = await bot.say(press=button(home, typed, "link"), person=THEO)
        await home.reaches(linked, inbox="done")
        asked = await bot.say("/forget me", person=THEO)
        await home.reaches(asked, inbox="done")
        assert home.stored.answers(asked.id)[0]["notes"][0]["count"] == 2, "it concerns both"
        pressed = await bot.say(press=button(home, asked, "forget"), person=THEO)
        await bot.died()
    return pressed


def button(home: Home, said: Said, command: str) -> str:
    (found,) = [each for each in home.stored.answers(said.id)[0]["buttons"] if each["command"] == command]
    return f"{command}:{found['generation']}:0"


def files(home: Home) -> list[Path]:
    return [file for file in (home.folder / "blobs").rglob("*") if file.is_file()]


def counts(home: Home) -> tuple[int, ...]:
    """Of what is theirs: people, accounts, words in requests, pictures, and words on the page."""
    sums = (
        "SELECT count(*) AS n FROM people",
        "SELECT count(*) AS n FROM actors",
        "SELECT count(*) AS n FROM generations WHERE request LIKE '%wolf%' OR request LIKE '%owl%'",
        "SELECT count(*) AS n FROM images WHERE state='made'",
        "SELECT count(*) AS n FROM chat_messages WHERE words LIKE '%wolf%' OR words LIKE '%owl%'",
    )
    return tuple(row["n"] for sql in sums for row in home.stored.rows(sql))


@pytest.mark.parametrize("point", POINTS)
async def test_somebody_is_forgotten_whole_or_not_at_all(furnished: Home, point: str) -> None:
    home = furnished
    home.settings["BOT_ADMINS"] = json.dumps([WILMA, THEO, OTHER])
    pressed = await forgetting(home, point)

    assert counts(home) in ((2, 2, 2, PICTURES, 2), (0, 0, 0, 0, 0))
    done = counts(home) == (0, 0, 0, 0, 0)
    assert done or len(files(home)) >= PICTURES
    assert done or set(traces(home)) == set(THEIRS), "else nothing could be found missing"
    assert home.stored.problems() == ()

    async with home.running() as bot:
        if not pressed.acknowledged:
            await bot.repeat(pressed)
        await home.quiet()
        await until(lambda: not files(home), "the pictures are gone")
        bot.stop()
        assert await bot.ended() == 0

    assert counts(home) == (0, 0, 0, 0, 0)
    answers = [answer for answer in home.stored.answers(pressed.id) if "forgotten" in answer["text"]["message"]]
    assert [answer["tone"] for answer in answers] == ["answer"]
    assert len(home.stored.rows("SELECT * FROM audit WHERE what='forgotten'")) == 1
    assert home.stored.problems() == ()
    await no_trace_is_left(home)


async def no_trace_is_left(home: Home) -> None:
    """An hour later, when no page that is open has to hear of it any more, there is no word of them in any file."""
    for row in home.stored.rows("SELECT name, value FROM meta WHERE name LIKE 'forgotten room %'"):
        value = "0 " + row["value"].partition(" ")[2]
        home.change("UPDATE meta SET value=:value WHERE name=:name", name=row["name"], value=value)
    async with home.running() as bot:
        await until(lambda: not home.stored.rows("SELECT * FROM meta WHERE name LIKE 'forgotten%'"), "all is tidied")
        bot.stop()
        assert await bot.ended() == 0

    assert traces(home) == {}


def traces(home: Home) -> dict[str, set[str]]:
    """Where each of their words and names is found: in which tables, and in which files, in use there or not."""
    if "BOT_DATABASE_URL" in home.settings:
        named = "SELECT tablename AS name FROM pg_tables WHERE schemaname=current_schema()"
    else:
        named = "SELECT name FROM sqlite_master WHERE type='table'"
    tables = [row["name"] for row in home.stored.rows(named)]
    held = {
        name: json.dumps(home.stored.rows(f"SELECT * FROM {name}"), default=str, ensure_ascii=False).encode()
        for name in tables
    }
    held |= {str(file.relative_to(home.folder)): file.read_bytes() for file in home.folder.rglob("*") if file.is_file()}
    found = {word: {name for name, there in held.items() if word.encode() in there} for word in THEIRS}
    return {word: places for word, places in found.items() if places}
