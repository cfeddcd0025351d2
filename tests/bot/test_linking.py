"""Accounts of one human, joined by a code and parted again: nothing moves in the books, and no code works twice."""

import asyncio
import itertools
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest

from bot import linking, people, privacy
from bot.audit import OPERATOR, By
from bot.chat import Actor, Invocation, Reply, Tone
from bot.errors import BotError, NotAllowed, NotThere, UsageError
from bot.generation import inbox
from bot.people import Person
from bot.storage.database import Database
from tests.bot.generation.core import Core
from tests.linked import link

NOW = 1_700_000_000_000_000
TEN_MINUTES = timedelta(minutes=10) // timedelta(microseconds=1)


async def known(database: Database, user: str, adapter: str = "fake") -> Person:
    actor = Actor(adapter=adapter, user=user, name=user, space="team")
    return await database.transaction(people.find, actor, NOW)


async def code_of(database: Database, person: Person, at: int = NOW) -> str:
    return await database.transaction(linking.new_code, person.id, at)


async def types(database: Database, code: str, person: Person, at: int = NOW) -> linking.Typed:
    """What they are asked. Raises the refusal, which is stored by then."""
    typed = await database.transaction(linking.type_code, code, person.id, at, By(person.id, person.name))
    if typed.refused:
        raise typed.refused
    return typed


async def no(database: Database, seal: str, person: Person) -> None:
    await database.transaction(linking.decline, person.id, seal)


async def yes(database: Database, seal: str, person: Person, at: int = NOW) -> tuple[str, ...]:
    return await database.transaction(linking.join, person.id, seal, at, By(person.id, person.name))


async def use(database: Database, code: str, person: Person, at: int = NOW) -> tuple[str, ...]:
    typed = await types(database, code, person, at)
    return await yes(database, typed.seal, person, at)


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


async def test_who_types_a_code_is_told_whom_it_would_join_and_joins_nobody(database: Database) -> None:
    ann, too, bob = [await known(database, name) for name in ("ann", "ann2", "bob")]
    await joined(database, ann, too)
    typed = await types(database, await code_of(database, ann), bob)

    assert set(typed.persons) == {ann.id, too.id, bob.id}
    assert typed.until == NOW + TEN_MINUTES
    assert await persons(database, bob) == {bob.id}
    assert [row["typed_by"] for row in await database.fetch("SELECT typed_by FROM link_codes WHERE used_at=0")] == [
        bob.id
    ]


async def test_the_seal_of_a_question_tells_nothing_of_the_code(database: Database) -> None:
    """Codes are short: whoever had a digest of one would find it by trying all."""
    ann, bob = await known(database, "ann"), await known(database, "bob")
    code = await code_of(database, ann)
    typed = await types(database, code, bob)
    (row,) = await database.fetch("SELECT * FROM link_codes")
    await database.transaction(lambda connection: connection.execute("UPDATE link_codes SET digest='another'"))

    assert not {typed.seal, typed.seal[:8]} & {row["digest"][:16], row["digest"][:8]}
    assert set(await yes(database, typed.seal, bob)) == {ann.id, bob.id}, "it does not depend on the code"


async def test_a_code_may_be_typed_again_by_the_same_hand(database: Database) -> None:
    ann, bob = await known(database, "ann"), await known(database, "bob")
    code = await code_of(database, ann)
    first, again = await types(database, code, bob), await types(database, code, bob)

    assert first == again
    assert set(await yes(database, first.seal, bob)) == {ann.id, bob.id}
    with pytest.raises(UsageError, match="linked already"):
        await yes(database, again.seal, bob)
    assert len(await database.fetch("SELECT * FROM audit WHERE what='link'")) == 1


