"""The command table: one module for each kind of command, joined here."""

from collections.abc import Awaitable, Callable

from bot.asking import Presses
from bot.command import CommandTable
from bot.commands import admin, choosing, looking, making, tidying
from bot.commands.admin import Admin
from bot.commands.buttons import Buttons
from bot.commands.choosing import Choosing
from bot.commands.details import Address
from bot.commands.drawing import Drawing
from bot.commands.looking import Looking
from bot.commands.tidying import Tidying
from bot.people import Preferences
from bot.spaces import Spaces


def build(
    drawing: Drawing,
    spaces: Spaces,
    preferences: Preferences,
    remove: Callable[[str], Awaitable[None]],
    address: Address | None = None,
) -> tuple[CommandTable, Presses]:
    """All commands, and what each button does. remove: takes a blob away that no picture needs any more.

    address: where a picture can be seen as it is, from anywhere.
    """
    buttons = Buttons(drawing=drawing, database=drawing.database, address=address)
    look = Looking(service=drawing.service, router=drawing.router, database=drawing.database)
    tidy = Tidying(service=drawing.service, database=drawing.database, clock=drawing.clock, remove=remove)
    choose = Choosing(
        service=drawing.service,
        router=drawing.router,
        default_model=drawing.model,
        preferences=preferences,
        table=lambda: table,
    )
    table = CommandTable(
        (
            *making.commands(drawing),
            *buttons.commands(),
            *looking.commands(look),
            *tidying.commands(tidy),
            *choosing.commands(choose),
            *admin.commands(Admin(spaces=spaces, router=drawing.router, clock=drawing.clock)),
        )
    )
    return table, {**buttons.presses(), **look.presses(), **tidy.presses()}
