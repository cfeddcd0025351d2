"""People's words, as Discord shows them: no sign in them does anything."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.discord.escape import clamp, clamp_lines, escape

READ_AS = re.compile(r"\\([^0-9A-Za-z\s])")


def shown(words: str) -> str:
    """What Discord makes of escaped words."""
    return READ_AS.sub(r"\1", words).replace("\N{ZERO WIDTH SPACE}", "")


@pytest.mark.parametrize(
    ("words", "written"),
    [
        ("a *bold* _fox_ ~~in~~ `snow` ||hidden||", r"a \*bold\* \_fox\_ \~\~in\~\~ \`snow\` \|\|hidden\|\|"),
        ("[press](https://bad.example)", r"\[press\](https:\//bad.example)"),
        ("HTTP://bad.example", r"HTTP:\//bad.example"),
        ("<@1> <@&2> <:fox:3> <t:4:R> </imagine:5>", r"\<@1> \<@&2> \<:fox:3> \<t:4:R> \</imagine:5>"),
        ("# fox\n> fox\n- fox\n-# fox\n1. fox\n  * fox", "\\# fox\n\\> fox\n\\- fox\n\\-# fox\n1\\. fox\n  \\* fox"),
        ("@everyone and @here", "@\N{ZERO WIDTH SPACE}everyone and @\N{ZERO WIDTH SPACE}here"),
        ("draw in <#123456789012345678>", "draw in <#123456789012345678>"),
        ("a plain fox - in 4.5 snow #1, 雪 🦊", "a plain fox - in 4.5 snow #1, 雪 🦊"),
        (r"C:\fox", r"C:\\fox"),
        ("\u202efox\u2066 יום 🦊", "fox יום 🦊"),
    ],
)
def test_signs_are_shown_and_do_nothing(words: str, written: str) -> None:
    assert escape(words) == written


@given(st.text(alphabet=st.sampled_from("a1 \n\\*_~`|[]()<>#+-.@:/h雪"), max_size=60))
def test_people_read_what_was_written(words: str) -> None:
    assert shown(escape(words)) == words


@given(st.text(alphabet=st.sampled_from("a1 \n\\*_~`|<@#"), max_size=80), st.integers(1, 90))
def test_what_is_too_long_ends_in_an_ellipsis(words: str, most: int) -> None:
    clamped = clamp(words, most, escape)

    assert len(clamped) <= most
    if len(escape(words)) <= most:
        assert clamped == escape(words)
    else:
        assert clamped.endswith("…")
        assert words.startswith(shown(clamped[:-1]))


def test_lines_are_left_out_as_a_whole() -> None:
    assert clamp_lines(["first", "second", "third"], 100) == "first\nsecond\nthird"
    assert clamp_lines(["first", "second", "third"], 15) == "first\nsecond\n…"
    assert clamp_lines(["first", "second", "third"], 14) == "first\nsecond\n…"
    assert clamp_lines(["first", "second", "third"], 13) == "first\n…"
    assert clamp_lines(["first"], 3) == "…"
