"""Replies as Feishu's cards: snapshots in both languages, and the limits that hold for every one of them.

The snapshots are written anew with BOT_TEST_SNAPSHOTS=write; read what changes before it is kept.
"""

import json
import os
import string
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.feishu.outbound import MOST_PICTURES, Aside, card, stamp
from adapters.feishu.toasts import toast
from adapters.feishu.words import ON_IT
from bot.audit import Audited
from bot.chat import AccountLine, Button, Reply, Tone
from bot.commands.audited import Names, in_words
from bot.i18n import LANGUAGES, Link, Text, text, verbatim
from tests.adapters.feishu.card_samples import CASES, GENERATION, MODELS, NOON, account, picture, result, shown
from tests.simulators.feishu.cards import problems
from tests.simulators.feishu.reading import texts, walk

SNAPSHOTS = Path(__file__).parent / "snapshots"
MOST_BYTES = 30_000  # of a whole request, as it is sent


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("case", CASES)
def test_a_reply_is_drawn_as_it_was_agreed(case: str, language: str) -> None:
    drawn = card(replace(CASES[case].reply, language=language), **CASES[case].more)
    file = SNAPSHOTS / f"{case}.{language}.json"
    if os.environ.get("BOT_TEST_SNAPSHOTS") == "write":
        file.parent.mkdir(exist_ok=True)
        file.write_text(json.dumps(drawn, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")

    assert drawn == json.loads(file.read_text("utf-8"))
    assert problems(drawn) == []


def test_every_snapshot_belongs_to_a_case() -> None:
    assert {file.name for file in SNAPSHOTS.glob("*")} == {f"{case}.{one}.json" for case in CASES for one in LANGUAGES}


HOSTILE = [
    '"\\' * 2500,
    "\n" * 5000,
    "雪" * 5000,
    "🦊" * 3000,
    "\x00\x1b[31m\u202e\u2028\ud800 fox",
    "<at id=all></at> [x](https://bad.example) **x** <font color='red'>x</font>",
]
words = st.text(max_size=200) | st.sampled_from(HOSTILE)
texts_of_all_kinds = words.map(verbatim)
buttons = st.lists(
    st.builds(
        Button,
        command=st.sampled_from(["vary", "edit", "upscale", "instead", "show", "delete"]),
        generation=st.sampled_from([GENERATION, "other", "x" * 200]),
        label=texts_of_all_kinds,
        index=st.integers(0, 14),
        asks=st.none() | texts_of_all_kinds,
        picks=st.booleans(),
        danger=st.booleans(),
    ),
    max_size=25,
)
accounts = st.lists(
    st.builds(
        AccountLine,
        name=texts_of_all_kinds,
        unit=st.sampled_from(["usd", "images"]),
        window=st.sampled_from(["day", "week", "month", "total"]),
        used=st.integers(0, 99),
        held=st.integers(0, 99),
        limit=st.none() | st.integers(0, 50),
        resets=st.none() | st.just(NOON),
    ),
    max_size=20,
)
links = st.lists(st.builds(Link, words, st.sampled_from(["https://bot.example/1", "javascript:x", "http://[x"])))
replies = st.builds(
    Reply,
    text=texts_of_all_kinds,
    tone=st.sampled_from(Tone),
    prompt=words,
    notes=st.lists(texts_of_all_kinds, max_size=10).map(tuple),
    rows=st.lists(
        st.tuples(texts_of_all_kinds, texts_of_all_kinds | links.map(lambda each: Text("{x}", {"x": tuple(each)}))),
        max_size=40,
    ).map(tuple),
    pictures=words.flatmap(
        lambda alt: st.integers(0, 15).map(lambda count: tuple(picture(index, alt=alt) for index in range(count)))
    ),
    buttons=buttons.map(tuple),
    accounts=accounts.map(tuple),
    language=st.sampled_from([*LANGUAGES]),
)
asides = st.lists(st.builds(Aside, words=texts_of_all_kinds, link=st.sampled_from(["", "https://a.example"])))


@pytest.mark.slow
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(replies, asides, st.lists(st.text(string.ascii_letters, max_size=60)))
def test_feishu_takes_every_reply(reply: Reply, small_print: list[Aside], models: list[str]) -> None:
    for further in (False, True):
        pictures = reply.pictures[MOST_PICTURES:] if further else reply.pictures[:MOST_PICTURES]
        if further and not pictures:
            continue
        numbered = shown(*pictures, first=MOST_PICTURES + 1 if further else 1)
        drawn = card(reply, numbered, asides=small_print, models=models, further=further)

        assert problems(drawn) == []
        assert len(sent(drawn)) <= MOST_BYTES
        assert drawn["body"]["elements"]
        assert {part.get("tag") for part in worded(drawn)} <= {"plain_text"}


def sent(drawn: dict[str, Any]) -> bytes:
    """The request with the card, whose content is a text that holds JSON."""
    content = json.dumps(drawn, ensure_ascii=False, separators=(",", ":"))
    return json.dumps({"msg_type": "interactive", "content": content, "uuid": "u" * 50}, ensure_ascii=False).encode()


def worded(node: Any) -> Iterator[dict[str, Any]]:
    """Every object of a card that shows words, the list of chats' line left out."""
    match node:
        case {"content": _, "tag": _}:
            yield node
        case dict():
            for inner in node.values():
                yield from worded(inner)
        case list():
            for inner in node:
                yield from worded(inner)


def read(drawn: dict[str, Any]) -> list[str]:
    return texts("interactive", drawn)


def tagged(node: Any, tag: str) -> list[dict[str, Any]]:
    return [part for part in walk(node) if part.get("tag") == tag]


def test_a_prompt_is_shown_as_it_was_written() -> None:
    prompt = "a *fox* <at id=all></at> [x](https://bad.example) # 雪 🦊 :OK: {braces} \\n"

    assert prompt in read(card(result(1, prompt=prompt), shown(picture(0))))


def test_signs_that_change_the_words_around_them_are_taken_out() -> None:
    drawn = card(result(1, prompt="\u202efox\u2066\x00 יום\r\nsnow\x07", text=verbatim("for \u202eann\u2028b")))

    assert "fox יום\nsnow" in read(drawn)
    assert "for ann" in read(drawn)


def test_a_long_prompt_ends_in_an_ellipsis_beside_pictures_and_is_whole_in_details() -> None:
    long = "雪" * 4000
    (beside,) = [each for each in read(card(result(1, prompt=long), shown(picture(0)))) if each.startswith("雪")]
    (alone,) = [each for each in read(card(Reply(text=text("Details"), prompt=long))) if each.startswith("雪")]

    assert beside.endswith("雪…")
    assert len(beside) < 700
    assert alone == long


def test_a_long_table_ends_in_an_ellipsis_and_leaves_room_for_the_words() -> None:
    rows = tuple((verbatim(f"row {number}"), verbatim("雪" * 200)) for number in range(60))
    told = read(card(Reply(text=text("Details"), prompt="a fox", rows=rows)))

    assert "row 0 · " + "雪" * 200 in told
    assert told[-2:] == ["…", "a fox"]


def test_a_list_of_twenty_with_pictures_and_buttons_is_whole() -> None:
    buttons = tuple(Button(command="show", generation=f"g{n}", label=verbatim(f"Show g{n}")) for n in range(10))
    rows = tuple((verbatim(f"g{number}"), verbatim("a fox")) for number in range(20))
    reply = result(9, rows=rows, buttons=buttons, text=verbatim("Your last 20 requests"))
    drawn = card(reply, shown(*(picture(index) for index in range(9))))

    assert "g19 · a fox" in read(drawn)
    assert "…" not in read(drawn)
    assert (len(tagged(drawn, "button")), len(tagged(drawn, "img"))) == (10, 9)


def test_what_can_be_done_stays_when_there_are_too_many_words() -> None:
    notes = tuple(verbatim('"' * 3000) for _ in range(20))
    drawn = card(result(9, prompt='"' * 9000, notes=notes), shown(*(picture(index) for index in range(9))))

    assert {"Again", "Vary", "Delete"} <= {
        part["text"]["content"] for part in walk(drawn) if part.get("tag") == "button"
    }
    assert len([part for part in walk(drawn) if part.get("tag") == "img"]) == 9


@pytest.mark.parametrize(
    ("zone", "written"),
    [
        ("UTC", "2026-11-21 12:00 UTC"),
        ("Asia/Shanghai", "2026-11-21 20:00 UTC+8"),
        ("America/St_Johns", "2026-11-21 08:30 UTC-3:30"),
        ("Asia/Kathmandu", "2026-11-21 17:45 UTC+5:45"),
    ],
)
def test_a_time_names_its_distance_from_utc(zone: str, written: str) -> None:
    assert stamp(datetime(2026, 11, 21, 12, 0, tzinfo=UTC), zone) == written


def test_few_words_are_the_header_and_many_stand_below_it() -> None:
    short = card(result(1), shown(picture(0)))
    listing = card(Reply(text=verbatim("Commands:\n/imagine\n/edit")))
    refused = card(Reply(text=verbatim("No. " * 60), tone=Tone.REFUSAL))

    assert short["header"] == {"title": {"tag": "plain_text", "content": "Drawn for ann_*"}, "template": "green"}
    assert read(listing) == ["Commands", "/imagine\n/edit"]
    assert read(refused) == ["Sorry", ("No. " * 60).strip()]
    assert refused["header"]["template"] == "red"


def test_a_room_is_called_by_its_name() -> None:
    reply = Reply(text=text("Here: {rooms}.", rooms=(verbatim("<#oc_1>"), verbatim("<#oc_2>"))))

    assert read(card(reply, rooms={"oc_1": "Design", "oc_2": "<at>"}.__getitem__)) == ["Here: #Design, #<at>."]


def change(what: str, before: object, after: object) -> Text:
    names = Names(people={}, teams={}, roles={})
    return in_words(Audited(at=NOON, name="Ann", what=what, before=before, after=after), names)


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        (change("space rooms", [], ["oc_1", "oc_2"]), "from everywhere to #Design, #Board"),
        (change("space review", "oc_1", ""), "from #Design to off"),
        (change("tier of role:t/room:oc_1", None, "gold"), "#Design has the tier gold now."),
        (change("role", None, {"name": "<#oc_1>", "team": "film"}), "#Design gives the team film."),
        (text("Whoever has {role} has the tier {tier}.", role="<#oc_1>", tier="gold"), "Whoever has #Design has"),
    ],
)
def test_what_the_core_says_of_rooms_has_their_names(words: Text, shown: str) -> None:
    drawn = read(card(Reply(text=words), rooms={"oc_1": "Design", "oc_2": "Board"}.__getitem__))

    assert shown in " ".join(drawn)


