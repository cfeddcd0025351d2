"""A new app by a link: what lark-oapi asks of Feishu's accounts, on real sockets, and what becomes of it."""

import base64
import gzip
import json
import re
from collections.abc import AsyncIterator, Mapping
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from adapters.feishu import scopes
from adapters.feishu.setup import NAME, create
from bot.errors import CannotStart
from bot.i18n import Text
from tests.adapters.feishu.registry import LINK, MADE, PENDING, Accounts, running


@pytest.fixture
async def there() -> AsyncIterator[Accounts]:
    there = Accounts()
    async with running(there):
        yield there


async def created(there: Accounts) -> tuple[Mapping[str, str], str]:
    """The new app's settings, and all that was said."""
    said: list[Text] = []
    made = await create({"domain": there.url}, said.append)
    return made, "\n".join(map(str, said))


def opened(packed: str) -> Any:
    return json.loads(gzip.decompress(base64.urlsafe_b64decode(packed + "=" * (-len(packed) % 4))))


async def test_whoever_confirms_the_link_gets_an_app_with_all_that_it_needs(there: Accounts) -> None:
    there.polls = [PENDING, PENDING, MADE]

    made, said = await created(there)

    assert made == {"app_id": "cli_a1", "app_secret": "s3cret"}
    (link,) = re.findall(r"https://\S+", said)
    asked = parse_qs(urlsplit(link).query)
    assert link.startswith(LINK.partition("?")[0])
    assert (asked["user_code"], asked["name"], asked["createOnly"]) == (["4LLH-3FGX"], [NAME], ["true"])
    assert opened(asked["addons"][0]) == scopes.addons()
    assert "10 minutes" in said
    assert [form["action"] for form in there.asked] == ["init", "begin", "poll", "poll", "poll"]


async def test_a_wide_terminal_shows_the_link_as_a_code_to_scan(
    there: Accounts, monkeypatch: pytest.MonkeyPatch
) -> None:
    there.polls = [MADE, MADE]
    monkeypatch.setenv("COLUMNS", "60")
    _, narrow = await created(there)
    monkeypatch.setenv("COLUMNS", "120")
    _, wide = await created(there)

    assert "█" not in narrow
    lines = [line for line in wide.splitlines() if "█" in line]
    # The first row of the finder patterns at the left and the right edge, in the quiet zone of two.
    assert lines[1].startswith("██ ▄▄▄▄▄ ")
    assert lines[1].endswith(" ▄▄▄▄▄ ██")
    assert len({len(line) for line in lines}) == 1


async def test_the_secret_is_handed_on_and_not_told(there: Accounts) -> None:
    _, said = await created(there)

    assert "cli_a1" in said
    assert "s3cret" not in said
    assert "d-1" not in said


@pytest.mark.parametrize("answer", [{"error": "access_denied"}, {"error": "expired_token"}, "<html>"])
async def test_a_no_an_old_link_and_a_platform_that_fails_end_it_in_words(there: Accounts, answer: Any) -> None:
    there.polls = [answer]

    with pytest.raises(CannotStart, match=r"no app was created .* docs/feishu\.md"):
        await created(there)


async def test_where_it_is_not_offered_that_is_said(there: Accounts) -> None:
    there.methods = []

    with pytest.raises(CannotStart, match="no app was created"):
        await created(there)


@pytest.mark.parametrize(
    ("brand", "asked", "place"),
    [
        ("lark", scopes.FEISHU, scopes.LARK),
        ("feishu", scopes.LARK, scopes.FEISHU),
        ("feishu", scopes.FEISHU, scopes.FEISHU),
        ("lark", scopes.LARK, scopes.LARK),
        ("lark", "https://feishu.example.org", "https://feishu.example.org"),
    ],
)
def test_an_app_of_the_other_platform_is_known_as_such(brand: str, asked: str, place: str) -> None:
    assert scopes.place(asked, brand) == place


def test_both_platforms_have_accounts_of_their_own() -> None:
    lark = "https://accounts.larksuite.com"

    assert scopes.accounts(scopes.FEISHU) == {"domain": "https://accounts.feishu.cn", "lark_domain": lark}
    assert scopes.accounts(scopes.LARK) == {"domain": lark, "lark_domain": lark}
