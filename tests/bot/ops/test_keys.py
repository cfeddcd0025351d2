"""The keys of the dashboard: what is stored of them, who gets one for what, and what is left of it later."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from bot import teams
from bot.audit import OPERATOR, By
from bot.chat import Actor
from bot.clock import micros
from bot.errors import NotAllowed
from bot.ops import keys
from bot.ops.board.rights import Rights
from bot.ops.keys import Holder, Keys
from bot.people import Person, find
from bot.rights import COMMAND_LINE, Who, who_is
from bot.spaces import change_rules
from bot.storage.connection import Connection
from bot.storage.database import Database
from tests.postgres import BOTH

pytestmark = pytest.mark.parametrize("engine", BOTH, indirect=True)

AT = 1_800_000_000_000_000
SPACE = "web/local"
MINUTE, HOUR = 60_000_000, 3_600_000_000


def nobody(adapter: str, user: str) -> bool:
    return False


def boss(adapter: str, user: str) -> bool:
    return (adapter, user) == ("web", "bob")


def known(connection: Connection, user: str = "bob", *, admin: bool = False) -> Person:
    return find(connection, Actor(adapter="web", user=user, name=user, space="local", admin=admin), AT)


def holder(connection: Connection, *, admin: bool = False, operator: bool = False) -> Holder:
    who = who_is(known(connection, admin=admin))
    return keys.holder_of(connection, Who(by=who.by, space=SPACE, operator=operator, admin=admin, persons=who.persons))


def opened(connection: Connection, **who: Any) -> str:
    return keys.open_session(connection, holder(connection, **who), AT)


async def rows(database: Database, table: str) -> list[dict[str, Any]]:
    return [dict(row) for row in await database.fetch(f"SELECT * FROM {table}")]


async def test_only_digests_are_stored(database: Database) -> None:
    link = await database.transaction(lambda connection: keys.new_link(connection, holder(connection), AT))
    token = await database.transaction(keys.enter, link, AT)

    assert token
    stored = str(await rows(database, "dashboard_keys")) + str(await rows(database, "audit"))
    assert not any(secret in stored for secret in (link, token))


async def test_a_link_that_two_follow_at_once_opens_one_session(database: Database) -> None:
    link = await database.transaction(lambda connection: keys.new_link(connection, holder(connection), AT))

    tokens = await asyncio.gather(*(database.transaction(keys.enter, link, AT) for _ in range(8)))
    assert len([token for token in tokens if token]) == 1
    assert len([row for row in await rows(database, "dashboard_keys") if row["kind"] == "session"]) == 1


@pytest.mark.parametrize(("later", "is_good"), [(0, True), (10 * MINUTE - 1, True), (10 * MINUTE, False), (-1, False)])
async def test_a_link_is_good_for_ten_minutes(database: Database, later: int, is_good: bool) -> None:
    link = await database.transaction(lambda connection: keys.new_link(connection, holder(connection), AT))

    assert bool(await database.transaction(keys.enter, link, AT + later)) is is_good


async def test_a_session_is_good_for_twelve_hours(database: Database) -> None:
    token = await database.transaction(opened)

    assert await database.read(keys.session, token, AT + 12 * HOUR - 1, nobody)
    assert await database.read(keys.session, token, AT + 12 * HOUR, nobody) is None


async def test_keys_that_are_over_are_not_kept(database: Database) -> None:
    await database.transaction(opened)
    link = await database.transaction(lambda connection: keys.new_link(connection, holder(connection), AT + 48 * HOUR))

    assert link
    assert [row["kind"] for row in await rows(database, "dashboard_keys")] == ["link"]


async def test_forged_keys_leave_no_row(database: Database) -> None:
    for forged in ("", "x", "é" * 500, "\udcff"):
        assert await database.transaction(keys.enter, forged, AT) is None
        assert await database.read(keys.session, forged, AT, nobody) is None
        await database.transaction(keys.leave, forged, AT)

    assert await rows(database, "dashboard_keys") == await rows(database, "audit") == []


async def test_who_gets_what(database: Database) -> None:
    def made(connection: Connection) -> list[Rights]:
        bob = known(connection)
        found = [holder(connection).rights]
        team = teams.create(connection, space=SPACE, name="Design", by=By(bob.id, "bob"), at=AT)
        connection.execute(
            "INSERT INTO team_members (team, person, role, source, added_at) VALUES (:team, :person, 'owner', 'x', 1)",
            team=team.id,
            person=bob.id,
        )
        found.append(holder(connection).rights)
        found.append(holder(connection, admin=True).rights)
        found.append(holder(connection, operator=True).rights)
        found.append(keys.holder_of(connection, COMMAND_LINE).rights)
        return found

    person, owner, admin, operator, command_line = await database.transaction(made)
    assert (person.kind, person.spaces, person.teams, len(person.persons)) == ("person", (), (), 1)
    assert (owner.kind, owner.spaces, len(owner.teams)) == ("team", (), 1)
    assert (admin.kind, admin.spaces, admin.teams) == ("space", (SPACE,), owner.teams)
    assert (operator.kind, command_line.kind) == ("operator", "operator")


async def test_an_operator_is_asked_about_each_time(database: Database) -> None:
    token = await database.transaction(opened, operator=True)

    good = await database.read(keys.session, token, AT, boss)
    assert good
    assert good.rights.operates
    with pytest.raises(NotAllowed):
        await database.read(keys.session, token, AT, nobody)


async def test_whoever_has_the_command_line_stays_an_operator(database: Database) -> None:
    def command_line(connection: Connection) -> str:
        return keys.open_session(connection, keys.holder_of(connection, COMMAND_LINE), AT)

    token = await database.transaction(command_line)
    found = await database.read(keys.session, token, AT, nobody)
    assert found
    assert (found.rights.kind, found.holder.person) == ("operator", OPERATOR.id)


async def test_an_admin_who_is_blocked_loses_the_session(database: Database) -> None:
    token = await database.transaction(opened, admin=True)
    assert await database.read(keys.session, token, AT, nobody)

    def block(connection: Connection) -> None:
        bob = known(connection)
        change_rules(connection, SPACE, lambda rules: replace(rules, blocked={"bob": "Bob"}), bob, AT)

    await database.transaction(block)
    with pytest.raises(NotAllowed):
        await database.read(keys.session, token, AT, nobody)


async def test_whoever_a_platform_calls_no_admin_any_more_loses_what_an_admin_opened(database: Database) -> None:
    def both(connection: Connection) -> tuple[str, str, str]:
        link = keys.new_link(connection, holder(connection, admin=True), AT)
        return opened(connection, admin=True), link, opened(connection)

    as_admin, link, as_person = await database.transaction(both)
    await database.transaction(lambda connection: keys.no_admin(connection, known(connection).id, SPACE, AT))

    assert await database.read(keys.session, as_admin, AT, nobody) is None
    assert await database.transaction(keys.enter, link, AT) is None
    assert await database.read(keys.session, as_person, AT, nobody)


async def test_whoever_was_forgotten_has_no_session(database: Database) -> None:
    token = await database.transaction(opened)
    await database.transaction(lambda connection: connection.execute("DELETE FROM people"))

    with pytest.raises(NotAllowed):
        await database.read(keys.session, token, AT, nobody)


async def test_an_owner_who_is_blocked_where_the_team_is_at_home_loses_it(database: Database) -> None:
    def made(connection: Connection) -> str:
        bob = known(connection)
        teams.create(connection, space=SPACE, name="Design", by=By(bob.id, "bob"), at=AT)
        connection.execute(
            "INSERT INTO team_members (team, person, role, source, added_at) SELECT id, :person, 'owner', 'x', 1"
            " FROM teams",
            person=bob.id,
        )
        return opened(connection)

    def block(connection: Connection) -> None:
        bob = known(connection)
        change_rules(connection, SPACE, lambda rules: replace(rules, blocked={"bob": "Bob"}), bob, AT)

    token = await database.transaction(made)
    assert await database.read(keys.session, token, AT, nobody)
    await database.transaction(block)
    with pytest.raises(NotAllowed):
        await database.read(keys.session, token, AT, nobody)


@pytest.mark.parametrize("over", ["used", "expired"])
async def test_an_old_link_is_noted_once_however_often_it_is_tried(database: Database, over: str) -> None:
    link = await database.transaction(lambda connection: keys.new_link(connection, holder(connection), AT))
    at = AT
    if over == "used":
        assert await database.transaction(keys.enter, link, AT)
    else:
        at += 10 * MINUTE

    assert await asyncio.gather(*(database.transaction(keys.enter, link, at) for _ in range(8))) == [None] * 8
    refused = [row["after"] for row in await rows(database, "audit") if row["what"] == "dashboard refused"]
    assert refused == [f'"{over} link"']


async def test_lost_rights_are_noted_once(database: Database) -> None:
    clock = [datetime.now(UTC)]
    door = Keys(database=database, operates=nobody, clock=lambda: clock[0])
    token = await database.transaction(
        lambda connection: keys.open_session(connection, holder(connection, operator=True), micros(clock[0]))
    )

    with pytest.raises(NotAllowed):
        await door.session(token)
    assert await door.session(token) is None
    assert [row["after"] for row in await rows(database, "audit")] == ['"operator"', '"no rights any more"']


async def test_each_session_has_its_own_form_token_which_is_not_its_key(database: Database) -> None:
    one, other = [await database.transaction(opened) for _ in range(2)]

    forms = [await database.read(keys.session, token, AT, nobody) for token in (one, other, one)]
    tokens = [form.form for form in forms if form]
    assert tokens[0] == tokens[2] != tokens[1]
    assert tokens[0] not in (one, keys._digest(one))
