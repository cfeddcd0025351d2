"""Cells for spreadsheets, which take one that begins with certain signs for a formula and run it."""

import re
from decimal import Decimal

Cell = str | int | Decimal

# A spreadsheet may take away what stands before a sign, know its wide form, and split at more than commas.
_SIGN = "[-=+@＝＋－＠﹦﹢﹣﹫−]"
_UNSEEN = r"""[\s"'\x00-\x1f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]*+"""
FORMULA = re.compile(rf"^(?={_UNSEEN}{_SIGN}|[\t\r])|(?:(?<=;)|(?<=.[\t\r\n]))(?={_UNSEEN}{_SIGN})", re.DOTALL)


def safe(cell: Cell) -> Cell:
    """A number stays one, also below zero; words that would be run as a formula are made words by an apostrophe."""
    return FORMULA.sub("'", cell) if isinstance(cell, str) else cell
