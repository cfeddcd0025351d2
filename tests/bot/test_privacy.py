"""A person's own data: given to them whole, and forgotten whole; the books still agree afterwards."""

import asyncio
import itertools
import json
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from bot import linking, people, privacy, teams
from bot.audit import By
from bot.chat import Actor, Place, Reply, Tone
from bot.errors import UsageError
from bot.generation import inbox, notices, settling
from bot.generation.accepting import Draft
from bot.generation.notices import Receiver
from bot.i18n import verbatim
from bot.people import Person
from bot.privacy import Privacy
from bot.quota import grants, ledger
from bot.quota.tiers import Tier
from bot.storage.connection import Connection
from bot.storage.database import Database
from tests.bot.commands.test_usage import used
from tests.bot.generation.core import Core, working
from tests.linked import link

SPACE = "fake/team"
ROOT = By("p0", "root")
SECRET = "a wolf with seven tails"
NUMBERS = itertools.count()


def keeper(core: Core, remove: Any = None) -> Privacy:
    return Privacy(
        database=core.database,
        preferences=core.preferences,
        memberships=core.memberships,
        clock=core.clock,
        remove=remove or core.blobs.delete,
        changed=core._changed,
    )


async def forget(kept: Privacy, person: Person) -> Reply | None:
    asked = f"asked {next(NUMBERS)}"
    await kept.database.transaction(inbox.receive, asked, "fake", {}, 0)
    reply = await kept.forget(person, asked, verbatim("You are forgotten."))
    await kept.database.transaction(inbox.close, asked)
    return reply


async def everything(database: Database) -> str:
    """All that is stored, as one text."""
    if database.shared:
        named = "SELECT tablename AS name FROM pg_tables WHERE schemaname='public'"
    else:
        named = "SELECT name FROM sqlite_master WHERE type='table' AND name NOT LIKE 'sqlite%'"
    names = [row["name"] for row in await database.fetch(named)]
    rows = [dict(row) for name in names for row in await database.fetch(f"SELECT * FROM {name}")]
    return json.dumps(rows, default=str, ensure_ascii=False)


async def busy_life(core: Core) -> Person:
    """Somebody with a bit of everything."""
    bob = await core.person("bob")
    await core.preferences.change(bob.id, {"size": "2K"})
    team = await core.memberships.change(teams.create, SPACE, "Design", ROOT, core.at)
    await core.memberships.change(teams.add, team, bob.id, ROOT, core.at, role="owner")
    await core.memberships.change(teams.put_tier, SPACE, Tier(name="pro", space=SPACE), ROOT, core.at)
    await core.memberships.change(teams.hold_tier, SPACE, f"person:{bob.id}", "pro", ROOT, core.at)
    await core.database.transaction(ledger.set_limit, f"person:{bob.id}", "images", "total", 50)
    await core.database.transaction(linking.new_code, bob.id, core.at)
    await core.database.transaction(grants.give, **_grant(bob, core.at))
    assert (await core.answer(f"/imagine {SECRET}")).state == "settled"
    return await core.person("bob")


def _grant(person: Person, at: int) -> dict[str, Any]:
    return {
        "pool": "all", "person": person.id, "unit": "images", "amount": 5, "until": at + 10**12, "by": ROOT, "at": at,
    }  # fmt: skip


# --- given


async def test_everything_about_somebody_is_given_to_them(running: Core) -> None:
    bob = await busy_life(running)
    await running.answer("/imagine somebody else's fox", by="eve")
    given = await keeper(running).mine(bob)

    assert given == json.loads(json.dumps(given))
    assert given["people"][0]["accounts"] == [{"platform": "fake", "id": "bob"}]
    assert given["people"][0]["settings"] == {"size": "2K"}
    assert [each["name"] for each in given["teams"]] == ["Design"]
    assert given["tiers"] == [{"space": SPACE, "tier": "pro"}]
    assert [(each["prompt"], each["state"]) for each in given["generations"]] == [(SECRET, "settled")]
    assert [each["amount"] for each in given["limits"]] == [50]
    assert any(each["spent"] == 1 for each in given["balances"] if each["account"] == f"person:{bob.id}")
    assert {each["kind"] for each in given["entries"]} == {"hold", "settle"}
    assert [each["amount"] for each in given["grants"]] == [5]
    assert [each["what"] for each in given["audit"]][:2] == ["team member", f"tier of person:{bob.id}"]
    assert "somebody else" not in json.dumps(given)


