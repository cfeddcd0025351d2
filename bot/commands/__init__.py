"""The command table: one module for each kind of command, joined here."""

from collections.abc import Awaitable, Callable

from bot.asking import Presses
from bot.command import CommandTable
from bot.commands import admin, choosing, looking, making, own, quota, team, tidying, usage
from bot.commands.admin import Admin, LinkTo
from bot.commands.buttons import Buttons
from bot.commands.choosing import Choosing
from bot.commands.details import Address
from bot.commands.drawing import Drawing
from bot.commands.looking import Looking
from bot.commands.own import HandOver, Own, Privacy
from bot.commands.quota import Quota
from bot.commands.reviews import Reviewing
from bot.commands.team import Teams
from bot.commands.tidying import Tidying
from bot.commands.usage import Using
from bot.people import Preferences
from bot.reports import Charts
from bot.spaces import Spaces
from bot.teams import Memberships


def build(
    drawing: Drawing,
    spaces: Spaces,
    preferences: Preferences,
    remove: Callable[[str], Awaitable[None]],
    address: Address | None = None,
    memberships: Memberships | None = None,
    privacy: Privacy | None = None,
    link: LinkTo | None = None,
    hand_over: HandOver | None = None,
) -> tuple[CommandTable, Presses]:
    """All commands, and what each button does. remove: takes a blob away that no picture needs any more.

    address: where a picture can be seen as it is, from anywhere. link: to the dashboard. hand_over: to one's own data.
    """
    governing = govern(drawing, spaces, memberships or Memberships(drawing.database), link)
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
    mine = Own(
        database=drawing.database,
        memberships=governing.memberships,
        clock=drawing.clock,
        privacy=privacy,
        hand_over=hand_over,
    )
    table = CommandTable(
        (
            *making.commands(drawing),
            *buttons.commands(),
            *looking.commands(look),
            *tidying.commands(tidy),
            *choosing.commands(choose),
            *usage.commands(_using(drawing)),
            *quota.commands(Quota(service=drawing.service, database=drawing.database)),
            *team.commands(
                Teams(
                    admin=governing,
                    database=drawing.database,
                    router=drawing.router,
                    rules=drawing.service.rules,
                )
            ),
            *own.commands(mine),
            *admin.commands(governing),
        )
    )
    review = Reviewing(service=drawing.service, database=drawing.database, clock=drawing.clock)
    return table, {**buttons.presses(), **look.presses(), **tidy.presses(), **review.presses(), **mine.presses()}


def govern(drawing: Drawing, spaces: Spaces, memberships: Memberships, link: LinkTo | None = None) -> Admin:
    """What admins and the operator order, done."""
    return Admin(
        spaces=spaces,
        router=drawing.router,
        clock=drawing.clock,
        database=drawing.database,
        memberships=memberships,
        rules=drawing.service.rules,
        link=link,
        changed=drawing.service.changed,
    )


def _using(drawing: Drawing) -> Using:
    charts = Charts(blobs=drawing.blobs, database=drawing.database, clock=drawing.clock, folder=drawing.folder)
    return Using(database=drawing.database, charts=charts, clock=drawing.clock, zone=lambda: drawing.service.zone)
