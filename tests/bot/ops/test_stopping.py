"""A stop comes to its end, whatever it has to wait for."""

import asyncio
import signal
import sys
from pathlib import Path

import pytest

from tests.bot.ops.processes import ROOT, environment
from tests.bot.storage.cable import Cable
from tests.postgres import BOTH, Emptied

pytestmark = [*BOTH[1].marks, pytest.mark.slow, pytest.mark.long]

RUN = "import sys; from bot.ops import serving; serving.TO_STOP = 1; from bot.cli import main; sys.exit(main())"


async def test_a_database_that_says_nothing_keeps_no_stop_waiting(emptied: Emptied, tmp_path: Path) -> None:
    async with Cable(emptied()) as cable:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", RUN, "run", "--data-dir", str(tmp_path)),
            env=environment(
                BOT_DATABASE_URL=cable.url,
                BOT_PROVIDERS='["sandbox"]',
                BOT_WEB__PORT="0",
                BOT_QUEUE__DRAIN="1s",
                BOT_LOG__FORMAT="json",
            ),
            cwd=ROOT,
            stderr=asyncio.subprocess.PIPE,
        )
        assert process.stderr is not None
        try:
            async with asyncio.timeout(120):
                while b'"ready"' not in (line := await process.stderr.readline()):
                    assert line, "it ended"
                cable.cut()
                process.send_signal(signal.SIGTERM)
                said = await process.stderr.read()
                code = await process.wait()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()

    assert code in (0, 1)
    assert (code == 1) == (b"the stop took too long" in said)
    assert b"Traceback" not in said