async def test_what_linked_accounts_have_is_given_together(running: Core) -> None:
    await running.answer("/imagine one", by="bob")
    await running.answer("/imagine two", by="robert")
    bob, too = await running.person("bob"), await running.person("robert")
    code = await running.database.transaction(linking.new_code, bob.id, running.at)
    await running.memberships.change(link, code, too.id, running.at, ROOT)
    given = await keeper(running).mine(await running.person("bob"))

    assert {each["prompt"] for each in given["generations"]} == {"one", "two"}
    assert len(given["people"]) == 2


async def test_a_stranger_is_given_what_there_is(core: Core) -> None:
    given = await keeper(core).mine(await core.person("ann"))

    assert given["people"][0]["name"] == "ann"
    assert given["generations"] == given["teams"] == given["balances"] == given["audit"] == []


# --- forgotten


async def test_nothing_of_somebody_forgotten_is_left_but_sums(core: Core) -> None:
    async with working(core):
        bob = await busy_life(core)
        before = await core.database.fetch("SELECT unit, win, sum(spent) AS spent FROM balances GROUP BY unit, win")
        blobs = [row["blob"] for row in await core.database.fetch("SELECT blob FROM images")]
        await forget(keeper(core), bob)
    stored = await everything(core.database)

    for secret in (SECRET, bob.id, '"bob"', *blobs):
        assert secret not in stored, secret
    after = await core.database.fetch("SELECT unit, win, sum(spent) AS spent FROM balances GROUP BY unit, win")
    assert sorted(map(dict, before), key=str) == sorted(map(dict, after), key=str)
    assert blobs
    assert [blob for blob in blobs if blob in core.blobs.stored] == []
    await core.nothing_is_held()


async def test_who_comes_back_is_somebody_new(running: Core) -> None:
    bob = await busy_life(running)
    await forget(keeper(running), bob)
    again = await running.person("bob")

    assert again.id != bob.id
    assert again.settings == {}
    actor = Actor(adapter="fake", user="bob", name="bob", space="team")
    assert running.preferences.of(actor) == {}
    assert running.memberships.teams_of(actor) == ()
    assert running.memberships.tiers_of(actor) == ()
    listed = await running.answer("/history")
    assert listed.rows == ()
    assert (await running.answer("/imagine a fox")).state == "settled"
    await running.check_books()


async def test_the_posted_pictures_give_way_to_a_word(running: Core) -> None:
    bob = await running.person()
    drawn = await running.answer(f"/imagine {SECRET}")
    await forget(keeper(running), bob)
    await running.adapter.until(lambda: "deleted" in str(running.adapter.replies(drawn.generation)[-1].text))

    last = running.adapter.replies(drawn.generation)[-1]
    assert (last.pictures, last.prompt, last.buttons) == ((), "", ())
    assert (await running.answer(f"/show {drawn.generation}", by="eve")).tone is Tone.REFUSAL


async def test_where_it_was_posted_is_forgotten_once_the_word_stands_there(core: Core) -> None:
    async with working(core):
        drawn = await core.answer("/imagine a fox")
        await core.adapter.until(lambda: core.adapter.replies(drawn.generation))
        core.adapter.open.clear()
        await forget(keeper(core), await core.person())
        await keeper(core).tidy()
        (held,) = await core.database.fetch("SELECT place FROM postings")
        core.adapter.open.set()
        await core.adapter.until(lambda: "deleted" in str(core.adapter.replies(drawn.generation)[-1].text))
    await keeper(core).tidy()
    (row,) = await core.database.fetch("SELECT place, message FROM postings")

    assert "studio" in held["place"]
    assert ("studio" in row["place"], row["message"]) == (False, "")
    assert await core.database.fetch("SELECT * FROM posted_messages") == []
    assert await core.database.fetch("SELECT * FROM meta WHERE name LIKE 'forgotten%'") == []


