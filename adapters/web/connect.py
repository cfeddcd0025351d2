"""Builds the chat for the composition root: who may speak, where, and what is shown to whom."""

from collections.abc import Sequence
from typing import Any

from adapters.web.adapter import WebAdapter
from adapters.web.guard import check_binding
from adapters.web.people import Persona
from bot.i18n import text

DEMO = (
    Persona(name="alice", note=text("admin"), admin=True),
    Persona(name="bob", note=text("member")),
    Persona(name="carol", note=text("nothing left")),
)
ALONE = "me"


def connect(*, demo: bool, admins: Sequence[str], host: str, token: str | None, **services: Any) -> WebAdapter:
    """Raises `ValueError` where the page would be open to others."""
    check_binding(host, token)
    people = DEMO if demo else tuple(Persona(name=name, note=text("admin"), admin=True) for name in admins or (ALONE,))
    return WebAdapter(people=people, host=host, token=token, strangers=not demo, **services)
