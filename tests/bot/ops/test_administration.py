"""`seedream-bot admin`: the operator's orders beside a running bot and alone, and what leads out of the bot."""

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.bot.ops.processes import Desk, Done, Owner
from tests.postgres import Emptied, needs_postgres

pytestmark = pytest.mark.slow  # real processes, one after the other


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    return Desk(tmp_path_factory.mktemp("administration"), {})


@pytest.fixture(scope="module", autouse=True)
def owner(demo: Desk) -> Iterator[Owner]:
    with demo.running("demo", "--no-open") as owner:
        yield owner


@pytest.fixture
def alone(tmp_path: Path) -> Desk:
    return Desk(tmp_path, {})


def admin(desk: Desk, *words: str, code: int = 0) -> Done:
    done = desk.run("admin", *words)
    assert done.code == code, done
    assert "Traceback" not in done.err, done.err
    return done


def test_limits_teams_and_grants_through_the_running_bot(demo: Desk) -> None:
    demo.send("/imagine a fox", "--as", "bob")

    assert "bob may use now" in admin(demo, "limit", "person", "@bob", "20", "images", "per", "day").out
    assert "is there now" in admin(demo, "team", "create", "Design Team", "--space", "web/local").out
    assert "bob is in Design Team" in admin(demo, "team", "add", "Design Team", "@bob").out
    assert "5 left of 5" in admin(demo, "limit", "share", "Design Team", "5", "images", "per", "day").out
    assert "bob may use 3 pictures more" in admin(demo, "grant", "@bob", "3", "until", "2d").out
    assert "bob: 3 pictures" in admin(demo, "grants").out
    told = demo.send("/quota", "--as", "bob")
    assert {(line["limit"], line["window"]) for line in told["accounts"]} >= {(20, "day"), (5, "day"), (3, "total")}
    assert "operator: The limit of bob is 20 images per day now; it was default." in admin(demo, "audit").out


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["limit", "person", "@bob", "-5", "images", "per", "day"], "below zero"),
        (["limit", "person", "@zed", "5", "images", "per", "day"], "zed is unknown here"),
        (["limit", "person", "@bob", "1e9", "images", "per", "day"], "no amount"),
        (["team", "create", "Lost"], "--space"),
        (["moon"], "one of space, team"),
        (["space", "size", "4K"], "in that space"),
        (["refund", "zzzzzzzz", "because"], "Nothing with the id"),
        (["data", "@zed"], "unknown here"),
        (["grant", "20", "until", "3d"], "Say whom"),
        (["limit", "all", "5", "images", "per", "day", "--space", "nowhere"], "platform/id"),
    ],
)
def test_what_does_not_fit_leaves_with_two(demo: Desk, words: list[str], told: str) -> None:
    assert told in admin(demo, *words, code=2).out


def test_one_picture_is_refunded_once(demo: Desk) -> None:
    drawn = demo.send("/imagine a fox", "--as", "bob")["generation"]

    assert "refunded to bob" in admin(demo, "refund", drawn, "it was torn").out
    assert "refunded before" in admin(demo, "refund", drawn, "it was torn", code=2).out
    assert demo.run("ledger", "verify").code == 0


def test_the_books_are_exported_beside_the_running_bot(demo: Desk) -> None:
    demo.send("/imagine a fox", "--as", "bob")
    admin(demo, "limit", "all", "900", "usd", "per", "day")
    lines = admin(demo, "export", "ledger").out.splitlines()

    assert len(lines) > 1
    assert "settle" in "\n".join(lines)
    assert "limit" in admin(demo, "export", "audit").out
    assert admin(demo, "export", "nonsense", code=1).err.strip()


def test_somebodys_data_is_one_json_object(demo: Desk) -> None:
    demo.send("/imagine a fox in a hat", "--as", "bob")
    kept = json.loads(admin(demo, "data", "@bob").out)

    assert kept["people"]
    assert "a fox in a hat" in json.dumps(kept["generations"], ensure_ascii=False)


def test_a_link_to_ones_own_data_is_good_once(demo: Desk) -> None:
    text = demo.send("/mydata", "--as", "bob")["text"]
    address = next(word for word in text.split() if word.startswith("http"))

    with urllib.request.urlopen(address) as page:
        assert b"<form" in page.read(), "looking at it takes nothing away"
    with urllib.request.urlopen(urllib.request.Request(address, method="POST")) as file:
        assert "attachment" in file.headers["Content-Disposition"]
        assert json.load(file)["people"]
    for method in ("GET", "POST"):
        with pytest.raises(urllib.error.HTTPError) as gone:
            urllib.request.urlopen(urllib.request.Request(address, method=method))
        assert gone.value.code == 410
        gone.value.close()


def test_a_link_opens_the_dashboard(demo: Desk) -> None:
    out = admin(demo, "dashboard").out

    assert "/dashboard/enter#" in out
    assert "/dashboard/enter#" in demo.send("/admin dashboard", "--as", "alice")["text"]


def test_an_export_of_nothing_is_one_sentence(alone: Desk) -> None:
    assert "no database" in alone.run("admin", "export", "usage").in_one_sentence()


def test_it_works_where_no_bot_runs(alone: Desk) -> None:
    alone.send("/imagine a fox", "--as", "bob")

    assert "may use now" in admin(alone, "limit", "all", "200.50", "usd", "per", "month").out
    assert json.loads(admin(alone, "limit", "all", "--json").out)["accounts"] is not None


@needs_postgres
def test_several_order_at_once_on_one_server_and_each_order_counts_once(emptied: Emptied, tmp_path: Path) -> None:
    """Without a bot, beside one, and from another folder than the bot's, as from another machine."""
    variables = {
        "BOT_DATABASE_URL": emptied(),
        "BOT_BLOBS_URL": (tmp_path / "blobs").as_uri(),
        "BOT_PROVIDERS": '["sandbox"]',
    }
    first, second = Desk(tmp_path, variables), Desk(tmp_path, variables, data="other")
    drawn = first.send("/imagine a fox", "--as", "bob")["generation"]
    assert "may use now" in admin(second, "limit", "person", "@bob", "20", "images", "per", "day").out
    with first.running("run"):
        first.send("/history", "--as", "bob")
        refunds = _both_at_once(first, second, "refund", drawn, "it was torn")
        grants = _both_at_once(first, second, "grant", "@bob", "3", "until", "2d")
        teams = _both_at_once(first, second, "team", "create", "Design", "--space", "web/local")
    listed = admin(first, "grants").out

    assert sorted(done.code for done in refunds) == [0, 2]
    assert "refunded before" in max(refunds, key=lambda done: done.code).out
    assert [done.code for done in grants] == [0, 0], "two gifts were ordered"
    assert sorted(done.code for done in teams) == [0, 2]
    assert listed.count("bob: 3 pictures") == 2
    assert second.run("ledger", "verify").code == 0


def _both_at_once(first: Desk, second: Desk, *words: str) -> list[Done]:
    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(lambda desk: desk.run("admin", *words), (first, second)))