async def test_all_linked_accounts_are_forgotten_together(running: Core) -> None:
    await running.answer("/imagine one", by="bob")
    bob, too = await running.person("bob"), await running.person("robert")
    code = await running.database.transaction(linking.new_code, bob.id, running.at)
    await running.memberships.change(link, code, too.id, running.at, ROOT)
    await running.answer("/imagine two", by="robert")
    await forget(keeper(running), await running.person("robert"))

    assert await running.database.fetch("SELECT id FROM people") == []
    await running.nothing_is_held()


async def test_who_was_linked_with_somebody_forgotten_stands_alone(core: Core) -> None:
    bob, too = await core.person("bob"), await core.person("robert")
    code = await core.database.transaction(linking.new_code, bob.id, core.at)
    await core.memberships.change(link, code, too.id, core.at, ROOT)
    await core.database.transaction(privacy.forget, (bob.id,), core.at)

    (row,) = await core.database.fetch("SELECT id, linked FROM people")
    assert (row["id"], row["linked"]) == (too.id, "")


async def test_what_waits_is_cancelled_before_it_is_forgotten(core: Core) -> None:
    await core.accepted(prompt=SECRET)
    await forget(keeper(core), await core.person())

    assert SECRET not in await everything(core.database)
    rows = await core.database.fetch("SELECT state FROM generations")
    assert [row["state"] for row in rows] == ["cancelled"]
    await core.nothing_is_held()


async def test_nothing_is_forgotten_while_something_is_being_drawn(core: Core) -> None:
    generation = await core.accepted(prompt=SECRET)
    waiting = await core.accepted()
    (mine, _) = await core.admitted()
    bob = await core.person()

    with pytest.raises(UsageError, match="being drawn"):
        await forget(keeper(core), bob)
    assert (await core.person()).id == bob.id
    assert (await core.load(generation)).request.prompt == SECRET
    assert (await core.load(generation)).cancelled
    assert mine.id in (generation, waiting)
    with pytest.raises(UsageError, match="being drawn"):
        await core.database.transaction(privacy.forget, (bob.id,), core.at)
    await core.check_books()


async def test_what_somebody_else_made_of_it_stays_theirs(running: Core) -> None:
    drawn = await running.answer("/imagine a fox", by="bob")
    made = await running.answer(press=f"again:{drawn.generation}:0", by="eve")
    await forget(keeper(running), await running.person("bob"))

    theirs = await running.load(made.generation)
    assert theirs.person == (await running.person("eve")).id
    assert [image.state for image in theirs.images] == ["made"]
    assert theirs.images[0].blob in running.blobs.stored


async def test_pictures_that_cannot_be_removed_now_are_removed_later(running: Core) -> None:
    bob = await busy_life(running)
    blobs = [row["blob"] for row in await running.database.fetch("SELECT blob FROM images")]

    async def refuse(blob: str) -> None:
        raise ConnectionError(blob)

    assert await forget(keeper(running, refuse), bob), "they are forgotten all the same"
    assert blobs[0] in running.blobs.stored
    await keeper(running).tidy()
    assert blobs[0] not in running.blobs.stored
    assert await running.database.fetch("SELECT * FROM meta WHERE name LIKE 'forgotten blob%'") == []


async def test_what_is_possibly_billed_can_still_be_decided(core: Core) -> None:
    await core.accepted(price=1000)
    (mine,) = await core.admitted()
    bob = await core.person()
    await core.lose(mine.id, 1000)
    await core.check_books()
    await forget(keeper(core), bob)
    await core.check_books()
    await core.database.transaction(settling.resolve_one, mine.id, core.at, charge=True, reason="billed")

    await core.nothing_is_held()


async def test_what_was_done_to_and_by_somebody_stays_on_record_without_them(core: Core) -> None:
    ann, bob = await core.person("ann"), await core.person("bob")
    team = await core.database.transaction(teams.create, SPACE, "Design", By(bob.id, "bob"), core.at)
    await core.database.transaction(teams.add, team, bob.id, By(ann.id, "ann"), core.at)
    await core.database.transaction(teams.add, team, ann.id, By(bob.id, "bob"), core.at)
    await forget(keeper(core), bob)
    made, added, other, forgotten = await core.database.fetch("SELECT * FROM audit ORDER BY seq")

    assert made["person"].startswith("gone-")
    assert made["name"] == other["name"] == ""
    assert made["person"] == other["person"] == forgotten["person"]
    told = json.loads(added["after"])
    assert (added["name"], told["person"], told["name"], told["team"]) == ("ann", made["person"], "", "Design")
    assert json.loads(other["after"])["name"] == "ann"
    assert json.loads(made["after"])["name"] == "Design"


