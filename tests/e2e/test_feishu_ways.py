"""Every way in which people ask on Feishu, of the bot as it is started, and what they are told where it cannot be."""

import pytest

from tests.e2e.feishu_bot import Bot, by_bot, drawn
from tests.fakes import painted
from tests.simulators.feishu.scopes import GROUP_MESSAGES

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="module")]

FOX, CAT = painted("fox", 640, 480), painted("cat", 480, 640)


async def test_commands_in_words_draw_in_both_languages(feishu: Bot) -> None:
    ann, li = feishu.fake.person("Ann"), feishu.fake.person("李雷")
    heron = await drawn(feishu, ann, "/imagine a heron at a lake --ratio 16:9")
    fox = await drawn(feishu, li, "/画 雪中的红狐狸 --尺寸 1280x720")

    assert {*heron.labels} == {"Again", "Vary", "Edit", "4K", "Details", "Delete"}
    assert "Drawn for Ann" in heron.text
    assert "2848×1600" in heron.text
    assert "1280×720" in fox.text
    assert len(by_bot(feishu.fake, ann)) == len(by_bot(feishu.fake, li)) == 1
    assert {"imagine", "quota"} <= {one["command"] for one in feishu.fake.commands}


async def test_in_a_group_a_mention_asks_and_nothing_else_does(feishu: Bot) -> None:
    fake = feishu.fake
    ann, ben = fake.person("Ann"), fake.person("Ben")
    team = fake.group("Studio", ann, ben)
    fake.scopes.add(GROUP_MESSAGES)
    await ann.says("nobody asked for a walrus", to=team)
    await ann.says("{all} lunch is ready in the kitchen", to=team)
    asked = await ann.says("{bot} a portrait of {Ben} in oil", to=team, mentions=[ben])
    portrait = await feishu.says(team, "a portrait of @Ben in oil", pictures=1)
    fake.scopes.discard(GROUP_MESSAGES)
    boats = await drawn(feishu, ben, "/imagine two boats --size 1280x720", to=team)

    assert portrait.reply_to is asked
    assert by_bot(fake, team) == [portrait, boats]


async def test_a_post_with_a_picture_and_words_changes_the_picture(feishu: Bot) -> None:
    fake = feishu.fake
    ann = fake.person("Ann")
    team = fake.group("Studio", ann)
    await ann.posts("{bot} give it a red hat", CAT, to=team)
    hat = await feishu.says(team, "give it a red hat", pictures=1)
    await ann.posts(FOX, CAT, "both of them at a table", title="A picnic")
    both = await feishu.says(ann, "both of them at a table", pictures=1)
    await ann.presses(both, "Details")
    details = await feishu.says(ann, "Details of")

    assert "Edited for Ann" in hat.text
    assert "A picnic" in both.text
    assert "Pictures given\n2" in details.text


async def test_pictures_that_come_alone_wait_for_their_words_over_a_kill(feishu: Bot) -> None:
    ann = feishu.fake.person("Ann")
    await ann.sends_picture(FOX)
    await ann.sends_file(CAT, "cat.png")
    await feishu.says(ann, "What shall I do with")
    await feishu.restart()
    await ann.says("/help")
    await feishu.says(ann, "/imagine")
    await ann.says("let them dance together")
    danced = await feishu.says(ann, "let them dance together", pictures=1)
    await ann.presses(danced, "Details")
    details = await feishu.says(ann, "Details of")
    await drawn(feishu, ann, "a lonely lighthouse at dusk", says="Drawn for Ann")

    assert "Pictures given\n2" in details.text


async def test_a_reply_to_a_picture_of_the_bot_needs_no_scope(feishu: Bot) -> None:
    fake = feishu.fake
    ann, ben = fake.person("Ann"), fake.person("Ben")
    team = fake.group("Studio", ann, ben)
    heron = await drawn(feishu, ann, "a heron at a lake", to=team)
    asked = await ben.says("{bot} make it a winter night", to=team, reply_to=heron)
    night = await feishu.says(team, "make it a winter night", pictures=1)

    assert night.reply_to is asked
    assert "Edited for Ben, from" in night.text
    assert not [one for one in fake.called("im.message.get") if heron.id in one.path]


async def test_a_reply_to_somebodys_picture_is_taken_where_the_scope_allows_and_else_says_how(feishu: Bot) -> None:
    fake = feishu.fake
    ann, ben = fake.person("Ann"), fake.person("Ben")
    team = fake.group("Studio", ann, ben)
    theirs = await ann.sends_picture(CAT, to=team)
    await ben.says("{bot} give it green boots", to=team, reply_to=theirs)
    refused = await feishu.says(ben, "im:message.group_msg")
    fake.scopes.add(GROUP_MESSAGES)
    await ben.says("{bot} give it yellow boots", to=team, reply_to=theirs)
    boots = await feishu.says(team, "give it yellow boots", pictures=1)
    fake.scopes.discard(GROUP_MESSAGES)
    mine = await ben.sends_picture(FOX)
    await ben.says("give it a blue scarf", reply_to=mine)
    scarf = await feishu.says(ben, "give it a blue scarf", pictures=1)

    assert by_bot(fake, team) == [boots]
    assert refused.chat.p2p
    assert "Edited for Ben" in boots.text
    assert "Edited for Ben" in scarf.text


