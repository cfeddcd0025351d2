"""What the books and the limits say, in rows that somebody reads."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from adapters.web.dashboard.view import booked, home, limits, shown
from bot.chat import AccountLine
from bot.i18n import Text, verbatim

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
EVERYONE = verbatim("Everyone")


@dataclass(frozen=True, kw_only=True)
class Entry:
    kind: str
    unit: str
    held: int
    spent: int
    account: str = "all"
    at: datetime = NOW
    name: Text = EVERYONE
    reason: str = ""


def rows(*entries: Entry) -> list[tuple[str, str, str]]:
    return [(str(each.what), " ".join(each.held), " ".join(each.spent)) for each in booked(entries)]


def test_pictures_and_money_of_one_account_stand_in_one_row() -> None:
    entries = (
        Entry(kind="hold", unit="images", held=4, spent=0),
        Entry(kind="hold", unit="usd", held=160_000, spent=0),
        Entry(kind="hold", unit="images", held=4, spent=0, account="person:bob"),
        Entry(kind="settle", unit="images", held=-4, spent=3, at=NOW + timedelta(seconds=1)),
        Entry(kind="settle", unit="usd", held=-160_000, spent=120_000, at=NOW + timedelta(seconds=1)),
    )

    assert rows(*entries) == [
        ("held", "4 0.16 USD", ""),
        ("held", "4", ""),
        ("charged for what was made", "-4 -0.16 USD", "3 0.12 USD"),
    ]


@pytest.mark.parametrize(
    ("kind", "spent", "words"),
    [
        ("settle", 0, "given back"),
        ("release", 0, "given back"),
        ("charge", 40_000, "charged after all"),
        ("refund", -40_000, "refunded"),
        ("something new", 0, "something new"),
    ],
)
def test_what_happened_in_the_books_is_told_in_words(kind: str, spent: int, words: str) -> None:
    assert rows(Entry(kind=kind, unit="usd", held=-40_000, spent=spent))[0][0] == words


def line(account: str, unit: str, window: str, used: int, limit: int | None = None, held: int = 0) -> AccountLine:
    more: dict[str, Any] = {"resets": None, "account": account, "name": verbatim(account)}
    return AccountLine(unit=unit, window=window, used=used, held=held, limit=limit, **more)


def told(*lines: AccountLine) -> list[list[tuple[str, str, str]]]:
    return [[(each.account, each.unit, each.window) for each in row] for row in limits(lines)]


def test_each_limit_has_a_row_and_what_was_used_without_one_shares_one() -> None:
    lines = (
        line("person:bob", "images", "day", 0, 50),
        line("person:bob", "images", "total", 3),
        line("person:bob", "usd", "total", 120_000),
        line("share:team:brand/bob", "images", "total", 1),
        line("share:team:brand/bob", "usd", "total", 0, held=40_000),
    )

    assert told(*lines) == [
        [("person:bob", "images", "day")],
        [("person:bob", "images", "total"), ("person:bob", "usd", "total")],
        [("share:team:brand/bob", "images", "total"), ("share:team:brand/bob", "usd", "total")],
    ]


def test_what_is_neither_limited_nor_used_is_left_out() -> None:
    unused = (line("team:new", "images", "total", 0), line("team:new", "usd", "total", 0))

    assert told(*unused, line("person:bob", "usd", "month", 0, 0)) == [[("person:bob", "usd", "month")]]


@pytest.mark.parametrize(
    ("account", "space"), [("share:space:chat/a/b/bob", "chat/a/b"), ("share:team:x/bob", ""), ("all", "")]
)
def test_a_share_says_of_which_space_it_is(account: str, space: str) -> None:
    assert home(line(account, "usd", "total", 1)) == space


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, "–"),
        ([], "–"),
        ({}, "–"),
        (20, "20"),
        (True, "true"),
        ("市场部", "市场部"),
        (["bob", "陈晓明"], "bob, 陈晓明"),
        ({"team": "Brand", "most": {"images": 4, "usd": None}}, "team: Brand, most: images: 4, usd: –"),
    ],
)
def test_a_value_of_the_audit_log_is_told_without_the_signs_of_json(value: object, words: str) -> None:
    assert shown(value) == words
