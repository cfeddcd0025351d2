"""A command of the bot as a person at a terminal sees it, and types into it."""

import asyncio
import os
import pty
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.bot.ops.processes import environment

PATIENCE = 60


class Terminal:
    """A process as a person sees it and types into it."""

    def __init__(self, process: asyncio.subprocess.Process, screen: int) -> None:
        self.process = process
        self._screen = screen
        self.seen = ""

    async def until(self, words: str) -> None:
        while words not in self.seen:
            assert await self._look(), self.seen

    async def types(self, words: str) -> None:
        await asyncio.to_thread(os.write, self._screen, f"{words}\n".encode())

    async def ends(self) -> int:
        while await self._look():
            pass
        return await self.process.wait()

    async def _look(self) -> bool:
        try:
            read = await asyncio.to_thread(os.read, self._screen, 4096)
        except OSError:  # so Linux says that the other side has ended
            return False
        self.seen += read.decode(errors="replace").replace("\r\n", "\n")
        return bool(read)


@asynccontextmanager
async def at_a_terminal(folder: Path, *words: str, **variables: str) -> AsyncIterator[Terminal]:
    screen, inside = pty.openpty()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bot", *words),
        stdin=inside,
        stdout=inside,
        stderr=inside,
        cwd=folder,
        env=environment(**{"COLUMNS": "200", "LANG": "C.UTF-8", **variables}),
        start_new_session=True,
    )
    os.close(inside)
    try:
        async with asyncio.timeout(PATIENCE):
            yield Terminal(process, screen)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
        os.close(screen)
