"""What must hold whenever everything has come to its end, however often the bot was killed on the way.

`broken` lists what does not; every test of this folder ends with an empty list.
"""

import json
from collections import Counter
from collections.abc import Iterator
from hashlib import sha256

from bot.generation.states import ENDED, JobState, State
from bot.request import ImageRequest, Mode
from tests.crash.home import Home
from tests.crash.provider import Provider, digest
from tests.crash.stored import Row, Stored


def broken(home: Home) -> list[str]:
    stored = home.stored
    found = [*wrong(home), *_messages(home), *(() if home.troubled else _log(home))]
    for generation in stored.rows("SELECT * FROM generations ORDER BY seq"):
        found += [f"{generation['id']} ({generation['state']}): {each}" for each in _posting(stored, generation)]
    return found


def wrong(home: Home) -> list[str]:
    """The same without what is shown, and where: for people on any platform."""
    with home.stored.still() as stored:
        found = [*stored.problems(), *stored.unfinished()]
        for generation in stored.rows("SELECT * FROM generations ORDER BY seq"):
            sentences = (*_jobs(stored, generation), *_books(stored, generation))
            found += [f"{generation['id']} ({generation['state']}): {sentence}" for sentence in sentences]
        return [*found, *_bill(stored, home.provider), *_balances(stored), *_files(stored)]


def _messages(home: Home) -> Iterator[str]:
    """What was acknowledged was not lost, and what was said once stands once and has one answer."""
    stored = home.stored
    noted = {row["id"]: row["state"] for row in stored.rows("SELECT id, state FROM inbox")}
    standing = stored.history()
    answers = Counter(row["reply_to"] for row in stored.rows("SELECT reply_to FROM chat_messages WHERE bot=1"))
    presses = {row["id"] for row in stored.rows("SELECT id FROM chat_messages WHERE press IS NOT NULL")}
    for said in home.said.values():
        if said.acknowledged and noted.get(said.id) != "done":
            yield f"message {said.id} was acknowledged and is {noted.get(said.id, 'not known')}"
        if said.acknowledged and standing.get(said.id) != said.words:
            yield f"message {said.id} was acknowledged and does not stand on the page"
        if answers[said.id] > 1:
            yield f"message {said.id} has {answers[said.id]} answers"
        # A pressed button is answered by what it changes.
        if said.acknowledged and not answers[said.id] and said.id not in presses:
            yield f"message {said.id} was acknowledged and has no answer"


def _jobs(stored: Stored, generation: Row) -> Iterator[str]:
    """A paid request is sent once; only where it was sent and nothing is stored its outcome may be unknown."""
    jobs = stored.rows("SELECT * FROM jobs WHERE generation=:id", id=generation["id"])
    sent = _events(stored, generation, "sending")
    refused = stored.rows(
        "SELECT 1 FROM events WHERE generation=:id AND kind='job ready'",  # the provider certainly took nothing
        id=generation["id"],
    )
    if sum(sent.values()) - len(refused) > len(jobs):
        yield f"sent {sum(sent.values())} times for {len(jobs)} jobs"
    images = Counter(row["job"] for row in stored.images(generation["id"]))
    wanted = ImageRequest.from_json(json.loads(generation["request"])).per_job
    for job in jobs:
        unknown, made = job["state"] == JobState.UNKNOWN, images[job["number"]]
        if unknown and not sent[str(job["number"])]:
            yield f"job {job['number']} is unknown, but it was never sent"
        if unknown and made >= wanted:
            yield f"job {job['number']} is unknown, but all of its pictures are stored"
        if job["missing"] > wanted - made:
            yield f"job {job['number']} misses {job['missing']}, and {made} of {wanted} are stored"
        if generation["state"] in ENDED and job["state"] in (JobState.READY, JobState.SENDING, JobState.SUBMITTED):
            yield f"job {job['number']} is {job['state']}"
    if (generation["state"] == State.SETTLED) != bool(images):
        yield f"it has {images.total()} pictures"


def _events(stored: Stored, generation: Row, kind: str) -> Counter[str]:
    rows = stored.rows("SELECT detail FROM events WHERE generation=:id AND kind=:kind", id=generation["id"], kind=kind)
    return Counter(row["detail"].partition(" ")[0] for row in rows)  # the job's number, then its provider