@pytest.mark.parametrize(
    "words",
    [
        text("{ratio} is not a ratio here: {model} knows {ratios}.", ratio="<#oc_1>", model="m", ratios=("<#oc_1>",)),
        text("{name} takes the short id, not “{value}”.", name="id", value="<#oc_1>"),
        text("{name} asks", name=verbatim("Eve <#oc_1>")),
        verbatim("<#oc_1> or <#oc_1>"),
    ],
)
def test_a_room_that_somebody_wrote_is_not_named(words: Text) -> None:
    line = account("images", "day", name=words)
    reply = Reply(text=words, rows=((words, words),), notes=(words,), accounts=(line,), prompt="<#oc_1>")
    drawn = card(reply, [*shown(picture(0, alt="<#oc_1>"))], asides=[Aside(words=words, about="<#oc_1>")], rooms=secret)

    assert "secret" not in json.dumps(drawn)
    assert "<#oc_1>" in json.dumps(drawn)


def secret(room: str) -> str:
    return f"a secret about {room}"


def test_a_word_over_a_card_is_in_the_language_that_was_chosen_or_else_in_that_of_the_client() -> None:
    chosen = toast(ON_IT, language="zh-CN", chosen=True)["toast"]
    usual = toast(ON_IT, language="zh-CN")["toast"]

    assert chosen == {"type": "info", "content": "收到，正在处理。"}
    assert usual == {**chosen, "i18n": {"zh_cn": "收到，正在处理。", "en_us": "On it."}}