async def test_a_code_that_two_strangers_type_links_neither(database: Database) -> None:
    ann, bob, eve = [await known(database, name) for name in ("ann", "bob", "eve")]
    code = await code_of(database, ann)
    typed = await types(database, code, bob)

    with pytest.raises(NotThere, match="Somebody else has typed this code, too"):
        await types(database, code, eve)
    for each in (bob, eve):
        with pytest.raises(UsageError, match="no longer holds"):
            await yes(database, typed.seal, each)
        with pytest.raises(NotThere, match="do not know"):
            await types(database, code, each)
    assert await persons(database, ann) == {ann.id}
    tried = await database.fetch("SELECT person FROM audit WHERE what='link refused' ORDER BY seq")
    assert [row["person"] for row in tried] == [eve.id, bob.id, eve.id]


async def test_two_who_use_one_code_at_once_are_not_both_linked(database: Database) -> None:
    ann, bob, eve = [await known(database, name) for name in ("ann", "bob", "eve")]
    code = await code_of(database, ann)
    done = await asyncio.gather(*(use(database, code, each) for each in (bob, eve)), return_exceptions=True)

    assert sum(isinstance(each, tuple) for each in done) <= 1
    assert all(isinstance(each, tuple | NotThere | UsageError) for each in done)
    assert len(await persons(database, ann)) == 1 + sum(isinstance(each, tuple) for each in done)


async def test_ones_other_account_may_type_the_code_instead(database: Database) -> None:
    ann, bob, bob_too = [await known(database, name) for name in ("ann", "bob", "bob2")]
    await joined(database, bob, bob_too)
    code = await code_of(database, ann)
    first = await types(database, code, bob)
    await types(database, code, bob_too)

    with pytest.raises(UsageError, match="no longer holds"):
        await yes(database, first.seal, bob)
    assert set(await yes(database, first.seal, bob_too)) == {ann.id, bob.id, bob_too.id}


async def test_a_yes_comes_too_late_after_ten_minutes(database: Database) -> None:
    ann, bob = await known(database, "ann"), await known(database, "bob")
    typed = await types(database, await code_of(database, ann), bob, NOW + TEN_MINUTES - 2)

    with pytest.raises(NotThere, match="expired"):
        await yes(database, typed.seal, bob, typed.until)
    assert await persons(database, bob) == {bob.id}
    assert await yes(database, typed.seal, bob, typed.until - 1)


@pytest.mark.parametrize("seal", ["", "0" * 16, "é", "{seal}x", "{digest}"])
async def test_a_forged_yes_links_nobody(database: Database, seal: str) -> None:
    ann, bob, eve = [await known(database, name) for name in ("ann", "bob", "eve")]
    typed = await types(database, await code_of(database, ann), bob)
    (row,) = await database.fetch("SELECT digest FROM link_codes")
    forged = seal.format(seal=typed.seal, digest=row["digest"])

    for said, by in ((forged, bob), (forged, eve), (typed.seal, eve), (typed.seal, ann)):
        with pytest.raises(UsageError, match="no longer holds"):
            await yes(database, said, by)
    assert {row["linked"] for row in await database.fetch("SELECT linked FROM people")} == {""}


async def test_whoever_said_no_is_not_joined_by_a_yes_to_the_same_question(database: Database) -> None:
    ann, bob = await known(database, "ann"), await known(database, "bob")
    code = await code_of(database, ann)
    typed = await types(database, code, bob)
    for _ in range(2):
        await no(database, typed.seal, bob)

        with pytest.raises(UsageError, match=r"you said no.* gives a new one"):
            await yes(database, typed.seal, bob)
    with pytest.raises(NotThere, match="gives a new one"):
        await types(database, code, bob)
    assert await persons(database, bob) == {bob.id}
    assert await database.fetch("SELECT * FROM audit WHERE what='link'") == []
    assert set(await use(database, await code_of(database, ann, NOW + 1), bob, NOW + 1)) == {ann.id, bob.id}


@pytest.mark.parametrize("seal", ["", "1700000000", "0" * 32, "{seal}"])
async def test_a_no_to_another_question_or_of_somebody_else_voids_no_code(database: Database, seal: str) -> None:
    ann, bob, eve = [await known(database, name) for name in ("ann", "bob", "eve")]
    typed = await types(database, await code_of(database, ann), bob)
    other = await types(database, await code_of(database, eve), bob)
    await no(database, seal.format(seal=other.seal), bob)
    for each in (ann, eve):
        await no(database, typed.seal, each)

    assert set(await yes(database, typed.seal, bob)) == {ann.id, bob.id}


