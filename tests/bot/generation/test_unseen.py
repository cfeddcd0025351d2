"""What a platform's own filter lets nobody see is given back: once, not without end, and not at everybody's cost."""

import asyncio

import pytest

from bot import linking, privacy
from bot.audit import OPERATOR, By
from bot.generation.outbox import log_key, own_key, review_key
from bot.generation.unseen import MOST
from bot.quota import grants, ledger, limits
from bot.storage.connection import Connection
from tests.bot.generation.core import PICTURE, Core
from tests.linked import link


async def unseen(core: Core, generation: str, key: str = "") -> bool:
    """Its own post is not taken, or another one."""
    return await core.dispatcher.give_back(generation, key or own_key(generation))


async def drawn(core: Core, by: str = "bob") -> bool:
    """Have one more drawn that nobody may see; whether it was given back."""
    return await unseen(core, (await core.run(by=by)).id)


async def test_the_asker_has_it_back_once_and_the_pools_have_paid_for_it(core: Core) -> None:
    made = await core.run(count=2)
    before = await core.spent()

    assert [await unseen(core, made.id) for _ in range(3)] == [True, True, True]
    assert before == {"images": (2, 0), "usd": (2 * PICTURE, 0), "pool": (2 * PICTURE, 0)}
    assert await core.spent() == {"images": (0, 0), "usd": (0, 0), "pool": (2 * PICTURE, 0)}
    refunds = [dict(row) for row in await core.database.fetch("SELECT * FROM audit WHERE what LIKE 'refund %'")]
    assert [(each["what"], each["name"]) for each in refunds] == [(f"refund {made.id}", "seedream-bot")]
    await core.check_books()


async def test_nobody_has_the_provider_paid_without_end(core: Core) -> None:
    found = [await drawn(core) for _ in range(MOST + 2)]
    core.clock.forward(days=1, seconds=1)
    found.append(await drawn(core))

    assert found == [*[True] * MOST, False, False, True]
    await core.check_books()


@pytest.mark.parametrize("units", [("images", "usd"), ("images",), ("usd",)])
async def test_nor_where_something_given_has_paid_for_it(core: Core, units: tuple[str, ...]) -> None:
    """Nothing is then spent of the person's own, and all of it comes back to what was given."""
    bob = await core.person()
    for unit in units:
        core.policy[("person", unit, "day")] = 0
        await core.database.transaction(give, f"space:{bob.space}", bob.id, unit, By("ann", "Ann"), core.at)
    found = [await drawn(core) for _ in range(MOST + 2)]

    assert found == [*[True] * MOST, False, False]
    await core.check_books()


async def test_what_the_operator_gave_stays_spent_so_nothing_is_said_to_come_back(core: Core) -> None:
    bob = await core.person()
    core.policy[("person", "images", "day")] = 0
    await core.database.transaction(give, "all", bob.id, "images", OPERATOR, core.at)
    made = await core.run()
    before = await core.spent()

    assert not await unseen(core, made.id)
    assert await core.spent() == before


async def test_what_its_asker_had_shown_once_more_was_seen(core: Core) -> None:
    made = await core.run()
    await core.database.transaction(shown_again, made.id, "feishu:om_show")

    assert not await unseen(core, made.id)


async def test_what_others_see_in_their_rooms_its_asker_may_not_have_seen(core: Core) -> None:
    made = await core.run()
    for key in (log_key(made.id), review_key(made.id, "room")):
        await core.database.transaction(shown_again, made.id, key)

    assert await unseen(core, made.id)


async def test_what_was_cleaned_away_is_not_given_back(core: Core) -> None:
    assert not await unseen(core, "k3f9w2ab")


async def test_others_are_not_counted_with_them(core: Core) -> None:
    for _ in range(MOST):
        await drawn(core)

    assert await drawn(core, by="alice")


