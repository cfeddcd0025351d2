"""What must hold for a team and its crowd once all is quiet, whatever was done to the processes on the way."""

import asyncio
import json
import re
from collections import Counter
from collections.abc import Iterator

from bot.generation.states import State
from tests.crash.promises import wrong
from tests.crash.stored import Stored
from tests.scale.crowd import Crowd, is_busy
from tests.scale.team import Team, until
from tests.simulators.feishu import reading
from tests.simulators.feishu.model import Message

# Each worker keeps to the pace of a chat by itself. Where several are too fast together Feishu refuses one of them,
# which sends it again a moment later.
TOGETHER = re.compile("more than 5 (sends a second to one chat|changes a second of one message)")


async def check(crowd: Crowd, *, troubled: bool = False) -> None:
    """troubled: errors in the logs are part of the story."""
    await until(lambda: not left(crowd.team), lambda: "\n".join(left(crowd.team)), seconds=40)
    found = await asyncio.to_thread(broken, crowd)
    if not troubled:
        found += crowd.team.errors()
    if found:
        raise AssertionError("\n".join(found))


def broken(crowd: Crowd) -> list[str]:
    found = wrong(crowd.team.home)
    with crowd.team.stored.still() as stored:
        found += _page(crowd.team, stored)
        for asked in crowd.asked:
            found += [f"{crowd.noted_as(asked)}: {sentence}" for sentence in _answer(crowd, stored, asked)]
    keys = Counter(one.uuid for one in crowd.fake.all_messages.values() if one.sender is crowd.fake.bot)
    found += [f"{n} messages stand under the key {key}" for key, n in keys.items() if key and n > 1]
    return found + [complaint for complaint in crowd.fake.complaints if not TOGETHER.fullmatch(complaint)]


def left(team: Team) -> list[str]:
    """What the last beat or round of somebody takes away: traces of processes that are gone, and of jobs that ran."""
    stored = team.stored
    there = {seat.pid for seat in team.seats.values() if seat.lives}
    noted = {int(row["pid"]) for row in stored.rows("SELECT pid FROM processes")}
    found = [f"process {pid} is gone and still noted" for pid in noted - there]
    found += [f"process {pid} is there and not noted" for pid in there - noted]
    (jobs,) = stored.rows("SELECT count(*) AS n FROM procrastinate_jobs")
    ended = sum(len(seat.pids) for seat in team.seats.values()) - len(there)
    if jobs["n"] > ended:  # each that was killed may have left one, for a minute
        found.append(f"the engine keeps {jobs['n']} jobs")
    return found


def _page(team: Team, stored: Stored) -> Iterator[str]:
    noted = {row["id"]: row["state"] for row in stored.rows("SELECT id, state FROM inbox")}
    answers = Counter(row["reply_to"] for row in stored.rows("SELECT reply_to FROM chat_messages WHERE bot=1"))
    for said in team.home.said.values():
        if said.acknowledged and (noted.get(said.id) != "done" or answers[said.id] != 1):
            yield f"message {said.id} was acknowledged, is {noted.get(said.id)} and has {answers[said.id]} answers"
    for row in stored.rows(
        "SELECT g.id, g.state, m.reply FROM generations g JOIN postings p ON p.generation=g.id AND p.key=g.id || ':0'"
        " LEFT JOIN chat_messages m ON m.key=p.key WHERE p.adapter='web'"
    ):
        shown = json.loads(row["reply"])["state"] if row["reply"] else "nothing"
        if shown != row["state"]:
            yield f"the page shows {row['id']} as {shown}, and it is {row['state']}"


def _answer(crowd: Crowd, stored: Stored, asked: Message) -> Iterator[str]:
    """One answer to each asking; if it is a generation's card, it came to its end and stayed there."""
    cards = crowd.cards(asked)
    if len(cards) != 1:
        yield f"it has {len(cards)} answers: {[one.text for one in cards]}"
        return
    (card,) = cards
    generation = stored.generation(crowd.noted_as(asked))
    if generation is None:
        return
    made = [image for image in stored.images(generation["id"]) if image["state"] == "made"]
    if len(card.pictures) != len(made):
        yield f"its card shows {len(card.pictures)} pictures of {len(made)}"
    if generation["state"] == State.UNKNOWN and "given back" not in card.text:
        yield f"its card does not tell of what is unknown: {card.text}"
    shown = [is_busy("\n".join(reading.texts("interactive", content))) for _, content in card.edits]
    if is_busy(card.text) or (False in shown and any(shown[shown.index(False) :])):
        yield f"its card told of its end and then of a place in the line, or of drawing: {card.text}"