async def test_what_is_replied_to_and_cannot_be_taken_is_told_in_words(feishu: Bot) -> None:
    fake = feishu.fake
    ann, ben = fake.person("Ann"), fake.person("Ben")
    team = fake.group("Studio", ann, ben)
    fake.scopes.add(GROUP_MESSAGES)
    recalled = await ann.sends_picture(CAT, to=team)
    forwarded = await ann.forwards(recalled, to=team)
    fake.connections.freeze()
    await ben.says("{bot} give it a red nose", to=team, reply_to=recalled, wait=False)
    await ann.recalls(recalled, wait=False)
    fake.connections.thaw()
    gone = await feishu.says(ben, "no longer there")
    await ben.says("{bot} give it a long tail", to=team, reply_to=forwarded)
    unread = await feishu.says(ben, "forwarded messages")
    fake.scopes.discard(GROUP_MESSAGES)
    await ben.sends_file(b"words", "notes.txt")
    taken = await feishu.says(ben, "I take words, pictures, and both")

    assert by_bot(fake, team) == []
    assert gone is not unread is not taken


async def test_the_menu_asks_without_a_word(feishu: Bot) -> None:
    ann = feishu.fake.person("Ann")
    await drawn(feishu, ann, "a heron at a lake")
    for key, words, pictures in (("quota", "left today", 0), ("help", "/imagine", 0), ("history", "Your last", 1)):
        await ann.taps_menu(key)
        answer = await feishu.says(ann, words, pictures=pictures)

        assert answer.chat is ann.direct
        assert answer.reply_to is None


async def test_topics_are_answered_in_themselves(feishu: Bot) -> None:
    fake = feishu.fake
    ann, ben = fake.person("Ann"), fake.person("Ben")
    forum = fake.group("Ideas", ann, ben, topics=True)
    head = await ann.says("What shall the poster show?", to=forum)
    await ben.says("{bot} a lighthouse in a storm", to=forum, reply_to=head)
    lighthouse = await feishu.says(forum, "a lighthouse in a storm", pictures=1)
    await ann.says("{bot} a heron at a lake", to=forum)
    heron = await feishu.says(forum, "a heron at a lake", pictures=1)

    assert "Drawn for Ben" in lighthouse.text
    assert lighthouse.thread == head.thread != ""
    assert heron.in_thread
    assert heron.thread != head.thread


async def test_what_is_for_one_person_comes_to_that_person(feishu: Bot) -> None:
    fake = feishu.fake
    ann = fake.person("Ann")
    team = fake.group("Studio", ann)
    await ann.says("{bot} /quota", to=team)
    await feishu.says(ann, "left today")
    await ann.says("{bot} /imagine a secret garden --private yes", to=team)
    garden = await feishu.says(ann, "a secret garden", pictures=1)
    await ann.says("{bot} /imagine a heron --ratio 99:1", to=team)
    await feishu.says(ann, "99:1 is not a ratio here")
    again = await ann.presses(garden, "Again")
    await feishu.until(lambda: len([one for one in by_bot(fake, ann) if one.pictures]) == 2, "the second garden")

    assert by_bot(fake, team) == []
    assert again is not None


async def test_somebody_for_whom_the_app_is_not_meant_hears_so_in_the_group(feishu: Bot) -> None:
    fake = feishu.fake
    eve = fake.person("Eve", in_range=False, reachable=False)
    team = fake.group("Studio", eve)
    heron = await drawn(feishu, eve, "a heron at a lake", to=team)
    await eve.says("{bot} /quota", to=team)
    word = await feishu.says(team, "an answer for you alone")

    assert "Drawn for Eve" in heron.text  # named among the members of the group
    assert "left" not in word.text
    assert by_bot(fake, eve) == []


async def test_too_many_words_are_refused_in_the_language_of_who_wrote_them(feishu: Bot) -> None:
    ann = feishu.fake.person("Ann")
    await ann.says("a very long tale " * 2_400)
    english = await feishu.says(ann, "at most 4000")
    await ann.says("/settings --language zh-CN")
    await feishu.says(ann, "简体中文")
    await ann.says("一个很长的故事" * 2_000)
    chinese = await feishu.says(ann, "14000")

    assert "40799 characters" in english.text
    assert "characters" not in chinese.text


async def test_everybody_is_answered_in_their_own_language(feishu: Bot) -> None:
    fake = feishu.fake
    ann, li = fake.person("Ann"), fake.person("李雷")
    team = fake.group("设计组", ann, li)
    await li.says("/settings --language zh-CN")
    await feishu.says(li, "简体中文")
    fox = await drawn(feishu, li, "雪中的红狐狸", to=team)
    pressed = await feishu.toast(ann, fox, "详情")
    details = await feishu.says(ann, "Made by")
    await li.says("/imagine 狐狸 --ratio 99:1")
    refused = await feishu.says(li, "99:1")

    assert {*fox.labels} >= {"再来一张", "详情", "删除"}
    assert "李雷" in fox.text
    assert pressed
    assert details.chat is ann.direct
    assert "ratio" not in refused.text


async def test_whoever_takes_the_bot_into_a_group_is_welcomed_there(feishu: Bot) -> None:
    fake = feishu.fake
    ann = fake.person("Ann")
    fake.subscribed.add("im.chat.member.bot.added_v1")
    team = fake.group("Studio", ann)
    fake.push_unknown()
    welcome = await feishu.says(team, "Three steps")
    fake.subscribed.discard("im.chat.member.bot.added_v1")

    assert by_bot(fake, team) == [welcome]
    assert {one.code for one in fake.acks} == {200}
