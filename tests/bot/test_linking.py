"""Accounts of one human, joined by a code and parted again: nothing moves in the books, and no code works twice."""

import asyncio
import itertools
from datetime import timedelta

import pytest

from bot import linking, people
from bot.audit import By
from bot.chat import Actor
from bot.errors import BotError, NotAllowed, NotThere, UsageError
from bot.people import Person
from bot.storage.database import Database

NOW = 1_700_000_000_000_000
TEN_MINUTES = timedelta(minutes=10) // timedelta(microseconds=1)


async def known(database: Database, user: str, adapter: str = "fake") -> Person:
    actor = Actor(adapter=adapter, user=user, name=user, space="team")
    return await database.transaction(people.find, actor, NOW)


async def code_of(database: Database, person: Person, at: int = NOW) -> str:
    return await database.transaction(linking.new_code, person.id, at)


async def use(database: Database, code: str, person: Person, at: int = NOW) -> tuple[str, ...]:
    return await linking.use_code(database, code, person.id, at, By(person.id, person.name))


async def part(database: Database, person: Person) -> tuple[str, ...]:
    return await database.transaction(linking.unlink, person.id, NOW, By(person.id, person.name))


async def joined(database: Database, *accounts: Person) -> None:
    """Each with the next one."""
    for one, other in itertools.pairwise(accounts):
        await use(database, await code_of(database, one), other)


async def persons(database: Database, person: Person) -> set[str]:
    return set(await database.read(linking.persons_of, person.id))


async def test_a_code_makes_two_accounts_one_person(database: Database) -> None:
    ann, ann_too = await known(database, "ann"), await known(database, "ann.lee", "elsewhere")
    together = await use(database, await code_of(database, ann), ann_too)

    assert set(together) == {ann.id, ann_too.id}
    again = await known(database, "ann")
    assert again.persons == tuple(sorted(together))
    assert again.id == ann.id
    assert await persons(database, ann_too) == set(together)


async def test_a_code_is_kept_as_its_digest_alone(database: Database) -> None:
    code = await code_of(database, await known(database, "ann"))
    kept = [str(dict(row)) for row in await database.fetch("SELECT * FROM link_codes")]

    assert len(kept) == 1
    assert code not in kept[0]
    assert code.lower() not in kept[0]
    assert len(code) == 8
    assert not set(code) & set("O0I1L")


@pytest.mark.parametrize("typed", ["{code}", "{lower}", " {head}-{tail} ", "{head} {tail}", "{wide}"])
async def test_a_code_may_be_typed_as_people_type(database: Database, typed: str) -> None:
    ann, bob = await known(database, "ann"), await known(database, "bob")
    code = await code_of(database, ann)
    wide = "".join(chr(ord(letter) + 0xFEE0) for letter in code)
    said = typed.format(code=code, lower=code.lower(), head=code[:4], tail=code[4:], wide=wide)

    assert set(await use(database, said, bob)) == {ann.id, bob.id}


async def test_a_code_works_once(database: Database) -> None:
    ann, bob, eve = [await known(database, name) for name in ("ann", "bob", "eve")]
    code = await code_of(database, ann)
    await use(database, code, bob)

    with pytest.raises(NotThere, match="used already"):
        await use(database, code, eve)
    assert await persons(database, eve) == {eve.id}


async def test_a_code_works_for_ten_minutes(database: Database) -> None:
    ann, bob = await known(database, "ann"), await known(database, "bob")
    code = await code_of(database, ann)

    with pytest.raises(NotThere, match="expired"):
        await use(database, code, bob, NOW + TEN_MINUTES)
    assert set(await use(database, code, bob, NOW + TEN_MINUTES - 1)) == {ann.id, bob.id}


async def test_a_new_code_voids_the_one_before(database: Database) -> None:
    ann, bob = await known(database, "ann"), await known(database, "bob")
    first = await code_of(database, ann)
    second = await code_of(database, ann)

    with pytest.raises(NotThere, match="do not know"):
        await use(database, first, bob)
    assert ann.id in await use(database, second, bob)


async def test_ones_own_code_links_nothing(database: Database) -> None:
    ann = await known(database, "ann")

    with pytest.raises(UsageError, match="your own code"):
        await use(database, await code_of(database, ann), ann)
    assert await persons(database, ann) == {ann.id}


@pytest.mark.parametrize("code", ["", "ABCDEFGH", "' OR 1=1 --", "🦊" * 8, "A" * 10_000])
async def test_a_code_that_nobody_gave_links_nothing(database: Database, code: str) -> None:
    ann, bob = await known(database, "ann"), await known(database, "bob")
    await code_of(database, ann)

    with pytest.raises(NotThere, match="do not know"):
        await use(database, code, bob)
    assert await persons(database, bob) == {bob.id}


