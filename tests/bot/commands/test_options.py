"""What a model has becomes an option; who serves a request is chosen by it; who cannot is told who could."""

import re
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from bot.chat import Attachment, Reply, Tone
from bot.clock import micros
from bot.command import Command
from bot.generation import health
from bot.generation.accepting import Accepted
from bot.generation.record import Generation
from bot.i18n import say
from bot.storage.connection import Connection
from tests.bot.commands.test_refusals import check_refused
from tests.bot.generation.core import Core, working
from tests.fakes import FakeNormaliser, FakeProvider, attached, painted

ONE: tuple[Attachment, ...] = (attached(painted("one")),)


def offering(core: Core, *providers: str, **more: Any) -> Core:
    """The core with these providers, the first one preferred."""
    first, *others = (FakeProvider(name=name) for name in providers)
    return Core(database=core.database, folder=core.folder, provider=first, others=tuple(others), **more)


async def drawn(core: Core, line: str, **more: Any) -> Generation:
    """What an asking came to, with its price question answered."""
    reply = await core.answer(line, **more)
    if reply.state == "asked":
        reply = await core.answer(press=f"go:{reply.generation}:0")
    assert reply.state == "settled", reply
    return await core.load(reply.generation)


async def refused(core: Core, line: str, **given: Any) -> str:
    reply = await check_refused(core, line, given, ())
    return str(reply.text)


def names(command: Command) -> set[str]:
    return {each.name for each in command.options}


# --- from the words to the provider


@pytest.mark.parametrize(
    ("provider", "line", "wanted"),
    [
        ("modelark", "/imagine a fox --model 4 --optimize fast", {"optimize": "fast"}),
        ("modelark", "/imagine a fox --model 5.5 --background auto", {"background": "auto", "format": ""}),
        ("modelark", "/imagine a fox --model 5.5 --background transparent",
         {"background": "transparent", "format": "png"}),
        ("modelark", "/imagine a fox --model 5-lite --search --format png", {"search": True, "format": "png"}),
        ("modelark", "/画 狐狸 --模型 5-lite --联网", {"search": True, "prompt": "狐狸"}),
        ("modelark", "/画 狐狸 --模型 5.5 --背景 transparent", {"background": "transparent"}),
        ("modelark", "/画 狐狸 --模型 4 --优化 fast", {"optimize": "fast"}),
        ("apiframe", "/imagine a fox --model 4 --optimize off", {"optimize": "off"}),
        ("apiframe", "/imagine a fox --model 3 --seed 7", {"seed": 7}),
        ("apiframe", "/imagine a fox --model 3 --seed 0", {"seed": 0}),
        ("apiframe", "/画 狐狸 --模型 3 --种子 ７ --引导强度 ２．５", {"seed": 7, "guidance": 2.5}),
        ("modelark", "/imagine a fox",
         {"optimize": "", "background": "", "search": False, "seed": None, "guidance": None}),
    ],
)  # fmt: skip
async def test_an_option_reaches_the_provider(core: Core, provider: str, line: str, wanted: dict[str, Any]) -> None:
    core = offering(core, provider)
    async with working(core):
        request = (await drawn(core, line)).request
    (job, _), *_ = core.provider.asked

    assert {name: getattr(request, name) for name in wanted} == wanted
    assert {name: getattr(job, name) for name in wanted} == wanted


async def test_the_options_of_a_picture_stay_when_it_is_changed_but_not_its_seed(core: Core) -> None:
    core = offering(core, "modelark")
    async with working(core):
        first = await drawn(core, "/imagine a fox --model 5.5 --background transparent --size 1K")
        changed = await drawn(core, press=f"vary:{first.id}:0", line="")

    assert (changed.request.background, changed.request.format) == ("transparent", "png")


async def test_a_picture_of_a_model_that_takes_none_is_changed_by_the_usual_one(core: Core) -> None:
    core = offering(core, "apiframe")
    async with working(core):
        first = await drawn(core, "/imagine a fox --model 3 --seed 7 --guidance 2.5")
        changed = await drawn(core, press=f"vary:{first.id}:0", line="")

    assert (changed.request.model, changed.request.seed, changed.request.guidance) == ("seedream-4.5", None, None)
    assert changed.parent == first.id


