"""Every sentence for people is there in every language, with the same places for values."""

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

from bot.i18n import plural, say, text

SCRIPT = Path(__file__).parent.parent / "scripts" / "translations.py"
# What reads the same in Chinese: names, units, lone values.
SAME = {"{money}", "{words}", "{time}", "English"}
PLACES = re.compile(r"{\w+}")


def _load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("translations", SCRIPT)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


translations = _load()


@pytest.fixture(scope="module")
def sentences():
    return [message for message in translations.extracted() if message.id]


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

    assert [m.id for m in translations.read(language) if m.id and m.id not in said] == []


def test_what_is_shipped_was_compiled_from_what_stands_here(language):
    assert translations.po(language).with_suffix(".mo").read_bytes() == translations.compiled(language)


def test_a_reader_of_chinese_reads_chinese():
    assert say(text("Drawing…"), "zh-CN") != "Drawing…"
    assert say(plural("{count} picture", "{count} pictures", 3), "zh-CN") == "3 张图片"
