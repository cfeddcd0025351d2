"""What happened to a generation, as people read it: every step that is written down has words."""

import re
from pathlib import Path

from bot import events
from bot.errors import ProviderBusy
from bot.events import happened
from bot.generation.states import ENDED, JobState
from tests.bot.generation.core import Core
from tests.fakes import DONE, Make, Ticket

ROOT = Path(__file__).parents[2]


async def test_a_request_that_went_to_another_provider_tells_which_were_asked(core: Core) -> None:
    core.provider.scripts.append((ProviderBusy(),))
    core.provider.scripts.append((Ticket("t-1"), Make(), DONE))
    waiting = await core.run()
    done = await core.run_again(waiting.id)
    told = [(str(what), str(detail)) for _, what, detail in await core.database.read(happened, done.id)]

    assert ("sending to the provider", "request 1, sandbox") in told
    assert ("the provider took nothing", "busy") in told
    assert ("the provider took it", "request 1") in told
    assert ("a picture came and was stored", "picture 1") in told


def test_every_step_that_is_written_down_has_words() -> None:
    written = set()
    for file in (ROOT / "bot").rglob("*.py"):
        code = file.read_text("utf-8")
        if re.search(r"from bot\.generation\.record import .*\bnote\b", code) or file.name == "record.py":
            written |= set(re.findall(r'(?<!\.)\bnote\(connection, [^,]+, "([a-z ]+)"', code))
    states = {str(state) for state in ENDED} | {f"job {state}" for state in JobState if f"job {state}" in events._KINDS}

    assert written
    assert written | states <= set(events._KINDS)
