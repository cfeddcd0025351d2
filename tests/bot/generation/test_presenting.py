"""What people read while they wait."""

from datetime import UTC, datetime

from bot.clock import micros
from bot.generation.presenting import present
from bot.i18n import text
from tests.bot.generation.core import Core


async def test_what_is_being_drawn_tells_since_when(core: Core) -> None:
    generation = await core.accepted()
    in_line = present(await core.load(generation), place=1)
    now = datetime.now(UTC).replace(microsecond=0)
    await core.admitted(now=micros(now))
    drawing = present(await core.load(generation))

    assert (in_line.text, in_line.notes) == (text("In line: next."), ())
    assert (drawing.text, drawing.notes) == (text("Drawing…"), (text("Started {when}", when=now),))


async def test_nothing_but_the_time_it_took_is_left_of_it_in_the_end(core: Core) -> None:
    done = present(await core.run())

    assert len(done.notes) == 1
    assert "Started" not in str(done.notes[0])
