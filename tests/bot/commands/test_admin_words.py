"""The words of an admin: what they are read as, in both languages, and what is said where they do not fit."""

from contextlib import suppress
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.commands.admin_words import (
    ALSO_AREAS,
    AREAS,
    FORMS,
    Amount,
    BlockOrder,
    ExportOrder,
    GrantOrder,
    GrantsOrder,
    LimitOrder,
    Marked,
    RefundOrder,
    RoleOrder,
    TeamOrder,
    TierOrder,
    grant,
    read,
    share,
)
from bot.errors import UsageError
from bot.i18n import LANGUAGES, say

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
BOB = Marked(member="bob")
NOBODY = Marked()


def amount(value: int | None, unit: str = "images", window: str = "day") -> Amount:
    return Amount(amount=value, unit=unit, window=window)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("person 20 images per day", amount(20)),
        ("person ５０ images per day", amount(50)),
        ("person 1,000 pictures a month", amount(1000, window="month")),
        ("person 2.50 usd per month", amount(2_500_000, "usd", "month")),
        ("person $5 per week", amount(5_000_000, "usd", "week")),
        ("person 20 images/day", amount(20)),
        ("person images per day 20", amount(20)),
        ("person none images per day", amount(0)),
        ("person 0 images in total", amount(0, window="total")),
        ("person unlimited usd in total", amount(None, "usd", "total")),
        ("个人 每天20张", amount(20)),
        ("个人 每月 5 美元", amount(5_000_000, "usd", "month")),
        ("个人 不限 张 每周", amount(None, window="week")),
        ("person default", Amount(back=True)),
        ("person default images per day", Amount(unit="images", window="day", back=True)),
        ("person", None),
    ],
)
def test_an_amount_is_read(words: str, expected: Amount | None) -> None:
    assert read("limit", words, BOB) == LimitOrder(kind="person", amount=expected)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("person -5 images per day", "below zero"),
        ("person −5 images per day", "below zero"),
        ("person 1e9 images per day", "“1e9” is no amount"),
        ("person inf usd per day", "“inf” is no amount"),
        ("person nan usd per day", "“nan” is no amount"),
        ("person many images per day", "“many” is no amount"),
        ("person 1,0,0 images per day", "“1,0,0” is no amount"),
        ("person 2.5 images per day", "whole numbers"),
        ("person 0.0000001 usd per day", "six decimals"),
        ("person 9999999999999 images per day", "more than I can count"),
        (f"person {'9' * 400} images per day", "is no amount"),
        ("person 20 images", "for which time"),
        ("person 20 per day", "what is counted"),
        ("person per day", "An amount is missing"),
        ("person default images", "both"),
        ("perso 20 images per day", "did you mean person"),
        ("team 20 images per day", "A name is missing"),
        ("share Design some images per day", "“some” is no amount"),
    ],
)
def test_what_is_no_amount_is_refused_with_a_form_and_an_example(words: str, told: str) -> None:
    with pytest.raises(UsageError) as refused:
        read("limit", words, BOB)

    assert told in str(refused.value.text)
    assert "Write: /admin limit" in str(refused.value.text)
    assert "for example: /admin limit" in str(refused.value.text)


@pytest.mark.parametrize(
    ("area", "words", "marked", "expected"),
    [
        ("team", "", NOBODY, TeamOrder(verb="show")),
        ("team", "create Design Team", NOBODY, TeamOrder(verb="create", name="Design Team")),
        ("team", "新建 设计组", NOBODY, TeamOrder(verb="create", name="设计组")),
        ("team", "rename Design to Brand design", NOBODY, TeamOrder(verb="rename", name="Design", to="Brand design")),
        ("team", 'rename "Up to you" to "To do"', NOBODY, TeamOrder(verb="rename", name="Up to you", to="To do")),
        ("team", "add Design", BOB, TeamOrder(verb="add", name="Design")),
        ("limit", "", NOBODY, LimitOrder(kind="space")),
        (
            "limit",
            'team "图片 20" 5 usd per week',
            NOBODY,
            LimitOrder(kind="team", name="图片 20", amount=amount(5_000_000, "usd", "week")),
        ),
        ("limit", "all 3 images per day", NOBODY, LimitOrder(kind="all", amount=amount(3))),
        (
            "limit",
            "share Design 3 images a week",
            BOB,
            LimitOrder(kind="share", name="Design", amount=amount(3, window="week")),
        ),
        (
            "tier",
            "set pro models seedream-4, seedream-4.5",
            NOBODY,
            TierOrder(verb="set", name="pro", rule="models", values=("seedream-4", "seedream-4.5")),
        ),
        ("tier", "give pro", BOB, TierOrder(verb="give", name="pro", holder="person")),
        ("tier", "give pro", Marked(role="7"), TierOrder(verb="give", name="pro", holder="role")),
        ("tier", "take pro team Design", NOBODY, TierOrder(verb="take", name="pro", holder="team", target="Design")),
        ("role", "", NOBODY, RoleOrder()),
        ("role", "team Design", Marked(channel="7"), RoleOrder(kind="team", target="Design")),
        ("role", "off", Marked(role="7"), RoleOrder(kind="off")),
        ("block", "", BOB, BlockOrder(block=True, user="bob")),
        ("unblock", "77", NOBODY, BlockOrder(block=False, user="77")),
        ("refund", "#K3F9W2AB:1 it was torn", NOBODY, RefundOrder(generation="k3f9w2ab", reason="it was torn")),
        ("grants", "end #3", NOBODY, GrantsOrder(ends=3)),
        ("export", "账本", NOBODY, ExportOrder(what="ledger")),
    ],
)
def test_an_order_is_read(area: str, words: str, marked: Marked, expected: object) -> None:
    assert read(area, words, marked) == expected