async def test_who_guesses_has_five_tries_in_ten_minutes(database: Database) -> None:
    ann, eve = await known(database, "ann"), await known(database, "eve")
    code = await code_of(database, ann)
    for _ in range(5):
        with pytest.raises(NotThere):
            await use(database, "WRONGONE", eve)

    with pytest.raises(NotAllowed, match="Too many"):
        await use(database, code, eve)
    later = NOW + TEN_MINUTES
    assert ann.id in await use(database, await code_of(database, ann, later), eve, later)
    audited = await database.fetch("SELECT person FROM audit WHERE what='link refused'")
    assert [row["person"] for row in audited] == [eve.id] * 5


async def test_guesses_at_the_same_moment_are_counted_one_by_one(database: Database) -> None:
    eve = await known(database, "eve")
    tries = await asyncio.gather(*(use(database, f"WRONG{n}", eve) for n in range(20)), return_exceptions=True)

    assert sum(isinstance(each, NotThere) for each in tries) == 5
    assert sum(isinstance(each, NotAllowed) for each in tries) == 15


async def test_two_who_use_one_code_at_once_are_not_both_linked(database: Database) -> None:
    ann, bob, eve = [await known(database, name) for name in ("ann", "bob", "eve")]
    code = await code_of(database, ann)
    done = await asyncio.gather(*(use(database, code, each) for each in (bob, eve)), return_exceptions=True)

    assert sum(isinstance(each, tuple) for each in done) == 1
    assert sum(isinstance(each, NotThere) for each in done) == 1
    assert len(await persons(database, ann)) == 2


async def test_linking_in_both_directions_at_once_is_linking(database: Database) -> None:
    ann, bob = await known(database, "ann"), await known(database, "bob")
    codes = await code_of(database, ann), await code_of(database, bob)
    done = await asyncio.gather(use(database, codes[0], bob), use(database, codes[1], ann), return_exceptions=True)

    assert sum(isinstance(each, tuple) for each in done) == 1
    (refused,) = [each for each in done if isinstance(each, BotError)]
    assert "linked already" in str(refused.text)
    assert await persons(database, ann) == await persons(database, bob) == {ann.id, bob.id}


async def test_three_accounts_belong_together_by_two_links(database: Database) -> None:
    ann, bob, eve = [await known(database, name) for name in ("ann", "bob", "eve")]
    await joined(database, ann, bob, eve)

    for each in (ann, bob, eve):
        assert await persons(database, each) == {ann.id, bob.id, eve.id}


async def test_two_pairs_become_four(database: Database) -> None:
    four = [await known(database, name) for name in ("a", "b", "c", "d")]
    await joined(database, *four[:2])
    await joined(database, *four[2:])
    await use(database, await code_of(database, four[1]), four[2])

    assert await persons(database, four[3]) == {each.id for each in four}


async def test_whoever_leaves_leaves_the_others_together(database: Database) -> None:
    ann, bob, eve = [await known(database, name) for name in ("ann", "bob", "eve")]
    await joined(database, ann, bob, eve)

    assert set(await part(database, bob)) == {ann.id, eve.id}
    assert await persons(database, bob) == {bob.id}
    assert await persons(database, ann) == {ann.id, eve.id}
    await part(database, ann)
    assert await persons(database, eve) == {eve.id}
    rows = await database.fetch("SELECT linked FROM people")
    assert {row["linked"] for row in rows} == {""}


async def test_who_is_linked_with_nobody_is_told_so(database: Database) -> None:
    with pytest.raises(UsageError, match="not linked"):
        await part(database, await known(database, "ann"))


async def test_a_code_of_who_has_left_does_not_bring_the_others_along(database: Database) -> None:
    ann, bob, eve = [await known(database, name) for name in ("ann", "bob", "eve")]
    await joined(database, ann, bob)
    code = await code_of(database, ann)
    await part(database, ann)

    with pytest.raises(NotThere):
        await use(database, code, eve)
    assert await persons(database, ann) == {ann.id}


async def test_no_more_than_eight_accounts_are_one_person(database: Database) -> None:
    many = [await known(database, f"u{n}") for n in range(9)]
    await joined(database, *many[:8])

    with pytest.raises(UsageError, match="No more than 8"):
        await code_of(database, many[0])
    with pytest.raises(UsageError, match="No more than 8"):
        await use(database, await code_of(database, many[8]), many[0])
    assert len(await persons(database, many[0])) == 8


async def test_links_are_on_record(database: Database) -> None:
    ann, bob = await known(database, "ann"), await known(database, "bob")
    await joined(database, ann, bob)
    await part(database, ann)
    rows = await database.fetch("SELECT person, what FROM audit ORDER BY seq")

    assert [(row["person"], row["what"]) for row in rows] == [(bob.id, "link"), (ann.id, "unlink")]


async def test_parting_and_linking_at_the_same_moment_leaves_whole_groups(database: Database) -> None:
    many = [await known(database, f"u{n}") for n in range(6)]
    await joined(database, *many[:3])
    codes = [await code_of(database, each) for each in many[:3]]
    steps = [use(database, code, each) for code, each in zip(codes, many[3:], strict=True)]
    steps += [part(database, each) for each in many[:3]]
    await asyncio.gather(*steps, return_exceptions=True)

    groups = {each.id: await persons(database, each) for each in many}
    for group in groups.values():
        for member in group:
            assert groups[member] == group
