"""The text grammar: every way in which people type a command, and that their words come through unchanged."""

from contextlib import suppress
from dataclasses import dataclass

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from bot import grammar
from bot.command import Command, CommandTable, Kind, option
from bot.errors import UsageError
from bot.i18n import text


@dataclass(frozen=True, slots=True, kw_only=True)
class Imagine:
    prompt: str = option(Kind.WORDS, text("What to draw"))
    model: str | None = option(Kind.CHOICE, text("The model"), default=None)
    size: str | None = option(Kind.WORDS, text("How large"), default=None, suggestions=("2K", "4K"))
    ratio: str | None = option(Kind.CHOICE, text("The shape"), default=None, choices=("1:1", "16:9"))
    count: int | None = option(Kind.INTEGER, text("How many"), default=None, low=1, high=4)
    images: tuple[object, ...] = option(Kind.IMAGES, text("Pictures"), high=10)
    private: bool = option(Kind.SWITCH, text("Only for me"), default=False)
    watermark: bool | None = option(Kind.SWITCH, text("A mark"), default=None)
    guidance: float | None = option(Kind.NUMBER, text("How closely"), default=None, low=1, high=10)
    search: bool = option(Kind.SWITCH, text("On the web"), default=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Vary:
    id: str = option(Kind.ID, text("Which"))
    prompt: str | None = option(Kind.WORDS, text("What to change"), default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Show:
    id: str = option(Kind.ID, text("Which"))


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    count: int | None = option(Kind.INTEGER, text("How many"), default=None, low=1, high=50)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    model: str | None = option(Kind.CHOICE, text("The model"), default=None)
    size: str | None = option(Kind.CHOICE, text("How large"), default=None)
    watermark: bool | None = option(Kind.SWITCH, text("A mark"), default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Say:
    words: str = option(Kind.WORDS, text("What to say"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Quota:
    pass


async def handle(request: object, context: object) -> None:
    """The commands here are parsed, never run."""


def command(name: str, request: type, *aliases: str) -> Command:
    return Command(name=name, summary=text("x"), request=request, handle=handle, aliases=aliases)


IMAGINE = command("imagine", Imagine, "画", "画图")
SETTINGS = command("settings", Settings)
VARY = command("vary", Vary)
TABLE = CommandTable(
    (
        IMAGINE,
        SETTINGS,
        VARY,
        command("show", Show),
        command("history", History, "历史"),
        command("quota", Quota, "额度"),
    )
)


def values(line: str) -> dict[str, str]:
    parsed = grammar.parse(line, TABLE)
    assert parsed is not None
    return parsed.values


def refusal(line: str) -> str:
    with pytest.raises(UsageError) as caught:
        grammar.parse(line, TABLE)
    return str(caught.value.text)


@pytest.mark.parametrize("line", ["a red fox", "画一只狐狸", "", "  ", "--ratio 1:1", "1/2 a fox", "\\imagine a fox"])
def test_without_a_slash_it_is_plain_words(line: str) -> None:
    assert grammar.parse(line, TABLE) is None


@pytest.mark.parametrize(
    ("line", "name", "prompt"),
    [
        ("/imagine a fox", "imagine", "a fox"),
        ("  /IMAGINE   a fox \n", "imagine", "a fox"),
        ("/imagine\na fox", "imagine", "a fox"),
        ("／ｉｍａｇｉｎｅ a fox", "imagine", "a fox"),
        ("/imagine\u3000a fox", "imagine", "a fox"),
        ("／画 一只狐狸", "imagine", "一只狐狸"),
        ("/画一只狐狸", "imagine", "一只狐狸"),
        ("/画图一只狐狸", "imagine", "一只狐狸"),
    ],
)
def test_a_slash_of_any_width_names_a_command(line: str, name: str, prompt: str) -> None:
    assert grammar.parse(line, TABLE) == grammar.Parsed(name, {"prompt": prompt})


def test_the_last_name_of_a_command_may_be_all_there_is() -> None:
    assert grammar.parse("/额度", TABLE) == grammar.Parsed("quota", {})
    assert grammar.parse("/历史5", TABLE) == grammar.Parsed("history", {"count": "5"})


@pytest.mark.parametrize(
    "prompt",
    [
        "a fox's den",
        "the foxes' den at 5 o'clock",
        'a sign that says "OPEN"--late',
        "--5 degrees",
        "“a” 「b」 'c'",
        "two\n\n  lines",
        "a well--known fox",
        "a fox -- red -- in snow",
        "a fox --- red",
        "a fox --",
        "a fox --5 degrees",
        "a fox — red — in snow",
        "a fox —count",
        "a fox —very red",
        "🦊🏽‍🚀 in spaaace",
        "１６：９ ＊ full width stays",
        "一只狐狸——红色的",
        "a/b /imagine c",
        "C:\\fox\\n",
        "a = b",
    ],
)
def test_words_come_through_letter_by_letter(prompt: str) -> None:
    line = f"/vary k3f9 {prompt}"

    assert values(line) == {"id": "k3f9", "prompt": prompt}


@pytest.mark.parametrize(
    ("written", "name", "value"),
    [
        ("--ratio 16:9", "ratio", "16:9"),
        ("--ratio=16:9", "ratio", "16:9"),
        ("--ratio   16:9", "ratio", "16:9"),
        ("--ratio\n16:9", "ratio", "16:9"),
        ("--RATIO 16:9", "ratio", "16:9"),
        ("--ratio '16:9'", "ratio", "16:9"),
        ('--ratio="16:9"', "ratio", "16:9"),
        ("--model “Seedream 4”", "model", "Seedream 4"),
        ("--model 「Seedream 4」", "model", "Seedream 4"),
        ("—ratio 16:9", "ratio", "16:9"),
        ("——ratio 16:9", "ratio", "16:9"),
        ("–ratio=16:9", "ratio", "16:9"),
        ("－－ratio １６：９", "ratio", "16:9"),
        ("－－ｒａｔｉｏ＝１６：９", "ratio", "16:9"),
        ("--比例 １６：９", "ratio", "16:9"),
        ("——比例 16:9", "ratio", "16:9"),
        ("--ar 16:9", "ratio", "16:9"),
        ("--数量 ２", "count", "2"),
        ("--模型 seedream-4", "model", "seedream-4"),
        ("--尺寸 2048×1024", "size", "2048x1024"),
        ("--水印=否", "watermark", "否"),
        ("--count -1", "count", "-1"),
        ("--private", "private", "yes"),
        ("--private=OFF", "private", "OFF"),
        ("--私密", "private", "yes"),
    ],
)
def test_an_option_is_read_before_and_behind_the_words(written: str, name: str, value: str) -> None:
    assert values(f"/imagine {written} a fox") == {"prompt": "a fox", name: value}
    assert values(f"/imagine a fox {written}") == {"prompt": "a fox", name: value}


@pytest.mark.parametrize("rest", ["", " --count 2", " ——count 2", "\n--count 2"])
def test_a_switch_takes_a_value_where_no_words_follow(rest: str) -> None:
    assert values(f"/imagine a fox --private no{rest}")["private"] == "no"
    assert values(f"/imagine a fox --水印 关{rest}")["watermark"] == "no"


def test_words_on_both_sides_of_an_option_are_one_prompt() -> None:
    assert values("/imagine a fox --ratio 1:1 in snow") == {"prompt": "a fox in snow", "ratio": "1:1"}
    assert values("/imagine a fox\n--private\nin snow") == {"prompt": "a fox\nin snow", "private": "yes"}


def test_the_prompt_may_be_named_and_takes_all_its_words() -> None:
    assert values("/imagine --prompt a red fox --count 2") == {"prompt": "a red fox", "count": "2"}
    assert values("/imagine --prompt 'a fox's den'") == {"prompt": "a fox's den"}


def test_a_lone_pair_of_dashes_makes_the_rest_words() -> None:
    assert values("/imagine -- --ratio in a prompt") == {"prompt": "--ratio in a prompt"}
    assert values("/imagine --count 2 --private no －－ --raito --") == {
        "prompt": "--raito --",
        "count": "2",
        "private": "no",
    }


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("/show k3f9", {"id": "k3f9"}),
        ("/show --id k3f9", {"id": "k3f9"}),
        ("/history ５", {"count": "5"}),
        ("/history", {}),
        ("/settings seedream-4 4K", {"model": "seedream-4", "size": "4K"}),
        ("/settings 'Seedream 4' --size 4K", {"model": "Seedream 4", "size": "4K"}),
        ("/settings --model seedream-4 4K", {"model": "seedream-4", "size": "4K"}),
        ("/settings --watermark no 4K", {"watermark": "no", "model": "4K"}),
        ("/vary k3f9", {"id": "k3f9"}),
        ("/vary --id k3f9 more snow", {"id": "k3f9", "prompt": "more snow"}),
    ],
)
def test_words_without_a_name_fill_options_in_order(line: str, expected: dict[str, str]) -> None:
    assert values(line) == expected


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("/imagin a fox", "No command is called /imagin; did you mean /imagine?"),
        ("/", "No command is called /. /help lists them all."),
        ("/ imagine a fox", "No command is called /. /help lists them all."),
        ("/imagine a fox --raito 16:9", "There is no option --raito; did you mean --ratio?"),
        ("/imagine a fox --ratio:16:9", "There is no option --ratio:16:9; did you mean --ratio?"),
        ("/imagine a fox --private。", "There is no option --private。; did you mean --private?"),
        ("/imagine a fox --比列 16:9", "There is no option --比列; did you mean --比例?"),
        (
            "/imagine a --zzz fox",
            (
                "There is no option --zzz. /imagine has --prompt, --model, --size, --ratio, --count, --private, "
                "--watermark, --guidance, --search. If that is a part of your words, put a lone -- before all of them: "
                "/imagine -- … --zzz"
            ),
        ),
        ("/history --zzz", "There is no option --zzz. /history has --count."),
        ("/quota --比例 1:1", "There is no option --比例: /quota has none."),
        ("/imagine a --ratio 1:1 --ratio=1:1", "ratio is given twice."),
        ("/imagine a --ratio 1:1 --比例 1:1", "ratio is given twice."),
        ("/imagine a fox --prompt an owl", "prompt is given twice."),
        ("/imagine a fox --ratio", "--ratio needs a value behind it."),
        ("/imagine a fox --ratio --count 2", "--ratio needs a value behind it."),
        ("/imagine a fox --ratio= 16:9", "--ratio needs a value behind it."),
        ("/imagine a fox --ratio ''", "--ratio needs a value behind it."),
        ("/imagine a fox --image2 x", "Pictures are attached, or replied to: please leave out --image2."),
        (
            "/imagine --private no smoking sign",
            "Does “no” belong to --private? Write --private=no, or put --private at the end.",
        ),
        ("/show k3f9 k3fa", "/show does not know what to do with “k3fa”. Write: /show id"),
        ("/quota please", "/quota does not know what to do with “please”. Write: /quota"),
        ("/额度多少", "/quota does not know what to do with “多少”. Write: /quota"),
    ],
)
def test_what_cannot_be_read_says_why(line: str, words: str) -> None:
    assert refusal(line) == words


def test_what_is_said_of_a_lone_pair_of_dashes_is_true() -> None:
    assert "/imagine -- … --neon" in refusal("/imagine a fox --neon")
    assert values("/imagine -- a fox --neon") == {"prompt": "a fox --neon"}


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("three boats --count 3", {"prompt": "three boats", "count": "3"}),
        ("--count=3 three boats", {"prompt": "three boats", "count": "3"}),
        ("三条船 --数量 ３", {"prompt": "三条船", "count": "3"}),
        ("三条船 ——张数 3", {"prompt": "三条船", "count": "3"}),
        ("three boats —count 3 at sea", {"prompt": "three boats at sea", "count": "3"}),
        ("a fox --private --ratio 16:9", {"prompt": "a fox", "private": "yes", "ratio": "16:9"}),
        ("a fox --private no", {"prompt": "a fox", "private": "no"}),
        ("a fox --neon --count 2 --cuont 3", {"prompt": "a fox --neon --cuont 3", "count": "2"}),
        ("a fox --ratio:16:9", {"prompt": "a fox --ratio:16:9"}),
        ("git log --oneline", {"prompt": "git log --oneline"}),
        ("-- a sign --count 3", {"prompt": "a sign --count 3"}),
        ("--count 3", {"count": "3"}),
        ("a  fox\n\n- in -- snow — red —very", {"prompt": "a  fox\n\n- in -- snow — red —very"}),
    ],
)
def test_plain_words_hold_the_options_that_the_command_has(words: str, expected: dict[str, str]) -> None:
    assert grammar.plain_words(words, IMAGINE) == expected