async def test_the_pages_messages_are_emptied_one_by_one(core: Core) -> None:
    def written(connection: Any) -> str:
        person = people.find(connection, Actor(adapter="web", user="bob", name="bob", space="local"), 1)
        rows = [
            ("m1", "design-team", "bob", 0, SECRET, '[{"name": "x", "blob": "b1"}]', "", None, ""),
            ("m2", "design-team", "bot", 1, "", "[]", "m1", "the answer", "bob"),
            ("m3", "direct:bob", "bob", 0, SECRET, "[]", "", None, ""),
            ("m4", "design-team", "eve", 0, "hello", "[]", "", None, ""),
            ("m5", "design-team", "bot", 1, "", "[]", "m4", "to eve", "eve"),
        ]
        for place, (id, room, author, bot, words, uploads, to, reply, private) in enumerate(rows, 1):
            connection.execute(
                "INSERT INTO chat_messages (id, room, author, bot, at, words, uploads, reply_to, reply,"
                " private_to, born, revision) VALUES (:id, :room, :author, :bot, 1, :words,"
                " :uploads, :to, :reply, :private, :at, :at)",
                id=id, room=room, author=author, bot=bot, words=words, uploads=uploads, to=to, reply=reply,
                private=private, at=place,
            )  # fmt: skip
        connection.execute("UPDATE chat_revisions SET last=5")
        return person.id

    person = await core.database.transaction(written)
    assert len((await core.database.read(privacy.mine, (person,)))["messages"]) == 2
    assert await core.database.transaction(privacy.forget, (person,), core.at) == ["b1"]
    rows = {row["id"]: dict(row) for row in await core.database.fetch("SELECT * FROM chat_messages")}

    assert [rows[id]["removed"] for id in ("m1", "m2", "m3", "m4", "m5")] == [1, 1, 1, 0, 0]
    assert {(rows[id]["words"], rows[id]["reply"], rows[id]["uploads"]) for id in ("m1", "m2", "m3")} == {
        ("", None, "[]")
    }
    assert [rows[id]["revision"] for id in ("m1", "m2", "m3")] == [6, 7, 8]
    assert rows["m5"]["reply"] == "to eve"
    assert (await core.database.fetch("SELECT last FROM chat_revisions"))[0]["last"] == 8


async def test_what_is_asked_while_somebody_is_forgotten_is_forgotten_or_refused(core: Core) -> None:
    bob = await core.person()
    done = await asyncio.gather(
        *(core.accepted(prompt=SECRET) for _ in range(5)),
        forget(keeper(core), bob),
        *(core.accepted(prompt=SECRET) for _ in range(5)),
        return_exceptions=True,
    )
    known = {row["id"] for row in await core.database.fetch("SELECT id FROM people")}
    left = {row["person"] for row in await core.database.fetch("SELECT person FROM generations")}

    assert all(isinstance(each, str | UsageError | Reply) for each in done), done
    assert all(person in known or person.startswith("gone-") for person in left)
    await core.check_books()


async def test_who_was_forgotten_before_it_was_accepted_is_told_so(core: Core) -> None:
    bob = await core.person()
    await forget(keeper(core), bob)
    draft = Draft(
        invocation="late",
        person=bob,
        place=Place(adapter="fake"),
        language="en",
        request=core.request(),
        price=1,
    )
    await core.database.transaction(inbox.receive, "late", "fake", {}, core.at)

    with pytest.raises(UsageError, match="just forgotten"):
        await core.service.accept(draft)
    assert await core.database.fetch("SELECT id FROM generations") == []


async def test_forgetting_twice_at_once_forgets_once(core: Core) -> None:
    await core.run()
    bob = await core.person()
    await asyncio.gather(*(forget(keeper(core), bob) for _ in range(4)))

    assert await core.database.fetch("SELECT id FROM people") == []
    assert len(await core.database.fetch("SELECT DISTINCT person FROM generations")) == 1
    await core.nothing_is_held()


