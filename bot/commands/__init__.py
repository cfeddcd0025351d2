"""The command table: one module for each kind of command, joined here."""

from bot.asking import Presses
from bot.command import CommandTable
from bot.commands import looking as look
from bot.commands import making
from bot.commands.buttons import Buttons
from bot.commands.drawing import Drawing
from bot.commands.looking import Looking


def build(drawing: Drawing, looking: Looking) -> tuple[CommandTable, Presses]:
    """All commands, and what each button does."""
    buttons = Buttons(drawing=drawing, database=drawing.database)
    table = CommandTable((*making.commands(drawing), *buttons.commands(), *look.commands(looking)))
    looking.table = lambda: table
    return table, {**buttons.presses(), **looking.presses()}
