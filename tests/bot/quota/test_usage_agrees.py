"""What is shown as used and what the books say is the same, whatever happens to a generation."""

from datetime import timedelta
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot import privacy
from bot.clock import micros
from bot.errors import UsageError
from bot.generation import settling
from bot.generation.queue import Admitted
from bot.quota import audit, ledger
from bot.quota.standing import Payer, Rules
from tests.bot.quota.books import Books
from tests.bot.quota.test_ledger import NOON

ZONE = "America/New_York"
PRICE = 333_333
AMOUNTS = ("requests", "failed", "images", "usd")
TABLES = (
    *("generations", "jobs", "images", "holds", "entries", "balances", "teams", "team_members", "postings"),
    *("usage_days", "usage_months", "person_months"),
)
STEPS = st.tuples(
    st.sampled_from(("", "red")),
    st.sampled_from(("bob", "eve")),
    st.integers(1, 4),  # pictures that were asked for,
    st.integers(0, 4),  # that were made,
    st.integers(0, 4),  # and that may have been billed without anybody knowing
    st.sampled_from(("nothing", "charge", "release", "charge after a refund")),
    st.sampled_from(("nothing", "operator", "admin")),
    st.integers(0, 400),  # hours until the next one
)


def begin(books: Books) -> None:
    """Empty books, with one team: an example has nothing of the one before it."""
    for table in TABLES:
        books.connection.execute(f"DELETE FROM {table}")
    books.team("red", "bob", "eve")


def live(books: Books, name: str, step: tuple[Any, ...], now: Any) -> None:
    team, person, count, made, missing, decided, refunded, _ = step
    made = min(made, count)
    rules = Rules(policy={}, now=now, zone=ZONE)
    books.generation(name, "running", person=person, team=team)
    books.connection.execute(
        "UPDATE generations SET count=:count, price=:price, attempt=1, started_at=:at, request=:request WHERE id=:id",
        request='{"references": []}',
        count=count,
        price=count * PRICE,
        at=rules.at - 1,
        id=name,
    )
    amounts = {"images": count, "usd": count * PRICE}
    books.do(ledger.hold, name, Payer(person=person, space="team", team=team), amounts, rules)
    books.connection.execute(
        "INSERT INTO jobs (generation, number, state, missing) VALUES (:id, 0, :state, :missing)",
        id=name,
        state="unknown" if missing else "done",
        missing=missing,
    )
    for position in range(made):
        books.connection.execute(
            "INSERT INTO images (generation, position, job, blob, media_type, width, height, size, price, title, state)"
            " VALUES (:id, :position, 0, '', 'image/png', 1, 1, 1, :price, '', 'made')",
            id=name,
            position=position,
            price=PRICE - position,
        )
    assert books.do(settling.conclude, Admitted(name, 1), rules.at, ZONE)
    later = micros(now + timedelta(days=2))

    def decide() -> None:
        charge = decided.startswith("charge")
        books.do(settling.resolve_one, name, later, charge=charge, reason="", zone=ZONE)

    def refund() -> None:
        try:
            books.do(ledger.refund, name, later, "", zone=ZONE, by_operator=refunded == "operator")
        except UsageError:
            assert not made or refunded == "admin"

    if decided in ("charge", "release"):
        decide()
    if refunded != "nothing":
        refund()
    if decided == "charge after a refund":
        decide()


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(steps=st.lists(STEPS, min_size=1, max_size=8))
def test_days_add_up_to_what_the_pools_have_spent(books: Books, steps: list[tuple[Any, ...]]) -> None:
    begin(books)
    now = NOON
    for number, step in enumerate(steps):
        live(books, f"g{number}", step, now)
        now += timedelta(hours=step[-1])

    assert audit.verify(books.connection).problems == ()
    for account, where in {"all": "1=1", "space:team": "space='team'", "team:red": "team='red'"}.items():
        used = books.connection.row(
            f"SELECT coalesce(sum(images), 0) AS images, coalesce(sum(usd), 0) AS usd FROM usage_days WHERE {where}"
        )
        assert used is not None
        for unit in ("images", "usd"):
            row = books.connection.row(
                "SELECT spent FROM balances WHERE account=:account AND unit=:unit AND win='total'",
                account=account,
                unit=unit,
            )
            assert used[unit] == (row["spent"] if row else 0), (account, unit)
        for row in books.connection.rows(f"SELECT day, sum(images) AS n FROM usage_days WHERE {where} GROUP BY day"):
            assert row["n"] >= 0


def kept(books: Books, table: str, span: str, *whose: str) -> set[tuple[Any, ...]]:
    columns = ", ".join((f"{span} AS span", *whose))
    sums = ", ".join(f"sum({name}) AS {name}" for name in ("requests", "failed", "images", "usd"))
    rows = books.connection.rows(f"SELECT {columns}, {sums} FROM {table} GROUP BY {', '.join(('1', *whose))}")
    return {tuple(int(each) if name in AMOUNTS else each for name, each in dict(row).items()) for row in rows}


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(steps=st.lists(STEPS, min_size=1, max_size=8), forgotten=st.integers(0, 8))
def test_months_are_what_their_days_add_up_to(books: Books, steps: list[tuple[Any, ...]], forgotten: int) -> None:
    begin(books)
    now = NOON
    for number, step in enumerate(steps):
        live(books, f"g{number}", step, now)
        now += timedelta(hours=step[-1])
        if number == forgotten:
            books.do(privacy.forget, {"bob"}, micros(now))
            books.connection.execute(
                "INSERT INTO team_members (team, person, role, source, added_at)"
                " VALUES ('red', 'bob', 'member', 'admin', 0)"
            )

    month = "substr(day, 1, 7)"
    made = ("space", "team", "adapter", "provider", "model")
    assert kept(books, "usage_months", "month", *made) == kept(books, "usage_days", month, *made)
    own = ("space", "team", "person")
    assert kept(books, "person_months", "month", *own) == kept(books, "usage_days", month, *own)
    seen = books.connection.rows(
        "SELECT month, person, max(seen) AS day FROM person_months GROUP BY 1, 2 ORDER BY 1, 2"
    )
    days = books.connection.rows(
        f"SELECT {month} AS month, person, max(day) AS day FROM usage_days GROUP BY 1, 2 ORDER BY 1, 2"
    )
    assert [dict(row) for row in seen] == [dict(row) for row in days]
    assert ("bob" in {row["person"] for row in days}) is (
        any(step[1] == "bob" for number, step in enumerate(steps) if number > forgotten or forgotten >= len(steps))
    )
