"""The data folder before anything runs in it: where its database lies, and whether it is the right one."""

import shutil
from pathlib import Path

from bot import demo
from bot.errors import CannotStart
from bot.settings import Settings
from bot.storage.database import Database


def database_path(settings: Settings) -> Path:
    """Raises `CannotStart` for a database that this version does not know."""
    if not settings.database_url.startswith("sqlite:///"):
        raise CannotStart("BOT_DATABASE_URL: this version keeps its database in SQLite only (sqlite:///...)")
    return Path(settings.database_url.removeprefix("sqlite:///"))


async def check_purpose(database: Database, *, for_demo: bool, demo_data: bool) -> None:
    """Raises `CannotStart` where a demonstration would get at what is in real use, or the other way round."""
    marked = await database.read(demo.is_demo)
    if marked and not for_demo and not demo_data:
        raise CannotStart(
            "this data folder was made by a demonstration; take another one, or say --demo-data if you mean it"
        )
    if for_demo and not marked and await database.read(demo.is_used):
        raise CannotStart("this data folder is in real use; a demonstration needs one of its own (--data-dir)")


def make_empty(folder: Path) -> None:
    """An empty folder for what is on its way; whatever a killed process left there is of no use."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
