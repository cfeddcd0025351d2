"""What the page makes of words before they are shown."""

import pytest

from adapters.web.view import are_sentences, unbroken


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
