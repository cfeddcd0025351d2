"""Tables as CSV: for spreadsheets, which take a cell that begins with certain signs for a formula and run it."""

import csv
import io
import re
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from decimal import Decimal
from typing import Any

BOM = "\ufeff"  # without it Excel takes the file for one in an old code page
# A spreadsheet may take away what stands before a sign, know its wide form, and split at more than commas.
_SIGN = "[-=+@＝＋－＠﹦﹢﹣﹫−]"
_UNSEEN = r"""[\s"'\x00-\x1f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]*+"""
FORMULA = re.compile(rf"^(?={_UNSEEN}{_SIGN}|[\t\r])|(?:(?<=;)|(?<=.[\t\r\n]))(?={_UNSEEN}{_SIGN})", re.DOTALL)
AT_ONCE = 2**16  # bytes to a write


def cell(value: Any) -> Any:
    """A number stays one; words that would be run as a formula are made words by an apostrophe."""
    if value is None:
        return ""
    if isinstance(value, int | float | Decimal):
        return value
    return FORMULA.sub("'", str(value))


async def written(rows: AsyncIterator[Sequence[Any]]) -> AsyncGenerator[bytes, None]:
    """The rows as a file, in pieces: as much of it as is kept in memory at a time."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\r\n")
    buffer.write(BOM)
    async for row in rows:
        writer.writerow([cell(value) for value in row])
        if buffer.tell() >= AT_ONCE:
            yield buffer.getvalue().encode("utf-8", "replace")
            buffer.seek(0)
            buffer.truncate()
    yield buffer.getvalue().encode("utf-8", "replace")