def test_too_many_plain_words_are_left_to_who_says_how_many_there_may_be() -> None:
    words = "—count 3 " * 5_000

    assert grammar.plain_words(words, IMAGINE) == {"prompt": words.strip()}


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("a fox --count", "--count needs a value behind it."),
        ("a fox --count 2 --数量 3", "count is given twice."),
        ("a fox --image1 x", "Pictures are attached, or replied to: please leave out --image1."),
        (
            "--private no smoking sign",
            "Does “no” belong to --private? Write --private=no, or put --private at the end.",
        ),
    ],
)
def test_plain_words_are_refused_for_what_is_refused_behind_the_command(words: str, told: str) -> None:
    with pytest.raises(UsageError) as caught:
        grammar.plain_words(words, IMAGINE)

    assert str(caught.value.text) == told


@pytest.mark.parametrize(
    ("command", "given", "line"),
    [
        (
            IMAGINE,
            {"prompt": " a fox ", "count": 2, "private": True, "model": None, "size": "", "images": ()},
            "/imagine a fox --count 2 --private",
        ),
        (
            IMAGINE,
            {"prompt": "a --count", "count": 2, "watermark": False},
            "/imagine --count 2 --watermark no -- a --count",
        ),
        (IMAGINE, {"model": "a \"b\" 'c' d"}, "/imagine --model “a \"b\" 'c' d”"),
        (SETTINGS, {"model": "seedream-4", "size": "4K"}, "/settings seedream-4 4K"),
        (SETTINGS, {"model": "Seedream 4", "size": "4K"}, '/settings --model "Seedream 4" --size 4K'),
        (SETTINGS, {"size": "4K", "watermark": True}, "/settings --size 4K --watermark"),
        (VARY, {"id": "k3f9", "prompt": "more snow"}, "/vary k3f9 more snow"),
        (VARY, {"id": "k3f9", "prompt": "-- more"}, "/vary --id k3f9 -- -- more"),
    ],
)
def test_a_line_is_written_in_its_shortest_safe_form(command: Command, given: dict[str, object], line: str) -> None:
    assert grammar.line(command, given) == line


