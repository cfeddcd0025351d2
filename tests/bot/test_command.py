"""The command model: what options take, what a request gets, and what is said where it does not fit."""

from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import MISSING, dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.chat import Attachment
from bot.command import Command, CommandTable, Kind, markdown, option
from bot.errors import UsageError
from bot.i18n import say, text


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    prompt: str = option(Kind.WORDS, text("What to change"))
    images: tuple[Attachment, ...] = option(Kind.IMAGES, text("Pictures"), low=1, high=3)
    model: str | None = option(Kind.CHOICE, text("The model"), default=None)
    size: str | None = option(Kind.CHOICE, text("How large"), default=None, suggestions=("2K", "4K"))
    count: int = option(Kind.INTEGER, text("How many"), default=1, low=1, high=4)
    private: bool = option(Kind.SWITCH, text("Only for me"), default=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Show:
    id: str = option(Kind.ID, text("Which"))


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    count: int = option(Kind.INTEGER, text("How many"), default=10, low=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    model: str | None = option(Kind.CHOICE, text("The model"), default=None)
    format: str | None = option(Kind.CHOICE, text("The format"), default=None, choices=("png", "jpeg"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Tune:
    guidance: float | None = option(Kind.NUMBER, text("How closely"), default=None, low=1, high=10)
    seed: int | None = option(Kind.INTEGER, text("A seed"), default=None, high=2**31 - 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Quota:
    pass


async def handle(request: object, context: object) -> None:
    """The commands here are bound, never run."""


def picture(name: str) -> Attachment:
    async def read() -> AsyncIterator[bytes]:
        yield b""

    return Attachment(name=name, read=read)


A, B, C, D = (picture(name) for name in "abcd")
MODELS = {"model": ("seedream-4", "seedream-4.5")}
EDIT = Command(
    name="edit", summary=text("Change a picture"), request=Edit, handle=handle, aliases=("改图",), choices=MODELS
)
SHOW = Command(name="show", summary=text("Show | link"), request=Show, handle=handle)
HISTORY = Command(name="history", summary=text("What you made"), request=History, handle=handle)
SETTINGS = Command(name="settings", summary=text("Your defaults"), request=Settings, handle=handle, choices=MODELS)
QUOTA = Command(name="quota", summary=text("What is left"), request=Quota, handle=handle, aliases=("额度",))
TUNE = Command(name="tune", summary=text("Tune"), request=Tune, handle=handle)
AGAIN = Command(name="again", summary=text("Once more"), request=Show, handle=handle, listed=False)
TABLE = CommandTable((EDIT, SHOW, HISTORY, SETTINGS, QUOTA, AGAIN))


def refusal(command: Command, values: dict[str, Any], *attachments: Attachment, coming: int = 0) -> str:
    with pytest.raises(UsageError) as caught:
        command.bind(values, attachments, pictures_coming=coming)
    return str(caught.value.text)


def test_options_are_the_fields_with_the_choices_of_the_table() -> None:
    assert [each.name for each in EDIT.options] == ["prompt", "images", "model", "size", "count", "private"]
    assert [each.required for each in EDIT.options] == [True, True, False, False, False, False]
    assert EDIT.options[0].default is MISSING
    assert EDIT.options[1].names == ("image1", "image2", "image3")
    assert EDIT.options[2].choices == MODELS["model"]


def test_a_field_that_is_no_option_stays_out_of_the_options() -> None:
    @dataclass(frozen=True, slots=True, kw_only=True)
    class Pressed:
        id: str = option(Kind.ID, text("Which"))
        index: int = 0

    command = Command(name="vary", summary=text("Another"), request=Pressed, handle=handle)

    assert [each.name for each in command.options] == ["id"]


def test_more_pictures_may_come_than_have_a_name() -> None:
    @dataclass(frozen=True, slots=True, kw_only=True)
    class Blend:
        images: tuple[Attachment, ...] = option(Kind.IMAGES, text("Pictures"), low=2, high=14)

    blend = Command(name="blend", summary=text("Mix"), request=Blend, handle=handle)

    assert blend.options[0].names[-1] == "image10"
    assert len(blend.bind({}, (A,) * 14).images) == 14
    assert refusal(blend, {}, *(A,) * 15) == "/blend takes at most 14 pictures."


def test_choices_for_an_option_that_does_not_exist_are_a_mistake_of_the_programmer() -> None:
    with pytest.raises(ValueError, match="/quota has no option model"):
        Command(name="quota", summary=text("Left"), request=Quota, handle=handle, choices=MODELS)


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("prompt", "  “a” １：１ fox's  ", "  “a” １：１ fox's  "),
        ("count", 3, 3),
        ("count", " ３ ", 3),
        ("model", "SEEDREAM-4", "seedream-4"),
        ("model", "ｓｅｅｄｒｅａｍ－４", "seedream-4"),
        ("size", "２０４８×１０２４", "2048x1024"),
        ("size", "4K", "4K"),
        ("private", True, True),
        ("private", "YES", True),
        ("private", "ｏｎ", True),
        ("private", "否", False),
        ("images", A, (A,)),
    ],
)
def test_a_value_is_read_in_its_options_own_type(name: str, value: object, expected: object) -> None:
    declared = EDIT.option(name)

    assert declared is not None
    assert declared.check(value) == expected


@pytest.mark.parametrize("written", ["k3f9", "K3F9", "#k3f9", " ｋ３ｆ９ "])
def test_an_id_is_read_as_people_copy_it(written: str) -> None:
    assert SHOW.bind({"id": written}).id == "k3f9"


def test_an_id_may_name_one_picture() -> None:
    assert SHOW.bind({"id": "k3f9:2"}).id == "k3f9:2"


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("count", 5, "count takes a whole number from 1 to 4, not “5”."),
        ("count", 0, "count takes a whole number from 1 to 4, not “0”."),
        ("count", "two", "count takes a whole number from 1 to 4, not “two”."),
        ("count", "9" * 5000, f"count takes a whole number from 1 to 4, not “{'9' * 59}…”."),
        ("count", True, "count takes a whole number from 1 to 4, not “True”."),
        ("count", 1.5, "count takes a whole number from 1 to 4, not “1.5”."),
        (
            "model",
            "seedraem-4.5",
            "model takes one of seedream-4, seedream-4.5, not “seedraem-4.5”. Did you mean seedream-4.5?",
        ),
        ("model", "zzz", "model takes one of seedream-4, seedream-4.5, not “zzz”."),
        ("private", "perhaps", "private takes yes or no, not “perhaps”."),
        ("image1", "a.png", "images takes an attached picture, not “a.png”."),
        ("prompt", A, "prompt takes words, not “Attachment”."),
        ("raito", "1:1", "There is no option raito. Write: " + EDIT.usage()),
        ("cuont", 1, "There is no option cuont; did you mean count?"),
    ],
)
def test_a_wrong_value_is_refused_with_what_is_taken(name: str, value: object, words: str) -> None:
    assert refusal(EDIT, {"prompt": "blue", name: value}, A) == words


@pytest.mark.parametrize("written", ["a b", "k3f9:", "k3f9:x", "../etc", "k" * 61, 7])
def test_what_is_no_id_is_refused(written: object) -> None:
    assert "takes the short id that stands under a picture" in refusal(SHOW, {"id": written})


def test_a_number_without_a_highest_value_says_only_the_lowest() -> None:
    assert HISTORY.bind({"count": 5000}).count == 5000
    assert refusal(HISTORY, {"count": "-1"}) == "count takes a whole number from 1 up, not “-1”."


@pytest.mark.parametrize(
    ("value", "expected"),
    [(2, 2.0), (2.5, 2.5), ("3.25", 3.25), (" １０ ", 10.0), ("+1.000", 1.0), ("２．５", 2.5)],
)
def test_a_number_may_have_decimals(value: object, expected: float) -> None:
    assert TUNE.bind({"guidance": value}).guidance == expected


@pytest.mark.parametrize("value", ["0.99", 10.01, "-2", "2,5", "1e0", "nan", "inf", True, "2.", ".5", "9" * 5000])
def test_what_is_no_such_number_is_refused(value: object) -> None:
    assert "guidance takes a number from 1 to 10, not “" in refusal(TUNE, {"guidance": value})


@given(st.floats(allow_nan=True, allow_infinity=True) | st.text())
def test_a_number_is_within_its_bounds_or_refused(value: float | str) -> None:
    if isinstance(value, float) and 1 <= value <= 10:
        assert TUNE.bind({"guidance": value}).guidance == value
        assert TUNE.bind({"guidance": str(value)}).guidance == value
        return
    with suppress(UsageError):
        given_so = TUNE.bind({"guidance": value}).guidance
        assert given_so is None or 1 <= given_so <= 10


def test_the_bounds_of_numbers_stand_in_the_usage() -> None:
    assert TUNE.usage() == "/tune [--guidance 1-10] [--seed 0-2147483647]"


def test_a_hidden_option_does_not_exist() -> None:
    command = Command(
        name="edit", summary=text("x"), request=Edit, handle=handle, choices=MODELS, hidden=frozenset({"model", "size"})
    )

    assert [each.name for each in command.options] == ["prompt", "images", "count", "private"]
    assert "model" not in command.usage()
    assert refusal(command, {"prompt": "x", "model": "seedream-4"}, A).startswith("There is no option model.")
    assert command.bind({"prompt": "x"}, (A,)) == Edit(prompt="x", images=(A,))
    assert CommandTable((command,)).complete("/edit --m") == ()


def test_hiding_what_does_not_exist_is_a_mistake_of_the_programmer() -> None:
    with pytest.raises(ValueError, match="/quota has no option seed"):
        Command(name="quota", summary=text("Left"), request=Quota, handle=handle, hidden=frozenset({"seed"}))


def test_blank_values_count_as_not_given() -> None:
    bound = EDIT.bind({"prompt": "blue", "model": None, "size": "", "count": " "}, (A,))

    assert bound == Edit(prompt="blue", images=(A,))


def test_attachments_follow_the_pictures_that_have_a_number() -> None:
    bound = EDIT.bind({"prompt": "blue", "image3": B, "image1": A}, (C,))

    assert bound.images == (A, B, C)


def test_all_pictures_may_come_under_the_options_own_name() -> None:
    assert EDIT.bind({"prompt": "blue", "images": (A, B), "image1": C}).images == (A, B, C)


def test_too_many_pictures_are_refused_with_the_most() -> None:
    assert refusal(EDIT, {"prompt": "x"}, A, B, C, D) == "/edit takes at most 3 pictures."
    assert refusal(EDIT, {"prompt": "x", "image1": A}, B, C, D) == "/edit takes at most 3 pictures."
    assert refusal(QUOTA, {}, A) == "/quota takes no pictures."


def test_coming_pictures_count_for_what_is_needed_and_for_the_most() -> None:
    assert EDIT.bind({"prompt": "x"}, pictures_coming=1).images == ()
    assert EDIT.bind({"prompt": "x"}, (A, B), pictures_coming=1).images == (A, B)
    assert refusal(EDIT, {"prompt": "x"}, A, B, C, coming=1) == "/edit takes at most 3 pictures."
    assert refusal(EDIT, {"prompt": "x"}, coming=4) == "/edit takes at most 3 pictures."


def test_a_quoted_picture_does_not_disturb_a_command_that_takes_none() -> None:
    assert QUOTA.bind({}, pictures_coming=1) == Quota()


def test_what_is_missing_is_named_with_the_usage() -> None:
    assert refusal(EDIT, {"prompt": " \n"}, A) == f"/edit needs prompt. Write: {EDIT.usage()}"
    assert refusal(EDIT, {"prompt": "x"}) == (
        f"/edit needs a picture: attach it, or reply to one. Write: {EDIT.usage()}"
    )
    assert refusal(SHOW, {}) == "/show needs id. Write: /show id"


@pytest.mark.parametrize(
    ("command", "line"),
    [
        (EDIT, "/edit prompt image1 [image2..image3] [--model …] [--size …] [--count 1-4] [--private]"),
        (SHOW, "/show id"),
        (HISTORY, "/history [count]"),
        (SETTINGS, "/settings [--model …] [--format …]"),
        (QUOTA, "/quota"),
    ],
)
def test_usage_shows_what_stands_without_a_name_first(command: Command, line: str) -> None:
    assert command.usage() == line


@pytest.mark.parametrize(("low", "high", "shown"), [(0, 1, "[images]"), (1, 1, "images"), (2, 2, "image1 image2")])
def test_usage_shows_how_many_pictures_are_taken(low: int, high: int, shown: str) -> None:
    @dataclass(frozen=True, slots=True, kw_only=True)
    class Mix:
        images: tuple[Attachment, ...] = option(Kind.IMAGES, text("Pictures"), low=low, high=high)

    assert Command(name="mix", summary=text("Mix"), request=Mix, handle=handle).usage() == f"/mix {shown}"


@pytest.mark.parametrize("name", ["edit", "EDIT", "ｅｄｉｔ", "改图"])
def test_a_command_is_found_by_every_name(name: str) -> None:
    assert TABLE.find(name) is EDIT


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("eddit", "No command is called /eddit; did you mean /edit?"),
        ("改图片", "No command is called /改图片; did you mean /改图?"),
        ("zzzz", "No command is called /zzzz. /help lists them all."),
        ("agian", "No command is called /agian. /help lists them all."),
        ("", "No command is called /. /help lists them all."),
    ],
)
def test_an_unknown_command_names_the_nearest_that_is_listed(name: str, words: str) -> None:
    with pytest.raises(UsageError) as caught:
        TABLE.find(name)

    assert str(caught.value.text) == words