async def test_a_no_holds_though_the_accounts_were_others_when_it_was_said(database: Database) -> None:
    giver, typist, other = [await known(database, name) for name in ("ann", "bob", "eve")]
    typed = await types(database, await code_of(database, giver), typist)
    await use(database, await code_of(database, other), giver)
    await no(database, typed.seal, typist)
    await part(database, other)
    assert await persons(database, giver) == {giver.id}, "as it was when they were asked"

    with pytest.raises(UsageError, match="you said no"):
        await yes(database, typed.seal, typist)


async def test_a_no_after_the_yes_parts_nobody_and_says_so(database: Database) -> None:
    ann, bob = await known(database, "ann"), await known(database, "bob")
    typed = await types(database, await code_of(database, ann), bob)
    await yes(database, typed.seal, bob)

    with pytest.raises(UsageError, match="linked already"):
        await no(database, typed.seal, bob)
    assert await persons(database, bob) == {ann.id, bob.id}
    await part(database, bob)
    await no(database, typed.seal, bob)
    assert await persons(database, bob) == {bob.id}


async def test_of_a_yes_and_a_no_at_the_same_moment_one_holds(database: Database) -> None:
    ann, bob = await known(database, "ann"), await known(database, "bob")
    typed = await types(database, await code_of(database, ann), bob)
    done = await asyncio.gather(
        yes(database, typed.seal, bob), *(no(database, typed.seal, bob) for _ in range(3)), return_exceptions=True
    )

    joined_them = isinstance(done[0], tuple)
    assert await persons(database, bob) == ({ann.id, bob.id} if joined_them else {bob.id})
    assert {isinstance(each, UsageError) for each in done[1:]} == {joined_them}, "one no before the yes voids it"


async def test_not_now_voids_what_another_account_of_the_same_human_has_typed_since(core: Core) -> None:
    ann, bob, too = [await core.person(name) for name in ("ann", "bob", "robert")]
    await core.memberships.change(link, await code_of(core.database, bob, core.at), too.id, core.at, OPERATOR)
    code = await code_of(core.database, ann, core.at)
    of_bob, of_robert = [await core.answer(f"/link {code}", by=name) for name in ("bob", "robert")]
    await core.answer(press=of_bob.buttons[1].id, by="bob")
    pressed = await core.answer(press=of_robert.buttons[0].id, by="robert")

    assert pressed.tone is Tone.REFUSAL
    assert await persons(core.database, ann) == {ann.id}


VOID = "Nothing was joined, and the code joins nobody any more."


async def test_not_now_is_said_as_often_as_it_is_pressed_and_link_is_refused_then(core: Core) -> None:
    ann = await core.person("ann")
    asked = await core.answer(f"/link {await code_of(core.database, ann, core.at)}", by="bob")
    link, not_now = (button.id for button in asked.buttons)
    pressed = [await core.answer(press=not_now, by="bob") for _ in range(2)]
    pressed += [await said_again(core, core.invocation(press=not_now, by="bob"))]
    refused = [await core.answer(press=link, by="bob"), await said_again(core, core.invocation(press=link, by="bob"))]

    assert {(str(each.text), each.tone) for each in pressed} == {(VOID, Tone.ANSWER)}
    assert {each.tone for each in refused} == {Tone.REFUSAL}
    assert all("you said no" in str(each.text) for each in refused)
    assert await persons(core.database, ann) == {ann.id}


async def test_not_now_under_another_question_leaves_a_code_as_it_is(core: Core) -> None:
    ann = await core.person("ann")
    asked = await core.answer(f"/link {await code_of(core.database, ann, core.at)}", by="bob")
    forgotten = await core.answer("/forget me", by="bob")
    await core.answer(press=forgotten.buttons[1].id, by="bob")
    await core.answer(press=asked.buttons[1].id, by="eve")

    assert "2 accounts" in str((await core.answer(press=asked.buttons[0].id, by="bob")).text)


