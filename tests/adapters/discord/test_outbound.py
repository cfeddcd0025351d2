"""Replies as Discord's messages: snapshots in both languages, and the limits that hold for every one of them.

The snapshots are written anew with BOT_TEST_SNAPSHOTS=write; read what changes before it is kept.
"""

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.discord.buttons import Shown
from adapters.discord.outbound import Aside, message
from bot.chat import AccountLine, Button, Picture, Reply, Tone
from bot.i18n import LANGUAGES, Link, Text, plural, text, verbatim
from tests.simulators.discord.components import check_message
from tests.simulators.discord.model import walk

SNAPSHOTS = Path(__file__).parent / "snapshots"
GENERATION = "k3f9w2ab"
NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)

AGAIN = Button(command="again", generation=GENERATION, label=text("Again"))
VARY = Button(command="vary", generation=GENERATION, label=text("Vary"), picks=True)
EDIT = Button(command="edit", generation=GENERATION, label=text("Edit"), asks=text("What should change?"), picks=True)
DETAILS = Button(command="details", generation=GENERATION, label=text("Details"))
DELETE = Button(command="delete", generation=GENERATION, label=text("Delete"), danger=True)
CANCEL = Button(command="cancel", generation=GENERATION, label=text("Cancel"))
RESULT = (AGAIN, VARY, EDIT, DETAILS, DELETE)
HANDLE = verbatim(f"seedream-4.5 · 2048×2048 · 0.04 USD · 6.2 s · {GENERATION}")


def picture(index: int, *, alt: str = "a fox in the snow") -> Picture:
    return Picture(
        generation=GENERATION,
        index=index,
        blob=f"{index:064}",
        media_type="image/png",
        width=24,
        height=16,
        size=100,
        alt=alt,
    )


def shown(*pictures: Picture, first: int = 1) -> list[Shown]:
    return [
        Shown(picture=one, name=f"{one.generation}-{one.index + 1}.png", number=n)
        for n, one in enumerate(pictures, first)
    ]


def result(count: int, **more: Any) -> Reply:
    return Reply(
        text=text("Drawn for {name}", name="ann_*"),
        prompt="a *fox* in the snow\n# <@1> https://bad.example",
        notes=(HANDLE,),
        pictures=tuple(picture(index) for index in range(count)),
        buttons=RESULT,
        generation=GENERATION,
        state="settled",
        **more,
    )


