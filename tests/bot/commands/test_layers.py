"""/layers: one picture taken apart, from the words to the pictures, and where it cannot be."""

import asyncio
from typing import Any

import pytest

from bot.chat import Quoted, Reply, Tone
from bot.generation.states import State
from bot.i18n import say
from bot.request import Mode
from tests.bot.commands.test_options import ONE, offering, refused, rows
from tests.bot.generation.core import Core, working
from tests.fakes import DONE, FakeNormaliser, Make, Wait, attached, painted

PRICE = 17 * 45_000  # of up to 17 layers, each half of a 2K picture of 5.0 Pro


def taking_apart(core: Core, *providers: str, **more: Any) -> Core:
    return offering(core, *(providers or ("modelark",)), normaliser=FakeNormaliser(width=1024, height=768), **more)


async def asked(core: Core, line: str = "/layers --model 5-pro", **more: Any) -> Reply:
    reply = await core.answer(line, **{"attachments": ONE, **more})
    assert (reply.tone, reply.state) == (Tone.QUESTION, "asked"), reply
    return reply


def fox(index: int) -> Make:
    return Make(index, title="a red fox" if index == 1 else "")


async def apart(core: Core, line: str = "/layers --model 5-pro", *, layers: int = 3, **more: Any) -> Reply:
    """The reply in which it ended, with so many layers."""
    core.provider.scripts.append((*(fox(index) for index in range(layers)), DONE))
    question = await asked(core, line, **more)
    return await core.answer(press=f"go:{question.generation}:0")


async def test_the_price_question_says_how_many_there_may_be(core: Core) -> None:
    core = taking_apart(core)
    async with working(core):
        question = await asked(core)
        in_chinese = await asked(core, "/图层 --模型 5-pro", language="zh-CN", by="li")

    assert str(question.text) == "This makes up to 17 layers, for at most 0.765 USD. Shall I?"
    assert say(in_chinese.text, "zh-CN") == "最多拆出 17 个图层，费用不超过 0.765 USD，要拆吗？"
    assert (await core.load(question.generation)).price == PRICE


async def test_a_picture_is_taken_apart_and_what_came_is_paid(core: Core) -> None:
    core = taking_apart(core)
    async with working(core):
        done = await apart(core, "/layers the fox and the trees --model 5-pro --size 1K", layers=3)
    ((job, _),) = core.provider.asked
    generation = await core.load(done.generation)

    assert (job.layers, job.series, job.images, job.size, job.prompt) == (
        True,
        False,
        17,
        "1K",
        "the fox and the trees",
    )
    assert len(job.references) == 1
    assert str(done.text) == "Layers for bob"
    assert "Made 3 layers; only those were charged." in map(str, done.notes)
    assert not any("of 17" in str(note) for note in done.notes)
    assert (generation.state, len(done.pictures)) == (State.SETTLED, 3)
    assert (await core.spent())["images"] == (3, 0)
    await core.nothing_is_held()


async def test_what_comes_is_changed_but_not_varied(core: Core) -> None:
    core = taking_apart(core)
    async with working(core):
        done = await apart(core)

    assert [button.command for button in done.buttons] == ["again", "edit", "details", "delete"]


async def test_a_layer_is_called_what_the_provider_calls_it(core: Core) -> None:
    core = taking_apart(core)
    async with working(core):
        done = await apart(core)
        told = rows(await core.answer(press=f"details:{done.generation}:0"))

    assert [picture.alt for picture in done.pictures] == ["Layer 1", "a red fox", "Layer 3"]
    assert told["Layers at most"] == "17"
    assert told[f"Picture {done.generation}:1"].startswith("a red fox, 2048×2048, PNG, ")
    assert told[f"Picture {done.generation}:0"].startswith("2048×2048, PNG, ")


async def test_the_words_follow_a_layers_name(core: Core) -> None:
    core = taking_apart(core)
    async with working(core):
        done = await apart(core, "/layers fox and trees --model 5-pro")

    assert [picture.alt for picture in done.pictures] == ["fox and trees", "a red fox: fox and trees", "fox and trees"]