async def said_again(core: Core, invocation: Invocation) -> Reply:
    """What is answered the second time, after a process that ended before anybody read the first answer."""
    row = (invocation.id, "fake", {"event": invocation.id}, core.at)
    core.adapter.events[invocation.id] = invocation
    await core.database.transaction(inbox.receive, *row)
    with suppress(BotError):
        await core.dispatcher._answer(await core.dispatcher._asking(invocation))
    await core.dispatcher.replay()
    answer = await core.dispatcher.outcome(invocation.id)
    assert isinstance(answer, Reply)
    return answer


async def others_join(database: Database, giver: Person, typist: Person, other: Person) -> None:
    await joined(database, other, giver)


async def typist_joins(database: Database, giver: Person, typist: Person, other: Person) -> None:
    await joined(database, other, typist)


async def giver_leaves(database: Database, giver: Person, typist: Person, other: Person) -> None:
    await part(database, giver)


async def typist_leaves(database: Database, giver: Person, typist: Person, other: Person) -> None:
    await part(database, typist)


async def giver_is_forgotten(database: Database, giver: Person, typist: Person, other: Person) -> None:
    await database.transaction(privacy.forget, (giver.id,), NOW)


async def giver_takes_another_code(database: Database, giver: Person, typist: Person, other: Person) -> None:
    await code_of(database, giver)


@pytest.mark.parametrize(
    "changed",
    [others_join, typist_joins, giver_leaves, typist_leaves, giver_is_forgotten, giver_takes_another_code],
    ids=lambda changed: changed.__name__,
)
async def test_a_yes_joins_nobody_but_those_who_were_named(database: Database, changed: Any) -> None:
    giver, giver_too, typist, typist_too, other = [
        await known(database, name) for name in ("ann", "ann2", "bob", "bob2", "eve")
    ]
    await joined(database, giver, giver_too)
    await joined(database, typist, typist_too)
    typed = await types(database, await code_of(database, giver), typist)
    await changed(database, giver, typist, other)
    before = await persons(database, typist)

    with pytest.raises(UsageError, match="no longer holds"):
        await yes(database, typed.seal, typist)
    assert await persons(database, typist) == before


async def test_whoever_is_forgotten_before_the_yes_leaves_no_trace_of_the_question(database: Database) -> None:
    ann, bob = await known(database, "ann"), await known(database, "bob")
    typed = await types(database, await code_of(database, ann), bob)
    await database.transaction(privacy.forget, (bob.id,), NOW)

    assert await database.fetch("SELECT * FROM link_codes") == []
    with pytest.raises(UsageError, match="just forgotten"):
        await yes(database, typed.seal, bob)
    with pytest.raises(UsageError, match="no longer holds"):
        await yes(database, typed.seal, await known(database, "bob"))


async def test_linking_in_both_directions_is_linking_once(database: Database) -> None:
    ann, bob = await known(database, "ann"), await known(database, "bob")
    asked = (
        (await types(database, await code_of(database, ann), bob), bob),
        (await types(database, await code_of(database, bob), ann), ann),
    )
    done = await asyncio.gather(*(yes(database, typed.seal, by) for typed, by in asked), return_exceptions=True)

    assert sum(isinstance(each, tuple) for each in done) == 1
    (refused,) = [each for each in done if isinstance(each, BotError)]
    assert "linked already" in str(refused.text)
    assert await persons(database, ann) == await persons(database, bob) == {ann.id, bob.id}
    assert len(await database.fetch("SELECT * FROM audit WHERE what='link'")) == 1


async def test_a_yes_from_before_a_parting_does_not_join_again(database: Database) -> None:
    ann, bob = await known(database, "ann"), await known(database, "bob")
    typed = await types(database, await code_of(database, ann), bob)
    await yes(database, typed.seal, bob)
    await part(database, bob)

    with pytest.raises(NotThere, match="used already"):
        await yes(database, typed.seal, bob)
    assert await persons(database, bob) == {bob.id}


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
