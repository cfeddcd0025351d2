"""What the page makes of words before they are shown."""

from datetime import UTC, datetime

import pytest

from adapters.web.people import Persona
from adapters.web.view import Viewer, are_sentences, drawn, unbroken
from bot.i18n import Link, Text, text, verbatim

IN_SHANGHAI = Viewer(
    persona=Persona(name="ann", note=text("admin")),
    room="direct",
    stored_room="direct",
    language="en",
    zone="Asia/Shanghai",
    theme="",
)


@pytest.mark.parametrize(
    ("words", "kept"),
    [
        ("Write: /imagine prompt [--count 1-4] [--format …]", ["[--count 1-4]", "[--format …]"]),
        ("/settings --size 4K", ["--size"]),
        ("seedream-4.5, 0.04 USD, took 0.6 s", ["0.04 USD", "0.6 s"]),
        ("178 KiB in all", ["178 KiB"]),
        ("well-known -- and 4 sails", []),
        (f"--{'long' * 30}", []),  # it would leave the page
    ],
)
def test_an_option_and_an_amount_stay_in_one_line(words: str, kept: list[str]) -> None:
    marked = str(unbroken(words))

    assert [part.partition("</span>")[0] for part in marked.split('<span class="unbroken">')[1:]] == kept
    assert marked.replace('<span class="unbroken">', "").replace("</span>", "") == words


def test_words_that_are_kept_together_are_still_escaped() -> None:
    assert str(unbroken("<b> --<i>&")) == '&lt;b&gt; <span class="unbroken">--&lt;i&gt;&amp;</span>'


@pytest.mark.parametrize(
    ("notes", "sentences"),
    [
        (("seedream-4.5", "2.1 s"), False),
        (("seedream-4.5 · 2048×2048", "Made from k3f9w2ab:0."), True),
        (("seedream-4.5", "图片已被清理。"), True),
        ((), False),
    ],
)
def test_whole_sentences_are_told_from_particulars(notes: tuple[str, ...], sentences: bool) -> None:
    assert are_sentences(notes) is sentences


def test_when_it_was_started_is_told_by_the_readers_own_clock() -> None:
    started = text("Started {when}", when=datetime(2026, 1, 1, 12, 0, 5, tzinfo=UTC))

    assert str(drawn(started, IN_SHANGHAI, clock=True)) == (
        'Started <time datetime="2026-01-01T12:00:05+00:00" data-precise>20:00:05</time>'
    )
    assert str(drawn(started, IN_SHANGHAI)) == "Started 2026-01-01 20:00 Asia/Shanghai"


def test_links_can_be_followed_and_hold_nothing_but_themselves() -> None:
    links = (Link("k3:0", "https://bot.example/p/k3:0?until=1&sig=a"), Link("<b>", 'https://bot.example/"x'))

    assert str(drawn(Text("{words}", {"words": links}), IN_SHANGHAI)) == (
        '<a href="https://bot.example/p/k3:0?until=1&amp;sig=a" target="_blank" rel="noopener">k3:0</a>, '
        '<a href="https://bot.example/&#34;x" target="_blank" rel="noopener">&lt;b&gt;</a>'
    )


def test_an_address_in_somebodys_words_stays_words() -> None:
    assert str(drawn(verbatim("https://bad.example <b>"), IN_SHANGHAI)) == "https://bad.example &lt;b&gt;"
