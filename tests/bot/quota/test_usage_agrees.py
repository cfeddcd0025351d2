"""What is shown as used and what the books say is the same, whatever happens to a generation."""

from datetime import timedelta
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.clock import micros
from bot.errors import UsageError
from bot.generation import settling
from bot.generation.queue import Admitted
from bot.quota import ledger
from bot.quota.standing import Payer, Rules
from tests.bot.quota.books import Books
from tests.bot.quota.test_ledger import NOON

ZONE = "America/New_York"
PRICE = 333_333
STEPS = st.tuples(
    st.sampled_from(("", "red")),
    st.integers(1, 4),  # pictures that were asked for,
    st.integers(0, 4),  # that were made,
    st.integers(0, 4),  # and that may have been billed without anybody knowing
    st.sampled_from(("nothing", "charge", "release", "charge after a refund")),
    st.sampled_from(("nothing", "operator", "admin")),
    st.integers(0, 40),  # hours until the next one
)


def live(books: Books, name: str, step: tuple[Any, ...], now: Any) -> None:
    team, count, made, missing, decided, refunded, _ = step
    made = min(made, count)
    rules = Rules(policy={}, now=now, zone=ZONE)
    books.generation(name, "running", team=team)
    books.connection.execute(
        "UPDATE generations SET count=:count, price=:price, attempt=1, started_at=:at WHERE id=:id",
        count=count,
        price=count * PRICE,
        at=rules.at - 1,
        id=name,
    )
    amounts = {"images": count, "usd": count * PRICE}
    books.do(ledger.hold, name, Payer(person="bob", space="team", team=team), amounts, rules)
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
    for table in ("generations", "jobs", "images", "holds", "entries", "balances", "usage_days", "teams", "postings"):
        books.connection.execute(f"DELETE FROM {table}")
    books.connection.execute("DELETE FROM team_members")
    books.team("red", "bob")
    now = NOON
    for number, step in enumerate(steps):
        live(books, f"g{number}", step, now)
        now += timedelta(hours=step[-1])

    assert books.problems() == ()
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
