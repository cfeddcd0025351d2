"""Every sentence for people is there in every language, with the same places for values."""

import importlib.util
import re
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType

import pytest

from bot.command import Command
from bot.commands.making import Imagine
from bot.errors import BotError
from bot.i18n import plural, say, text
from bot.quota.limits import Account, line, refusal, told

SCRIPT = Path(__file__).parent.parent / "scripts" / "translations.py"
# What reads the same in Chinese: names, units, lone values.
SAME = {"{money}", "{words}", "{time}", "English"}
PLACES = re.compile(r"{\w+}")
CHINESE = r"[\u4e00-\u9fff]"
# A half-width mark behind a Chinese character, or a Latin letter or digit that touches one.
UNTIDY = re.compile(rf"{CHINESE}[,.;:!?()]|{CHINESE}[A-Za-z0-9]|[A-Za-z0-9]{CHINESE}")


def _load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("translations", SCRIPT)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


translations = _load()


def _for_people(message):
    """A migration's `text` is a column: nobody reads its name."""
    return bool(message.id) and not all("/migrations/" in file for file, _ in message.locations)


@pytest.fixture(scope="module")
def sentences():
    return [message for message in translations.extracted() if _for_people(message)]


@pytest.fixture(scope="module", params=translations.LANGUAGES)
def language(request):
    return request.param


def _forms(words):
    return words if isinstance(words, tuple | list) else (words,)


def test_every_sentence_is_translated(sentences, language):
    known = translations.read(language)

    missing = [m.id for m in sentences if not (k := known.get(m.id)) or k.fuzzy or not all(_forms(k.string) or [""])]

    assert missing == []


def test_a_translation_is_not_the_english(sentences, language):
    known = translations.read(language)

    copied = [m.id for m in sentences if (k := known.get(m.id)) and k.string == m.id and m.id not in SAME]

    assert copied == []


def test_a_translation_has_the_same_places(sentences, language):
    known = translations.read(language)

    for message in sentences:
        wanted = set(PLACES.findall(_forms(message.id)[-1]))
        for form in _forms(known[message.id].string):
            assert set(PLACES.findall(form)) == wanted, message.id


def test_nothing_is_translated_that_nobody_says(sentences, language):
    said = {m.id for m in sentences}

    assert [m.id for m in translations.read(language) if _for_people(m) and m.id not in said] == []


def test_what_is_shipped_was_compiled_from_what_stands_here(language):
    assert translations.po(language).with_suffix(".mo").read_bytes() == translations.compiled(language)


def test_a_reader_of_chinese_reads_chinese():
    assert say(text("Drawing…"), "zh-CN") != "Drawing…"
    assert say(plural("{count} picture", "{count} pictures", 3), "zh-CN") == "3 张图片"


def test_chinese_has_full_width_marks_and_space_around_latin_words():
    said = [form for m in translations.read("zh_CN") if m.id for form in _forms(m.string)]

    assert [form for form in said if UNTIDY.search(form)] == []


def _short(unit: str, window: str, limit: int | None, *, used: int = 48, held: int = 0):
    resets = None if window == "total" else datetime(2026, 11, 22, 16, tzinfo=UTC)
    return line(Account("person:bob"), unit, window, used=used, held=held, limit=limit, resets=resets)


@pytest.mark.parametrize(
    ("account", "chinese"),
    [
        (_short("images", "day", 50), "你：每天 50 张图片，还剩 2 张（已用 48 张）"),
        (_short("images", "day", 50, held=2), "你：每天 50 张图片，还剩 0 张（已用 48 张，预留 2 张）"),
        (_short("images", "month", None), "你：每月不限量，已用 48 张"),
        (_short("usd", "month", 5_000_000, used=40_000), "你：每月 5.00 USD，还剩 4.96 USD（已用 0.04 USD）"),
    ],
)
def test_an_account_reads_as_one_chinese_sentence(account, chinese):
    assert say(told(account), "zh-CN") == chinese


@pytest.mark.parametrize(
    ("account", "chinese"),
    [
        (
            _short("images", "day", 50),
            "你的额度不够了：每天 50 张图片，还剩 2 张，这次需要 4 张图片。"
            "可以请机器人的维护者增加；2026-11-23 00:00 Asia/Shanghai 重新计算。",
        ),
        (
            _short("images", "total", 50),
            "你的额度不够了：总共 50 张图片，还剩 2 张，这次需要 4 张图片。可以请机器人的维护者增加。",
        ),
        (_short("images", "day", 0), "你还没有画图额度，可以请机器人的维护者开通。"),
    ],
)
def test_a_limit_that_is_short_reads_as_one_chinese_sentence(account, chinese):
    refused = refusal(account, 4, text("the bot's operator"))
    assert say(refused.text, "zh-CN", "Asia/Shanghai") == chinese


async def _nothing(request: object, context: object) -> None: ...


DRAW = Command(name="imagine", summary=text("Draw pictures from words"), request=Imagine, handle=_nothing)


@pytest.mark.parametrize(
    ("values", "chinese"),
    [
        ({"prompt": "狐狸", "count": "9"}, "count 不能填“9”，可以填：1 到 4 的整数。"),
        ({"prompt": "狐狸", "format": "jpg"}, "format 不能填“jpg”，可以填：jpeg、png。你想填的是 jpeg 吗？"),
        ({"prompt": "狐狸", "watermark": "也许"}, "watermark 不能填“也许”，可以填：是或否。"),
        ({"prompt": "狐狸", "cuont": "2"}, "没有 cuont 这个选项，你想用的是 count 吗？"),
    ],
)
def test_a_refused_option_reads_as_one_chinese_sentence(values, chinese):
    with pytest.raises(BotError) as refused:
        DRAW.bind(values)

    assert say(refused.value.text, "zh-CN") == chinese
