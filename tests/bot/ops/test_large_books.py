"""Books that take long to prove: `doctor` proves the last days, `ledger verify` all of them and says how far it is."""

import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bot.ops import doctor
from bot.quota import audit, ledger, usage
from bot.quota.standing import Payer, Rules
from bot.settings import Settings
from bot.storage import schema
from bot.storage.connection import Connection
from bot.storage.database import SQLITE, Database
from tests.bot.ops.terminal import at_a_terminal
from tests.postgres import BOTH

AMOUNTS = {"images": 1, "usd": 40_000}


def lives(connection: Connection, name: str, now: datetime, *, possible: int = 0) -> None:
    """A request that is held and ends at once, settled or possibly billed."""
    connection.execute(
        "INSERT INTO generations (id, invocation, person, person_name, space, adapter, language, request, provider,"
        " model, count, price, state, charged, created_at) VALUES (:id, :id, 'bob', '', 'team', 'a', 'en', '{}', 'p',"
        " 'm', 1, 0, :state, :charged, 0)",
        id=name,
        state="unknown" if possible else "settled",
        charged=0 if possible else 1,
    )
    rules = Rules(policy={}, now=now, zone="UTC")
    ledger.hold(connection, name, Payer(person="bob", space="team"), AMOUNTS, rules)
    row = connection.row("SELECT * FROM generations WHERE id=:id", id=name)
    assert row is not None
    spent = dict.fromkeys(AMOUNTS, 0) if possible else AMOUNTS
    images, usd = spent["images"], spent["usd"]
    usage.count(connection, row, images=images, usd=usd, state=row["state"], at=rules.at, zone="UTC")
    ledger.settle(connection, name, spent, rules.at, possible={"usd": possible})


@pytest.fixture
async def settings(database: Database, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A request of last year and one of today, which nobody knows the end of; more than `doctor` proves."""
    monkeypatch.setattr(doctor, "MOST_PROVEN", 1)
    now = datetime.now(UTC)
    await database.transaction(lives, "old", now - timedelta(days=365))
    await database.transaction(lives, "new", now, possible=40_000)
    return Settings(data_dir=tmp_path, database_url=database_url)


async def told(settings: Settings) -> list[str]:
    lines: list[str] = []
    await doctor.examine(settings, lines.append)
    return [line for line in lines if "ledger" in line or "possibly billed" in line]


async def change(database: Database, sql: str) -> None:
    await database.transaction(lambda connection: connection.execute(sql))


@pytest.mark.parametrize("engine", BOTH, indirect=True)
async def test_doctor_says_what_it_has_proven_and_what_proves_the_rest(settings: Settings) -> None:
    ledger_line, unknown_line = (line for line in await told(settings) if not line.startswith("  "))

    assert ledger_line == (
        "ok   ledger: the books of the last 4 days agree; `seedream-bot ledger verify` proves all 2 generations"
    )
    assert unknown_line == "note unknown outcomes: 1 possibly billed"


@pytest.mark.parametrize("engine", BOTH, indirect=True)
async def test_doctor_proves_the_last_days_and_verify_the_rest(settings: Settings, database: Database) -> None:
    await change(database, "UPDATE generations SET charged=2 WHERE id='old'")
    said: list[str] = []
    assert (await told(settings))[0].startswith("ok   ledger")
    assert await doctor.verify_ledger(settings, said.append) == 1
    assert said[0] == "old was charged for 2 pictures, but the account of all says 1"

    await change(database, "UPDATE generations SET charged=2 WHERE id='new'")
    assert (await told(settings))[0] == ("BAD  ledger: new was charged for 2 pictures, but the account of all says 0")


@pytest.mark.parametrize("engine", BOTH, indirect=True)
async def test_doctor_tells_what_a_running_bot_has_found(settings: Settings, database: Database) -> None:
    await database.transaction(audit.keep, ["what was found within the hour", "and more"])

    assert (await told(settings))[0] == "BAD  ledger: what was found within the hour"


@pytest.mark.slow
async def test_verify_says_on_a_terminal_how_far_it_is(tmp_path: Path) -> None:
    file = tmp_path / "bot.db"
    schema.migrate(file)
    with sqlite3.connect(file) as raw:
        raw.execute(
            "WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n+1 FROM n WHERE n<=:many)"
            " INSERT INTO generations (id, invocation, person, person_name, space, adapter, language, request,"
            " provider, model, count, price, state, created_at)"
            " SELECT 'g' || n, n, '', '', '', '', '', '{}', '', '', 1, 0, 'asked', 0 FROM n",
            {"many": audit.SLICE},
        )
    raw.close()

    variables = {"BOT_DATABASE_URL": f"{SQLITE}{file}", "BOT_DATA_DIR": str(tmp_path)}
    async with at_a_terminal(tmp_path, "ledger", "verify", **variables) as terminal:
        assert await terminal.ends() == 0

    shown, said = terminal.seen.rsplit("\r", 1)
    assert shown == f"\r{audit.SLICE:,} of {audit.SLICE + 1:,} generations\r{'':40}"
    assert said == "The books agree: 0 accounts, 0 entries, 0 open holds, 0 possibly billed.\n"
