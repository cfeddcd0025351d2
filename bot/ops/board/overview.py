"""Everything at a glance: today, this month, the last days, and what needs somebody to look."""

from dataclasses import dataclass
from datetime import date, timedelta

from bot.ops.board.line import possibly_billed, queue
from bot.ops.board.pictures import Shot, gallery
from bot.ops.board.pools import Pool, pools
from bot.ops.board.rights import Rights
from bot.ops.board.spending import Failed, Latency, Spent, Sums, failures, latency, spend, total_of
from bot.quota.ledger import Rules
from bot.storage.connection import Connection

DAYS = 30
POOLS, FAILURES, NEWEST = 8, 6, 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """days: each of the last DAYS, those without anything, too. latency: of these days, None where nothing was made;
    failures: of these days, the most frequent ones. possibly: how many outcomes wait for a decision.
    """

    today: Sums
    month: Sums
    days: tuple[Spent, ...]
    latency: Latency | None
    failures: tuple[Failed, ...]
    pools: tuple[Pool, ...]
    running: int
    waiting: int
    asked: int
    possibly: int
    newest: tuple[Shot, ...]


def overview(connection: Connection, viewer: Rights, today: str, rules: Rules, after: timedelta) -> Overview:
    first = (date.fromisoformat(today) - timedelta(days=DAYS - 1)).isoformat()
    month = f"{today[:7]}-01"
    by_day = {each.key: each for each in spend(connection, viewer, "day", first, today).rows}
    every = [(date.fromisoformat(first) + timedelta(days=number)).isoformat() for number in range(DAYS)]
    took = latency(connection, viewer, first, today)
    now = queue(connection, viewer)
    return Overview(
        today=by_day[today].sums if today in by_day else Sums(),
        month=total_of(connection, viewer, month, today),
        days=tuple(by_day.get(day, Spent(key=day, name=day, sums=Sums())) for day in every),
        latency=took[0] if took else None,
        failures=failures(connection, viewer, first, today)[:FAILURES],
        pools=pools(connection, viewer, month, rules).rows[:POOLS],
        running=now.running,
        waiting=now.waiting,
        asked=now.asked,
        possibly=len(possibly_billed(connection, viewer, after)),
        newest=gallery(connection, viewer, most=NEWEST).shots,
    )