def test_a_second_option_of_words_is_written_in_quotes() -> None:
    @dataclass(frozen=True, slots=True, kw_only=True)
    class Titled:
        prompt: str = option(Kind.WORDS, text("What to draw"))
        title: str = option(Kind.WORDS, text("What to call it"))

    poster = command("poster", Titled)
    given = {"prompt": "-- a fox", "title": "Reynard"}

    line = grammar.line(poster, given)

    assert line == '/poster --title "Reynard" -- -- a fox'
    assert grammar.parse(line, CommandTable((poster,))) == grammar.Parsed("poster", given)


def test_a_value_that_no_quotation_mark_can_hold_is_not_written() -> None:
    with pytest.raises(ValueError, match="model holds every kind"):
        grammar.line(IMAGINE, {"model": "\" ' ” ’ 」 』 ＂ x"})


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("/画 狐狸 --引导强度 ２．５", {"prompt": "狐狸", "guidance": "2.5"}),
        ("/画一只狐狸 --引导＝7 --联网", {"prompt": "一只狐狸", "guidance": "7", "search": "yes"}),
        ("/画 狐狸 ——搜索 否", {"prompt": "狐狸", "search": "no"}),
    ],
)
def test_the_options_of_models_have_chinese_names(line: str, expected: dict[str, str]) -> None:
    assert values(line) == expected