@pytest.mark.parametrize(
    ("area", "words", "told"),
    [
        ("team", "add Design", "Say whom"),
        ("team", "rename Design", "both names"),
        ("team", "explode Design", "one of create"),
        ("team", "create <@5>", "none of the signs"),
        ("team", f"create {'x' * 200}", "at most 60 characters"),
        ("tier", "create pro max", "one word"),
        ("tier", "set pro colour red", "one of models"),
        ("tier", "give pro", "Say who"),
        ("role", "team Design", "which role"),
        ("block", "", "Say whom"),
        ("refund", "k3f9w2ab", "Say why"),
        ("refund", "", "Say which"),
        ("grants", "end three", "the number"),
        ("export", "leger", "did you mean ledger"),
        ("audit", "of yesterday", "of yesterday"),
    ],
)
def test_what_does_not_fit_is_said(area: str, words: str, told: str) -> None:
    with pytest.raises(UsageError) as refused:
        read(area, words, NOBODY)

    assert told in str(refused.value.text)
    assert "for example: /admin" in str(refused.value.text)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", [name for name in FORMS if name not in ("grant", "share")])
def test_every_example_is_right(name: str, language: str) -> None:
    _, area, *words = say(FORMS[name].example, language).split()
    marks = [word for word in words if word[0] in "@#"]
    marked = Marked(
        member=next((word[1:] for word in marks if word[0] == "@"), ""),
        channel=next((word[1:] for word in marks if word[0] == "#"), ""),
    )

    order = read(ALSO_AREAS.get(area, area), " ".join(word for word in words if word not in marks), marked)
    assert order is not None


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("20 images until end of month", (20, "images", datetime(2026, 12, 1, tzinfo=UTC))),
        ("20 until 3d", (20, "images", datetime(2026, 11, 24, 12, tzinfo=UTC))),
        ("2.5 usd until 2026-12-31", (2_500_000, "usd", datetime(2027, 1, 1, tzinfo=UTC))),
        ("20张 到 月底", (20, "images", datetime(2026, 12, 1, tzinfo=UTC))),
        ("5 images until end of week", (5, "images", datetime(2026, 11, 23, tzinfo=UTC))),
    ],
)
def test_a_grant_is_read(words: str, expected: tuple[int, str, datetime]) -> None:
    value, unit, until = expected

    assert grant(words, NOON, "UTC") == GrantOrder(amount=value, unit=unit, until=until)
    assert grant(f"{words} from Design Team", NOON, "UTC").pool == "Design Team"


def test_a_day_ends_at_midnight_in_the_zone() -> None:
    assert grant("1 until 2026-12-31", NOON, "Asia/Shanghai").until == datetime(2026, 12, 31, 16, tzinfo=UTC)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("20", "until when"),
        ("", "An amount is missing"),
        ("0 until 3d", "no gift"),
        ("-1 until 3d", "below zero"),
        ("x until 3d", "“x” is no amount"),
        ("20 until someday", "“someday” is no time"),
        ("20 until 2020-01-01", "passed"),
        ("20 until 2026-02-31", "no such day"),
        ("20 until 9999-12-31", "no such day"),
        ("20 until 2100-12-31", "ten years"),
        ("20 until 9999w", "no time"),
        ("20 30 until 3d", "20 30"),
    ],
)
def test_a_grant_that_does_not_fit_is_refused(words: str, told: str) -> None:
    with pytest.raises(UsageError) as refused:
        grant(words, NOON, "UTC")

    assert told in str(refused.value.text)


def test_a_share_may_name_its_team() -> None:
    assert share("10 images per day") == ("", amount(10))
    assert share("Design 10 images per day") == ("Design", amount(10))


@given(
    st.sampled_from(AREAS[1:]),
    st.text(max_size=60),
    st.sampled_from([NOBODY, BOB, Marked(role="1"), Marked(channel="2")]),
)
def test_nothing_that_is_typed_does_harm(area: str, words: str, marked: Marked) -> None:
    for work in (lambda: read(area, words, marked), lambda: grant(words, NOON, "UTC"), lambda: share(words)):
        with suppress(UsageError):  # and nothing else
            work()