async def test_linked_accounts_are(core: Core) -> None:
    bob, too = await core.person("bob"), await core.person("robert")
    code = await core.database.transaction(linking.new_code, bob.id, core.at)
    await core.memberships.change(link, code, too.id, core.at, OPERATOR)
    found = [await drawn(core, by=name) for name in ("bob", "robert") for _ in range(MOST)]

    assert found == [*[True] * MOST, *[False] * MOST]


async def test_who_was_forgotten_begins_no_new_count(core: Core) -> None:
    for _ in range(MOST):
        await drawn(core)
    bob = await core.person()
    await core.database.transaction(privacy.forget, [bob.id], core.at)

    assert not await drawn(core)
    await core.check_books()


async def test_what_an_admin_gave_back_is_no_part_of_the_count(core: Core) -> None:
    for _ in range(MOST):
        made = await core.run()
        await core.database.transaction(ledger.refund, made.id, core.at, "the wrong colour", by_operator=False)

    assert await drawn(core)


async def test_all_at_once_are_no_more_than_one_after_the_other(core: Core) -> None:
    made = [(await core.run()).id for _ in range(MOST + 5)]

    assert sum(await asyncio.gather(*(unseen(core, each) for each in made))) == MOST
    await core.check_books()


async def test_what_was_not_charged_is_not_given_back(core: Core) -> None:
    assert not await unseen(core, await core.accepted())
    assert (await core.spent())["images"] == (0, 1)


@pytest.mark.parametrize("key", ["feishu:om_show", "{id}:log", review_key("{id}", "room")])
async def test_a_picture_that_is_not_taken_elsewhere_was_seen_where_it_was_asked_for(core: Core, key: str) -> None:
    made = await core.run()

    assert not await unseen(core, made.id, key.format(id=made.id))
    assert (await core.spent())["images"] == (1, 0)


@pytest.mark.parametrize("what", ["held back", "deleted"])
async def test_what_nobody_was_to_see_is_not_given_back(core: Core, what: str) -> None:
    made = await core.run()

    def change(connection: Connection) -> None:
        connection.execute("UPDATE generations SET deleted_at=:at WHERE id=:id", at=core.at, id=made.id)
        if what == "held back":
            connection.execute("UPDATE generations SET deleted_at=0 WHERE id=:id", id=made.id)
            connection.execute(
                "INSERT INTO reviews (generation, space, room, state) VALUES (:id, :space, 'room', 'waiting')",
                id=made.id,
                space=made.space,
            )

    await core.database.transaction(change)

    assert not await unseen(core, made.id)
    assert (await core.spent())["images"] == (1, 0)


@pytest.mark.parametrize("unit", ["images", "usd"])
async def test_where_a_part_of_it_would_stay_spent_nothing_is_said_to_come_back(core: Core, unit: str) -> None:
    """The operator has limited this very person; what they used of that is the operator's to give."""
    bob = await core.person()
    await core.database.transaction(limits_of, limits.of_person(bob.id).name, unit, core.at)
    made = await core.run()
    before = await core.spent()

    assert [await unseen(core, made.id) for _ in range(2)] == [False, False]
    assert await core.spent() == before


def give(connection: Connection, pool: str, person: str, unit: str, by: By, at: int) -> None:
    amount = 1_000_000_000 if unit == "usd" else 1000
    until = at + 10**13
    grants.give(connection, pool=pool, person=person, unit=unit, amount=amount, until=until, by=by, at=at)


def shown_again(connection: Connection, generation: str, key: str) -> None:
    connection.execute(
        "INSERT INTO postings (key, generation, adapter, place, state, wanted, shown, message)"
        " SELECT :key, generation, adapter, place, 'posted', 1, 1, 'om_1' FROM postings WHERE key=:own",
        key=key,
        own=own_key(generation),
    )


def limits_of(connection: Connection, account: str, unit: str, at: int) -> None:
    connection.execute(
        "INSERT INTO limits (account, unit, win, amount) VALUES (:account, :unit, 'month', 1000000000)",
        account=account,
        unit=unit,
    )