@given(guidance=st.floats(1, 10))
def test_a_number_comes_back_as_it_was_written(guidance: float) -> None:
    read = values(grammar.line(IMAGINE, {"prompt": "a fox", "guidance": guidance}))

    assert IMAGINE.bind(read).guidance == guidance


# What people may write, with far more of what the grammar gives a meaning than chance would bring.
fragments = st.sampled_from(
    [
        "--",
        "－－",
        "—",
        "——",
        "---",
        "--ratio",
        "—count",
        "--比例",
        "=",
        "＝",
        "16:9",
        "'",
        '"',
        "“",
        "」",
        "\n",
        " ",
        "no",
    ]
)
words = st.lists(st.one_of(fragments, st.text(max_size=8)), max_size=12).flatmap(
    lambda pieces: st.sampled_from(["", " "]).map(lambda between: between.join(pieces))
)
options = st.fixed_dictionaries(
    {},
    optional={
        "model": st.sampled_from(["seedream-4", "Seedream 4", "it's 'so'", "--model", "“x”"]),
        "ratio": st.sampled_from(["1:1", "16:9"]),
        "count": st.integers(1, 4),
        "guidance": st.floats(1, 10),
        "private": st.booleans(),
        "watermark": st.booleans(),
    },
)


def strings(given: dict[str, object]) -> dict[str, str]:
    return {name: {True: "yes", False: "no"}[v] if isinstance(v, bool) else str(v) for name, v in given.items()}