async def test_a_reply_to_a_picture_takes_that_apart(core: Core) -> None:
    core = taking_apart(core)
    async with working(core):
        first = await core.answer("/imagine a fox")
        message = core.adapter.messages[f"{first.generation}:0"]
        done = await apart(core, attachments=(), quoted=Quoted(message_id=message))

    assert (await core.load(done.generation)).parent == first.generation


async def test_layers_without_words_are_listed_by_their_command(core: Core) -> None:
    core = taking_apart(core)
    async with working(core):
        await apart(core)
        history = await core.answer("/history")

    assert [str(value) for _, value in history.rows] == ["/layers (done)"]


@pytest.mark.parametrize(
    ("usual", "model"), [("", "seedream-5-pro"), ("seedream-5.5", "seedream-5.5"), ("seedream-4", "seedream-5-pro")]
)
async def test_the_usual_model_does_it_or_one_that_makes_the_fewest(core: Core, usual: str, model: str) -> None:
    core = taking_apart(core)
    async with working(core):
        if usual:
            await core.answer(f"/settings --model {usual} --optimize fast --format jpeg --ratio 16:9")
        request = (await core.load((await asked(core, "/layers")).generation)).request

    assert (request.mode, request.model, request.size) == (Mode.LAYERS, model, "2K")
    assert (request.optimize, request.format, request.ratio) == ("", "", "")


async def test_the_provider_that_can_is_asked_although_another_comes_first(core: Core) -> None:
    core = taking_apart(core, "apiyi", "modelark")
    async with working(core):
        request = (await core.load((await asked(core)).generation)).request

    assert request.providers == ("modelark",)


@pytest.mark.parametrize("provider", ["apiyi", "apiframe", "novita"])
async def test_where_no_model_can_the_command_does_not_exist(core: Core, provider: str) -> None:
    core = offering(core, provider)
    async with working(core):
        said = await refused(core, "/layers", attachments=ONE)

    assert said == "No command is called /layers. /help lists them all."


@pytest.mark.parametrize(
    ("line", "pictures", "words"),
    [
        ("/layers", 0, "/layers needs a picture: attach it, or reply to one. Write: /layers [prompt] image"),
        ("/layers", 2, "/layers takes one picture."),
        ("/layers --model 4", 1, "seedream-4 takes no picture apart into layers. It would work with seedream-5.5,"),
        ("/layers --size 2048x2048", 1, "Layers come in a size such as 2K, not in exact pixels."),
        ("/layers --count 3", 1, "There is no option --count"),
        ("/layers " + "fox " * 1500, 1, "These words are too long"),
    ],
)
async def test_what_cannot_be_is_said(core: Core, line: str, pictures: int, words: str) -> None:
    core = taking_apart(core)
    given = tuple(attached(painted(str(number))) for number in range(pictures))
    async with working(core):
        assert words in await refused(core, line, attachments=given)


async def test_a_picture_that_is_too_small_is_refused(core: Core) -> None:
    core = offering(core, "modelark", normaliser=FakeNormaliser(width=512, height=511))
    async with working(core):
        said = await refused(core, "/layers", attachments=ONE)

    assert said == "This picture is too small to be taken apart: it has 261,632 pixels and needs 262,144."


async def test_the_picture_becomes_a_png_or_jpeg(core: Core) -> None:
    core = taking_apart(core)
    async with working(core):
        await asked(core)

    assert isinstance(core.normaliser, FakeNormaliser)
    assert [set(each.formats) for each in core.normaliser.asked] == [{"jpeg", "png"}]


async def test_while_it_runs_nobody_is_told_that_seventeen_come(core: Core) -> None:
    core = taking_apart(core)
    go_on = asyncio.Event()
    core.provider.scripts.append((Make(0), Wait(go_on), DONE))
    async with working(core):
        question = await asked(core)
        await core.ask(press=f"go:{question.generation}:0")
        await core.adapter.until(lambda: any(each.pictures for each in core.adapter.replies(question.generation)))
        shown = core.adapter.replies(question.generation)[-1]
        go_on.set()
        await core.delivery.end_of(question.generation)

    assert (shown.tone, str(shown.text)) == (Tone.PROGRESS, "Taking the picture apart…")
