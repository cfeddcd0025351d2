"""The command line: `seedream-bot demo`, `run`, `send`, `doctor` and what an operator needs.

What a command needs is imported by the command itself: `--help` and `send` to a running bot should not wait for it.
"""

import asyncio
import gc
import os
import re
import signal
import sys
import tempfile
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer
from typer.core import TyperArgument, TyperCommand, TyperGroup, TyperOption

from bot import __version__

if TYPE_CHECKING:
    from bot.command import CommandTable
    from bot.settings import Settings

T = TypeVar("T")
CALLED = "SEEDREAM_BOT_CALLED"  # by what words, where that is not `seedream-bot`: `run.py` says so
ADVICE = re.compile(r"\bseedream-bot (?=[a-z])")  # such as `seedream-bot doctor`

app = typer.Typer(
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    help="Draw with Seedream where your team talks.",
)
NO_COMMANDS = {"ignore_unknown_options": True, "allow_extra_args": True}
ledger_app = typer.Typer(no_args_is_help=True, help="The books.")
app.add_typer(ledger_app, name="ledger")

DataDir = Annotated[Path | None, typer.Option("--data-dir", help="Where everything is kept (BOT_DATA_DIR).")]


def main() -> None:
    # What is loaded stays: looking through all of it again as it grows would be a sixth of a start.
    gc.set_threshold(20_000)
    command = typer.main.get_command(app)
    _amend(command)
    command(prog_name=_called())


def _called() -> str:
    return os.environ.get(CALLED, "seedream-bot")


def _as_called(words: str) -> str:
    """Advice names a command as it is installed; whoever has a clone alone does not have that."""
    return ADVICE.sub(lambda _: f"{_called()} ", words)


def _tell(words: str, *, err: bool = False) -> None:
    typer.echo(_as_called(words), err=err)


def _amend(command: Any) -> None:  # of a class that Typer keeps to itself
    """What `--help` shows of it: Typer writes `--yes <bool>`, as if a flag took a value."""
    command.help = _as_called(command.help or "")
    for option in command.get_params(typer.Context(command)):
        if isinstance(option, TyperOption) and option.is_flag:
            option.metavar = ""
    for each in command.commands.values() if isinstance(command, TyperGroup) else ():
        _amend(each)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"seedream-bot {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_show_version, help="Show the version and leave.")
    ] = False,
) -> None:
    pass


@app.command()
def demo(
    port: Annotated[
        int | None, typer.Option(help="The page's port; the next free one is taken if it is in use.")
    ] = None,
    no_open: Annotated[bool, typer.Option("--no-open", help="Do not open a browser.")] = False,
    data_dir: DataDir = None,
    reset: Annotated[bool, typer.Option("--reset", help="Forget what the demonstration kept, and begin anew.")] = False,
) -> None:
    """Try everything in a chat page on this machine: no account, no key, nothing leaves it.

    Pictures are placeholders even where a key is set; only BOT_PROVIDERS says otherwise.
    """
    from bot.ops import serving

    settings = _settings(data_dir, web=None if port is None else {"port": port})
    _served(lambda: serving.demo(settings, open_browser=not no_open, reset=reset))


@app.command()
def run(
    data_dir: DataDir = None,
    demo_data: Annotated[bool, typer.Option("--demo-data", help="Use a folder that a demonstration made.")] = False,
    role: Annotated[
        str | None,
        typer.Option(help="What this process does, of several on PostgreSQL: all, gateway, worker or web (BOT_ROLE)."),
    ] = None,
    shards: Annotated[
        str | None,
        typer.Option(metavar="FIRST-LAST/COUNT", help="Which of a platform's shards this process hears, of how many."),
    ] = None,
) -> None:
    """Run the bot until it is told to stop."""
    from bot.ops import serving
    from bot.platforms import sharded, unheard

    settings = _settings(data_dir, role=role, **sharded(shards))
    if shards is not None and (wrong := unheard(settings, hears=settings.role.hears)):
        _tell(wrong, err=True)
        raise typer.Exit(1)
    _served(lambda: serving.run(settings, demo_data=demo_data))


def _folder(wanted: Path | None) -> Path | None:
    """Refuse before anything is drawn and paid for what a picture cannot be put into."""
    for place in (wanted, *wanted.parents) if wanted else ():
        if place.is_dir():
            break
        if place.exists():
            raise typer.BadParameter(f"{place} is a file. Name a folder; it is made if it is not there.")
    return wanted


