"""What `doctor` says of a database that several processes share."""

import asyncio
from pathlib import Path

from bot.ops.doctor import examine
from bot.settings import Settings
from bot.storage import schema
from bot.storage.members import Member
from bot.storage.postgres import connected
from tests.postgres import Emptied, needs_postgres, new_schema


def member(url: str, role: str, version: str) -> Member:
    return Member(url, role=role, version=version, head=schema.head(), warm_up=10.0**9)


async def told(url: str, folder: Path) -> list[str]:
    lines: list[str] = []
    await examine(Settings(data_dir=folder, database_url=url), lines.append)
    return lines


@needs_postgres
async def test_it_tells_who_is_there(emptied: Emptied, tmp_path: Path) -> None:
    url = emptied()
    async with member(url, "gateway", "1.2") as gateway, member(url, "worker", "1.2"):
        lines = await told(url, tmp_path)
        with connected(url) as raw:
            raw.execute("UPDATE processes SET seen_at=seen_at-60000000 WHERE id=%s", (gateway.id,))
        later = await told(url, tmp_path)

    there = [line for line in lines if "in use by" in line]
    assert len(there) == 2
    assert there[0].startswith("ok   in use by: gateway 1.2 on ")
    assert there[1].startswith("ok   in use by: worker 1.2 on ")
    assert not any("versions" in line for line in lines)
    assert any(line.startswith("note in use by: gateway") and "seen 6" in line for line in later)
    assert not any("in use by" in line for line in await told(url, tmp_path))


@needs_postgres
async def test_versions_side_by_side_are_a_warning(emptied: Emptied, tmp_path: Path) -> None:
    url = emptied()
    async with member(url, "gateway", "1.2"), member(url, "worker", "1.3"):
        lines = await told(url, tmp_path)

    assert "note versions: 1.2, 1.3 run side by side" in lines


@needs_postgres
async def test_where_nobody_works_what_is_accepted_waits(emptied: Emptied, tmp_path: Path) -> None:
    url = emptied()
    async with member(url, "gateway", "1.2"), member(url, "web", "1.2"):
        alone = await told(url, tmp_path)
        async with member(url, "worker", "1.2"):
            together = await told(url, tmp_path)

    assert any(line.startswith("BAD  workers: none is there") for line in alone)
    assert not any("workers:" in line for line in together)


@needs_postgres
async def test_commits_that_may_be_lost_are_a_warning(emptied: Emptied, tmp_path: Path) -> None:
    with new_schema(emptied.url) as url:
        await asyncio.to_thread(schema.migrate, url)
        off = await told(f"{url}%20-csynchronous_commit%3Doff", tmp_path)
        on = await told(f"{url}%20-csynchronous_commit%3Don", tmp_path)

    assert "note durability: synchronous_commit is off" in off
    assert not any("synchronous_commit" in line for line in on)
