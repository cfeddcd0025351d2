"""Runs the bot until somebody stops it: `demo` and `run`."""

import asyncio
import gc
import os
import shutil
import signal
import sqlite3
import sys
import threading
import webbrowser
from contextlib import closing, suppress
from pathlib import Path

import structlog

from bot.app import App, running
from bot.errors import CannotStart
from bot.ops.ownership import Ownership
from bot.settings import Settings
from bot.storage.database import read_only

log = structlog.get_logger(__name__)

TO_STOP = 30.0  # seconds, after what runs was waited for
YOUNG = 700  # objects, as Python has it: a start looks through them less often


async def demo(settings: Settings, *, open_browser: bool, reset: bool) -> int:
    """The page of a demonstration; `reset` begins anew. Raises `CannotStart` and what `running` does."""
    if reset:
        await asyncio.to_thread(_forget, settings.data_dir)
    stop = _stop_signal()
    async with running(settings, for_demo=True, next_free=True) as app:
        address = _address(app)
        _tell(f"\n  The page is at {address}")
        if app.sandbox is not None:
            _tell("  Pictures are placeholders drawn on this machine: no key, no account, nothing leaves it.")
        _tell("  Stop with Ctrl-C. Everything is kept in", settings.data_dir, "\n")
        if open_browser and _has_screen():
            await asyncio.to_thread(webbrowser.open, address)
        await stop.wait()
        if app.workers.running:
            _tell("  Finishing what is being drawn…")
    return 0


async def run(settings: Settings, *, demo_data: bool) -> int:
    """The bot as a service."""
    stop = _stop_signal()
    async with running(settings, demo_data=demo_data) as app:
        for name in filter(app.settings.lacks, app.settings.providers or ()):
            log.error("provider is left out", provider=name, missing=settings.lacks(name))
        for name, missing in settings.half_set.items():
            log.error("a platform is left out", platform=name, missing=missing)
        address = app.listener.url if app.listener else ""
        log.info("ready", role=str(settings.role), address=address, providers=app.settings.provider_order)
        keep_for_good()
        if settings.role.serves and sys.stderr.isatty():
            _tell(f"\n  The page is at {_address(app)}\n")
        await stop.wait()
        log.info("stopping", running=app.workers.running)
        limit = _end_within(settings.queue.drain.total_seconds() + TO_STOP)
    limit.cancel()
    log.info("stopped")
    return 0


def keep_for_good() -> None:
    """What stands once all is loaded stays for good: each full collection would look through it again, for 100 ms in
    which nobody gets an answer. What came since is looked through ten times less often than usual."""
    gc.collect()
    gc.freeze()
    _, middle, old = gc.get_threshold()
    gc.set_threshold(YOUNG, middle, old * 10)


def _tell(*words: object, flush: bool = True) -> None:
    print(*words, flush=flush)  # noqa: T201 - a person started this on a terminal


def _address(app: App) -> str:
    assert app.listener is not None
    token = app.settings.web.token
    return f"{app.listener.url}/?token={token.get_secret_value()}" if token else app.listener.url


def _stop_signal() -> asyncio.Event:
    """Set by SIGTERM and Ctrl-C; a second one ends the process at once."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        with suppress(NotImplementedError):  # Windows: Ctrl-C arrives as KeyboardInterrupt
            loop.add_signal_handler(number, lambda: os._exit(130) if stop.is_set() else stop.set())
    return stop


def _end_within(seconds: float) -> threading.Timer:
    """A database that neither answers nor breaks off would keep a stop waiting for ever. An end in the middle of
    anything is what the next start, and the other processes, make good."""

    def end() -> None:
        log.error("the stop took too long; the process ends as it is", seconds=seconds)
        os._exit(1)

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()
    return timer


def _has_screen() -> bool:
    return sys.platform in ("darwin", "win32") or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def _forget(folder: Path) -> None:
    """Remove a demonstration's folder, and nothing that is not one."""
    if not (folder / "bot.db").exists():
        return
    with closing(read_only(folder / "bot.db")) as connection:
        try:
            marked = connection.execute("SELECT 1 FROM meta WHERE name='demo'").fetchone()
        except sqlite3.DatabaseError:  # not ours, or not even a database
            marked = None
    if not marked:
        raise CannotStart(f"{folder} was not made by a demonstration, so --reset leaves it alone")
    with Ownership(folder):
        for each in folder.iterdir():
            if each.name != "bot.lock":
                shutil.rmtree(each) if each.is_dir() else each.unlink()