async def test_a_usual_optimisation_gives_way_where_the_model_has_it_not(core: Core) -> None:
    core = offering(core, "modelark")
    async with working(core):
        await core.answer("/settings --optimize fast")
        with_it = await drawn(core, "/imagine a fox --model 4")
        without = await drawn(core, "/imagine a fox")

    assert (with_it.request.optimize, without.request.optimize) == ("fast", "")


# --- what does not exist here


@pytest.mark.parametrize(
    ("provider", "hidden"),
    [
        ("modelark", {"seed", "guidance"}),
        ("apiframe", {"background", "search"}),
        ("novita", {"format", "optimize", "background", "search", "seed", "guidance"}),
    ],
)
def test_an_option_that_no_model_here_has_does_not_exist(core: Core, provider: str, hidden: set[str]) -> None:
    table = offering(core, provider).table
    every = {"format", "optimize", "background", "search", "seed", "guidance"}

    for name in ("imagine", "edit", "blend", "series"):
        assert names(table.find(name)) & every == every - hidden
    settings = names(table.find("settings"))
    assert settings & {"format", "optimize"} == {"format", "optimize"} - hidden


async def test_a_hidden_option_is_in_no_help_and_no_grammar(core: Core) -> None:
    core = offering(core, "modelark")
    async with working(core):
        told = await core.answer("/help imagine")
        said = await refused(core, "/imagine a fox --guidance 2")

    assert "guidance" not in " ".join([*map(str, told.notes), *(str(label) for label, _ in told.rows)])
    assert "There is no option --guidance" in said


@pytest.mark.parametrize(
    ("provider", "prompt", "seed"), [("apiframe", "a fox", 7), ("modelark", "a fox --seed 7", None)]
)
async def test_a_hidden_option_is_words_where_no_command_is_written(
    core: Core, provider: str, prompt: str, seed: int | None
) -> None:
    core = offering(core, provider)
    async with working(core):
        await core.answer("/settings --model seedream-3" if seed else "/settings")
        request = (await drawn(core, "a fox --seed 7")).request

    assert (request.prompt, request.seed) == (prompt, seed)


async def test_settings_of_a_hidden_option_are_not_listed(core: Core) -> None:
    core = offering(core, "novita")
    async with working(core):
        told = await core.answer("/settings")

    assert [str(label) for label, _ in told.rows] == [
        "model", "size", "ratio", "language", "watermark", "private",
    ]  # fmt: skip


def test_the_bounds_of_guidance_hold_those_of_every_model(core: Core) -> None:
    core = offering(core, "apiframe")
    declared = core.table.find("imagine").option("guidance")

    assert declared is not None
    for model in core.router.models():
        assert all(declared.low <= bound <= declared.high for bound in model.guidance)


# --- refusals that say who could