def test_two_commands_cannot_share_a_name() -> None:
    with pytest.raises(ValueError, match="two commands are called /EDIT"):
        CommandTable((EDIT, Command(name="EDIT", summary=text("x"), request=Quota, handle=handle)))


def test_what_only_buttons_reach_is_found_but_not_listed() -> None:
    assert TABLE.find("again") is AGAIN
    assert AGAIN not in TABLE.listed
    assert "again" not in markdown(TABLE, lambda words: say(words, "en"))


@pytest.mark.parametrize(
    ("line", "inserted"),
    [
        ("/", ["/edit", "/改图", "/show", "/history", "/settings", "/quota", "/额度"]),
        ("／E", ["/edit"]),
        ("/改", ["/改图"]),
        ("/edit a fox ", []),
        ("/edit a fox --", ["--prompt", "--model", "--size", "--count", "--private"]),
        ("/edit a fox --model seedream-4 --m", []),
        ("/edit a fox --model ", ["seedream-4", "seedream-4.5"]),
        ("/edit a fox --size 2", ["2K"]),
        ("/edit a fox －－SIZE ", ["2K", "4K"]),
        ("/edit a fox --private n", []),
        ("/settings ", ["seedream-4", "seedream-4.5"]),
        ("/settings -", ["--model", "--format"]),
        ("/nothing --", []),
        ("/quota ", []),
        ("plain words", []),
    ],
)
def test_completions_follow_what_has_been_typed(line: str, inserted: list[str]) -> None:
    assert [each.insert for each in TABLE.complete(line)] == inserted


