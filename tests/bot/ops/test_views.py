"""The command line that would ask for the same again."""

from dataclasses import replace

import pytest

from bot.generation.accepting import Accepted
from bot.ops.views import Views
from tests.bot.generation.core import Core


@pytest.mark.parametrize(
    ("line", "again"),
    [
        ("/imagine a red fox", "/imagine a red fox --model seedream-4.5 --size 2K"),
        ("/imagine a fox --ratio 16:9", "/imagine a fox --model seedream-4.5 --size 2848x1600"),
        ("/series a day --count 3", "/series a day --model seedream-4.5 --size 2K --count 3"),
        (
            "/imagine a fox --model seedream-5-lite --search --format png",
            "/imagine a fox --model seedream-5-lite --size 2K --format png --search",
        ),
        (
            "/imagine a fox --model seedream-5-pro --optimize fast",
            "/imagine a fox --model seedream-5-pro --size 2K --optimize fast",
        ),
    ],
)
async def test_the_line_says_all_that_was_asked_for(core: Core, line: str, again: str) -> None:
    views = Views(
        database=core.database, router=core.router, service=core.service, spaces=core.spaces, clock=core.clock
    )
    async with core.delivery, core.dispatcher:
        taken = await core.ask(line)
        assert isinstance(taken, Accepted)
        told = await views.line(taken.generation, core.invocation().actor, core.table)
        repeated = await core.ask(told)

    assert told == again
    assert isinstance(repeated, Accepted)
    first, second = [(await core.load(each.generation)).request for each in (taken, repeated)]
    assert replace(first, ratio="") == second  # which stands in the size