@pytest.mark.parametrize(
    ("provider", "line", "words"),
    [
        ("modelark", "/series a day --count 3 --model 5-pro",
         "seedream-5-pro draws no series. It would work with seedream-4.5, seedream-5-lite, seedream-4."),
        ("modelark", "/series a day --count 3 --model 5-pro --size 1.5K",
         "seedream-5-pro draws no series."
         " It would work with seedream-4.5 (2K), seedream-5-lite (2K), seedream-4 (2K)."),
        ("modelark", "/imagine a fox --search",
         "seedream-4.5 cannot search the web. It would work with seedream-5-lite."),
        ("modelark", "/imagine a fox --optimize fast",
         "optimize can be standard with seedream-4.5, not fast. It would work with seedream-5-pro, seedream-4."),
        ("modelark", "/imagine a fox --background auto",
         "seedream-4.5 has no background to choose. It would work with seedream-5.5."),
        ("modelark", "/imagine a fox --background transparent --model 5-pro",
         "seedream-5-pro can only keep a transparent background: give it one picture that has one."
         " It would work with seedream-5.5."),
        ("modelark", "/imagine a fox --background transparent --format jpeg --model 5.5",
         "A transparent background needs the format png."),
        ("modelark", "/imagine a fox --model 5.5 --size 4K",
         "4K is not a size here: seedream-5.5 takes 1K, 1.5K, 2K, or WxH from 921,600 to 4,194,304 pixels."
         " It would work with seedream-4.5, seedream-5-lite, seedream-4."),
        ("modelark", "/imagine a fox --size huge",
         "huge is not a size here: seedream-4.5 takes 2K, 4K, or WxH from 3,686,400 to 16,777,216 pixels."),
        ("apiframe", "/imagine a fox --seed 7",
         "seedream-4.5 takes no seed. It would work with seedream-3.1, seedream-3."),
        ("apiframe", "/imagine a fox --size 2K --guidance 3",
         "seedream-4.5 takes no guidance. It would work with seedream-3.1 (1K), seedream-3 (1K)."),
        ("apiframe", "/imagine a fox --model 3 --guidance 0.5", "guidance takes a number from 1 to 10, not “0.5”."),
        ("apiframe", "/imagine a fox --model 3 --seed -1", "seed takes a whole number from 0 to 2147483647, not “-1”."),
        ("modelark", "/imagine a fox --ratio match",
         "The ratio match is that of a picture that you give: attach one, or reply to one."),
    ],
)  # fmt: skip
async def test_a_refusal_says_which_model_would_do(core: Core, provider: str, line: str, words: str) -> None:
    core = offering(core, provider)
    async with working(core):
        assert await refused(core, line) == words


async def test_only_models_that_the_space_allows_are_named_instead(core: Core) -> None:
    core = offering(core, "modelark")
    root = await core.person("root", admin=True)
    allowed = ("seedream-4.5", "seedream-5-pro")
    await core.spaces.change(root.space, lambda rules: replace(rules, models=allowed), by=root, at=core.at)
    async with working(core):
        assert await refused(core, "/imagine a fox --search") == "seedream-4.5 cannot search the web."
        said = await refused(core, "/series a day --count 3 --model 5-pro")
        assert said == "seedream-5-pro draws no series. It would work with seedream-4.5."
        foreseen = core.dispatcher.check(core.invocation("/series a day --count 3 --model 5-pro"))
        assert foreseen
        assert str(foreseen.text) == said


@pytest.mark.parametrize(
    ("line", "pictures", "words"),
    [
        ("/layers --model 5-pro --size 1000x1000", ONE,
         "Layers come in a size such as 2K, not in exact pixels."),
        ("/imagine a fox --background transparent --model 5-flash", (),
         "seedream-5-flash can only keep a transparent background: give it one picture that has one."
         " It would work with seedream-5.5."),
        ("/series a day --count 15 --model 4", ONE,
         "Pictures given and pictures wanted may be 15 together at most; here they are 1 and 15."),
    ],
)  # fmt: skip
async def test_the_reason_is_that_of_a_provider_that_has_such_a_thing(
    core: Core, line: str, pictures: tuple[Attachment, ...], words: str
) -> None:
    core = offering(core, "apiframe", "apiyi", "modelark")
    async with working(core):
        assert await refused(core, line, attachments=pictures) == words


async def test_a_picture_that_does_not_shine_through_is_refused_where_one_has_to(core: Core) -> None:
    core = offering(core, "modelark")
    async with working(core):
        said = await refused(core, "/edit cut it out --model 5-pro --background transparent", attachments=ONE)

    assert "It would work with seedream-5.5." in said


async def test_a_picture_that_shines_through_may_keep_its_background(core: Core) -> None:
    core = offering(core, "modelark", normaliser=FakeNormaliser(alpha=True))
    async with working(core):
        line = "/edit a hat --model 5-pro --background transparent"
        request = (await drawn(core, line, attachments=ONE)).request

    assert [each.alpha for each in request.references] == [True]


async def test_a_refusal_with_a_way_out_reads_well_in_chinese(core: Core) -> None:
    core = offering(core, "modelark")
    async with working(core):
        reply = await core.answer("/组图 海港的一天 --数量 3 --模型 5-pro", language="zh-CN")

    assert (
        say(reply.text, "zh-CN") == "seedream-5-pro 不支持组图。换成 seedream-4.5、seedream-5-lite、seedream-4 就可以。"
    )