async def test_what_the_bot_told_somebody_by_itself_leads_nowhere(core: Core) -> None:
    bob, eve = await core.person("bob"), await core.person("eve")

    def told(connection: Connection) -> None:
        for person in (bob.id, eve.id):
            for kind in ("alert", "credits"):
                place = Place(adapter="fake", data={"room": f"dm of {person}"}, private=True)
                notices.want(connection, Receiver(who=person, place=place, language="en"), kind, {"account": "all"})
        connection.execute("INSERT INTO posted_messages (adapter, message, key) SELECT 'fake', key, key FROM postings")

    await core.database.transaction(told)
    await forget(keeper(core), bob)

    for table in ("postings", "posted_messages"):
        rows = await core.database.fetch(f"SELECT * FROM {table}")
        assert len(rows) == 2, table
    assert bob.id not in await everything(core.database)


async def test_a_chart_of_somebodys_own_goes_with_them(running: Core) -> None:
    for name, images in (("bob", 3), ("eve", 3), ("ann", 5)):
        await used(running, name, images)
        await used(running, name, 1, days=1)
    charts = {name: (await running.answer("/usage me", by=name)).pictures[0].blob for name in ("bob", "eve", "ann")}
    assert charts["bob"] == charts["eve"]
    await forget(keeper(running), await running.person("ann"))
    await forget(keeper(running), await running.person("bob"))

    assert charts["ann"] not in running.blobs.stored
    assert charts["eve"] in running.blobs.stored  # she looked at the same one
    marks = [row["name"] for row in await running.database.fetch("SELECT name FROM meta WHERE name LIKE 'chart:%'")]
    assert marks == [f"chart:{charts['eve']}"]


@pytest.mark.parametrize("back", [False, True])
async def test_the_room_of_somebody_is_gone_an_hour_later(core: Core, back: bool) -> None:
    actor = Actor(adapter="web", user="zoe", name="zoe", space="local")

    def say(connection: Connection, id: str, room: str, to: str = "") -> None:
        connection.execute("UPDATE chat_revisions SET last=last+1")
        connection.execute(
            "INSERT INTO chat_messages (id, room, author, bot, at, words, private_to, born, revision)"
            " SELECT :id, :room, 'bot', 1, 1, 'hello', :to, last, last FROM chat_revisions",
            id=id,
            room=room,
            to=to,
        )

    person = await core.database.transaction(people.find, actor, core.at)
    for id, room, to in (("m1", "direct:zoe", ""), ("m2", "design-team", "zoe"), ("m3", "direct:zo", "")):
        await core.database.transaction(say, id, room, to)
    await forget(keeper(core), person)
    await core.database.transaction(say, "m4", "direct:zoe")  # that they are forgotten, or what they say since
    before = [row["id"] for row in await core.database.fetch("SELECT id FROM chat_messages")]
    if back:
        await core.database.transaction(people.find, actor, core.at)
    core.clock.forward(hours=1)
    await keeper(core).tidy()
    left = [row["id"] for row in await core.database.fetch("SELECT id FROM chat_messages ORDER BY id")]

    assert len(before) == 4  # an open page of theirs hears that they are empty
    assert left == (["m2", "m3", "m4"] if back else ["m2", "m3"])  # of the second one nothing is left but its place
    assert back or "zoe" not in await everything(core.database)


async def test_a_block_stays_without_a_name(core: Core) -> None:
    bob, root = await core.person("bob"), await core.person("root", admin=True)
    for user, name in (("bob", "Bob the Builder"), ("eve", "Eve")):
        blocked = {**core.spaces.of(SPACE).blocked, user: name}
        await core.spaces.change(SPACE, partial(replace, blocked=blocked), by=root, at=core.at)
    await forget(keeper(core), bob)
    await core.spaces.load()

    assert core.spaces.of(SPACE).blocked == {"bob": "bob", "eve": "Eve"}
    assert "Builder" not in await everything(core.database)
    assert "may not use me" in str((await core.answer("/imagine a fox")).text)
