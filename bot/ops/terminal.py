"""`seedream-bot send`: one asking from a terminal or a script, through the running bot where there is one."""

import asyncio
import json
from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus
from pathlib import Path
from typing import Any

import aiohttp

from bot.app import running
from bot.errors import CannotStart, NotThere
from bot.i18n import text
from bot.ops.folder import database_place, reading
from bot.ops.ownership import Owned, Owner, find_owner, is_owned, owned_below
from bot.ops.sending import Asked, exit_code
from bot.roles import Role
from bot.settings import Settings
from bot.storage import schema

# What `--json` prints where nothing could be asked at all.
NOTHING: dict[str, Any] = {
    "text": "",
    "generation": "",
    "state": "failed",
    "images": [],
    "buttons": [],
    "accounts": [],
    "error": None,
    "tone": "refusal",
}
SUFFIXES = {"image/png": ".png", "image/jpeg": ".jpg", "image/webp": ".webp"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """What was typed on the command line."""

    words: str
    person: str
    files: tuple[Path, ...]
    reply_to: str
    press: str
    yes: bool
    save: Path | None
    as_json: bool

    def asked(self) -> Asked:
        return Asked(
            person=self.person,
            words=self.words,
            reply_to=self.reply_to,
            files=self.files,
            press=self.press,
            yes=self.yes,
        )


async def send(settings: Settings, line: Line) -> int:
    """Ask, wait, save and print; returns the exit code. With `--json` what `CannotStart` says is printed so, too."""
    try:
        outcome = await _checked(settings, line)
    except CannotStart as error:
        if not line.as_json:
            raise
        outcome = {**NOTHING, "text": f"{error}.", "error": f"{error}."}
    shown = {name: value for name, value in outcome.items() if name not in ("tone", "lines")}
    print(json.dumps(shown, ensure_ascii=False, indent=2) if line.as_json else _for_people(outcome))  # noqa: T201
    return exit_code(outcome)


async def _checked(settings: Settings, line: Line) -> dict[str, Any]:
    for file in line.files:
        if not file.is_file():
            raise CannotStart(f"there is no file {file}")
    if not line.words and not line.press and not line.files:
        raise CannotStart("say what you want, such as: seedream-bot send '/imagine a fox'")
    outcome = await _ask(settings, line)
    if "stranger" in outcome:
        raise CannotStart(f"nobody here is called {outcome['stranger']}; a demonstration has alice, bob and carol")
    return outcome


async def _ask(settings: Settings, line: Line) -> dict[str, Any]:
    """Through the running process, or in one of our own where none runs."""
    folder = line.save or settings.data_dir / "sent"
    for _ in range(2):
        if owner := _owned(settings.data_dir):
            return await _through_owner(owner, line, folder)
        try:
            role = Role.WEB if settings.is_shared and await asyncio.to_thread(_works_elsewhere, settings) else Role.ALL
            mine = settings.model_copy(update={"role": role})
            async with running(mine, demo_data=True, listen=False) as app:
                outcome = await app.sending.send(line.asked())
                return await _saved(outcome, folder, app.blobs.read)
        except LookupError:
            return {"stranger": line.person}
        except Owned:
            continue  # somebody started between our look and our try
    raise CannotStart(f"{settings.data_dir} changes hands too fast")


def _owned(folder: Path) -> Path | None:
    """The folder of a running process that takes what is said: the whole bot, or one that serves the page."""
    own = [folder] if is_owned(folder) else [each for each in owned_below(folder) if each.name.startswith(Role.WEB)]
    return next(iter(own), None)


def _works_elsewhere(settings: Settings) -> bool:
    """Whether there are workers: what is asked here must not keep this process busy with everybody's pictures."""
    place = database_place(settings)
    if schema.current(place) != schema.head():
        return False
    with reading(place) as connection:
        lately = connection.now() - settings.queue.lease // timedelta(microseconds=1)
        row = connection.row("SELECT 1 FROM processes WHERE role IN ('all', 'worker') AND seen_at>:at", at=lately)
    return row is not None


async def _through_owner(owned: Path, line: Line, folder: Path) -> dict[str, Any]:
    owner = find_owner(owned)
    if owner is None:
        raise CannotStart(f"another process owns {owned} but does not answer yet; try again in a moment")
    try:
        async with aiohttp.ClientSession(
            headers={"Authorization": f"Bearer {owner.token}"},
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=5),
        ) as session:
            outcome = await _post(session, owner, line)
            if "stranger" in outcome:
                return outcome
            return await _saved(outcome, folder, lambda key: _download(session, owner, key))
    except aiohttp.ClientResponseError as error:
        raise CannotStart(
            f"the running bot could not answer ({error.status}); see {owner.url}/readyz, and its log"
        ) from error
    except aiohttp.ClientError as error:
        raise CannotStart("the running bot went away before it answered; ask again once it is back") from error


async def _post(session: aiohttp.ClientSession, owner: Owner, line: Line) -> dict[str, Any]:
    asked = line.asked()
    form = aiohttp.FormData()
    said = {name: getattr(asked, name) for name in ("person", "words", "reply_to", "press", "yes")}
    form.add_field("asked", json.dumps(said), content_type="application/json")
    for file in asked.files:
        form.add_field("file", file.read_bytes(), filename=file.name, content_type="application/octet-stream")
    async with session.post(f"{owner.url}/control/send", data=form) as response:
        response.raise_for_status()
        outcome: dict[str, Any] = await response.json()
        return outcome


async def _download(session: aiohttp.ClientSession, owner: Owner, key: str) -> Any:
    async with session.get(f"{owner.url}/control/blobs/{key}") as response:
        if response.status == HTTPStatus.NOT_FOUND:
            raise NotThere(text("This picture is no longer kept."))
        response.raise_for_status()
        async for chunk in response.content.iter_chunked(2**16):
            yield chunk


async def _saved(outcome: dict[str, Any], folder: Path, read: Any) -> dict[str, Any]:
    """The outcome with the paths of its pictures."""
    await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
    paths = []
    for image in outcome["images"]:
        path = folder / (image["name"] + SUFFIXES.get(image["media_type"], ""))
        try:
            with path.open("wb") as file:
                async for chunk in read(image["blob"]):
                    file.write(chunk)
        except NotThere:  # cleaned up, or on another machine
            path.unlink()
            continue
        paths.append(str(path))
    return {**outcome, "images": paths}


def _for_people(outcome: dict[str, Any]) -> str:
    lines = [outcome["text"]]
    lines += [f"  {line}" for line in outcome["lines"]]
    lines += [f"  saved: {path}" for path in outcome["images"]]
    if outcome["buttons"]:
        lines.append("  " + "  ".join(f"[{each['label']}] {each['id']}" for each in outcome["buttons"]))
    return "\n".join(lines)
