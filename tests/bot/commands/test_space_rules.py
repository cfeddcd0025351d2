"""`/admin space`: words, models, watermarks, reviews, zones, alerts and the digest, as an admin writes them."""

from typing import Any

import pytest

from bot.chat import Place, Reply, Tone
from bot.spaces import NO_RULES, SpaceRules, WordRule
from tests.bot.generation.core import Core

SPACE = "fake/team"
HERE = Place(adapter="fake", data={"room": "7"}, room="7")
NAMED = Place(adapter="fake", data={"room": "marketing"}, room="marketing")  # where a room's id is its name


async def told(core: Core, line: str, **more: Any) -> Reply:
    return await core.answer(line, **{"by": "root", "admin": True, "place": HERE, **more})


async def rules(core: Core, *lines: str) -> SpaceRules:
    for line in lines:
        reply = await told(core, line)
        assert reply.tone is Tone.ANSWER, str(reply.text)
        assert reply.private
    return core.spaces.of(SPACE)


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["/admin space words add refuse gore"], {"words": (WordRule("gore", "refuse"),)}),
        (
            ['/admin space words add review Blood "red light", f*ck'],
            {"words": tuple(WordRule(word, "review") for word in ("blood", "red light", "f*ck"))},
        ),
        (["/admin space words add refuse /n[o0]pe, x+/"], {"words": (WordRule("/n[o0]pe, x+/", "refuse"),)}),
        (
            ["/管理 空间 词语 添加 拒绝 血腥、暴力"],
            {"words": (WordRule("血腥", "refuse"), WordRule("暴力", "refuse"))},
        ),
        (
            ["/admin space words add refuse a b", "/admin space words add allow a", "/admin space words remove b"],
            {"words": (WordRule("a", "allow"),)},
        ),
        (["/admin space words add refuse a b", "/admin space words remove all"], {}),
        (["/admin space models 4.5 seedream-4"], {"models": ("seedream-4.5", "seedream-4")}),
        (["/admin space models 4.5, 4.5"], {"models": ("seedream-4.5",)}),
        (["/admin space models 4.5", "/admin space models all"], {}),
        (["/admin space watermark always"], {"watermark": "always"}),
        (["/admin space watermark Never"], {"watermark": "never"}),
        (["/admin space watermark always", "/admin space watermark default"], {}),
        (["/admin space review #55"], {"review": "55"}),
        (["/admin space review #55 all"], {"review": "55", "review_all": True}),
        (["/admin space review #55 all", "/admin space review #55"], {"review": "55"}),
        (["/admin space review #55 all", "/admin space review off"], {}),
        (["/admin space alerts #56"], {"alerts": "56"}),
        (["/admin space alerts #56", "/admin space alerts off"], {}),
        (["/admin space digest on"], {"digest": "weekly"}),
        (["/admin space digest weekly", "/admin space digest off"], {}),
    ],
)
async def test_a_rule_is_changed(running: Core, lines: list[str], expected: dict[str, Any]) -> None:
    assert await rules(running, *lines) == SpaceRules(**expected)


@pytest.mark.parametrize("written", ["Asia/Shanghai", "asia/shanghai", "ＡＳＩＡ/Shanghai"])
async def test_a_zone_is_taken_with_the_moment_since_when_it_holds(running: Core, written: str) -> None:
    found = await rules(running, f"/admin space zone {written}")

    assert (found.zone, found.zones) == ("Asia/Shanghai", (("Asia/Shanghai", running.at),))


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ("/admin space words add", "words add"),
        ("/admin space words add gore", "refuse, review, allow"),
        ("/admin space words add refuse", "words add refuse"),
        ("/admin space words gore", "words add refuse"),
        ("/admin space words remove gore", "in no list"),
        ("/admin space words add refuse /(/", "pattern"),
        ("/admin space words add refuse /x*/", "everything"),
        ("/admin space models seedream-99", "seedream-99"),
        ("/admin space watermark perhaps", "always, never, default"),
        ("/admin space review", ""),
        ("/admin space review nonsense", "#name"),
        ("/admin space review #5 some", "all, words"),
        ("/admin space alerts nonsense", "#name"),
        ("/admin space digest perhaps", "on, off"),
        ("/admin space zone Asia/Shangai", "Asia/Shanghai"),
        ("/admin space zone Shanghai", "Asia/Shanghai"),
        ("/admin space zone tokio", "Asia/Tokyo"),
        ("/admin space zone 上海", "上海"),
        ("/admin space zone ../../etc/passwd", "time zone"),
    ],
)
async def test_what_does_not_fit_is_said_and_changes_nothing(running: Core, line: str, word: str) -> None:
    reply = await told(running, line)

    assert word in str(reply.text)
    assert running.spaces.of(SPACE) == NO_RULES
    assert [each for each in await running.spaces.audit(SPACE, 10) if each.what.startswith("space ")] == []