# --- who serves it


async def held(core: Core, line: str, **more: Any) -> tuple[tuple[str, ...], int]:
    """Who may serve an accepted request, and what is held for it, while the line stands still."""
    async with core.delivery, core.dispatcher:
        accepted = await core.ask(line, **more)
        assert isinstance(accepted, Accepted), accepted
        generation = await core.load(accepted.generation)
        _, usd = (await core.spent())["usd"]
    assert usd == generation.price
    return generation.request.providers, usd


@pytest.mark.parametrize(
    ("line", "providers", "usd"),
    [
        # APIYI takes 120,000 whatever the size, ModelArk 90,000 for this one.
        ("/imagine a fox --model 5-pro --ratio 1:1", ("modelark", "apiyi"), 120_000),
        ("/imagine a fox --model 5-pro --ratio 1:1 --size 1K", ("modelark", "apiyi"), 120_000),
        # 2816x1584 has more pixels than APIYI takes.
        ("/imagine a fox --model 5-pro --ratio 16:9", ("modelark",), 90_000),
        ("/imagine a fox --model 4 --optimize fast", ("modelark", "apiyi"), 30_000),
        ("/imagine a fox --model 5-lite --size 4K", ("modelark",), 35_000),
    ],
)
async def test_whoever_can_serve_it_may_and_the_dearest_is_held(
    core: Core, line: str, providers: tuple[str, ...], usd: int
) -> None:
    assert await held(offering(core, "modelark", "apiyi"), line) == (providers, usd)


async def test_the_first_that_can_serve_it_is_preferred_whatever_the_order(core: Core) -> None:
    providers, _ = await held(offering(core, "apiyi", "modelark"), "/imagine a fox --model 5-lite --size 4K")

    assert providers == ("modelark",)


async def test_more_pictures_than_one_provider_looks_at_go_to_the_other(core: Core) -> None:
    pictures = tuple(attached(painted(str(number))) for number in range(11))
    core = offering(core, "apiyi", "modelark")
    providers, _ = await held(core, "/blend all", attachments=pictures)

    assert providers == ("modelark",)
    assert isinstance(core.normaliser, FakeNormaliser)
    assert {each.max_bytes for each in core.normaliser.asked} == {10_000_000}


async def test_again_goes_to_those_who_serve_it_now(core: Core) -> None:
    before = offering(core, "modelark")
    async with working(before):
        first = await drawn(before, "/imagine a fox --ratio 1:1")
    now = offering(core, "novita", "modelark", numbers=before.numbers)
    async with working(now):
        second = await drawn(now, f"/again {first.id}")

    assert first.request.providers == ("modelark",)
    assert second.request.providers == ("novita", "modelark")


async def test_again_is_refused_with_the_reason_where_nobody_serves_it_now(core: Core) -> None:
    before = offering(core, "modelark")
    async with working(before):
        first = await drawn(before, "/imagine a fox --model 5-lite --search")
    now = offering(core, "novita", numbers=before.numbers)
    async with working(now):
        reply = await now.answer(f"/again {first.id}")

    assert (reply.tone, str(reply.text)) == (Tone.REFUSAL, "seedream-5-lite cannot search the web.")
    assert now.provider.asked == []


# --- as the picture


@pytest.mark.parametrize(
    ("sides", "line", "size"),
    [
        ((3000, 2000), "/edit night --ratio match", "2496x1664"),
        ((1000, 1000), "/改图 夜晚 --比例 参考图", "2048x2048"),
        ((1000, 1250), "/edit night --ratio MATCH --size 4K", "3663x4579"),
        ((6000, 375), "/edit night --ratio match", "8192x512"),
    ],
)
async def test_match_takes_the_shape_of_the_picture(core: Core, sides: tuple[int, int], line: str, size: str) -> None:
    core = offering(core, "modelark", normaliser=FakeNormaliser(width=sides[0], height=sides[1]))
    async with working(core):
        request = (await drawn(core, line, attachments=ONE)).request
    ((job, _),) = core.provider.asked

    assert (request.ratio, request.size) == ("match", size)
    assert (job.ratio, job.size) == ("match", size)