def test_an_original_is_one_press_away_and_no_other_address_is() -> None:
    addresses = ["https://bot.example/0?sig=a_b*c", "javascript:alert(1)", "lark://client"]
    value = Text("{words}", {"words": tuple(Link(f"{number}", each) for number, each in enumerate(addresses))})
    drawn = card(Reply(text=text("Details"), rows=((text("The originals"), value),)))

    opened = [one for part in walk(drawn) for one in part.get("behaviors", [])]
    assert opened == [{"type": "open_url", "default_url": addresses[0]}]


def test_several_pictures_are_a_grid_in_their_order_each_with_its_words() -> None:
    drawn = card(result(5), shown(*(picture(index, alt=f"fox {index}") for index in range(5))))
    rows = [one for one in drawn["body"]["elements"] if tagged(one, "img")]

    assert [len(row["columns"]) for row in rows] == [3, 3]
    assert [part["img_key"] for part in tagged(rows, "img")] == [f"img_v3_{index}" for index in range(5)]
    assert [part["alt"]["content"] for part in tagged(rows, "img")] == [f"fox {index}" for index in range(5)]


def test_one_picture_is_as_wide_as_the_card_unless_it_is_very_tall() -> None:
    wide, tall = picture(0), picture(0, width=9, height=21)

    assert [one["tag"] for one in card(result(1), shown(wide))["body"]["elements"]][1] == "img"
    assert [one["tag"] for one in card(result(1), shown(tall))["body"]["elements"]][1] == "column_set"


def test_models_are_offered_once_each_and_the_usual_is_none_of_them() -> None:
    drawn = card(result(1), shown(picture(0)), models=(*MODELS, MODELS[0], ""))
    (select,) = tagged(drawn, "select_static")

    assert [one["value"] for one in select["options"]] == list(MODELS)
    assert select["placeholder"]["content"] == "Model: as usual"
    assert "initial_index" not in select


def test_what_was_granted_ends_and_does_not_begin_anew() -> None:
    grant = account("images", "total", used=1, held=0, limit=5, ends=NOON)
    drawn = json.dumps(card(Reply(text=text("What you may still use"), accounts=(grant,))))

    assert "4 of 5 left, until 2026-11-21 12:00 UTC" in drawn
    assert "anew" not in drawn