@given(prompt=words, given_options=options)
def test_every_prompt_survives_between_its_options(prompt: str, given_options: dict[str, object]) -> None:
    read = values(grammar.line(IMAGINE, {"prompt": prompt, **given_options}))

    expected = {"prompt": prompt.strip()} if prompt.strip() else {}
    assert read == strings(given_options) | expected


@given(prompt=words, given_options=options)
def test_every_prompt_survives_behind_a_lone_pair_of_dashes(prompt: str, given_options: dict[str, object]) -> None:
    read = values(f"{grammar.line(IMAGINE, given_options)} -- {prompt}")

    expected = {"prompt": prompt.strip()} if prompt.strip() else {}
    assert read == strings(given_options) | expected


@given(prompt=words)
def test_every_prompt_survives_behind_an_id(prompt: str) -> None:
    read = values(grammar.line(VARY, {"id": "k3f9", "prompt": prompt}))

    assert read.pop("id") == "k3f9"
    assert read.get("prompt", "") == prompt.strip()


@given(typed=words)
def test_whatever_can_be_read_behind_a_command_means_the_same_without_it(typed: str) -> None:
    try:
        behind = values(f"/imagine {typed}")
    except UsageError:
        assume(False)

    assert grammar.plain_words(typed.strip(), IMAGINE) == behind


@given(typed=words)
def test_words_are_never_refused_for_dashes_that_are_no_option_of_the_command(typed: str) -> None:
    unknown = Command(name="say", summary=text("x"), request=Say, handle=handle)

    read = grammar.plain_words(typed, unknown)

    # A lone pair of dashes before all of them is written to be left out.
    assert read.get("words", "") in (typed.strip(), grammar.ESCAPE.sub("", typed, count=1).strip())


@given(name=st.sampled_from(["imagine ", "画", "vary ", "show ", "settings ", "quota ", ""]), rest=words)
def test_any_line_is_read_or_refused_and_breaks_nothing(name: str, rest: str) -> None:
    for typed in (f"/{name}{rest}", rest):
        with suppress(UsageError):  # its words are put together when it is made, so they are tried here too
            grammar.parse(typed, TABLE)


# --- people and rooms


