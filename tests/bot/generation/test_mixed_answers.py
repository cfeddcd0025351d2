"""An answer that begins one way and ends another: what may have been billed is never forgotten, or asked for twice."""

import pytest

from bot.errors import AnswerBroken, ContentRefused, ProviderBusy, ProviderError, ProviderRefused
from bot.generation.states import State
from bot.request import Mode
from tests.bot.generation.core import Core
from tests.fakes import Reject


@pytest.mark.parametrize("end", [ContentRefused("result"), ProviderRefused("no"), ProviderBusy()], ids=lambda e: e.kind)
async def test_a_picture_that_was_perhaps_billed_stays_so_whatever_the_answer_ends_in(
    core: Core, end: ProviderError
) -> None:
    core.provider.scripts.append((Reject(0, AnswerBroken()), end))
    done = await core.run(mode=Mode.SERIES, count=2)

    assert done.state is State.UNKNOWN
    assert core.provider.paid == 1
    assert (await core.spent())["pool"][1] > 0
    await core.check_books()