ORIGINALS = (Link("k3f9w2ab:0", "https://bot.example/p/k3f9w2ab:0?until=1&sig=a_b*c"), Link("[*]", "https://a.example"))
CASES: dict[str, tuple[Reply, dict[str, Any]]] = {
    "in_line": (
        Reply(text=text("In line: number {place}.", place=3), tone=Tone.PROGRESS, prompt="a fox", buttons=(CANCEL,)),
        {},
    ),
    "drawing": (
        Reply(
            text=text("Drawing: {made} of {wanted} done.", made=1, wanted=3),
            tone=Tone.PROGRESS,
            notes=(text("Started {when}", when=NOON),),
            pictures=(picture(0),),
            buttons=(CANCEL,),
        ),
        {"shown": shown(picture(0))},
    ),
    "one_picture": (result(1), {"shown": shown(picture(0))}),
    "four_pictures": (result(4), {"shown": shown(*(picture(index) for index in range(4)))}),
    "layers": (
        result(2),
        {"shown": shown(picture(0, alt="sky"), picture(1, alt="fox")), "spoiler": True},
    ),
    "made_to_fit": (
        result(1),
        {
            "shown": shown(picture(0)),
            "asides": [
                Aside(words=text("The original is too large to be posted here; this is a JPEG of it in full size.")),
                Aside(words=verbatim("0"), link="https://bot.example/pictures/0"),
            ],
        },
    ),
    "question": (
        Reply(
            text=plural(
                "This takes {count} picture, for at most {price}. Shall I?",
                "This takes up to {count} pictures, for at most {price}. Shall I?",
                8,
                price="0.32 USD",
            ),
            tone=Tone.QUESTION,
            buttons=(
                Button(command="go", generation=GENERATION, label=text("Go")),
                Button(command="decline", generation=GENERATION, label=text("Not now")),
            ),
            accounts=(
                AccountLine(name=verbatim("ann"), unit="images", window="day", used=3, held=1, limit=20, resets=None),
                AccountLine(
                    name=verbatim("ann"), unit="usd", window="month", used=500_000, held=0, limit=None, resets=NOON
                ),
            ),
        ),
        {},
    ),
    "refusal": (
        Reply(
            text=text(
                "{account}: {left} left of {limit} {window}, and this needs {wanted}; {who} can give more."
                " It starts anew at {resets}.",
                account="ann",
                who="Dora",
                left=0,
                limit=20,
                window="",
                wanted=1,
                resets=NOON,
            ),
            tone=Tone.REFUSAL,
            private=True,
        ),
        {"private": True},
    ),
    "details": (
        Reply(
            text=text("Details of {id}", id=GENERATION),
            prompt="a fox\n" * 1000,
            rows=(
                (text("Model"), verbatim("seedream-4.5")),
                (text("Asked at"), text("{time}", time=NOON)),
                (text("The original"), Text("{words}", {"words": ORIGINALS})),
            ),
            private=True,
        ),
        {},
    ),
}


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("case", CASES)
def test_a_reply_is_drawn_as_it_was_agreed(case: str, language: str) -> None:
    reply, more = CASES[case]
    drawn = message(Reply(**{**fields(reply), "language": language}), **more)
    file = SNAPSHOTS / f"{case}.{language}.json"
    if os.environ.get("BOT_TEST_SNAPSHOTS") == "write":
        file.parent.mkdir(exist_ok=True)
        file.write_text(json.dumps(drawn, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")

    assert drawn == json.loads(file.read_text("utf-8"))


def fields(reply: Reply) -> dict[str, Any]:
    return {name: getattr(reply, name) for name in Reply.__dataclass_fields__}


def test_every_snapshot_belongs_to_a_case() -> None:
    assert {file.name for file in SNAPSHOTS.glob("*")} == {f"{case}.{one}.json" for case in CASES for one in LANGUAGES}


words = st.text(max_size=300) | st.sampled_from(["*" * 5000, "\n" * 5000, "#\n" * 3000, "雪" * 5000, "a b " * 2000])
texts = words.map(verbatim)
buttons = st.lists(
    st.builds(
        Button,
        command=st.sampled_from(["vary", "edit", "upscale", "instead", "show", "delete"]),
        generation=st.sampled_from([GENERATION, "other", "x" * 200]),
        label=texts.filter(lambda each: bool(str(each))),
        index=st.integers(0, 14),
        picks=st.booleans(),
        danger=st.booleans(),
    ),
    max_size=40,
)
accounts = st.lists(
    st.builds(
        AccountLine,
        name=texts,
        unit=st.sampled_from(["usd", "images"]),
        window=st.sampled_from(["day", "week", "month", "total"]),
        used=st.integers(0, 99),
        held=st.integers(0, 99),
        limit=st.none() | st.integers(0, 50),
        resets=st.none() | st.just(NOON),
    ),
    max_size=30,
)
replies = st.builds(
    Reply,
    text=texts,
    tone=st.sampled_from(Tone),
    prompt=words,
    notes=st.lists(texts, max_size=20).map(tuple),
    rows=st.lists(st.tuples(texts, texts), max_size=40).map(tuple),
    pictures=st.integers(0, 15).map(lambda count: tuple(picture(index) for index in range(count))),
    buttons=buttons.map(tuple),
    accounts=accounts.map(tuple),
    language=st.sampled_from([*LANGUAGES]),
)


@pytest.mark.slow
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(replies, st.lists(st.builds(Aside, words=texts, link=st.just("")), max_size=20))
def test_discord_takes_every_reply(reply: Reply, asides: list[Aside]) -> None:
    for further in (False, True):
        pictures = shown(*reply.pictures[10:], first=11) if further else shown(*reply.pictures[:10])
        if pictures or not further:
            drawn = message(reply, pictures, asides=asides, further=further)

            check_message(drawn["components"], v2=True)
            assert drawn["allowed_mentions"] == {"parse": []}


def ids(drawn: dict[str, Any]) -> list[str]:
    return [one["custom_id"] for one in walk(drawn["components"]) if "custom_id" in one]


def test_one_picture_needs_no_choice() -> None:
    only = picture(2)
    drawn = message(Reply(text=text("Drawn"), pictures=(only,), buttons=RESULT), shown(only))

    assert f"vary:{GENERATION}:2" in ids(drawn)
    assert f"again:{GENERATION}:0" in ids(drawn)


def test_several_pictures_are_chosen_from_in_one_step() -> None:
    drawn = message(result(3), shown(*(picture(index) for index in range(3))))
    (vary, edit) = [one for one in walk(drawn["components"]) if one["type"] == 3]

    assert (vary["custom_id"], edit["custom_id"]) == (f"vary:{GENERATION}:", f"edit:{GENERATION}:")
    assert [one["value"] for one in vary["options"]] == [f"vary:{GENERATION}:{index}" for index in range(3)]
    assert [one["label"] for one in vary["options"]] == ["Picture 1", "Picture 2", "Picture 3"]
    assert vary["placeholder"] == "Vary · Which picture"


def test_a_further_message_has_the_choices_of_its_own_pictures_and_nothing_else() -> None:
    drawn = message(result(12), shown(picture(10), picture(11), first=11), further=True)

    assert ids(drawn) == [f"vary:{GENERATION}:", f"edit:{GENERATION}:"]
    assert [one["content"] for one in walk(drawn["components"]) if one["type"] == 10] == ["-# Pictures 11 to 12 of 12"]


def test_waiting_is_told_as_a_time_that_counts_by_itself() -> None:
    moment = text("Drawing since {time}.", time=NOON)
    for tone, stamp in ((Tone.PROGRESS, "<t:1795262400:R>"), (Tone.ANSWER, "<t:1795262400:f>")):
        drawn = message(Reply(text=moment, tone=tone))
        (only,) = [one["content"] for one in walk(drawn["components"]) if one["type"] == 10]

        assert only == f"Drawing since {stamp}."


def test_what_was_granted_ends_and_does_not_begin_anew() -> None:
    grant = AccountLine(
        name=verbatim("Given to you"), unit="images", window="total", used=1, held=0, limit=5, resets=None, ends=NOON
    )
    drawn = json.dumps(message(Reply(text=text("What you may still use"), accounts=(grant,))))

    assert f"4 of 5 left, until <t:{int(NOON.timestamp())}:f>" in drawn
    assert "anew" not in drawn
