"""How much of people's words fits: counted as it is sent, and cut where a reader can see it."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.feishu.elements import count, line
from adapters.feishu.escape import clamp, clean, columns, weight

any_words = st.text(alphabet=st.sampled_from('a1 \n\t"\\/<雪🦊é'), max_size=60)


@given(any_words)
def test_a_weight_is_what_the_words_add_to_a_request(words: str) -> None:
    def request(content: str) -> int:
        card = json.dumps({"x": content}, ensure_ascii=False)
        return len(json.dumps({"content": card}, ensure_ascii=False).encode())

    assert weight(words) - weight("") == request(words) - request("")


@given(any_words, st.integers(1, 120))
def test_what_is_too_long_ends_in_an_ellipsis(words: str, most: int) -> None:
    clamped = clamp(words, most)

    assert weight(clamped) <= most or clamped == ""
    if weight(words) <= most:
        assert clamped == words
    elif clamped:
        assert clamped.endswith("…")
        assert words.startswith(clamped[:-1])


def test_nothing_is_cut_that_would_fit() -> None:
    assert clamp("a fox", weight("a fox")) == "a fox"
    assert clamp("a fox in snow", weight("a fox…")) == "a fox…"
    assert clamp("雪雪雪", weight("雪…")) == "雪…"


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        ("a plain fox - in 4.5 snow #1, 雪 🦊 <at>", "a plain fox - in 4.5 snow #1, 雪 🦊 <at>"),
        ("\u202efox\u2066 יום 🦊", "fox יום 🦊"),
        ("a\r\nb\rc\u2028d", "a\nb\nc\nd"),
        ("\x00\x1b[31mred\x9f\tsnow", "[31mred\tsnow"),
        ("half \ud83e of a fox", "half ? of a fox"),
    ],
)
def test_signs_are_shown_and_those_nobody_sees_are_left_out(words: str, shown: str) -> None:
    assert clean(words) == shown


def test_a_chinese_character_is_as_wide_as_two_letters() -> None:
    assert (columns("fox"), columns("雪"), columns("，")) == (3, 2, 2)


def test_every_tag_counts_as_an_element() -> None:
    assert count([line("a"), {"tag": "column_set", "columns": [{"tag": "column", "elements": [line("b")]}]}]) == 6