async def test_match_and_an_exact_size_contradict_each_other(core: Core) -> None:
    core = offering(core, "modelark")
    async with working(core):
        said = await refused(core, "/edit night --ratio match --size 2048x2048", attachments=ONE)

    assert said == "Give an exact size or the ratio match, not both."


# --- advice


def notes(reply: Reply) -> str:
    return "\n".join(map(str, reply.notes))


@pytest.mark.parametrize(
    ("prompt", "advised"),
    [
        ("fox " * 600, False),
        ("fox " * 601, True),
        ("狐" * 300, False),
        ("狐" * 301, True),
        ("狐，" * 300, False),
        ("狐" * 200 + " fox" * 300, True),
    ],
)
async def test_many_words_are_advised_against_and_taken(running: Core, prompt: str, advised: bool) -> None:
    reply = await running.answer(f"/imagine {prompt.strip()}")

    assert reply.state == "settled"
    assert ("many words" in notes(reply)) == advised


# --- what is told of it


def rows(reply: Reply) -> dict[str, str]:
    return {str(label): str(value) for label, value in reply.rows}


async def test_details_tell_the_provider_and_the_options(core: Core) -> None:
    core = offering(core, "apiframe")
    async with working(core):
        drawn_so = await drawn(core, "/imagine a fox --model 3 --seed 7 --guidance 2.5")
        told = rows(await core.answer(press=f"details:{drawn_so.id}:0"))

    assert (told["Provider"], told["Seed"], told["Guidance"]) == ("Apiframe", "7", "2.5")
    assert {"Background", "Search on the web", "Prompt optimisation"} & set(told) == set()


async def test_details_tell_of_search_and_background(core: Core) -> None:
    core = offering(core, "modelark")
    async with working(core):
        searched = await drawn(core, "/imagine a fox --model 5-lite --search")
        clear = await drawn(core, "/imagine a fox --model 5.5 --background transparent")
        of_searched = rows(await core.answer(press=f"details:{searched.id}:0"))
        of_clear = rows(await core.answer(press=f"details:{clear.id}:0"))

    assert of_searched["Search on the web"] == "yes"
    assert (of_clear["Background"], of_clear["Format"]) == ("transparent", "png")


async def test_models_tell_what_each_can_and_who_offers_it(core: Core) -> None:
    core = offering(core, "modelark", "apiframe")
    async with working(core):
        reply = await core.answer("/models")
    told = rows(reply)

    assert str(reply.text) == "Models of BytePlus ModelArk, Apiframe; yours is seedream-4.5."
    assert told["seedream-4.5"] == (
        "2K, 4K; takes up to 14 pictures; series up to 15; from 0.04 USD a picture; by BytePlus ModelArk, Apiframe"
    )
    assert told["seedream-5-pro"].endswith(
        "also layers, a transparent background, optimisation standard/fast; by BytePlus ModelArk, Apiframe"
    )
    assert told["seedream-3"] == (
        "1K; words only; no series; from 0.03 USD a picture; also a seed, guidance; by Apiframe"
    )


def tire(connection: Connection) -> None:
    """APIYI fails three times in a row."""
    now = micros(datetime.now(UTC))
    for _ in range(3):
        health.failed(connection, "apiyi", "misconfigured", now, now)


@pytest.mark.parametrize(
    ("admin", "pattern"),
    [
        (False, r"APIYI is paused until 20\d\d-\d\d-\d\d \d\d:\d\d UTC\."),
        (True, r"APIYI is left alone until 20\d\d-\d\d-\d\d \d\d:\d\d UTC: its key, account or model does not work\."),
    ],
)
async def test_a_provider_that_is_left_alone_is_said_so(core: Core, admin: bool, pattern: str) -> None:
    core = offering(core, "modelark", "apiyi")
    async with working(core):
        await core.database.transaction(tire)
        (note,) = (await core.answer("/models", by="root", admin=admin)).notes

    assert re.fullmatch(pattern, str(note))