@app.command()
def send(
    text: Annotated[str, typer.Argument(help="What to say: a command, or plain words.")] = "",
    person: Annotated[str, typer.Option("--as", help="Who says it.")] = "",
    attach: Annotated[list[Path] | None, typer.Option(help="A picture to attach; may be given several times.")] = None,
    reply_to: Annotated[str, typer.Option(metavar="ID[:INDEX]", help="The picture it replies to.")] = "",
    press: Annotated[str, typer.Option(metavar="COMMAND:ID:INDEX", help="Press this button instead.")] = "",
    yes: Annotated[bool, typer.Option("--yes", help="Answer a price question with Go.")] = False,
    save: Annotated[
        Path | None, typer.Option(metavar="FOLDER", callback=_folder, help="Where to put the pictures.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    data_dir: DataDir = None,
) -> None:
    """Ask for something and wait for the outcome, through the running bot where there is one.

    Leaves with 0 when it was made or answered, 2 when it was refused, 3 when a question waits, 1 when it failed.
    """
    from bot.ops import terminal

    asked = terminal.Line(
        words=text,
        person=person,
        files=tuple(attach or ()),
        reply_to=reply_to,
        press=press,
        yes=yes,
        save=save,
        as_json=as_json,
    )
    raise typer.Exit(_served(lambda: terminal.send(_settings(data_dir, quiet=True), asked)))


@app.command(context_settings=NO_COMMANDS)
def admin(
    words: Annotated[list[str] | None, typer.Argument(help="What is ordered, as behind /admin in a chat.")] = None,
    space: Annotated[
        str, typer.Option(metavar="PLATFORM/ID", help="In which space: a server, a tenant; `web/local` is the page.")
    ] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    data_dir: DataDir = None,
) -> None:
    """Govern as the operator: teams, limits, tiers, roles, grants, refunds, audit, exports, the dashboard.

    \b
    seedream-bot admin limit person @bob 20 images per day
    seedream-bot admin limit all 200.50 usd per month
    seedream-bot admin team create Design --space web/local
    seedream-bot admin tier set pro size 4K
    seedream-bot admin grant @bob 20 images until 3d
    seedream-bot admin refund k3f9w2ab the picture was torn
    seedream-bot admin export usage > usage.csv
    seedream-bot admin data @bob > bob.json

    Leaves with 0 when it was done, 2 when it was refused.
    """
    from bot.ops import operator

    settings = _settings(data_dir, quiet=True)
    raise typer.Exit(_served(lambda: operator.order(settings, words or ["audit"], space=space, as_json=as_json)))


@app.command()
def migrate(data_dir: DataDir = None) -> None:
    """Bring the database to this version."""
    from bot.ops.folder import database_place
    from bot.ops.ownership import Ownership
    from bot.storage import schema

    async def work() -> int:
        settings = _settings(data_dir)
        place, changed = database_place(settings), False
        if schema.current(place) != schema.head():  # else there is nothing to do, also beside a running bot
            with Ownership(settings.data_dir):
                changed = schema.migrate(place)
        typer.echo(f"{'Brought to' if changed else 'Already at'} version {schema.head()}.")
        return 0

    raise typer.Exit(_served(work))


@app.command()
def move(
    to: Annotated[
        str,
        typer.Option(
            metavar="URL",
            help="Where to: `postgresql://user:password@host:5432/name`, or `-` to read it from standard input, so that"
            " its password stands in no list of processes.",
        ),
    ],
    data_dir: DataDir = None,
) -> None:
    """Move everything from the SQLite file into an empty database on PostgreSQL, while no bot runs.

    Whenever it is ended, call it again: it goes on. The pictures stay where they are.
    """
    from bot.ops import move as moving

    settings = _settings(data_dir, quiet=True)
    raise typer.Exit(_served(lambda: moving.move(settings, _address() if to == "-" else to, _tell)))


def _address() -> str:
    if sys.stdin.isatty():
        return str(typer.prompt("Address", hide_input=True))
    return sys.stdin.readline().strip()


@app.command()
def backup(
    file: Annotated[Path, typer.Argument(help="What to save into; nothing is overwritten.")], data_dir: DataDir = None
) -> None:
    """Save the database and the pictures into one file, also beside a running bot."""
    from bot.ops import backup as backups

    settings = _settings(data_dir, quiet=True)
    _tidily()
    _plainly(lambda: backups.save(settings, file, _tell, at=datetime.now(UTC)))


@app.command()
def restore(file: Annotated[Path, typer.Argument(help="What `backup` has saved.")], data_dir: DataDir = None) -> None:
    """Bring a backup into an empty data folder, and prove its books."""
    from bot.ops import doctor as checks
    from bot.ops import restore as restoring

    settings = _settings(data_dir, quiet=True)
    _tidily()
    _plainly(lambda: restoring.restore(settings, file, _tell))
    raise typer.Exit(_served(lambda: checks.verify_ledger(settings, _tell)))


@app.command()
def doctor(
    data_dir: DataDir = None,
    probe: Annotated[
        bool, typer.Option("--probe", help="Also ask providers with a key, and chat platforms, what costs nothing.")
    ] = False,
) -> None:
    """Look for what is wrong, and say how to cure it."""
    from bot.ops import doctor as checks

    def work() -> Coroutine[Any, Any, int]:
        settings = _settings(data_dir, quiet=True)
        return checks.examine(settings, _tell, probe=probe, table=partial(_command_table, settings))

    raise typer.Exit(_served(work))


class _Setup(TyperCommand):
    def format_help(self, ctx: Any, formatter: Any) -> None:
        """With the platforms that there are, which only whoever asks for the help waits for."""
        from bot.platforms import Platforms

        platform = self.params[0]
        assert isinstance(platform, TyperArgument)
        platform.help = f"The chat platform: {' or '.join(Platforms.model_fields)}."
        super().format_help(ctx, formatter)


@app.command(cls=_Setup)
def setup(
    platform: Annotated[str, typer.Argument(help="The chat platform.")],
    channel: Annotated[str, typer.Option(metavar="ID", help="A channel that gets a test picture.")] = "",
) -> None:
    """Join a chat platform: check its secret, tell the links that add the bot, put the commands there.

    What is not set is asked for. Leaves with 1 where something has to be mended first.
    """
    from bot.ops import setup as platforms

    settings = _settings(None, quiet=True)
    table = partial(_command_table, settings)
    raise typer.Exit(_plainly(lambda: platforms.set_up(platform, settings, table=table, channel=channel)))


async def _command_table(settings: "Settings") -> "CommandTable":
    """What people can ask for with these settings, built in a folder of its own: the real one may be in use."""
    from bot.app import running
    from bot.roles import Role

    with tempfile.TemporaryDirectory() as folder:
        elsewhere = {
            "data_dir": Path(folder),
            "database_url": f"sqlite:///{folder}/bot.db",
            "blobs_url": Path(folder, "blobs").as_uri(),
            "role": Role.ALL,
        }
        async with running(settings.model_copy(update=elsewhere), listen=False) as built:
            return built.table


@app.command()
def healthcheck(data_dir: DataDir = None) -> None:
    """Leave with 0 if the bot that owns the data folder is alive (for containers)."""
    from bot.ops.doctor import is_alive

    raise typer.Exit(0 if is_alive(_settings(data_dir, quiet=True).data_dir) else 1)


@ledger_app.command()
def verify(data_dir: DataDir = None) -> None:
    """Prove that entries, balances, holds and generations agree; reads only, also beside a running bot."""
    from bot.ops import doctor as checks

    raise typer.Exit(_served(lambda: checks.verify_ledger(_settings(data_dir, quiet=True), _tell, _show_progress)))


def _settings(data_dir: Path | None, *, quiet: bool = False, **arguments: Any) -> "Settings":
    from bot.ops import logs
    from bot.settings import SettingsError, load

    try:
        settings = load(data_dir=data_dir, **arguments)
    except SettingsError as error:
        for problem in error.problems:
            _tell(problem, err=True)
        raise typer.Exit(1) from None
    logs.configure("ERROR" if quiet else settings.log.level, settings.log.format)
    return settings


def _show_progress(done: int, of: int) -> None:
    """In one line of a terminal, which is empty again at the end."""
    if sys.stderr.isatty():
        sys.stderr.write(f"\r{done:,} of {of:,} generations" if done < of else f"\r{'':40}\r")
        sys.stderr.flush()


def _tidily() -> None:
    """SIGTERM ends the command as Ctrl-C does: what it has begun is taken away."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))


def _served(work: Callable[[], Coroutine[Any, Any, int]]) -> int:
    return _plainly(lambda: asyncio.run(work()))


def _plainly(work: Callable[[], T]) -> T:
    """Do it, and turn what keeps it from starting into one sentence."""
    from bot.errors import CannotStart

    try:
        return work()
    except CannotStart as error:
        _tell(f"{error}.", err=True)
    except OSError as error:
        if error.filename is None:
            raise
        _tell(f"{error.filename}: {error.strerror}.", err=True)
    raise typer.Exit(1)
