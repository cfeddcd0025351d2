"""What leaves as a table: words that a spreadsheet would run are words there, too, and numbers stay numbers."""

from decimal import Decimal

import pytest

from bot.ops.board.cells import Cell, safe


@pytest.mark.parametrize(
    ("given", "made"),
    [
        ("=1+1", "'=1+1"),
        ("+1", "'+1"),
        ("-1", "'-1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1", "'\t=1"),
        ("\r=1", "'\r=1"),
        (" =1+1", "' =1+1"),
        ('"=1+1', "'\"=1+1"),
        ("\u200b=1", "'\u200b=1"),
        ("\n@x", "'\n@x"),
        ("＝1", "'＝1"),
        ("＠SUM", "'＠SUM"),
        ("−1", "'−1"),
        ("a;=1", "a;'=1"),
        ("a; \t+1", "a;' \t'+1"),
        ("a\n=1", "a\n'=1"),
    ],
)
def test_no_words_are_taken_for_a_formula(given: str, made: str) -> None:
    assert safe(given) == made


@pytest.mark.parametrize("cell", ["a-b;c d", 'a,b"c\nd', "陈晓明", "", "2026-11-21", -3, 0, Decimal("-0.038")])
def test_other_words_and_numbers_stay_as_they_are(cell: Cell) -> None:
    assert (safe(cell), type(safe(cell))) == (cell, type(cell))
