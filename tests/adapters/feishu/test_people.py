"""Names, owners of groups and kinds of chats: asked for where the app may, and never waited for for long."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from adapters.feishu.event import Where
from adapters.feishu.people import usual_language
from tests.adapters.feishu.stage import FakeDoor, Stage, set_up
from tests.simulators.feishu.fake import FakeFeishu
from tests.simulators.feishu.model import Chat
from tests.simulators.feishu.people import Person

USER, MEMBERS, CHAT = "contact.user.get", "im.chat.members.get", "im.chat.get"
CONTACT = ("contact:contact.base:readonly", "contact:user.base:readonly")


@pytest_asyncio.fixture
async def stage(fake: FakeFeishu, door: FakeDoor, tmp_path: Path) -> AsyncIterator[Stage]:
    async with set_up(fake, door, tmp_path, group_owners=True, budget=0.2) as stage:
        yield stage


def where(person: Person, chat: Chat | None = None) -> Where:
    chat = chat or person.direct
    return Where.model_validate({"tenant": "t", "user": person.open_id, "chat": chat.id, "kind": chat.kind, "at": 1})


async def name(stage: Stage, at: Where) -> str:
    return (await stage.people.find(at)).name


def asked(fake: FakeFeishu, *apis: str) -> list[int]:
    return [len(fake.called(api)) for api in apis]


async def test_a_name_is_asked_for_once_a_day(fake: FakeFeishu, stage: Stage) -> None:
    ann = fake.person("Ann")
    names = [await name(stage, where(ann)) for _ in range(3)]
    fake.clock.advance(25 * 3600)
    names.append(await name(stage, where(ann)))

    assert names == ["Ann"] * 4
    assert [call.code for call in fake.called(USER)].count(0) == 2


async def test_somebody_out_of_range_is_known_from_the_group_and_so_is_everybody_there(
    fake: FakeFeishu, stage: Stage
) -> None:
    ann, bob = fake.person("Ann", in_range=False), fake.person("Bob", in_range=False)
    group = fake.group("party", ann, bob)
    names = [await name(stage, where(bob, group)), await name(stage, where(ann, group))]

    names += [await name(stage, where(bob, group)), await name(stage, where(ann, group))]

    assert names == ["Bob", "Ann"] * 2
    assert asked(fake, USER, MEMBERS) == [2, 1]


async def test_without_any_scope_nobody_has_a_name_and_nothing_is_asked_again_for_a_while(
    fake: FakeFeishu, stage: Stage
) -> None:
    fake.scopes -= {*CONTACT, "im:chat:readonly", "im:chat.members:read"}
    group = fake.group("party", *(people := [fake.person(each) for each in "abc"]))
    names = [await name(stage, where(each, group)) for each in people]
    tried = asked(fake, USER, MEMBERS)
    fake.scopes |= set(CONTACT)
    fake.clock.advance(11 * 60)
    granted = await name(stage, where(people[0], group))

    assert (names, tried, granted) == ([""] * 3, [1, 1], "a")


async def test_a_name_that_comes_late_is_gone_without(fake: FakeFeishu, stage: Stage) -> None:
    ann, bob = fake.person("Ann"), fake.person("Bob")
    fake.faults.add(USER, delay=2)
    late = await name(stage, where(ann))
    meanwhile = await name(stage, where(bob))
    fake.clock.advance(11 * 60)
    later = await name(stage, where(ann))

    assert (late, meanwhile, later) == ("", "", "Ann")
    assert asked(fake, USER) == [2]


@pytest.mark.parametrize("trouble", [{"status": 502, "html": True}, {"times": 2}, {"code": 99991400}])
async def test_no_trouble_with_names_keeps_anybody_from_an_answer(
    fake: FakeFeishu, stage: Stage, trouble: dict[str, int]
) -> None:
    fake.faults.add(USER, **trouble)  # type: ignore[arg-type]

    assert await name(stage, where(fake.person("Ann"))) == ""


async def roles(stage: Stage, person: Person) -> tuple[str, ...]:
    return (await stage.people.find(where(person))).roles


async def test_departments_come_with_the_name_and_are_looked_at_again_every_hour(
    fake: FakeFeishu, stage: Stage
) -> None:
    ann = fake.person("Ann")
    ann.user.departments = ("od-design", "od-film")
    before = stage.people.at_hand(where(ann)).roles
    first = [await roles(stage, ann) for _ in range(2)]
    ann.user.departments = ("od-film",)
    unchanged = await roles(stage, ann)
    fake.clock.advance(3601)
    moved = await roles(stage, ann)

    assert (before, first) == ((), [("department:od-design", "department:od-film")] * 2)
    assert (unchanged, moved) == (first[0], ("department:od-film",))
    assert asked(fake, USER) == [2]


async def test_without_the_scope_of_departments_there_are_none_and_the_name_is_there(
    fake: FakeFeishu, stage: Stage
) -> None:
    ann = fake.person("Ann")
    ann.user.departments = ("od-design",)
    fake.scopes.discard("contact:user.department:readonly")
    found = await stage.people.find(where(ann))
    fake.clock.advance(3601)
    await stage.people.find(where(ann))

    assert (found.name, found.roles) == ("Ann", ())
    assert asked(fake, USER) == [1]


async def test_a_failure_takes_nobody_out_of_a_department(fake: FakeFeishu, stage: Stage) -> None:
    ann = fake.person("Ann")
    ann.user.departments = ("od-design",)
    await roles(stage, ann)
    fake.clock.advance(3601)
    fake.faults.add(USER, status=502, html=True)
    failed = await roles(stage, ann)
    fake.clock.advance(25 * 3600)
    fake.scopes -= {*CONTACT}
    withdrawn = await roles(stage, ann)

    assert (failed, withdrawn) == (("department:od-design",), ())


async def test_what_is_no_departments_id_is_none(fake: FakeFeishu, stage: Stage) -> None:
    ann = fake.person("Ann")
    ann.user.departments = ("od-design", "od-design", "", "a b", "x" * 65, 7)  # type: ignore[assignment]

    assert await roles(stage, ann) == ("department:od-design",)


async def test_the_owner_of_a_group_is_an_admin_there_and_nowhere_else(fake: FakeFeishu, stage: Stage) -> None:
    ann, bob = fake.person("Ann"), fake.person("Bob")
    group, other = fake.group("party", ann, bob, owner=ann), fake.group("other", ann, bob, owner=bob)
    before = stage.people.at_hand(where(ann, group)).admin
    found = [
        (await stage.people.find(where(*each))).admin for each in ((ann, group), (bob, group), (ann, other), (ann,))
    ]

    assert (before, found) == (False, [True, False, False, False])
    assert asked(fake, CHAT) == [2]


async def test_an_owner_who_hands_the_group_on_is_one_no_longer(fake: FakeFeishu, stage: Stage) -> None:
    ann, bob = fake.person("Ann"), fake.person("Bob")
    group = fake.group("party", ann, bob, owner=ann)
    await stage.people.find(where(ann, group))
    group.owner = bob.user
    fake.clock.advance(301)

    assert not (await stage.people.find(where(ann, group))).admin


async def test_owners_are_nobody_where_the_operator_did_not_say_so(
    fake: FakeFeishu, door: FakeDoor, tmp_path: Path
) -> None:
    ann = fake.person("Ann")
    group = fake.group("party", ann, owner=ann)
    async with set_up(fake, door, tmp_path) as stage:
        found = await stage.people.find(where(ann, group))

    assert not found.admin


async def test_a_group_is_called_by_its_name_once_somebody_asked_there(
    fake: FakeFeishu, door: FakeDoor, tmp_path: Path
) -> None:
    ann = fake.person("Ann")
    group = fake.group("party", ann)
    async with set_up(fake, door, tmp_path) as stage:
        before = stage.people.room(group.id)
        for _ in range(2):
            await stage.people.find(where(ann, group))
        after = stage.people.room(group.id)

    assert (before, after, asked(fake, CHAT)) == (group.id, "party", [1])


async def test_the_kind_of_a_chat_is_asked_for_where_no_message_told_it(fake: FakeFeishu, stage: Stage) -> None:
    ann = fake.person("Ann")
    chats = ann.direct, fake.group("party", ann), fake.group("topics", ann, topics=True)
    kinds = [await stage.people.kind(where(ann, chat)) for chat in chats]
    again = [await stage.people.kind_at_hand(chat.id) for chat in chats]

    assert kinds == again == ["p2p", "group", "topic_group"]


async def test_a_chat_of_unknown_kind_is_a_group(fake: FakeFeishu, stage: Stage) -> None:
    fake.scopes.discard("im:chat:readonly")

    assert await stage.people.kind(where(fake.person("Ann"))) == "group"


async def test_a_chat_of_two_is_remembered_over_restarts_even_if_one_cut_off_a_line(
    fake: FakeFeishu, door: FakeDoor, tmp_path: Path
) -> None:
    ann, bob = fake.person("Ann"), fake.person("Bob")
    async with set_up(fake, door, tmp_path) as stage:
        await stage.people.saw(where(ann))
        await stage.people.saw(where(ann))
    file = tmp_path / "direct.txt"
    assert file.read_text("utf-8").split() == [ann.direct.id]
    file.write_text(file.read_text("utf-8") + "\noc_cut", "utf-8")
    async with set_up(fake, door, tmp_path) as stage:
        await stage.people.saw(where(bob))
    async with set_up(fake, door, tmp_path) as stage:
        kinds = [await stage.people.kind_at_hand(each.direct.id) for each in (ann, bob)]

    assert kinds == ["p2p", "p2p"]


@pytest.mark.parametrize(
    ("domain", "language"),
    [
        ("https://open.feishu.cn", "zh-CN"),
        ("https://open.larksuite.com", "en"),
        ("http://127.0.0.1:8080", "en"),
        ("https://notfeishu.cn", "en"),
    ],
)
def test_people_of_feishu_read_chinese_until_they_say_otherwise(domain: str, language: str) -> None:
    assert usual_language(domain) == language
