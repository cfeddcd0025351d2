"""The words for a limit that is short."""

from datetime import UTC, datetime

from bot.i18n import say, text
from bot.quota.limits import Account, accounts_of, line, refusal


def words(unit: str = "images", window: str = "day", *, used: int = 3, limit: int | None = 5, wanted: int = 4) -> str:
    resets = None if window == "total" else datetime(2026, 11, 21, 23, tzinfo=UTC)
    short = line(Account("space:team"), unit, window, used=used, held=1, limit=limit, resets=resets)
    return say(refusal(short, wanted, text("an admin of this space")).text, "en", "Europe/Berlin")


def test_a_refusal_names_account_limit_rest_and_the_new_beginning() -> None:
    said = words()

    assert said.startswith("This space: ")
    assert "5 pictures a day" in said
    assert "1 left" in said or "1 picture left" in said
    assert "4 pictures" in said
    assert said.endswith("2026-11-22 00:00 Europe/Berlin.")


def test_a_limit_in_all_has_no_new_beginning() -> None:
    assert "anew" not in words(window="total")


def test_money_is_said_as_money() -> None:
    said = words("usd", "month", used=3, limit=500_000, wanted=1_000_000)

    assert "0.50 USD a month" in said
    assert "1.00 USD" in said


def test_no_pictures_at_all_is_said_differently_from_too_few() -> None:
    assert "no pictures are allowed" in words(limit=0)
    assert "no pictures are allowed" not in words(limit=1)


def test_what_is_left_is_never_below_nothing() -> None:
    assert "-" not in words(used=90, limit=5).partition("It starts anew")[0]


def test_accounts_stand_in_the_order_of_locking() -> None:
    names = [account.name for account in accounts_of("bob", "team")]

    assert names == sorted(names) == ["all", "person:bob", "share:space:team/bob", "space:team"]