def test_the_readme_table_has_a_row_for_every_listed_command() -> None:
    assert markdown(TABLE, lambda words: say(words, "en")) == (
        "| Command | What it does | Options |\n"
        "| --- | --- | --- |\n"
        "| `/edit prompt image1 [image2..image3]`, `/改图` | Change a picture "
        "| `[--model …]` `[--size …]` `[--count 1-4]` `[--private]` |\n"
        "| `/show id` | Show \\| link |  |\n"
        "| `/history [count]` | What you made |  |\n"
        "| `/settings` | Your defaults | `[--model …]` `[--format …]` |\n"
        "| `/quota`, `/额度` | What is left |  |\n"
    )


# --- people and rooms


@dataclass(frozen=True, slots=True, kw_only=True)
class Invite:
    member: str = option(Kind.PERSON, text("Whom"), default="")
    channel: str = option(Kind.ROOM, text("Where"), default="")


INVITE = Command(name="invite", summary=text("Invite"), request=Invite, handle=handle, admins_only=True)


@pytest.mark.parametrize(
    ("given_as", "member"), [("<@123>", "123"), ("<@!123>", "123"), ("@bob", "bob"), ("＠李四", "李四"), ("123", "123")]
)
def test_a_person_is_the_platforms_id(given_as: str, member: str) -> None:
    assert INVITE.bind({"member": given_as}).member == member


@pytest.mark.parametrize(
    ("given_as", "channel"), [("<#123>", "123"), ("#design-team", "design-team"), ("123", "123"), ("＃画", "画")]
)
def test_a_room_is_the_platforms_id(given_as: str, channel: str) -> None:
    assert INVITE.bind({"channel": given_as}).channel == channel


@pytest.mark.parametrize("name", ["member", "channel"])
@pytest.mark.parametrize("value", ["two words", "@", "<@>", "<#1", "<@1><@2>", "x" * 101, 7])
def test_what_names_nobody_is_refused(name: str, value: object) -> None:
    assert "such as" in refusal(INVITE, {name: value})


def test_a_person_is_no_room() -> None:
    assert refusal(INVITE, {"channel": "<@123>"})
    assert refusal(INVITE, {"member": "<#123>"})


def test_the_usage_line_shows_how_they_are_marked() -> None:
    assert INVITE.usage() == "/invite [@member] [#channel]"


def test_a_command_for_admins_is_listed_for_them_alone() -> None:
    table = CommandTable((QUOTA, INVITE))

    assert table.listed_for(admin=False) == (QUOTA,)
    assert table.listed_for(admin=True) == (QUOTA, INVITE)