def _books(stored: Stored, generation: Row) -> Iterator[str]:
    """Charged is what was made. What is missing without a word is given back to its maker, and is the pools' risk."""
    holds = stored.account(generation["id"])
    if generation["state"] == State.ASKED:
        if holds:
            yield f"a question holds {holds}"
        return
    if not holds and generation["state"] == State.CANCELLED:
        return  # a question that was declined
    images = stored.images(generation["id"])
    cost = sum(image["price"] for image in images)
    missing = sum(
        row["missing"] for row in stored.rows("SELECT missing FROM jobs WHERE generation=:id", id=generation["id"])
    )
    risk = missing * generation["price"] // generation["count"]
    for (account, unit), hold in holds.items():
        spent = 0 if generation["refunded_at"] else len(images) if unit == "images" else cost
        left = risk if unit == "usd" and account not in ("person", "share") else 0
        if hold != ("possible" if left else "closed", left, spent):
            yield f"{account} {unit} is {hold}; made {len(images)} for {cost}, missing {missing}"
    if len(holds) != 8:
        yield f"there are holds on {sorted(holds)}"


def _posting(stored: Stored, generation: Row) -> Iterator[str]:
    """The page shows what is stored, in clear words, once."""
    shown = stored.shown(generation["id"])
    if not shown:
        yield "the page does not show it"
        return
    if shown["state"] != generation["state"]:
        yield f"the page shows it as {shown['state']}"
    if not shown["text"]["message"]:
        yield "the page shows it without a word"
    key = f"{generation['id']}:0"
    if not stored.rows(
        "SELECT 1 FROM postings p JOIN chat_messages m ON m.id=p.message AND m.key=p.key WHERE p.key=:key", key=key
    ):
        yield "its posting names another message than the one that stands"
    held_back = "SELECT 1 FROM reviews WHERE generation=:id AND state IN ('due', 'waiting', 'refused')"
    if stored.rows(held_back, id=generation["id"]):
        if shown["pictures"]:
            yield "the page shows what is held back"
        return
    kept = [image for image in stored.images(generation["id"]) if image["state"] == "made"]
    if len(shown["pictures"]) != len(kept) and not generation["deleted_at"]:
        yield f"the page shows {len(shown['pictures'])} pictures of {len(kept)}"


def _bill(stored: Stored, provider: Provider) -> Iterator[str]:
    """No words were paid for more often than there were requests with them."""
    asked: Counter[str] = Counter()
    answered: Counter[str] = Counter()
    for row in stored.rows("SELECT id, request FROM generations"):
        request = ImageRequest.from_json(json.loads(row["request"]))
        # A series says in words, too, how many pictures it is to have.
        ending = f"\nGenerate a series of {request.count} coherent images." if request.mode is Mode.SERIES else ""
        words = digest(request.prompt + ending)
        asked[words] += request.jobs
        answered[words] += len({image["job"] for image in stored.images(row["id"])})
    bill = provider.bill()
    for words, jobs in asked.items():
        if not answered[words] <= bill[words] <= jobs:
            yield f"{bill[words]} paid requests for {jobs} jobs, {answered[words]} with pictures: {words}"


def _balances(stored: Stored) -> Iterator[str]:
    """Once nothing runs, nothing is held but what may have been billed."""
    possible = {
        (row["account"], row["unit"]): row["amount"]
        for row in stored.rows("SELECT account, unit, sum(amount) AS amount FROM holds GROUP BY account, unit")
    }
    for row in stored.rows("SELECT account, unit, held FROM balances WHERE win='total'"):
        if row["held"] != possible.get((row["account"], row["unit"]), 0):
            yield f"{row['account']} holds {row['held']} {row['unit']}"


def _files(stored: Stored) -> Iterator[str]:
    """Every picture that is said to be kept is there, whole; and nothing is left of what was on its way."""
    for image in stored.rows("SELECT DISTINCT blob FROM images WHERE state='made'"):
        blob = image["blob"]
        file = stored.folder / "blobs" / blob[:2] / blob[2:4] / blob
        if not file.exists() or sha256(file.read_bytes()).hexdigest() != blob:
            yield f"the picture {blob} is not what it was"
    for file in (
        *stored.folder.glob("scratch/*"),
        *stored.folder.glob("*/scratch/*"),
    ):  # with a role it has its own folder
        yield f"{file.name} is left in the scratch folder"


def _log(home: Home) -> Iterator[str]:
    """Nothing went wrong that nobody expected."""
    for log in home.logs:
        for line in log.decode(errors="replace").splitlines():
            try:
                event = json.loads(line)
            except ValueError:
                yield f"in the log: {line}"
                continue
            if event.get("level") in ("error", "critical"):
                yield f"in the log: {event}"
