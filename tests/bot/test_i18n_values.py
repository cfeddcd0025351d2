"""Words on their way: what is stored and read back says the same, in every language and zone."""

import json
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.i18n import LANGUAGES, Link, Money, Text, language_of, plural, say, text, verbatim

WORDS = st.text(max_size=30)
MOMENTS = st.integers(0, 4_000_000_000_000_000).map(lambda stored: datetime.fromtimestamp(stored / 1_000_000, UTC))
LINKS = st.builds(Link, WORDS, WORDS)
VALUES = st.recursive(
    st.one_of(WORDS, st.integers(-(10**15), 10**15), MOMENTS, st.builds(Money, st.integers(0, 10**13)), LINKS),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(tuple), st.builds(lambda value: text("<{value}>", value=value), inner)
    ),
    max_leaves=5,
)
TEXTS = st.one_of(
    st.builds(lambda value: text("Say {value} twice: {value}.", value=value), VALUES),
    st.builds(
        lambda count, value: plural("{count} thing of {value}", "{count} things of {value}", count, value=value),
        st.integers(0, 1000),
        VALUES,
    ),
    st.builds(verbatim, WORDS),
)
ZONES = st.sampled_from(["UTC", "Asia/Shanghai", "Europe/Berlin", "America/St_Johns"])


@given(words=TEXTS, language=st.sampled_from(sorted(LANGUAGES)), zone=ZONES)
def test_what_is_stored_says_the_same_when_it_is_read(words: Text, language: str, zone: str) -> None:
    stored = json.dumps(words.to_json(), ensure_ascii=False)
    read = Text.from_json(json.loads(stored))

    assert say(read, language, zone) == say(words, language, zone)
    assert json.dumps(read.to_json(), ensure_ascii=False) == stored


@given(words=WORDS)
def test_somebodys_words_are_never_taken_for_places(words: str) -> None:
    assert say(verbatim(words), "en") == words
    assert say(text("“{value}”", value=words), "zh-CN") == f"“{words}”"


@pytest.mark.parametrize("attack", ["{count}", "{0.__class__}", "{value.__init__.__globals__}", "%s%n", "{"])
def test_a_value_that_looks_like_a_place_is_only_words(attack: str) -> None:
    assert say(text("said {value}", value=attack), "en") == f"said {attack}"


@pytest.mark.parametrize(
    ("micro", "shown"),
    [
        (0, "0.00 USD"),
        (40_000, "0.04 USD"),
        (1_000_000, "1.00 USD"),
        (1_234_500, "1.2345 USD"),
        (100, "0.0001 USD"),
        (200_000_000, "200.00 USD"),
    ],
)
def test_money_has_at_least_cents_and_at_most_four_digits(micro: int, shown: str) -> None:
    assert str(Money(micro)) == shown


def test_times_are_written_in_the_readers_zone_and_name_it() -> None:
    moment = datetime(2026, 11, 21, 23, 30, tzinfo=UTC)

    assert say(text("{at}", at=moment), "en", "Asia/Shanghai") == "2026-11-22 07:30 Asia/Shanghai"
    assert say(text("{at}", at=moment.astimezone(ZoneInfo("Asia/Tokyo"))), "en") == "2026-11-21 23:30 UTC"


def test_lists_are_joined_as_the_language_does() -> None:
    words = text("{names}", names=("a", Money(40_000), text("b")))

    assert say(words, "en") == "a, 0.04 USD, b"
    assert say(words, "zh-CN") == "a、0.04 USD、b"


def test_a_text_inside_a_text_is_said_in_the_same_language() -> None:
    seen: list[str] = []

    class Spy:
        def __str__(self) -> str:
            seen.append("said")
            return "spy"

    words: dict[str, Any] = {"value": text("<{value}>", value=Spy())}
    assert say(text("({value})", **words), "zh-CN") == "(<spy>)"
    assert seen


@pytest.mark.parametrize(
    ("tag", "language"),
    [
        ("en-US", "en"),
        ("en", "en"),
        ("zh", "zh-CN"),
        ("zh_cn", "zh-CN"),
        ("zh-TW", "zh-CN"),
        ("ZH-Hans-CN", "zh-CN"),
        ("fr", "en"),
        ("", "en"),
        (None, "en"),
        ("zhuang", "en"),
    ],
)
def test_every_tag_of_a_platform_gets_a_language_that_we_have(tag: str | None, language: str) -> None:
    assert language_of(tag) == language
    assert language_of(tag, "zh-CN") in LANGUAGES
