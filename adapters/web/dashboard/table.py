"""Tables as CSV, in pieces. That no cell is a formula is for those who give the rows."""

import csv
import io
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from typing import Any

BOM = "\ufeff"  # without it Excel takes the file for one in an old code page
AT_ONCE = 2**16  # bytes to a write


async def written(rows: AsyncIterator[Sequence[Any]]) -> AsyncGenerator[bytes, None]:
    """The rows as a file, in pieces: as much of it as is kept in memory at a time."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\r\n")
    buffer.write(BOM)
    async for row in rows:
        writer.writerow(row)
        if buffer.tell() >= AT_ONCE:
            yield buffer.getvalue().encode("utf-8", "replace")
            buffer.seek(0)
            buffer.truncate()
    yield buffer.getvalue().encode("utf-8", "replace")