@dataclass(frozen=True, slots=True, kw_only=True)
class Invite:
    how: str = option(Kind.CHOICE, text("How"), default="")
    much: str = option(Kind.CHOICE, text("How much"), default="")
    member: str = option(Kind.PERSON, text("Whom"), default="")
    channel: str = option(Kind.ROOM, text("Where"), default="")


@dataclass(frozen=True, slots=True, kw_only=True)
class Greet:
    words: str = option(Kind.WORDS, text("What to say"))
    member: str = option(Kind.PERSON, text("Whom"), default="")


INVITE = Command(name="invite", summary=text("Invite"), request=Invite, handle=handle)
MARKED = CommandTable((INVITE, Command(name="greet", summary=text("Greet"), request=Greet, handle=handle)))


@pytest.mark.parametrize(
    ("line", "values"),
    [
        ("/invite warmly @bob", {"how": "warmly", "member": "@bob"}),
        ("/invite <@7> warmly #here very", {"how": "warmly", "much": "very", "member": "<@7>", "channel": "#here"}),
        ("/invite warmly --member bob", {"how": "warmly", "member": "bob"}),
        ("/invite ＃here", {"channel": "#here"}),
        ("/invite warmly very", {"how": "warmly", "much": "very"}),
    ],
)
def test_people_and_rooms_are_known_by_their_mark(line: str, values: dict[str, str]) -> None:
    parsed = grammar.parse(line, MARKED)

    assert parsed is not None
    assert parsed.values == values


@pytest.mark.parametrize("line", ["/invite @bob @eve", "/invite @bob --member eve", "/invite #a #b"])
def test_two_where_one_is_taken_are_refused(line: str) -> None:
    with pytest.raises(UsageError, match="twice"):
        grammar.parse(line, MARKED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    area: str = option(Kind.CHOICE, text("What"), default="rules", choices=("rules", "limit"), also={"额度": "limit"})
    value: str = option(Kind.WORDS, text("How"), default="", suggestions=("20 a day",))
    member: str = option(Kind.PERSON, text("Whom"), default="")


ORDER = Command(name="order", summary=text("Order"), request=Order, handle=handle)
ORDERS = CommandTable((ORDER,))


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("/order limit @bob 20 images per day", Order(area="limit", value="20 images per day", member="bob")),
        ("/order limit ２０ images @bob", Order(area="limit", value="20 images", member="bob")),
        ("/order 额度 每天 20 张", Order(area="limit", value="每天 20 张")),
        ('/order limit "Design team" 20', Order(area="limit", value='"Design team" 20')),
        ("/order limit --value twenty --member bob", Order(area="limit", value="twenty", member="bob")),
        ("/order", Order()),
    ],
)
def test_words_with_suggestions_take_all_that_is_left(line: str, expected: Order) -> None:
    parsed = grammar.parse(line, ORDERS)

    assert parsed is not None
    assert ORDER.bind(parsed.values) == expected
    assert ORDER.bind(grammar.parse(grammar.line(ORDER, parsed.values), ORDERS).values) == expected  # type: ignore[union-attr]


def test_another_word_for_no_choice_is_refused() -> None:
    with pytest.raises(UsageError, match="one of rules, limit"):
        ORDER.bind({"area": "等级"})


def test_marks_among_a_persons_own_words_stay_there() -> None:
    parsed = grammar.parse("/greet hello @bob --member eve", MARKED)

    assert parsed is not None
    assert parsed.values == {"words": "hello @bob", "member": "eve"}


def test_a_line_with_people_and_rooms_is_read_back() -> None:
    values = {"how": "warmly", "member": "7", "channel": "42"}
    parsed = grammar.parse(grammar.line(INVITE, values), MARKED)

    assert parsed is not None
    assert parsed.values == values


def test_a_line_that_nobody_can_mean_is_not_read() -> None:
    with pytest.raises(UsageError, match="too long to be read: 150008 characters, and at most 20000"):
        grammar.parse("/imagine " + "—a " * 50_000, TABLE)