@pytest.mark.parametrize("rule", ["review", "alerts", "log", "channels", "channels add"])
async def test_a_channel_that_is_not_there_is_refused_where_the_platform_tells_which_are(
    running: Core, rule: str
) -> None:
    known = {"rooms": ("design-team", "marketing"), "place": NAMED}
    reply = await told(running, f"/admin space {rule} #studio", **known)

    assert str(reply.text) == "There is no channel “studio” here. There are: #design-team, #marketing."
    assert running.spaces.of(SPACE) == NO_RULES
    await told(running, f"/admin space {rule} #marketing", **known)
    assert "marketing" in str(running.spaces.of(SPACE))


async def test_a_channel_that_is_gone_can_be_taken_out(running: Core) -> None:
    await told(running, "/admin space channels add #studio", place=NAMED)
    assert running.spaces.of(SPACE).rooms == ("studio",)
    await told(running, "/admin space channels remove #studio", place=NAMED, rooms=("design-team",))

    assert running.spaces.of(SPACE) == NO_RULES


async def test_a_word_that_is_nearly_in_the_list_is_named(running: Core) -> None:
    await rules(running, "/admin space words add refuse violence")

    assert "violence" in str((await told(running, "/admin space words remove violense")).text)


async def test_every_new_rule_is_shown(running: Core) -> None:
    await rules(
        running,
        "/admin space words add refuse gore",
        '/admin space words add allow "al gore"',
        "/admin space models 4.5",
        "/admin space watermark always",
        "/admin space review #55 all",
        "/admin space alerts #56",
        "/admin space digest on",
        "/admin space zone Asia/Shanghai",
    )
    shown = {str(label): str(value) for label, value in (await told(running, "/admin")).rows}

    assert shown["Words"] == "refuse: gore; allow: al gore"
    assert (shown["Models that may be used"], shown["Watermark"]) == ("seedream-4.5", "always")
    assert (shown["Review channel"], shown["What is reviewed"]) == ("<#55>", "every result")
    assert (shown["Alerts channel"], shown["Weekly digest"], shown["Time zone"]) == ("<#56>", "on", "Asia/Shanghai")


async def test_the_audit_says_which_words_came_and_went(running: Core) -> None:
    await rules(running, "/admin space words add refuse gore blood", "/admin space words add allow blood")
    reply = await told(running, "/admin audit")

    assert [str(value) for _, value in reply.rows] == [
        "root: Words, from refuse: blood to allow: blood",
        "root: Words, from none to refuse: gore, blood",
    ]


async def test_others_change_none_of_it(running: Core) -> None:
    for line in ("/admin space words add refuse gore", "/admin space review #5 all", "/admin space zone UTC"):
        assert (await running.answer(line, by="eve")).tone is Tone.REFUSAL

    assert running.spaces.of(SPACE) == NO_RULES


async def test_a_platforms_own_options_change_it_as_well(running: Core) -> None:
    values = {"area": "space", "rule": "review", "value": "all", "channel": "42"}
    await told(running, command="admin", values=values, line="")

    assert (running.spaces.of(SPACE).review, running.spaces.of(SPACE).review_all) == ("42", True)


@pytest.mark.parametrize("order", ["role #studio team Design", "role #studio tier pro", "tier give pro #studio"])
async def test_a_role_of_a_channel_that_is_not_there_is_refused(running: Core, order: str) -> None:
    for line in ("team create Design", "tier create pro"):
        await told(running, f"/admin {line}")
    known = {"rooms": ("design-team", "marketing"), "place": NAMED}
    reply = await told(running, f"/admin {order}", **known)

    assert str(reply.text) == "There is no channel “studio” here. There are: #design-team, #marketing."
    reply = await told(running, f"/admin {order.replace('studio', 'marketing')}", **known)
    assert "marketing" in str(reply.text)
    reply = await told(running, "/admin role #studio off", **known)
    assert str(reply.text) == "It is so already."
